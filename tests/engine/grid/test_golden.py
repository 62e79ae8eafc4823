"""The grid machine under the rules v1 gives the golden stream: every bin, column and final state.

The tolerances are in tests/oracles/order_golden.py, the comparison with the oracle on other
streams in test_against_oracle.py.
"""

import numpy as np
import pytest

from contracts.grid import grid_config_from
from engine.grid.api import GridMachine
from engine.grid.setup import lane_sum
from tests.engine.grid.runs import ended, joined, pushed
from tests.oracles import order_golden as golden

CONFIG = grid_config_from(golden.config())
THRESHOLD = CONFIG.runtime_config.flow_neutral_threshold


@pytest.fixture(scope="module")
def machine_and_columns():
    machine = GridMachine(CONFIG, "v1")
    parts = [*pushed(machine, golden.events()), *ended(machine)]
    return machine, joined(parts)


def as_in_files(columns):
    """Flags and names as the files hold them."""
    size = columns["bin_seq"].size
    return columns | {
        "book_valid": columns["book_valid"] != 0,
        "state_model_ready": columns["state_model_ready"] != 0,
        "state_model_name": np.full(size, "derivative"),
    }


def test_every_bin_of_the_golden_stream_is_that_of_the_file(machine_and_columns):
    _, columns = machine_and_columns
    assert columns["bin_seq"].size == golden.BINS
    wanted = golden.table("bins")
    assert golden.differences(as_in_files(columns), wanted) == []


def test_every_row_of_the_golden_grids_is_that_of_the_file(machine_and_columns):
    _, columns = machine_and_columns
    radius = CONFIG.runtime_config.grid_radius_ticks
    shape = columns["flow_score"].shape
    found = {
        name: values[:: golden.ROWS_EVERY].ravel()
        for name, values in columns.items()
        if values.shape == shape
    }
    kept = columns["bin_seq"][:: golden.ROWS_EVERY]
    found["bin_seq"] = np.repeat(kept, 2 * radius + 1)
    found["k"] = np.tile(np.arange(-radius, radius + 1), kept.size)
    for name, values in columns.items():
        if name not in found and values.shape == shape[:1]:
            found[name] = np.repeat(values[:: golden.ROWS_EVERY], 2 * radius + 1)
    assert golden.differences(found, golden.table("grid"), THRESHOLD) == []


def test_the_golden_stream_leaves_the_cells_and_orders_of_the_files(machine_and_columns):
    machine, _ = machine_and_columns
    assert golden.differences(machine.cells(), golden.table("engine_final")) == []
    wanted = golden.table("orders_final")
    by_id = np.argsort(wanted["order_id"], kind="stable")
    orders = machine.orders()
    orders["side"] = np.array([chr(side) for side in orders["side"]], dtype=object)
    assert golden.differences(orders, {name: c[by_id] for name, c in wanted.items()}) == []


@pytest.mark.parametrize("n", [1, 15, 16, 17, 31, 32, 33, 101, 4001])
def test_a_sum_in_lanes_is_the_sum(n):
    values = np.random.default_rng(n).normal(size=n)
    assert lane_sum(values) == pytest.approx(values.sum(), abs=1e-12 * n)
    assert lane_sum(np.arange(float(n))) == n * (n - 1) // 2
