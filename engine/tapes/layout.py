"""Where things lie in the arrays of a tape's state, and the constants of its model.

The arrays are the whole state: a copy of them resumes a tape. What the constants mean
is in ``docs/mbo-tape.md``; the kernels that use them are ``kernels_queue`` and
``kernels``.
"""

from __future__ import annotations

from typing import Final

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
LIFETIMES_S: Final = (0.001, 0.1, 2.0, 20.0, 200.0, 14_400.0)
"""Mean time until an order of a patience is withdrawn."""

# Zones of an add, and the share of each patience in them.
JOIN: Final = 0
OVERFULL: Final = 1
NEAR: Final = 2
DEEP: Final = 3
PATIENCE_SHARES: Final = (
    (0.15, 0.15, 0.35, 0.30, 0.05, 0.00),
    (0.45, 0.40, 0.15, 0.00, 0.00, 0.00),
    (0.08, 0.07, 0.25, 0.35, 0.22, 0.03),
    (0.05, 0.05, 0.15, 0.30, 0.37, 0.08),
)

BLOCKS: Final = 4
"""Blocks of the generator for one iteration: eight uniforms."""
ITERATIONS: Final = 256
"""Iterations drawn at once."""

TABLE: Final = 4096
"""Entries of a table that turns a uniform into a size or a distance."""

QUICK_PER_S: Final = 10_000.0
SLOW_PER_S: Final = 100.0
QUICK_SHARE: Final = 0.6
PACE_RANGE: Final = 20.0
EPOCH_S: Final = 0.5
MAX_STEP_S: Final = 0.05
STEER_S: Final = 60.0
WARM_UP_NS: Final = 120_000_000_000

DEAD_TICKS: Final = 0.6
MIN_ORDERS: Final = 8
MAX_FILLS: Final = 256
MAX_SWEPT: Final = 50
GROUP_ROWS: Final = 1024
"""More rows than any one group has."""
