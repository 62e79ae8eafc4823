"""A machine frozen at any event and thawed in another goes on to the bit.

Files of frozen machines are tested with the checkpoints; batches alone are in test_live.py.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.grid.api import GridMachine
from tests.engine.grid.runs import (
    SLOW,
    config,
    ended,
    final,
    joined,
    pushed,
    unequal,
    wandering,
    whole,
)
from tests.oracles.order_streams import BIN_NS, START_NS, adversarial, streams, well_formed

COMPATS = ("v1", "v2")
FAR = {**SLOW, "n_absolute_ticks": 600, "grid_radius_ticks": 3, "flow_zscore_window_bins": 20}


def interrupted(wanted, events, compat, cuts, emit_from_ns=None):
    """A run that is frozen at each cut and goes on in a machine that saw nothing."""
    machine, parts = GridMachine(wanted, compat, emit_from_ns), []
    start = 0
    for cut in sorted(cuts):
        parts += pushed(machine, events.part(start, cut))
        frozen, start = machine.freeze(), cut
        machine = GridMachine(wanted, compat, emit_from_ns)
        machine.thaw(frozen)
    parts += [*pushed(machine, events.part(start, events.rows)), *ended(machine)]
    return joined(parts) | final(machine)


_starts = st.one_of(st.none(), st.integers(-2 * BIN_NS, 6 * BIN_NS).map(lambda t: START_NS + t))


@settings(max_examples=30)
@given(streams, st.sampled_from(COMPATS), _starts, st.data())
def test_a_run_frozen_anywhere_is_the_run(events, compat, emit_from_ns, data):
    cuts = data.draw(st.lists(st.integers(0, events.rows), min_size=1, max_size=3))
    found = interrupted(config(**SLOW), events, compat, cuts, emit_from_ns)
    assert unequal(found, whole(config(**SLOW), events, compat, emit_from_ns)) == []


@pytest.mark.parametrize("compat", COMPATS)
def test_a_run_frozen_before_every_event_is_the_run(compat):
    events = adversarial(31, 150)
    found = interrupted(config(), events, compat, range(151))
    assert unequal(found, whole(config(), events, compat)) == []


def test_a_run_frozen_while_slots_are_far_away_is_the_run():
    events = wandering(32, 800)
    found = interrupted(config(**FAR), events, "v2", range(37, 800, 61))
    assert unequal(found, whole(config(**FAR), events)) == []


def test_a_run_with_many_cells_and_orders_is_the_run():
    wide = {**FAR, "n_absolute_ticks": 2_000}
    events = wandering(33, 9_000, ticks=390, bins=40)
    events = events._replace(order_id=events.ts_ns)
    machine = GridMachine(config(**wide))
    pushed(machine, events)
    assert machine.state.market.orders.shape[0] > 4096
    assert machine.state.rows.shape[0] > 256
    found = interrupted(config(**wide), events, "v2", (4_500, 8_000))
    assert unequal(found, whole(config(**wide), events)) == []


@pytest.mark.parametrize("compat", COMPATS)
def test_what_was_frozen_does_not_change_while_the_machine_goes_on(compat):
    events = well_formed(34, 400)
    machine = GridMachine(config(), compat)
    pushed(machine, events.part(0, 200))
    frozen = machine.freeze()
    kept = {name: array.copy() for name, array in frozen.items()}
    pushed(machine, events.part(200, 400))
    assert unequal(frozen, kept) == []


def test_a_thawed_machine_leaves_what_was_frozen_alone():
    events = well_formed(35, 400)
    machine = GridMachine(config())
    pushed(machine, events.part(0, 200))
    frozen = machine.freeze()
    kept = {name: array.copy() for name, array in frozen.items()}
    for _ in range(2):
        other = GridMachine(config())
        other.thaw(frozen)
        parts = [*pushed(other, events.part(200, 400)), *ended(other)]
        assert unequal(frozen, kept) == []
    going_on = [*pushed(machine, events.part(200, 400)), *ended(machine)]
    assert unequal(joined(parts), joined(going_on)) == []


def test_a_machine_that_had_no_bin_yet_starts_where_the_new_one_is_told():
    events = well_formed(36, 400)
    for told_ns in (int(events.ts_ns[200]), int(events.ts_ns[300]) - 1):
        warm = GridMachine(config(), emit_from_ns=int(events.ts_ns[-1]) + 1)
        assert pushed(warm, events.part(0, 200)) == []
        machine = GridMachine(config(), emit_from_ns=told_ns)
        machine.thaw(warm.freeze())
        parts = [*pushed(machine, events.part(200, 400)), *ended(machine)]
        found = joined(parts) | final(machine)
        assert unequal(found, whole(config(), events, emit_from_ns=told_ns)) == []


def test_a_machine_that_had_bins_goes_on_with_them_whatever_the_new_one_is_told():
    events = well_formed(37, 400)
    first = GridMachine(config())
    parts = pushed(first, events.part(0, 200))
    machine = GridMachine(config(), emit_from_ns=int(events.ts_ns[-1]) + 1)
    machine.thaw(first.freeze())
    parts += [*pushed(machine, events.part(200, 400)), *ended(machine)]
    assert unequal(joined(parts) | final(machine), whole(config(), events)) == []


def test_a_frozen_machine_is_as_large_as_what_it_saw():
    wide = config(n_absolute_ticks=100_000)
    machine = GridMachine(wide)
    pushed(machine, well_formed(38, 400))
    held = sum(array.nbytes for array in machine.freeze().values())
    assert held < 400_000
