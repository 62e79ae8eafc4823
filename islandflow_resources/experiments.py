"""Experiments as they are run: references written out, everything checked before the first trial.

The document is ``contracts.experiment``; an experiment is a campaign and is registered as one
(``campaigns``); what can be wrong with one is ``ready_experiments``, its trials are
``experiment_trials``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from contracts.digest import bare, document_digest
from contracts.document import validate
from contracts.errors import ContractError, Problem
from contracts.experiment import (
    DERIVATIVE,
    SERVING,
    EvalSettings,
    ExperimentSpec,
    Params,
    Scoring,
    ServingSpec,
)
from contracts.grid import GridConfig
from contracts.pipeline import Capture, Level, Overrides, PipelineSpec, variants
from contracts.seeds import parse_seeds
from contracts.validation import BLOCKS, WalkForwardSettings
from engine.signals.definition import Definition
from engine.signals.registry import signal as signal_of
from engine.signals.whole_series import V1_DEFAULTS
from islandflow_resources.campaign_names import CampaignNames


@dataclass(frozen=True)
class Variant:
    """One configuration of the grid among those that are tried.

    Attributes
    ----------
    number : int
    pipeline : PipelineSpec
    serving : ServingSpec
        With the scoring of this variant.
    config : GridConfig
        Whole configuration of its datasets.
    """

    number: int
    pipeline: PipelineSpec
    serving: ServingSpec
    config: GridConfig

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of the configuration."""
        return document_digest(self.config.identity())


@dataclass(frozen=True, slots=True)
class Entry:
    """A signal that takes part, with all its parameter sets.

    Attributes
    ----------
    signal : type of Definition
    sets : tuple of dict
        Every parameter by name.
    """

    signal: type[Definition]
    sets: tuple[dict[str, float], ...]


@dataclass(frozen=True)
class ReadyExperiment(CampaignNames):
    """An experiment whose references are written out and which has passed every check."""

    spec: ExperimentSpec

    @property
    def serving(self) -> ServingSpec:
        """Its serving spec."""
        assert isinstance(self.spec.serving, ServingSpec)
        return self.spec.serving

    @property
    def pipeline(self) -> PipelineSpec:
        """Its pipeline, with the base configuration written out."""
        assert isinstance(self.serving.pipeline, PipelineSpec)
        return self.serving.pipeline

    @cached_property
    def variants(self) -> list[Variant]:
        """Configurations in their order: scorings within pipelines."""
        found: list[Variant] = []
        base = self.pipeline.config
        assert base is not None
        for pipeline in variants(self.pipeline, self.spec.sweep.pipeline, (Overrides(),)):
            for scoring in _scorings(self.serving, self.spec.sweep.scoring):
                serving = self.serving.model_copy(update={"pipeline": pipeline, "scoring": scoring})
                config = serving.grid_config(pipeline, base)
                found.append(Variant(len(found), pipeline, serving, config))
        return found

    @cached_property
    def captures(self) -> list[Capture]:
        """Events in their order: the pipeline's, at every seed."""
        capture = self.pipeline.capture
        if self.spec.seeds is None or capture.recorded is not None:
            return [capture]
        return [capture.model_copy(update={"seed": seed}) for seed in parse_seeds(self.spec.seeds)]

    @cached_property
    def entries(self) -> list[Entry]:
        """Signals in the order of their names."""
        return [
            Entry(
                signal_of(name),
                tuple(_parameter_sets(signal_of(name), self._usual(name) | fixed, axes)),
            )
            for name, fixed, axes in self._asked()
        ]

    @property
    def rules(self) -> list[tuple[int, int, int]]:
        """Take-profit, stop-loss and cooldown of every rule, thresholds apart."""
        how = self.spec.settings
        return list(itertools.product(how.tp_ticks, how.sl_ticks, how.cooldown_bins))

    @property
    def sets(self) -> int:
        """Runs on one capture: variants × parameter sets × rules."""
        how, sweep = self.spec.settings, self.spec.sweep
        own = sum(_combinations(axes) for _, _, axes in self._asked())
        rules = len(how.tp_ticks) * len(how.sl_ticks) * len(how.cooldown_bins)
        return _combinations(sweep.pipeline) * _combinations(sweep.scoring) * own * rules

    @property
    def cells(self) -> list[Capture]:
        """What every run is made on."""
        return self.captures

    @property
    def trials(self) -> int:
        """Runs in all."""
        return self.sets * len(self.captures)

    def _usual(self, name: str) -> Params:
        """Defaults that are not the signal's own: those of the predecessor's harness."""
        is_v1 = self.spec.settings.compat == "v1"
        return dict(V1_DEFAULTS) if is_v1 and name == DERIVATIVE else {}

    def _asked(self) -> Iterator[tuple[str, Params, dict[str, tuple[float, ...]]]]:
        for name, fixed in self.spec.signals.items():
            yield name, fixed, dict(self.spec.sweep.per_signal.get(name, {}))


def set_id_of(
    variant: Variant, signal: type[Definition], params: dict[str, float], told: dict[str, float]
) -> str:
    """Identity of a candidate: equal wherever the same is tried."""
    digest = document_digest(
        {
            "config": variant.digest,
            "signal": [signal.name, str(signal.version)],
            "params": dict(params),
            "rule": dict(told),
        }
    )
    return bare(digest)[:32]


def told_params(
    params: dict[str, float], rule: tuple[int, int, int], threshold: float
) -> dict[str, float]:
    """Parameters of a candidate as one set of numbers, by dotted names.

    A leaderboard adds the number of its ``variant``, which another experiment may count
    otherwise: no identity holds it.
    """
    tp, sl, cooldown = rule
    own: dict[str, float] = {f"signal.{name}": value for name, value in params.items()}
    return {
        **own,
        "eval.tp_ticks": tp,
        "eval.sl_ticks": sl,
        "eval.cooldown_bins": cooldown,
        "eval.threshold": threshold,
    }


def split_params(told: dict[str, float]) -> tuple[dict[str, float], tuple[int, int, int], float]:
    """Parameters of the signal, take-profit, stop-loss and cooldown, and threshold."""
    own = {
        name.removeprefix("signal."): value
        for name, value in told.items()
        if name.startswith("signal.")
    }
    rule = tuple(int(told[f"eval.{name}"]) for name in ("tp_ticks", "sl_ticks", "cooldown_bins"))
    return own, rule, told["eval.threshold"]  # pyright: ignore[reportReturnType]


def _combinations(axes: Mapping[Any, Sized]) -> int:
    return math.prod(len(values) for values in axes.values())


def _scorings(serving: ServingSpec, axes: dict[Any, tuple[float, ...]]) -> Iterator[Scoring]:
    names = sorted(axes)
    # The rules of a scoring are those of its serving, whose pipeline does not matter to them.
    document = {**serving.document(), "pipeline": serving.name}
    base = serving.scoring.model_dump(mode="json")
    for values in itertools.product(*(axes[name] for name in names)):
        told = dict(zip(names, (_whole(value) for value in values), strict=True))
        try:
            yield validate(SERVING, {**document, "scoring": {**base, **told}}, "scoring").scoring
        except ContractError as error:
            first, *others = (
                Problem(one.code, one.message, f"/sweep{one.loc}", one.hints)
                for one in error.problems
            )
            raise ContractError(
                first.code, first.message, first.loc, first.hints, tuple(others)
            ) from None


def _parameter_sets(
    signal: type[Definition], fixed: Params, axes: dict[str, tuple[float, ...]]
) -> Iterator[dict[str, float]]:
    names = sorted(axes)
    for values in itertools.product(*(axes[name] for name in names)):
        yield signal.bound({**fixed, **dict(zip(names, values, strict=True))})


def first_bin_of(how: EvalSettings, bins: int) -> int:
    """First bin that is traded, from the bins of the first dataset.

    Raises
    ------
    ContractError
        ``EXPERIMENT_TOO_SHORT`` if that leaves too few to trade in.
    """
    if how.compat == "v1":
        return how.warmup_bins
    first = max(how.warmup_bins, int(how.calibration_share * bins))
    if first + BLOCKS <= bins:
        return first
    raise ContractError(
        "EXPERIMENT_TOO_SHORT",
        f"{bins} bins less the first {first}, which warm up or calibrate, leave too few",
        "/eval",
        ("give longer events, fewer warmup_bins, or a smaller calibration_share",),
    )


def purged(folding: WalkForwardSettings, max_hold_bins: int) -> WalkForwardSettings:
    """Folds whose trainings end before any of their trades reaches into a test."""
    purge_bars = max(folding.purge_bars, max_hold_bins)
    return folding.model_copy(update={"purge_bars": purge_bars})


def _whole(value: Level) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
