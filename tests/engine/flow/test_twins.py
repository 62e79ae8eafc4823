"""Taking a burst out of a tape takes its alert away and adds none: the short form of flow_twins.

The long form, with every subtype on eight seeds, is benchmarks/studies/flow_twins.py.
"""

from functools import cache

import pytest

from benchmarks.studies.flow_twins import BURSTS, Told, case, compared
from contracts.tape_columns import INJECTED

pytestmark = pytest.mark.studies
SEED = 22_000
NAMES = (
    "call_sweep",
    "attention_contract_spike",
    "post_gap_followthrough",
    "short_straddle_harvest",
    "box_spread",
    "dealer_unwind",
)
SECOND_NS = 1_000_000_000
MINE = INJECTED + 1


@cache
def found(name):
    [subtype] = [one for one in BURSTS if one.name == name]
    return case(subtype, SEED)


def told(burst=0, contract=3, hypothesis=0, direction=0, at_s=100):
    start_ns = at_s * SECOND_NS
    return Told(burst, contract, hypothesis, direction, start_ns, start_ns + SECOND_NS, burst > 0)


def judged(with_it, without):
    return compared("call_sweep", SEED, True, 90 * SECOND_NS, with_it, without)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_burst_its_alert_is_gone_and_no_other_there(name):
    assert found(name).printed
    assert found(name).holds


def test_most_of_them_are_alerted_as_what_they_are():
    assert sum(found(name).right for name in NAMES) >= 4
    assert all(found(name).right == found(name).alerted for name in NAMES)


def test_an_alert_of_the_twin_only_is_added_if_it_comes_after_the_burst():
    assert judged([told(MINE)], [told(contract=4)]).added == 1
    assert judged([told(MINE)], [told(contract=4, at_s=80)]).added == 0
    assert not judged([told(MINE)], [told(contract=4)]).holds


def test_nobodys_alerts_are_the_same_if_they_are_of_one_contract_and_time():
    both = judged([told(MINE), told(contract=4)], [told(contract=4)])
    apart = judged([told(MINE), told(contract=4)], [told(contract=4, at_s=130)])
    assert (both.added, both.beside, both.holds) == (0, 0, True)
    assert (apart.added, apart.beside, apart.holds) == (1, 1, False)


def test_alerts_of_other_bursts_that_change_are_counted_apart():
    other = judged([told(MINE), told(7, hypothesis=1)], [told(7)])
    gone = judged([told(MINE)], [told(7, contract=4)])
    come = judged([told(MINE), told(7, contract=4)], [])
    assert [one.changed for one in (other, gone, come)] == [1, 1, 1]
    assert judged([told(MINE), told(7)], [told(7, at_s=101)]).changed == 0
    assert gone.holds


def test_an_alert_in_its_place_remains_whoever_it_is_of():
    assert judged([told(MINE)], [told(7)]).remains
    assert not judged([told(MINE)], [told(7, at_s=140)]).remains
    assert not judged([told(MINE)], [told(7, contract=4)]).remains
