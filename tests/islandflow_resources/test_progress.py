"""Progress: lines now and then, whoever listens told of everything."""

import time

import pytest

from islandflow_resources import progress
from islandflow_resources.progress import Progress, listening


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when it is told to."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_listeners_are_told_of_every_step_and_only_while_they_listen():
    told = []
    counting = Progress("trials", lambda line: None)
    counting(0, 9)
    with listening(lambda *step: told.append(step)):
        counting(3, 9)
        counting(9, 9)
    counting(9, 9)
    assert told == [("trials", 3, 9), ("trials", 9, 9)]


def test_a_listener_leaves_also_when_the_work_fails():
    told = []
    with pytest.raises(ValueError, match="broken"), listening(lambda *step: told.append(step)):
        raise ValueError("broken")
    Progress("trials", lambda line: None)(1, 2)
    assert told == []


def test_a_line_tells_share_rate_and_time_left(clock):
    said = []
    counting = Progress("trials", said.append)
    counting(0, 4_000)
    clock[0] += 10.0
    counting(1_000, 4_000)
    assert said == ["25%: 1,000 of 4,000 trials, 100/s, 30 s left"]


def test_what_was_done_before_does_not_count_as_speed(clock):
    said = []
    counting = Progress("chunks", said.append)
    counting(500, 1_000)
    clock[0] += 10.0
    counting(600, 1_000)
    assert said == ["60%: 600 of 1,000 chunks, 10/s, 40 s left"]


def test_lines_are_few_and_far_between(clock):
    said = []
    counting = Progress("trials", said.append)
    for done in range(0, 100_001, 10):
        counting(done, 100_000)
        clock[0] += 0.05
    assert 15 < len(said) <= 20
    hurried = []
    counting = Progress("trials", hurried.append)
    for done in range(1_000):
        counting(done, 1_000)
        clock[0] += 0.004
    assert hurried == []


def test_standing_still_has_no_time_left_to_tell(clock):
    said = []
    counting = Progress("trials", said.append)
    counting(500, 1_000)
    clock[0] += 6.0
    counting(500, 1_000)
    assert said == ["50%: 500 of 1,000 trials, 0/s, time left unknown"]


def test_nothing_to_do_is_all_done(clock):
    said = []
    counting = Progress("trials", said.append)
    clock[0] += 6.0
    counting(0, 0)
    assert said == ["100%: 0 of 0 trials, 0/s, time left unknown"]
    assert progress._listeners == []
