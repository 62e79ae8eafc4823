"""Where things lie in the arrays of a scorecard of equities: rows, running state, sums.

The sums of two tapes add up, so that scorecards are pooled by adding arrays. What fills them is
``kernels_scorecard`` and ``kernels_scorecard_prices``; those of options are in
``scorecard_options_layout``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.arrays import Floats, Ints

# --- Integers of a symbol's state.
BID: Final = 0
ASK: Final = 1
CLEAN_BID: Final = 2
CLEAN_ASK: Final = 3
LOOK: Final = 4  # next look
TRADE_NS: Final = 5
SECOND: Final = 6
IN_SECOND: Final = 7
PRICE: Final = 8
TICK: Final = 9  # sign of the last change of the traded price
SIGNS: Final = 10  # signed trades of the session
PENDING: Final = 11  # a trade whose next quote has not come
P_BID: Final = 12
P_ASK: Final = 13
P_NS: Final = 14
STATE_INTS: Final = 15

# --- Counts of a symbol.
QUOTES: Final = 0
WIDE: Final = 1
LOCKED: Final = 2
CROSSED: Final = 3
ONE_SIDED: Final = 4
OFF_GRID: Final = 5
TRADES: Final = 6
ODD: Final = 7
OFF_TRADES: Final = 8
VOLUME: Final = 9
OFF_VOLUME: Final = 10
LATE: Final = 11
CANCELS: Final = 12
CORRECTS: Final = 13
REFERENCES: Final = 14
KNOWN: Final = 15
GAPS: Final = 16
SQUARES: Final = 17  # of the trades of a second
TOUCHES: Final = 18
UNCHANGED: Final = 19
SIGN_SUM: Final = 20
SIGNED: Final = 21
SPREADS: Final = 22  # at the signed trades, ticks
NEAR_RESPONSE: Final = 23  # twice the signed move of the mid
NEAR_PAIRS: Final = 24
FAR_RESPONSE: Final = 25
FAR_PAIRS: Final = 26
PRINTS: Final = 27
COUNTS: Final = 28

NEAR_LAG: Final = 10
FAR_LAG: Final = 100

OPENING, MIDDAY, CLOSING, WHOLE = 0, 1, 2, 3
"""Windows of a session."""

RATIO_MINUTES: Final = (5, 10, 30, 60)
"""Of the variance ratios."""
COARSE_MINUTES: Final = 30
SIZE: Final = 5
"""Place of the sum of |r| beside those of powers."""
CLOCK_MINUTES: Final = 390
CLOCK_LAG: Final = 20
RETURN_ONE: Final = 512
"""Bin of a return as large as the profile's deviation of a minute."""
N, X, Y, XX, YY, XY = 0, 1, 2, 3, 4, 5
"""Sums of which a correlation is made."""

RING: Final = 128
"""Trades of a symbol that are remembered, more than any lag."""
REMEMBERED: Final = 262_144
"""Trades of the tape that a cancel or a correction can refer to."""

OCTAVE: Final = 32
"""Bins of a logarithmic histogram to a doubling."""
TAIL_BINS: Final = 1024
SIZE_ZERO: Final = 0  # bin of 1
FIRST_AMENDMENT: Final = 3
CANCEL: Final = 3
LOT: Final = 100


class EquityRows(NamedTuple):
    """Columns of quotes and prints of equities, each in order of `seq`.

    Attributes
    ----------
    q_ts, q_seq, q_symbol, q_bid, q_ask : ndarray, shape (quotes,), int64
    p_ts, p_ingest, p_seq, p_symbol, p_price, p_size, p_condition, p_off, p_ref
        ndarray, shape (prints,), int64
    """

    q_ts: Ints
    q_seq: Ints
    q_symbol: Ints
    q_bid: Ints
    q_ask: Ints
    p_ts: Ints
    p_ingest: Ints
    p_seq: Ints
    p_symbol: Ints
    p_price: Ints
    p_size: Ints
    p_condition: Ints
    p_off: Ints
    p_ref: Ints


class EquityState(NamedTuple):
    """Where the symbols stand in the running session.

    Attributes
    ----------
    ints : ndarray, shape (symbols, STATE_INTS), int64
    usual : ndarray, shape (symbols,), float64
        Usual spread, ticks.
    mid2, spread : ndarray, shape (symbols, looks), int64
        Bid plus ask, and ask minus bid, of the clean quote at every look; 0 if there is none.
    signs : ndarray, shape (symbols, 2 RING), int64
        Twice over, so that the last ones are always in a row.
    mids : ndarray, shape (symbols, RING), int64
        Bid plus ask at the signed trades.
    windows : ndarray, shape (symbols, 4, 2), int64
        Trades and shares in the windows of the session.
    borders : ndarray, shape (6,), int64
        Start and end of the three windows.
    remembered : ndarray, shape (REMEMBERED, 2), int64
        Number and symbol of the last trades.
    head : ndarray, shape (1,), int64
        Trades ever remembered.
    """

    ints: Ints
    usual: Floats
    mid2: Ints
    spread: Ints
    signs: Ints
    mids: Ints
    windows: Ints
    borders: Ints
    remembered: Ints
    head: Ints


class EquitySums(NamedTuple):
    """What is summed over all sessions; the sums of two tapes add up.

    Attributes
    ----------
    counts : ndarray, shape (symbols, COUNTS), int64
    gaps : ndarray, shape (symbols, 2), float64
        Sum and sum of squares of the times between trades, nanoseconds.
    products : ndarray, shape (symbols, SIGN_LAGS), int64
        Of the signs of trades, by falling lag.
    pairs : ndarray, shape (symbols, SIGN_LAGS), int64
        How many there are.
    sizes : ndarray, shape (TAIL_BINS,), int64
        Logarithmic histogram of shares.
    windows : ndarray, shape (symbols, 4, 2), int64
        Of whole sessions.
    seconds : ndarray, shape (3,), int64
        Seconds seen, whole sessions seen, minutes of those.
    """

    counts: Ints
    gaps: Floats
    products: Ints
    pairs: Ints
    sizes: Ints
    windows: Ints
    seconds: Ints


class PriceSums(NamedTuple):
    """What is summed of looks at the quotes over all sessions; the sums of two tapes add up.

    Attributes
    ----------
    powers, coarse : ndarray, shape (symbols, 6), float64
        Sums of the powers 0 to 4 of returns over a minute, and over `COARSE_MINUTES`; of |r|.
    products, absolute, edges, pairs : ndarray, shape (symbols, lags), float64
        Sums of r r', |r||r'| and |r| + |r'| over the pairs of minutes at a lag, and their number.
    ratios : ndarray, shape (symbols, 4, 2), float64
        Squares of sums of returns over `RATIO_MINUTES`, and sums of their squares.
    joint : ndarray, shape (lags, 2), float64
        Of a minute's products summed over symbols: sum and sum of squares.
    leverage, spreads : ndarray, shape (symbols, 6), float64
        Sums for the correlations of returns and volatility, of spread and volatility.
    shape : ndarray, shape (symbols, 2, 2), float64
        Number and sum of |r| at the open and at midday of whole sessions.
    clock : ndarray, shape (symbols, CLOCK_MINUTES + 2), float64
        Over the sessions that have every minute and as many as usual: |r| by minute, the sum
        of |r||r'| over the pairs `CLOCK_LAG` apart, and the number of sessions.
    tails : ndarray, shape (symbols, TAIL_BINS), int64
        Logarithmic histogram of |r| over the profile's deviation.
    tight : ndarray, shape (symbols, 2), int64
        Looks at a spread of one cent, and all.
    """

    powers: Floats
    coarse: Floats
    products: Floats
    absolute: Floats
    edges: Floats
    pairs: Floats
    ratios: Floats
    joint: Floats
    leverage: Floats
    spreads: Floats
    shape: Floats
    clock: Floats
    tails: Ints
    tight: Ints
