"""Trades excite one another as is said: waits rescaled by an oracle are exponential."""

import numpy as np
import pytest
from scipy import stats

from engine.tapes.market import kernels
from engine.tapes.market import layout as at
from engine.tapes.market.latent import Latent
from tests.engine.tapes.market.markets import SECOND_NS, make, market_spec
from tests.oracles.market_flow import compensators, groups

SECONDS = 2400
WITHIN_NS = 320_001
"""Prints of one order on its way over the venues are at most so far apart."""
NO_FLOW = {"bursts_per_minute": 0.0}
CLEAN = {"cancel_share": 0.0, "correct_share": 0.0}


def trades(symbol, branching, seed):
    """Times of the orders of a symbol without bursts, and the rate that calls them forth."""
    flow = NO_FLOW | {"branching": branching}
    spec = market_spec((symbol,), SECONDS, flow=flow, quotes=CLEAN)
    prints = make(spec, seed)["equity_prints"]
    times = groups(prints["ts_ns"] - spec.start_ns, WITHIN_NS) / SECOND_NS
    latent, base = Latent(spec, seed), []
    for start_ns in range(spec.start_ns, spec.end_ns, 300 * SECOND_NS):
        stretch = latent.next(start_ns, 300, spec.control)
        base.append(stretch.cells[:, at.RATE_SHAPE] * stretch.cells[:, at.RATE] * stretch.busy[0])
    usual = spec.universe[0].trades_per_second / kernels._PRINTS_PER_TRADE
    return times, usual * (1.0 - branching) * np.concatenate(base)


def parts(branching):
    """The kernel in words: half of the children soon, half of them later."""
    return [
        (at.FAST_SHARE * branching, at.FAST_PER_S),
        ((1.0 - at.FAST_SHARE) * branching, at.SLOW_PER_S),
    ]


@pytest.mark.parametrize(("symbol", "branching"), [("NFLX", 0.6), ("BAC", 0.6), ("CVX", 0.3)])
def test_rescaled_waiting_times_are_exponential(symbol, branching):
    times, base = trades(symbol, branching, 5)
    assert len(times) > 800
    waits = compensators(times, base, parts(branching))
    p = stats.kstest(waits, "expon").pvalue
    assert p > 0.01, f"{symbol}: p = {p:.4f} of {len(waits)} orders, mean {waits.mean():.3f}"
    ranks = stats.rankdata(waits)
    again = stats.spearmanr(ranks[:-1], ranks[1:]).pvalue
    assert again > 0.01, f"{symbol}: rescaled waits remember, p = {again:.4f}"


def test_without_children_the_same_times_are_not_exponential():
    """The test can fail: what clusters is no Poisson process of the same mean."""
    times, base = trades("BAC", 0.6, 3)
    waits = compensators(times, base / 0.4, [])
    assert stats.kstest(waits / waits.mean(), "expon").pvalue < 1e-6


def test_orders_print_as_often_as_the_rates_take_them_to():
    prints = kernels._PRINTS_PER_TRADE
    assert prints == pytest.approx(1.0 / (1.0 - at.GROUP_STAYS), rel=0.01)


def test_without_branching_trades_are_a_poisson_process():
    times, base = trades("BAC", 0.0, 4)
    waits = compensators(times, base, [])
    p = stats.kstest(waits, "expon").pvalue
    assert p > 0.01, f"p = {p:.4f} of {len(waits)} orders"
