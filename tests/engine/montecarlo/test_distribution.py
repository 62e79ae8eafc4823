"""Paths have the distribution of those of ``arch``, which has its own draws.

That each path is right is tested in test_kernels.py; this would show blocks of a wrong law.
"""

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap, StationaryBootstrap
from scipy.stats import ks_2samp

from contracts.validation import MonteCarloSettings
from engine.montecarlo import kernels as k
from engine.montecarlo.blocks import Resampler, Room

PEERS = {"circular": CircularBlockBootstrap, "stationary": StationaryBootstrap}
BARS, BLOCK_BARS, PATHS = 400, 12, 3_000
SURE, LIKELY = 1e-9, 1e-3


def dependent_returns():
    """Returns whose sign lasts, so that the law of the blocks matters."""
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 1e-3, BARS)
    for t in range(1, BARS):
        noise[t] += 0.7 * noise[t - 1]
    return noise


def sharpe_and_drawdown(returns):
    equity = np.cumprod(1.0 + returns)
    peak = np.maximum(np.maximum.accumulate(equity), 1.0)
    return np.array([returns.mean() / returns.std(ddof=1), (equity / peak).min() - 1.0])


def theirs(method, returns):
    peer = PEERS[method](BLOCK_BARS, returns, seed=np.random.default_rng(9))
    return peer.apply(sharpe_and_drawdown, PATHS)


def ours(method, returns, block_bars=BLOCK_BARS):
    chosen = MonteCarloSettings(method=method, block_bars=block_bars, seed=2)
    paths, _ = Resampler(returns, chosen, 1.0, Room()).walk(0, PATHS)
    return paths[[k.SHARPE, k.MAX_DRAWDOWN]].T


@pytest.mark.parametrize("method", PEERS)
def test_sharpe_ratios_and_drawdowns_have_the_peers_distribution(method):
    returns = dependent_returns()
    wanted = theirs(method, returns)
    for column in range(2):
        assert ks_2samp(ours(method, returns)[:, column], wanted[:, column]).pvalue > LIKELY
        short = ours(method, returns, 2)[:, column]
        assert ks_2samp(short, wanted[:, column]).pvalue < SURE
