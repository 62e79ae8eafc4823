"""A tiny experiment: signals on twenty seconds of two tapes, and a home where it is finished.

Homes are those of campaigning.py; tapes and grids those of books.py. The tests that use them stand
beside this file.
"""

import atexit
import json
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from contracts.experiment import experiment_from
from contracts.signal_columns import SIGNAL_TRIALS
from islandflow_resources import campaigns, promotion
from islandflow_resources.experiment_trials import datasets_of, run_signal_trials
from islandflow_resources.judgement import judged_now
from islandflow_resources.signal_data import SignalData
from islandflow_resources.tables import read_verified
from tests.graph import fast_folder
from tests.islandflow_resources.books import SECOND_NS, grid_document, tape
from tests.islandflow_resources.campaigning import OPEN_GATE, Home, decision
from tests.oracles import barrier_trades as trades

TAPE = tape(id="mini", bar_ns=10 * SECOND_NS, events_per_second=100).document()
RADIUS = 24
BINS = (198, 200)
"""Of the datasets of both seeds."""
WARMUP, SHARE, FIRST = 20, 0.2, 39
EVAL = {
    "tp_ticks": [2, 4],
    "sl_ticks": [2],
    "max_hold_bins": 30,
    "warmup_bins": WARMUP,
    "cooldown_bins": [2],
    "min_signals": 2,
    "calibration_share": SHARE,
    "costs": {"fee_ticks": 0.1},
}
ROBUSTNESS = {
    "best": 3,
    "monte_carlo": {"paths": 60, "block_bars": 2},
    "walk_forward": {"folds": 2},
    "overfitting": {"blocks": 4, "purge_bars": 1, "embargo_bars": 1, "probes": 3},
}
RUNS, CANDIDATES = 16, 46
"""4 parameter sets × 2 rules × 2 datasets; (2 × 6 + 6 + 5) thresholds × 2 rules."""


def serving_document(**changes):
    """What is served; `pipeline` and `capture` are merged."""
    capture = {"tape": TAPE, **changes.pop("capture", {})}
    pipeline = {
        "name": "quiet",
        "version": "0.1",
        "capture": capture,
        "config": grid_document(grid_radius_ticks=RADIUS),
        **changes.pop("pipeline", {}),
    }
    return {"name": "quiet", "version": "0.1", "pipeline": pipeline, **changes}


def document(**changes):
    """The tiny experiment: three signals, two seeds; `eval` is merged."""
    written = {
        "kind": "experiment",
        "id": "tiny",
        "version": "0.1",
        "serving": serving_document(),
        "seeds": "1-2",
        "sweep": {
            "per_signal": {
                "derivative": {"zscore_window_bins": [20, 30], "zscore_min_periods": [5]},
                "msd": {},
                "spg": {},
            }
        },
        "robustness": ROBUSTNESS,
        "gate": OPEN_GATE,
        "promotion": {"alias": "live"},
    }
    evaluated = {**EVAL, **changes.pop("eval", {})}
    return json.loads(json.dumps({**written, "eval": evaluated, **changes}))


def small(**changes):
    """The same with one signal and nothing but its trials."""
    sweep = {"per_signal": {"msd": {}}}
    serving = serving_document(signal={"name": "msd"})
    robustness = {"best": 1, "monte_carlo": None, "walk_forward": None,
                  "overfitting": {"blocks": 4, "probes": 2}}  # fmt: skip
    return document(**{"id": "small", "serving": serving, "sweep": sweep,
                       "robustness": robustness, **changes})  # fmt: skip


def ready(home, written=None):
    """An experiment, checked in a home."""
    spec = experiment_from(document() if written is None else written)
    return campaigns.ready_any(spec, home.store, home.database)


def run(home, experiment, progress=lambda done, total: None, run_id="run"):
    """All trials of an experiment."""
    return run_signal_trials(*home.place, experiment, run_id, progress)


def judged(home, experiment):
    """The dossier of an experiment."""
    return judged_now(*home.place, experiment, "run")


def promoted(home, experiment, **changes):
    """Publish the winner of an experiment."""
    found = judged(home, experiment)
    chosen = decision(**{"alias": "live", **changes})
    return promotion.promote(
        *home.place, home.keyring, experiment, found.dossier, found.stored, chosen
    )


def chunks_of(home, made):
    """Every chunk with its trials, in the order in which they were gathered."""
    return [
        (row, read_verified(home.store, row["object_key"], SIGNAL_TRIALS, row["content_digest"]))
        for row in made.chunks.table.to_pylist()
    ]


@contextmanager
def opened(home, experiment, number=0, variant=0):
    """The dataset of one capture, as signals see it."""
    with tempfile.TemporaryDirectory() as folder:
        made = [
            kept(grid.dataset, Path(folder) / str(place))
            for place, (_, grid) in enumerate(
                datasets_of(*home.place, experiment, experiment.variants[variant], "run")
            )
        ]
        yield SignalData(made[number])


def kept(dataset, folder):
    """A dataset whose local files stay when those it came with go."""
    from dataclasses import replace

    shutil.copytree(dataset.folder, folder)
    return replace(dataset, folder=folder)


def oracle_market(data):
    """Prices of a stored grid for the oracle, read without the signals' own reader."""
    import pyarrow.parquet as pq

    bins = pq.read_table(data.dataset.folder / "bins.parquet").to_pydict()
    runtime = data.runtime
    quoted = zip(
        bins["best_bid_price_int"], bins["best_ask_price_int"], bins["book_valid"], strict=True
    )
    spread = [
        (ask - bid) / runtime.tick_int if valid and 0 < bid <= ask else float("nan")
        for bid, ask, valid in quoted
    ]
    mid = [0.0 if value is None or np.isnan(value) else value for value in bins["mid_price"]]
    return trades.Market(bins["ts_ns"], mid, runtime.tick_size, bins["book_valid"], spread)


def grid_columns(data):
    """Columns of a stored grid by name, shape (bins, 2R + 1), read without the signals' reader."""
    import pyarrow.parquet as pq

    table = pq.read_table(data.dataset.folder / "grid.parquet")
    rows = 2 * data.runtime.grid_radius_ticks + 1
    return {
        name: table[name].to_numpy().astype(np.float64).reshape(-1, rows)
        for name in table.column_names
        if table[name].type in ("double", "int8", "float")
    }


@cache
def finished_folder() -> Path:
    """A home where the tiny experiment is registered, run and judged; copy it to change it."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(fast_folder()) / "home"
    home = Home.embedded(folder)
    home.runtime.prepare()
    experiment = ready(home)
    campaigns.register(experiment, home.store, home.database)
    run(home, experiment)
    judged(home, experiment)
    home.database.dispose()
    return folder


@contextmanager
def finished_copy():
    """A home of one's own where the tiny experiment is finished."""
    with fast_folder() as folder:
        shutil.copytree(finished_folder(), folder / "home")
        home = Home.embedded(folder / "home")
        yield home
        home.database.dispose()


@contextmanager
def datasets_home():
    """A home of one's own with the datasets of the tiny experiment, and no trial."""
    with fast_folder() as folder:
        shutil.copytree(_datasets_folder(), folder / "home")
        home = Home.embedded(folder / "home")
        yield home
        home.database.dispose()


@cache
def _datasets_folder() -> Path:
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(fast_folder()) / "home"
    home = Home.embedded(folder)
    home.runtime.prepare()
    experiment = ready(home)
    for _ in datasets_of(*home.place, experiment, experiment.variants[0], "run"):
        pass
    home.database.dispose()
    return folder
