"""Scorecards: the statistics of a stream, against plain computations over its rows."""

import math
from functools import cache

import numpy as np
import pytest

from contracts.mbo import PROFILES
from engine.book.events import Events
from engine.tapes.mbo import Scorecard, scorecard
from engine.tapes.mbo import kernels_score as at
from engine.tapes.mbo.scorecard import MIN_TABLE, life_s, quantile
from tests.engine.tapes.mbo.markets import SECOND_NS, events, spec
from tests.engine.tapes.mbo.replay import Replay, groups_of, open_book, replay, rows_of, tell

TICK_INT = 250_000_000


@cache
def tape() -> Events:
    """Half a minute of a volatile market."""
    return events(spec("volatile", bar_ns=30 * SECOND_NS))


@cache
def rows() -> list[tuple]:
    """Its rows."""
    return rows_of(tape())


def stream(*rows: tuple) -> Events:
    """Events of (ts, action, side, id, ticks, size) rows, without flags."""
    columns = list(zip(*rows, strict=True))
    letters = [[ord(letter) for letter in columns[k]] for k in (1, 2)]
    zeros = [0] * len(rows)
    prices = [ticks * TICK_INT for ticks in columns[4]]
    kinds = ("<i8", "u1", "u1", "<i8", "<i8", "<i8", "<i4", "<i8")
    values = (columns[0], *letters, columns[3], prices, columns[5], zeros, zeros)
    return Events(*(np.array(v, dtype=k) for v, k in zip(values, kinds, strict=True)))


def plain() -> dict[str, float]:
    """Statistics of the tape by sorting and counting, and by a replay of it."""
    book = replay(rows())
    fed = [row for row in rows() if not row[6] & 32]
    n = {letter: sum(row[1] == letter for row in fed) for letter in "ACMFT"}
    gaps = np.diff(np.array([row[0] for row in fed], dtype=np.int64)).astype(np.float64)
    sizes = np.sort([row[5] for row in fed if row[1] == "A"])
    added = {row[3] for row in fed if row[1] == "A"}
    away = np.sort(placements())
    times = np.array([top[0] for top in book.tops], dtype=np.int64)
    tight = np.array([top[2] - top[1] == TICK_INT for top in book.tops])
    lasted = np.diff(times)
    return {
        "adds_per_cancel": n["A"] / n["C"],
        "modifies_per_add": n["M"] / n["A"],
        "touched_share": len({row[3] for row in fed if row[1] == "F"} & added) / len(added),
        "gap_variation": float(gaps.std() / gaps.mean()),
        "equal_time_share": float((gaps == 0).mean()),
        "join_share": float((away <= 0).mean()),
        "distance_p75_ticks": float(max(away[math.ceil(0.75 * away.size) - 1], 0)),
        "tight_share": float(lasted[tight[:-1]].sum() / lasted.sum()),
        "size_median_lots": float(sizes[math.ceil(0.5 * sizes.size) - 1]),
        "size_p90_lots": float(sizes[math.ceil(0.9 * sizes.size) - 1]),
        "size_p99_lots": float(sizes[math.ceil(0.99 * sizes.size) - 1]),
    }


def placements() -> list[float]:
    """Ticks of every add behind the best price of its side, before it came."""
    book = Replay()
    first, *rest = groups_of(rows())
    open_book(book, first)
    away = []
    for row in (row for group in rest for row in group):
        if row[1] == "A":
            sign = 1 if row[2] == "B" else -1
            away.append(sign * (book.best(row[2]) - row[4]) / TICK_INT)
        tell(book, row)
    return away


def test_the_statistics_are_those_of_plain_computations():
    expected = plain()
    found = scorecard([tape()], TICK_INT).values()
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_lifetimes_are_found_to_a_sixteenth():
    lives = np.sort(replay(rows()).lives)
    found = scorecard([tape()], TICK_INT).values()
    ranks = [lives[math.ceil(q * lives.size) - 1] / 1e9 for q in (0.1, 0.5, 0.9)]
    assert ranks[1] * 15 / 16 <= found["lifetime_median_s"] <= ranks[1]
    ratio = ranks[2] / ranks[0]
    assert found["lifetime_p90_per_p10"] == pytest.approx(ratio, rel=0.07)


def test_depth_is_that_of_a_book_at_every_tenth_of_a_second():
    book = Replay()
    first, *rest = groups_of(rows())
    open_book(book, first)
    sums, samples, before = np.zeros(10), 0, first[0][0]
    for group in rest:
        passed = group[0][0] // at.SAMPLE_NS - before // at.SAMPLE_NS
        if passed:
            bid, ask = book.best("B"), book.best("A")
            lots = [
                book.lots("B", bid - k * TICK_INT) + book.lots("A", ask + k * TICK_INT)
                for k in range(10)
            ]
            sums += passed * np.array(lots)
            samples += passed
        before = group[0][0]
        for row in group:
            tell(book, row)
    card = scorecard([tape()], TICK_INT)
    assert samples > 290
    assert card.depth() == pytest.approx(list(sums / samples / 2))
    depth = card.depth()
    assert card.values()["depth_first_per_fourth"] == pytest.approx(depth[0] / depth[3])


@pytest.mark.parametrize("rows", [1, 997, 20_000])
def test_the_size_of_the_batches_changes_no_statistic(rows):
    short = tape().part(0, 12_000)
    cut = [short.part(k, min(k + rows, short.rows)) for k in range(0, short.rows, rows)]
    one, many = scorecard([short], TICK_INT), scorecard(cut, TICK_INT)
    assert many.values() == one.values()
    assert many.counts() == one.counts()


def test_a_table_that_must_grow_finds_every_order_again():
    n = 70_000
    adds = [(k + 1, "A", "B" if k % 2 else "A", 7 * k - 100, 1000 - k % 2, 1) for k in range(n)]
    gone = [(n + 1 + k, "C", row[2], row[3], row[4], 1) for k, row in enumerate(adds)]
    card = scorecard([stream(*adds), stream(*gone)], TICK_INT)
    assert card._sums.table.shape[0] > MIN_TABLE
    assert card.counts()["cancels"] == n
    assert int(card._sums.lives.sum()) == n
    assert int(card._sums.ints[at.ORDERS]) == 0


def test_unknown_ids_pass_and_crossed_books_are_counted():
    card = scorecard(
        [
            stream(
                (1, "A", "B", 1, 100, 5),
                (2, "C", "B", 9, 100, 5),
                (3, "F", "A", 9, 100, 5),
                (4, "M", "A", 9, 101, 5),
                (5, "A", "A", 2, 99, 5),
                (9, "A", "A", 3, 101, 5),
            )
        ],
        TICK_INT,
    )
    found = card.counts()
    assert found["crossed"] == 1
    assert (found["adds"], found["cancels"], found["modifies"], found["fills"]) == (3, 1, 1, 1)
    assert card.values()["touched_share"] == 0


def test_an_order_is_touched_once_and_lives_until_nothing_is_left():
    card = scorecard(
        [
            stream(
                (0, "A", "A", 3, 101, 5),
                (10, "A", "B", 1, 100, 5),
                (20, "F", "B", 1, 100, 1),
                (20, "M", "B", 1, 100, 4),
                (25, "F", "B", 1, 100, 1),
                (25, "M", "B", 1, 100, 3),
                (30, "C", "B", 1, 100, 2),
                (40, "C", "B", 1, 100, 1),
            )
        ],
        TICK_INT,
    )
    values = card.values()
    assert values["touched_share"] == 0.5
    assert values["lifetime_median_s"] == 30e-9
    assert values["equal_time_share"] == pytest.approx(2 / 7)


def test_a_stream_that_says_nothing_is_in_no_band():
    rows = Scorecard(TICK_INT).rows()
    assert [row.name for row in rows] == [band.name for band in PROFILES["index_future"]]
    assert not any(row.ok for row in rows)
    assert math.isnan(rows[0].value)


def test_a_clear_empties_the_book_and_the_rest_is_measured():
    card = scorecard(
        [
            stream(
                (1, "A", "B", 1, 100, 5),
                (1, "A", "A", 2, 101, 5),
                (50, "R", "N", 0, 0, 0),
                (90, "C", "B", 1, 100, 5),
                (95, "A", "B", 1, 100, 5),
            )
        ],
        TICK_INT,
    )
    assert card.values()["tight_share"] == 1
    assert int(card._sums.ints[at.QUOTED_NS]) == 49
    assert math.isnan(card.values()["lifetime_median_s"])


def test_prices_beyond_the_lattice_are_passed_over():
    far = at.SLOTS
    card = scorecard(
        [
            stream(
                (1, "A", "B", 1, far, 5),
                (2, "A", "A", 2, 3 * far, 5),
                (3, "A", "B", 3, 1, 5),
                (4, "C", "A", 2, 3 * far, 5),
                (5, "C", "B", 1, far, 5),
            )
        ],
        TICK_INT,
    )
    assert card.counts()["cancels"] == 2
    assert math.isnan(card.values()["tight_share"])


def test_quantiles_are_the_lowest_values_that_reach_the_share():
    bins = np.array([0, 5, 3, 2, 0], dtype=np.int64)
    assert [quantile(bins, q) for q in (0.0, 0.5, 0.51, 0.8, 0.81, 1.0)] == [0, 1, 2, 2, 3, 3]
    assert math.isnan(quantile(np.zeros(3, dtype=np.int64), 0.5))


@pytest.mark.parametrize("life_ns", [0, 1, 15, 16, 31, 32, 33, 1000, 4_100_000_000, 10**15])
def test_a_bin_of_a_lifetime_begins_at_most_a_sixteenth_below_it(life_ns):
    card = scorecard(
        [stream((5, "A", "B", 1, 100, 1), (5 + life_ns, "C", "B", 1, 100, 1))], TICK_INT
    )
    found = life_s(card._sums.lives, 0.5) * 1e9
    assert life_ns * 15 / 16 <= found * (1 + 1e-9)
    assert found <= life_ns * (1 + 1e-9)
