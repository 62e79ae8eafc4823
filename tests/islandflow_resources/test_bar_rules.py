"""What bars must obey: every rule by its code, its first row and the values it quotes."""

import pytest

from tests.islandflow_resources.ohlcv_files import (
    FORMATS,
    HOUR_NS,
    START_NS,
    bars,
    place,
    read,
    refused,
    write,
)


@pytest.fixture(params=FORMATS)
def path(tmp_path, request):
    return tmp_path / f"bars{request.param}"


VALUES = [
    ("DATA_NOT_FINITE", {"open": {2: None}}, 2, "open is null"),
    ("DATA_NOT_FINITE", {"volume": {5: float("nan")}}, 5, "volume is nan"),
    ("DATA_NOT_FINITE", {"high": {0: float("inf")}}, 0, "high is inf"),
    ("DATA_NOT_FINITE", {"low": {1: float("-inf")}}, 1, "low is -inf"),
    ("DATA_NOT_FINITE", {"ts_ns": {3: None}}, 3, "ts_ns is null"),
    ("DATA_PRICE", {"low": {2: 0.0}}, 2, "low 0.0"),
    ("DATA_PRICE", {"low": {2: -3.5}, "close": {2: -1.0}}, 2, "close -1.0"),
    ("DATA_HIGH_LOW", {"high": {1: 8.5}, "low": {1: 8.75}}, 1, "high 8.5, low 8.75"),
    ("DATA_HIGH_LOW", {"open": {3: 99.5}}, 3, "open 99.5, high 15.5"),
    ("DATA_HIGH_LOW", {"close": {4: 99.5}}, 4, "close 99.5"),
    ("DATA_HIGH_LOW", {"open": {5: 1.5}}, 5, "open 1.5"),
    ("DATA_HIGH_LOW", {"close": {0: 1.5}}, 0, "close 1.5"),
    ("DATA_VOLUME", {"volume": {4: -0.5}}, 4, "volume -0.5"),
    ("DATA_DUPLICATE", {"ts_ns": {3: START_NS + 2 * HOUR_NS, 4: START_NS + 3 * HOUR_NS,
     5: START_NS + 4 * HOUR_NS}}, 3,
     "2024-01-01T02:00:00Z follows the bar at 2024-01-01T02:00:00Z"),
    ("DATA_DISORDER", {"ts_ns": {2: START_NS + 3 * HOUR_NS, 3: START_NS + 2 * HOUR_NS}}, 3,
     "2024-01-01T02:00:00Z follows the bar at 2024-01-01T03:00:00Z"),
    ("DATA_GAP", {"ts_ns": {5: START_NS + 6 * HOUR_NS}}, 5,
     "2024-01-01T06:00:00Z follows the bar at 2024-01-01T04:00:00Z"),
    ("DATA_STEP", {"ts_ns": {5: START_NS + 4 * HOUR_NS + 1}}, 5, "04:00:00.000000001Z"),
    ("DATA_GAP", {"ts_ns": {0: -(2**63) + 1}}, 1, "follows the bar at 1677"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changes", "row", "quoted"), VALUES)
def test_a_broken_rule_is_told_with_its_row_and_values(path, code, changes, row, quoted):
    error = refused(write(path, bars(**changes)))
    assert [(each.code, each.loc) for each in error.problems] == [(code, place(path.suffix, row))]
    assert quoted in error.message


def test_every_broken_rule_is_told_once_and_by_row(path):
    changes = {
        "volume": {1: -1.0, 2: -2.0},
        "open": {4: None},
        "high": {2: float("nan"), 3: 1.0},
        "low": {5: -1.0},
        "ts_ns": {0: START_NS - 1},
    }
    error = refused(write(path, bars(**changes)))
    assert [(each.code, each.loc) for each in error.problems] == [
        ("DATA_VOLUME", place(path.suffix, 1)),
        ("DATA_GAP", place(path.suffix, 1)),
        ("DATA_NOT_FINITE", place(path.suffix, 2)),
        ("DATA_HIGH_LOW", place(path.suffix, 3)),
        ("DATA_PRICE", place(path.suffix, 5)),
    ]


def test_the_line_counts_empty_lines_that_the_rows_do_not(tmp_path):
    path = write(tmp_path / "bars.csv", bars(volume={4: -1.0}))
    lines = path.read_text().split("\n")
    path.write_text("\n\n" + "\r\n".join([*lines[:3], "", "", *lines[3:]]) + "\r\n\r\n")
    error = refused(path)
    assert (error.code, error.loc) == ("DATA_VOLUME", "row 4, line 10")
    assert path.read_text().split("\n")[9].endswith("-1.0")


def session_bars(days=3, hours=3):
    ts_ns = [
        START_NS + (24 * day + 14 + hour) * HOUR_NS for day in range(days) for hour in range(hours)
    ]
    return bars(days * hours) | {"ts_ns": ts_ns}


def test_a_closed_market_is_a_gap_unless_sessions_are_allowed(path):
    write(path, session_bars())
    error = refused(path)
    assert (error.code, error.loc) == ("DATA_GAP", place(path.suffix, 3))
    assert "--sessions" in error.hints[0]
    file = read(path, "1h", 3.0, sessions=True)
    assert file.ts_ns.tolist() == session_bars()["ts_ns"]


@pytest.mark.parametrize(("drop", "code"), [(1, "DATA_GAP"), (None, None)])
def test_with_sessions_a_hole_within_a_day_is_still_a_gap(path, drop, code):
    columns = {name: [v for row, v in enumerate(values) if row != drop]
               for name, values in session_bars().items()}  # fmt: skip
    write(path, columns)
    if code is None:
        assert len(read(path, sessions=True).ts_ns) == 9
        return
    error = refused(path, sessions=True)
    assert (error.code, error.loc) == (code, place(path.suffix, 1))
    assert "--sessions" not in error.hints[0]


def test_with_sessions_bars_too_close_over_midnight_are_refused(path):
    columns = bars(3) | {"ts_ns": [START_NS - HOUR_NS - 1, START_NS - 1, START_NS + HOUR_NS // 2]}
    error = refused(write(path, columns), sessions=True)
    assert (error.code, error.loc) == ("DATA_STEP", place(path.suffix, 2))


@pytest.mark.parametrize(("timeframe", "code"), [("1m", "DATA_GAP"), ("4h", "DATA_STEP")])
def test_another_timeframe_is_suspected_where_the_steps_say_so(path, timeframe, code):
    error = refused(write(path, bars()), timeframe, 6.0)
    assert error.code == code
    assert "most bars are 1h apart" in error.hints[0]
