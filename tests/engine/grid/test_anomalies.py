"""What is wrong with events is counted by name, and gaps of time that no session explains refused.

That the counts of the machine are those of the oracle on whole streams is in
test_against_oracle.py; here each name has the one event that it is for.
"""

import numpy as np
import pytest

from contracts.errors import ContractError
from engine.book.layout import ANOMALIES
from engine.grid.api import GridMachine
from engine.grid.kernels import MAX_EMPTY_BINS
from tests.engine.grid.runs import config, joined, pushed
from tests.oracles.order_book import LAST, Event
from tests.oracles.order_streams import (
    BIN_NS,
    MIDDLE_TICK,
    SLOTS,
    START_NS,
    TICK_INT,
    packed,
    well_formed,
)

BID = Event(START_NS, "A", "B", 1, (MIDDLE_TICK - 2) * TICK_INT, 4, 0, 5)
ASK = Event(START_NS, "A", "A", 2, (MIDDLE_TICK + 2) * TICK_INT, 5, 0, 6)
NEXT = BID._replace(order_id=3, sequence=7)
CASES = {
    "duplicate_add": NEXT._replace(order_id=1),
    "unknown_cancel": NEXT._replace(action="C"),
    "unknown_modify": NEXT._replace(action="M"),
    "unknown_fill": NEXT._replace(action="F"),
    "over_cancel": NEXT._replace(action="C", order_id=1, size=5),
    "over_fill": NEXT._replace(action="F", order_id=1, size=5),
    "zero_size": NEXT._replace(size=0),
    "bad_side": NEXT._replace(side="N"),
    "side_change": NEXT._replace(action="M", order_id=1, side="A"),
    "off_tick": NEXT._replace(price_int=BID.price_int + 1),
    "out_of_range": NEXT._replace(price_int=(MIDDLE_TICK - SLOTS) * TICK_INT),
    "time_regression": NEXT._replace(ts_ns=START_NS - 1),
    "sequence_regression": NEXT._replace(sequence=4),
    "crossed": NEXT._replace(price_int=ASK.price_int, flags=LAST),
}


def counted(compat, *rows):
    machine = GridMachine(config(), compat)
    pushed(machine, packed([BID, ASK, *rows]))
    return {name: count for name, count in machine.anomalies.items() if count}


@pytest.mark.parametrize("compat", ["v1", "v2"])
@pytest.mark.parametrize("name", ANOMALIES)
def test_an_anomaly_is_counted_once_under_its_name(name, compat):
    assert counted(compat, CASES[name]) in ({name: 1}, {name: 1, "unconfirmed_fills": 1})


def test_every_anomaly_of_an_event_is_counted():
    event = NEXT._replace(order_id=1, side="N", size=0, price_int=1, ts_ns=0)
    names = ("duplicate_add", "bad_side", "zero_size", "off_tick", "out_of_range")
    assert counted("v2", event) == dict.fromkeys((*names, "time_regression"), 1)


def test_a_fill_is_unconfirmed_until_the_book_follows():
    fill = NEXT._replace(action="F", order_id=1, size=3)
    cancel = fill._replace(action="C")
    assert counted("v2", fill) == {"unconfirmed_fills": 1}
    assert counted("v2", fill, cancel) == {}
    assert counted("v2", fill, cancel._replace(size=2)) == {"unconfirmed_fills": 1}
    assert counted("v2", fill, fill) == {"unconfirmed_fills": 1, "over_fill": 1}
    assert counted("v1", fill) == {}


def test_a_feed_that_is_right_has_no_anomalies():
    machine = GridMachine(config(n_absolute_ticks=4096))
    pushed(machine, well_formed(41, 2_000))
    assert set(machine.anomalies) == {*ANOMALIES, "unconfirmed_fills"}
    assert {name: n for name, n in machine.anomalies.items() if n} == {}


def test_a_time_that_went_back_lands_in_the_open_bin():
    late = NEXT._replace(ts_ns=START_NS + 5 * BIN_NS)
    back = NEXT._replace(order_id=4, ts_ns=START_NS)
    for compat in ("v1", "v2"):
        machine = GridMachine(config(), compat)
        pushed(machine, packed([BID, ASK, late, back]))
        last = machine.finish()
        assert last is not None
        assert last.ints["bin_seq"].tolist() == [5]
        assert last.ints["bin_event_count"].tolist() == [2]


def test_a_gap_that_no_session_explains_is_refused_at_its_row():
    narrow = config(cell_width_ms=1)
    gap_ns = (MAX_EMPTY_BINS + 3) * 1_000_000
    steady = well_formed(42, 50, mean_ns=1e5)
    jumped = steady._replace(ts_ns=steady.ts_ns + np.where(np.arange(50) < 40, 0, gap_ns))
    machine, parts = GridMachine(narrow), []
    with pytest.raises(ContractError) as caught:
        parts.extend(machine.push(jumped))
    assert caught.value.code == "TIME_JUMPS"
    assert caught.value.problems[0].loc == "row 40"
    assert caught.value.problems[0].hints
    assert machine.event_count == 40
    whole = joined(pushed(GridMachine(narrow), steady))["bin_seq"].size
    assert 0 < machine.bin_count <= whole
