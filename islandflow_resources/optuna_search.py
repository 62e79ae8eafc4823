"""Searches that learn: Optuna's samplers behind the interface of ``engine.search``.

Optuna only proposes. It is asked in batches of a fixed size and told in the order of the sets, so
that what it proposes follows from the document and the scores alone, never from who computed them
or when. Grid and random searches are passed on to ``engine.search``, which is also where axes live.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from contracts.search import LearningSearch
from contracts.search import Search as SearchDocument
from contracts.strategy import StrategySpec
from engine.arrays import Floats
from engine.search import Axis, Batch, Search, axes
from engine.search import make_search as make_listed
from engine.search.api import Turns

if TYPE_CHECKING:
    import optuna

SEED_BITS: Final = 32


def make_search(spec: StrategySpec, search: SearchDocument) -> Search:
    """Search of a strategy's ranges, whatever its method.

    Raises
    ------
    ContractError
        As ``engine.search.make_search``.
    """
    if isinstance(search, LearningSearch):
        return OptunaSearch(axes(spec), search)
    return make_listed(spec, search)


def sampler_seed(seed: int) -> int:
    """The 32 bits that a sampler takes, for a seed of 63."""
    digest = hashlib.sha256(f"search/optuna/{seed}".encode()).digest()
    return int.from_bytes(digest[: SEED_BITS // 8], "little")


class OptunaSearch:
    """A study in memory.

    A set may be asked for twice. A strategy without axes has one set. Axes with steps are searched
    by index and others as the share of the way between their bounds, so that every value is one
    that ``engine.search`` would make.
    """

    def __init__(self, searched: tuple[Axis, ...], search: LearningSearch) -> None:
        self._axes, self._document = searched, search
        self._left = self.size = search.trials if searched else 1
        self._turns = Turns()
        self._asked: list[optuna.Trial] = []

    @cached_property
    def _study(self) -> optuna.Study:
        """Made when it is first asked: a search that is only counted loads no Optuna."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        return optuna.create_study(direction="maximize", sampler=_sampler(self._document))

    def ask(self) -> Batch | None:
        """Return the next batch, see ``engine.search.Search``."""
        size = min(self._document.batch, self._left)
        self._turns.asked(size)
        if not size:
            return None
        self._left -= size
        distributions = {axis.name: _distribution(axis) for axis in self._axes}
        self._asked = [self._study.ask(distributions) for _ in range(size)]
        return Batch({axis.name: _values(axis, self._asked) for axis in self._axes}, size)

    def tell(self, scores: Floats) -> None:
        """Tell its scores to the sampler, an undefined one as a failed trial."""
        from optuna.trial import TrialState

        self._turns.told(scores)
        for trial, score in zip(self._asked, scores.tolist(), strict=True):
            if np.isnan(score):
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._study.tell(trial, score)


def _sampler(search: LearningSearch) -> optuna.samplers.BaseSampler:
    from optuna.samplers import NSGAIISampler, TPESampler

    seed = sampler_seed(search.seed)
    if search.sampler == "nsgaii":
        return NSGAIISampler(seed=seed)
    return TPESampler(seed=seed, constant_liar=False)


def _distribution(axis: Axis) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import FloatDistribution, IntDistribution

    count = axis.count
    return FloatDistribution(0.0, 1.0) if count is None else IntDistribution(0, count - 1)


def _values(axis: Axis, trials: list[optuna.Trial]) -> Floats:
    chosen = [trial.params[axis.name] for trial in trials]
    if axis.count is None:
        return axis.spread(np.array(chosen, np.float64))
    return axis.at(np.array(chosen, np.int64))
