"""Statistics of a stream of events, summed row by row over a small book of its own.

Takes any stream, well formed or not: unknown ids are passed over. Memory is the table of
resting orders and histograms of fixed size. What is made of the sums stands in
``scorecard``; the book of the engine, with its anomalies, is ``engine.book``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.arrays import Floats, Ints
from engine.book.events import (
    ADD,
    ASK,
    BID,
    CANCEL,
    CLEAR,
    FILL,
    MODIFY,
    SNAPSHOT,
    TRADE,
    Events,
)
from engine.book.kernels import borrowed_events
from engine.jit import borrowed, inlined, kernel

# Columns of a resting order; an id of any value may be used, so `STATE` says what is held.
ORDER: Final = 0
STATE: Final = 1
SIDE: Final = 2
SLOT: Final = 3
SIZE: Final = 4
BORN_NS: Final = 5
COLUMNS: Final = 6
HELD: Final = 1
FRESH: Final = 2
TOUCHED: Final = 4

SLOTS: Final = 262_144
"""Prices of the book, around the first one; orders beyond rest unseen."""

# Integers of the state.
LAST_NS: Final = 0
FIRST_TICK: Final = 1
BEST: Final = 2  # two
LEVELS: Final = 4  # two: prices with lots
ORDERS: Final = 6
GAPS: Final = 7
EQUAL: Final = 8
ADDS: Final = 9
CANCELS: Final = 10
MODIFIES: Final = 11
FILLS: Final = 12
TRADES: Final = 13
TOUCHES: Final = 14
PLACED: Final = 15
JOINED: Final = 16
QUOTED_NS: Final = 17
TIGHT_NS: Final = 18
SAMPLES: Final = 19
BEGUN: Final = 20
ROWS: Final = 21
CROSSED: Final = 22
STATE_INTS: Final = 23

NOTHING: Final = 0
SHOWN: Final = 1
FEED: Final = 2

LIFE_BINS: Final = 1024
SIZE_BINS: Final = 4096
DISTANCE_BINS: Final = 4096
DEPTH_LEVELS: Final = 10
SAMPLE_NS: Final = 100_000_000


class Sums(NamedTuple):
    """All that a scorecard has summed, and the book it keeps.

    Attributes
    ----------
    ints : ndarray, shape (STATE_INTS,), int64
    reals : ndarray, shape (2,), float64
        Sum and sum of squares of the times between records, nanoseconds.
    table : ndarray, shape (2^m, COLUMNS), int64
        Resting orders, open-addressed.
    lattice : ndarray, shape (2, SLOTS), int64
        Lots by side and price.
    lives, sizes, distances : ndarray, int64
        Histograms: lifetimes by `life_bin`, lots, ticks from the best price.
    depth : ndarray, shape (DEPTH_LEVELS,), int64
        Lots of both sides at the ticks from the best price on, over all samples.
    """

    ints: Ints
    reals: Floats
    table: Ints
    lattice: Ints
    lives: Ints
    sizes: Ints
    distances: Ints
    depth: Ints


@inlined
def life_bin(life_ns: int) -> int:
    """Bin of a duration: sixteen to every doubling."""
    octave = 0
    life_ns = max(life_ns, 0)
    while life_ns >= 32:
        life_ns >>= 1
        octave += 1
    return min(octave * 16 + life_ns, LIFE_BINS - 1)


@inlined
def home(table: Ints, order_id: int) -> int:
    """Row where the search for an order begins."""
    mixed = (order_id ^ (order_id >> 17) ^ (order_id >> 34)) * 40503
    return int(mixed & (table.shape[0] - 1))


@kernel
def find(table: Ints, order_id: int) -> int:
    """Row of an order, or the empty row where it belongs."""
    row = home(table, order_id)
    while table[row, STATE] != 0 and table[row, ORDER] != order_id:
        row = (row + 1) & (table.shape[0] - 1)
    return row


@inlined
def drop(table: Ints, row: int) -> None:
    """Empty a row and close the gap, so that no search stops short."""
    mask = table.shape[0] - 1
    table[row, STATE] = 0
    follow = (row + 1) & mask
    while table[follow, STATE] != 0:
        begin = home(table, table[follow, ORDER])
        if ((follow - begin) & mask) >= ((follow - row) & mask):
            table[row] = table[follow]
            table[follow, STATE] = 0
            row = follow
        follow = (follow + 1) & mask


@inlined
def rest(sums: Sums, side: int, slot: int, lots: int) -> None:
    """Add to the lots at a price, or take from them, and keep the best price."""
    if slot < 0 or slot >= SLOTS:
        return
    ints, lattice = sums.ints, sums.lattice
    before = lattice[side, slot]
    after = before + lots
    lattice[side, slot] = after
    sign = 1 if side == 0 else -1
    best = ints[BEST + side]
    if before <= 0 < after:
        ints[LEVELS + side] += 1
        if best < 0 or sign * (slot - best) > 0:
            ints[BEST + side] = slot
    if after <= 0 < before:
        ints[LEVELS + side] -= 1
        if ints[LEVELS + side] == 0:
            ints[BEST + side] = -1
        elif slot == best:
            while lattice[side, slot] <= 0:
                slot -= sign
            ints[BEST + side] = slot


@inlined
def observe(sums: Sums, now_ns: int) -> None:
    """Weigh the book as it stood from the last time to this one."""
    ints = sums.ints
    bid, ask = ints[BEST], ints[BEST + 1]
    if bid < 0 or ask < 0:
        return
    passed_ns = now_ns - ints[LAST_NS]
    ints[QUOTED_NS] += passed_ns
    ints[CROSSED] += 1 if ask <= bid else 0
    ints[TIGHT_NS] += passed_ns if ask - bid == 1 else 0
    samples = now_ns // SAMPLE_NS - ints[LAST_NS] // SAMPLE_NS
    if samples == 0:
        return
    ints[SAMPLES] += samples
    for level in range(DEPTH_LEVELS):
        if bid - level >= 0:
            sums.depth[level] += samples * sums.lattice[0, bid - level]
        if ask + level < SLOTS:
            sums.depth[level] += samples * sums.lattice[1, ask + level]


@inlined
def see_time(sums: Sums, now_ns: int, shown: bool) -> None:
    """Take the time since the record before into the sums; a step back counts as none."""
    ints = sums.ints
    if ints[BEGUN] != NOTHING:
        gap_ns = max(now_ns - ints[LAST_NS], 0)
        if gap_ns > 0:
            observe(sums, now_ns)
        if not shown and ints[BEGUN] == FEED:
            ints[GAPS] += 1
            ints[EQUAL] += 1 if gap_ns == 0 else 0
            sums.reals[0] += gap_ns
            sums.reals[1] += float(gap_ns) * float(gap_ns)
    ints[BEGUN] = SHOWN if shown else FEED
    ints[LAST_NS] = now_ns
    ints[ROWS] += 1


@inlined
def see_add(
    sums: Sums, row: int, order_id: int, side: int, slot: int, lots: int, shown: bool
) -> None:
    """Take an order in, and how it was placed unless it is only shown."""
    ints, order = sums.ints, sums.table[row]
    if not shown:
        best = ints[BEST + side]
        ints[ADDS] += 1
        sums.sizes[min(max(lots, 0), SIZE_BINS - 1)] += 1
        if best >= 0:
            away = best - slot if side == 0 else slot - best
            ints[PLACED] += 1
            ints[JOINED] += 1 if away <= 0 else 0
            sums.distances[min(max(away, 0), DISTANCE_BINS - 1)] += 1
    order[ORDER] = order_id
    order[STATE] = HELD if shown else HELD | FRESH
    order[SIDE] = side
    order[SLOT] = slot
    order[SIZE] = lots
    order[BORN_NS] = ints[LAST_NS]
    ints[ORDERS] += 1
    rest(sums, side, slot, lots)


@inlined
def see_modify(sums: Sums, row: int, side: int, slot: int, lots: int) -> None:
    """Restate an order."""
    order = sums.table[row]
    sums.ints[MODIFIES] += 1
    if order[STATE] == 0:
        return
    rest(sums, order[SIDE], order[SLOT], -order[SIZE])
    order[SIDE] = side
    order[SLOT] = slot
    order[SIZE] = lots
    rest(sums, side, slot, lots)


@inlined
def see_cancel(sums: Sums, row: int, lots: int) -> None:
    """Take from an order; one that has nothing left has lived."""
    order = sums.table[row]
    sums.ints[CANCELS] += 1
    if order[STATE] == 0:
        return
    taken = min(lots, order[SIZE])
    rest(sums, order[SIDE], order[SLOT], -taken)
    order[SIZE] -= taken
    if order[SIZE] > 0:
        return
    if order[STATE] & FRESH:
        sums.lives[life_bin(sums.ints[LAST_NS] - order[BORN_NS])] += 1
    sums.ints[ORDERS] -= 1
    drop(sums.table, row)


@inlined
def see_fill(sums: Sums, row: int) -> None:
    """Count a fill, and its order when it is the first that touches it."""
    state = sums.table[row, STATE]
    sums.ints[FILLS] += 1
    if state & FRESH and not state & TOUCHED:
        sums.table[row, STATE] = state | TOUCHED
        sums.ints[TOUCHES] += 1


@inlined
def forget(sums: Sums) -> None:
    """Empty the book, as a clear does."""
    sums.table[:, STATE] = 0
    sums.lattice[:] = 0
    sums.ints[BEST : BEST + 2] = -1
    sums.ints[LEVELS : LEVELS + 2] = 0
    sums.ints[ORDERS] = 0


@kernel
def score(given: Events, tick_int: int, counted: Sums) -> None:
    """Take events into the sums; the table has room for all of them."""
    events = borrowed_events(given)
    sums = Sums(
        borrowed(counted.ints),
        borrowed(counted.reals),
        borrowed(counted.table),
        borrowed(counted.lattice),
        borrowed(counted.lives),
        borrowed(counted.sizes),
        borrowed(counted.distances),
        borrowed(counted.depth),
    )
    ints = sums.ints
    for k in range(events.ts_ns.shape[0]):
        kind, shown = events.action[k], (events.flags[k] & SNAPSHOT) != 0
        see_time(sums, events.ts_ns[k], shown)
        if kind == CLEAR:
            forget(sums)
        ints[TRADES] += 1 if kind == TRADE else 0
        if kind not in (ADD, CANCEL, MODIFY, FILL) or events.side[k] not in (ASK, BID):
            continue
        side = 0 if events.side[k] == BID else 1
        tick = events.price_int[k] // tick_int
        if ints[FIRST_TICK] == 0:
            ints[FIRST_TICK] = tick - SLOTS // 2
        slot = tick - ints[FIRST_TICK]
        row = find(sums.table, events.order_id[k])
        if kind == ADD and sums.table[row, STATE] == 0:
            see_add(sums, row, events.order_id[k], side, slot, events.size[k], shown)
        elif kind == MODIFY:
            see_modify(sums, row, side, slot, events.size[k])
        elif kind == CANCEL:
            see_cancel(sums, row, events.size[k])
        elif kind == FILL:
            see_fill(sums, row)
