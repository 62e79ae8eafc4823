"""Statistics of equities on a market tape, written plainly: lists of rows, loops, NumPy's own.

Written from the bands of ``contracts/tape_bands.py``; nothing here is of the engine. Options are
in option_statistics.py.
"""

import bisect
import math
from typing import NamedTuple

import numpy as np
import scipy.stats

MINUTE_NS = 60_000_000_000
LOOK_NS = 10_000_000_000


class Quote(NamedTuple):
    """A quote of an equity."""

    ts: int
    seq: int
    symbol: int
    bid: int
    ask: int


class Print(NamedTuple):
    """A print of an equity; conditions 3 and 4 cancel and correct."""

    ts: int
    ingest: int
    seq: int
    symbol: int
    price: int
    size: int
    condition: int
    off: bool
    ref: int


class Facts(NamedTuple):
    """What the profile says of a symbol."""

    spread_ticks: float
    annual_vol: float
    option_tick: str


class Tape(NamedTuple):
    """Rows of a tape in order, and the sessions it shows whole."""

    sessions: list
    facts: list
    shares: dict
    quotes: list
    prints: list


def kinds_of(tape, symbol):
    """Quotes of a symbol with what each is: clean, wide, locked, crossed or one_sided."""
    usual, found = tape.facts[symbol].spread_ticks, []
    for quote in tape.quotes:
        if quote.symbol != symbol:
            continue
        spread = quote.ask - quote.bid
        if quote.bid <= 0 or quote.ask <= 0:
            kind = "one_sided"
        elif spread == 0:
            kind = "locked"
        elif spread < 0:
            kind = "crossed"
        else:
            kind = "wide" if spread > 5 * usual else "clean"
            usual += (min(spread, 5 * usual) - usual) / 64
        found.append((quote, kind))
    return found


def looks_of(tape, symbol, session):
    """Clean quote at every ten seconds of a session, None before the first."""
    start, end = session
    clean = [q for q, kind in kinds_of(tape, symbol) if kind == "clean" and start <= q.ts < end]
    times = [quote.ts for quote in clean]
    looks = []
    for at in range(start, end + 1, LOOK_NS):
        place = bisect.bisect_left(times, at)
        looks.append(clean[place - 1] if place else None)
        if not place and clean and at <= times[0] < at + LOOK_NS:
            looks[-1] = clean[0]
    return looks


def mids_of(looks):
    """Mids of looks, ticks."""
    return np.array([math.nan if q is None else (q.bid + q.ask) / 2 for q in looks])


class Sessions(NamedTuple):
    """Minute returns, their volatility and spreads of a symbol, session by session."""

    returns: list
    variances: list
    spreads: list
    is_tight: list


def sessions_of(tapes, symbol):
    """All sessions of several tapes."""
    found = Sessions([], [], [], [])
    for tape in tapes:
        for session in tape.sessions:
            looks = looks_of(tape, symbol, session)
            logs = np.log(mids_of(looks))
            found.returns.append(np.diff(logs[::6]))
            found.variances.append((np.diff(logs) ** 2).reshape(-1, 6).sum(axis=1))
            spreads = [0 if q is None else q.ask - q.bid for q in looks]
            found.spreads.append(np.array(spreads[1:], dtype=float).reshape(-1, 6).sum(axis=1))
            found.is_tight.extend(q.ask - q.bid == 100 for q in looks if q is not None)
    return found


def correlation(pairs):
    """Pearson's, of pairs without NaN."""
    kept = np.array([pair for pair in pairs if not np.isnan(pair).any()])
    return math.nan if len(kept) < 3 else float(np.corrcoef(kept.T)[0, 1])


def mean(values):
    """Mean of those that are numbers."""
    kept = [value for value in values if not math.isnan(value)]
    return sum(kept) / len(kept) if kept else math.nan


def price_statistics(tapes):
    """Statistics of prices by the name of their band."""
    symbols = range(len(tapes[0].facts))
    all_of = [sessions_of(tapes, symbol) for symbol in symbols]
    flat = [np.concatenate(one.returns) for one in all_of]
    flat = [values[~np.isnan(values)] for values in flat]
    sizes = size_acf(all_of, flat)
    coarse = [
        np.concatenate([r.reshape(-1, 30).sum(axis=1) for r in one.returns]) for one in all_of
    ]
    kurtosis = pooled_kurtosis(flat)
    scaled = [values / math.sqrt(np.mean(values**2)) for values in flat]
    return {
        **{f"variance_ratio_{q}m": variance_ratio(all_of, flat, q) for q in (5, 10, 30, 60)},
        "return_acf_1m": acf_of_returns(all_of, flat, 1),
        "return_ljung_box_p": joint_p(all_of, tapes[0].facts),
        "excess_kurtosis_1m": kurtosis,
        "kurtosis_30m_per_1m": pooled_kurtosis(coarse) / kurtosis,
        "return_tail_index": hill(np.abs(np.concatenate(scaled)), 0.05),
        "abs_return_acf_20m": sizes[19],
        "abs_return_acf_least": min(sizes),
        "clock_free_acf_20m": mean(
            clock_free(one, values) for one, values in zip(all_of, flat, strict=True)
        ),
        "leverage_correlation": mean(correlation(leverage_pairs(one)) for one in all_of),
        "open_midday_volatility": mean(open_per_midday(one.returns) for one in all_of),
    }


def variance_ratio(all_of, flat, q):
    """Squares of q-minute returns over the squares of their minutes, all windows."""
    top = bottom = 0.0
    for one, values in zip(all_of, flat, strict=True):
        scale = np.mean(values**2)
        for returns in one.returns:
            for first in range(len(returns) - q + 1):
                window = returns[first : first + q]
                if not np.isnan(window).any():
                    top += window.sum() ** 2 / scale
                    bottom += (window**2).sum() / scale
    return top / bottom


def acf_of_returns(all_of, flat, lag):
    """Autocorrelation at a lag, every symbol's returns divided by their root mean square."""
    products = [
        returns[:-lag] * returns[lag:] / np.mean(values**2)
        for one, values in zip(all_of, flat, strict=True)
        for returns in one.returns
    ]
    return float(np.nanmean(np.concatenate(products)))


def size_acf(all_of, flat):
    """Autocorrelation of |r| at lags 1 to 60, every symbol's standardised over all sessions."""
    found = []
    for lag in range(1, 61):
        products = []
        for one, values in zip(all_of, flat, strict=True):
            sizes = np.abs(values)
            for returns in one.returns:
                z = (np.abs(returns) - sizes.mean()) / sizes.std()
                products.append(z[:-lag] * z[lag:])
        found.append(float(np.nanmean(np.concatenate(products))))
    return found


def clock_free(one, values):
    """Covariance of |r| at 20 minutes within sessions, less that across them, over its variance."""
    whole = [np.abs(r) for r in one.returns if len(r) == 390 and not np.isnan(r).any()]
    if len(whole) < 2:
        return math.nan
    same = np.mean([np.mean(a[:-20] * a[20:]) for a in whole])
    other = np.mean(
        [
            np.mean(a[:-20] * b[20:])
            for i, a in enumerate(whole)
            for j, b in enumerate(whole)
            if i != j
        ]
    )
    return float((same - other) / np.abs(values).var())


def joint_p(all_of, facts):
    """P-value of the sum over lags 3 to 60 of (Σ g)² / Σ g², g the symbols' products together."""
    statistic = 0.0
    for lag in range(3, 61):
        together = []
        for session in range(len(all_of[0].returns)):
            products = []
            for one, fact in zip(all_of, facts, strict=True):
                z = one.returns[session] / (fact.annual_vol / math.sqrt(252 * 390))
                products.append(z[:-lag] * z[lag:])
            together.append(np.nansum(products, axis=0))
        g = np.concatenate(together)
        statistic += g.sum() ** 2 / (g**2).sum()
    return float(scipy.stats.chi2.sf(statistic, 58))


def pooled_kurtosis(samples):
    """Mean excess kurtosis of samples, weighted by their sizes."""
    kept = [sample[~np.isnan(sample)] for sample in samples]
    weighted = [scipy.stats.kurtosis(sample) * len(sample) for sample in kept]
    return float(sum(weighted) / sum(len(sample) for sample in kept))


def leverage_pairs(one):
    """Five-minute returns and the realised volatility of the five minutes after each."""
    for returns, variances in zip(one.returns, one.variances, strict=True):
        for first in range(len(returns) - 9):
            after = variances[first + 5 : first + 10].sum()
            yield returns[first : first + 5].sum(), math.sqrt(after)


def spread_pairs(one):
    """Mean spread and realised volatility of blocks of five minutes."""
    for variances, spreads in zip(one.variances, one.spreads, strict=True):
        for first in range(0, len(variances) - 4, 5):
            square = variances[first : first + 5].sum()
            yield spreads[first : first + 5].sum() / 30, math.sqrt(square)


def open_per_midday(sessions):
    """Mean |r| of the first half hour over that of the middle quarter."""
    opened = np.concatenate([np.abs(r[:30]) for r in sessions])
    midday = np.concatenate(
        [np.abs(r[-(-3 * len(r) // 8) : -(-5 * len(r) // 8)]) for r in sessions]
    )
    return float(np.nanmean(opened) / np.nanmean(midday))


def hill(values, share):
    """Hill's index of the largest share of positive values."""
    ordered = np.sort(values)[::-1]
    k = max(int(share * len(ordered)), 1)
    return 1.0 / float(np.mean(np.log(ordered[:k] / ordered[k])))
