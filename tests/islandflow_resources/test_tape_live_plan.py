"""Plans of live tapes: seconds and when they are due, documents, and what they refuse."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.control import SECOND_NS
from contracts.errors import ContractError, IntegrityError
from contracts.tape import spec_from
from islandflow_resources.tape_live_plan import (
    OpenSeconds,
    Pace,
    read_plan,
    refuse_other_plan,
)
from islandflow_resources.tape_specs import resolve
from tests.islandflow_resources.live_tapes import SPEED, log_of, plan, profile, told

WALL_NS = 1_798_761_600 * SECOND_NS
NIGHT_S = 63_000
"""From a close at 16:00 to the next open at 9:30."""


def two_days(before_s, after_s):
    """A spec from shortly before a close to shortly after the next open."""
    mine = profile()
    session = mine.session.model_copy(
        update={
            "count": 2,
            "skip_s": 23_400 - before_s,
            "duration_s": before_s + NIGHT_S + after_s,
        }
    )
    return resolve(mine.model_copy(update={"session": session}))


# -- seconds ------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(st.integers(1, 700), st.integers(1, 700))
def test_seconds_are_those_that_the_exchange_is_open_in_their_order(before_s, after_s):
    spec = two_days(before_s, after_s)
    seconds = OpenSeconds(spec)
    opened = [
        ns
        for ns in range(spec.start_ns, spec.end_ns, SECOND_NS)
        if any(one.open_ns <= ns < one.close_ns for one in spec.sessions)
    ]
    assert len(seconds) == len(opened) == before_s + after_s
    assert [seconds[number] for number in range(len(seconds))] == list(enumerate(opened))
    ends = [spec.start_ns, *(ns + SECOND_NS for ns in opened)]
    assert [seconds.end_ns(count) for count in range(len(seconds) + 1)] == ends


@pytest.mark.parametrize("number", [-1, 20])
def test_there_is_no_second_outside(number):
    with pytest.raises(IndexError):
        OpenSeconds(plan().spec)[number]


def test_a_second_is_due_when_it_is_over_at_the_pace_of_the_tape_without_its_nights():
    seconds = OpenSeconds(two_days(10, 5))
    pace = Pace(clock="from_start", started_ns=WALL_NS, speed=4.0)
    due = [pace.due_ns(seconds[number]) for number in range(15)]
    assert due == [WALL_NS + (number + 1) * SECOND_NS // 4 for number in range(15)]


def test_on_the_walls_own_time_a_second_is_due_at_its_end():
    seconds = OpenSeconds(two_days(10, 5))
    pace = Pace(clock="wall", started_ns=WALL_NS, speed=1.0)
    for number in range(15):
        assert pace.due_ns(seconds[number]) == seconds[number].start_ns + SECOND_NS


# -- documents ----------------------------------------------------------------------------------


def test_a_plan_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "plan.json"
    assert read_plan(path) is None
    path.write_bytes(plan().to_bytes())
    assert read_plan(path) == plan()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda text: "{", "plan.json#line 1 column 2"),
        (lambda text: text.replace('"islandflow-live/1"', '"islandflow-live/2"'), "/format"),
        (lambda text: text.replace('"speed":60', '"speed":0'), "/pace/speed"),
        (lambda text: text.replace('"run_name"', '"run_title"'), "/run_"),
    ],
)
def test_a_plan_that_does_not_read_is_refused_with_its_pointer(tmp_path, change, where):
    path = tmp_path / "plan.json"
    path.write_text(change(plan().to_bytes().decode()))
    with pytest.raises(IntegrityError) as refused:
        read_plan(path)
    assert refused.value.code == "LIVE_PLAN_INVALID"
    assert where in refused.value.loc


def test_the_same_fields_are_gone_on_with_and_others_are_told_with_both_values():
    whole = plan().model_dump(mode="json")
    refuse_other_plan(plan(), {"pace": whole["pace"], "profile": whole["profile"]}, "here")
    other = {
        "run_name": "another",
        "pace": {**whole["pace"], "speed": 2.0},
        "seed_bundle": {**whole["seed_bundle"], "seed": "4"},
    }
    with pytest.raises(ContractError) as refused:
        refuse_other_plan(plan(), other, "here")
    found = {problem.loc: problem for problem in refused.value.problems}
    assert set(found) == {"/run_name", "/pace/speed", "/seed_bundle/seed"}
    assert {problem.code for problem in found.values()} == {"LIVE_PLAN_OTHER"}
    assert f"is {SPEED:g} there, here 2" in found["/pace/speed"].message


def test_the_spec_under_a_log_is_the_one_that_the_profile_means_with_it():
    spec = plan().spec
    versions = told((spec.start_ns, "event_day"), (spec.end_ns, "quiet_range"))
    mine = plan().profile.model_copy(update={"control": log_of(versions)})
    assert plan().spec_under(log_of(versions)) == resolve(mine)
    half_ns = spec.start_ns + 10 * SECOND_NS
    half = spec_from({**resolve(mine).model_dump(mode="json"), "end_ns": str(half_ns)})
    assert plan().spec_under(log_of(versions), half_ns) == half
