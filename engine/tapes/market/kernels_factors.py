"""Prices before flow: a market factor, sectors, symbols, and the volatility of all of them.

One step a second. Every draw is addressed by (seed, name, second), so that any symbol and
any stretch can be made alone. Flow comes on top of it in ``kernels``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from engine.arrays import Floats
from engine.jit import kernel
from engine.mathx import exp, normal_quantile
from engine.rng import block_at

LEVELS: Final = 3
LEVEL_KEPT: Final = 0.99
LEVEL_NOISE: Final = 0.008
LEAST_LEVEL: Final = 0.18
MOST_LEVEL: Final = 1.2
USUAL_VOLATILITY: Final = 0.7
SHARED: Final = 0.7
"""Part of a symbol's log volatility that is the market's, as a correlation."""
OWN: Final = 0.714142842854285
DRIFT: Final = 0.0085
"""Drift of a trend in deviations of a second's return; 0.15 of those of five minutes."""
JUMP_DEVIATIONS: Final = 28.0
"""Deviation of a jump in deviations of a second's return; 3.6 of those of a minute."""
JUMP_HEAT: Final = 0.25
WORDS: Final = np.uint64(4)

SLOW, FAST = 0, 1
"""Columns of a volatility's state."""


@kernel
def walk_levels(
    key: np.uint64, stream: np.uint64, second: int, bases: Floats, state: Floats, out: Floats
) -> None:
    """Levels of volatility, liquidity and cleanliness, reverting to the bases of each cell.

    Parameters
    ----------
    second : int
        Epoch second of the first cell.
    bases, out : ndarray, shape (cells, 3), float64
    state : ndarray, shape (3,), float64
        The levels before; negative ones start at the base.
    """
    for i in range(bases.shape[0]):
        index = np.uint64(second + i) * WORDS
        first, other = block_at(key, stream, index)
        third, _ = block_at(key, stream, index + np.uint64(1))
        for j in range(LEVELS):
            if state[j] < 0.0:
                state[j] = bases[i, j]
            noise = normal_quantile(first if j == 0 else (other if j == 1 else third))
            level = bases[i, j] + LEVEL_KEPT * (state[j] - bases[i, j]) + LEVEL_NOISE * noise
            state[j] = min(max(level, LEAST_LEVEL), MOST_LEVEL)
            out[i, j] = state[j]


@kernel
def walk_factor(
    key: np.uint64,
    stream: np.uint64,
    second: int,
    vol: Floats,
    state: Floats,
    returns: Floats,
    heat: Floats,
) -> None:
    """Standard normal returns of a factor, and the log of its volatility, cell by cell.

    Parameters
    ----------
    vol : ndarray, shape (5,), float64
        Share of the slow and the fast part of log volatility that is left after a second,
        deviation of their innovations, and the leverage.
    state : ndarray, shape (2,), float64
        Both parts, before and after.
    returns, heat : ndarray, shape (cells,), float64
    """
    slow_kept, fast_kept, slow_sd, fast_sd, leverage = vol[0], vol[1], vol[2], vol[3], vol[4]
    apart = math.sqrt(1.0 - leverage * leverage)
    for i in range(returns.shape[0]):
        index = np.uint64(second + i) * WORDS
        first, other = block_at(key, stream, index)
        third, _ = block_at(key, stream, index + np.uint64(1))
        z = normal_quantile(first)
        returns[i] = z
        heat[i] = state[SLOW] + state[FAST]
        slow_z = leverage * z + apart * normal_quantile(other)
        fast_z = leverage * z + apart * normal_quantile(third)
        state[SLOW] = slow_kept * state[SLOW] + slow_sd * slow_z
        state[FAST] = fast_kept * state[FAST] + fast_sd * fast_z


@kernel
def walk_symbol(
    key: np.uint64,
    stream: np.uint64,
    second: int,
    scale: Floats,
    trend: Floats,
    market: Floats,
    market_heat: Floats,
    sector: Floats,
    loads: Floats,
    jumps: Floats,
    vol: Floats,
    state: Floats,
    path: Floats,
    heat: Floats,
) -> None:
    """Log price of a symbol before flow, and the log of its volatility.

    Parameters
    ----------
    scale : ndarray, shape (cells,), float64
        Deviation of the cells: shape of the day times level of volatility.
    trend : ndarray, shape (cells,), int8 as float64
        Direction of the regime.
    market, sector : ndarray, shape (cells,), float64
        Their returns, see `walk_factor`.
    loads : ndarray, shape (5,), float64
        Deviation a second of the market's part, the sector's and its own; variance of log
        volatility; jumps a second.
    jumps : ndarray, shape (cells,), float64
        Log jumps of scheduled events.
    state : ndarray, shape (2,), float64
        Slow and fast part of its own log volatility.
    path : ndarray, shape (cells + 1,), float64
        The first entry is given.
    heat : ndarray, shape (cells,), float64
        Log of volatility over its usual level, without `scale`.
    """
    on_market, on_sector, on_own, spread, chance = loads[0], loads[1], loads[2], loads[3], loads[4]
    whole = math.sqrt(on_market * on_market + on_sector * on_sector + on_own * on_own)
    slow_kept, fast_kept, slow_sd, fast_sd, leverage = vol[0], vol[1], vol[2], vol[3], vol[4]
    apart = math.sqrt(1.0 - leverage * leverage)
    for i in range(scale.shape[0]):
        index = np.uint64(second + i) * WORDS
        first, other = block_at(key, stream, index)
        third, fourth = block_at(key, stream, index + np.uint64(1))
        z = normal_quantile(first)
        heat[i] = SHARED * market_heat[i] + OWN * (state[SLOW] + state[FAST])
        own = exp(heat[i] - spread) * scale[i]
        shared = exp(market_heat[i] - spread) * scale[i]
        step = shared * (on_market * market[i] + on_sector * sector[i]) + own * on_own * z
        step += own * whole * DRIFT * trend[i] + jumps[i]
        if fourth < chance:
            size = normal_quantile(fourth / chance)
            step += own * whole * JUMP_DEVIATIONS * size
            state[FAST] += JUMP_HEAT
        path[i + 1] = path[i] + step
        slow_z = leverage * z + apart * normal_quantile(other)
        fast_z = leverage * z + apart * normal_quantile(third)
        state[SLOW] = slow_kept * state[SLOW] + slow_sd * slow_z
        state[FAST] = fast_kept * state[FAST] + fast_sd * fast_z


@kernel
def moves(paths: Floats, lag: int, out: Floats) -> None:
    """Log move over the last `lag` cells, where there are so many; else since the first.

    Parameters
    ----------
    paths : ndarray, shape (symbols, lag + cells + 1), float64
    out : ndarray, shape (symbols, cells), float64
    """
    for s in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[s, i] = paths[s, lag + i] - paths[s, i]


def innovations(kept_s: Floats, deviations: Floats) -> tuple[Floats, Floats]:
    """Shares left after a second and deviations of the innovations of mean-reverting parts."""
    kept = np.array([exp(-1.0 / seconds) for seconds in kept_s])
    return kept, deviations * np.sqrt(1.0 - kept * kept)
