"""Pictures of synthetic tapes say what their series say, inside the picture, whatever that is."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.control import FAMILIES
from contracts.regime import REGIMES
from islandflow_assets.market_plots import (
    REGIME_COLOURS,
    coverage_chart,
    session_chart,
    smile_chart,
    term_chart,
    volume_chart,
)
from tests.islandflow_assets.pictures import (
    bars,
    is_inside,
    named,
    picture,
    points,
    words,
)

START_NS = 1_768_401_000_000_000_000
MINUTE_NS = 60_000_000_000
BYTES = 60_000
CHARTS = (session_chart, volume_chart, smile_chart, term_chart, coverage_chart)


def curve(symbol="SPY", days=2.0, middle=0.2, moneyness=(-0.05, 0.0, 0.05)):
    volatility = [middle + 0.04, middle, middle - 0.02]
    return {
        "symbol": symbol,
        "days": days,
        "at_the_money": middle,
        "moneyness": list(moneyness),
        "volatility": volatility[: len(moneyness)],
    }


def series(count=12, **changes):
    times = [str(START_NS + k * MINUTE_NS) for k in range(count)]
    windows = max(1, count // 6)
    found = {
        "minutes": 1,
        "times_ns": times,
        "symbols": ["SPY", "QQQ"],
        "prices": {
            "SPY": [500.0 + k for k in range(count)],
            "QQQ": [400.0 - k for k in range(count)],
        },
        "regimes": ["trend_up"] * (count // 2) + ["arb_calm"] * (count - count // 2),
        "phases": ["open"] * count,
        "levels": {},
        "focus": [""] * count,
        "shares": [float(count - k) for k in range(count)],
        "contracts": [1.0] * count,
        "smiles": {
            "time_ns": times[count // 2],
            "curves": [curve(), curve(days=9.0, middle=0.22), curve("QQQ", middle=0.3)],
        },
        "coverage": {
            "window_minutes": 6,
            "times_ns": times[:: max(1, count // windows)][:windows],
            "bursts": {
                family: [place * 3 + k for k in range(windows)]
                for place, family in enumerate(FAMILIES)
            },
        },
    }
    return {**found, **changes}


def test_a_session_shows_the_change_of_each_symbol_over_the_regimes_that_held():
    root = picture(session_chart("a tape · session", series()))
    lines = [points(line) for line in named(root, "polyline")]
    assert [len(line) for line in lines] == [12, 12]
    rising, falling = lines
    assert [y for _, y in rising] == sorted((y for _, y in rising), reverse=True)
    assert [y for _, y in falling] == sorted(y for _, y in falling)
    assert rising[0][1] == falling[0][1]
    bands = {
        band.get("fill"): [float(x) for x in re.findall(r"[MH]([\d.]+)", band.get("d"))]
        for band in named(root, "path", "regime")
    }
    rising_band, calm_band = (bands[REGIME_COLOURS[name]] for name in ("trend_up", "arb_calm"))
    assert rising_band[1] == calm_band[0]
    assert rising_band[1] - rising_band[0] == pytest.approx(calm_band[1] - calm_band[0], abs=0.1)
    said = words(root)
    assert "SPY +2.20 %" in said
    assert "QQQ -2.75 %" in said
    assert {"trend_up", "arb_calm"} <= set(said)
    assert "mean_revert" not in said


def test_a_regime_that_comes_back_has_one_path_of_two_bands():
    regimes = ["trend_up"] * 3 + [None] * 3 + ["trend_up"] * 6
    [band] = named(picture(session_chart("s", series(regimes=regimes))), "path", "regime")
    assert band.get("d").count("M") == 2


def test_every_regime_has_a_colour_of_its_own():
    assert set(REGIME_COLOURS) == set(REGIMES)
    assert len(set(REGIME_COLOURS.values())) == len(REGIMES)


def test_volume_is_drawn_as_shares_of_each_total():
    root = picture(volume_chart("volume", series()))
    heights = [height for _, _, _, height in bars(root)]
    assert len(heights) == 12
    assert heights[0] / heights[-1] == pytest.approx(12.0, rel=0.01)
    [line] = named(root, "polyline")
    assert len({y for _, y in points(line)}) == 1
    assert "shares 78" in words(root)


def test_long_series_of_volume_are_gathered_and_keep_their_sums():
    root = picture(volume_chart("volume", series(390, shares=[1.0] * 390)))
    heights = [height for _, _, _, height in bars(root)]
    assert 40 <= len(heights) <= 80
    assert heights[0] == pytest.approx(heights[10])


def test_a_smile_has_a_line_for_each_expiry_of_one_symbol():
    root = picture(smile_chart("smile", series()))
    lines = [points(line) for line in named(root, "polyline")]
    assert [len(line) for line in lines] == [3, 3]
    for line in lines:
        assert [x for x, _ in line] == sorted(x for x, _ in line)
        assert line[0][1] < line[1][1] < line[2][1]
    assert "SPY at 14:36 UTC, days to expiry" in words(root)
    assert {"2.0 d", "9.0 d"} <= set(words(root))


def test_a_term_structure_has_a_line_for_each_symbol():
    root = picture(term_chart("term", series()))
    near, far = points(named(root, "polyline")[0])
    assert near[0] < far[0]
    assert near[1] > far[1]
    assert {"SPY", "QQQ"} <= set(words(root))


def test_coverage_numbers_every_window_and_marks_those_without():
    bursts = {family: [1, 0] if place == 2 else [2, 4] for place, family in enumerate(FAMILIES)}
    told = series()
    told["coverage"] = {**told["coverage"], "bursts": bursts}
    root = picture(coverage_chart("coverage", told))
    cells = {path.get("fill"): path.get("d").count("M") for path in named(root, "path", "cells")}
    assert sorted(cells.values()) == [1, 6]
    said = words(root)
    assert set(FAMILIES) <= set(said)
    assert "bursts: 37 in windows of 6 minutes · orange: none, 1 of 14" in said
    assert said.count("4") == 6


def test_coverage_of_a_long_tape_shows_the_least_number_of_neighbouring_windows():
    told = series()
    times = [str(START_NS + k * MINUTE_NS) for k in range(200)]
    bursts = {family: [5] * 200 for family in FAMILIES}
    bursts[FAMILIES[0]] = [0 if k == 100 else 5 for k in range(200)]
    told["coverage"] = {"window_minutes": 10, "times_ns": times, "bursts": bursts}
    root = picture(coverage_chart("coverage", told))
    cells = [path.get("d").count("M") for path in named(root, "path", "cells")]
    assert sorted(cells) == [1, 67 * len(FAMILIES) - 1]
    assert "least of 3" in " ".join(words(root))
    assert "none, 1 of 1400" in " ".join(words(root))


def test_a_tape_of_one_day_is_labelled_at_round_times():
    said = words(picture(session_chart("session", series(90))))
    assert {"14:30", "14:45", "15:00", "15:45"} <= set(said)
    assert "UTC, 2026-01-14" in said
    assert "14:31" not in said


def test_a_tape_of_several_days_is_labelled_by_days():
    day = 86_400_000_000_000
    times = [str(START_NS + k * day // 6) for k in range(12)]
    said = words(picture(volume_chart("volume", series(times_ns=times))))
    assert "01-14" in said
    assert "01-16" in said


@pytest.mark.parametrize(
    ("chart", "changes"),
    [
        (session_chart, {"prices": {"SPY": [None] * 12, "QQQ": [None] * 12}}),
        (volume_chart, {"shares": [0.0] * 12, "contracts": [0.0] * 12}),
        (smile_chart, {"smiles": {"time_ns": str(START_NS), "curves": []}}),
        (smile_chart, {"smiles": {"time_ns": str(START_NS), "curves": [curve(moneyness=())]}}),
        (term_chart, {"smiles": {"time_ns": str(START_NS), "curves": []}}),
    ],
)
def test_where_there_is_nothing_to_draw_the_picture_says_so(chart, changes):
    said = words(picture(chart("empty", series(**changes))))
    assert "nothing to draw: there is no finite value" in said


def test_a_tape_without_option_prints_shows_its_shares_alone():
    root = picture(volume_chart("volume", series(contracts=[0.0] * 12)))
    assert len(bars(root)) == 12
    assert named(root, "polyline") == []


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 480), windows=st.integers(1, 60))
def test_whatever_the_series_a_picture_is_small_and_inside_itself(seed, count, windows):
    rng = np.random.default_rng(seed)

    def drawn_values(size):
        whole = np.exp(rng.normal(3, 3, size)) * (rng.random(size) > 0.1)
        return [float(value) if value else None for value in whole]

    codes = rng.integers(-1, len(REGIMES), count).tolist()
    told = series(
        count,
        prices={name: drawn_values(count) for name in ("SPY", "QQQ")},
        regimes=[None if code < 0 else REGIMES[code] for code in codes],
        shares=drawn_values(count),
        contracts=drawn_values(count),
        coverage={
            "window_minutes": 10,
            "times_ns": [str(START_NS + k * 10 * MINUTE_NS) for k in range(windows)],
            "bursts": {family: rng.integers(0, 40, windows).tolist() for family in FAMILIES},
        },
    )
    for chart in CHARTS:
        value = chart('any tape · "quoted" <title> \n& more', told)
        assert len(value.value) < BYTES
        assert is_inside(picture(value))
