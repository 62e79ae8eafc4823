"""Kernels that every family shares: log prices, bars, volume, guards.

A family's own kernel ``step(first, z, u, v, params, state, r, mu, sigma, gap,
label)`` fills, for the bars ``first … first + n − 1``, the return inside the bar
``r`` with its conditional mean ``mu`` and deviation ``sigma``, and the jump
``gap`` before its open; ``z`` are its normals, ``u`` and ``v`` the lanes of its
own stream, ``label`` its hidden label. ``state[0]`` is the log close before the
block. Everything is float64, a block long; validation lives in ``api``.
"""

from __future__ import annotations

import math

import numpy as np

from engine import status
from engine.arrays import Floats, Ints
from engine.jit import kernel
from engine.mathx import exp, log

MIN_TICKS = 100.0
MAX_TICKS = 1e12
BAND_SIGMAS = 25.0
BAND_TICKS = 1.5
VOLUME_CAP = 10.0
MAX_LOTS = 4611686018427387904.0


@kernel
def accumulate(state: Floats, gap: Floats, r: Floats, open_log: Floats, close_log: Floats) -> None:
    """Sum gaps and returns to log opens and closes, carried in ``state[0]``."""
    x = state[0]
    for i in range(r.shape[0]):
        open_log[i] = x + gap[i]
        x = open_log[i] + r[i]
        close_log[i] = x
    state[0] = x


@kernel
def representable(open_log: Floats, close_log: Floats, tick: float) -> tuple[int, int]:
    """Status and index of the first bar whose open or close leaves the tick range.

    Bounds are taken in log space, before any exponential can overflow, and wider than
    the guard, which judges the rounded prices; the negated comparison also catches
    what is not a number.
    """
    low, high = log(0.25 * MIN_TICKS * tick), log(4.0 * MAX_TICKS * tick)
    for i in range(open_log.shape[0]):
        if not (low <= open_log[i] <= high and low <= close_log[i] <= high):
            finite = math.isfinite(open_log[i]) and math.isfinite(close_log[i])
            return (status.PRICE_OUT_OF_RANGE if finite else status.NOT_FINITE), i
    return status.OK, -1


@kernel
def ticks(
    open_log: Floats,
    close_log: Floats,
    sigma: Floats,
    u: Floats,
    v: Floats,
    tick: float,
    opened: Ints,
    high: Ints,
    low: Ints,
    closed: Ints,
) -> None:
    """Round open and close to ticks and draw high and low of the Brownian bridge.

    The high by its exact law given both ends, ½(a + b + √((b − a)² − 2σ² ln U)),
    the low by its mirror image (Borodin and Salminen 2002, 4.1.1.8): exact
    marginals, the joint law of the range is not claimed.
    """
    per_tick = 1.0 / tick
    for i in range(open_log.shape[0]):
        a, b = open_log[i], close_log[i]
        middle, width = 0.5 * (a + b), (b - a) * (b - a)
        spread = 2.0 * sigma[i] * sigma[i]
        top = exp(middle + 0.5 * math.sqrt(width - spread * log(u[i])))
        bottom = exp(middle - 0.5 * math.sqrt(width - spread * log(v[i])))
        first = math.floor(exp(a) * per_tick + 0.5)
        last = math.floor(exp(b) * per_tick + 0.5)
        highest = math.floor(min(top * per_tick, 2.0 * MAX_TICKS) + 0.5)
        lowest = math.floor(bottom * per_tick + 0.5)
        opened[i] = np.int64(first)
        closed[i] = np.int64(last)
        high[i] = np.int64(max(highest, max(first, last)))
        low[i] = np.int64(min(lowest, min(first, last)))


@kernel
def lots(
    r: Floats,
    gap: Floats,
    sigma: Floats,
    z: Floats,
    mean: float,
    deviation: float,
    response: float,
    volume: Ints,
) -> None:
    """Lognormal volume whose log-mean rises with |r + gap|/σ, capped at 10."""
    base = log(mean)
    for i in range(r.shape[0]):
        move = abs(r[i] + gap[i])
        surprise = min(move / sigma[i], VOLUME_CAP) if sigma[i] > 0.0 else 0.0
        size = min(exp(base + response * surprise + deviation * z[i]), 1.5 * MAX_LOTS)
        volume[i] = np.int64(max(size + 0.5, 1.0))


@kernel
def guard(
    previous: int,
    mu: Floats,
    sigma: Floats,
    gap: Floats,
    opened: Ints,
    high: Ints,
    low: Ints,
    closed: Ints,
    volume: Ints,
) -> tuple[int, int]:
    """Status and index of the first bar that breaks a guard; prices in ticks.

    ``previous`` is the close of the bar before the block, or −1 at the start.
    """
    for i in range(opened.shape[0]):
        if not (low[i] >= MIN_TICKS and high[i] <= MAX_TICKS):
            return status.PRICE_OUT_OF_RANGE, i
        if high[i] < max(opened[i], closed[i]) or low[i] > min(opened[i], closed[i]):
            return status.NOT_ORDERED, i
        if gap[i] == 0.0 and previous >= 0 and opened[i] != previous:
            return status.GAP_WITHOUT_JUMP, i
        if not 1 <= volume[i] <= MAX_LOTS:
            return status.VOLUME_OUT_OF_RANGE, i
        band = BAND_SIGMAS * sigma[i] + BAND_TICKS / min(opened[i], closed[i])
        if not abs(log(closed[i] / opened[i]) - mu[i]) < band:
            return status.RETURN_OUT_OF_BAND, i
        previous = closed[i]
    return status.OK, -1
