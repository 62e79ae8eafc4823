"""Tables that turn a uniform into a size or a distance, for the kernels of a tape.

Made once a tape, from its specification, with the engine's own exp and log, so that
they are the same everywhere. Which uniform looks up which is in ``kernels_flow``.
"""

from __future__ import annotations

import numpy as np

from contracts.mbo import DepthProfile, Lots, MboSpec
from engine.arrays import Ints
from engine.mathx import exp, log
from engine.tapes.mbo import layout as at


def of(spec: MboSpec) -> Ints:
    """Sizes and distances by uniform: lots, ticks of the near and of the deep book."""
    middle = [(i + 0.5) / at.TABLE for i in range(at.TABLE)]
    rows = (
        [_lots_at(spec.lots, u) for u in middle],
        _near_ticks(spec.depth),
        _deep_ticks(spec.depth, 1.0 - spec.flow.join_share - spec.flow.near_share),
    )
    return np.array(rows, dtype=np.int64)


def _near_ticks(depth: DepthProfile) -> list[int]:
    """1 … near_ticks, as likely as the profile is deep: rising, then flat."""
    rise = depth.rise_levels - 1
    weights = [min(tick, rise) for tick in range(1, depth.near_ticks + 1)]
    total = sum(weights)
    found: list[int] = []
    for i in range(at.TABLE):
        left = (i + 0.5) / at.TABLE * total
        tick = 1
        while left >= weights[tick - 1]:
            left -= weights[tick - 1]
            tick += 1
        found.append(tick)
    return found


def _deep_ticks(depth: DepthProfile, share: float) -> list[int]:
    """Log-uniform up to reach_ticks; the last, for `FAR_SHARE` of all adds, beyond."""
    far = at.FAR_SHARE / share
    span = log(depth.reach_ticks / depth.near_ticks)
    found: list[int] = []
    for i in range(at.TABLE):
        u = (i + 0.5) / at.TABLE / (1.0 - far)
        beyond = depth.reach_ticks + int((u - 1.0) * (1.0 - far) / far * at.FAR_TICKS)
        found.append(int(depth.near_ticks * exp(u * span)) + 1 if u < 1.0 else beyond)
    return found


def _lots_at(lots: Lots, u: float) -> int:
    """Quantile of the size: geometric between the given ones, and beyond the last."""
    knots = ((0.5, lots.median), (0.9, lots.p90), (0.99, lots.p99), (1.0, 4 * lots.p99))
    low, size = knots[0]
    for high, larger in knots[1:]:
        if low < u <= high:
            return int(size * exp((u - low) / (high - low) * log(larger / size)) + 0.5)
        low, size = high, larger
    return lots.median
