"""Where a stream stands by its clock, and the file that keeps it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from islandflow_resources.stream_clocks import (
    StreamClock,
    clock_path,
    read_clock,
    write_clock,
)

WIDTH_NS = 100_000_000


@given(
    start=st.integers(0, 2**62),
    speed=st.floats(0.01, 1e4),
    number=st.integers(0, 10**6),
)
def test_a_bin_is_due_at_its_deadline_and_not_before(start, speed, number):
    clock = StreamClock(start, speed, WIDTH_NS)
    due_ns = clock.deadline_ns(number)
    assert clock.present(due_ns) == number
    assert clock.present(due_ns - 2) == number - 1


def test_no_bin_is_due_at_the_start_nor_before():
    clock = StreamClock(10**18, 1.0, WIDTH_NS)
    assert [clock.present(10**18 + ahead) for ahead in (-(10**12), 0, WIDTH_NS - 1)] == [-1] * 3


@given(now=st.integers(WIDTH_NS, 10**15), speed=st.floats(0.01, 100.0))
def test_another_speed_keeps_the_position(now, speed):
    clock = StreamClock(0, 2.0, WIDTH_NS)
    other = clock.paced(speed, now)
    assert abs(other.present(now) - clock.present(now)) <= 1
    assert other.speed == speed


def test_a_clock_is_read_as_it_was_written_and_nothing_else_is_left(tmp_path):
    path = clock_path(tmp_path, "sha256:" + "ab" * 32)
    clock = StreamClock(1_700_000_000_123_456_789, 2.5, WIDTH_NS)
    for _ in range(2):
        write_clock(path, clock)
    assert read_clock(path, WIDTH_NS) == clock
    assert [one.name for one in path.parent.iterdir()] == [f"{'ab' * 32}.json"]


@pytest.mark.parametrize(
    "change",
    [{"format": "x"}, {"width_ns": 5}, {"speed": 0}, {"speed": "fast"}, {"started_at_ns": None}],
)
def test_a_clock_that_does_not_read_is_none(tmp_path, change):
    path = tmp_path / "clock.json"
    assert read_clock(path, WIDTH_NS) is None
    write_clock(path, StreamClock(7, 1.0, WIDTH_NS))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert read_clock(path, WIDTH_NS) is None
    path.write_bytes(b"\xff{")
    assert read_clock(path, WIDTH_NS) is None
