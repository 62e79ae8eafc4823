"""One push an event, any batches and the whole stream give the same bits.

What they give is compared with the oracle in test_against_oracle.py; machines that are frozen in
between are in test_resume.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from engine.grid.api import GridMachine
from tests.engine.grid.runs import (
    SLOW,
    config,
    ended,
    joined,
    pushed,
    unequal,
    wandering,
    whole,
)
from tests.oracles.order_streams import BIN_NS, START_NS, adversarial, streams, well_formed

COMPATS = ("v1", "v2")
FAR = {**SLOW, "n_absolute_ticks": 600, "grid_radius_ticks": 3, "flow_zscore_window_bins": 20}


@pytest.mark.parametrize("compat", COMPATS)
@pytest.mark.parametrize("make", [well_formed, adversarial])
def test_one_push_an_event_gives_the_bits_of_the_whole(make, compat):
    events = make(21, 600)
    wanted = whole(config(**SLOW), events, compat)
    assert wanted["bin_seq"].size > 10
    found = whole(config(**SLOW), events, compat, cuts=range(1, events.rows))
    assert unequal(found, wanted) == []


def test_one_push_an_event_gives_the_bits_of_the_whole_when_prices_wander():
    events = wandering(22, 700)
    wanted = whole(config(**FAR), events)
    assert unequal(whole(config(**FAR), events, cuts=range(1, events.rows)), wanted) == []


_starts = st.one_of(st.none(), st.integers(-2 * BIN_NS, 6 * BIN_NS).map(lambda t: START_NS + t))


@settings(max_examples=30)
@given(streams, st.sampled_from(COMPATS), _starts, st.data())
def test_any_batches_give_the_bits_of_the_whole(events, compat, emit_from_ns, data):
    cuts = data.draw(st.lists(st.integers(0, events.rows), max_size=6))
    wanted = whole(config(**SLOW), events, compat, emit_from_ns)
    assert unequal(whole(config(**SLOW), events, compat, emit_from_ns, cuts), wanted) == []


def test_more_bins_than_there_is_room_for_come_out_in_several_pieces():
    events = well_formed(23, 60, mean_ns=4e9)
    for cuts in ((), (1, 30), range(1, 60)):
        machine = GridMachine(config())
        parts = pushed(machine, events, cuts)
        sequence = joined([*parts, *ended(machine)])["bin_seq"]
        assert (sequence == np.arange(sequence.size)).all()
        assert sequence.size > 400
        assert unequal(whole(config(), events, cuts=cuts), whole(config(), events)) == []


def test_bins_that_came_out_stay_as_they_are():
    machine = GridMachine(config())
    events = well_formed(24, 300)
    parts, kept = [], []
    for row in range(events.rows):
        for bins in machine.push(events.part(row, row + 1)):
            parts.append(bins)
            kept.append({name: array.copy() for name, array in joined([bins]).items()})
    assert len(parts) > 5
    for bins, columns in zip(parts, kept, strict=True):
        assert unequal(joined([bins]), columns) == []


def test_a_bin_comes_out_with_the_first_event_behind_it():
    machine = GridMachine(config())
    events = well_formed(25, 300)
    end_ns = int(events.ts_ns[0]) + BIN_NS
    for row in range(events.rows):
        seen = sum(bins.rows for bins in machine.push(events.part(row, row + 1)))
        now_ns = int(events.ts_ns[row])
        assert seen == max(0, (now_ns - end_ns) // BIN_NS + 1)
        end_ns += seen * BIN_NS
    assert machine.bin_count > 5
    assert machine.event_count == events.rows


def test_nothing_pushed_is_nothing_closed():
    machine = GridMachine(config())
    assert pushed(machine, well_formed(1, 0)) == []
    assert machine.finish() is None
    assert (machine.bin_count, machine.event_count) == (0, 0)


def test_events_before_the_first_bin_close_none():
    events = well_formed(26, 200)
    machine = GridMachine(config(), emit_from_ns=int(events.ts_ns[-1]) + 1)
    assert [*pushed(machine, events), *ended(machine)] == []
    assert machine.event_count == 200


def test_a_batch_with_a_value_below_zero_is_refused_before_any_of_it_is_taken():
    events = well_formed(27, 40)
    for name in ("ts_ns", "size"):
        machine = GridMachine(config())
        pushed(machine, events.part(0, 20))
        column = getattr(events, name).copy()
        column[33:] = -1
        with pytest.raises(ContractError) as caught:
            pushed(machine, events._replace(**{name: column}).part(20, 40))
        assert caught.value.code == "MBO_VALUE_INVALID"
        assert caught.value.problems[0].loc == "row 33"
        assert name in caught.value.problems[0].message
        pushed(machine, events.part(20, 40))
        assert machine.event_count == 40
