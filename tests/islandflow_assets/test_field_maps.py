"""A map of the field paints means by time and absolute price, below lines of the best prices."""

import base64
import re
import zlib
from collections import Counter

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from islandflow_assets.book_plots import field_map
from islandflow_assets.field_cells import BLANK, COLUMNS, FIELD_COLUMNS, ROWS
from islandflow_assets.heat_cells import LEVELS, colour
from tests.islandflow_assets.grid_tables import bins_of, rows_of, runtime
from tests.islandflow_assets.pictures import is_inside, named, numbers, picture, words

BYTES = 60_000
RADIUS = 2
CALM, DEEP, LOW = colour(0), colour(LEVELS), colour(-LEVELS)
ANY = st.floats(width=64)


def painted(root):
    """Colours of the cells, the highest price first, read from the embedded image."""
    [image] = named(root, "image", "cells")
    data = base64.b64decode(image.get("href").removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert int.from_bytes(data[at + 8 + size : at + 12 + size]) == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    wide, high = int.from_bytes(chunks[b"IHDR"][:4]), int.from_bytes(chunks[b"IHDR"][4:8])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(high, wide + 1)
    assert not lines[:, 0].any()
    palette = chunks[b"PLTE"]
    return [[f"#{palette[3 * k : 3 * k + 3].hex()}" for k in line[1:].tolist()] for line in lines]


def steps(root, name):
    """Price pixel of a line by the pixel that each of its level pieces ends at."""
    [path] = named(root, "path", name)
    found, y = {}, None
    for letter, rest in re.findall(r"([MHV])([-\d. ]+)", path.get("d")):
        if letter == "H":
            found[float(rest)] = y
        else:
            y = float(rest.split()[-1])
    return found


def edges(root):
    """Left, top, right and floor of the map."""
    [image] = named(root, "image", "cells")
    left, top, width, height = numbers(image, "x", "y", "width", "height")
    return left, top, left + width, top + height


def test_a_cell_lies_at_its_time_and_price_and_a_bin_without_a_spot_is_blank():
    values = np.zeros((3, 5))
    values[0, 4], values[1, 0] = 1.0, -1.0
    values[2] = 1.0
    root = picture(
        field_map("field", runtime(RADIUS), bins_of([400, 401, 0]), rows_of(2, composite=values))
    )
    assert painted(root) == [
        [BLANK, CALM, BLANK],
        [DEEP, CALM, BLANK],
        [CALM, CALM, BLANK],
        [CALM, CALM, BLANK],
        [CALM, LOW, BLANK],
        [CALM, BLANK, BLANK],
    ]
    assert {"field", "best bid", "best ask", "mid", "no value", "composite"} <= set(words(root))
    assert {"↑ price, quote currency", "100.0", "100.5", "1", "-1"} <= set(words(root))
    assert "UTC, 2026-02-06 from 15:00:00.000" in words(root)
    assert is_inside(root)


def test_best_prices_are_steps_over_the_bins_and_open_where_there_is_none():
    bins = bins_of([400, 0, 402, 402])
    root = picture(field_map("field", runtime(2), bins, rows_of(2, composite=np.zeros((4, 5)))))
    left, top, right, floor = edges(root)
    rows = len(painted(root))
    assert rows == 7

    def pixel(tick):
        return pytest.approx(floor - (tick - 397.5) / rows * (floor - top), abs=0.06)

    column = (right - left) / 4
    for name, offset in (("bid", -1), ("mid", 0), ("ask", 1)):
        found = steps(root, name)
        assert list(found) == [left + column, right]
        assert list(found.values()) == [pixel(400 + offset), pixel(402 + offset)]


def test_more_bins_than_columns_share_one_by_their_mean():
    values = np.zeros((2 * COLUMNS, 3))
    values[::2, 0], values[1::2, 0] = 1.0, -1.0
    values[:, 1] = 0.25
    values[::2, 2] = 0.5
    values[1::2, 2] = np.nan
    bins = bins_of(np.full(2 * COLUMNS, 400))
    top, middle, low = painted(
        picture(field_map("field", runtime(1), bins, rows_of(1, composite=values)))
    )
    assert set(low) == {CALM}
    assert set(middle) == {colour(LEVELS // 2)}
    assert set(top) == {DEEP}
    assert len(top) == COLUMNS


def test_the_force_is_pressure_less_vacuum_and_the_flow_score_is_what_it_is():
    pressure, vacuum = np.array([[3.0, 1.0, 2.0]]), np.array([[1.0, 3.0, 2.0]])
    rows = rows_of(
        1, pressure_variant=pressure, vacuum_variant=vacuum, flow_score=np.array([[0.5, 0.5, -0.5]])
    )
    bins = bins_of([400])
    force = picture(field_map("field", runtime(1), bins, rows, "force"))
    assert painted(force) == [[CALM], [LOW], [DEEP]]
    assert {"2", "-2", "lots/s"} <= set(words(force))
    score = picture(field_map("field", runtime(1), bins, rows, "flow_score"))
    assert painted(score) == [[LOW], [DEEP], [DEEP]]
    assert {"0.5", "-0.5", "flow score"} <= set(words(score))


def test_rows_in_any_cut_and_of_any_bins_give_the_same_map():
    rng = np.random.default_rng(3)
    bins = bins_of(400 + rng.integers(-3, 4, 40).cumsum())
    rows = rows_of(4, composite=rng.normal(size=(40, 9)))
    whole = field_map("field", runtime(4), bins, rows)
    assert field_map("field", runtime(4), bins, iter(rows.to_batches(max_chunksize=7))) == whole
    thinned = rows.filter(pc.equal(pc.bit_wise_and(rows["bin_seq"], 1), 0))
    columns = list(zip(*painted(picture(field_map("f", runtime(4), bins, thinned))), strict=True))
    blank = [k for k, column in enumerate(columns) if set(column) == {BLANK}]
    assert blank == list(range(1, 40, 2))


def test_36_000_bins_of_a_wide_window_are_one_small_picture():
    rng = np.random.default_rng(5)
    spots = 86_000 + rng.integers(-1, 2, 36_000).cumsum()
    values = rng.uniform(-1, 1, (36_000, 101))
    name = "<&\"'" * 50 + "]\u0000\n"
    value = field_map(name, runtime(50), bins_of(spots), rows_of(50, composite=values))
    root = picture(value)
    cells = painted(root)
    assert len(cells) <= ROWS
    assert {len(line) for line in cells} == {COLUMNS}
    assert is_inside(root)
    assert len(value.value) < BYTES


def test_a_price_far_from_all_others_does_not_flatten_them():
    spots = np.full(500, 400)
    spots[7] = 10_000_000
    rows = rows_of(2, composite=np.ones((500, 5)))
    root = picture(field_map("field", runtime(2), bins_of(spots), rows))
    assert len(painted(root)) == 5
    assert Counter(cell for line in painted(root) for cell in line) == {DEEP: 5 * COLUMNS}
    assert any("stray prices cut" in said for said in words(root))
    assert is_inside(root)


@pytest.mark.parametrize(
    ("spots", "reason"),
    [
        ([], "nothing to draw: the grid has no bin"),
        ([0, 0], "nothing to draw: no bin has a best bid and a best ask"),
    ],
)
def test_a_grid_without_prices_says_so(spots, reason):
    rows = rows_of(1, composite=np.zeros((len(spots), 3)))
    assert words(picture(field_map("a<b", runtime(1), bins_of(spots), rows))) == ["a<b", reason]


def test_a_field_without_a_finite_value_is_blank_below_its_lines():
    values = np.array([[np.nan, np.inf, -np.inf]])
    root = picture(field_map("field", runtime(1), bins_of([400]), rows_of(1, composite=values)))
    assert painted(root) == [[BLANK]] * 3
    assert len(steps(root, "mid")) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 2**34) | st.integers(1, 200), min_size=1, max_size=12),
    st.lists(ANY, min_size=36, max_size=36),
    st.sampled_from(sorted(FIELD_COLUMNS)),
    st.text(),
)
def test_a_map_of_any_numbers_stays_inside_its_picture(spots, values, field, title):
    one = np.resize(np.array(values), (len(spots), 3))
    columns = {name: one if k == 0 else -one for k, name in enumerate(FIELD_COLUMNS[field])}
    value = field_map(title, runtime(1), bins_of(spots), rows_of(1, **columns), field)
    assert is_inside(picture(value))
    assert len(value.value) < BYTES
