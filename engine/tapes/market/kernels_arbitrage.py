"""The passes of the arbitrage audit: quotes in, and the chain of a symbol checked at a time.

A quote is fresh from when it is made until the mid of its underlying changes; right before
that change all that are fresh are compared, in time linear in their number. What the kinds
of arbitrage are is told in ``arbitrage``, which also makes these arrays.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.arrays import Floats, Ints
from engine.jit import borrowed, inlined, kernel

Codes: TypeAlias = npt.NDArray[np.int32]

VERTICAL, WIDTH, BUTTERFLY, CALENDAR, PARITY, BOUNDS = range(6)
KINDS: Final = 6

# --- Columns of a slot: contracts by symbol, expiry, right and strike.
GROUP: Final = 0  # number of its (symbol, expiry, right)
STRIKE: Final = 1
IS_PUT: Final = 2
EARLIER: Final = 3  # slot of the expiry before, at this strike and right; −1 if none
TWIN: Final = 4  # slot of the other right at this strike and expiry; −1 if none
CODE: Final = 5
SYMBOL: Final = 6
SLOT_COLUMNS: Final = 7

# --- Columns of a slot's last quote.
BID, ASK, SEQ, EPOCH = 0, 1, 2, 3
QUOTE_COLUMNS: Final = 4

# --- Columns of a symbol: its last clean quote, which begins with BID, ASK and SEQ.
M_EPOCH: Final = 3  # number of the present mid, 0 before the first
M_SINCE_NS: Final = 4
M_USUAL: Final = 5  # spread in 1/256 tick
M_FRESH: Final = 6  # contracts that were quoted since
M_FIRST: Final = 7  # first of its slots
M_LAST: Final = 8  # one past the last
MARKET_COLUMNS: Final = 9

# --- Tallies.
OPTION_QUOTES, UNCLEAN_OPTIONS, EQUITY_QUOTES, UNCLEAN_EQUITIES, SNAPSHOTS = range(5)
TALLIES: Final = 5

CHECKED, VIOLATED = 0, 1

# --- Columns of the first violation of a kind: up to three slots, −1 for none, and their quotes.
F_SINCE_NS, F_SYMBOL, F_EQUITY_SEQ, F_SLOTS, F_SEQS = 0, 1, 2, 3, 6
FIRST_COLUMNS: Final = 9

MOST_SPREADS: Final = 8
"""An equity quote is unclean if its spread is more than so many usual ones."""
SPREAD_QUOTES: Final = 64
"""Quotes over which the usual spread is a moving mean, about."""
_SPREAD_UNIT: Final = 256
_FEW: Final = 32
"""Up to so many fresh quotes are sorted; of more, the slots are read from end to end."""


class Audit(NamedTuple):
    """All that the audit knows; arrays of int64, but for `excess`.

    Attributes
    ----------
    slots : ndarray, shape (contracts, SLOT_COLUMNS)
    slot_of : ndarray, shape (contracts,)
        By code of a contract.
    quotes : ndarray, shape (contracts, QUOTE_COLUMNS)
    markets : ndarray, shape (symbols, MARKET_COLUMNS)
    fresh : ndarray, shape (contracts,)
        From `M_FIRST` of a symbol on, its slots that have fresh quotes, as they came.
    order, hull, dearest : ndarray, shape (contracts,)
        Scratch: clean fresh slots in order, those of a convex hull, and by slot the one with
        the highest bid of all earlier expiries.
    counts : ndarray, shape (KINDS, 2)
    tallies : ndarray, shape (TALLIES,)
    first : ndarray, shape (KINDS, FIRST_COLUMNS)
    excess : ndarray, shape (KINDS,), float64
        Ticks that the first violation of a kind earns.
    """

    slots: Ints
    slot_of: Ints
    quotes: Ints
    markets: Ints
    fresh: Ints
    order: Ints
    hull: Ints
    dearest: Ints
    counts: Ints
    tallies: Ints
    first: Ints
    excess: Floats


@inlined
def lent(audit: Audit) -> Audit:
    """The same arrays, their references not counted."""
    slots, slot_of, quotes = borrowed(audit.slots), borrowed(audit.slot_of), borrowed(audit.quotes)
    markets, fresh, order = borrowed(audit.markets), borrowed(audit.fresh), borrowed(audit.order)
    hull, dearest, counts = borrowed(audit.hull), borrowed(audit.dearest), borrowed(audit.counts)
    tallies, first, excess = borrowed(audit.tallies), borrowed(audit.first), borrowed(audit.excess)
    return Audit(
        slots, slot_of, quotes, markets, fresh, order, hull, dearest, counts, tallies, first, excess
    )


@inlined
def _is_usable(audit: Audit, slot: int, epoch: int) -> bool:
    """Whether the last quote of a slot is fresh and clean."""
    if audit.quotes[slot, EPOCH] != epoch:
        return False
    bid = audit.quotes[slot, BID]
    return bool(bid >= 0 and bid < audit.quotes[slot, ASK])


@kernel
def _found(audit: Audit, kind: int, symbol: int, excess: float, a: int, b: int, c: int) -> None:
    """Count a violation between up to three slots, and write the first of its kind down."""
    audit.counts[kind, VIOLATED] += 1
    if audit.counts[kind, VIOLATED] > 1:
        return
    audit.first[kind, F_SINCE_NS] = audit.markets[symbol, M_SINCE_NS]
    audit.first[kind, F_EQUITY_SEQ] = audit.markets[symbol, SEQ]
    audit.first[kind, F_SYMBOL] = symbol
    audit.first[kind, F_SLOTS], audit.first[kind, F_SLOTS + 1] = a, b
    audit.first[kind, F_SLOTS + 2] = c
    for place in range(3):
        slot = audit.first[kind, F_SLOTS + place]
        if slot >= 0:
            audit.first[kind, F_SEQS + place] = audit.quotes[slot, SEQ]
    audit.excess[kind] = excess


@inlined
def _ordered(audit: Audit, symbol: int) -> int:
    """Put the slots of a symbol that can be compared into `order`; how many they are."""
    epoch, order = audit.markets[symbol, M_EPOCH], audit.order
    first, many = audit.markets[symbol, M_FIRST], audit.markets[symbol, M_FRESH]
    count = 0
    if many > _FEW:
        for slot in range(first, audit.markets[symbol, M_LAST]):
            if _is_usable(audit, slot, epoch):
                order[count] = slot
                count += 1
        return count
    for place in range(first, first + many):
        slot = audit.fresh[place]
        if not _is_usable(audit, slot, epoch):
            continue
        at = count
        while at > 0 and order[at - 1] > slot:
            order[at] = order[at - 1]
            at -= 1
        order[at] = slot
        count += 1
    return count


@inlined
def _check_verticals(audit: Audit, symbol: int, start: int, stop: int) -> None:
    """Compare each strike of a group with all lower ones: the best to buy, the best to sell."""
    buy = sell = audit.order[start]
    is_put = audit.slots[buy, IS_PUT]
    kind_sold, kind_bought = (WIDTH, VERTICAL) if is_put == 1 else (VERTICAL, WIDTH)
    cost = audit.quotes[buy, ASK] - is_put * audit.slots[buy, STRIKE]
    gain = audit.quotes[sell, BID] + (1 - is_put) * audit.slots[sell, STRIKE]
    for place in range(start + 1, stop):
        slot = audit.order[place]
        bid, ask = audit.quotes[slot, BID], audit.quotes[slot, ASK]
        strike = audit.slots[slot, STRIKE]
        own_gain, own_cost = bid - is_put * strike, ask + (1 - is_put) * strike
        if own_gain > cost:
            _found(audit, kind_sold, symbol, float(own_gain - cost), slot, buy, -1)
        if gain > own_cost:
            _found(audit, kind_bought, symbol, float(gain - own_cost), sell, slot, -1)
        if ask - is_put * strike < cost:
            cost, buy = ask - is_put * strike, slot
        if bid + (1 - is_put) * strike > gain:
            gain, sell = bid + (1 - is_put) * strike, slot
    audit.counts[VERTICAL, CHECKED] += stop - start - 1
    audit.counts[WIDTH, CHECKED] += stop - start - 1


@inlined
def _hull_of_asks(audit: Audit, start: int, stop: int) -> int:
    """Lower convex hull of the asks of a group over its strikes (Andrew 1979); its points."""
    hull, slots, quotes = audit.hull, audit.slots, audit.quotes
    points = 0
    for place in range(start, stop):
        slot = audit.order[place]
        strike, ask = slots[slot, STRIKE], quotes[slot, ASK]
        while points >= 2:
            a, b = hull[points - 2], hull[points - 1]
            rise, run = quotes[b, ASK] - quotes[a, ASK], slots[b, STRIKE] - slots[a, STRIKE]
            if rise * (strike - slots[a, STRIKE]) < (ask - quotes[a, ASK]) * run:
                break
            points -= 1
        hull[points] = slot
        points += 1
    return points


@inlined
def _check_butterflies(audit: Audit, symbol: int, start: int, stop: int) -> None:
    """Compare each bid of a group with the cheapest two asks around it."""
    if stop - start < 3:
        return
    _hull_of_asks(audit, start, stop)
    hull, slots, quotes = audit.hull, audit.slots, audit.quotes
    at = 0
    for place in range(start + 1, stop - 1):
        body = audit.order[place]
        bid, strike = quotes[body, BID], slots[body, STRIKE]
        while slots[hull[at + 1], STRIKE] < strike:
            at += 1
        if bid == 0:
            continue
        audit.counts[BUTTERFLY, CHECKED] += 1
        low, high = hull[at], hull[at + 1]
        if high == body:
            continue
        below, above = strike - slots[low, STRIKE], slots[high, STRIKE] - strike
        excess = bid * (below + above) - quotes[low, ASK] * above - quotes[high, ASK] * below
        if excess > 0:
            _found(audit, BUTTERFLY, symbol, excess / (below + above), low, body, high)


@inlined
def _check_calendar(audit: Audit, symbol: int, slot: int) -> None:
    """Compare an expiry with all earlier ones at its strike and right."""
    epoch = audit.markets[symbol, M_EPOCH]
    before = audit.slots[slot, EARLIER]
    while before >= 0 and not _is_usable(audit, before, epoch):
        before = audit.slots[before, EARLIER]
    if before < 0:
        audit.dearest[slot] = -1
        return
    near = int(audit.dearest[before])
    if near < 0 or audit.quotes[before, BID] > audit.quotes[near, BID]:
        near = before
    audit.dearest[slot] = near
    audit.counts[CALENDAR, CHECKED] += 1
    excess = audit.quotes[near, BID] - audit.quotes[slot, ASK]
    if excess > 0:
        _found(audit, CALENDAR, symbol, float(excess), near, slot, -1)


@inlined
def _check_parity(audit: Audit, symbol: int, call: int, put: int) -> None:
    """Compare a call less a put with the underlying less the strike, both ways."""
    strike, quotes = audit.slots[call, STRIKE], audit.quotes
    audit.counts[PARITY, CHECKED] += 1
    excess = quotes[call, BID] - quotes[put, ASK] - (audit.markets[symbol, ASK] - strike)
    if quotes[call, BID] > 0 and excess > 0:
        _found(audit, PARITY, symbol, float(excess), call, put, -1)
        return
    excess = audit.markets[symbol, BID] - strike - (quotes[call, ASK] - quotes[put, BID])
    if quotes[put, BID] > 0 and excess > 0:
        _found(audit, PARITY, symbol, float(excess), call, put, -1)


@inlined
def _check_bounds(audit: Audit, symbol: int, slot: int) -> None:
    """Compare a contract with its exercise, and with the most it can ever pay."""
    low, high = audit.markets[symbol, BID], audit.markets[symbol, ASK]
    strike = audit.slots[slot, STRIKE]
    bid, ask = audit.quotes[slot, BID], audit.quotes[slot, ASK]
    audit.counts[BOUNDS, CHECKED] += 1
    if audit.slots[slot, IS_PUT] == 1:
        excess = max(strike - high - ask, bid - strike)
    else:
        excess = max(low - strike - ask, bid - high)
    if excess > 0:
        _found(audit, BOUNDS, symbol, float(excess), slot, -1, -1)


@inlined
def _check_chain(audit: Audit, symbol: int) -> None:
    """Check all that is fresh of a symbol."""
    count = _ordered(audit, symbol)
    audit.tallies[SNAPSHOTS] += 1 if count > 0 else 0
    start = 0
    while start < count:
        group = audit.slots[audit.order[start], GROUP]
        stop = start + 1
        while stop < count and audit.slots[audit.order[stop], GROUP] == group:
            stop += 1
        _check_verticals(audit, symbol, start, stop)
        _check_butterflies(audit, symbol, start, stop)
        start = stop
    for place in range(count):
        slot = audit.order[place]
        _check_bounds(audit, symbol, slot)
        _check_calendar(audit, symbol, slot)
        twin = audit.slots[slot, TWIN]
        if audit.slots[slot, IS_PUT] == 1 or twin < 0:
            continue
        if _is_usable(audit, twin, audit.markets[symbol, M_EPOCH]):
            _check_parity(audit, symbol, slot, twin)


@kernel
def close_snapshot(audit: Audit, symbol: int) -> None:
    """Check what is fresh of a symbol, and let it be fresh no more."""
    if audit.markets[symbol, M_FRESH] > 0:
        _check_chain(lent(audit), symbol)
    audit.markets[symbol, M_FRESH] = 0
    audit.markets[symbol, M_EPOCH] += 1


@inlined
def _has_usual_spread(audit: Audit, symbol: int, spread: int) -> bool:
    """Whether a spread is not far above the usual one, which it moves in either case."""
    spread *= _SPREAD_UNIT
    usual = audit.markets[symbol, M_USUAL]
    if usual == 0:
        usual = spread
    most = MOST_SPREADS * usual
    audit.markets[symbol, M_USUAL] = usual + (min(spread, most) - usual) // SPREAD_QUOTES
    return bool(spread <= most)


@inlined
def _take_equity(audit: Audit, symbol: int, ts_ns: int, seq: int, bid: int, ask: int) -> None:
    """Take a quote of an underlying; if its mid moves, what was fresh is checked before."""
    audit.tallies[EQUITY_QUOTES] += 1
    if bid <= 0 or bid >= ask or not _has_usual_spread(audit, symbol, ask - bid):
        audit.tallies[UNCLEAN_EQUITIES] += 1
        return
    markets = audit.markets
    has_moved = bid + ask != markets[symbol, BID] + markets[symbol, ASK]
    if has_moved or markets[symbol, M_EPOCH] == 0:
        close_snapshot(audit, symbol)
        markets[symbol, M_SINCE_NS] = ts_ns
    markets[symbol, BID], markets[symbol, ASK], markets[symbol, SEQ] = bid, ask, seq


@inlined
def _take_option(audit: Audit, code: int, seq: int, bid: int, ask: int) -> None:
    """Take a quote of a contract, clean or not: it is the one that stands."""
    audit.tallies[OPTION_QUOTES] += 1
    audit.tallies[UNCLEAN_OPTIONS] += 0 if bid >= 0 and bid < ask else 1
    slot, quotes, markets = audit.slot_of[code], audit.quotes, audit.markets
    symbol = audit.slots[slot, SYMBOL]
    epoch = markets[symbol, M_EPOCH]
    if epoch == 0:
        return
    if quotes[slot, EPOCH] != epoch:
        audit.fresh[markets[symbol, M_FIRST] + markets[symbol, M_FRESH]] = slot
        markets[symbol, M_FRESH] += 1
    quotes[slot, BID], quotes[slot, ASK] = bid, ask
    quotes[slot, SEQ], quotes[slot, EPOCH] = seq, epoch


class Rows(NamedTuple):
    """Quotes of one stream in order of time.

    Attributes
    ----------
    ts_ns, seq : ndarray, shape (rows,), int64
    code : ndarray, shape (rows,), int32
        Symbol, or contract.
    bid, ask : ndarray, shape (rows,), int32
        Ticks.
    """

    ts_ns: Ints
    seq: Ints
    code: Codes
    bid: Codes
    ask: Codes


@kernel
def take(audit: Audit, equities: Rows, options: Rows) -> None:
    """Take two streams in the order of their time, then of their numbers."""
    own = lent(audit)
    i = j = 0
    equity_rows, option_rows = equities.ts_ns.shape[0], options.ts_ns.shape[0]
    while i < equity_rows or j < option_rows:
        is_equity = j == option_rows
        if i < equity_rows and j < option_rows:
            later_ns = options.ts_ns[j] - equities.ts_ns[i]
            is_equity = later_ns > 0 or (later_ns == 0 and equities.seq[i] < options.seq[j])
        if is_equity:
            bid, ask = int(equities.bid[i]), int(equities.ask[i])
            _take_equity(own, equities.code[i], equities.ts_ns[i], equities.seq[i], bid, ask)
            i += 1
        else:
            bid, ask = int(options.bid[j]), int(options.ask[j])
            _take_option(own, options.code[j], options.seq[j], bid, ask)
            j += 1
