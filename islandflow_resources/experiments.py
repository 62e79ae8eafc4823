"""Experiments as they are run: references written out, everything checked before the first trial.

The document is ``contracts.experiment``; an experiment is a campaign and is registered as one
(``campaigns``). Its trials are ``experiment_trials``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from contracts.canonical import canonical_json
from contracts.digest import bare, document_digest
from contracts.errors import ContractError, NotFoundError, Problem
from contracts.experiment import (
    ExperimentSpec,
    Params,
    Scoring,
    ServingSpec,
    experiment_from,
)
from contracts.grid import GridConfig
from contracts.mbo import MboSpec
from contracts.pipeline import Capture, Level, Overrides, PipelineSpec, variants
from contracts.seeds import parse_seeds
from engine.signals.api import refuse_narrow
from engine.signals.definition import Definition, problems
from engine.signals.registry import signal as signal_of
from islandflow_resources.database import Database
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import ready_pipeline, registered_pipeline
from islandflow_resources.servings import registered_serving
from islandflow_resources.signal_data import refuse_other_radius

MAX_RUNS = 1_000_000


@dataclass(frozen=True, slots=True)
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
class ReadyExperiment:
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
            for scoring in _scorings(self.serving.scoring, self.spec.sweep.scoring):
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
            Entry(signal_of(name), tuple(_parameter_sets(signal_of(name), fixed, axes)))
            for name, fixed, axes in self._asked()
        ]

    @property
    def rules(self) -> list[tuple[int, int, int]]:
        """Take-profit, stop-loss and cooldown of every rule, thresholds apart."""
        how = self.spec.eval
        return list(itertools.product(how.tp_ticks, how.sl_ticks, how.cooldown_bins))

    @property
    def sets(self) -> int:
        """Runs on one capture: variants × parameter sets × rules."""
        own = sum(len(one.sets) for one in self.entries)
        return len(self.variants) * own * len(self.rules)

    @property
    def cells(self) -> list[Capture]:
        """What every run is made on."""
        return self.captures

    @property
    def trials(self) -> int:
        """Runs in all."""
        return self.sets * len(self.captures)

    @property
    def key(self) -> str:
        """Partition key."""
        return self.spec.campaign_key

    @property
    def folder(self) -> str:
        """Folder of what the experiment derives."""
        return f"campaigns/{self.key}"

    @property
    def document_key(self) -> str:
        """Key of the canonical document."""
        return f"{self.folder}/campaign.json"

    def _asked(self) -> Iterator[tuple[str, Params, dict[str, tuple[float, ...]]]]:
        for name, fixed in self.spec.signals.items():
            yield name, fixed, dict(self.spec.sweep.per_signal.get(name, {}))


def ready_experiment(
    spec: ExperimentSpec, store: ObjectStore, database: Database
) -> ReadyExperiment:
    """Write out what an experiment refers to and check all that can be checked without running it.

    Raises
    ------
    ContractError
        Every problem at once, each with its pointer.
    """
    serving = _looked_up_serving(spec, database)
    pipeline = _looked_up_pipeline(serving, store, database)
    whole = spec.model_copy(update={"serving": serving.model_copy(update={"pipeline": pipeline})})
    # In the order of its canonical form, as it will be registered: identities follow that order.
    experiment = ReadyExperiment(experiment_from(json.loads(canonical_json(whole.document()))))
    found = [
        *_seed_problems(experiment),
        *_signal_problems(experiment),
        *_variant_problems(experiment),
    ]
    if not found:
        found += [*_size_problems(experiment), *_radius_problems(experiment)]
    if found:
        first, *others = found
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    return experiment


def set_id_of(
    variant: Variant, signal: type[Definition], params: dict[str, float], told: dict[str, float]
) -> str:
    """Identity of a candidate: equal wherever the same is tried."""
    digest = document_digest(
        {
            "config": variant.config.identity(),
            "signal": [signal.name, str(signal.version)],
            "params": dict(params),
            "rule": dict(told),
        }
    )
    return bare(digest)[:32]


def told_params(
    variant: Variant, params: dict[str, float], rule: tuple[int, int, int], threshold: float
) -> dict[str, float]:
    """Parameters of a candidate as one set of numbers, by dotted names."""
    tp, sl, cooldown = rule
    own: dict[str, float] = {f"signal.{name}": value for name, value in params.items()}
    return {
        **own,
        "eval.tp_ticks": tp,
        "eval.sl_ticks": sl,
        "eval.cooldown_bins": cooldown,
        "eval.threshold": threshold,
        "variant": variant.number,
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


def _looked_up_serving(spec: ExperimentSpec, database: Database) -> ServingSpec:
    if isinstance(spec.serving, ServingSpec):
        return spec.serving
    try:
        return registered_serving(database, spec.serving)
    except (NotFoundError, ContractError) as error:
        raise ContractError(error.code, error.message, "/serving", error.hints) from None


def _looked_up_pipeline(
    serving: ServingSpec, store: ObjectStore, database: Database
) -> PipelineSpec:
    try:
        named = serving.pipeline
        spec = named if isinstance(named, PipelineSpec) else registered_pipeline(database, named)
        return ready_pipeline(store, database, spec).spec
    except (NotFoundError, ContractError) as error:
        first, *others = (
            Problem(one.code, one.message, f"/serving/pipeline{one.loc}", one.hints)
            for one in error.problems
        )
        raise ContractError(
            first.code, first.message, first.loc, first.hints, tuple(others)
        ) from None


def _scorings(base: Scoring, axes: dict[Any, tuple[float, ...]]) -> Iterator[Scoring]:
    names = sorted(axes)
    for values in itertools.product(*(axes[name] for name in names)):
        told = dict(zip(names, (_whole(value) for value in values), strict=True))
        yield Scoring.model_validate({**base.model_dump(mode="python"), **told})


def _parameter_sets(
    signal: type[Definition], fixed: Params, axes: dict[str, tuple[float, ...]]
) -> Iterator[dict[str, float]]:
    names = sorted(axes)
    for values in itertools.product(*(axes[name] for name in names)):
        yield signal.bound({**fixed, **dict(zip(names, values, strict=True))})


def _seed_problems(experiment: ReadyExperiment) -> Iterator[Problem]:
    capture, seeds = experiment.pipeline.capture, experiment.spec.seeds
    if seeds is not None and not isinstance(capture.tape, MboSpec):
        said = "the events are a recorded file, which has no seeds"
        yield Problem("EXPERIMENT_SEEDS", said, "/seeds", ("leave seeds out, or name a tape",))


def _signal_problems(experiment: ReadyExperiment) -> Iterator[Problem]:
    chosen = experiment.serving.signal
    places = {
        "/serving/signal": (chosen.name, {"params": dict(chosen.params)}),
        **{
            f"/sweep/per_signal/{name}": (name, dict(axes))
            for name, axes in experiment.spec.sweep.per_signal.items()
        },
    }
    for place, (name, told) in places.items():
        try:
            signal = signal_of(name)
        except ContractError as error:
            where = f"{place}/name" if place == "/serving/signal" else place
            yield Problem(error.code, error.message, where, error.hints)
            continue
        if "params" in told and place == "/serving/signal":
            for one in problems(signal, told["params"]):  # pyright: ignore[reportArgumentType]
                yield Problem(one.code, one.message, f"{place}/params/{one.loc}", one.hints)
            continue
        for axis, values in told.items():
            for index, value in enumerate(values):  # pyright: ignore[reportArgumentType]
                for one in problems(signal, {axis: value}):
                    yield Problem(one.code, one.message, f"{place}/{axis}/{index}", one.hints)


def _variant_problems(experiment: ReadyExperiment) -> Iterator[Problem]:
    try:
        found = experiment.variants
    except ContractError as error:
        yield from (
            Problem(one.code, one.message, one.loc or "/sweep", one.hints) for one in error.problems
        )
        return
    except ValueError as error:
        yield Problem("EXPERIMENT_SCORING", str(error).splitlines()[0], "/sweep/scoring")
        return
    if experiment.spec.eval.compat == "v1":
        try:
            for variant in found:
                refuse_other_radius(variant.config.runtime_config)
        except ContractError as error:
            yield from error.problems


def _size_problems(experiment: ReadyExperiment) -> Iterator[Problem]:
    if experiment.sets > MAX_RUNS:
        said = f"the sweep asks for {experiment.sets:,} runs on every dataset"
        hint = f"ask for at most {MAX_RUNS:,}: split the experiment"
        yield Problem("EXPERIMENT_TOO_LARGE", said, "/sweep", (hint,))


def _radius_problems(experiment: ReadyExperiment) -> Iterator[Problem]:
    for variant in experiment.variants:
        radius = variant.config.runtime_config.grid_radius_ticks
        for entry in experiment.entries:
            try:
                refuse_narrow(entry.signal, radius)
            except ContractError as error:
                place = f"/serving/pipeline/pipeline/grid_radius_ticks ({variant.pipeline.name})"
                yield Problem(error.code, error.message, place, error.hints)


def _whole(value: Level) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
