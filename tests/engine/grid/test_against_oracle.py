"""Grids of the machine and of the oracle are the same on streams of all kinds.

Both sets of rules, many configurations, starts of the first bin; bins, rows, final cells and
orders, anomalies. What counts as the same is in agreement.py; batches in test_live.py.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.grid.api import GridMachine
from engine.grid.spectrum import BAND
from tests.engine.grid.agreement import disagreements
from tests.engine.grid.runs import config, joined, pushed, wandering
from tests.oracles.order_book import LAST, SNAPSHOT, Event
from tests.oracles.order_streams import (
    BIN_NS,
    MIDDLE_TICK,
    SLOTS,
    START_NS,
    TICK_INT,
    adversarial,
    packed,
    streams,
    well_formed,
)

COMPATS = ("v1", "v2")
NO_PROJECTION = {
    "projection_use_cubic": False,
    "projection_cubic_scale": 0.2,
    "projection_damping_lambda": 0.0,
}
SLOW = {
    "tau_velocity": 2.0,
    "tau_acceleration": 5.0,
    "tau_jerk": 0.01,
    "tau_rest_decay": 30.0,
}
"""Chains that reach from one bin into the next, so that scores are not 0."""
STRANGE: dict[str, dict[str, Any]] = {
    "shipped lengths": {
        "flow_windows": (5, 10, 20, 40),
        "flow_rollup_weights": (1.0, 1.0, 1.0, 1.0),
        "flow_zscore_window_bins": 300,
        "flow_zscore_min_periods": 75,
        "state_model_zscore_window_bins": 240,
        "state_model_zscore_min_periods": 60,
        "cell_width_ms": 5,
    },
    "shortest windows": {
        "flow_windows": (1,),
        "flow_rollup_weights": (3.0,),
        "flow_zscore_window_bins": 2,
        "flow_zscore_min_periods": 2,
        "state_model_zscore_window_bins": 2,
        "state_model_zscore_min_periods": 2,
        "flow_derivative_weights": (1e-3, 5.0, 100.0),
        "flow_tanh_scale": 0.01,
        "flow_neutral_threshold": 0.9,
    },
    "odd windows": {
        "flow_windows": (7, 3),
        "flow_rollup_weights": (0.1, 10.0),
        "flow_zscore_window_bins": 21,
        "flow_zscore_min_periods": 21,
        "state_model_zscore_window_bins": 15,
        "state_model_zscore_min_periods": 2,
        "cell_width_ms": 20,
    },
    "windows as short as a bin is long": {
        "cell_width_ms": 1,
        "flow_windows": (64,),
        "flow_rollup_weights": (1.0,),
        "flow_zscore_window_bins": 30,
        "projection_horizons_bins": (1, 1000, 30),
    },
    "radius beyond the lattice": {"n_absolute_ticks": 9, "grid_radius_ticks": 14},
    "least lattice": {
        "n_absolute_ticks": 3,
        "grid_radius_ticks": 1,
        "state_model_center_exclusion_radius": 0,
    },
    "odd lattice": {"n_absolute_ticks": 31, "grid_radius_ticks": 2},
    "equities": {"product_type": "equity_mbo", "tick_size": 7.0, "bucket_size_dollars": 0.5},
    "fine ticks": {"tick_size": 0.05, "n_absolute_ticks": 400},
    "weights without decay or exclusion": {
        "state_model_center_exclusion_radius": 0,
        "state_model_spatial_decay_power": 0.0,
        "state_model_mixed_weight": 0.0,
        "state_model_d1_weight": 0.0,
        "state_model_d2_weight": 0.0,
    },
    "steep weights": {
        "state_model_center_exclusion_radius": 5,
        "state_model_spatial_decay_power": 2.5,
        "state_model_mixed_weight": 3.0,
        "state_model_bear_pressure_weight": 0.0,
    },
    "slow chains": SLOW,
    "chains and masses that forget at once": {
        "tau_velocity": 1e-6,
        "tau_acceleration": 1e-6,
        "tau_jerk": 1e-6,
        "tau_rest_decay": 1e-4,
    },
    "one force alone": {
        "c1_v_add": 0.0,
        "c2_v_rest_pos": 0.0,
        "c3_a_add": 0.0,
        "c4_v_pull": 0.0,
        "c6_v_rest_neg": 0.0,
    },
}


@st.composite
def drawn_configs(draw: st.DrawFn) -> dict[str, Any]:
    """Any configuration that is small enough for the oracle."""
    windows = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    bins, model_bins = draw(st.integers(2, 25)), draw(st.integers(2, 25))
    radius = draw(st.integers(1, 9))
    weights = st.floats(0.01, 5)
    tau = st.floats(-4, 2).map(lambda power: 10**power)
    floats = {f"tau_{name}": tau for name in ("velocity", "acceleration", "jerk", "rest_decay")}
    names = ("c1_v_add", "c2_v_rest_pos", "c3_a_add", "c4_v_pull", "c5_v_fill", "c6_v_rest_neg")
    floats |= dict.fromkeys((*names, "c7_a_pull"), st.floats(0, 3))
    model = ("mixed", "bull_pressure", "bull_vacuum", "bear_pressure", "bear_vacuum", "d2", "d3")
    floats |= {f"state_model_{name}_weight": st.floats(0, 2) for name in model}
    return {name: draw(each) for name, each in floats.items()} | {
        "product_type": draw(st.sampled_from(["future_mbo", "equity_mbo"])),
        "bucket_size_dollars": draw(st.sampled_from([0.25, 0.5, 0.01])),
        "cell_width_ms": draw(st.sampled_from([1, 3, 20, 100, 250])),
        "n_absolute_ticks": draw(st.integers(3, 90)),
        "grid_radius_ticks": radius,
        "state_model_center_exclusion_radius": draw(st.integers(0, radius - 1)),
        "state_model_spatial_decay_power": draw(st.sampled_from([0.0, 0.5, 2.0])),
        "flow_windows": tuple(windows),
        "flow_rollup_weights": tuple(draw(weights) for _ in windows),
        "flow_derivative_weights": tuple(draw(weights) for _ in range(3)),
        "flow_neutral_threshold": draw(st.floats(0.05, 0.95)),
        "flow_tanh_scale": draw(st.floats(0.1, 5)),
        "flow_zscore_window_bins": bins,
        "flow_zscore_min_periods": draw(st.integers(2, bins)),
        "state_model_zscore_window_bins": model_bins,
        "state_model_zscore_min_periods": draw(st.integers(2, model_bins)),
    }


_starts = st.one_of(st.none(), st.integers(-3 * BIN_NS, 8 * BIN_NS).map(lambda t: START_NS + t))
_projections = st.sampled_from([NO_PROJECTION, {**NO_PROJECTION, "projection_use_cubic": True},
                                {**NO_PROJECTION, "projection_damping_lambda": 2.0}])  # fmt: skip


@settings(max_examples=30)
@given(streams, drawn_configs(), st.sampled_from(COMPATS), _starts, _projections)
def test_any_stream_under_any_configuration(events, changes, compat, emit_from_ns, projection):
    wanted = config(projection, **changes)
    span_ns = int(events.ts_ns.max()) - int(events.ts_ns.min()) + 3 * BIN_NS
    if span_ns > 100 * wanted.runtime_config.cell_width_ns:
        wanted = config(projection, **{**changes, "cell_width_ms": 100})
    assert disagreements(wanted, events, compat, emit_from_ns) == []


@pytest.mark.parametrize("compat", COMPATS)
@pytest.mark.parametrize("make", [well_formed, adversarial])
def test_streams_of_hundreds_of_events(make, compat):
    for seed in range(100, 102):
        assert disagreements(config(), make(seed, 400), compat) == []
        assert disagreements(config(**SLOW), make(seed, 400), compat) == []


@pytest.mark.parametrize("compat", COMPATS)
@pytest.mark.parametrize("name", STRANGE)
def test_strange_configurations(name, compat):
    wanted = config(**STRANGE[name])
    narrow = wanted.runtime_config.cell_width_ms < 20
    steady = well_formed(11, 150 if narrow else 300, mean_ns=1e6 if narrow else 4e6)
    assert disagreements(wanted, steady, compat) == []
    if not narrow:
        assert disagreements(wanted, adversarial(12, 250), compat) == []


@pytest.mark.parametrize("compat", COMPATS)
@pytest.mark.parametrize("ms", [-700, -150, -100, 0, 1, 250, 300, 5_000])
def test_the_first_bin_starts_where_it_is_told(ms, compat):
    emit_from_ns = START_NS + ms * 1_000_000
    assert disagreements(config(), well_formed(13, 200), compat, emit_from_ns) == []
    assert disagreements(config(), adversarial(14, 200), compat, emit_from_ns) == []


WIDE = {**SLOW, "n_absolute_ticks": 320, "grid_radius_ticks": 5, "flow_zscore_window_bins": 20}


def left_and_came_back(columns, radius):
    """Slots that were in the window, farther away than the band, and in the window again."""
    centres = columns["spot_ref_price_int"] // TICK_INT
    away = np.abs(centres[:, None] - np.arange(100, 700))
    seen = np.zeros(away.shape[1], dtype=int)
    for row in away:
        seen[(seen == 0) & (row <= radius)] = 1
        seen[(seen == 1) & (row > radius + BAND)] = 2
        seen[(seen == 2) & (row <= radius)] = 3
    return int((seen == 3).sum())


@pytest.mark.parametrize(
    ("window", "seed", "compat"), [(20, 1, "v1"), (21, 2, "v2"), (2, 3, "v2"), (31, 4, "v2")]
)
def test_slots_that_leave_the_band_and_come_back(window, seed, compat):
    wanted = config(**{**WIDE, "flow_zscore_window_bins": window, "flow_zscore_min_periods": 2})
    events = wandering(seed, 500, ticks=120, bins=80)
    columns = joined(pushed(GridMachine(wanted, compat), events))
    assert left_and_came_back(columns, 5) > 30
    assert (columns["flow_score"][40:] != 0.0).mean() > 0.05
    assert disagreements(wanted, events, compat) == []


def test_slots_at_the_edge_of_the_band_have_their_scores():
    """The book jumps by a band and a radius, give or take a tick, and back after some bins."""
    radius = 2
    for jump in range(BAND + radius - 2, BAND + 2 * radius + 3):
        rows = []
        for bin_ in range(24):
            tick = MIDDLE_TICK + (jump if 9 <= bin_ < 9 + 1 + jump % 4 else 0) + bin_ % 2
            for number, (side, off) in enumerate((("B", -1), ("A", 1))):
                ts_ns = START_NS + bin_ * BIN_NS + number * 1_000_000
                price = (tick + off) * TICK_INT
                rows.append(Event(ts_ns, "M", side, number, price, 1 + bin_ % 5, LAST, 0))
        wanted = config(**{**WIDE, "n_absolute_ticks": 400, "grid_radius_ticks": radius})
        assert disagreements(wanted, packed(rows)) == []


def test_more_cells_and_orders_than_there_was_room_for():
    rng = np.random.default_rng(15)
    ticks = MIDDLE_TICK + rng.integers(1, 200, 2_200) * np.resize([-1, 1], 2_200)
    rows = [
        Event(START_NS + i * 100_000, "A", "BA"[i % 2], i, tick * TICK_INT, 1 + i % 7, LAST, i)
        for i, tick in enumerate(ticks.tolist())
    ]
    wanted = config(n_absolute_ticks=450)
    machine = GridMachine(wanted, "v1")
    pushed(machine, packed(rows[:4]))
    room = (machine.state.rows.shape[0], machine.state.market.orders.shape[0])
    pushed(machine, packed(rows[4:]))
    assert machine.state.rows.shape[0] > room[0]
    assert machine.state.market.orders.shape[0] > room[1]
    assert disagreements(wanted, packed(rows), "v1") == []


@pytest.mark.parametrize("compat", COMPATS)
def test_a_snapshot_far_away_moves_the_lattice_and_starts_cells_afresh(compat):
    rows = []
    for i, tick in enumerate((400, 400 + SLOTS // 4 - 1, 400 + SLOTS // 4, 900, 899, 120)):
        at_ns = START_NS + i * 4 * BIN_NS
        start = Event(at_ns, "R", "N", 0, 0, 0, SNAPSHOT, 0)
        bid = Event(at_ns, "A", "B", 10 * i, (tick - 1) * TICK_INT, 5, SNAPSHOT, 0)
        ask = bid._replace(
            side="A", order_id=10 * i + 1, price_int=(tick + 1) * TICK_INT, flags=160
        )
        rows += [start, bid, ask]
        for j in range(6):
            change = bid._replace(ts_ns=at_ns + (j + 1) * BIN_NS // 3, action="M", size=j + 1)
            rows.append(change._replace(flags=LAST))
    wanted, events = config(), packed(rows)
    columns = joined(pushed(GridMachine(wanted, compat), events))
    moves = np.unique(columns["anchor_tick_idx"]).size
    assert moves == (4 if compat == "v2" else 1)
    assert disagreements(wanted, events, compat) == []
    assert disagreements(wanted, events, compat, cuts=tuple(range(1, events.rows))) == []
