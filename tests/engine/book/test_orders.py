"""The table of live orders against a dictionary.

Ids that share a home, deletions in any order, growth. What events do to orders is in test_book.py.
"""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.book.layout import ID, ORDER_WIDTH, PRICE, USED
from engine.book.orders import copy_orders, find, free_row, home, take_row

ROWS = 32
MASK = ROWS - 1
_POOL = [*range(-600, 600), *(i << 33 for i in range(1, 300)), 2**63 - 1, -(2**63)]


@cache
def by_home() -> dict[int, list[int]]:
    """Ids by the row where their search starts."""
    return {row: [i for i in _POOL if home(i, MASK) == row] for row in range(ROWS)}


@cache
def crowded() -> list[int]:
    """Ids whose searches start in four rows around the end of the table."""
    rows = by_home()
    return [*rows[ROWS - 2][:6], *rows[ROWS - 1][:6], *rows[0][:4], *rows[1][:4]]


CROWDED = st.deferred(lambda: st.sampled_from(crowded()))


def empty(rows: int = ROWS) -> np.ndarray:
    return np.zeros((rows, ORDER_WIDTH), dtype=np.int64)


def put(orders: np.ndarray, order_id: int, price: int) -> None:
    orders[take_row(orders, order_id), PRICE] = price


def assert_holds(orders: np.ndarray, wanted: dict[int, int], absent: list[int]) -> None:
    used = orders[orders[:, USED] != 0]
    assert dict(zip(used[:, ID].tolist(), used[:, PRICE].tolist(), strict=True)) == wanted
    for order_id, price in wanted.items():
        assert orders[find(orders, order_id), PRICE] == price
    for order_id in absent:
        assert order_id in wanted or find(orders, order_id) == -1


def test_every_home_has_ids_that_share_it():
    assert min(map(len, by_home().values())) >= 6
    assert len(set(crowded())) == 20


@settings(max_examples=60)
@given(st.lists(st.tuples(CROWDED, st.integers(0, 99)), max_size=80))
def test_the_table_is_a_dictionary_of_ids_that_collide(steps):
    orders, wanted = empty(), {}
    for order_id, price in steps:
        if order_id in wanted:
            free_row(orders, find(orders, order_id))
            del wanted[order_id]
        elif 2 * (len(wanted) + 1) <= ROWS:
            put(orders, order_id, price)
            wanted[order_id] = price
        assert_holds(orders, wanted, crowded())


@pytest.mark.parametrize("seed", range(3))
def test_the_table_is_a_dictionary_over_many_steps_and_growth(seed):
    rng = np.random.default_rng(seed)
    orders, wanted = empty(8), {}
    ids = [*rng.integers(-(2**63), 2**63 - 1, 200).tolist(), *range(200)]
    for step in range(3_000):
        order_id = ids[rng.integers(len(ids))]
        if order_id in wanted:
            free_row(orders, find(orders, order_id))
            del wanted[order_id]
            continue
        if 2 * (len(wanted) + 1) > orders.shape[0]:
            larger = empty(2 * orders.shape[0])
            copy_orders(orders, larger)
            orders = larger
        put(orders, order_id, step)
        wanted[order_id] = step
    assert len(wanted) > 100
    assert_holds(orders, wanted, ids)
    for order_id in rng.permutation(np.array(list(wanted))).tolist():
        free_row(orders, find(orders, order_id))
        del wanted[order_id]
        assert find(orders, order_id) == -1
    assert_holds(orders, wanted, ids)


@pytest.mark.parametrize("step", [1, 2, 8, 1 << 16, 1 << 32, 1 << 40, -1])
def test_ids_that_count_up_do_not_crowd(step):
    homes = np.array([home((7 + i * step) % 2**63, 2**14 - 1) for i in range(2**13)])
    assert np.bincount(homes).max() <= 32
