"""The best candidates of an experiment on its datasets, each opened once for all that look at it.

Resampling and walking forward are ``experiment_robustness``, trades ``experiment_trades``, running
as if live ``experiment_live``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import IntegrityError
from engine.signals.definition import Definition
from engine.signals.evaluate import Evaluator, Rule
from engine.signals.registry import signal as signal_of
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedTable
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiment_trials import calibration_of, datasets_of
from islandflow_resources.experiments import (
    ReadyExperiment,
    Variant,
    set_id_of,
    split_params,
    told_params,
)
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.robustness import Row
from islandflow_resources.signal_data import (
    Floats,
    SignalData,
    signal_values,
    signal_values_v1,
)
from islandflow_resources.signal_trials import Calibration, evaluator_of


@dataclass(frozen=True)
class Chosen:
    """One candidate of a leaderboard, ready to be traded again.

    Attributes
    ----------
    variant : Variant
    signal : str
    params : dict
        Of the signal.
    rule : Rule
    set_id, text : str
    """

    variant: Variant
    signal: str
    params: dict[str, float]
    rule: Rule
    set_id: str
    text: str

    @property
    def definition(self) -> type[Definition]:
        """What the signal is."""
        return signal_of(self.signal)


@dataclass(frozen=True)
class Stage:
    """A dataset of a variant, open, with what is traded on it."""

    data: SignalData
    seed: int
    calibration: Calibration

    @property
    def names(self) -> Row:
        """Columns that say which dataset it is."""
        return {"scenario_key": self.data.dataset.dataset_id, "seed": self.seed}


def chosen_of(experiment: ReadyExperiment, row: dict[str, Any]) -> Chosen:
    """The candidate of a row of a leaderboard.

    Raises
    ------
    IntegrityError
        ``CANDIDATE_DIFFERS`` if it is not what its identity names.
    """
    told = json.loads(row["params"]) if isinstance(row["params"], str) else dict(row["params"])
    variant = experiment.variants[int(told["variant"])]
    signal = signal_of(row["strategy_id"])
    params, barriers, threshold = split_params(told)
    bound = signal.bound(params)
    whole = told_params(bound, barriers, threshold)
    if set_id_of(variant, signal, bound, whole) != row["set_id"]:
        raise IntegrityError(
            "CANDIDATE_DIFFERS",
            f"the candidate {row['set_id']} of {experiment.key} is not what it names",
            row["set_id"],
            ("run the experiment again",),
        )
    rule = Rule(float(threshold), *barriers)
    return Chosen(variant, signal.name, bound, rule, row["set_id"], json.dumps(told))


def trades_of(
    runtime: EngineRuntime, experiment: ReadyExperiment, stage: Stage, chosen: Chosen
) -> dict[str, Any]:
    """Trades of a candidate on a dataset, by column."""
    signal = signal_of(chosen.signal)
    [values] = tried_values(runtime, experiment, stage.data, signal, [chosen.params])
    return evaluator_at(experiment, stage).trades(values, chosen.rule, signal.mode)


def stages_of(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    variant: Variant,
    run_id: str,
) -> Iterator[Stage]:
    """Datasets of a variant that stand, open one after another."""
    calibration: Calibration | None = None
    for capture, made in datasets_of(store, database, runtime, experiment, variant, run_id):
        if made.dataset is None:
            if calibration is None:
                return
            continue
        calibration = calibration or calibration_of(experiment, made.dataset)
        yield Stage(SignalData(made.dataset), capture.seed, calibration)


def best_of(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    board: DerivedTable,
    run_id: str,
) -> Iterator[tuple[Stage, list[Chosen]]]:
    """Datasets, each with those of the best candidates that are looked at on it.

    ``best`` counts trials: those of the best candidate dataset by dataset, then of the next.
    """
    best, cells = experiment.spec.robustness.best, len(experiment.captures)
    rows = board.table.slice(0, -(-best // cells)).to_pylist()
    chosen = [chosen_of(experiment, row) for row in rows if row["score"] is not None]
    for variant in experiment.variants:
        own = [(rank, one) for rank, one in enumerate(chosen) if one.variant is variant]
        if not own:
            continue
        stages = stages_of(store, database, runtime, experiment, variant, run_id)
        for index, stage in enumerate(stages):
            here = [one for rank, one in own if rank * cells + index < best]
            if here:
                yield stage, here


def evaluator_at(experiment: ReadyExperiment, stage: Stage) -> Evaluator:
    """Rules of an experiment on one of its datasets."""
    return evaluator_of(stage.data, experiment.spec.settings, stage.calibration.first_bin)


def tried_values(
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    data: SignalData,
    signal: type[Definition],
    sets: Sequence[dict[str, float]],
) -> Floats:
    """Values as they were tried, shape (sets, bins)."""
    if experiment.spec.settings.compat == "v1":
        return signal_values_v1(data, signal, sets)
    return signal_values(data, runtime, signal, sets)
