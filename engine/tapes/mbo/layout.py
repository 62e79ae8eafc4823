"""Where things lie in the arrays of a tape's state, and the constants of its model.

The arrays are the whole state: a copy of them resumes a tape. What the constants mean
is in ``docs/mbo-tape.md``; they are used by the ``kernels`` modules beside this one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.arrays import Floats, Ints

# Columns of an order.
NEXT: Final = 0
PREVIOUS: Final = 1
TICK: Final = 2
LOTS: Final = 3
ID: Final = 4
SIDE: Final = 5
PATIENCE: Final = 6
PLACE: Final = 7
ORDER_COLUMNS: Final = 8

# Columns of a price level.
HEAD: Final = 0
TAIL: Final = 1
COUNT: Final = 2
DEPTH: Final = 3
LEVEL_COLUMNS: Final = 4

WINDOW_TICKS: Final = 4096
"""Prices of one side at a time; a power of two, because a tick's slot is its low bits."""

SIDE_BID: Final = 0
SIDE_ASK: Final = 1

# Integers of the state.
NOW_NS: Final = 0
ITERATION: Final = 1
NEXT_ID: Final = 2
SEQUENCE: Final = 3
FREE: Final = 4
ROW: Final = 5
ROWS: Final = 6
BEST: Final = 7  # two: bid, ask
WORST: Final = 9  # two
ORDERS: Final = 11  # two: orders of a side
PATIENT: Final = 13  # six: orders of a patience
STATE_INTS: Final = 19

# Reals of the state.
QUICK: Final = 0
SLOW: Final = 1
PACE: Final = 2
EPOCH_LEFT_S: Final = 3
STATE_REALS: Final = 4

# Columns of the rows a kernel writes.
ROW_TS: Final = 0
ROW_ACTION: Final = 1
ROW_SIDE: Final = 2
ROW_ID: Final = 3
ROW_PRICE: Final = 4
ROW_SIZE: Final = 5
ROW_FLAGS: Final = 6
ROW_SEQUENCE: Final = 7
ROW_COLUMNS: Final = 8

PATIENCES: Final = 6
LIFETIMES_S: Final = (0.001, 0.5, 3.0, 20.0, 200.0, 28_800.0)
"""Mean time until an order of a patience is withdrawn."""

# Zones of an add; each has its own shares of the patiences.
JOIN: Final = 0
OVERFULL: Final = 1
NEAR: Final = 2
DEEP: Final = 3
FAR: Final = 4
PATIENCE_SHARES: Final = (
    (0.10, 0.08, 0.36, 0.42, 0.04, 0.00),
    (0.45, 0.55, 0.00, 0.00, 0.00, 0.00),
    (0.04, 0.02, 0.20, 0.40, 0.34, 0.00),
    (0.03, 0.02, 0.12, 0.30, 0.53, 0.00),
    (0.00, 0.00, 0.00, 0.00, 0.00, 1.00),
)
FAR_SHARE: Final = 0.07
FAR_TICKS: Final = 1000

BLOCKS: Final = 4
"""Blocks of the generator for one iteration: eight uniforms."""
ITERATIONS: Final = 256
"""Iterations drawn at once."""

TABLE: Final = 4096
"""Entries of a table that turns a uniform into a size or a distance."""

QUICK_PER_S: Final = 10_000.0
SLOW_PER_S: Final = 100.0
QUICK_SHARE: Final = 0.6
PACE_RANGE: Final = 60.0
EPOCH_S: Final = 0.5
MAX_STEP_S: Final = 0.05
STEER_S: Final = 60.0
WARM_UP_NS: Final = 60_000_000_000

DEAD_TICKS: Final = 0.6
SWEEP_TICKS: Final = 4.0
MAX_CHASED: Final = 8.0
HALF_SHARE: Final = 0.005
MIN_ORDERS: Final = 8
MAX_SPAN_TICKS: Final = 3072
MAX_FILLS: Final = 256
MAX_SWEPT: Final = 50.0
GROUP_ROWS: Final = 1024
"""More rows than any one group has."""

# Reals of the model.
BASE_PER_S: Final = 0
BRANCHING: Final = 1
CHASE_PER_S: Final = 2
QUOTE_PER_S: Final = 3
ADD_SHARE: Final = 4
MODIFY_SHARE: Final = 5
JOIN_SHARE: Final = 6
NEAR_SHARE: Final = 7
FIRST_LEVEL: Final = 8
EVENTS_PER_S: Final = 9
MODEL_REALS: Final = 10

# Integers of the model.
TICK_INT: Final = 0
START_NS: Final = 1
BAR_NS: Final = 2
RISE_LEVELS: Final = 3
MODEL_INTS: Final = 4

# Rows of the tables.
SIZES: Final = 0
NEAR_TICKS: Final = 1
DEEP_TICKS: Final = 2


class TapeState(NamedTuple):
    """All that changes as a tape goes on, and the rows it has written.

    Attributes
    ----------
    ints : ndarray, shape (STATE_INTS,), int64
    reals : ndarray, shape (STATE_REALS,), float64
    orders : ndarray, shape (capacity, ORDER_COLUMNS), int64
        Orders in slots; free slots are a list by `NEXT`.
    levels : ndarray, shape (2, WINDOW_TICKS, LEVEL_COLUMNS), int64
        Queues by side and price; the place of a price is its low bits.
    members : ndarray, shape (PATIENCES, capacity), int64
        Slots of the orders of each patience, dense.
    out : ndarray, shape (rows, ROW_COLUMNS), int64
    """

    ints: Ints
    reals: Floats
    orders: Ints
    levels: Ints
    members: Ints
    out: Ints


class TapeModel(NamedTuple):
    """All that stays as it is.

    Attributes
    ----------
    ints : ndarray, shape (MODEL_INTS,), int64
    reals : ndarray, shape (MODEL_REALS,), float64
    tables : ndarray, shape (3, TABLE), int64
        Sizes in lots, near and deep distances in ticks, by uniform.
    opened, closed : ndarray, shape (bars,), float64
        The path, in ticks of the tape.
    """

    ints: Ints
    reals: Floats
    tables: Ints
    opened: Floats
    closed: Floats
