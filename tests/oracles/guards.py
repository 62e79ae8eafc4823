"""The guards of docs/scenarios.md, checked one bar after the other on stored columns.

What a bar should be is in tests/oracles/paths.py; here is only whether stored integers
could be such a market at all.
"""

import math
from collections.abc import Mapping, Sequence

from tests.oracles.paths import MAX_TICKS, MIN_TICKS, STEP_NS, Market, start_ns

Column = Sequence[int]


def first_broken(document: dict, market: Market, columns: Mapping[str, Column]) -> int | None:
    """Return the first bar whose stored integers break a guard, None if none does.

    Expected return, deviation and label of a bar are the oracle's.
    """
    if any(len(column) != document["duration_bars"] for column in columns.values()):
        return min(len(column) for column in columns.values())
    for t in range(document["duration_bars"]):
        bar = {name: int(column[t]) for name, column in columns.items()}
        before = int(columns["close_ticks"][t - 1]) if t else None
        if not (
            _shape(bar) and _time(document, t, bar) and _jump(document, market, t, bar, before)
        ):
            return t
        if not _near(bar, market.mu[t], market.sigma[t]):
            return t
    return None


def _shape(bar: dict[str, int]) -> bool:
    opened, high, low, closed = (bar[f"{name}_ticks"] for name in ("open", "high", "low", "close"))
    if not all(MIN_TICKS <= price <= MAX_TICKS for price in (opened, high, low, closed)):
        return False
    return high >= max(opened, closed) and low <= min(opened, closed) and bar["volume_lots"] >= 1


def _time(document: dict, t: int, bar: dict[str, int]) -> bool:
    first_ns = start_ns(document.get("start_time", "2024-01-01T00:00:00Z"))
    return bar["ts_ns"] == first_ns + t * STEP_NS[document["timeframe"]]


def _jump(document: dict, market: Market, t: int, bar: dict[str, int], before: int | None) -> bool:
    if before is None or (document["family"] == "shock_mix" and market.label[t] == 1):
        return True
    return bar["open_ticks"] == before


def _near(bar: dict[str, int], mu: float, sigma: float) -> bool:
    opened, closed = bar["open_ticks"], bar["close_ticks"]
    return abs(math.log(closed / opened) - mu) < 25 * sigma + 1.5 / min(opened, closed)
