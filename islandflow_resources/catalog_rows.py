"""Tables of the DuckDB catalogue that come from the database: results, artefacts, the control log.

They are copied when a catalogue is made. Views of stored files are ``catalog_tables``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from islandflow_resources.control_log import ControlRevision
    from islandflow_resources.models import Artefact, RunResult, SignalRun


def _fields(kind: pa.DataType, *names: str) -> list[pa.Field]:
    return [pa.field(name, kind) for name in names]


RESULTS: Final = pa.schema(
    [
        *_fields(pa.string(), "cache_key", "scenario_key", "scenario_hash"),
        *_fields(pa.int64(), "seed"),
        *_fields(pa.string(), "strategy_id", "strategy_hash"),
        *_fields(pa.int64(), "bars", "trades"),
        *_fields(pa.float64(), "final_equity", "sharpe", "max_drawdown"),
    ]
)
"""A row for each backtest."""
SIGNAL_RUNS: Final = pa.schema(
    [
        *_fields(
            pa.string(), "run_id", "campaign_key", "campaign_hash", "experiment", "dataset_id",
            "signal", "params",
        ),
        *_fields(
            pa.int64(), "tp_ticks", "sl_ticks", "max_hold_bins", "warmup_bins", "cooldown_bins",
            "n_signals",
        ),
        *_fields(
            pa.float64(), "threshold", "tp_rate", "sl_rate", "timeout_rate", "mean_pnl_ticks",
            "events_per_hour", "median_time_to_outcome_ms",
        ),
    ]
)  # fmt: skip
"""A row for each run of a book signal, its parameters as JSON."""
ARTEFACTS: Final = pa.schema(
    [
        *_fields(pa.string(), "what", "scenario_key"),
        *_fields(pa.int64(), "seed", "rows"),
        *_fields(pa.string(), "version", "object_key", "content_digest", "recipe_digest", "run_id"),
        *_fields(pa.timestamp("us", "UTC"), "created_at"),
    ]
)
"""A row for everything that is stored: which recipe made it, and where it lies."""
CONTROLS: Final = pa.schema(
    [
        *_fields(pa.int64(), "revision", "effective_ns"),
        *_fields(pa.string(), "preset_id", "updated_by"),
        *_fields(pa.timestamp("us", "UTC"), "updated_at"),
        *_fields(pa.string(), "control_hash", "control"),
    ]
)
"""A row for each revision of the deployment's control, which stands in it as JSON."""


def tables_of(
    results: Iterable[RunResult],
    signal_runs: Iterable[SignalRun],
    artefacts: Iterable[Artefact],
    controls: Iterable[ControlRevision],
) -> dict[str, pa.Table]:
    """All tables by name."""
    return {
        "results": result_rows(results),
        "signal_runs": signal_rows(signal_runs),
        "artefacts": artefact_rows(artefacts),
        "controls": control_rows(controls),
    }


def result_rows(results: Iterable[RunResult]) -> pa.Table:
    """Layout `RESULTS`."""
    return pa.Table.from_pylist(_read(results, RESULTS), RESULTS)


def signal_rows(runs: Iterable[SignalRun]) -> pa.Table:
    """Layout `SIGNAL_RUNS`."""
    rows = _read(runs, SIGNAL_RUNS)
    told = [{**row, "params": json.dumps(row["params"], sort_keys=True)} for row in rows]
    return pa.Table.from_pylist(told, SIGNAL_RUNS)


def artefact_rows(artefacts: Iterable[Artefact]) -> pa.Table:
    """Layout `ARTEFACTS`."""
    return pa.Table.from_pylist(_read(artefacts, ARTEFACTS), ARTEFACTS)


def control_rows(revisions: Iterable[ControlRevision]) -> pa.Table:
    """Layout `CONTROLS`."""
    rows = [
        {
            "revision": one.revision,
            "effective_ns": one.effective_ns,
            "preset_id": one.control.preset_id,
            "updated_by": one.updated_by,
            "updated_at": one.updated_at,
            "control_hash": one.control_hash,
            "control": json.dumps(one.control.document(), sort_keys=True),
        }
        for one in revisions
    ]
    return pa.Table.from_pylist(rows, CONTROLS)


def _read(rows: Iterable[Any], schema: pa.Schema) -> list[dict[str, Any]]:
    return [{name: getattr(row, name) for name in schema.names} for row in rows]
