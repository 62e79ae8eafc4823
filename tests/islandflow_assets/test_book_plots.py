"""Depth, state score and scorecard are shown as the numbers that they are."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tapes.mbo.scorecard import Scorecard, Statistic
from islandflow_assets.book_plots import (
    depth_profile,
    scorecard_table,
    state_gauges,
    tape_depth,
)
from tests.islandflow_assets.grid_tables import TICK, bins_of, rows_of, runtime
from tests.islandflow_assets.pictures import (
    bars,
    is_inside,
    named,
    numbers,
    picture,
    points,
    words,
)

BYTES = 60_000
ANY = st.floats(width=64)


def state_bins(scores, ready=None, bull=0.25, bear=0.5, mixed=0.25, code=-1):
    """Bins with scores of the state model, the same intensities in each."""
    count = len(scores)
    return bins_of(
        [400] * count,
        state_model_score=np.array(scores, dtype=np.float64),
        state_model_ready=[True] * count if ready is None else ready,
        state_model_sample_count=np.arange(1, count + 1),
        state_model_bull_intensity=np.full(count, bull),
        state_model_bear_intensity=np.full(count, bear),
        state_model_mixed_intensity=np.full(count, mixed),
        state_model_dominant_state5_code=np.full(count, code),
    )


def blocks(path):
    """Left, right, top and floor of every block of an area."""
    found = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)V[\d.]+z", path.get("d"))
    return [(float(x), float(x2), float(y), float(y0)) for x, y0, y, x2 in found]


def depth_rows(radius, bid, ask):
    return rows_of(radius, bid_depth=np.array(bid, float), ask_depth=np.array(ask, float))


def test_depth_is_the_mean_by_distance_and_the_last_bin_a_line():
    bid = [[4, 2, 0], [8, 0, 0], [99, 99, 99]]
    ask = [[0, 0, 6], [0, 0, 2], [99, 99, 99]]
    value = depth_profile("depth", runtime(1), bins_of([400, 401, 0]), depth_rows(1, bid, ask))
    root = picture(value)
    mean_bid, mean_ask = (
        [floor - top for _, _, top, floor in blocks(path)] for path in named(root, "path", "mean")
    )
    assert mean_bid[0] == pytest.approx(6 * mean_bid[1], rel=0.02)
    assert mean_ask[0] == pytest.approx(4 * mean_bid[1], rel=0.02)
    last_bid, last_ask = (path.get("d") for path in named(root, "path", "last"))
    assert last_bid.count("H") == last_ask.count("H") == 1
    assert {"bid 7 lots", "ask 4", "spot", "ticks from the spot →"} <= set(words(root))
    assert "areas: mean, bins: 2 · lines: last bin, 15:00:00.200 UTC" in words(root)
    assert is_inside(root)


def test_the_depth_of_the_widest_window_is_a_small_picture_in_any_cut():
    rng = np.random.default_rng(7)
    bid, ask = rng.integers(0, 50, (2, 5, 4001))
    rows = depth_rows(2000, bid, ask)
    bins = bins_of([9_000] * 5)
    value = depth_profile("<depth & more>", runtime(2000), bins, rows)
    root = picture(value)
    assert is_inside(root)
    assert len(value.value) < BYTES
    assert f"bid {bid.sum() / 5:,.4g} lots" in words(root)
    parts = iter(rows.to_batches(max_chunksize=1_234))
    assert depth_profile("<depth & more>", runtime(2000), bins, parts) == value


@pytest.mark.parametrize(
    ("spots", "reason"),
    [
        ([], "nothing to draw: the grid has no bin"),
        ([0], "nothing to draw: no bin has a best bid and a best ask"),
    ],
)
def test_a_grid_without_a_spot_has_no_depth(spots, reason):
    rows = depth_rows(1, np.ones((len(spots), 3)), np.ones((len(spots), 3)))
    said = words(picture(depth_profile("depth", runtime(1), bins_of(spots), rows)))
    assert said == ["depth", reason]


@settings(max_examples=30, deadline=None)
@given(st.lists(ANY, min_size=6, max_size=6), st.text())
def test_depths_of_any_size_stay_inside_their_picture(lots, title):
    rows = depth_rows(1, [lots[:3]], [lots[3:]])
    assert is_inside(picture(depth_profile(title, runtime(1), bins_of([400]), rows)))


@pytest.mark.parametrize("score", [-1.0, -0.5, 0.0, 0.25, 1.0])
def test_the_needle_points_at_the_last_score(score):
    root = picture(state_gauges("state", state_bins([0.9, score])))
    [needle] = named(root, "polygon", "needle")
    [hub] = named(root, "circle")
    (x, y), (hub_x, hub_y) = points(needle)[1], numbers(hub, "cx", "cy")
    angle = math.atan2(hub_y - y, x - hub_x)
    assert angle == pytest.approx(math.pi * (1 - score) / 2, abs=0.01)
    assert {f"{score:+.3f}", "bear", "bull"} <= set(words(root))
    assert is_inside(root)


def test_intensities_are_bars_of_their_share():
    root = picture(state_gauges("state", state_bins([0.0], bull=0.0, bear=0.75, mixed=0.25)))
    wide = {name: numbers(*named(root, "rect", name), "width")[0] for name in ("bear", "mixed")}
    assert numbers(*named(root, "rect", "bull"), "width") == (0.0,)
    assert wide["bear"] == pytest.approx(3 * wide["mixed"], abs=0.2)
    assert {"0.75", "0.25", "intensities · dominant: bear pressure"} <= set(words(root))


def test_weights_above_1_do_not_push_a_bar_out_of_its_place():
    root = picture(state_gauges("state", state_bins([0.0], bull=40.0, bear=20.0, mixed=0.0)))
    bull, bear = (numbers(*named(root, "rect", name), "width")[0] for name in ("bull", "bear"))
    assert bull == pytest.approx(2 * bear, abs=0.2)
    assert is_inside(root)


def test_warming_up_is_said_and_shaded():
    warming = state_bins([0.0] * 4, [False, False, False, True])
    root = picture(state_gauges("state", warming))
    [(left, right, _, _)] = blocks(*named(root, "path", "warming"))
    [score] = named(root, "path", "score")
    start, end = re.fullmatch(r"M([\d.]+) [\d.]+H([\d.]+)", score.get("d")).groups()
    assert left == float(start)
    assert right - left == pytest.approx(0.75 * (float(end) - float(start)), abs=0.2)
    assert "at the last bin, ready, 4 bins so far" in words(root)
    early = words(picture(state_gauges("state", warming.slice(0, 1))))
    assert "at the last bin, warming up, 1 bin so far: the score does not count yet" in early


def test_the_score_over_time_is_a_mean_within_lowest_and_highest():
    scores = np.tile([1.0, -0.5, -0.5], 240)
    root = picture(state_gauges("state", state_bins(scores)))
    [(_, _, top, floor)] = blocks(*named(root, "path", "range"))
    [score] = named(root, "path", "score")
    y = float(re.match(r"M[\d.]+ ([\d.]+)H", score.get("d")).group(1))
    assert y - top == pytest.approx(2 * (floor - y), abs=0.2)


def test_a_score_that_is_no_number_has_no_needle_and_is_said():
    root = picture(state_gauges("state", state_bins([0.5, math.nan], bull=math.nan)))
    assert not named(root, "polygon", "needle")
    assert {"no score", "nan"} <= set(words(root))
    said = words(picture(state_gauges("state", state_bins([]))))
    assert said == ["state", "nothing to draw: the grid has no bin"]


def test_36_000_scores_are_a_small_picture():
    scores = np.random.default_rng(1).uniform(-1, 1, 36_000)
    value = state_gauges("]<&" * 99, state_bins(scores))
    assert is_inside(picture(value))
    assert len(value.value) < BYTES


def test_a_scorecard_says_in_words_what_lies_in_its_band():
    rows = [
        Statistic("adds_per_cancel", 1.23456789, 1.0, 1.3, True),
        Statistic("gap_variation", 2.0, 3.0, math.inf, False),
        Statistic("tight_share", math.nan, 0.7, 1.0, False),
        Statistic("depth_flat", math.inf, 0.6, 1.6, False),
    ]
    found = [record.data for record in scorecard_table(rows).records]
    shown = [(row["value"], row["band"], row["verdict"]) for row in found]
    assert shown == [
        (1.23457, "1 to 1.3", "ok"),
        (2.0, "≥ 3", "outside"),
        (None, "0.7 to 1", "not measured"),
        (None, "0.6 to 1.6", "outside"),
    ]
    assert found[0]["meaning"] == "records A over records C"
    assert {column.name for column in scorecard_table(rows).schema.columns} == set(found[0])


def test_the_scorecard_of_no_event_measured_nothing():
    card = Scorecard(TICK)
    found = [record.data for record in scorecard_table(card.rows()).records]
    assert len(found) == len(card.values())
    assert {row["verdict"] for row in found} == {"not measured"}
    said = words(picture(tape_depth("depth", card.depth())))
    assert said == ["depth", "nothing to draw: the tape has no two-sided book"]


def test_the_depth_of_a_tape_is_a_bar_a_level():
    root = picture(tape_depth("depth", [10.0, 40.0, math.nan, 20.0]))
    heights = [height for _, _, _, height in bars(root)]
    assert heights[1] == pytest.approx(4 * heights[0], abs=0.1)
    assert heights[1] == pytest.approx(2 * heights[2], abs=0.1)
    assert {"1", "4", "level, 1 is the best price →"} <= set(words(root))
    assert is_inside(root)
