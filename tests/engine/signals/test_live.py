"""Signals on grids of the machine: bins one by one as in batches, nothing read ahead.

The stream is thinned so that best prices move rarely; the oracle's values are in
test_against_oracle.py.
"""

import math
from itertools import pairwise

import numpy as np
import pytest

from engine.grid.api import GridMachine
from engine.signals.api import LiveSignal, stacked
from engine.signals.registry import STATISTICAL
from engine.validate.lookahead import probe_series
from tests.engine.grid.runs import config, whole
from tests.oracles.order_streams import well_formed

pytestmark = pytest.mark.xdist_group("books")

RADIUS = 24
STREAM = well_formed(3, 1_500, mean_ns=4e7)
CONFIG = config(grid_radius_ticks=RADIUS)
RUNTIME = CONFIG.runtime_config
FAST = {
    "derivative": {"zscore_window_bins": 30, "zscore_min_periods": 8},
    "ads": {"slope_fast_bins": 3, "slope_mid_bins": 5, "slope_slow_bins": 9,
            "zscore_window_bins": 40},
    "pfp": {},
    "spg": {},
    "erd": {"zscore_window_bins": 30, "zscore_min_periods": 5},
    "jad": {"zscore_window_bins": 40, "zscore_min_periods": 10},
    "iirc": {"slope_fast_bins": 3, "slope_slow_bins": 7},
    "msd": {},
    "ads_pfp_svac": {"slope_fast_ms": 300, "slope_mid_ms": 500, "slope_slow_ms": 900,
                     "zscore_window_ms": 4_000},
}  # fmt: skip


@pytest.fixture(scope="module")
def grid():
    """Columns of some hundred bins, in most of which the best prices stand."""
    made = whole(CONFIG, STREAM)
    moves = np.diff(made["best_bid_price_int"]) != 0
    assert 0 < np.count_nonzero(moves) < 0.4 * len(moves)
    assert len(made["ts_ns"]) > 200
    return {name: np.asarray(values, dtype=np.float64) for name, values in made.items()
            if not name.startswith(("cells.", "orders.", "anomalies.", "event"))}  # fmt: skip


def pushed(name, grid, cuts, bins=None, params=None):
    """Values with the bins cut at some places."""
    told = FAST[name] if params is None else params
    live = LiveSignal(name, told, RADIUS, RUNTIME.cell_width_ms, RUNTIME.tick_size)
    fields = stacked(live.signal, grid)[:, :bins]
    edges = [0, *cuts, fields.shape[1]]
    parts = [
        live.push_stacked(
            fields[:, start:stop],
            grid["mid_price"][start:stop],
            grid["ts_ns"][start:stop].astype(np.int64),
        )
        for start, stop in pairwise(edges)
    ]
    assert live.bins == fields.shape[1]
    assert live.refits is None
    return np.concatenate(parts)


@pytest.mark.parametrize("name", STATISTICAL)
def test_bins_one_by_one_give_the_bits_of_a_batch_on_a_grid_that_hardly_moves(name, grid):
    bins = len(grid["ts_ns"])
    batch = pushed(name, grid, [])
    assert batch.tobytes() == pushed(name, grid, range(1, bins)).tobytes()
    assert batch.tobytes() == pushed(name, grid, [7, 7, 100]).tobytes()
    assert np.isfinite(batch).all()
    assert np.count_nonzero(batch) > 20


@pytest.mark.parametrize("name", STATISTICAL)
def test_no_signal_reads_a_later_bin(name, grid):
    found = probe_series(len(grid["ts_ns"]), 2, 6, lambda bins: pushed(name, grid, [], bins))
    assert (found.probes, found.identical, found.first_difference) == (6, True, None)


def test_a_signal_that_is_told_of_the_whole_is_caught(grid):
    """The same probe, on values that are divided by the largest of all there is."""

    def peeking(bins):
        values = pushed("msd", grid, [], bins)
        return values / np.abs(values).max()

    largest = int(np.abs(pushed("msd", grid, [])).argmax())
    found = probe_series(len(grid["ts_ns"]), 2, 60, peeking)
    assert largest > 10
    assert not found.identical
    assert "alone and" in found.first_difference


def test_derivative_with_the_parameters_of_the_grid_is_its_state_model_to_the_bit(grid):
    names = [one.name for one in STATISTICAL["derivative"].parameters]
    params = {name: float(getattr(RUNTIME, f"state_model_{name}")) for name in names}
    assert params["zscore_window_bins"] == 6
    values = pushed("derivative", grid, [3, 50], params=params)
    assert values.tobytes() == grid["state_model_score"].tobytes()
    assert np.count_nonzero(values) > 20


def test_a_signal_takes_the_columns_of_a_machine_as_they_close(grid):
    machine = GridMachine(CONFIG)
    live = LiveSignal("msd", {}, RADIUS, RUNTIME.cell_width_ms, RUNTIME.tick_size)
    parts = [
        live.push(bins.fields, bins.floats["mid_price"], bins.ints["ts_ns"])
        for bins in machine.push(STREAM)
    ]
    values = np.concatenate(parts)
    assert values.tobytes() == pushed("msd", grid, [])[: len(values)].tobytes()
    assert not math.isnan(values.sum())
