"""Where things lie in the arrays of a market tape, and the constants of its model.

The arrays are the whole state. What the constants mean is in ``docs/market-tape.md``; they
are used by the ``kernels`` modules beside this one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from engine.arrays import Floats, Ints

# --- Facts of a symbol: reals that stay as they are.
TRADES_PER_S: Final = 0
QUOTES_PER_S: Final = 1
OPTIONS_PER_S: Final = 2
SPREAD_CENTS: Final = 3
OFF_SHARE: Final = 4
ODD_SHARE: Final = 5
SIGMA: Final = 6  # of a second's log return
KAPPA: Final = 7  # log move of one usual trade
REPRICE: Final = 8  # log move that reprices the chain
RHO: Final = 9
BASE_VAR: Final = 10  # at-the-money variance a year
WIDTH: Final = 11  # of option quotes, relative to the most liquid
TICK_KIND: Final = 12
SLOT: Final = 13
EVENT_NS: Final = 14  # time of the scheduled event, 0 if none
FACTS: Final = 15

PENNY, BELOW_3, NICKEL = 0.0, 1.0, 2.0

# --- Settings of the tape: reals.
WIDE: Final = 0
LOCKED: Final = 1
CROSSED: Final = 2
ONE_SIDED: Final = 3
STALE: Final = 4
LATE: Final = 5
CANCELLED: Final = 6
CORRECTED: Final = 7
BRANCHING: Final = 8
SWEEPS: Final = 9
BLOCKS: Final = 10
PACKAGES: Final = 11
PRESSURE_KEPT: Final = 12  # share of the pressure that is left after a second
ETA: Final = 13
GAMMA: Final = 14
REVERSION: Final = 15
EVENT_VAR: Final = 16
SPOT_BETA: Final = 17
SETTINGS: Final = 18

# --- Columns of the cells, one a second.
RATE_SHAPE: Final = 0  # of arrivals through the day, mean 1
RATE: Final = 1  # load profile times activity
LIQUIDITY: Final = 2
CLEANLINESS: Final = 3
OFF_FACTOR: Final = 4
VOLATILITY: Final = 5
CELL_COLUMNS: Final = 6

# --- Integers of a symbol's state.
LAST_NS: Final = 0
BID: Final = 1
ASK: Final = 2
QUOTE_NS: Final = 3
IS_CLEAN: Final = 4
CLEAN_MID2: Final = 5  # bid plus ask of the last clean quote
SWEPT_MID2: Final = 6
SWEPT_NS: Final = 7
DRAW: Final = 8
CELL: Final = 9  # of the present cells
CELL_END_NS: Final = 10
PACKAGE: Final = 11
HEDGED: Final = 12  # number of the burst that was hedged last
STATE_INTS: Final = 13

# --- Reals of a symbol's state.
FAST: Final = 0  # excitement of the trades, per second
SLOW: Final = 1
OPTION_FAST: Final = 2
IMPACT: Final = 3  # passing log move
MOVED: Final = 4  # lasting log move that flow has made
KNOWN: Final = 5  # lasting log move to come
PRESSURE: Final = 6  # log move of short variance
LEAN: Final = 7  # demand for calls over puts, moves the skew
TO_HEDGE: Final = 8  # shares that dealers still have to trade, signed
SPOT_SLOW: Final = 9  # slow mean of the log price
SWEPT_PRESSURE: Final = 10
SWEPT_LEAN: Final = 11
SWEPT_RHO: Final = 12
MOOD: Final = 13  # of the background orders
STATE_REALS: Final = 14

# --- Columns of a listed contract.
CODE: Final = 0
EXPIRY: Final = 1
IS_PUT: Final = 2
STRIKE: Final = 3  # ticks
LAST_BID: Final = 4
LAST_ASK: Final = 5
LAST_IV: Final = 6
LISTED_COLUMNS: Final = 7

# --- Columns of an expiry, reals; its close is kept as an integer beside.
REACH: Final = 0  # cumulative weight in the background flow
THETA: Final = 1
PHI: Final = 2
YEARS: Final = 3
BEHIND_EVENT: Final = 4
EXPIRY_COLUMNS: Final = 5

# --- Integers of a burst.
B_ACTOR: Final = 0
B_SUBTYPE: Final = 1
B_SYMBOL: Final = 2
B_SCHEDULED: Final = 3
B_START: Final = 4
B_END: Final = 5
B_PRINTS: Final = 6
B_CONTRACTS: Final = 7
B_DIRECTION: Final = 8
B_REGIME: Final = 9
B_PHASE: Final = 10
B_STREAM: Final = 11  # bits of the stream of its draws
B_DRAW: Final = 12
B_NEXT: Final = 13  # time of its next print
B_LEFT: Final = 14  # cycles left
B_SIDE: Final = 15
B_IS_PUT: Final = 16
B_LEGS: Final = 17
B_LEG: Final = 18  # four: places in the chain
B_LEG_SIDE: Final = 22  # four
B_AT_LEG: Final = 26
B_IS_OPEN: Final = 27
B_MODE: Final = 28
B_LOTS: Final = 29  # of the present cycle, shared by its legs
B_NUMBER: Final = 30
B_FAMILY: Final = 31
BURST_INTS: Final = 32

EVENT_FAMILY: Final = 2
HEDGE_FAMILY: Final = 5

TOGETHER, APART = 0, 1
"""Whether the legs of a cycle are traded together, in equal size."""

# --- Reals of a burst.
R_NOTIONAL: Final = 0  # dollars, of the whole
R_PER_PRINT: Final = 1
R_BUY: Final = 2
R_SELL: Final = 3
R_GAP_NS: Final = 4
R_DRIFT: Final = 5
R_HEDGE: Final = 6
R_INFORMED: Final = 7  # log move
R_DONE: Final = 8  # dollars traded
R_TENOR: Final = 9  # days
R_MONEYNESS: Final = 10
R_CYCLES: Final = 11
BURST_REALS: Final = 12

NO_BURST: Final = -1
ACTIVE_BURSTS: Final = 256
"""Bursts of one symbol that go on at a time; more wait."""

# --- Columns of the rows a kernel writes: the stream's own, then those of its label.
EQ_COLUMNS: Final = 8
EP_COLUMNS: Final = 10
ON_COLUMNS: Final = 9
OP_COLUMNS: Final = 8
LABEL_COLUMNS: Final = 5
"""Actor, burst, side, opens, package."""

EQ, EP, ON, OP = 0, 1, 2, 3
"""The four streams, as places of `Flow.rows`."""

SLOTS: Final = 512
"""Symbols that the low digits of a sequence number tell apart."""
SIGN_SLOTS: Final = 10
"""Parent orders whose children make the signs of the trades."""

# --- The model's own constants.
FAST_PER_S: Final = 4.0
SLOW_PER_S: Final = 0.08
FAST_SHARE: Final = 0.5
QUOTE_EXCITED: Final = 1.2
OPTION_PER_S: Final = 1.0
OPTION_BRANCHING: Final = 0.3
IMPACT_KEPT: Final = 0.978  # share of the impact left after a second
KNOWN_TOLD: Final = 0.0022  # share of what is known that becomes price in a second
SPOT_TOLD: Final = 0.0005
HEDGE_PER_S: Final = 1.2
GROUP_STAYS: Final = 0.28
"""Probability that a trade walks on to another venue."""
METAORDER_TAIL: Final = 1.5
"""Tail index of the length of parent orders (Lillo, Mike and Farmer 2005)."""
CASCADE_NS: Final = 20_000
"""Nothing begins this near to the end of a second, so that what follows one fits in."""
CROWDED_NS: Final = 10_000
"""Here events follow one another by single nanoseconds."""


class Flow(NamedTuple):
    """All that changes for one symbol, and the rows it has written.

    Attributes
    ----------
    ints : ndarray, shape (STATE_INTS,), int64
    reals : ndarray, shape (STATE_REALS,), float64
    signs : ndarray, shape (SIGN_SLOTS, 2), int64
        Side and children left of each parent order.
    listed : ndarray, shape (contracts, LISTED_COLUMNS), int64
        By expiry, then strike, then right.
    expiries : ndarray, shape (expiries, EXPIRY_COLUMNS), float64
    closes : ndarray, shape (expiries,), int64
    bursts : ndarray, shape (bursts, BURST_INTS), int64
        Of all symbols; this one's are written to.
    burst_reals : ndarray, shape (bursts, BURST_REALS), float64
    active : ndarray, shape (ACTIVE_BURSTS,), int64
        Rows of the bursts that go on; `NO_BURST` where none.
    equity_quotes, equity_prints, option_nbbo, option_prints : ndarray, shape (rows, columns), int64
    rows : ndarray, shape (4,), int64
        How many rows of each are written.
    """

    ints: Ints
    reals: Floats
    signs: Ints
    listed: Ints
    expiries: Floats
    closes: Ints
    bursts: Ints
    burst_reals: Floats
    active: Ints
    equity_quotes: Ints
    equity_prints: Ints
    option_nbbo: Ints
    option_prints: Ints
    rows: Ints


class World(NamedTuple):
    """All that one symbol's flow follows and does not change.

    Attributes
    ----------
    key, stream : uint64
        Root seed, and the stream of the symbol's draws.
    origin_ns : int
        Time that sequence numbers count from, the first open.
    start_ns : int
        Start of the first cell.
    facts : ndarray, shape (FACTS,), float64
    settings : ndarray, shape (SETTINGS,), float64
    cells : ndarray, shape (cells, CELL_COLUMNS), float64
        One a second.
    path : ndarray, shape (cells + 1,), float64
        Log price before flow at the ends of the cells.
    heat : ndarray, shape (cells,), float64
        Log of volatility over its usual level.
    busy : ndarray, shape (cells,), float64
        Activity of the symbol over its usual one.
    """

    key: np.uint64
    stream: np.uint64
    origin_ns: int
    start_ns: int
    facts: Floats
    settings: Floats
    cells: Floats
    path: Floats
    heat: Floats
    busy: Floats
