"""Where things lie in the arrays of a scorecard of options: rows, running state, sums.

What fills them is ``kernels_scorecard_context`` and ``kernels_scorecard_options``. The quotes
that hold when an option prints are also what the audit and the leak test look at.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.arrays import Floats, Ints

# --- Integers of a contract.
BID: Final = 0
ASK: Final = 1
QUOTE_NS: Final = 2
IV_PPM: Final = 3
SYMBOL: Final = 4
EXPIRY_NS: Final = 5
STRIKE: Final = 6
IS_PUT: Final = 7
SERIES: Final = 8  # of its symbol and expiry
IS_FRONT: Final = 9  # of the next two expiries
LOTS: Final = 10  # traded
RUN_NS: Final = 11  # last print of the run
RUN: Final = 12  # prints of the run
VENUES: Final = 13  # bits of its venues
CONTRACT_INTS: Final = 14

# --- Integers of an underlying.
MID2: Final = 0  # bid plus ask of the last clean quote
SPOT_NS: Final = 1  # last quote
MOVED_NS: Final = 2  # last change of the clean mid
SPOT_INTS: Final = 3

# --- What held when an option printed: columns.
HELD_BID: Final = 0
HELD_ASK: Final = 1
HELD_NS: Final = 2  # time of the quote, 0 if there is none
HELD_MID2: Final = 3
HELD_SPOT_NS: Final = 4
HELD_MOVED_NS: Final = 5
HELD: Final = 6

# --- Counts of the tape.
QUOTES: Final = 0
OFF_GRID: Final = 1
PRINTS: Final = 2
SMALL: Final = 3
VOLUME: Final = 4
FRONT_VOLUME: Final = 5
FRESH: Final = 6
STALE: Final = 7
QUOTED: Final = 8  # not stale
NEAR: Final = 9
RUNS: Final = 10
RUN_VENUES: Final = 11
COUNTS: Final = 12

# --- Sums of smiles.
SMILES: Final = 0
PUT_SKEW: Final = 1
CALL_SKEW: Final = 2
ORDERED: Final = 3
SMILE_SUMS: Final = 4

TARGETS: Final = (0.95, 1.0, 1.05)
"""Strikes over spot at which a smile is read."""
SHORTEST_DAYS, LONGEST_DAYS = 14.0, 42.0
"""Expiries whose smile is read."""
WIDTH_SHORTEST_DAYS, WIDTH_LONGEST_DAYS = 5.0, 45.0
NEAR_MONEY, FAR_MONEY, AT_MONEY = 0.02, 0.05, 0.015
"""Distances of strike from spot."""
LEAST_RUN: Final = 3
"""Prints that make a sweep."""
MOST_SMALL: Final = 10
PENNY, BELOW_3, NICKEL = 0, 1, 2
OPTION_TICKS: Final = ("penny", "below_3", "nickel")


class OptionRows(NamedTuple):
    """Columns of the streams that option prints are seen against, each in order of `seq`.

    Attributes
    ----------
    e_ts, e_seq, e_symbol, e_bid, e_ask : ndarray, shape (equity quotes,), int64
    n_ts, n_seq, n_contract, n_bid, n_ask, n_iv : ndarray, shape (option quotes,), int64
    o_ts, o_seq, o_contract, o_price, o_size, o_venue : ndarray, shape (option prints,), int64
    """

    e_ts: Ints
    e_seq: Ints
    e_symbol: Ints
    e_bid: Ints
    e_ask: Ints
    n_ts: Ints
    n_seq: Ints
    n_contract: Ints
    n_bid: Ints
    n_ask: Ints
    n_iv: Ints
    o_ts: Ints
    o_seq: Ints
    o_contract: Ints
    o_price: Ints
    o_size: Ints
    o_venue: Ints


class OptionState(NamedTuple):
    """Where quotes stand.

    Attributes
    ----------
    contracts : ndarray, shape (contracts, CONTRACT_INTS), int64
    spots : ndarray, shape (symbols, SPOT_INTS), int64
    usual : ndarray, shape (symbols,), float64
        Usual spread of the underlying, ticks.
    ticks : ndarray, shape (symbols,), int64
        Place in `OPTION_TICKS`.
    """

    contracts: Ints
    spots: Ints
    usual: Floats
    ticks: Ints


class OptionSums(NamedTuple):
    """What is summed over a tape; the sums of two tapes add up.

    Attributes
    ----------
    counts : ndarray, shape (COUNTS,), int64
    smiles : ndarray, shape (SMILE_SUMS,), float64
    iv_returns : ndarray, shape (symbols, 6), float64
        For the correlation of changes of volatility and returns.
    widths : ndarray, shape (symbols, 2, 2), float64
        Number and sum of relative widths near the money and far from it.
    width_volatility : ndarray, shape (symbols, 6), float64
        For the correlation of width over spot and realised volatility.
    tops : ndarray, shape (2,), int64
        Contracts traded in the top tenth of the series, and in all, of finished tapes.
    """

    counts: Ints
    smiles: Floats
    iv_returns: Floats
    widths: Floats
    width_volatility: Floats
    tops: Ints
