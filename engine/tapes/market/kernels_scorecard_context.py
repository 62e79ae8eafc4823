"""The quotes that hold when an option prints: its own, and its underlying's.

One pass over equity quotes, option quotes and option prints in order of their numbers. The
scorecard, the audit and the leak test all look at prints with what is found here.
"""

from __future__ import annotations

from contracts.tape_columns import CENT_TICKS, TICKS_PER_DOLLAR
from engine.arrays import Ints
from engine.jit import borrowed, inlined, kernel
from engine.tapes.market import scorecard_options_layout as at
from engine.tapes.market.kernels_scorecard import kind_of_quote, renew_usual
from engine.tapes.market.scorecard_layout import QUOTES as CLEAN
from engine.tapes.market.scorecard_layout import EquityRows
from engine.tapes.market.scorecard_options_layout import OptionRows, OptionState


@inlined
def variation(kind: int, price: int) -> int:
    """Minimum variation of an option at a price, ticks."""
    if kind == at.PENNY:
        return CENT_TICKS
    is_low = price < 3 * TICKS_PER_DOLLAR
    if kind == at.BELOW_3:
        return CENT_TICKS if is_low else 5 * CENT_TICKS
    return 5 * CENT_TICKS if is_low else 10 * CENT_TICKS


@inlined
def is_off_grid(kind: int, price: int) -> bool:
    """Whether a price is no multiple of its minimum variation."""
    return bool(price % variation(kind, price) != 0)


@inlined
def is_near(kind: int, price: int, bid: int, ask: int) -> bool:
    """Whether a print is in its quote, or at most one minimum variation through."""
    step = variation(kind, price)
    return bool(bid - step <= price <= ask + step)


@inlined
def see_spot(state: OptionState, symbol: int, ts_ns: int, bid: int, ask: int) -> None:
    """Take a quote of an underlying."""
    spot = state.spots[symbol]
    kind = kind_of_quote(bid, ask, state.usual[symbol])
    renew_usual(state.usual, symbol, bid, ask)
    spot[at.SPOT_NS] = ts_ns
    if kind == CLEAN and spot[at.MID2] != bid + ask:
        spot[at.MID2] = bid + ask
        spot[at.MOVED_NS] = ts_ns


@inlined
def see_option(contract: Ints, ts_ns: int, bid: int, ask: int, iv_ppm: int) -> None:
    """Take a quote of a contract."""
    contract[at.BID] = bid
    contract[at.ASK] = ask
    contract[at.QUOTE_NS] = ts_ns
    contract[at.IV_PPM] = iv_ppm


@kernel
def see_quotes(
    state: OptionState, rows: OptionRows, spots: tuple[int, int], quotes: tuple[int, int]
) -> None:
    """Take quotes of underlyings and of contracts from a row to another."""
    for i in range(spots[0], spots[1]):
        see_spot(state, rows.e_symbol[i], rows.e_ts[i], rows.e_bid[i], rows.e_ask[i])
    for j in range(quotes[0], quotes[1]):
        contract = state.contracts[rows.n_contract[j]]
        see_option(contract, rows.n_ts[j], rows.n_bid[j], rows.n_ask[j], rows.n_iv[j])


@inlined
def write_held(state: OptionState, rows: OptionRows, k: int, held: Ints) -> None:
    """Write what holds when an option prints."""
    contract = state.contracts[rows.o_contract[k]]
    spot = state.spots[contract[at.SYMBOL]]
    held[k, at.HELD_BID] = contract[at.BID]
    held[k, at.HELD_ASK] = contract[at.ASK]
    held[k, at.HELD_NS] = contract[at.QUOTE_NS]
    held[k, at.HELD_MID2] = spot[at.MID2]
    held[k, at.HELD_SPOT_NS] = spot[at.SPOT_NS]
    held[k, at.HELD_MOVED_NS] = spot[at.MOVED_NS]


@kernel
def see_context(given: OptionRows, standing: OptionState, held: Ints) -> None:
    """Take quotes of a stretch, and write beside each option print what held.

    Parameters
    ----------
    held : ndarray, shape (option prints, HELD), int64
        Overwritten.
    """
    state = OptionState(
        borrowed(standing.contracts),
        borrowed(standing.spots),
        borrowed(standing.usual),
        borrowed(standing.ticks),
    )
    # An underlying's quotes and its options' meet in prints alone.
    i, j = 0, 0
    for k in range(given.o_seq.shape[0] + 1):
        first, before = i, j
        is_last = k == given.o_seq.shape[0]
        while i < given.e_seq.shape[0] and (is_last or given.e_seq[i] < given.o_seq[k]):
            i += 1
        while j < given.n_seq.shape[0] and (is_last or given.n_seq[j] < given.o_seq[k]):
            j += 1
        see_quotes(state, given, (first, i), (before, j))
        if not is_last:
            write_held(state, given, k, held)


@kernel
def see_equity_context(rows: EquityRows, quotes: Ints, held: Ints) -> None:
    """Take equity quotes of a stretch, and write beside each print the last that it can trade at.

    A wide quote stands too: after a calm minute a stressed one is as wide as a wrong one.

    Parameters
    ----------
    quotes : ndarray, shape (symbols, 2), int64
        Bid and ask of the last quote of two sides that do not cross; renewed.
    held : ndarray, shape (prints, 2), int64
        Overwritten.
    """
    i = 0
    for k in range(rows.p_seq.shape[0] + 1):
        is_last = k == rows.p_seq.shape[0]
        while i < rows.q_seq.shape[0] and (is_last or rows.q_seq[i] < rows.p_seq[k]):
            symbol, bid, ask = rows.q_symbol[i], rows.q_bid[i], rows.q_ask[i]
            if 0 < bid < ask:
                quotes[symbol, 0] = bid
                quotes[symbol, 1] = ask
            i += 1
        if not is_last:
            held[k, 0] = quotes[rows.p_symbol[k], 0]
            held[k, 1] = quotes[rows.p_symbol[k], 1]
