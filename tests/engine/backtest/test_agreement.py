"""The engine gives what the plain oracle gives, bar by bar and fill by fill.

The oracle is tests/oracles/backtest.py; single rules told by hand are in test_kernels.py,
metrics in test_metrics.py.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings

from contracts.errors import ContractError
from contracts.strategy import strategy_from
from engine.backtest import audit
from engine.backtest import run as run_engine
from engine.dsl import compile_strategy
from tests.engine.backtest.cases import CASES, PLAIN, curves, dataset, evaluation, reason
from tests.oracles import backtest as oracle
from tests.properties import strategies

EXACT = 1e-9
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


def assert_agrees(document, columns, flat):
    """Compare an engine run with the oracle's; return the oracle's and the engine's."""
    data = dataset(columns)
    [found] = run_engine([data], [evaluation(document, flat)])
    plain = {name: values.tolist() for name, values in columns.items()}
    wanted = oracle.run(document, plain, flat)
    kept = curves(found)
    scale = max(flat["initial_cash"], *map(abs, wanted.equity), *map(abs, wanted.cash))
    for name in ("equity", "cash"):
        np.testing.assert_allclose(kept[name], getattr(wanted, name), rtol=0, atol=EXACT * scale)
    np.testing.assert_allclose(kept["qty"], wanted.qty, rtol=EXACT, atol=0)
    assert_fills_agree(kept["trades"], wanted.fills, scale)
    assert found.fills == len(wanted.fills)
    assert (found.rejected_orders, found.conflicts) == (wanted.rejected, wanted.conflicts)
    assert (found.final_equity, found.final_qty) == (kept["equity"][-1], kept["qty"][-1])
    return wanted, found


def assert_fills_agree(trades, fills, scale):
    assert len(trades) == len(fills)
    for row, fill in zip(trades.tolist(), fills, strict=True):
        bar, side, qty, price, fee, slippage, pnl, code = row
        assert (bar, side, reason(code)) == (fill.bar, fill.side, fill.reason)
        assert (qty, price) == pytest.approx((fill.qty, fill.price), rel=EXACT)
        small = (fee, slippage, pnl)
        wanted = (fill.fee, fill.slippage, fill.realised_pnl)
        assert small == pytest.approx(wanted, rel=EXACT, abs=EXACT * scale)


@pytest.mark.parametrize("name", [name for name in CASES if name != "days"])
def test_a_named_case_agrees_and_trades(name):
    wanted, _ = assert_agrees(*CASES[name])
    assert len(wanted.fills) > 5


@hypothesis_settings(max_examples=100, suppress_health_check=SLOW)
@given(strategies.documents(), strategies.series(), strategies.settings())
def test_any_strategy_on_any_series_at_any_cost_agrees(document, columns, flat):
    spec = strategy_from(document)
    try:
        compile_strategy(spec)
    except ContractError as error:
        assume(error.code != "DSL_STATIC_FAIL")
        raise
    _, found = assert_agrees(document, columns, flat)
    kept = curves(found)
    names = ("bar", "side", "qty", "price", "fee")
    trades = {name: kept["trades"][:, index] for index, name in enumerate(names)}
    audit(
        columns["close"], kept["equity"], kept["cash"], kept["qty"], trades,
        flat["initial_cash"], allow_short=spec.risk.allow_short, max_margin=spec.risk.max_margin,
    )  # fmt: skip


@pytest.mark.parametrize("delay", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_busy_long_and_short_trading_agrees_at_every_delay(delay, seed):
    rules = [
        {"if": "close > ma(close, 5) and close > open", "then": "buy"},
        {"if": "close < ma(close, 5)", "then": "sell"},
        {"if": "volume > 250", "then": "close"},
    ]
    sizes = [
        {"type": "percent_equity", "percent": 100},
        {"type": "fixed_qty", "qty": 950},
        {"type": "percent_equity", "percent": 30},
    ]
    risk = {
        "sizing": sizes[seed % 3],
        "allow_short": seed % 2 == 0,
        "max_margin": 2000 * (seed % 4),
    }
    flat = {
        "initial_cash": 100_000.0, "bar_delay": delay, "fee_bps": 3.0, "base_bps": 2.0,
        "k_vol": 0.5 * (seed % 3), "window_bars": 5 + seed,
    }  # fmt: skip
    columns = strategies.bars("jumps" if seed % 5 == 0 else "walk", 150, seed)
    wanted, _ = assert_agrees(strategies.document(rules, risk), columns, flat)
    assert wanted.fills


@pytest.mark.parametrize("seed", range(90))
def test_orders_exits_and_gaps_agree(seed):
    assert_agrees(*strategies.busy(seed))


@pytest.mark.parametrize("seed", range(200, 208))
def test_orders_exits_and_gaps_agree_over_several_blocks(seed):
    assert_agrees(*strategies.busy(seed, 1100))


def test_a_condition_that_fills_the_stack_agrees():
    rules = [
        {"if": strategies.alternating(31), "then": "buy"},
        {"if": f"not ({strategies.alternating(30)})", "then": "sell"},
    ]
    wanted, _ = assert_agrees(strategies.document(rules), strategies.bars("walk", 80, 5), PLAIN)
    assert len(wanted.fills) > 5
