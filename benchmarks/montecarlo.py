"""Resampled bars per second, one and two threads, beside ``arch``'s bootstrap in the same run.

Parity comes first: Sharpe ratios and drawdowns of either engine's paths must have one distribution
before any clock is started. The peer computes these two of a path and no more, in numpy; ours are
all nine statistics with their standard errors. What ``precision`` costs is measured besides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from arch.bootstrap import CircularBlockBootstrap, StationaryBootstrap
from scipy.stats import ks_2samp

from benchmarks.timing import alternating, median_seconds, table
from contracts.validation import MonteCarloSettings
from engine.montecarlo import kernels, resample, resample_many
from engine.montecarlo.blocks import Resampler, Room

PEERS = {"circular": CircularBlockBootstrap, "stationary": StationaryBootstrap}
BARS, BLOCK_BARS, PATHS, SERIES = 10_000, 40, 1_000, 20
THREADS = (1, 2)
PEER_PATHS = 100
PARITY_BARS, PARITY_PATHS = 500, 3_000
YEAR = 252.0 * 1_440
LENGTHS = (1_000, 10_000)

Floats = npt.NDArray[np.float64]


def run() -> str:
    """Check parity, time both engines, and return the section of the report."""
    for method in PEERS:
        check_parity(method)
    text = (
        f"## Monte Carlo: {SERIES} series of {BARS:,} bars, {PATHS:,} paths of each, blocks of "
        f"{BLOCK_BARS} bars\n\n"
        "All nine statistics, their standard errors and the tables that paths are made of are "
        "included; `arch`\ncomputes a Sharpe ratio and a drawdown, on one thread.\n\n"
    )
    rows = [row for method in PEERS for row in _rates(method)]
    text += table(
        ["method", "threads", "million resampled bars/s", "arch's time per bar / ours"], rows
    )
    text += "\nA precision of 0.01, one thread:\n\n"
    return text + table(["method", "bars", "paths", "ms"], _precise())


def returns(bars: int, seed: int) -> Floats:
    """Returns whose sign lasts a little, with the tails of minutes."""
    noise = np.random.default_rng(seed).standard_t(5, bars) * 3e-4
    return noise + 0.3 * np.roll(noise, 1) + 1e-6


def check_parity(method: str) -> None:
    """Refuse to time engines whose paths differ in distribution."""
    series = returns(PARITY_BARS, 1)
    settings = _settings(method, paths=PARITY_PATHS)
    ours, _ = Resampler(series, settings, 1.0, Room()).walk(0, PARITY_PATHS)
    theirs = _peer(method, series, PARITY_PATHS)
    for name, row, column in (("sharpe", kernels.SHARPE, 0), ("drawdown", kernels.MAX_DRAWDOWN, 1)):
        compared = ks_2samp(ours[row], theirs[:, column])
        if compared.pvalue < 1e-3:  # pyright: ignore[reportAttributeAccessIssue]
            raise AssertionError(f"{method}: the distributions of the {name} differ")


def _rates(method: str) -> list[list[str]]:
    many = [returns(BARS, seed) for seed in range(SERIES)]
    settings = _settings(method, paths=PATHS)
    actions: list[Callable[[], object]] = [
        partial(_peer, method, many[0], PEER_PATHS),
        *(partial(resample_many, many, settings, YEAR, threads) for threads in THREADS),
    ]
    peer, *ours = alternating(actions)
    peer_rate = BARS * PEER_PATHS / peer
    rates = [BARS * PATHS * SERIES / seconds for seconds in ours]
    rows = [
        [method, str(threads), f"{rate / 1e6:,.0f}", f"{rate / peer_rate:,.0f}"]
        for threads, rate in zip(THREADS, rates, strict=True)
    ]
    return [*rows, [f"{method}, arch", "1", f"{peer_rate / 1e6:,.0f}", ""]]


def _precise() -> list[list[str]]:
    rows: list[list[str]] = []
    for method in PEERS:
        for bars in LENGTHS:
            action = partial(resample, returns(bars, 1), _settings(method, precision=0.01), YEAR)
            made, seconds = action(), median_seconds(action, 3)
            paths = f"{made.paths:,}" + ("" if made.converged else ", not converged")
            rows.append([method, f"{bars:,}", paths, f"{seconds * 1e3:,.0f}"])
    return rows


def _settings(method: str, **measure: float) -> MonteCarloSettings:
    document = {"method": method, "block_bars": BLOCK_BARS, "seed": 1, **measure}
    return MonteCarloSettings.model_validate(document)


def _peer(method: str, series: Floats, paths: int) -> Floats:
    peer = PEERS[method](BLOCK_BARS, series, seed=np.random.default_rng(1))
    return peer.apply(_sharpe_and_drawdown, paths)


def _sharpe_and_drawdown(series: Floats) -> Floats:
    equity = np.cumprod(1.0 + series)
    peak = np.maximum(np.maximum.accumulate(equity), 1.0)
    return np.array([series.mean() / series.std(ddof=1), (equity / peak).min() - 1.0])
