"""Trades of an experiment's best candidates, a stored table for each candidate and dataset.

All trades of all trials would be millions of rows that nobody reads; those of the best are kept
so that what a leaderboard says can be looked into, trade by trade.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from contracts.digest import recipe_digest
from contracts.signal_columns import SIGNAL_TRADES
from engine.signals.api import VERSION
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedTable, Recipe, made_table
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiment_stages import Chosen, Stage, best_of, trades_of
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.signal_trials import libraries_of
from islandflow_resources.table_schemas import from_arrays

WHAT: Final = "signal_trades"


def make_trades(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    board: DerivedTable,
    run_id: str,
) -> list[DerivedTable]:
    """Trades of the best trials, as many as ``robustness.best`` says, found or stored."""
    made: list[DerivedTable] = []
    for stage, chosen in best_of(store, database, runtime, experiment, board, run_id):
        for one in chosen:
            recipe = _recipe(experiment, stage, one)

            def make(stage: Stage = stage, one: Chosen = one) -> pa.Table:
                return _table(experiment, one, trades_of(runtime, experiment, stage, one))

            made.append(made_table(store, database, recipe, SIGNAL_TRADES, make, run_id))
    return made


def _recipe(experiment: ReadyExperiment, stage: Stage, chosen: Chosen) -> Recipe:
    dataset = stage.data.dataset
    digest = recipe_digest(
        WHAT,
        version=VERSION,
        specs={
            "set": chosen.set_id,
            "settings": experiment.spec.settings.document(),
            "first_bin": stage.calibration.first_bin,
            **libraries_of(chosen.definition),
        },
        inputs={"grid": dataset.content_digest},
    )
    folder = f"trades/dataset={dataset.dataset_id}/signal={chosen.signal}"
    detail: Any = {"set_id": chosen.set_id, "signal": chosen.signal}
    return Recipe(WHAT, digest, folder, VERSION, dataset.dataset_id, None, detail)


def _table(experiment: ReadyExperiment, chosen: Chosen, trades: dict[str, Any]) -> pa.Table:
    rows, how, rule = len(trades["direction"]), experiment.spec.settings, chosen.rule
    told = {
        "tp_ticks": rule.tp_ticks,
        "sl_ticks": rule.sl_ticks,
        "max_hold_bins": how.max_hold_bins,
        "warmup_bins": how.warmup_bins,
        "cooldown_bins": rule.cooldown_bins,
        "threshold": rule.threshold,
    }
    columns: dict[str, Any] = {name: pa.array(np.full(rows, one)) for name, one in told.items()}
    columns |= {name: pa.array(values) for name, values in trades.items()}
    for name in ("direction", "outcome"):
        columns[name] = columns[name].cast(pa.string())
    return from_arrays(SIGNAL_TRADES, {name: columns[name] for name in SIGNAL_TRADES.names})
