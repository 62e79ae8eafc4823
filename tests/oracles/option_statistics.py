"""Statistics of options on a market tape, row by row in plain Python.

Equity rows and looks are market_statistics.py's; nothing here is of the engine.
"""

import math
from typing import NamedTuple

import numpy as np

from tests.oracles.market_statistics import (
    MINUTE_NS,
    correlation,
    kinds_of,
    looks_of,
    mean,
    mids_of,
)

DAY_NS = 86_400_000_000_000


class Listed(NamedTuple):
    """A contract."""

    symbol: int
    expiry_ns: int
    strike: int
    is_put: bool


class OptionQuote(NamedTuple):
    """A quote of a contract."""

    ts: int
    seq: int
    contract: int
    bid: int
    ask: int
    iv: int


class OptionPrint(NamedTuple):
    """A print of a contract."""

    ts: int
    seq: int
    contract: int
    price: int
    size: int
    venue: int


class Chains(NamedTuple):
    """The options of a tape."""

    contracts: list
    quotes: list
    prints: list


def variation(kind, price):
    """Minimum variation, ticks."""
    if kind == "penny":
        return 100
    low = price < 30_000
    if kind == "below_3":
        return 100 if low else 500
    return 500 if low else 1000


class Held(NamedTuple):
    """What held when an option printed: its quote, its underlying's, when the mid last moved."""

    quote: OptionQuote | None
    spot_ts: int | None
    moved_ts: int


def held_of(tape, chains):
    """What held at every print, of the print's own session: all rows in order, one by one."""
    kinds = {q.seq: kind for s in range(len(tape.facts)) for q, kind in kinds_of(tape, s)}
    events = sorted([*tape.quotes, *chains.quotes, *chains.prints], key=lambda row: row.seq)
    found, session = [], None
    for event in events:
        now = next(x for x in tape.sessions if x[0] <= event.ts < x[1])
        if now != session:
            session, quotes, spots, mids, moved = now, {}, {}, {}, {}
        if isinstance(event, OptionQuote):
            quotes[event.contract] = event
        elif isinstance(event, OptionPrint):
            symbol = chains.contracts[event.contract].symbol
            quote = quotes.get(event.contract)
            found.append(Held(quote, spots.get(symbol), moved.get(symbol, 0)))
        else:
            spots[event.symbol] = event.ts
            mid2 = event.bid + event.ask
            if kinds[event.seq] == "clean" and mids.get(event.symbol) != mid2:
                mids[event.symbol], moved[event.symbol] = mid2, event.ts
    return found


def option_statistics(tapes, all_chains):
    """Statistics of options by the name of their band."""
    shares = tapes[0].shares
    held = [held_of(t, c) for t, c in zip(tapes, all_chains, strict=True)]
    prints = [one for chains in all_chains for one in chains.prints]
    flat = [one for several in held for one in several]
    listed = [c.contracts[p.contract] for c in all_chains for p in c.prints]
    kinds = [tapes[0].facts[one.symbol].option_tick for one in listed]
    lots = sum(one.size for one in prints)
    stale = [h.quote is not None and h.moved_ts > h.quote.ts for h in flat]
    near = [
        h.quote is not None
        and h.quote.bid - variation(k, p.price) <= p.price <= h.quote.ask + variation(k, p.price)
        for h, k, p in zip(flat, kinds, prints, strict=True)
    ]
    fresh = [
        h.spot_ts is not None and p.ts - h.spot_ts <= 1_000_000_000
        for h, p in zip(flat, prints, strict=True)
    ]
    tops = [top_tenth(chains) for chains in all_chains]
    sweeps = [n for t, c in zip(tapes, all_chains, strict=True) for n in sweeps_of(t, c)]
    return {
        "top_tenth_volume": sum(a for a, _ in tops) / sum(b for _, b in tops),
        "front_volume_share": sum(front_lots(t, c) for t, c in zip(tapes, all_chains, strict=True))
        / lots,
        "small_lot_share": sum(one.size <= 10 for one in prints) / len(prints),
        "sweep_venues": sum(sweeps) / len(sweeps),
        "fresh_spot_share": sum(fresh) / len(prints),
        "stale_quote_rate": sum(stale) / len(prints) / shares["stale"],
        "near_quote_share": sum(n for n, s in zip(near, stale, strict=True) if not s)
        / (len(prints) - sum(stale)),
        **smile_statistics(tapes, all_chains),
    }


def top_tenth(chains):
    """Lots of the most traded tenth of the contracts, and of all."""
    lots = [0] * len(chains.contracts)
    for one in chains.prints:
        lots[one.contract] += one.size
    return sum(sorted(lots)[-math.ceil(len(lots) / 10) :]), sum(lots)


def front_lots(tape, chains):
    """Lots in the two next expiries of their symbol, as seen from the open."""
    found = 0
    for one in chains.prints:
        start = next(x[0] for x in tape.sessions if x[0] <= one.ts < x[1])
        mine = chains.contracts[one.contract]
        ahead = {c.expiry_ns for c in chains.contracts if c.symbol == mine.symbol}
        found += one.size * (mine.expiry_ns in sorted(e for e in ahead if e > start)[:2])
    return found


def sweeps_of(tape, chains):
    """Venues of every run of at least three prints of a contract, none 20 ms after the last."""
    for code in range(len(chains.contracts)):
        run = []
        for one in [p for p in chains.prints if p.contract == code]:
            if run and one.ts - run[-1].ts > 20_000_000:
                if len(run) >= 3:
                    yield len({p.venue for p in run})
                run = []
            run.append(one)
        if len(run) >= 3:
            yield len({p.venue for p in run})


def smile_statistics(tapes, all_chains):
    """Statistics of chains as they stand every five minutes."""
    symbols = range(len(tapes[0].facts))
    smiles, widths = [], {(s, k): [] for s in symbols for k in ("near", "far")}
    iv_pairs, width_pairs = ({s: [] for s in symbols} for _ in range(2))
    for tape, chains in zip(tapes, all_chains, strict=True):
        for session in tape.sessions:
            looks = {s: mids_of(looks_of(tape, s, session)) for s in symbols}
            before = {}
            for now in range(session[0] + 5 * MINUTE_NS, session[1] + 1, 5 * MINUTE_NS):
                at = (now - session[0]) // 10_000_000_000
                quotes = standing(chains, session[0], now)
                for s in symbols:
                    spot = looks[s][at]
                    steps = np.diff(looks[s][at - 30 : at + 1]) / looks[s][at - 30 : at]
                    rows = outside_money(chains, quotes, s, spot)
                    wide = read_widths(rows, spot, now, widths, s)
                    if wide:
                        width_pairs[s].append((np.mean(wide), math.sqrt((steps**2).sum())))
                    read_smiles(rows, spot, now, smiles, before, s, iv_pairs)
    n = len(smiles)
    return {
        "width_far_per_near": mean(
            np.mean(widths[s, "far"]) / np.mean(widths[s, "near"]) for s in symbols
        ),
        "width_volatility_correlation": mean(correlation(width_pairs[s]) for s in symbols),
        "put_skew": sum(low / middle for low, middle, _ in smiles) / n,
        "call_skew": sum(high / middle for _, middle, high in smiles) / n,
        "skew_ordered_share": sum(low > middle > high for low, middle, high in smiles) / n,
        "iv_return_correlation": mean(correlation(iv_pairs[s]) for s in symbols),
    }


def standing(chains, start, now):
    """The last quote of every contract in a session before a time."""
    return {quote.contract: quote for quote in chains.quotes if start <= quote.ts < now}


def outside_money(chains, quotes, symbol, spot):
    """Sound quotes of calls from spot up and puts below it."""
    rows = []
    for code, quote in quotes.items():
        one = chains.contracts[code]
        sound = quote.iv > 0 and 0 < quote.bid < quote.ask and one.symbol == symbol
        if sound and (one.strike / spot < 1) == one.is_put:
            rows.append((one, quote))
    return rows


def read_widths(rows, spot, now, widths, symbol):
    """File relative widths by their distance from spot; widths over spot at the money."""
    wide = []
    for one, quote in rows:
        if not 5 <= (one.expiry_ns - now) / DAY_NS <= 45:
            continue
        away = abs(one.strike / spot - 1)
        width = (quote.ask - quote.bid) / ((quote.ask + quote.bid) / 2)
        if away < 0.02:
            widths[symbol, "near"].append(width)
        if away > 0.05:
            widths[symbol, "far"].append(width)
        if away < 0.015:
            wide.append((quote.ask - quote.bid) / spot)
    return wide


def read_smiles(rows, spot, now, smiles, before, symbol, iv_pairs):
    """File the smile of every expiry of two to six weeks, and how the first one has moved."""
    days = {one.expiry_ns for one, _ in rows if 14 <= (one.expiry_ns - now) / DAY_NS <= 42}
    first = None
    for expiry in sorted(days):
        points = sorted((o.strike / spot, q.iv * 1e-6) for o, q in rows if o.expiry_ns == expiry)
        ivs = [interpolated(points, x) for x in (0.95, 1.0, 1.05)]
        if not np.isnan(ivs).any():
            smiles.append(ivs)
        if first is None and not math.isnan(ivs[1]):
            first = (expiry, ivs[1], spot)
    if first is None:
        return
    last = before.get(symbol)
    if last is not None and last[0] == first[0]:
        iv_pairs[symbol].append((math.log(first[2] / last[2]), math.log(first[1] / last[1])))
    before[symbol] = first


def interpolated(points, x):
    """Linear in the strike, NaN outside."""
    strikes = [strike for strike, _ in points]
    if not strikes or not strikes[0] <= x <= strikes[-1]:
        return math.nan
    return float(np.interp(x, strikes, [iv for _, iv in points]))
