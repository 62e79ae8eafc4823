"""Sums, blocks, windows and ratios of an evaluation, held against numpy on random trades.

Trades themselves and the figures of docs/signals.md are in test_trades_against_oracle.py.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from contracts.validation import BLOCKS
from engine.signals.barriers import Market
from engine.signals.evaluate import Evaluator, Rule, Terms
from engine.signals.measure import COUNTS

BINS, FIRST, CAPITAL = 700, 60, 50.0
TERMS = Terms(25, FIRST, single=False, at_barrier=True, extra_ticks=0.3, capital_ticks=CAPITAL)
RULES = [
    Rule(level, tp, sl, cooldown)
    for tp, sl in ((3, 2), (1, 4))
    for cooldown in (1, 9)
    for level in (0.2, 0.8, 9.0)
]


@pytest.fixture(scope="module")
def market():
    rng = np.random.default_rng(11)
    mid = 400.0 + np.cumsum(rng.integers(-2, 3, BINS)) * 0.125
    mid[rng.random(BINS) < 0.05] = 0.0
    ts_ns = 10**18 + np.arange(BINS, dtype=np.int64) * 100_000_000
    return Market(mid, rng.integers(1, 4, BINS).astype(float), ts_ns, 0.25)


@pytest.fixture(scope="module")
def values():
    drawn = np.random.default_rng(12).normal(0, 0.7, BINS)
    drawn[::31] = math.nan
    return drawn


def evaluator(market, **changes):
    return Evaluator(market, replace(TERMS, **changes), [(3, 2), (1, 4)])


def returns_of(evaluated, values, rule, first=FIRST):
    """Return of every bin that is traded in, the bin of the entry bearing it."""
    trades = evaluated.trades(values, rule)
    found = np.zeros(BINS - first)
    np.add.at(found, trades["bin_idx"] - first, trades["pnl_ticks"] / CAPITAL)
    return found


@pytest.mark.parametrize("gap", [0, 3, 39, 40, 200])
def test_sums_of_returns_are_those_of_numpy_block_by_block(market, values, gap):
    ours = evaluator(market, gap_bins=gap)
    found = ours.run(values, RULES)
    edges = np.arange(BLOCKS + 1) * (BINS - FIRST) // BLOCKS
    assert ours.edges.tolist() == (edges + FIRST).tolist()
    some = 0
    for row, rule in enumerate(RULES):
        returns = returns_of(ours, values, rule)
        some += np.count_nonzero(returns)
        powers = [(returns**k).sum() for k in range(1, 5)]
        assert found.powers[row] == pytest.approx(powers, rel=1e-12, abs=1e-15)
        kept = [returns[edges[b] + (gap if b else 0) : edges[b + 1]] for b in range(BLOCKS)]
        assert found.sums[row] == pytest.approx([one.sum() for one in kept], rel=1e-12, abs=1e-15)
        squares = [(one**2).sum() for one in kept]
        assert found.squares[row] == pytest.approx(squares, rel=1e-12, abs=1e-15)
    assert some > 100


@pytest.mark.parametrize("single", [False, True])
def test_ratio_and_drawdown_are_those_of_the_returns_of_all_bins(market, values, single):
    ours = evaluator(market, single=single)
    found = ours.run(values, RULES)
    for row, rule in enumerate(RULES):
        returns = returns_of(ours, values, rule)
        equity = np.concatenate([[0.0], np.cumsum(returns)])
        fallen = (equity - np.maximum.accumulate(equity)).min()
        assert found.columns["max_drawdown"][row] == pytest.approx(fallen, abs=1e-12)
        if not returns.any():
            assert math.isnan(found.sharpe[row])
            continue
        ratio = returns.mean() / returns.std(ddof=1)
        assert found.columns["sharpe"][row] == pytest.approx(ratio, rel=1e-9)


def test_windows_hold_the_trades_that_enter_within_them(market, values):
    ours = evaluator(market)
    windows = np.array([[0, BINS], [FIRST, FIRST], [100, 300], [299, 301], [300, BINS + 9]])
    found = ours.windows(values, RULES, windows)
    assert found.shape == (len(RULES), len(windows), 4)
    for row, rule in enumerate(RULES):
        trades = ours.trades(values, rule)
        won = np.array([one == "tp" for one in trades["outcome"]], dtype=float)
        for place, (start, stop) in enumerate(windows):
            own = (trades["bin_idx"] >= start) & (trades["bin_idx"] < stop)
            pnl = trades["pnl_ticks"][own]
            wanted = [own.sum(), pnl.sum(), (pnl**2).sum(), won[own].sum()]
            assert found[row, place] == pytest.approx(wanted, rel=1e-12, abs=1e-12)
    whole = ours.run(values, RULES)
    assert found[:, 0, 0].tolist() == whole.counts[:, 0].tolist()
    assert found[:, 0, 3].tolist() == whole.counts[:, 3].tolist()


def test_many_rules_at_once_are_each_as_if_alone(market, values):
    ours = evaluator(market, gap_bins=4)
    together = ours.run(values, RULES)
    for row, rule in enumerate(RULES):
        alone = ours.run(values, [rule])
        assert alone.counts[0].tolist() == together.counts[row].tolist()
        for name in ("totals", "powers", "sums", "squares"):
            assert getattr(alone, name)[0].tobytes() == getattr(together, name)[row].tobytes()


def test_single_positions_never_overlap_and_overlapping_ones_do(market, values):
    rule = Rule(0.2, 3, 2, 1)

    def spans(single):
        trades = evaluator(market, single=single).trades(values, rule)
        bins = np.round(trades["time_to_outcome_ms"] / 100).astype(int)
        return trades["bin_idx"], trades["bin_idx"] + bins

    entered, left = spans(single=True)
    assert (entered[1:] >= left[:-1]).all()
    entered, left = spans(single=False)
    assert (entered[1:] < left[:-1]).any()


def test_nothing_is_entered_before_the_first_bin_and_counts_add_up(market, values):
    found = evaluator(market).run(values, RULES)
    counts = dict(zip(COUNTS, found.counts.T, strict=True))
    assert (counts["n_up"] + counts["n_down"] == counts["n_signals"]).all()
    outcomes = counts["n_tp"] + counts["n_sl"] + counts["n_timeout"]
    assert (outcomes == counts["n_signals"]).all()
    assert counts["n_signals"][0] > 20
    assert min(evaluator(market).trades(values, RULES[0])["bin_idx"]) >= FIRST


def test_an_entry_behind_which_there_is_no_price_is_unpriced_and_none_of_the_figures(market):
    gone = market.mid.copy()
    gone[BINS - 30 :] = 0.0
    silent = np.zeros(BINS)
    silent[BINS - 31] = 1.0
    ours = evaluator(market._replace(mid=gone))
    found = ours.run(silent, [Rule(0.5, 3, 2, 1)])
    counts = dict(zip(COUNTS, found.counts[0].tolist(), strict=True))
    assert (counts["unpriced"], counts["n_signals"]) == (1, 0)
    assert found.columns["total_pnl_ticks"][0] == 0.0
    for name in ("tp_rate", "mean_pnl_ticks", "mean_cost_ticks", "sharpe", "ci_low"):
        assert math.isnan(found.columns[name][0])


def test_costs_lower_every_profit_by_both_half_spreads_and_what_is_extra(market, values):
    rule = Rule(0.2, 3, 2, 1)
    free = evaluator(market._replace(spread_ticks=np.zeros(BINS)), extra_ticks=0.0)
    dear = evaluator(market)
    gross, net = free.trades(values, rule), dear.trades(values, rule)
    assert gross["bin_idx"].tolist() == net["bin_idx"].tolist()
    left = net["bin_idx"] + np.round(net["time_to_outcome_ms"] / 100).astype(int)
    spread = market.spread_ticks
    cost = spread[net["bin_idx"]] / 2 + spread[left] / 2 + 0.3
    assert net["cost_ticks"] == pytest.approx(cost)
    assert net["pnl_ticks"] == pytest.approx(gross["pnl_ticks"] - cost)
    assert cost.max() > cost.min() > 1.0


def test_a_market_with_no_bin_to_trade_in_gives_nothing(market, values):
    found = evaluator(market, first_bin=BINS).run(values, RULES[:2])
    assert not found.counts.any()
    assert np.isnan(found.columns["sharpe"]).all()
    assert found.columns["events_per_hour"].tolist() == [0.0, 0.0]
