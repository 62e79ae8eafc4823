"""Tables of trials of book signals, and the rows that index them, made up for tests.

Real ones come from experiments; the tests that use these are test_signal_runs.py and those of
the server.
"""

from contracts.signal_columns import SIGNAL_TRIALS as TRIALS
from islandflow_resources.models import SignalRun
from islandflow_resources.tables import from_arrays

_ZERO = {"int64": 0, "int32": 0, "int8": 0, "float64": 0.0, "bool": False, "string": "x"}
ZERO = "sha256:" + "0" * 64


def trials_table(runs):
    """A table with a row for each threshold of each run, `{run_id: thresholds}`."""
    rows = [
        {**{column.name: _value(column) for column in TRIALS.columns}, **_told(run_id, threshold)}
        for run_id, thresholds in runs.items()
        for threshold in thresholds
    ]
    columns = {name: [row[name] for row in rows] for name in TRIALS.names}
    return from_arrays(TRIALS, {name: _array(name, values) for name, values in columns.items()})


def _told(run_id, threshold):
    return {"run_id": run_id, "threshold": threshold, "n_signals": 7, "n_up": 4, "n_down": 3}


def _value(column):
    return None if column.nullable else _ZERO[column.kind]


def _array(name, values):
    import pyarrow as pa

    from islandflow_resources.table_schemas import ARROW_TYPES

    kind = next(column.kind for column in TRIALS.columns if column.name == name)
    return pa.array(values, ARROW_TYPES[kind])


def run_row(run_id, content_digest, first_row=0, row_count=1, **changes):
    """An unsaved row of the index."""
    fields = {
        "run_id": run_id,
        "campaign_hash": ZERO,
        "campaign_key": "quiet-0",
        "experiment": "quiet",
        "dataset_id": "mnqh6-1",
        "signal": "derivative",
        "params": {"zscore_window_bins": 20.0},
        "tp_ticks": 8,
        "sl_ticks": 4,
        "max_hold_bins": 1_200,
        "warmup_bins": 300,
        "cooldown_bins": 20,
        "threshold": 0.3,
        "n_signals": 7,
        "tp_rate": 0.5,
        "sl_rate": 0.25,
        "timeout_rate": 0.25,
        "mean_pnl_ticks": 1.5,
        "events_per_hour": 12.0,
        "median_time_to_outcome_ms": 900.0,
        "object_key": "experiments/trials.parquet",
        "content_digest": content_digest,
        "first_row": first_row,
        "row_count": row_count,
        "version": "1",
    }
    return SignalRun(**{**fields, **changes})
