"""Campaigns as they are run: references looked up, everything checked before the first trial.

The document is ``contracts.campaign``; running it, ``campaign_trials``. A campaign is registered
with the documents that it refers to written out, so that no later registration changes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, TypeVar

import numpy as np

from contracts.campaign import CampaignSpec, Entrant, campaign_from
from contracts.canonical import Document, canonical_json
from contracts.digest import bare
from contracts.errors import ContractError, NotFoundError, Problem
from contracts.experiment import ExperimentSpec, experiment_from
from contracts.scenario import ScenarioSpec, scenario_from
from contracts.strategy import StrategySpec, strategy_from
from contracts.validation import BLOCKS
from engine import dsl, validate
from engine.backtest.moments import block_edges, kept_bars
from engine.search import axes
from islandflow_resources.campaign_index import CampaignIndex
from islandflow_resources.campaign_names import CampaignNames
from islandflow_resources.database import Database
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.models import Campaign
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.optuna_search import make_search
from islandflow_resources.ready_experiments import ready_experiment

T = TypeVar("T")
AnyCampaign: TypeAlias = "ReadyCampaign | ReadyExperiment"
"""A campaign of strategies, or of book signals."""
_LEAST_DIGITS = 8
"""Digits of a hash that name a strategy."""


@dataclass(frozen=True)
class ReadyCampaign(CampaignNames):
    """A campaign whose references are written out and which has passed every check.

    Attributes
    ----------
    spec : CampaignSpec
        Scenarios and strategies are documents.
    """

    spec: CampaignSpec

    @cached_property
    def scenarios(self) -> list[ScenarioSpec]:
        """Scenarios in their order."""
        return [one for one in self.spec.scenarios if not isinstance(one, str)]

    @cached_property
    def entrants(self) -> list[tuple[StrategySpec, Entrant]]:
        """Strategies in their order, with how they are searched."""
        return [
            (one.strategy, one) for one in self.spec.strategies if not isinstance(one.strategy, str)
        ]

    @cached_property
    def cells(self) -> list[tuple[ScenarioSpec, int]]:
        """Datasets as scenario and seed, in the order in which trials are gathered."""
        return [(scenario, seed) for scenario in self.scenarios for seed in self.spec.seed_list]

    def bars(self, scenario: ScenarioSpec) -> int:
        """Bars of a scenario that are traded."""
        most = self.spec.settings.max_bars
        return min(most or scenario.duration_bars, scenario.duration_bars)

    @cached_property
    def sets(self) -> int:
        """Parameter sets that the searches ask for."""
        return sum(make_search(spec, one.search).size for spec, one in self.entrants)

    @property
    def trials(self) -> int:
        """Trials in all."""
        return self.sets * len(self.cells)


def ready_any(
    spec: CampaignSpec | ExperimentSpec, store: ObjectStore, database: Database
) -> AnyCampaign:
    """A campaign of either kind, checked; see `ready` and ``experiments.ready_experiment``."""
    if isinstance(spec, ExperimentSpec):
        return ready_experiment(spec, store, database)
    return ready(spec, database)


def ready(spec: CampaignSpec, database: Database) -> ReadyCampaign:
    """Write out the references of a campaign and check all that can be checked without running it.

    Raises
    ------
    ContractError
        Every problem at once, each with its pointer.
    """
    problems: list[Problem] = []
    scenarios = tuple(
        _looked_up(one, f"/scenarios/{index}", lambda name: _scenario(database, name), problems)
        for index, one in enumerate(spec.scenarios)
    )
    strategies = tuple(
        _looked_up(
            one.strategy,
            f"/strategies/{index}/strategy",
            lambda name: _strategy(database, name),
            problems,
        )
        for index, one in enumerate(spec.strategies)
    )
    markets = [_unseeded(one) for one in scenarios if one is not None]
    for index, (entrant, strategy) in enumerate(zip(spec.strategies, strategies, strict=True)):
        if strategy is not None:
            problems += _entrant_problems(f"/strategies/{index}", spec, entrant, strategy, markets)
    problems += _duplicates("/scenarios", [one.scenario_hash for one in markets])
    problems += _shared_ids(strategies)
    if markets:
        shortest = min(one.duration_bars for one in markets)
        bars = min(spec.settings.max_bars or shortest, shortest)
        problems += [*_fold_problems(spec, bars), *_block_problems(spec, bars)]
    if problems:
        first, *others = problems
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    entrants = [
        one.model_copy(update={"strategy": strategy})
        for one, strategy in zip(spec.strategies, strategies, strict=True)
    ]
    update = {"scenarios": tuple(markets), "strategies": tuple(entrants)}
    whole = canonical_json(spec.model_copy(update=update).document())
    # In the order of its canonical form, as it will be registered: identities follow that order.
    return ReadyCampaign(campaign_from(json.loads(whole)))


def register(campaign: AnyCampaign, store: ObjectStore, database: Database) -> bool:
    """Store the campaign's document and enter it into the registry; True if it was new."""
    store.put_exact(campaign.document_key, canonical_json(campaign.spec.document()) + b"\n")
    return CampaignIndex(database).register_campaign(
        Campaign(
            campaign_hash=campaign.spec.campaign_hash,
            campaign_key=campaign.key,
            campaign_id=campaign.spec.id,
            spec=campaign.spec.document(),
        )
    )


def registered(database: Database, name: str) -> AnyCampaign:
    """A registered campaign by key, hash or id, whatever it tries.

    Raises
    ------
    NotFoundError
        ``CAMPAIGN_NOT_REGISTERED``.
    """
    return campaign_of(CampaignIndex(database).campaign(name).spec)


def campaign_of(document: Document) -> AnyCampaign:
    """The campaign of a registered document."""
    if document.get("kind") == "experiment":
        return ReadyExperiment(experiment_from(document))
    return ReadyCampaign(campaign_from(document))


def _looked_up(
    one: T | str, loc: str, find: Callable[[str], T], problems: list[Problem]
) -> T | None:
    if not isinstance(one, str):
        return one
    try:
        return find(one)
    except (NotFoundError, ContractError) as error:
        problems.append(Problem(error.code, error.message, loc, error.hints))
        return None


def _scenario(database: Database, name: str) -> ScenarioSpec:
    rows = [row for row in database.scenarios() if name in (row.scenario_key, row.scenario_id)]
    keys = [row.scenario_key for row in rows]
    [row] = _only("scenario", name, rows, keys)
    return scenario_from({**row.spec, "seed": "0"})


def _strategy(database: Database, name: str) -> StrategySpec:
    known = database.strategies()
    rows = [row for row in known if name == row.strategy_id]
    if not rows and len(name) >= _LEAST_DIGITS:
        rows = [row for row in known if bare(row.strategy_hash).startswith(name)]
    hashes = [bare(row.strategy_hash) for row in rows]
    [row] = _only("strategy", name, rows, hashes)
    return strategy_from(row.spec)


def _only(noun: str, name: str, rows: list[T], names: list[str]) -> list[T]:
    if len(rows) == 1:
        return rows
    if not rows:
        raise NotFoundError(
            f"{noun.upper()}_NOT_REGISTERED",
            f"no {noun} {name!r} is registered",
            name,
            (f"write the {noun} out, or register it: islandflow {noun} register FILE",),
        )
    said = f"{len(rows)} registered versions are called {name!r}"
    raise ContractError(f"{noun.upper()}_AMBIGUOUS", said, name, (f"write one of {names}",))


def _unseeded(spec: ScenarioSpec) -> ScenarioSpec:
    """The market alone: the campaign's seeds count, not the document's."""
    return scenario_from({**spec.market, "seed": "0"})


def _entrant_problems(
    loc: str,
    spec: CampaignSpec,
    entrant: Entrant,
    strategy: StrategySpec,
    markets: list[ScenarioSpec],
) -> Iterator[Problem]:
    others = sorted({one.timeframe for one in markets} - {strategy.timeframe})
    if others:
        said = f"{strategy.id} trades {strategy.timeframe}, but there are scenarios of {others}"
        hint = "give every timeframe a campaign of its own"
        yield Problem("BACKTEST_TIMEFRAME", said, f"{loc}/strategy/timeframe", (hint,))
    yield from _located(f"{loc}/strategy", lambda: dsl.compile_strategy(strategy))
    found = [*_located(f"{loc}/search", lambda: make_search(strategy, entrant.search).size)]
    yield from found
    if not found:
        most = spec.settings.max_bars
        shortest = min((one.duration_bars for one in markets), default=2)
        bars = min(most or shortest, shortest)
        yield from _located(f"{loc}/strategy", lambda: _compile_corners(strategy, bars))


def _compile_corners(strategy: StrategySpec, bars: int) -> None:
    """Compile at the ends of every range: what holds there holds in between."""
    corners = {axis.name: axis.spread(np.array([0.0, 1.0])) for axis in axes(strategy)}
    dsl.compile_sweep(strategy, corners, bars)


def _located(loc: str, check: Callable[[], object]) -> Iterator[Problem]:
    """Problems of a check, with the place of what was checked before their own."""
    try:
        check()
    except ContractError as error:
        for one in error.problems:
            place = one.loc.split(" ")[0]
            yield Problem(one.code, one.message, f"{loc}{place}", one.hints)


def _duplicates(loc: str, hashes: list[str]) -> Iterator[Problem]:
    for index, digest in enumerate(hashes):
        if digest in hashes[:index]:
            said = f"the scenario stands in the list already, as number {hashes.index(digest)}"
            yield Problem("CAMPAIGN_REPEATED", said, f"{loc}/{index}", ("remove one of them",))


def _shared_ids(strategies: Sequence[StrategySpec | None]) -> Iterator[Problem]:
    """Reports name a strategy by its id: one name, one strategy."""
    first: dict[str, StrategySpec] = {}
    for index, one in enumerate(strategies):
        if one is not None and first.setdefault(one.id, one).strategy_hash != one.strategy_hash:
            said = f"another strategy of the campaign is called {one.id!r} too"
            hint = "give every version an id of its own"
            yield Problem("CAMPAIGN_REPEATED", said, f"/strategies/{index}/strategy/id", (hint,))


def _fold_problems(spec: CampaignSpec, bars: int) -> Iterator[Problem]:
    settings = spec.robustness.walk_forward
    if settings is None:
        return
    yield from (
        Problem(one.code, one.message, "/robustness/walk_forward", one.hints)
        for one in _located("", lambda: validate.folds(bars, settings))
    )


def _block_problems(spec: CampaignSpec, bars: int) -> Iterator[Problem]:
    how = spec.robustness.overfitting
    kept = kept_bars(block_edges(bars), how.gap_bars).reshape(how.blocks, BLOCKS // how.blocks)
    if not kept.sum(axis=1).all():
        said = f"{how.gap_bars} bars of purge and embargo leave a block of {bars} bars none"
        hint = "choose fewer blocks, or less purge and embargo, or give more bars"
        yield Problem("OVERFITTING_TOO_SHORT", said, "/robustness/overfitting", (hint,))
