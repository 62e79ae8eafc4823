"""The table of live orders: open addressing with linear probing and backward shifts.

The table never grows inside a kernel: ``engine.book.api`` doubles it between two
events when a kernel says that it is half full.
"""

from __future__ import annotations

from typing import Final

from engine.arrays import Ints
from engine.book.layout import ID, ORDER_WIDTH, USED
from engine.jit import inlined, kernel

_LOW: Final = 0xFFFFFFFF
# Odd and below 2³¹, so that a product with 32 bits stays below 2⁶³.
_MIX_LOW: Final = 0x5BD1E995
_MIX_HIGH: Final = 0x27D4EB2F


@inlined
def home(order_id: int, mask: int) -> int:
    """Row at which the search for an id starts."""
    mixed = ((order_id & _LOW) * _MIX_LOW) ^ (((order_id >> 32) & _LOW) * _MIX_HIGH)
    return (mixed ^ (mixed >> 15)) & mask


@inlined
def find(orders: Ints, order_id: int) -> int:
    """Row of an order, −1 if there is none."""
    mask = orders.shape[0] - 1
    row = home(order_id, mask)
    while orders[row, USED] != 0:
        if orders[row, ID] == order_id:
            return row
        row = (row + 1) & mask
    return -1


@inlined
def take_row(orders: Ints, order_id: int) -> int:
    """Claim an empty row for a new id, which must not be in the table."""
    mask = orders.shape[0] - 1
    row = home(order_id, mask)
    while orders[row, USED] != 0:
        row = (row + 1) & mask
    orders[row, USED] = 1
    orders[row, ID] = order_id
    return row


@inlined
def free_row(orders: Ints, row: int) -> None:
    """Empty a row and shift back those behind it that could not stand at their home."""
    mask = orders.shape[0] - 1
    hole = row
    at = (row + 1) & mask
    while orders[at, USED] != 0:
        distance = (at - home(orders[at, ID], mask)) & mask
        if distance >= ((at - hole) & mask):
            for column in range(ORDER_WIDTH):
                orders[hole, column] = orders[at, column]
            hole = at
        at = (at + 1) & mask
    orders[hole, USED] = 0


@kernel
def copy_orders(source: Ints, target: Ints) -> None:
    """Enter all live orders into an empty, larger table."""
    for row in range(source.shape[0]):
        if source[row, USED] == 0:
            continue
        to = take_row(target, source[row, ID])
        for column in range(ORDER_WIDTH):
            target[to, column] = source[row, column]
