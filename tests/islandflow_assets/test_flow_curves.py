"""Pictures of how right a detector is say what its scores say, inside the picture."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.smart_flow import HYPOTHESES, HYPOTHESIS_NAMES
from engine.evaluation import (
    Curves,
    Delay,
    Figure,
    GroupScore,
    Point,
    ProfileScore,
    Reliability,
)
from islandflow_assets.flow_curves import (
    POINTS,
    abstention_chart,
    confusion_map,
    coverage_windows_chart,
    delay_chart,
    levels_chart,
    precision_recall_chart,
    reliability_chart,
)
from islandflow_assets.flow_plots import HYPOTHESIS_COLOURS
from tests.islandflow_assets.pictures import (
    bars,
    is_inside,
    named,
    numbers,
    picture,
    points,
    words,
)

BYTES = 20_000
NOTHING = "nothing to draw: there is no finite value"
NONE = Figure(0, 0, None, None, None)
SILENT = Delay(None, None)
FIRST = HYPOTHESES[0]
S = 1e9
OF_CURVES = (precision_recall_chart, reliability_chart, abstention_chart)
OF_GROUPS = (levels_chart, delay_chart, coverage_windows_chart, confusion_map)


def share(hits, of, low=None, high=None):
    return Figure(hits, of, hits / of, low, high)


def profile(**changes):
    named_ = ("precision", "recall", "direction", "repeated", "covered", "there")
    empty = ProfileScore(
        **dict.fromkeys(named_, NONE), from_first_print=SILENT, from_last_print=SILENT
    )
    return replace(empty, **changes)


def group(one=None, **changes):
    profiles = {name: profile() for name in HYPOTHESES}
    empty = GroupScore(
        tapes=4,
        seeds=2,
        profiles={**profiles, **({FIRST: one} if one else {})},
        regimes={},
        subtypes={},
        noise_abstained=NONE,
        decoys_alerted=NONE,
        false_high=NONE,
        covered=NONE,
        there=NONE,
        confusion={},
    )
    return replace(empty, **changes)


def point(kept, right, bursts, everything):
    return Point(
        level=1.0 - kept / 1_000,
        kept=kept,
        right=right,
        precision=right / kept,
        recall=right / bursts if bursts else None,
        share_kept=kept / everything,
    )


EMPTY = Curves((), None, (), None, ())


def test_precision_is_drawn_over_recall_with_both_levels():
    told = (point(1, 1, 4, 4), point(2, 2, 4, 4), point(4, 3, 4, 4))
    root = picture(precision_recall_chart("p", {FIRST: replace(EMPTY, precision_recall=told)}))
    [line] = named(root, "polyline", "curve")
    assert line.get("stroke") == HYPOTHESIS_COLOURS[FIRST]
    (x1, y1), (x2, y2), (x3, y3) = points(line)
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 == y2
    [level] = named(root, "path", "level")
    at = float(level.get("d").split(" ")[1].split("H")[0])
    # 100 % → 90 % is 0.4 of 100 % → 75 %
    assert at - y1 == pytest.approx(0.4 * (y3 - y1), abs=0.2)
    [mark] = named(root, "path", "mark")
    recall = float(mark.get("d").removeprefix("M").split(" ")[0])
    assert recall - x1 == pytest.approx(0.45 / 0.5 * (x3 - x1), abs=0.2)
    assert {FIRST, "recall 70 %"} <= set(words(root))


def test_a_key_says_the_average_precision_and_the_brier_score():
    curve = Curves(
        (point(1, 1, 4, 4),), 0.87654, (Reliability(0.0, 0.1, 3, 1, 0.05, 1 / 3),), 0.0321, ()
    )
    said = words(picture(precision_recall_chart("p", {FIRST: curve})))
    assert f"{FIRST} 0.877" in said
    assert f"{FIRST} 0.032" in words(picture(reliability_chart("p", {FIRST: curve})))


def test_a_curve_of_many_points_keeps_its_first_and_last_and_is_evenly_spread():
    told = tuple(point(k, k - k // 10, 5_000, 4_000) for k in range(1, 4_001))
    curve = {FIRST: replace(EMPTY, precision_recall=told, abstention=told)}
    for chart in (precision_recall_chart, abstention_chart):
        drawn = points(named(picture(chart("p", curve)), "polyline", "curve")[0])
        gaps = [b - a for (a, _), (b, _) in pairwise(drawn)]
        assert POINTS <= len(drawn) <= POINTS + 1
        assert max(gaps) < 1.2 * (drawn[-1][0] - drawn[0][0]) / (POINTS - 1)
        few = {FIRST: replace(EMPTY, precision_recall=told[::3_999], abstention=told[::3_999])}
        ends = points(named(picture(chart("p", few)), "polyline", "curve")[0])
        assert (drawn[0], drawn[-1]) == (ends[0], ends[-1])


def test_a_well_calibrated_hypothesis_lies_on_the_even_line():
    bins = tuple(
        Reliability(k / 10, (k + 1) / 10, 10**k, k, (k + 0.5) / 10, (k + 0.5) / 10)
        for k in range(5)
    )
    root = picture(reliability_chart("r", {FIRST: replace(EMPTY, reliability=bins)}))
    [even] = named(root, "polyline", "even")
    (left, floor), (right, top) = points(even)
    dots = [numbers(dot, "cx", "cy", "r") for dot in named(root, "circle")]
    for x, y, _ in dots:
        assert (x - left) / (right - left) == pytest.approx((floor - y) / (floor - top), abs=0.002)
    sizes = [size for *_, size in dots]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_bins_without_a_cluster_are_left_out():
    bins = (
        Reliability(0.0, 0.1, 0, 0, None, None),
        Reliability(0.1, 0.2, 4, 1, 0.15, 0.25),
    )
    root = picture(reliability_chart("r", {FIRST: replace(EMPTY, reliability=bins)}))
    assert len(named(root, "circle")) == 1


def test_abstention_shows_every_alert_together_as_well():
    mine, everything = (point(5, 5, 10, 10), point(10, 9, 10, 10)), (point(8, 8, 20, 20),)
    curves = {FIRST: replace(EMPTY, abstention=mine), "all": replace(EMPTY, abstention=everything)}
    root = picture(abstention_chart("a", curves))
    assert [line.get("stroke") for line in named(root, "polyline", "curve")] == [
        HYPOTHESIS_COLOURS[FIRST],
        "#1f2328",
    ]
    (x1, y1), (x2, y2) = points(named(root, "polyline", "curve")[0])
    assert x1 < x2
    assert y1 < y2
    assert {f"{FIRST} 10", "all 8"} <= set(words(root))


def test_alerts_of_hypotheses_that_have_no_burst_are_drawn_by_their_precision():
    told = (point(5, 0, 0, 5),)
    curves = {FIRST: replace(EMPTY, precision_recall=told, abstention=told)}
    assert words(picture(precision_recall_chart("p", curves))) == ["p", NOTHING]
    root = picture(abstention_chart("a", curves))
    assert len(named(root, "polyline", "curve")) == 1
    assert is_inside(root)


def test_levels_show_each_figure_with_its_interval_and_what_it_must_reach():
    one = profile(precision=share(90, 100, 0.8, 0.95), recall=share(69, 100, 0.65, 0.75))
    root = picture(levels_chart("l", group(one)))
    marks = {
        float(mark.get("d").removeprefix("M").split(" ")[0]) for mark in named(root, "path", "mark")
    }
    precision, recall = (numbers(dot, "cx")[0] for dot in named(root, "circle"))
    at_recall, at_precision = sorted(marks)
    assert precision == pytest.approx(at_precision, abs=0.1)
    percent = (at_precision - at_recall) / 20
    assert at_recall - recall == pytest.approx(percent, abs=0.1)
    strokes = [
        tuple(map(float, path.get("d").removeprefix("M").replace("H", " ").split(" ")[::2]))
        for path in named(root, "path", "interval")
    ]
    assert strokes[0] == pytest.approx((precision - 10 * percent, precision + 5 * percent), abs=0.2)
    assert strokes[1] == pytest.approx((recall - 4 * percent, recall + 6 * percent), abs=0.2)
    faults = [said for g in named(root, "g") if g.get("fill") == "#b42318" for said in words(g)]
    assert faults == ["69.0 % · 69 of 100", *["of nothing"] * 10]
    assert "below their level: 11 of 12 · intervals: 95 % over 2 seeds" in words(root)
    assert "90.0 % · 90 of 100" in words(root)


def test_a_figure_of_a_single_seed_has_no_interval():
    one = profile(precision=share(9, 10), recall=share(8, 10))
    for path in named(picture(levels_chart("l", group(one))), "path", "interval"):
        left, right = path.get("d").removeprefix("M").replace("H", " ").split(" ")[::2]
        assert left == right


def test_a_poor_figure_makes_the_axis_reach_down_to_it():
    root = picture(levels_chart("l", group(profile(precision=share(1, 20), recall=share(9, 10)))))
    assert "0 %" in words(root)
    assert is_inside(root)


def test_delays_show_the_median_and_the_ninetieth_percentile():
    one = profile(from_first_print=Delay(10 * S, 40 * S), from_last_print=Delay(5 * S, 20 * S))
    root = picture(delay_chart("d", group(one)))
    (first, y1), (last, y2) = (numbers(dot, "cx", "cy") for dot in named(root, "circle"))
    ends = [float(path.get("d").split("H")[1]) for path in named(root, "path", "interval")]
    second = (first - last) / 5
    assert ends == pytest.approx([first + 30 * second, last + 15 * second], abs=0.5)
    assert y1 < y2
    said = words(root)
    assert {"10 s · 90 %: 40 s", "5 s · 90 %: 20 s"} <= set(said)
    assert said.count("no right alert") == 10


def test_alerts_before_the_last_print_have_a_negative_delay():
    one = profile(from_first_print=Delay(4 * S, 9 * S), from_last_print=Delay(-6 * S, -2 * S))
    root = picture(delay_chart("d", group(one)))
    assert "-6 s · 90 %: -2 s" in words(root)
    assert is_inside(root)


def test_coverage_shows_what_is_found_over_what_is_there():
    one = profile(covered=share(8, 10, 0.7, 0.9), there=share(10, 10))
    root = picture(coverage_windows_chart("c", group(one, covered=share(19, 20))))
    there, covered, every = bars(root)
    assert covered[2] == pytest.approx(0.8 * there[2], abs=0.2)
    assert every[2] == pytest.approx(0.95 * there[2], abs=0.2)
    said = words(root)
    assert {"80.0 % · 8 of 10", "there 100.0 % · 10 of 10", "every profile"} <= set(said)
    assert [g for g in named(root, "g") if g.get("fill") == "#b42318"] == []
    missed = picture(coverage_windows_chart("c", group(one, covered=share(18, 20))))
    [fault] = [g for g in named(missed, "g") if g.get("fill") == "#b42318"]
    assert words(fault) == ["90.0 % · 18 of 20"]


def test_confusion_has_every_count_and_tells_right_from_wrong():
    counts = {true: dict.fromkeys(HYPOTHESIS_NAMES, 0) for true in HYPOTHESIS_NAMES}
    counts[FIRST][FIRST], counts[FIRST]["unclear"], counts["unclear"]["unclear"] = 30, 10, 1_234
    root = picture(confusion_map("c", group(confusion=counts)))
    said = words(root)
    assert {"30", "10", "1,234", *HYPOTHESIS_NAMES, "accumulation"} <= set(said)
    assert said.count("0") == 46
    cells = {
        (path.get("fill"), path.get("fill-opacity")): path.get("d").count("M")
        for path in named(root, "path", "cells")
    }
    blue, orange = "#0b6bcb", "#c2410c"
    # 30 of 40, 1,234 of 1,234 and 10 of 40, in eighths of 0.6
    assert cells == {(blue, "0.45"): 1, (blue, "0.60"): 1, (orange, "0.15"): 1}


def test_wrong_clusters_lie_in_the_row_of_what_they_are():
    counts = {"event_positioning": {"hedge_rebalance": 5}}
    root = picture(confusion_map("c", group(confusion=counts)))
    [place] = [t for t in named(root, "text") if t.text == "5"]
    row, column = (
        next(t for t in named(root, "text") if t.text == name)
        for name in ("event_positioning", "hedge")
    )
    assert numbers(place, "y") == numbers(row, "y")
    assert numbers(place, "x") == numbers(column, "x")


@pytest.mark.parametrize("chart", OF_CURVES)
@pytest.mark.parametrize("told", [{}, {FIRST: EMPTY}, {"all": EMPTY}])
def test_without_a_curve_the_picture_says_so(chart, told):
    assert words(picture(chart("empty", told))) == ["empty", NOTHING]


@pytest.mark.parametrize("chart", OF_GROUPS)
def test_without_a_figure_the_picture_says_so(chart):
    assert words(picture(chart("empty", group()))) == ["empty", NOTHING]
    assert words(picture(chart("empty", replace(group(), profiles={})))) == ["empty", NOTHING]


COUNT = st.integers(0, 10**15)
MAYBE = st.none() | st.floats(0, 1) | st.just(math.nan)
FIGURE = st.builds(Figure, COUNT, COUNT, MAYBE, MAYBE, MAYBE)
WAIT = st.none() | st.floats(-1e15, 1e15) | st.just(math.nan)
DELAY = st.builds(Delay, WAIT, WAIT)
PROFILE = st.builds(ProfileScore, *[FIGURE] * 6, DELAY, DELAY)
SHARE = st.floats(0, 1)
POINT = st.builds(Point, st.floats(-32, 32), COUNT, COUNT, SHARE, st.none() | SHARE, SHARE)
BIN = st.builds(Reliability, SHARE, SHARE, COUNT, COUNT, MAYBE, MAYBE)


def rising(axis):
    """Points in the order in which curves have them."""
    return st.lists(POINT, max_size=8).map(
        lambda told: tuple(sorted(told, key=lambda one: getattr(one, axis) or 0.0))
    )


BINS = st.lists(BIN, max_size=8).map(tuple)
CURVES = st.builds(Curves, rising("recall"), MAYBE, BINS, MAYBE, rising("share_kept"))


@settings(max_examples=40, deadline=None)
@given(
    profiles=st.fixed_dictionaries(dict.fromkeys(HYPOTHESES, PROFILE)),
    whole=st.tuples(FIGURE, FIGURE),
    counts=st.lists(COUNT, min_size=49, max_size=49),
)
def test_whatever_the_scores_a_picture_is_small_and_inside_itself(profiles, whole, counts):
    confusion = {
        true: dict(zip(HYPOTHESIS_NAMES, counts[7 * k : 7 * k + 7], strict=True))
        for k, true in enumerate(HYPOTHESIS_NAMES)
    }
    covered, there = whole
    told = group(profiles=profiles, covered=covered, there=there, confusion=confusion)
    for chart in OF_GROUPS:
        value = chart('any · "quoted" <title> \n& more', told)
        assert len(value.value) < BYTES
        assert is_inside(picture(value))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from([*HYPOTHESES, "all"]), CURVES))
def test_whatever_the_curves_a_picture_is_small_and_inside_itself(told):
    for chart in OF_CURVES:
        value = chart('any · "quoted" <title> \n& more', told)
        assert len(value.value) < BYTES
        assert is_inside(picture(value))
