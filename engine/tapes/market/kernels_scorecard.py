"""Equity quotes and prints, taken row by row into the sums of a scorecard.

What a symbol's quote is now stands in its state; every ten seconds its clean quote is looked at,
and what is made of a session of such looks is ``kernels_scorecard_prices``. The arrays are
``scorecard_layout``; what the sums mean is in ``scorecard_arrivals`` and ``scorecard_quotes``.
"""

from __future__ import annotations

from contracts.tape_bands import GRID_NS, LATE_NS, SIGN_LAGS, TOUCH_NS, WIDE_SPREADS
from contracts.tape_columns import CENT_TICKS
from engine.arrays import Floats, Ints
from engine.jit import borrowed, inlined, kernel
from engine.mathx import log
from engine.tapes.market import scorecard_layout as at
from engine.tapes.market.scorecard_layout import EquityRows, EquityState, EquitySums

_PER_LOG = at.OCTAVE / 0.6931471805599453
_SECOND_NS = 1_000_000_000


@inlined
def log_bin(value: float, zero: int) -> int:
    """Bin of a positive value, where 1 falls into the bin `zero`."""
    place = zero + log(value) * _PER_LOG
    return int(min(max(place, 0.0), at.TAIL_BINS - 1.0))


@inlined
def look(state: EquityState, symbol: int, now_ns: int, open_ns: int) -> None:
    """Look at the clean quote at every time of the grid up to now."""
    ints = state.ints[symbol]
    place = ints[at.LOOK]
    while place < state.mid2.shape[1] and open_ns + place * GRID_NS <= now_ns:
        state.mid2[symbol, place] = ints[at.CLEAN_BID] + ints[at.CLEAN_ASK]
        state.spread[symbol, place] = ints[at.CLEAN_ASK] - ints[at.CLEAN_BID]
        place += 1
    ints[at.LOOK] = place


@inlined
def kind_of_quote(bid: int, ask: int, usual: float) -> int:
    """`at.QUOTES` for a clean quote, or what is wrong with it."""
    if bid <= 0 or ask <= 0:
        return at.ONE_SIDED
    if bid > ask:
        return at.CROSSED
    if bid == ask:
        return at.LOCKED
    return at.WIDE if ask - bid > WIDE_SPREADS * usual else at.QUOTES


@inlined
def renew_usual(usual: Floats, symbol: int, bid: int, ask: int) -> None:
    """Let the usual spread follow the spreads, of wide quotes only a little."""
    if 0 < bid < ask:
        seen = min(float(ask - bid), WIDE_SPREADS * usual[symbol])
        usual[symbol] += (seen - usual[symbol]) / 64.0


@inlined
def settle(ints: Ints, counts: Ints, changed: bool) -> None:
    """Say of the trade that waits whether it has changed the touch."""
    if ints[at.PENDING] == 0:
        return
    counts[at.TOUCHES] += 1
    counts[at.UNCHANGED] += 0 if changed else 1
    ints[at.PENDING] = 0


@inlined
def take_quote(
    state: EquityState, sums: EquitySums, symbol: int, ts_ns: int, bid: int, ask: int, open_ns: int
) -> None:
    """Take a quote."""
    ints, counts = state.ints[symbol], sums.counts[symbol]
    look(state, symbol, ts_ns, open_ns)
    differs = bid != ints[at.P_BID] or ask != ints[at.P_ASK]
    settle(ints, counts, differs and ts_ns - ints[at.P_NS] <= TOUCH_NS)
    kind = kind_of_quote(bid, ask, state.usual[symbol])
    counts[at.QUOTES] += 1
    counts[kind] += 0 if kind == at.QUOTES else 1
    counts[at.OFF_GRID] += 1 if bid % CENT_TICKS != 0 or ask % CENT_TICKS != 0 else 0
    renew_usual(state.usual, symbol, bid, ask)
    ints[at.BID] = bid
    ints[at.ASK] = ask
    if kind != at.QUOTES:
        return
    before = ints[at.LOOK] - 1
    if ints[at.CLEAN_ASK] == 0 and before >= 0:
        # The first quote of a session stands for the look just before it.
        state.mid2[symbol, before] = bid + ask
        state.spread[symbol, before] = ask - bid
    ints[at.CLEAN_BID] = bid
    ints[at.CLEAN_ASK] = ask


@inlined
def sign_of(ints: Ints, price: int) -> int:
    """Side of a trade by the quote, at the mid by the last change of price; 0 if unknown."""
    away = 2 * price - ints[at.CLEAN_BID] - ints[at.CLEAN_ASK]
    if price != ints[at.PRICE] and ints[at.PRICE] != 0:
        ints[at.TICK] = 1 if price > ints[at.PRICE] else -1
    ints[at.PRICE] = price
    if ints[at.CLEAN_ASK] == 0:
        return 0
    if away == 0:
        return int(ints[at.TICK])
    return 1 if away > 0 else -1


@inlined
def push_sign(state: EquityState, sums: EquitySums, symbol: int, sign: int) -> None:
    """Multiply a sign with those before it, see how the mid has answered them, remember it."""
    ints, counts, signs = state.ints[symbol], sums.counts[symbol], state.signs[symbol]
    mids, products = state.mids[symbol], sums.products[symbol]
    seen, mid2 = ints[at.SIGNS], ints[at.CLEAN_BID] + ints[at.CLEAN_ASK]
    place = seen % at.RING
    first = place + at.RING - SIGN_LAGS
    for j in range(SIGN_LAGS):
        products[j] += sign * signs[first + j]
    if seen >= at.NEAR_LAG:
        move = mid2 - mids[(seen - at.NEAR_LAG) % at.RING]
        counts[at.NEAR_RESPONSE] += signs[place + at.RING - at.NEAR_LAG] * move
        counts[at.NEAR_PAIRS] += 1
    if seen >= at.FAR_LAG:
        move = mid2 - mids[(seen - at.FAR_LAG) % at.RING]
        counts[at.FAR_RESPONSE] += signs[place + at.RING - at.FAR_LAG] * move
        counts[at.FAR_PAIRS] += 1
    counts[at.SIGN_SUM] += sign
    counts[at.SIGNED] += 1
    counts[at.SPREADS] += ints[at.CLEAN_ASK] - ints[at.CLEAN_BID]
    signs[place] = sign
    signs[place + at.RING] = sign
    mids[place] = mid2
    ints[at.SIGNS] = seen + 1


@inlined
def take_time(state: EquityState, sums: EquitySums, symbol: int, ts_ns: int, shares: int) -> None:
    """Take the time of a trade: its gap, its second, its windows."""
    ints, counts, windows = state.ints[symbol], sums.counts[symbol], state.windows[symbol]
    if ints[at.TRADE_NS] != 0:
        gap_ns = float(ts_ns - ints[at.TRADE_NS])
        counts[at.GAPS] += 1
        sums.gaps[symbol, 0] += gap_ns
        sums.gaps[symbol, 1] += gap_ns * gap_ns
    ints[at.TRADE_NS] = ts_ns
    second = ts_ns // _SECOND_NS
    if second != ints[at.SECOND]:
        counts[at.SQUARES] += ints[at.IN_SECOND] * ints[at.IN_SECOND]
        ints[at.SECOND] = second
        ints[at.IN_SECOND] = 0
    ints[at.IN_SECOND] += 1
    for window in range(3):
        if state.borders[2 * window] <= ts_ns < state.borders[2 * window + 1]:
            windows[window, 0] += 1
            windows[window, 1] += shares
    windows[at.WHOLE, 0] += 1
    windows[at.WHOLE, 1] += shares


@inlined
def take_trade(state: EquityState, sums: EquitySums, rows: EquityRows, k: int, symbol: int) -> None:
    """Take a print that is a trade."""
    ints, counts = state.ints[symbol], sums.counts[symbol]
    shares, price, is_off = rows.p_size[k], rows.p_price[k], rows.p_off[k] != 0
    take_time(state, sums, symbol, rows.p_ts[k], shares)
    counts[at.TRADES] += 1
    counts[at.VOLUME] += shares
    counts[at.ODD] += 1 if shares < at.LOT else 0
    counts[at.LATE] += 1 if rows.p_ingest[k] - rows.p_ts[k] > LATE_NS else 0
    sums.sizes[log_bin(float(max(shares, 1)), at.SIZE_ZERO)] += 1
    place = state.head[0] % at.REMEMBERED
    state.remembered[place, 0] = rows.p_seq[k]
    state.remembered[place, 1] = symbol
    state.head[0] += 1
    if is_off:
        counts[at.OFF_TRADES] += 1
        counts[at.OFF_VOLUME] += shares
        return
    sign = sign_of(ints, price)
    if sign != 0:
        push_sign(state, sums, symbol, sign)
    settle(ints, counts, False)
    ints[at.PENDING] = 1
    ints[at.P_BID] = ints[at.BID]
    ints[at.P_ASK] = ints[at.ASK]
    ints[at.P_NS] = rows.p_ts[k]


@inlined
def take_amendment(
    state: EquityState, counts: Ints, seq: int, symbol: int, is_cancel: bool
) -> None:
    """Take a cancel or a correction, and look for the trade it is about."""
    counts[at.CANCELS] += 1 if is_cancel else 0
    counts[at.CORRECTS] += 0 if is_cancel else 1
    held, remembered = state.head[0], state.remembered
    low, high = max(held - at.REMEMBERED, 0), held
    if held > at.REMEMBERED and seq < remembered[low % at.REMEMBERED, 0]:
        return
    while low < high:
        middle = (low + high) // 2
        if remembered[middle % at.REMEMBERED, 0] < seq:
            low = middle + 1
        else:
            high = middle
    counts[at.REFERENCES] += 1
    if low < held:
        found = remembered[low % at.REMEMBERED]
        counts[at.KNOWN] += 1 if found[0] == seq and found[1] == symbol else 0


@inlined
def take_print(
    state: EquityState, sums: EquitySums, rows: EquityRows, k: int, open_ns: int
) -> None:
    """Take a print."""
    symbol = rows.p_symbol[k]
    counts = sums.counts[symbol]
    look(state, symbol, rows.p_ts[k], open_ns)
    counts[at.PRINTS] += 1
    if rows.p_off[k] == 0 and rows.p_price[k] % CENT_TICKS != 0:
        counts[at.OFF_GRID] += 1
    if rows.p_condition[k] < at.FIRST_AMENDMENT:
        take_trade(state, sums, rows, k, symbol)
    else:
        take_amendment(state, counts, rows.p_ref[k], symbol, rows.p_condition[k] == at.CANCEL)


@kernel
def take_equities(
    given: EquityRows, held: EquityState, added: EquitySums, open_ns: int, end_ns: int
) -> None:
    """Take quotes and prints of a stretch of one session, in order of their numbers.

    All symbols' quotes are then looked at up to `end_ns`, before which the rows lie.
    """
    state = EquityState(
        borrowed(held.ints),
        borrowed(held.usual),
        borrowed(held.mid2),
        borrowed(held.spread),
        borrowed(held.signs),
        borrowed(held.mids),
        borrowed(held.windows),
        borrowed(held.borders),
        borrowed(held.remembered),
        borrowed(held.head),
    )
    sums = EquitySums(
        borrowed(added.counts),
        borrowed(added.gaps),
        borrowed(added.products),
        borrowed(added.pairs),
        borrowed(added.sizes),
        borrowed(added.windows),
        borrowed(added.seconds),
    )
    i, quotes, prints = 0, given.q_seq.shape[0], given.p_seq.shape[0]
    for n in range(quotes + prints):
        j = n - i
        if j >= prints or (i < quotes and given.q_seq[i] < given.p_seq[j]):
            symbol, ts_ns = given.q_symbol[i], given.q_ts[i]
            take_quote(state, sums, symbol, ts_ns, given.q_bid[i], given.q_ask[i], open_ns)
            i += 1
        else:
            take_print(state, sums, given, j, open_ns)
    for symbol in range(state.ints.shape[0]):
        look(state, symbol, end_ns, open_ns)
