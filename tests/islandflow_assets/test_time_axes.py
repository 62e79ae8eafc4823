"""Bins become columns of equal time, and labels stand at round times."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from islandflow_assets.drawing import Frame
from islandflow_assets.time_axes import clock, step_line, time_columns, time_ticks
from tests.islandflow_assets.grid_tables import START_NS, WIDTH_NS, bins_of

SECOND = 10**9
ROOM = 530.0


@pytest.mark.parametrize("bins", [1, 2, 159, 160, 161, 319, 36_000])
def test_columns_share_the_bins_in_order_and_none_is_left_over(bins):
    columns = time_columns(bins_of(np.full(bins, 4)), 160)
    assert columns.count == min(bins, 160) or bins > 160
    assert columns.count <= 160
    assert np.unique(columns.of_bin).tolist() == list(range(columns.count))
    assert (np.diff(columns.of_bin) >= 0).all()
    assert columns.count * columns.width_ns >= bins * WIDTH_NS


def test_a_gap_in_time_is_a_gap_of_columns():
    bins = bins_of([4] * 10).take([0, 1, 8, 9])
    columns = time_columns(bins, 4)
    assert columns.of_bin.tolist() == [0, 0, 3, 3]
    means = columns.means(np.array([1.0, 3.0, np.nan, 5.0]))
    assert means.tolist()[::3] == [2.0, 5.0]
    assert np.isnan(means[1:3]).all()
    low, high = columns.ranges(np.array([1.0, 3.0, np.nan, 5.0]))
    assert (low[0], high[0], low[3], high[3]) == (1.0, 3.0, 5.0, 5.0)
    assert np.isnan(low[1:3]).all()


@pytest.mark.parametrize(
    ("span_ns", "first", "second"),
    [
        (WIDTH_NS, "15:00:00.000", "15:00:00.020"),
        (35 * SECOND, "15:00:00", "15:00:05"),
        (1_800 * SECOND, "15:00", "15:05"),
        (86_400 * SECOND, "15:00", "18:00"),
        (40 * 86_400 * SECOND, "2026-02-12", "2026-02-19"),
    ],
)
def test_labels_are_as_fine_as_the_span_needs(span_ns, first, second):
    found = time_ticks(START_NS, START_NS + span_ns, ROOM)
    labels = [label for _, label in found]
    assert labels[0] == first
    assert second in labels[1:3]


@given(st.integers(0, 2**61), st.integers(1, 2**60))
def test_labels_lie_in_the_span_and_have_room(start_ns, span_ns):
    found = time_ticks(start_ns, start_ns + span_ns, ROOM)
    assert len(found) <= 9
    assert all(start_ns <= at_ns <= start_ns + span_ns for at_ns, _ in found)
    assert len({label for _, label in found}) == len(found) or span_ns >= 86_400 * SECOND
    assert len(found) >= 2 or span_ns < 5_000_000


def test_a_midnight_within_days_is_a_date():
    day_ns = 86_400 * SECOND
    labels = [label for _, label in time_ticks(day_ns - 1, 3 * day_ns, ROOM)]
    assert labels == ["1970-01-02", "12:00", "1970-01-03", "12:00", "1970-01-04"]
    assert time_ticks(0, day_ns, ROOM)[0] == (0, "00:00")


def test_a_step_line_is_open_at_what_is_missing_or_outside_and_merges_equal_steps():
    frame = Frame(0, 50, 0, 10, (0, 5), (0, 10))
    drawn = step_line(frame, np.array([1.0, 1.0, math.nan, 2.0, 3.0]))
    assert drawn == "M0.0 9.0H20.0M30.0 8.0H40.0V7.0H50.0"
    assert step_line(frame, np.array([11.0, -1.0])) == ""


def test_a_clock_shows_milliseconds_only_where_steps_need_them():
    at_ns = START_NS + 3_723_456 * 10**6
    assert [clock(at_ns, step) for step in (1, SECOND, 60 * SECOND, 86_400 * SECOND)] == [
        "16:02:03.456",
        "16:02:03",
        "16:02",
        "2026-02-06",
    ]
