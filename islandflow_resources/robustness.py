"""Monte Carlo and walk-forward of strategies on a dataset, as rows of their tables.

Used alike for all registered strategies on a partition and for the best trials of a campaign. The
computation is ``engine.montecarlo`` and ``engine.validate``; storing is the callers'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.backtest import TRADING_DAYS_PER_YEAR, BacktestSettings
from contracts.columns import TableSchema
from contracts.validation import MonteCarloSettings, WalkForwardSettings
from engine import backtest, montecarlo, validate
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.strategies import compiled_at
from islandflow_resources.table_schemas import array_of, from_arrays, nullable_of, strings_of
from islandflow_resources.trials import ParameterSets, compiled_sweep

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]

MONTE_CARLO_VERSION = montecarlo.VERSION
WALK_FORWARD_VERSION = validate.VERSION
FAN_POINTS = 60


@dataclass(frozen=True, slots=True)
class Cell:
    """A dataset by its names, with its bars."""

    scenario_key: str
    seed: int
    bars: backtest.Dataset

    @property
    def names(self) -> Row:
        """Columns that say which dataset it is."""
        return {"scenario_key": self.scenario_key, "seed": self.seed}

    @property
    def bars_per_year(self) -> float:
        """Bars that annualise a ratio."""
        return TRADING_DAYS_PER_YEAR * self.bars.bars_per_day


@dataclass(frozen=True, slots=True)
class Resampled:
    """Monte Carlo summaries of a cell, and what is drawn of them."""

    rows: list[Row]
    outcomes: list[montecarlo.MonteCarloOutcome]


def monte_carlo(
    runtime: EngineRuntime,
    cell: Cell,
    chosen: Sequence[ParameterSets],
    settings: BacktestSettings,
    how: MonteCarloSettings,
) -> Resampled:
    """Resample the returns of strategies on a dataset.

    Parameters
    ----------
    chosen : sequence of ParameterSets
        One set each.
    """
    whole = settings.whole
    evaluations = [
        backtest.Evaluation(
            compiled_at(one.strategy, one.params(0)), one.strategy.risk, whole, keep_curves=True
        )
        for one in chosen
    ]
    bars = cell.bars.first(settings.max_bars)
    outcomes = backtest.run([bars], evaluations, runtime.threads)
    series = [_returns(one, settings.initial_cash) for one in outcomes]
    found = montecarlo.resample_many(series, how, cell.bars_per_year, runtime.threads, FAN_POINTS)
    rows = [
        {
            **cell.names,
            "strategy_id": one.strategy.id,
            "set_id": one.set_ids[0],
            "params": one.text(0),
            **outcome.values,
            "paths": outcome.paths,
            "converged": outcome.converged,
        }
        for one, outcome in zip(chosen, found, strict=True)
    ]
    return Resampled(rows, found)


def walk_forward(
    runtime: EngineRuntime,
    cell: Cell,
    sets: Sequence[ParameterSets],
    settings: BacktestSettings,
    how: WalkForwardSettings,
    objective: str,
) -> list[Row]:
    """Choose among the sets of one strategy in every training part, and test the choice.

    Parameters
    ----------
    sets : sequence of ParameterSets
        All sets of the strategy, in chunks.
    """
    bars = cell.bars.first(settings.max_bars)
    folds = validate.folds(bars.bars, how)
    windows = [range(fold.train_start, fold.train_stop) for fold in folds]
    windows += [range(fold.test_start, fold.test_stop) for fold in folds]
    found = [
        backtest.run_windows(
            bars, compiled_sweep(part, bars.bars), settings.whole, windows, runtime.threads
        )
        for part in sets
    ]
    values = np.stack(
        [np.concatenate([part[k].metric(objective) for part in found]) for k in range(len(windows))]
    )
    outcome = validate.walk_forward(values[: len(folds)], values[len(folds) :])
    return [
        {
            **cell.names,
            "strategy_id": sets[0].strategy.id,
            "fold": k,
            "train_start": fold.train_start,
            "train_stop": fold.train_stop,
            "test_start": fold.test_start,
            "test_stop": fold.test_stop,
            "sets": sum(part.size for part in sets),
            "params": _text(sets, int(outcome.chosen[k])),
            "train_objective": _defined(outcome.train[k]),
            "test_objective": _defined(outcome.test[k]),
        }
        for k, fold in enumerate(folds)
    ]


def table_of(rows: Sequence[Row], schema: TableSchema) -> pa.Table:
    """Rows as a table of a layout."""
    columns: dict[str, Any] = {}
    for column in schema.columns:
        values = [row[column.name] for row in rows]
        if column.kind == "string":
            columns[column.name] = strings_of(values)
        elif column.kind == "float64":
            columns[column.name] = nullable_of(np.array(values, dtype=np.float64))
        elif column.kind == "bool":
            columns[column.name] = pa.array(values, pa.bool_())
        else:
            columns[column.name] = array_of(np.array(values, dtype=column.kind))
    return from_arrays(schema, columns)


def means_by_dataset(rows: Sequence[Row]) -> tuple[float | None, float | None]:
    """Mean test objective over all folds of all datasets, and it by the mean in training.

    The second is null where the mean in training is not positive or not defined in every fold;
    both where a fold's test defines none: leaving it out would flatter the rest.
    """
    tests = [row["test_objective"] for row in rows]
    trains = [row["train_objective"] for row in rows]
    if not rows or None in tests:
        return None, None
    test = float(np.mean(tests))
    train = 0.0 if None in trains else float(np.mean(trains))
    return test, test / train if train > 0.0 else None


def _returns(outcome: backtest.Outcome, initial_cash: float) -> Floats:
    """Return of every bar; NaN from where the equity is gone."""
    assert outcome.curves is not None
    equity = outcome.curves.equity
    before = np.concatenate([[initial_cash], equity[:-1]])
    if not (equity > 0.0).all():
        return np.full(equity.shape[0], np.nan)
    return equity / before - 1.0


def _text(sets: Sequence[ParameterSets], index: int) -> str:
    for part in sets:
        if index < part.size:
            return part.text(index)
        index -= part.size
    raise AssertionError(index)


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
