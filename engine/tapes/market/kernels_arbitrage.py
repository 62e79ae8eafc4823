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
from engine.jit import inlined, kernel

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

# --- Columns of the first violation of a kind; contracts and numbers of up to three quotes.
F_SINCE_NS: Final = 0
F_SYMBOL: Final = 1
F_EQUITY_SEQ: Final = 2
F_CODES: Final = 3
F_SEQS: Final = 6
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
def _is_usable(audit: Audit, slot: int, epoch: int) -> bool:
    """Whether the last quote of a slot is fresh and clean."""
    quote = audit.quotes[slot]
    return bool(quote[EPOCH] == epoch and quote[BID] >= 0 and quote[BID] < quote[ASK])


@kernel
def _found(audit: Audit, kind: int, symbol: int, excess: float, a: int, b: int, c: int) -> None:
    """Count a violation between up to three slots, and write the first of its kind down."""
    audit.counts[kind, VIOLATED] += 1
    if audit.counts[kind, VIOLATED] > 1:
        return
    row, market = audit.first[kind], audit.markets[symbol]
    row[F_SINCE_NS], row[F_SYMBOL], row[F_EQUITY_SEQ] = market[M_SINCE_NS], symbol, market[SEQ]
    for place, slot in enumerate((a, b, c)):
        if slot >= 0:
            row[F_CODES + place] = audit.slots[slot, CODE]
            row[F_SEQS + place] = audit.quotes[slot, SEQ]
    audit.excess[kind] = excess


@inlined
def _ordered(audit: Audit, symbol: int) -> int:
    """Put the slots of a symbol that can be compared into `order`; how many they are."""
    market = audit.markets[symbol]
    epoch, first, many = market[M_EPOCH], market[M_FIRST], market[M_FRESH]
    order = audit.order
    count = 0
    if many > _FEW:
        for slot in range(first, market[M_LAST]):
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
        bid, ask, strike = (
            audit.quotes[slot, BID],
            audit.quotes[slot, ASK],
            audit.slots[slot, STRIKE],
        )
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
    market, strike = audit.markets[symbol], audit.slots[call, STRIKE]
    audit.counts[PARITY, CHECKED] += 1
    sold, bought = audit.quotes[call], audit.quotes[put]
    excess = sold[BID] - bought[ASK] - (market[ASK] - strike)
    if sold[BID] > 0 and excess > 0:
        _found(audit, PARITY, symbol, float(excess), call, put, -1)
        return
    excess = market[BID] - strike - (sold[ASK] - bought[BID])
    if bought[BID] > 0 and excess > 0:
        _found(audit, PARITY, symbol, float(excess), call, put, -1)


@inlined
def _check_bounds(audit: Audit, symbol: int, slot: int) -> None:
    """Compare a contract with its exercise, and with the most it can ever pay."""
    market, strike = audit.markets[symbol], audit.slots[slot, STRIKE]
    bid, ask = audit.quotes[slot, BID], audit.quotes[slot, ASK]
    audit.counts[BOUNDS, CHECKED] += 1
    if audit.slots[slot, IS_PUT] == 1:
        excess = max(strike - market[ASK] - ask, bid - strike)
    else:
        excess = max(market[BID] - strike - ask, bid - market[ASK])
    if excess > 0:
        _found(audit, BOUNDS, symbol, float(excess), slot, -1, -1)


@kernel
def close_snapshot(audit: Audit, symbol: int) -> None:
    """Check what is fresh of a symbol, and let it be fresh no more."""
    market = audit.markets[symbol]
    if market[M_FRESH] > 0:
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
            if _is_usable(audit, twin, market[M_EPOCH]):
                _check_parity(audit, symbol, slot, twin)
    market[M_FRESH] = 0
    market[M_EPOCH] += 1


@inlined
def _has_usual_spread(market: Ints, spread: int) -> bool:
    """Whether a spread is not far above the usual one, which it moves in either case."""
    spread *= _SPREAD_UNIT
    if market[M_USUAL] == 0:
        market[M_USUAL] = spread
    most = MOST_SPREADS * market[M_USUAL]
    market[M_USUAL] += (min(spread, most) - market[M_USUAL]) // SPREAD_QUOTES
    return bool(spread <= most)


@inlined
def _take_equity(audit: Audit, symbol: int, ts_ns: int, seq: int, bid: int, ask: int) -> None:
    """Take a quote of an underlying; if its mid moves, what was fresh is checked before."""
    audit.tallies[EQUITY_QUOTES] += 1
    market = audit.markets[symbol]
    if not (bid > 0 and bid < ask) or not _has_usual_spread(market, ask - bid):
        audit.tallies[UNCLEAN_EQUITIES] += 1
        return
    if market[M_EPOCH] == 0 or bid + ask != market[BID] + market[ASK]:
        close_snapshot(audit, symbol)
        market[M_SINCE_NS] = ts_ns
    market[BID], market[ASK], market[SEQ] = bid, ask, seq


@inlined
def _take_option(audit: Audit, code: int, seq: int, bid: int, ask: int) -> None:
    """Take a quote of a contract, clean or not: it is the one that stands."""
    audit.tallies[OPTION_QUOTES] += 1
    audit.tallies[UNCLEAN_OPTIONS] += 0 if bid >= 0 and bid < ask else 1
    slot = audit.slot_of[code]
    market, quote = audit.markets[audit.slots[slot, SYMBOL]], audit.quotes[slot]
    if market[M_EPOCH] == 0:
        return
    if quote[EPOCH] != market[M_EPOCH]:
        audit.fresh[market[M_FIRST] + market[M_FRESH]] = slot
        market[M_FRESH] += 1
    quote[BID], quote[ASK], quote[SEQ], quote[EPOCH] = bid, ask, seq, market[M_EPOCH]


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
    i = j = 0
    while i < equities.ts_ns.shape[0] or j < options.ts_ns.shape[0]:
        if j == options.ts_ns.shape[0]:
            is_equity = True
        elif i == equities.ts_ns.shape[0]:
            is_equity = False
        elif equities.ts_ns[i] == options.ts_ns[j]:
            is_equity = equities.seq[i] < options.seq[j]
        else:
            is_equity = equities.ts_ns[i] < options.ts_ns[j]
        if is_equity:
            _take_equity(
                audit,
                equities.code[i],
                equities.ts_ns[i],
                equities.seq[i],
                int(equities.bid[i]),
                int(equities.ask[i]),
            )
            i += 1
        else:
            _take_option(
                audit, options.code[j], options.seq[j], int(options.bid[j]), int(options.ask[j])
            )
            j += 1
