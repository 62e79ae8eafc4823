"""Stretches of five minutes: which there are, and any batches brought into their form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ComputeError
from contracts.regime import BUCKET_NS
from contracts.tape import profile_from, spec_from
from contracts.tape_columns import STREAMS
from contracts.tape_defaults import default_profile
from islandflow_resources.tape_buckets import buckets_of, by_bucket, joined
from islandflow_resources.tape_specs import resolve
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec

SECOND_NS = 1_000_000_000
SPEC = plain_spec(symbols=1, seconds=30, start_s=285)
WHOLE = list(PlainTape(SPEC, 5, 1).batches())


def equal(one, other):
    same = (one.start_ns, one.end_ns) == (other.start_ns, other.end_ns)
    pairs = [(one.streams[name], other.streams[name]) for name in STREAMS]
    pairs += [(one.print_labels, other.print_labels), (one.session_states, other.session_states)]
    for mine, theirs in pairs:
        same &= all(np.array_equal(mine[name], theirs[name]) for name in theirs)
    return same and (one.focus, one.events) == (other.focus, other.events)


def test_stretches_cover_open_hours_and_nothing_else():
    document = default_profile(1).model_dump(mode="json")
    document["session"] |= {"first_date": "2026-11-25", "count": 2, "skip_s": 100}
    spec = resolve(profile_from(document))
    buckets = buckets_of(spec)
    assert len(buckets) == 78 + 42
    assert buckets[0] == (spec.start_ns, spec.sessions[0].open_ns + BUCKET_NS)
    assert buckets[78].start_ns == spec.sessions[1].open_ns
    assert buckets[-1].end_ns == spec.end_ns
    inside = sum(bucket.end_ns - bucket.start_ns for bucket in buckets)
    assert inside == (23_400 + 12_600 - 100) * SECOND_NS
    assert all(bucket.start_ns % BUCKET_NS == 0 for bucket in buckets[1:])


@settings(max_examples=40)
@given(st.lists(st.integers(1, 29), max_size=6))
def test_however_batches_are_cut_the_stretches_are_the_same(seconds):
    edges = sorted({*seconds, 30})
    tape = PlainTape(SPEC, 5, 1)
    parts = [tape.advance(SPEC.start_ns + second * SECOND_NS) for second in edges]
    found = list(by_bucket(parts, buckets_of(SPEC)))
    assert len(found) == len(WHOLE)
    assert all(equal(one, other) for one, other in zip(found, WHOLE, strict=True))


def test_one_batch_over_all_stretches_is_cut():
    found = list(by_bucket([joined(WHOLE)], buckets_of(SPEC)))
    assert all(equal(one, other) for one, other in zip(found, WHOLE, strict=True))


def two_sessions():
    document = default_profile(1).model_dump(mode="json")
    document["session"] |= {"count": 2, "skip_s": 23_280}
    spec = resolve(profile_from(document)).model_dump(mode="json")
    end = int(spec["sessions"][1]["open_ns"]) + 120 * SECOND_NS
    return spec_from({**spec, "end_ns": str(end)})


def test_empty_batches_over_a_night_are_passed_over():
    spec = two_sessions()
    night = [spec.sessions[0].close_ns, spec.sessions[1].open_ns]
    tape, made = PlainTape(spec, 5, 1), PlainTape(spec, 5, 1)
    expected = list(tape.batches())
    assert len(expected) == 2
    last = made.advance(night[0])
    empty = PlainTape(spec, 5, 0)
    empty.position_ns = night[0]
    dark = empty.advance(night[0] + 600 * SECOND_NS)._replace(end_ns=night[1])
    dark.session_states["ts_ns"] = dark.session_states["ts_ns"][:0]
    made.position_ns = night[1]
    found = list(by_bucket([last, dark, made.advance(spec.end_ns)], buckets_of(spec)))
    assert [one.rows for one in found] == [one.rows for one in expected]


def test_events_while_the_exchange_is_closed_are_refused():
    spec = two_sessions()
    tape = PlainTape(spec, 5, 1)
    parts = [tape.advance(spec.sessions[0].close_ns + 60 * SECOND_NS)]
    with pytest.raises(ComputeError, match="TAPE_EVENT_OUTSIDE"):
        list(by_bucket(parts, buckets_of(spec)))


def test_events_that_end_too_early_or_too_late_are_refused():
    with pytest.raises(ComputeError, match="TAPE_INCOMPLETE"):
        list(by_bucket(WHOLE[:1], buckets_of(SPEC)))
    tape = PlainTape(SPEC, 5, 1)
    with pytest.raises(ComputeError, match="TAPE_EVENT_OUTSIDE"):
        list(by_bucket([tape.advance(SPEC.end_ns + SECOND_NS)], buckets_of(SPEC)))
    with pytest.raises(ComputeError, match="TAPE_EVENT_OUTSIDE"):
        list(by_bucket([*WHOLE, tape.advance(SPEC.end_ns + 2 * SECOND_NS)], buckets_of(SPEC)))
