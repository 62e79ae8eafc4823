"""Cells, bins and windows of the oracle, worked out by hand from docs/order-book.md.

The book behind them is in test_order_book.py.
"""

import math

import pytest

from tests.oracles.grid import Grid
from tests.oracles.order_book import LAST, SNAPSHOT, Event
from tests.oracles.order_streams import BIN_NS, SETTINGS, SLOTS, START_NS, TICK_INT, packed

MS = 1_000_000
BID = SLOTS // 2 - 1
TAUS = {"tau_velocity": 2.0, "tau_acceleration": 5.0, "tau_jerk": 10.0, "tau_rest_decay": 30.0}
CONFIG = SETTINGS | TAUS


def at_ms(ms, action, order_id, size, tick=399, side="B", flags=0):
    return Event(START_NS + int(ms * MS), action, side, order_id, tick * TICK_INT, size, flags, 0)


QUOTES = (at_ms(0, "A", 1, 4), at_ms(0, "A", 2, 5, 401, "A"))


def closed(*events, compat="v2", config=CONFIG, bins=1, emit_from_ns=None):
    """The grid after the events, closed up to the end of the bins asked for."""
    grid = Grid(config, compat, emit_from_ns=emit_from_ns)
    found = []
    for event in (*QUOTES, *events, at_ms(100 * bins, "N", 0, 0)):
        found += grid.push(event)
    assert len(found) == bins
    return grid, found


def cell_after(*events, **options):
    return closed(*events, **options)[0].cells.by_slot[BID]


def stepped(chain, rate, dt_s, config=CONFIG):
    """A chain step, written once more."""
    keeps = [math.exp(-dt_s / config[f"tau_{n}"]) for n in ("velocity", "acceleration", "jerk")]
    v = (1 - keeps[0]) * rate + keeps[0] * chain[0]
    a = (1 - keeps[1]) * (v - chain[0]) / dt_s + keeps[1] * chain[1]
    j = (1 - keeps[2]) * (a - chain[1]) / dt_s + keeps[2] * chain[2]
    return [v, a, j]


def test_two_adds_at_one_time_are_one_add_of_their_sum():
    first = at_ms(10, "A", 3, 1)
    parts = cell_after(first, at_ms(30, "A", 4, 2), at_ms(30, "A", 5, 3))
    whole = cell_after(first, at_ms(30, "A", 4, 5))
    assert parts.chains == whole.chains
    assert parts.masses == whole.masses
    # The first touch at 10 ms sets the base; 5 lots over 20 ms; then 70 ms without flow.
    wanted = stepped(stepped([0, 0, 0], 5 / 0.02, 0.02), 0, 0.07)
    assert parts.chains["add"] == pytest.approx(wanted, rel=1e-12)
    assert parts.chains["bid_depth"] == pytest.approx(wanted, rel=1e-12)
    decayed = 1 * math.exp(-0.02 / 30) + 5
    assert parts.masses["add"] == pytest.approx(decayed * math.exp(-0.07 / 30), rel=1e-12)


def test_touches_at_two_times_are_two_rates():
    cell = cell_after(at_ms(10, "A", 3, 1), at_ms(30, "A", 4, 2), at_ms(70, "A", 5, 3))
    wanted = stepped(stepped(stepped([0, 0, 0], 2 / 0.02, 0.02), 3 / 0.04, 0.04), 0, 0.03)
    assert cell.chains["add"] == pytest.approx(wanted, rel=1e-12)
    assert cell.chains["bid_depth"] == pytest.approx(wanted, rel=1e-12)


def test_under_v1_the_second_touch_at_a_time_reaches_no_chain():
    cell = cell_after(at_ms(10, "A", 3, 1), at_ms(30, "A", 4, 2), at_ms(30, "A", 5, 3), compat="v1")
    wanted = stepped(stepped([0, 0, 0], 2 / 0.02, 0.02), 0, 0.07)
    assert cell.chains["add"] == pytest.approx(wanted, rel=1e-12)
    assert cell.bid == 10


def test_a_fill_and_its_cancel_at_one_time_are_a_fill_and_no_pull():
    touch = at_ms(10, "M", 1, 4)
    fill = (at_ms(40, "T", 0, 3, side="A"), at_ms(40, "F", 1, 3), at_ms(40, "C", 1, 3))
    cell = cell_after(touch, *fill)
    wanted = stepped(stepped([0, 0, 0], 3 / 0.03, 0.03), 0, 0.06)
    assert cell.chains["fill"] == pytest.approx(wanted, rel=1e-12)
    assert cell.chains["bid_depth"] == pytest.approx([-x for x in wanted], rel=1e-12)
    assert cell.chains["pull"] == [0, 0, 0]
    assert (cell.masses["pull"], cell.bid) == (0, 1)
    # c5 v_fill + c6 max(−v_rest, 0), and v_rest = −v_fill.
    assert cell.vacuum == pytest.approx(1.5 * wanted[0] + 0.5 * wanted[0], rel=1e-12)
    assert cell.pressure == 0


def test_flow_just_at_the_start_of_a_bin_is_a_rate_up_to_the_next_time():
    to_end = stepped([0, 0, 0], 2 / 0.05, 0.05)
    early = (at_ms(10, "A", 3, 1), at_ms(60, "A", 4, 2))
    first = stepped(to_end, 0, 0.04)
    # Alone, the 6 lots at 100 ms flow over the whole bin.
    cell = cell_after(*early, at_ms(100, "A", 5, 6), bins=2)
    wanted = stepped(first, 6 / 0.1, 0.1)
    assert cell.chains["add"] == pytest.approx(wanted, rel=1e-12)
    assert cell.chains["bid_depth"] == pytest.approx(wanted, rel=1e-12)
    # Before a touch at 120 ms they wait and flow together with it, over 20 ms.
    cell = cell_after(*early, at_ms(100, "A", 5, 6), at_ms(120, "A", 6, 1), bins=2)
    wanted = stepped(stepped(first, 7 / 0.02, 0.02), 0, 0.08)
    assert cell.chains["add"] == pytest.approx(wanted, rel=1e-12)
    # Under v1 they reach no chain; the later lot does.
    late = (at_ms(100, "A", 5, 6), at_ms(120, "A", 6, 1))
    cell = cell_after(*early, *late, bins=2, compat="v1")
    wanted = stepped(stepped(first, 1 / 0.02, 0.02), 0, 0.08)
    assert cell.chains["add"] == pytest.approx(wanted, rel=1e-12)
    aged_lots = ((1, 0.19), (2, 0.14), (6, 0.1), (1, 0.08))
    mass = sum(lots * math.exp(-age_s / 30) for lots, age_s in aged_lots)
    assert cell.masses["add"] == pytest.approx(mass, rel=1e-12)


def test_the_first_touches_of_a_cell_have_no_interval_to_be_a_rate_over():
    cell = cell_after(at_ms(10, "A", 3, 7), at_ms(10, "A", 4, 2), at_ms(10, "C", 4, 1))
    assert all(chain == [0, 0, 0] for chain in cell.chains.values())
    assert cell.masses["add"] == pytest.approx(9 * math.exp(-0.09 / 30))
    assert (cell.bid, cell.pressure, cell.vacuum, cell.last_event_id) == (12, 0, 0, 5)


def test_a_clear_takes_the_depths_of_v2_without_a_flow():
    events = (at_ms(10, "A", 3, 7), at_ms(20, "R", 0, 0))
    cell = cell_after(*events)
    assert (cell.bid, cell.ask, cell.chains["bid_depth"]) == (0, 0, [0, 0, 0])
    assert cell.masses["add"] > 6.9
    assert cell_after(*events, compat="v1").bid == 11


def test_what_flowed_before_a_clear_is_settled_without_its_depth():
    cell = cell_after(at_ms(10, "A", 3, 7), at_ms(30, "A", 4, 2), at_ms(30, "R", 0, 0))
    wanted = stepped(stepped([0, 0, 0], 2 / 0.02, 0.02), 0, 0.07)
    assert cell.chains["add"] == pytest.approx(wanted, rel=1e-12)
    assert cell.chains["bid_depth"] == [0, 0, 0]


def test_time_that_went_backwards_is_the_largest_time_under_v2():
    events = (at_ms(10, "A", 3, 7), at_ms(50, "A", 4, 2), at_ms(20, "A", 5, 1))
    same = (*events[:2], at_ms(50, "A", 5, 1))
    assert cell_after(*events).chains == cell_after(*same).chains
    back, _ = closed(*events, compat="v1")
    wanted = stepped(stepped([0, 0, 0], 2 / 0.04, 0.04), 0, 0.08)
    assert back.cells.by_slot[BID].chains["add"] == pytest.approx(wanted, rel=1e-12)


def test_a_new_anchor_starts_every_cell_afresh():
    far = (
        at_ms(20, "R", 0, 0, flags=SNAPSHOT),
        at_ms(20, "A", 3, 2, 439, flags=SNAPSHOT),
        at_ms(20, "A", 4, 3, 441, "A", SNAPSHOT | LAST),
    )
    grid, ((_, rows),) = closed(at_ms(10, "A", 5, 7), *far)
    cell = grid.cells.by_slot[BID]
    assert (cell.masses["add"], cell.last_ts_ns, cell.bid) == (0, 0, 2)
    assert [row["bid_depth"] for row in rows if row["k"] == -1] == [2]


def test_a_window_is_zero_outside_the_lattice_and_without_a_spot():
    # Bid and ask at slots 62 and 63: the window from slot 57 to 69 hangs over.
    moved = (
        at_ms(10, "C", 1, 4),
        at_ms(10, "C", 2, 5),
        at_ms(10, "A", 3, 4, 430),
        at_ms(10, "A", 4, 5, 431, "A"),
    )
    _, ((_, rows),) = closed(*moved)
    assert [(row["k"], row["rest_depth"]) for row in rows if row["rest_depth"]] == [(-1, 4), (0, 5)]
    _, ((empty, rows),) = closed(at_ms(10, "A", 3, 4), at_ms(20, "C", 2, 5))
    assert (empty["spot_ref_price_int"], empty["mid_price"]) == (0, 0)
    assert (empty["best_bid_price_int"], empty["best_ask_price_int"]) == (399 * TICK_INT, 0)
    assert {(row["add_mass"], row["last_event_id"]) for row in rows} == {(0, 0)}


def test_moves_are_labelled_and_a_side_that_was_away_has_none():
    events = (
        at_ms(110, "A", 3, 1, 400),
        at_ms(210, "C", 2, 5),
        at_ms(310, "A", 4, 1, 402, "A"),
    )
    _, found = closed(*events, bins=4)
    bins = [record for record, _ in found]
    assert [b["best_bid_move_ticks"] for b in bins] == [0, 1, 0, 0]
    assert [b["best_ask_move_ticks"] for b in bins] == [0, 0, 0, 0]
    assert [b["microstate_id"] for b in bins] == [4, 5, 4, 4]
    codes = {row["k"]: row["state5_code"] for row in found[1][1]}
    assert {codes[-6], codes[-1]} == {1}
    assert (codes[0], codes[1], codes[6]) == (0, 2, 2)


def test_a_warm_up_has_no_bins_and_no_advance():
    events = (at_ms(10, "A", 3, 1), at_ms(950, "A", 4, 2))
    emit_from_ns = START_NS + 10 * BIN_NS
    grid = Grid(CONFIG, "v2", emit_from_ns=emit_from_ns)
    assert [each for event in (*QUOTES, *events) for each in grid.push(event)] == []
    assert list(grid.finish()) == []
    ((record, _),) = list(grid.push(at_ms(1150, "N", 0, 0)))
    assert (record["bin_start_ns"], record["event_id"]) == (emit_from_ns, 4)
    assert (record["bin_event_count"], record["bin_seq"]) == (0, 0)
    wanted = stepped(stepped([0, 0, 0], 2 / 0.94, 0.94), 0, 0.15)
    assert grid.cells.by_slot[BID].chains["add"] == pytest.approx(wanted, rel=1e-12)
    (last,) = list(grid.finish())
    assert (last[0]["bin_event_count"], last[0]["event_id"]) == (1, 5)


def test_events_at_the_edge_of_a_bin_belong_to_the_next():
    events = packed([*QUOTES, at_ms(100, "N", 0, 0), at_ms(400, "N", 0, 0)])
    bins = [record for record, _ in Grid(CONFIG, "v2").run(events)]
    assert [b["bin_event_count"] for b in bins] == [2, 1, 0, 0, 1]
    assert [b["event_id"] for b in bins] == [2, 3, 3, 3, 4]
