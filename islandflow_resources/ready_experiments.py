"""Experiments checked whole: references written out, and every problem told with its pointer.

What an experiment is, once it is ready, is ``experiments``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from contracts.canonical import canonical_json
from contracts.errors import ContractError, NotFoundError, Problem
from contracts.experiment import ExperimentSpec, ServingSpec, experiment_from
from contracts.mbo import MboSpec
from contracts.pipeline import Level, PipelineSpec
from contracts.validation import BLOCKS
from engine import validate
from engine.backtest.moments import block_edges, kept_bars
from engine.signals.api import refuse_narrow
from engine.signals.definition import problems
from engine.signals.registry import signal as signal_of
from islandflow_resources.database import Database
from islandflow_resources.experiments import ReadyExperiment, first_bin_of, purged
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import ready_pipeline, registered_pipeline
from islandflow_resources.servings import registered_serving
from islandflow_resources.signal_data import refuse_other_radius

MAX_RUNS: Final = 1_000_000
"""Most runs on one capture."""


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
        *_size_problems(experiment),
        *_seed_problems(experiment),
        *_signal_problems(experiment),
        *_repeated_problems(experiment.spec),
    ]
    if not any(one.code == "EXPERIMENT_TOO_LARGE" for one in found):
        found += _variant_problems(experiment)
    if not found:
        found += [*_radius_problems(experiment), *_length_problems(experiment)]
    if found:
        first, *others = found
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    return experiment


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
            Problem(one.code, one.message, f"/serving/pipeline{_below(one.loc)}", one.hints)
            for one in error.problems
        )
        raise ContractError(
            first.code, first.message, first.loc, first.hints, tuple(others)
        ) from None


def _below(loc: str) -> str:
    """Where in a pipeline a problem of it lies; what is named by something else is all of it."""
    if loc.startswith("/runtime_config"):
        return "/pipeline"
    return loc if loc.startswith("/") else ""


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


def _repeated_problems(spec: ExperimentSpec) -> Iterator[Problem]:
    """Equal values on an axis: they would count as candidates that differ."""
    how, sweep = spec.settings, spec.sweep
    axes: dict[str, Sequence[Level]] = {
        "/eval/tp_ticks": how.tp_ticks,
        "/eval/sl_ticks": how.sl_ticks,
        "/eval/cooldown_bins": how.cooldown_bins,
        "/eval/thresholds": how.thresholds or (),
        **{f"/sweep/scoring/{name}": values for name, values in sweep.scoring.items()},
        **{f"/sweep/pipeline/{name}": values for name, values in sweep.pipeline.items()},
    }
    for signal, own in sweep.per_signal.items():
        axes |= {f"/sweep/per_signal/{signal}/{name}": values for name, values in own.items()}
    for place, values in axes.items():
        for index, value in enumerate(values):
            if value in values[:index]:
                said = f"the value {value} stands on the axis already"
                hint = "remove one of them"
                yield Problem("EXPERIMENT_REPEATED", said, f"{place}/{index}", (hint,))


def _variant_problems(experiment: ReadyExperiment) -> Iterator[Problem]:
    sweep = experiment.spec.sweep
    try:
        found = experiment.variants
    except ContractError as error:
        for one in error.problems:
            loc = one.loc
            if loc.startswith("/runtime_config") or not loc:
                loc = "/sweep" if sweep.pipeline or sweep.scoring else "/serving"
            elif not loc.startswith("/sweep"):
                loc = f"/serving{loc}"
            yield Problem(one.code, one.message, loc, one.hints)
        return
    if experiment.spec.settings.compat == "v1":
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
                said = f"{error.message} ({variant.pipeline.name})"
                place = "/serving/pipeline/pipeline/grid_radius_ticks"
                yield Problem(error.code, said, place, error.hints)


def _length_problems(experiment: ReadyExperiment) -> Iterator[Problem]:
    """What a tape is too short for; of a recorded file the length is not known yet."""
    capture, how = experiment.pipeline.capture, experiment.spec.settings
    if not isinstance(capture.tape, MboSpec):
        return
    start_ns = max(capture.start_ns or 0, capture.tape.start_ns)
    end_ns = min(capture.end_ns or capture.tape.end_ns, capture.tape.end_ns)
    widest_ns = max(one.config.runtime_config.cell_width_ns for one in experiment.variants)
    bins = (end_ns - start_ns) // widest_ns
    try:
        first = first_bin_of(how, bins)
    except ContractError as error:
        yield from error.problems
        return
    folding = experiment.spec.robustness.walk_forward
    if folding is not None:
        try:
            validate.folds(bins - first, purged(folding, how.max_hold_bins))
        except ContractError as error:
            for one in error.problems:
                hints = (*one.hints, "a test comes max_hold_bins after its training at least")
                yield Problem(one.code, one.message, "/robustness/walk_forward", hints)
    blocks = experiment.spec.robustness.overfitting
    kept = kept_bars(block_edges(bins - first), blocks.gap_bars)
    if not kept.reshape(blocks.blocks, BLOCKS // blocks.blocks).sum(axis=1).all():
        said = f"{blocks.gap_bars} bins of purge and embargo leave a block of {bins - first} none"
        hint = "choose fewer blocks, or less purge and embargo, or longer events"
        yield Problem("OVERFITTING_TOO_SHORT", said, "/robustness/overfitting", (hint,))
