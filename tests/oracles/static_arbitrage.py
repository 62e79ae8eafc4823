"""Static arbitrage at bid and ask, written from its definitions: every pair, every triple.

Whole numbers and fractions, snapshot by snapshot, in no hurry. A unit is what counts once: a
quote that others are compared with, or a pair; its witnesses are the contracts of each trade
that would earn, in the order that is bought or sold, with what it earns.
"""

from collections import defaultdict
from fractions import Fraction
from itertools import combinations
from math import floor
from typing import NamedTuple


class Contract(NamedTuple):
    symbol: int
    expiry_ns: int
    strike: int
    is_put: bool


class Row(NamedTuple):
    """A quote of either stream."""

    is_equity: bool
    ts_ns: int
    seq: int
    code: int
    bid: int
    ask: int


class Snapshot(NamedTuple):
    """Quotes that may be compared: those of a symbol since its mid was last changed."""

    since_ns: int
    underlying: Row
    quotes: dict[int, Row]


class Finding(NamedTuple):
    """A unit that was checked; its witnesses are none if it is sound."""

    kind: str
    witnesses: dict[tuple[int, ...], Fraction]


class Symbol:
    """What is known of an underlying while rows are read."""

    def __init__(self):
        self.usual = None
        self.underlying = None
        self.since_ns = 0
        self.quotes = {}

    def has_usual_spread(self, spread):
        """At most eight usual spreads, in units of 1/256 tick."""
        units = 256 * spread
        self.usual = units if self.usual is None else self.usual
        most = 8 * self.usual
        self.usual += floor(Fraction(min(units, most) - self.usual, 64))
        return units <= most


def snapshots(contracts, rows):
    """Snapshots in the order in which they end."""
    symbols = defaultdict(Symbol)
    for row in sorted(rows, key=lambda row: (row.ts_ns, row.seq)):
        if not row.is_equity:
            symbol = symbols[contracts[row.code].symbol]
            if symbol.underlying is not None:
                symbol.quotes[row.code] = row
            continue
        symbol = symbols[row.code]
        if not 0 < row.bid < row.ask or not symbol.has_usual_spread(row.ask - row.bid):
            continue
        old = symbol.underlying
        if old is None or Fraction(row.bid + row.ask, 2) != Fraction(old.bid + old.ask, 2):
            yield from taken(symbol)
            symbol.quotes, symbol.since_ns = {}, row.ts_ns
        symbol.underlying = row
    for code in sorted(symbols):
        yield from taken(symbols[code])


def taken(symbol):
    clean = {code: row for code, row in symbol.quotes.items() if 0 <= row.bid < row.ask}
    if clean:
        yield Snapshot(symbol.since_ns, symbol.underlying, clean)


def findings(contracts, snapshot):
    """Everything that is checked in a snapshot."""
    slices, terms, pairs = defaultdict(list), defaultdict(list), defaultdict(dict)
    for code in snapshot.quotes:
        expiry_ns, strike, is_put = contracts[code][1:]
        slices[expiry_ns, is_put].append(code)
        terms[strike, is_put].append(code)
        pairs[expiry_ns, strike][is_put] = code
    for (_, is_put), codes in slices.items():
        ordered = sorted(codes, key=lambda code: contracts[code].strike)
        yield from verticals(contracts, snapshot, ordered, is_put)
        yield from butterflies(contracts, snapshot, ordered)
    for codes in terms.values():
        yield from calendars(snapshot, sorted(codes, key=lambda code: contracts[code].expiry_ns))
    for (_, strike), pair in pairs.items():
        if len(pair) == 2:
            yield parity(snapshot, strike, pair[False], pair[True])
    for code in snapshot.quotes:
        yield bounds(contracts, snapshot, code)


def earning(trades):
    return {codes: Fraction(profit) for codes, profit in trades.items() if profit > 0}


def verticals(contracts, snapshot, ordered, is_put):
    quotes = snapshot.quotes
    for place, high in enumerate(ordered[1:], 1):
        monotone, wide = {}, {}
        for low in ordered[:place]:
            width = contracts[high].strike - contracts[low].strike
            dear, cheap = (low, high) if is_put else (high, low)
            monotone[dear, cheap] = quotes[dear].bid - quotes[cheap].ask
            wide[cheap, dear] = quotes[cheap].bid - quotes[dear].ask - width
        yield Finding("vertical", earning(monotone))
        yield Finding("width", earning(wide))


def butterflies(contracts, snapshot, ordered):
    quotes = snapshot.quotes
    triples = defaultdict(dict)
    for low, body, high in combinations(ordered, 3):
        if quotes[body].bid == 0:
            continue
        k1, k2, k3 = (contracts[code].strike for code in (low, body, high))
        weight = Fraction(k3 - k2, k3 - k1)
        cost = weight * quotes[low].ask + (1 - weight) * quotes[high].ask
        triples[body][low, body, high] = quotes[body].bid - cost
    for trades in triples.values():
        yield Finding("butterfly", earning(trades))


def calendars(snapshot, ordered):
    quotes = snapshot.quotes
    for place, far in enumerate(ordered[1:], 1):
        trades = {(near, far): quotes[near].bid - quotes[far].ask for near in ordered[:place]}
        yield Finding("calendar", earning(trades))


def parity(snapshot, strike, call, put):
    quotes, stock = snapshot.quotes, snapshot.underlying
    trades = {}
    conversion = quotes[call].bid - quotes[put].ask - stock.ask + strike
    reversal = quotes[put].bid - quotes[call].ask + stock.bid - strike
    if quotes[call].bid > 0 and conversion > 0:
        trades[call, put] = conversion
    if quotes[put].bid > 0 and reversal > 0:
        trades[call, put] = reversal
    return Finding("parity", earning(trades))


def bounds(contracts, snapshot, code):
    quote, stock, strike = snapshot.quotes[code], snapshot.underlying, contracts[code].strike
    if contracts[code].is_put:
        profits = (strike - stock.ask - quote.ask, quote.bid - strike)
    else:
        profits = (stock.bid - strike - quote.ask, quote.bid - stock.ask)
    return Finding("bounds", earning({(code,): max(profits)}))


class Audit(NamedTuple):
    """Counts by kind; of each violated kind the snapshot that has it first, and its witnesses."""

    checked: dict[str, int]
    violated: dict[str, int]
    first: dict[str, tuple[Snapshot, dict[tuple[int, ...], Fraction]]]
    snapshots: int


def audit(contracts, rows):
    checked, violated, first = defaultdict(int), defaultdict(int), {}
    count = 0
    for snapshot in snapshots(contracts, rows):
        count += 1
        found = defaultdict(dict)
        for finding in findings(contracts, snapshot):
            checked[finding.kind] += 1
            violated[finding.kind] += bool(finding.witnesses)
            found[finding.kind].update(finding.witnesses)
        for kind, witnesses in found.items():
            if witnesses and kind not in first:
                first[kind] = snapshot, witnesses
    return Audit(dict(checked), dict(violated), first, count)
