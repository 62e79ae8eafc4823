"""What is said depends on earlier events only, on no batch, on no code and on nothing unlisted."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.smart_flow import HYPOTHESES
from tests.engine.flow.feeds import (
    MS,
    SECOND,
    START,
    SYMBOLS,
    arrays,
    calendar,
    chain,
    detected,
    detector,
    equity_quote,
    feed,
    listed,
    nbbo,
    numbered,
    option_print,
    policy,
)
from tests.engine.flow.told_rows import digest, rows_of

SEEDS = st.integers(0, 2**32)
COUNT = 250
SCORES = [*(f"z_{name}" for name in HYPOTHESES), "confidence", "hypothesis_type", "direction"]
RING = {"AUTO": "ISO", "ISO": "AUTO", "AUCTION": "CROSS", "CROSS": "AUCTION"}
WORDY = {"min_print_usd": 0.5}


@settings(max_examples=25)
@given(seed=SEEDS, cuts=st.lists(st.integers(0, COUNT), max_size=30))
def test_cuts_into_batches_change_no_byte(seed, cuts):
    events = feed(seed, COUNT)
    under = policy(1, WORDY)
    whole = detected(detector(under), events)
    assert digest(detected(detector(under), events, cuts)) == digest(whole)


def test_events_one_by_one_give_the_bytes_of_all_at_once():
    events = feed(7, COUNT)
    cuts = range(1, len(events))
    under = policy(1, WORDY)
    assert digest(detected(detector(under), events, cuts)) == digest(
        detected(detector(under), events)
    )


@settings(max_examples=25)
@given(
    seed=SEEDS,
    late_ms=st.sampled_from([1, 700, 4_000]),
    cuts=st.lists(st.integers(0, 2 * COUNT), max_size=10),
)
def test_shuffled_and_doubled_events_within_the_lateness_change_no_byte(seed, late_ms, cuts):
    events = feed(seed, COUNT)
    drawn = random.Random(seed)
    twice = drawn.sample(events, 40)
    due = [(event["ts_ns"] + drawn.randrange(late_ms * MS), event) for event in [*events, *twice]]
    came = [event for _, event in sorted(due, key=lambda one: one[0])]
    under = policy(1, WORDY)
    late = detector(under, lateness_ns=late_ms * MS)
    found = detected(late, came, cuts)
    assert digest(found) == digest(detected(detector(under), events))
    assert (late.watermark.late, late.watermark.repeated) == (0, len(twice))


def test_events_beyond_the_watermark_are_counted_and_dropped():
    events = numbered([equity_quote(START + at * SECOND) for at in range(10)])
    late = detector(policy(), lateness_ns=2 * SECOND)
    late.push(arrays(events[1:]))
    late.push(arrays([events[0], {**events[6], "seq": 100}]))
    late.push(arrays([events[9], events[9]]))
    assert (late.watermark.late, late.watermark.repeated) == (2, 2)


def test_a_late_event_changes_nothing_that_is_said():
    events = feed(11, COUNT)
    under = policy(1, WORDY)
    made = detector(under, lateness_ns=SECOND)
    parts = [made.push(arrays(events[:200]))]
    late = [event for event in events[:200] if event["ts_ns"] < events[199]["ts_ns"] - SECOND]
    parts += [made.push(arrays(late)), made.push(arrays(events[200:])), made.finish()]
    joined = {key: np.concatenate([part.hypotheses[key] for part in parts]) for key in SCORES}
    wanted = detected(detector(under), events).hypotheses
    assert made.watermark.late == len(late) > 100
    assert all(np.array_equal(joined[key], wanted[key]) for key in SCORES)


@settings(max_examples=20)
@given(seed=SEEDS, part=st.floats(0.05, 0.95))
def test_what_is_said_by_a_second_needs_no_event_from_then_on(seed, part):
    events = feed(seed, COUNT)
    first, last = events[0]["ts_ns"], events[-1]["ts_ns"]
    until = int(first + part * (last - first)) // SECOND * SECOND
    under = policy(1, WORDY)
    whole, cut = (
        rows_of(detected(detector(under), one))
        for one in (events, [event for event in events if event["ts_ns"] < until])
    )
    early = [row for row in whole["smart_flow_hypotheses"] if row["emitted_ns"] <= until]
    assert early == [row for row in cut["smart_flow_hypotheses"] if row["emitted_ns"] <= until]
    clusters = {row["cluster_seq"] for row in early}
    for table in ("flow_prints", "flow_packets"):
        kept = [
            [row for row in one[table] if row["cluster_seq"] in clusters] for one in (whole, cut)
        ]
        assert kept[0] == kept[1]
    dark = [row for row in whole["dark_events"] if row["ts_ns"] < until]
    assert dark == cut["dark_events"]


def test_the_cut_is_tested_with_something_said_before_it():
    events = feed(5, COUNT)
    told = rows_of(detected(detector(policy(1, WORDY)), events))["smart_flow_hypotheses"]
    middle = (events[0]["ts_ns"] + events[-1]["ts_ns"]) // 2
    assert 10 < sum(row["emitted_ns"] <= middle for row in told) < len(told) - 10


def scores(found, seq_lead=0):
    """What is said of each cluster, by its number."""
    return {
        row["cluster_seq"] - seq_lead: [row[key] for key in SCORES]
        for row in rows_of(found)["smart_flow_hypotheses"]
    }


@settings(max_examples=20)
@given(seed=SEEDS)
def test_codes_of_symbols_contracts_and_venues_and_words_of_one_meaning_move_no_score(seed):
    drawn = random.Random(seed)
    events, contracts = feed(seed, COUNT), chain()
    symbols = drawn.sample(range(SYMBOLS), SYMBOLS)
    places = drawn.sample(range(len(contracts)), len(contracts))
    venues = ["CBOE", "AMEX", "BOX", "BZX", "C2"]
    renamed = dict(zip(venues, drawn.sample([*venues, "PHLX", "MIAX"], 5), strict=True))
    moved = [{**row, "symbol": symbols[row["symbol"]]} for row in contracts]
    turned = [moved[places.index(place)] for place in range(len(contracts))]
    scheduled = [{**row, "symbol": symbols[row["symbol"]]} for row in calendar()]
    disguised = [
        {
            **event,
            **({"symbol": symbols[event["symbol"]]} if "symbol" in event else {}),
            **({"contract": places[event["contract"]]} if "contract" in event else {}),
        }
        for event in events
    ]
    for event in disguised:
        if event["stream"] == "option_prints":
            event["exchange"] = renamed[event["exchange"]]
            event["condition"] = RING[event["condition"]]
    under = policy(2, WORDY)
    plain = scores(detected(detector(under), events))
    assert plain
    assert scores(detected(detector(under, turned, scheduled), disguised)) == plain


@settings(max_examples=10)
@given(seed=SEEDS, lead=st.integers(1, 2**40))
def test_a_constant_added_to_every_number_moves_no_score(seed, lead):
    events = feed(seed, COUNT)
    moved = [{**event, "seq": event["seq"] + lead} for event in events]
    under = policy(2, WORDY)
    assert scores(detected(detector(under), moved), lead) == scores(
        detected(detector(under), events)
    )


def held_bytes(made):
    """Bytes of the arrays that a detector holds between batches; of views, of what they keep."""
    arrays_held = [*made._state, *made.watermark._waiting.values()]
    return sum((array if array.base is None else array.base).nbytes for array in arrays_held)


def test_what_is_held_depends_on_the_batches_and_does_not_grow_with_the_feed():
    made = detector(policy(1, WORDY))
    sizes = []
    for lap in range(30):
        moved = [
            {**one, "seq": lap * 1000 + one["seq"], "ts_ns": one["ts_ns"] + lap * 3600 * SECOND}
            for one in feed(lap % 3, 500)
        ]
        for start in range(0, len(moved), 50):
            made.push(arrays(moved[start : start + 50]))
        sizes.append(held_bytes(made))
    assert sizes[6:] == [*sizes[3:6]] * 8


def test_what_is_held_does_not_grow_with_the_batch_either():
    pieces = [arrays(feed(lap, 400)) for lap in range(4)]
    held = []
    for laps in (100, 400):
        late = [(lap * 1000, lap * 3600 * SECOND) for lap in range(laps)]
        events = {
            name: np.concatenate(
                [
                    pieces[lap % 4][name] + [seq, ts_ns, *[0] * (pieces[0][name].shape[1] - 2)]
                    for lap, (seq, ts_ns) in enumerate(late)
                ]
            )
            for name in pieces[0]
        }
        made = detector(policy(1, WORDY))
        made.push(events)
        held.append(held_bytes(made))
        assert len(events["option_prints"]) > 16_384
    assert held[1] <= 1.05 * held[0]


@pytest.mark.parametrize("code", [-1, 24, 2**40])
@pytest.mark.parametrize("make", [nbbo, option_print])
def test_an_event_of_an_unlisted_contract_is_refused_before_anything_changes(code, make):
    events = feed(4, COUNT)
    under = policy(1, WORDY)
    made = detector(under)
    parts = [made.push(arrays(events[:100]))]
    strange = {**make(events[100]["ts_ns"], code), "seq": events[100]["seq"]}
    with pytest.raises(ContractError) as refused:
        made.push(arrays([*events[100:150], strange]))
    assert refused.value.code == "FLOW_CONTRACT_UNKNOWN"
    assert f"contract {code}, 24 are listed" in str(refused.value)
    parts += [made.push(arrays(events[100:])), made.finish()]
    wanted = detected(detector(under), events)
    for place, table in enumerate(wanted):
        for key, values in table.items():
            assert np.array_equal(np.concatenate([part[place][key] for part in parts]), values)


def test_contracts_and_symbols_may_be_listed_while_the_feed_runs():
    events = [event for event in feed(9, 400) if event.get("symbol", 0) == 0]
    first = [event for event in events if event.get("contract", 0) < 6][:50]
    later = [event for event in events if event["ts_ns"] > first[-1]["ts_ns"]]
    under = policy(1, WORDY)
    made = detector(under, chain()[:6], symbols=1)
    said = [made.push(arrays(first))]
    made.list_symbols(SYMBOLS)
    made.list_contracts(listed(chain()))
    said += [made.push(arrays(later)), made.finish()]
    wanted = detected(detector(under), [*first, *later])
    for key in SCORES:
        found = np.concatenate([part.hypotheses[key] for part in said])
        assert np.array_equal(found, wanted.hypotheses[key])
