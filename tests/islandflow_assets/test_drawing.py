"""Words reach a picture and its markdown as they are, and axes have few round labels."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from islandflow_assets.drawing import (
    WIDTH,
    Frame,
    alternative,
    limits,
    nothing,
    plain,
    text,
    ticks,
)
from tests.islandflow_assets.pictures import is_inside, numbers, picture, words


@pytest.mark.parametrize("title", ["a<b&c", "say \"x\" & 'y'", "<script>", "]]>", "[1] (2)", "ß→π"])
def test_a_title_is_shown_letter_by_letter(title):
    value = nothing(title)
    assert words(picture(value))[0] == title
    said = value.value[2 : value.value.index("](data:")]
    assert re.sub(r"\\(.)", r"\1", said) == title


@given(st.text())
def test_any_title_makes_a_whole_picture(title):
    assert len(words(picture(nothing(title)))) == 2


def test_what_xml_cannot_say_is_replaced_and_lines_are_joined():
    assert plain("a\x00b\ud800\nc\t d\ufffe") == "a\ufffdb\ufffd c d\ufffd"


def test_a_long_title_is_shortened_in_the_picture_and_kept_in_words():
    title = "campaign_" * 30 + "end"
    value = nothing(title)
    assert is_inside(picture(value))
    assert words(picture(value))[0].endswith("_end")
    assert alternative(title) == title in value.value


@pytest.mark.parametrize("x", [0.0, 360.0, WIDTH])
def test_centred_words_end_inside_the_picture(x):
    value = text(x, 20, "-1,234.5 %", "middle")
    found = float(re.search(r'x="([\d.]+)"', value).group(1))
    assert 30 < found < WIDTH - 30
    assert (found == x) == (x == 360)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
@example(514_724.0, 0.001)
def test_ticks_are_round_even_and_within_the_edges(bottom, height):
    found = [value for value, _ in ticks(bottom, bottom + height)]
    assert 2 <= len(found) <= 8
    slack = 1e-6 * height  # multiples of a step are rounded, by far less than a pixel
    assert bottom - slack <= found[0] < found[-1] <= bottom + height + slack
    steps = [b - a for a, b in pairwise(found)]
    assert steps == pytest.approx([steps[0]] * len(steps), abs=slack)
    assert len({label for _, label in ticks(bottom, bottom + height)}) == len(found)


def test_ticks_of_counts_are_whole_numbers():
    assert [label for _, label in ticks(0.0, 2.0, finest=1.0)] == ["0", "1", "2"]


def test_equal_numbers_get_limits_around_them():
    for level in (0.0, 1.0, -1e-9, 1e100):
        bottom, top = limits(np.full(3, level))
        assert bottom < level < top
        assert Frame(0, 100, 0, 100, y=(bottom, top)).up(level) == pytest.approx(50)


def test_a_picture_has_its_size():
    assert numbers(picture(nothing("x")), "width", "height") == (WIDTH, 80)
