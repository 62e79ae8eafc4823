"""Pictures of a detection say what its tables say, inside the picture, whatever that is."""

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.flow_columns import ALERTS, FLOW_PACKETS, HYPOTHESIS_ROWS, SMART_MONEY_EVENTS
from contracts.smart_flow import HYPOTHESES, HYPOTHESIS_NAMES, PROFILES_OF, STATUSES, STRUCTURES
from islandflow_assets.flow_plots import (
    BARS,
    HYPOTHESIS_COLOURS,
    alerts_chart,
    confidence_chart,
    events_chart,
    packets_chart,
    reasons_chart,
    word_counts,
)
from islandflow_resources.table_schemas import arrow_schema
from tests.islandflow_assets.pictures import bars, is_inside, named, numbers, picture, words

OPEN_NS = 1_767_882_600_000_000_000
"""2026-01-08T14:30:00Z."""
MINUTE_NS = 60_000_000_000
BYTES = 40_000
NOTHING = "nothing to draw: there is no finite value"
CHARTS = {
    alerts_chart: ALERTS,
    confidence_chart: ALERTS,
    packets_chart: FLOW_PACKETS,
    reasons_chart: HYPOTHESIS_ROWS,
    events_chart: SMART_MONEY_EVENTS,
}


def coded(rows, *texts):
    """Rows as a detection reads them: texts as codes."""
    table = pa.Table.from_pylist(rows)
    for name in texts:
        place = table.column_names.index(name)
        table = table.set_column(place, name, table.column(name).dictionary_encode())
    return table


def alerts(*told):
    """An alert of each (minute, what it says, confidence)."""
    return coded(
        [
            {
                "emitted_ns": OPEN_NS + round(at * MINUTE_NS),
                "hypothesis_type": said,
                "confidence": c,
            }
            for at, said, c in told
        ],
        "hypothesis_type",
    )


def layers(root):
    """Of each colour, the steps of its upper edge: (left, top) pixels, and the floor."""
    found = {}
    for path in named(root, "path", "layer"):
        steps, x, y = [], 0.0, 0.0
        for letter, numbers_ in re.findall(r"([MHVz])([^MHVz]*)", path.get("d")):
            if letter == "M":
                x, y = map(float, numbers_.split())
            elif letter == "V":
                y = float(numbers_)
            elif letter == "H":
                steps.append((x, float(numbers_), y))
                x = float(numbers_)
        *upper, floor = steps
        found[path.get("fill")] = upper, floor[2]
    return found


def heights(root, colour):
    """Height of a layer's upper edge above the floor, with its edges."""
    upper, floor = layers(root)[colour]
    return [(left, right, floor - y) for left, right, y in upper]


def key_of(root, start):
    return next(said for said in words(root) if said.startswith(start))


def test_alerts_are_stacked_by_what_they_say_in_places_of_five_minutes():
    first, second = HYPOTHESES[:2]
    told = alerts((0, first, 0.6), (4.9, first, 0.6), (1, second, 0.6), (7, second, 0.6))
    root = picture(alerts_chart("a tape", told))
    lower = heights(root, HYPOTHESIS_COLOURS[first])
    upper = heights(root, HYPOTHESIS_COLOURS[second])
    # three alerts in the first place, one in the second
    (left, middle, two), (again, right, none) = lower
    assert middle == again
    assert middle - left == pytest.approx(right - middle, abs=0.1)
    assert [height for *_, height in upper] == pytest.approx([1.5 * two, 0.5 * two], abs=0.1)
    assert none == 0
    assert {f"{first} 2", f"{second} 2", f"{HYPOTHESES[2]} 0"} <= set(words(root))
    assert "alerts in 5 minutes · in all 4" in words(root)
    assert "UTC, 2026-01-08" in words(root)
    assert {"14:30", "14:32", "14:40"} <= set(words(root))


def test_the_first_layer_is_drawn_last_so_that_none_is_hidden():
    told = alerts(*((0, name, 0.6) for name in HYPOTHESES))
    order = list(layers(picture(alerts_chart("a tape", told))))
    assert order == [HYPOTHESIS_COLOURS[name] for name in reversed(HYPOTHESES)]


def test_every_hypothesis_has_a_colour_of_its_own():
    assert tuple(HYPOTHESIS_COLOURS) == HYPOTHESIS_NAMES
    assert len(set(HYPOTHESIS_COLOURS.values())) == len(HYPOTHESIS_NAMES)


def test_a_long_detection_has_longer_places_and_still_counts_everything():
    days = alerts(*((day * 1_440, HYPOTHESES[0], 0.6) for day in range(5)))
    root = picture(alerts_chart("five days", days))
    steps = heights(root, HYPOTHESIS_COLOURS[HYPOTHESES[0]])
    width = min(right - left for left, right, _ in steps)
    (start, *_), (*_, end, _) = steps[0], steps[-1]
    assert 0.5 * BARS < round((end - start) / width) <= BARS
    assert sum(height > 0 for *_, height in steps) == 5
    assert "alerts in 30 minutes · in all 5" in words(root)


def test_confidence_has_a_bar_for_each_step_and_limits_of_bands_begin_one():
    told = [0.52, 0.539, 0.58, 0.7199, 0.72, 0.72, 0.739]
    root = picture(confidence_chart("c", alerts(*((0, HYPOTHESES[0], c) for c in told))))
    found = bars(root)
    one = found[1][3]
    assert [height / one for *_, height in found] == pytest.approx([2, 1, 1, 3], abs=0.01)
    medium, high = (
        float(mark.get("d").removeprefix("M").split(" ")[0]) for mark in named(root, "path", "mark")
    )
    assert found[0][0] == pytest.approx(medium, abs=0.1)
    assert found[-1][0] == pytest.approx(high, abs=0.1)
    assert {"medium 4", "high 3", "alerts: 7", "medium from 0.52"} <= set(words(root))
    hues = [bar.get("fill") for bar in named(root, "rect", "bar")]
    assert hues[0] == hues[1] == hues[2] != hues[3]


@pytest.mark.parametrize("confidence", [0.0, 0.31, 1.0, 1.5, -2.0])
def test_confidence_outside_the_bands_is_drawn_as_well(confidence):
    value = confidence_chart("c", alerts((0, HYPOTHESES[0], confidence)))
    [(left, _, width, _)] = bars(picture(value))
    assert left >= 80
    assert width > 5
    assert is_inside(picture(value))


def packet(at, status, premium, structure="single"):
    return {
        "start_ns": OPEN_NS + round(at * MINUTE_NS),
        "status": status,
        "structure_type": structure,
        "premium_usd": premium,
    }


def test_premium_is_stacked_by_how_good_the_evidence_is():
    accepted, weighted, rejected = STATUSES
    told = [
        packet(0, accepted, 2e6),
        packet(1, rejected, 1e6, "box"),
        packet(2, weighted, 1e6),
        packet(6, accepted, 1e6),
    ]
    root = picture(packets_chart("p", coded(told, "status", "structure_type")))
    drawn = [[height for *_, height in heights(root, hue)] for hue in layers(root)]
    top = drawn[0][0]
    assert drawn[0] == pytest.approx([top, top / 4], abs=0.1)
    assert drawn[1] == pytest.approx([0.75 * top, top / 4], abs=0.1)
    assert drawn[2] == pytest.approx([0.5 * top, top / 4], abs=0.1)
    assert {"accepted 2 · $3M", "down_weighted 1 · $1M", "rejected 1 · $1M"} <= set(words(root))
    assert "packets · single 3 · box 1" in words(root)
    assert "premium in 5 minutes, $M" in words(root)


@pytest.mark.parametrize(
    ("premium", "said"), [(750.0, "$750"), (2_500.0, "$2.5k"), (1e9, "$1,000M"), (0.0, "$0")]
)
def test_premium_is_said_shortly(premium, said):
    root = picture(packets_chart("p", pa.Table.from_pylist([packet(0, "accepted", premium)])))
    assert f"accepted 1 · {said}" in words(root)


def test_rare_structures_are_counted_together():
    told = [
        packet(0, "accepted", 1.0, name)
        for k, name in enumerate(reversed(STRUCTURES))
        for _ in range(k + 1)
    ]
    root = picture(packets_chart("p", pa.Table.from_pylist(told)))
    assert key_of(root, "packets ·").startswith("packets · single 8 · straddle 7")
    assert key_of(root, "packets ·").endswith("· others 3")


def cluster(status, reason, *, abstained=True, why="below_policy_threshold"):
    return {
        "status": status,
        "reason_code": reason,
        "abstained": abstained,
        "abstention_reasons": why,
    }


def test_reasons_are_counted_of_what_is_evidence_and_of_what_is_rejected():
    told = [
        cluster("accepted", "evidence_context_usable", why="conflicting_evidence other"),
        cluster("down_weighted", "stale_quote_context", why="other"),
        cluster("down_weighted", "stale_quote_context", why="other"),
        cluster("accepted", "evidence_context_usable", abstained=False, why="not_abstained"),
        cluster("rejected", "insufficient_premium", why="insufficient_evidence"),
    ]
    value = reasons_chart("r", coded(told, "status", "reason_code", "abstention_reasons"))
    root = picture(value)
    said = words(root)
    assert "clusters that are evidence: 4, said aloud: 1" in said
    assert "clusters rejected as evidence: 1" in said
    assert said[said.index("other") + 1] == "3 · 75.0 %"
    assert said[said.index("conflicting_evidence") + 1] == "1 · 25.0 %"
    assert said[said.index("insufficient_premium") + 1] == "1 · 100.0 %"
    assert not {"not_abstained", "insufficient_evidence", "stale_quote_context"} & set(said)
    other, conflicting, premium = (width for _, _, width, _ in bars(root))
    assert other == pytest.approx(3 * conflicting, abs=0.2)
    assert premium == pytest.approx(4 * conflicting, abs=0.2)
    assert is_inside(root)


def test_where_nothing_is_rejected_the_reasons_say_so():
    root = picture(reasons_chart("r", pa.Table.from_pylist([cluster("accepted", "x")])))
    assert "clusters rejected as evidence: 0" in words(root)
    assert len(bars(root)) == 1


def test_events_are_stacked_by_their_profile_and_those_without_one_are_grey():
    told = [
        {"emitted_ns": OPEN_NS, "primary_profile_id": name}
        for name in (*PROFILES_OF.values(), "", "")
    ]
    root = picture(events_chart("e", coded(told, "primary_profile_id")))
    assert {"none named 2", "vol_seller 1"} <= set(words(root))
    first, *_, last = layers(root)
    assert first == HYPOTHESIS_COLOURS["unclear"]
    assert last == HYPOTHESIS_COLOURS["directional_accumulation"]


@pytest.mark.parametrize("chart", CHARTS)
def test_of_an_empty_table_the_picture_says_that_there_is_nothing(chart):
    root = picture(chart("empty", arrow_schema(CHARTS[chart]).empty_table()))
    assert words(root) == ["empty", NOTHING]


@pytest.mark.parametrize("chart", CHARTS)
def test_of_rows_without_values_the_picture_says_that_there_is_nothing(chart):
    schema = arrow_schema(CHARTS[chart])
    columns = [pa.nulls(2, field.type) for field in schema]
    table = pa.Table.from_arrays(columns, names=schema.names)
    assert words(picture(chart("nulls", table))) == ["nulls", NOTHING]


def test_rows_without_a_value_are_left_out_of_the_others():
    told = pa.concat_tables(
        [
            alerts((0, HYPOTHESES[0], 0.6)).cast(
                pa.schema(
                    [
                        ("emitted_ns", pa.int64()),
                        ("hypothesis_type", pa.string()),
                        ("confidence", pa.float64()),
                    ]
                )
            ),
            pa.table(
                {
                    "emitted_ns": pa.array([None, OPEN_NS], pa.int64()),
                    "hypothesis_type": pa.array([HYPOTHESES[1], None]),
                    "confidence": pa.array([None, float("nan")], pa.float64()),
                }
            ),
        ]
    )
    assert "alerts in 5 minutes · in all 1" in words(picture(alerts_chart("a", told)))
    assert "alerts: 1" in words(picture(confidence_chart("c", told)))


def test_texts_are_counted_the_most_frequent_first():
    column = pa.chunked_array([["b", "a", None], ["c", "c", "b", "c"]])
    assert list(word_counts(column).items()) == [("c", 3), ("b", 2), ("a", 1)]
    assert word_counts(column.dictionary_encode()) == {"c": 3, "b": 2, "a": 1}


def test_a_table_in_parts_is_drawn_as_the_whole_is():
    told = alerts((0, HYPOTHESES[0], 0.6), (9, HYPOTHESES[1], 0.8))
    parts = pa.concat_tables([told.slice(0, 1), told.slice(1, 1)])
    assert alerts_chart("a", parts).value == alerts_chart("a", told).value


TEXT = st.sampled_from([*HYPOTHESIS_NAMES, *STATUSES, *STRUCTURES, "", 'a "b" <c> & d\n', "x" * 90])
NUMBER = st.floats(width=64)
TIME = st.integers(0, 6 * 1_440 * MINUTE_NS).map(OPEN_NS.__add__)
VALUES = {
    "string": TEXT,
    "float64": NUMBER,
    "int64": TIME,
    "int32": st.just(1),
    "bool": st.booleans(),
}


@settings(max_examples=40, deadline=None)
@given(data=st.data(), size=st.integers(1, 25))
@pytest.mark.parametrize("chart", CHARTS)
def test_whatever_a_table_says_its_picture_is_small_and_inside_itself(chart, data, size):
    wanted = ("_ns", "_type", "status", "reason", "abst", "confidence", "premium_usd", "profile_id")
    columns = {
        one.name: data.draw(st.lists(VALUES[one.kind], min_size=size, max_size=size))
        for one in CHARTS[chart].columns
        if any(part in one.name for part in wanted)
    }
    value = chart('any tape · "quoted" <title> \n& more', pa.table(columns))
    assert len(value.value) < BYTES
    root = picture(value)
    assert is_inside(root)
    assert all(numbers(rect, "width")[0] >= 0 for rect in named(root, "rect"))
