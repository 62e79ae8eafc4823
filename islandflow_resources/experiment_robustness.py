"""Monte Carlo and walk-forward of an experiment's best candidates.

Returns are those of trades over capital, in the order of their entries. The tables are those of
strategies (``campaign_robustness``); resampling is ``engine.montecarlo``, choosing in folds
``engine.validate``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from contracts.canonical import Document
from contracts.columns import MONTE_CARLO, WALK_FORWARD
from contracts.validation import WalkForwardSettings
from engine import montecarlo, validate
from engine.signals.api import VERSION as SIGNALS_VERSION
from engine.signals.evaluate import Rule
from engine.signals.registry import signal as signal_of
from islandflow_resources import robustness
from islandflow_resources.campaign_reports import campaign_recipe
from islandflow_resources.campaign_tables import (
    MONTE_CARLO_TABLE,
    WALK_FORWARD_TABLE,
    Robust,
)
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedTable, made_table
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiment_stages import (
    Chosen,
    Stage,
    best_of,
    evaluator_at,
    trades_of,
    tried_values,
)
from islandflow_resources.experiments import (
    ReadyExperiment,
    Variant,
    purged,
    split_params,
)
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.robustness import FAN_POINTS, Row, table_of
from islandflow_resources.signal_data import (
    Floats,
    Ints,
)
from islandflow_resources.signal_trials import MAX_SETS

LEAST_TRADES: Final = 2
"""Trades below which there is no order to resample; such a dataset says nothing of ruin."""
_HOURS_PER_YEAR: Final = 24.0 * 365.0


@dataclass(frozen=True)
class Tried:
    """All candidates of a signal in one configuration.

    Attributes
    ----------
    signal : str
    groups : tuple
        For every parameter set: it, its rules, and the rules as the leaderboard writes them.
    """

    signal: str
    groups: tuple[tuple[dict[str, float], list[Rule], list[str]], ...]


def make_signal_robust(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    board: DerivedTable,
    run_id: str,
) -> Robust:
    """Resample the best candidates' trades, and walk their signals forward."""
    how = experiment.spec.robustness
    inputs = {"leaderboard": board.content_digest}
    resampled = walked = None
    if (resampling := how.monte_carlo) is not None:
        own: Document = {"best": how.best, "monte_carlo": resampling.document()}
        version = f"{SIGNALS_VERSION}.{robustness.MONTE_CARLO_VERSION}"
        recipe = campaign_recipe(experiment, MONTE_CARLO_TABLE, version, inputs, own)

        def resample() -> pa.Table:
            rows: list[Row] = []
            for stage, chosen in best_of(store, database, runtime, experiment, board, run_id):
                rows += _resampled(runtime, experiment, stage, chosen)
            return table_of(rows, MONTE_CARLO)

        resampled = made_table(store, database, recipe, MONTE_CARLO, resample, run_id)
    if (folding := how.walk_forward) is not None:
        own = {"best": how.best, "walk_forward": folding.document()}
        version = f"{SIGNALS_VERSION}.{robustness.WALK_FORWARD_VERSION}"
        recipe = campaign_recipe(experiment, WALK_FORWARD_TABLE, version, inputs, own)

        def walk() -> pa.Table:
            rows: list[Row] = []
            for stage, chosen in best_of(store, database, runtime, experiment, board, run_id):
                for name in dict.fromkeys(one.signal for one in chosen):
                    variant = next(one.variant for one in chosen if one.signal == name)
                    tried = _tried(experiment, board.table, variant, name)
                    rows += _walked(runtime, experiment, stage, tried, folding)
            return table_of(rows, WALK_FORWARD)

        walked = made_table(store, database, recipe, WALK_FORWARD, walk, run_id)
    return Robust(resampled, walked)


def drawn_signal(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    board: DerivedTable,
) -> tuple[str, montecarlo.MonteCarloOutcome] | None:
    """The winner resampled on its first dataset, to be drawn, and the name of that dataset."""
    how = experiment.spec.robustness.monte_carlo
    if how is None:
        return None
    for stage, chosen in best_of(store, database, runtime, experiment, board, ""):
        series, per_year = _returns(runtime, experiment, stage, chosen[0])
        if series.size < LEAST_TRADES:
            continue
        [found] = montecarlo.resample_many([series], how, per_year, runtime.threads, FAN_POINTS)
        return stage.data.dataset.dataset_id, found
    return None


def _returns(
    runtime: EngineRuntime, experiment: ReadyExperiment, stage: Stage, chosen: Chosen
) -> tuple[Floats, float]:
    """Returns of a candidate's trades, and how many of them a year has."""
    pnl: Any = trades_of(runtime, experiment, stage, chosen)["pnl_ticks"]
    ts = stage.data.market.ts_ns
    hours = float(ts[-1] - ts[stage.calibration.first_bin]) / 3.6e12
    per_year = pnl.size / hours * _HOURS_PER_YEAR if hours > 0 else 1.0
    return pnl / experiment.spec.settings.capital_ticks, max(per_year, 1.0)


def _resampled(
    runtime: EngineRuntime, experiment: ReadyExperiment, stage: Stage, chosen: list[Chosen]
) -> list[Row]:
    how = experiment.spec.robustness.monte_carlo
    assert how is not None
    rows: list[Row] = []
    for one in chosen:
        series, per_year = _returns(runtime, experiment, stage, one)
        if series.size < LEAST_TRADES:
            continue
        [found] = montecarlo.resample_many([series], how, per_year, runtime.threads, FAN_POINTS)
        rows.append(
            {
                **stage.names,
                "strategy_id": one.signal,
                "set_id": one.set_id,
                "params": one.text,
                **found.values,
                "paths": found.paths,
                "converged": found.converged,
            }
        )
    return rows


def _walked(
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    stage: Stage,
    tried: Tried,
    how: WalkForwardSettings,
) -> list[Row]:
    """Choose among all candidates of a signal in every training part, and test the choice.

    A trade belongs to the bin of its entry; at least the longest hold is purged before a test.
    """
    first, hold = stage.calibration.first_bin, experiment.spec.settings.max_hold_bins
    folds = validate.folds(stage.data.bins - first, purged(how, hold))
    parts = [(one.train_start, one.train_stop) for one in folds]
    parts += [(one.test_start, one.test_stop) for one in folds]
    windows = np.array(parts, dtype=np.int64) + first
    texts, found = _window_totals(runtime, experiment, stage, tried, windows)
    values = objective_of(experiment, found, windows)
    outcome = validate.walk_forward(values[: len(folds)], values[len(folds) :])
    return [
        {
            **stage.names,
            "strategy_id": tried.signal,
            "fold": k,
            "train_start": fold.train_start + first,
            "train_stop": fold.train_stop + first,
            "test_start": fold.test_start + first,
            "test_stop": fold.test_stop + first,
            "sets": len(texts),
            "params": texts[int(outcome.chosen[k])],
            "train_objective": _defined(outcome.train[k]),
            "test_objective": _defined(outcome.test[k]),
        }
        for k, fold in enumerate(folds)
    ]


def _tried(experiment: ReadyExperiment, board: pa.Table, variant: Variant, name: str) -> Tried:
    """All candidates of a signal in a configuration, in the order of their numbers."""
    own: dict[str, tuple[dict[str, float], list[Rule], list[str]]] = {}
    rows = board.sort_by("candidate").select(["strategy_id", "params"]).to_pylist()
    for row in rows:
        told = json.loads(row["params"])
        if row["strategy_id"] != name or int(told["variant"]) != variant.number:
            continue
        params, barriers, threshold = split_params(told)
        key = json.dumps(params, sort_keys=True)
        _, rules, texts = own.setdefault(key, (signal_of(name).bound(params), [], []))
        rules.append(Rule(float(threshold), *barriers))
        texts.append(row["params"])
    return Tried(name, tuple(own.values()))


def _window_totals(
    runtime: EngineRuntime, experiment: ReadyExperiment, stage: Stage, tried: Tried, windows: Ints
) -> tuple[list[str], Floats]:
    """Parameters of all candidates of a signal, and what they gave in windows."""
    evaluator, signal = evaluator_at(experiment, stage), signal_of(tried.signal)
    texts: list[str] = []
    parts: list[Floats] = []
    for start in range(0, len(tried.groups), MAX_SETS):
        groups = tried.groups[start : start + MAX_SETS]
        sets = [params for params, _, _ in groups]
        values = tried_values(runtime, experiment, stage.data, signal, sets)
        for row, (_, rules, own) in zip(values, groups, strict=True):
            parts.append(evaluator.windows(row, rules, windows, signal.mode))
            texts += own
    return texts, np.concatenate(parts)


def objective_of(experiment: ReadyExperiment, totals: Floats, windows: Ints) -> Floats:
    """The objective of every candidate in every window, shape (windows, candidates).

    Parameters
    ----------
    totals : ndarray, shape (candidates, windows, 4), float64
        Trades, Σ profit, Σ profit², take-profits.
    """
    n, total, squares, taken = (totals[:, :, k].T for k in range(4))
    some = np.where(n > 0, n, np.nan)
    name, capital = experiment.spec.objective, experiment.spec.settings.capital_ticks
    if name == "mean_pnl_ticks":
        return total / some
    if name == "total_pnl_ticks":
        return np.where(n > 0, total, np.nan)
    if name == "tp_rate":
        return taken / some
    bins = (windows[:, 1] - windows[:, 0]).astype(np.float64)[:, None]
    mean = total / capital / bins
    spread = squares / capital**2 - bins * mean * mean
    variance = spread / np.maximum(bins - 1.0, 1.0)
    varies = (n > 0) & (variance > 0.0)
    return np.where(varies, mean / np.sqrt(np.where(varies, variance, 1.0)), np.nan)


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
