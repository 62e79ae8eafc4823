"""Oracles of the market's flow, slow and obvious: tallies of bursts, coverage, deltas, clustering.

They read what a tape emits, its labels and the tables of the reference; nothing of the engine.
"""

import math
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

YEAR_NS = 365 * 86_400 * 10**9
DOLLAR_TICKS = 10_000
SHARES = 100


class Tally(NamedTuple):
    """What was printed of one burst."""

    prints: int
    contracts: int
    notional_usd: float
    start_ns: int
    end_ns: int


def tallies(prints, labels):
    """What each burst printed, by its id: option prints that are not hedges, counted again."""
    rows = {int(seq): row for row, seq in enumerate(prints["seq"])}
    found = {}
    for seq, burst, actor in zip(labels["seq"], labels["burst_id"], labels["actor"], strict=True):
        if burst and actor != "hedge":
            found.setdefault(int(burst), []).append(rows[int(seq)])
    return {burst: _tally(prints, sorted(mine)) for burst, mine in found.items()}


def _tally(prints, rows):
    lots = [int(prints["size"][row]) for row in rows]
    prices = [int(prints["price_ticks"][row]) for row in rows]
    cents = sum(lot * price for lot, price in zip(lots, prices, strict=True))
    times = [int(prints["ts_ns"][row]) for row in rows]
    usd = cents * SHARES / DOLLAR_TICKS
    return Tally(len(rows), sum(lots), usd, min(times), max(times))


def boosts(counts, window_minutes, *, assisted):
    """Factor of each profile by the formula of coverage, from how often each was scheduled.

    One without assistance or where nothing was scheduled; else one plus imbalance, debt and
    a bonus for none at all, times the factor of the window, at most 1.86, to four digits.
    """
    most = max(counts.values())
    if not assisted or most == 0:
        return dict.fromkeys(counts, 1.0)
    mean = Decimal(sum(counts.values())) / len(counts)
    factor = {10: Decimal("1.12"), 20: Decimal("1.0"), 30: Decimal("0.94")}[window_minutes]
    found = {}
    for profile, count in counts.items():
        imbalance = Decimal(most - count) / most
        debt = min(max(mean - count, Decimal(0)), Decimal(3))
        missing = Decimal("0.22") if count == 0 else Decimal(0)
        raised = 1 + (Decimal("0.56") * imbalance + Decimal("0.14") * debt + missing) * factor
        capped = min(max(raised, Decimal(1)), Decimal("1.86"))
        found[profile] = float(capped.quantize(Decimal("0.0001"), ROUND_HALF_EVEN))
    return found


def delta(spot, strike, years, volatility, *, is_put):
    """Black and Scholes' delta without interest."""
    spread = volatility * math.sqrt(years)
    d1 = math.log(spot / strike) / spread + 0.5 * spread
    return float(ndtr(d1)) - (1.0 if is_put else 0.0)


def clean_mids(quotes):
    """Times and midpoints of the quotes that have two sides with a spread between them."""
    bid, ask = quotes["bid_ticks"].astype(np.int64), quotes["ask_ticks"].astype(np.int64)
    kept = (bid > 0) & (ask > bid)
    return quotes["ts_ns"][kept], 0.5 * (bid + ask)[kept]


def last_at(times, values, at_ns):
    """The last value at or before each time, the first where there is none before."""
    places = np.searchsorted(times, at_ns, side="right") - 1
    return values[np.maximum(places, 0)]


def groups(times, most_apart_ns):
    """First time of each group of times that follow one another within a gap."""
    return times[np.concatenate([[True], np.diff(times) > most_apart_ns])]


def compensators(times_s, base_per_s, parts):
    """Integral of a Hawkes process's intensity over each interval between its events.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Events, in seconds from the start.
    base_per_s : ndarray, shape (seconds,)
        Exogenous intensity, second by second.
    parts : list of tuple of float
        Share of the children and decay a second of each exponential part of the kernel.

    Returns
    -------
    ndarray, shape (n,)
        From the start to the first event, then from one to the next. For the true intensity
        they are exponential with mean one (time rescaling, Brown et al. 2002).
    """
    found = np.empty(len(times_s))
    before = 0.0
    for i, now in enumerate(times_s):
        total = _integral(base_per_s, before, now)
        past = times_s[:i]
        for share, decay in parts:
            left = np.exp(-decay * (before - past)) - np.exp(-decay * (now - past))
            total += share * float(left.sum())
        found[i] = total
        before = now
    return found


def _integral(base_per_s, start_s, end_s):
    total = 0.0
    for second in range(int(start_s), min(int(end_s) + 1, len(base_per_s))):
        overlap = min(end_s, second + 1) - max(start_s, second)
        total += base_per_s[second] * max(overlap, 0.0)
    return total
