"""A server with runs in its table and two published signals: one of minutes, one of seconds.

The specs are made as in tests/islandflow_jobs/serve/published.py, the runs as an experiment
records them.
"""

import pyarrow as pa
import pytest

from contracts.canonical import canonical_json
from contracts.serving import StreamSource
from contracts.signal_columns import SIGNAL_TRIALS
from islandflow_jobs.serve.app import Serving
from islandflow_resources.models import SignalRun
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.signal_runs import OUTCOME, best_outcome, record_runs
from islandflow_resources.table_schemas import arrow_schema
from islandflow_resources.tables import store_table
from tests.graph import KERNELS
from tests.islandflow_jobs.serve.published import RUN_ID, ZERO, publish, published
from tests.islandflow_jobs.serve.served import serving
from tests.islandflow_resources.books import (
    GOOD_SEED,
    order,
    short_tape,
    stored_grid,
    stored_tape,
    tape,
)

LONG, SHORT = "champion", "sprinter"
SETTINGS = {"tp_ticks": 8, "sl_ticks": 4, "cooldown_bins": 30}
TRIALS_KEY = "experiments/trials.parquet"
# Of each run: its signal, its parameters, and (threshold, signals) of its trials.
RUNS = {
    RUN_ID: ("derivative", {"zscore_window_bins": 20.0}, [(0.1, 240), (0.2, 90), (0.3, 31)]),
    "b2" * 16: ("derivative", {"zscore_window_bins": 40.0}, [(0.1, 200), (0.2, 1)]),
    "c3" * 16: ("ads", {"smooth_bins": 10.0, "z_bins": 60.0}, [(0.05, 77), (0.4, 0)]),
}


@pytest.fixture(scope="session")
def signal_server(tmp_path_factory):
    """Where the server answers."""
    resources = _home(tmp_path_factory.mktemp("front_end") / "home")
    with serving(resources, Serving()) as address:
        yield address.http


def _home(path):
    path.mkdir()
    KERNELS.mkdir(parents=True, exist_ok=True)
    (path / "kernels").symlink_to(KERNELS)
    resources = ResourceSet.from_environment({"ISLANDFLOW_HOME": str(path)})
    # Minutes of the tape are more than the tests take: its stream does not end among them.
    dataset_id = _publish(resources, path / "long", tape(bars=8), LONG, grid_radius_ticks=24)
    _publish(resources, path / "short", short_tape(), SHORT)
    _record(resources, dataset_id)
    return resources


def _publish(resources, workspace, spec, alias, **changes):
    """Make the dataset of a tape and publish a signal on it under an alias."""
    store, database = resources.store, resources.database
    made_tape = stored_tape(store, database, workspace, spec)
    wanted = order(**changes)
    made = stored_grid(store, database, workspace, made_tape.events, wanted)
    assert made.problem is None, made.problem
    stream = StreamSource(
        what="tape",
        key=spec.partition_key,
        seed=GOOD_SEED,
        events_digest=made_tape.events.digest,
        dataset_id=made.dataset_id,
    )
    run = {"candidate_key": RUN_ID if alias == LONG else "d4" * 16}
    publish(resources, published(wanted.config, stream, name=alias), alias, **run)
    return made.dataset_id


def _record(resources, dataset_id):
    """Store the trials of `RUNS`, and record the runs."""
    trials = {
        run_id: [_trial(run_id, params, *one) for one in outcomes]
        for run_id, (_, params, outcomes) in RUNS.items()
    }
    rows = [row for outcomes in trials.values() for row in outcomes]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(SIGNAL_TRIALS))
    stored = store_table(resources.store, TRIALS_KEY, table, SIGNAL_TRIALS)
    runs, first_row = [], 0
    for run_id, outcomes in trials.items():
        best = best_outcome(outcomes, min_signals=5)
        signal, params, _ = RUNS[run_id]
        runs.append(
            SignalRun(
                run_id=run_id,
                campaign_hash=ZERO,
                campaign_key="two_signals-000000000000",
                experiment="two_signals",
                dataset_id=dataset_id,
                signal=signal,
                params=params,
                **SETTINGS,
                max_hold_bins=1200,
                warmup_bins=300,
                **{name: best[name] for name in OUTCOME},
                object_key=stored.key,
                content_digest=stored.content_digest,
                first_row=first_row,
                row_count=len(outcomes),
                version="1",
            )
        )
        first_row += len(outcomes)
    record_runs(resources.database, runs)


def _trial(run_id, params, threshold, count):
    """One row of the table: the rates rise with the threshold; too few signals have no values."""
    some = count > 0
    mean = 4 * threshold - 0.6
    half_width = 4 / count**0.5 if count > 1 else None
    fields = {column.name: None for column in SIGNAL_TRIALS.columns}
    return {
        **fields,
        **SETTINGS,
        "run_id": run_id,
        "set_id": run_id,
        "params": canonical_json(params).decode(),
        "threshold": threshold,
        "n_signals": count,
        "n_up": count // 2,
        "n_down": count - count // 2,
        "tp_rate": 0.3 + 0.5 * threshold if some else None,
        "sl_rate": 0.6 - 0.5 * threshold if some else None,
        "timeout_rate": 0.1 if some else None,
        "events_per_hour": 15.0 * count,
        "median_time_to_outcome_ms": 4_200.0 if some else None,
        "mean_pnl_ticks": mean if some else None,
        "ci_low": mean - half_width if half_width else None,
        "ci_high": mean + half_width if half_width else None,
        "total_pnl_ticks": mean * count,
        "mean_cost_ticks": 1.5 if some else None,
        "unpriced": 0,
        "max_drawdown": 0.0,
    }
