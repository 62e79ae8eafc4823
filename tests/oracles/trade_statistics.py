"""Statistics of equity trades and quotes on a market tape, row by row in plain Python.

Rows and looks are market_statistics.py's; nothing here is of the engine.
"""

import itertools
import math
from collections import Counter

import numpy as np

from tests.oracles.market_statistics import (
    MINUTE_NS,
    correlation,
    hill,
    kinds_of,
    mean,
    sessions_of,
    spread_pairs,
)

LATE_NS = 50_000_000
TOUCH_NS = 1_000_000


def trades_of(tape, symbol, session):
    """Trades of a symbol in a session."""
    start, end = session
    return [
        p for p in tape.prints if p.symbol == symbol and p.condition < 3 and start <= p.ts < end
    ]


def seconds_of(tapes):
    """Seconds of all sessions."""
    return sum((end - start) // 1_000_000_000 for tape in tapes for start, end in tape.sessions)


def arrival_statistics(tapes):
    """Statistics of arrivals by the name of their band."""
    symbols = range(len(tapes[0].facts))
    by_session = [
        [trades_of(tape, symbol, session) for tape in tapes for session in tape.sessions]
        for symbol in symbols
    ]
    borders = [session for tape in tapes for session in tape.sessions]
    shapes = [shape_of(sessions, borders) for sessions in by_session]
    signed = [[signs_of(tape, s, x) for tape in tapes for x in tape.sessions] for s in symbols]
    acf = sign_acf(signed)
    near = mean(response(sessions, 10) for sessions in signed)
    return {
        "edge_volume_share": mean(shape[0] for shape in shapes),
        "midday_trade_rate": mean(shape[1] for shape in shapes),
        "open_midday_trades": mean(shape[2] for shape in shapes),
        "arrival_variation": mean(variation(sessions) for sessions in by_session),
        "fano_1s": mean(fano(sessions, seconds_of(tapes)) for sessions in by_session),
        "sign_acf_least": min(acf),
        "sign_acf_exponent": exponent(acf),
        "response_10": near,
        "response_100_per_10": mean(response(sessions, 100) for sessions in signed) / near,
    }


def shape_of(sessions, borders):
    """Volume share of the edges, midday rate over the mean, open rate over that at midday."""
    edge = whole = opened = midday = 0
    minutes = sum((end - start) // MINUTE_NS for start, end in borders)
    for trades, (start, end) in zip(sessions, borders, strict=True):
        length = end - start
        for trade in trades:
            is_open = trade.ts < start + 30 * MINUTE_NS
            is_edge = is_open or trade.ts >= end - 30 * MINUTE_NS
            edge += trade.size if is_edge else 0
            whole += trade.size
            opened += is_open
            midday += 3 * length <= 8 * (trade.ts - start) < 5 * length
    count = sum(len(trades) for trades in sessions)
    rate = midday / (minutes / 4)
    return edge / whole, rate / (count / minutes), opened / (30 * len(borders)) / rate


def variation(sessions):
    """Deviation over mean of the times between trades."""
    gaps = np.concatenate([np.diff([trade.ts for trade in trades]) for trades in sessions])
    return float(gaps.std() / gaps.mean())


def fano(sessions, seconds):
    """Variance over mean of the number of trades in a second."""
    counts = [Counter(trade.ts // 1_000_000_000 for trade in trades) for trades in sessions]
    found = [n for one in counts for n in one.values()]
    every = np.array(found + [0] * (seconds - len(found)))
    return float(every.var() / every.mean())


def signs_of(tape, symbol, session):
    """Sign, twice the mid and spread at every lit trade of a session whose side can be told."""
    start, end = session
    clean = [q for q, kind in kinds_of(tape, symbol) if kind == "clean" and start <= q.ts < end]
    events = sorted([*clean, *trades_of(tape, symbol, session)], key=lambda event: event.seq)
    quote, last, change, found = None, None, 0, []
    for event in events:
        if not hasattr(event, "price"):
            quote = event
            continue
        if event.off:
            continue
        if last is not None and event.price != last:
            change = 1 if event.price > last else -1
        last = event.price
        if quote is None:
            continue
        away = event.price - (quote.bid + quote.ask) / 2
        sign = change if away == 0 else int(math.copysign(1, away))
        if sign:
            found.append((sign, quote.bid + quote.ask, quote.ask - quote.bid))
    return found


def sign_acf(signed):
    """Autocorrelation at lags 1 to 100 of all symbols' signs, each about its own mean."""
    found = []
    for lag in range(1, 101):
        top = bottom = 0.0
        for sessions in signed:
            every = [row[0] for rows in sessions for row in rows]
            centre = sum(every) / max(len(every), 1)
            for rows in sessions:
                signs = [row[0] for row in rows]
                pairs = list(zip(signs, signs[lag:], strict=False))
                top += sum(a * b for a, b in pairs) - centre**2 * len(pairs)
                bottom += (1 - centre**2) * len(pairs)
        found.append(top / bottom)
    return found


def exponent(acf):
    """Slope of logs over bins of lags 1, 2, 3-4, 5-8, … 65-100, its sign turned."""
    x, y = [], []
    for first, last in ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64), (65, 100)):
        level = np.mean(acf[first - 1 : last])
        if level <= 0:
            return math.inf
        x.append(math.log(math.sqrt(first * last)))
        y.append(math.log(level))
    return -float(np.polyfit(x, y, 1)[0])


def response(sessions, lag):
    """Mean signed move of the mid after so many signed trades, over the mean spread."""
    moves = [
        a[0] * (b[1] - a[1]) / 2
        for rows in sessions
        for a, b in zip(rows, rows[lag:], strict=False)
    ]
    spreads = [row[2] for rows in sessions for row in rows]
    return float(np.mean(moves) / np.mean(spreads))


def quote_statistics(tapes):
    """Statistics of quotes by the name of their band, off_grid_share aside."""
    symbols, shares = range(len(tapes[0].facts)), tapes[0].shares
    all_of = [sessions_of(tapes, symbol) for symbol in symbols]
    large = [fact.spread_ticks <= 100 for fact in tapes[0].facts]
    kinds = Counter(kind for tape in tapes for s in symbols for _, kind in kinds_of(tape, s))
    quotes, trades = sum(kinds.values()), sum(p.condition < 3 for t in tapes for p in t.prints)
    unchanged, touches = touches_of(tapes)
    return {
        "spread_volatility_correlation": mean(
            correlation(spread_pairs(one))
            for one, is_large in zip(all_of, large, strict=True)
            if not is_large
        ),
        "one_cent_share": mean(
            sum(one.is_tight) / len(one.is_tight)
            for one, is_large in zip(all_of, large, strict=True)
            if is_large
        ),
        "quotes_per_trade": quotes / trades,
        "touch_unchanged_share": unchanged / touches,
        **{f"{k}_rate": kinds[k] / quotes / shares[k] for k in ("wide", "locked", "crossed")},
        "one_sided_rate": kinds["one_sided"] / quotes / shares["one_sided"],
    }


def touches_of(tapes):
    """Lit trades whose symbol's next quote or lit trade in a session is told, and the unchanged."""
    unchanged = touches = 0
    for tape, symbol in itertools.product(tapes, range(len(tapes[0].facts))):
        for start, end in tape.sessions:
            trades = [p for p in trades_of(tape, symbol, (start, end)) if not p.off]
            quotes = [q for q in tape.quotes if q.symbol == symbol and start <= q.ts < end]
            events = sorted([*quotes, *trades], key=lambda event: event.seq)
            touch = (0, 0)
            for event, after in itertools.pairwise(events):
                if hasattr(event, "bid"):
                    touch = (event.bid, event.ask)
                    continue
                touches += 1
                is_quote = hasattr(after, "bid") and after.ts - event.ts <= TOUCH_NS
                unchanged += not (is_quote and (after.bid, after.ask) != touch)
    return unchanged, touches


def size_statistics(tapes):
    """Statistics of sizes and reports by the name of their band."""
    shares = tapes[0].shares
    trades = [p for tape in tapes for p in tape.prints if p.condition < 3]
    n, volume = len(trades), sum(p.size for p in trades)
    known = asked = 0
    for tape in tapes:
        earlier = {}
        for p in tape.prints:
            if p.condition < 3:
                earlier[p.seq] = p.symbol
            else:
                asked += 1
                known += earlier.get(p.ref) == p.symbol
    cancels = sum(p.condition == 3 for tape in tapes for p in tape.prints)
    return {
        "odd_lot_share": sum(p.size < 100 for p in trades) / n,
        "size_tail_index": hill(np.array([p.size for p in trades], dtype=float), 0.01),
        "off_exchange_volume_share": sum(p.size for p in trades if p.off) / volume,
        "off_exchange_print_share": sum(p.off for p in trades) / n,
        "late_rate": sum(p.ingest - p.ts > LATE_NS for p in trades) / n / shares["late"],
        "cancel_rate": cancels / n / shares["cancel"],
        "correct_rate": (asked - cancels) / n / shares["correct"],
        "known_reference_share": known / asked,
    }
