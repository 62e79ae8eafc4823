"""What holds for every strategy on every series: books, prices, limits of the account, causality.

Each property is stated anew from docs/backtest.md and looks at stored trades and curves alone;
agreement with the oracle is test_agreement.py, what shares a call is test_api.py.
"""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings

from contracts.errors import ContractError
from contracts.strategy import strategy_from
from engine.backtest import Outcome, audit
from engine.backtest.batch import Scratch
from engine.backtest.machine import decide
from engine.dsl import compile_strategy
from engine.dsl.columns import ColumnTable
from tests.engine.backtest.cases import curves, outcome, reason
from tests.oracles import backtest as oracle
from tests.properties import strategies
from tests.properties.strategies import PRICES, bars, busy, document

Document = dict[str, Any]
ROUNDING = 1e-9
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
SEEDS = range(1000, 1120)
LONG = 1300
"""Bars of more than two blocks of the machine and of the metrics."""
CUTS = (7, 100, 511, 512, 513, 800, 1023, 1024, 1025, LONG - 1)


class Fill(NamedTuple):
    """One trade, with what the account held before it."""

    bar: int
    side: int
    qty: float
    price: float
    slippage: float
    reason: str
    cash_before: float
    held_before: float

    @property
    def touched(self) -> float:
        """Price before slippage."""
        return self.price - self.side * self.slippage / self.qty

    @property
    def opens(self) -> bool:
        return self.held_before == 0.0


def fills_of(found: Outcome, cash: float) -> list[Fill]:
    """Trades in their order, with an account that is kept beside them."""
    fills, held = [], 0.0
    for bar, side, qty, price, fee, slippage, _, code in curves(found)["trades"].tolist():
        fills.append(Fill(int(bar), int(side), qty, price, slippage, reason(code), cash, held))
        cash -= side * qty * price + fee
        held = 0.0 if held != 0.0 else side * qty
    return fills


def order_of(strategy: Document, fill: Fill) -> Document:
    """The order of the rule that a fill follows, a market order without one."""
    word, number = fill.reason.split()
    assert word == "rule"
    return strategy["rules"][int(number)].get("order") or {"type": "market"}


def check_books(strategy: Document, columns: strategies.Columns, flat: Document, found: Outcome):
    risk, kept = strategy["risk"], curves(found)
    names = ("bar", "side", "qty", "price", "fee")
    audit(
        columns["close"], kept["equity"], kept["cash"], kept["qty"],
        dict(zip(names, kept["trades"].T, strict=False)), flat["initial_cash"],
        allow_short=risk.get("allow_short", False), max_margin=risk.get("max_margin", 0.0),
    )  # fmt: skip


def check_prices(strategy: Document, columns: strategies.Columns, fills: list[Fill]):
    """Every fill lies within its bar, at the close for a market order; limits never slip."""
    for fill in fills:
        low, high, close = (columns[name][fill.bar] for name in ("low", "high", "close"))
        assert low * (1 - ROUNDING) <= fill.touched <= high * (1 + ROUNDING)
        assert fill.slippage >= 0
        if fill.reason == "max_holding":
            assert fill.touched == pytest.approx(close, rel=ROUNDING)
        elif fill.reason == "take_profit":
            assert fill.slippage == 0
        elif fill.reason.startswith("rule"):
            kind = order_of(strategy, fill)["type"]
            assert kind != "market" or fill.touched == pytest.approx(close, rel=ROUNDING)
            assert kind != "limit" or fill.slippage == 0


def check_exits(strategy: Document, columns: strategies.Columns, fills: list[Fill]):
    """Exits are filled at their level, stops at a worse price and targets at a better one."""
    risk = strategy["risk"]
    for entry, leave in itertools.pairwise(fills):
        if not entry.opens or leave.reason not in ("stop_loss", "take_profit", "trailing_stop"):
            continue
        assert leave.bar > entry.bar
        reach = risk[f"{leave.reason}_bps"] * 1e-4
        between = slice(entry.bar + 1, leave.bar)
        best = entry.price
        if leave.reason == "trailing_stop" and entry.side > 0:
            best = max(best, columns["high"][between].max(initial=best))
        elif leave.reason == "trailing_stop":
            best = min(best, columns["low"][between].min(initial=best))
        gains = 1 if leave.reason == "take_profit" else -1
        level = best * (1 + entry.side * gains * reach)
        assert leave.touched * entry.side * gains >= level * entry.side * gains - ROUNDING * level


def check_sizes(strategy: Document, flat: Document, fills: list[Fill]):
    """No fill opens more than the sizing says, and without lots exactly that."""
    sizing, risk, lot = strategy["risk"]["sizing"], strategy["risk"], flat.get("lot_size")
    for fill in fills:
        if not fill.opens:
            assert fill.qty == abs(fill.held_before)
            continue
        assert fill.side > 0 or risk.get("allow_short", False)
        wanted = sizing.get("qty")
        if sizing["type"] == "percent_equity":
            cost = fill.price * (1 + flat["fee_bps"] * 1e-4)
            wanted = fill.cash_before * sizing["percent"] / 100 / cost
        elif sizing["type"] == "risk_bps":
            stop = risk.get("stop_loss_bps") or risk["trailing_stop_bps"]
            wanted = fill.cash_before * sizing["bps"] / stop / fill.price
        if lot is None:
            assert fill.qty == pytest.approx(wanted, rel=1e-7)
        else:
            assert wanted * (1 + 1e-7) >= fill.qty > wanted * (1 - 1e-7) - lot
            assert fill.qty / lot == pytest.approx(round(fill.qty / lot), rel=ROUNDING)


def check_pauses(strategy: Document, count: int, found: Outcome, fills: list[Fill]):
    """Nothing opens in a cooldown; unless its close was rejected no position grows too old."""
    risk = strategy["risk"]
    pause, most = risk.get("cooldown_bars", 0), risk.get("max_holding_bars", math.inf)
    for before, fill in itertools.pairwise(fills):
        if fill.opens and pause:
            assert fill.bar - before.bar > pause
        if not fill.opens and not found.rejected_orders:
            assert fill.bar - before.bar <= most
    if fills and fills[-1].opens and not found.rejected_orders:
        assert count - 1 - fills[-1].bar < most


def check_everything(strategy: Document, columns: strategies.Columns, flat: Document) -> list[Fill]:
    found = outcome(strategy, columns, flat)
    fills = fills_of(found, flat["initial_cash"])
    check_books(strategy, columns, flat, found)
    check_prices(strategy, columns, fills)
    check_exits(strategy, columns, fills)
    check_sizes(strategy, flat, fills)
    check_pauses(strategy, columns["close"].size, found, fills)
    return fills


def compiles(strategy: Document) -> bool:
    try:
        compile_strategy(strategy_from(strategy))
    except ContractError as error:
        if error.code != "DSL_STATIC_FAIL":
            raise
        return False
    return True


@hypothesis_settings(max_examples=60, suppress_health_check=SLOW)
@given(strategies.documents(), strategies.series(), strategies.settings())
def test_any_strategy_keeps_books_prices_sizes_and_pauses(strategy, columns, flat):
    assume(compiles(strategy))
    check_everything(strategy, columns, flat)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_busy_strategy_keeps_books_prices_sizes_and_pauses(seed):
    check_everything(*busy(seed, 400))


def test_the_busy_strategies_fill_for_every_reason_and_reject_some():
    reasons, rejected = set(), 0
    for seed in SEEDS:
        found = outcome(*busy(seed, 400))
        reasons |= {fill.reason.split()[0] for fill in fills_of(found, 0.0)}
        rejected += found.rejected_orders
    assert reasons == {"rule", "stop_loss", "take_profit", "trailing_stop", "max_holding"}
    assert rejected > 100


@pytest.mark.parametrize("seed", range(40))
def test_orders_fill_at_their_level_limits_better_and_stops_worse(seed):
    strategy, columns, flat = busy(seed)
    plain = {name: values.tolist() for name, values in columns.items()}
    decided = oracle.run(strategy, plain, flat).decisions
    acting = [
        bar for bar, rule in enumerate(decided)
        if rule >= 0 and strategy["rules"][rule]["then"] != "hold"
    ]  # fmt: skip
    for fill in fills_of(outcome(strategy, columns, flat), flat["initial_cash"]):
        if not fill.reason.startswith("rule"):
            continue
        order = order_of(strategy, fill)
        if order["type"] == "market":
            assert decided[fill.bar - flat["bar_delay"]] == int(fill.reason.split()[1])
            continue
        latest = max(bar for bar in acting if bar + max(flat["bar_delay"], 1) <= fill.bar)
        assert decided[latest] == int(fill.reason.split()[1])
        better = 1 if order["type"] == "limit" else -1
        offset = order.get("offset_bps", 0.0) * 1e-4
        level = columns["close"][latest] * (1 - better * fill.side * offset)
        assert better * fill.side * (level - fill.touched) >= -ROUNDING * level


@pytest.mark.parametrize("kind", ["walk", "gaps", "jumps"])
@pytest.mark.parametrize("rules", [[], [{"if": "close > 0", "then": "hold"}]])
def test_without_a_rule_that_trades_nothing_happens_and_ratios_are_zero(kind, rules):
    risk = {"sizing": {"type": "risk_bps", "bps": 50}, "stop_loss_bps": 10, "max_holding_bars": 1}
    flat = {"fee_bps": 3.0, "base_bps": 2.0, "k_vol": 0.5, "bar_delay": 0}
    found = outcome(document(rules, risk | {"allow_short": True}), bars(kind, 600, 1), flat)
    assert (found.fills, found.rejected_orders, found.conflicts) == (0, 0, 0)
    assert set(curves(found)["equity"].tolist()) == {100_000.0}
    names = ("sharpe", "sortino", "volatility", "max_drawdown", "total_return", "trades")
    values = found.report.values
    assert [values[name] for name in (*names, "exposure", "turnover")] == [0.0] * 8


@pytest.mark.parametrize("seed", range(60))
def test_buying_alone_never_makes_a_position_or_cash_negative(seed):
    strategy, columns, flat = busy(seed, 400)
    rules = [
        rule | {"then": "close" if rule["then"] == "sell" else rule["then"]}
        for rule in strategy["rules"]
    ]
    risk = strategy["risk"] | {"allow_short": False, "max_margin": 0}
    kept = curves(outcome(document(rules, risk), columns, flat))
    assert kept["qty"].min() >= 0
    assert kept["cash"].min() >= -ROUNDING * kept["equity"].max()
    assert kept["equity"].min() > 0


@pytest.mark.parametrize("seed", range(40))
def test_an_account_that_can_afford_everything_rejects_nothing(seed):
    strategy, columns, flat = busy(seed, 400)
    for qty, margin in ((5.5, 1e12), (1e6, 0)):
        sizing = {"sizing": {"type": "fixed_qty", "qty": qty}, "allow_short": margin > 0}
        risk = strategy["risk"] | sizing | {"max_margin": margin}
        found = outcome(document(strategy["rules"], risk), columns, flat | {"lot_size": 0.5})
        assert found.rejected_orders == 0 or margin == 0
        assert found.fills == 0 or margin > 0


@pytest.mark.parametrize("seed", range(40))
def test_prices_twice_as_high_halve_quantities_and_leave_equity_as_it_is(seed):
    strategy, columns, flat = busy(seed, 700)
    risk = strategy["risk"] | {"sizing": {"type": "percent_equity", "percent": 80}}
    flat |= {"lot_size": None}
    whole = curves(outcome(document(strategy["rules"], risk), columns, flat))
    for factor in (2.0, 0.25):
        scaled = columns | {name: columns[name] * factor for name in PRICES}
        found = curves(outcome(document(strategy["rules"], risk), scaled, flat))
        assert found["equity"].tobytes() == whole["equity"].tobytes()
        assert (found["qty"] * factor).tobytes() == whole["qty"].tobytes()
        scale = np.array([1, 1, factor, 1 / factor, 1, 1, 1, 1])
        assert (found["trades"] * scale).tobytes() == whole["trades"].tobytes()


@pytest.mark.parametrize("seed", range(40))
def test_twice_the_cash_margin_and_size_is_twice_the_equity(seed):
    strategy, columns, flat = busy(seed, 700)
    sizing = strategy["risk"]["sizing"]
    doubled = {"sizing": sizing | {"qty": sizing["qty"] * 2}} if "qty" in sizing else {}
    doubled |= {"max_margin": strategy["risk"]["max_margin"] * 2}
    lots = {} if flat["lot_size"] is None else {"lot_size": flat["lot_size"] * 2}
    one = outcome(strategy, columns, flat)
    two = outcome(
        document(strategy["rules"], strategy["risk"] | doubled), columns,
        flat | lots | {"initial_cash": flat["initial_cash"] * 2},
    )  # fmt: skip
    assert (curves(one)["equity"] * 2).tobytes() == curves(two)["equity"].tobytes()
    scaleless = [name for name in one.report.values if name != "trades"]
    assert [one.report.values[name] for name in scaleless] == [
        two.report.values[name] for name in scaleless
    ]


@pytest.mark.parametrize("seed", range(24))
def test_later_bars_change_nothing_before_them_whatever_rests_leaves_or_cools_down(seed):
    strategy, columns, flat = busy(seed, LONG)
    _, others, _ = busy(seed + 500, LONG)
    whole = curves(outcome(strategy, columns, flat))
    for cut in CUTS:
        mixed = {name: np.append(v[:cut], others[name][cut:]) for name, v in columns.items()}
        for changed in (mixed, {name: v[:cut] for name, v in columns.items()}):
            found = curves(outcome(strategy, changed, flat))
            for name in ("equity", "cash", "qty"):
                assert found[name][:cut].tobytes() == whole[name][:cut].tobytes()
            early = [rows[rows[:, 0] < cut] for rows in (found["trades"], whole["trades"])]
            assert early[0].tobytes() == early[1].tobytes()


def decisions(strategy: Document, columns: strategies.Columns) -> np.ndarray:
    """The rule that acts on each bar, −1 where none does, from the machine itself."""
    lowered = compile_strategy(strategy_from(strategy)).lowered
    table = ColumnTable(lowered.columns, columns, len(lowered.columns))
    rows, scratch = table.require(range(len(lowered.columns))), Scratch()
    decided = np.empty(columns["close"].size, dtype=np.int8)
    decide(
        lowered.code, lowered.rules, np.array(lowered.constants, dtype=np.float64), rows,
        table.rows, scratch.stack, scratch.marks, True, decided,
    )  # fmt: skip
    return decided


@pytest.mark.parametrize("seed", range(12))
def test_later_bars_change_no_decision_before_them(seed):
    strategy, columns, _ = busy(seed, LONG)
    _, others, _ = busy(seed + 500, LONG)
    whole = decisions(strategy, columns)
    assert np.count_nonzero(whole[-300:] >= 0) > 10
    for cut in CUTS:
        mixed = {name: np.append(v[:cut], others[name][cut:]) for name, v in columns.items()}
        assert decisions(strategy, mixed)[:cut].tobytes() == whole[:cut].tobytes()
        short = {name: v[:cut] for name, v in columns.items()}
        assert decisions(strategy, short).tobytes() == whole[:cut].tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_decisions_of_several_blocks_are_those_of_the_oracle(seed):
    strategy, columns, flat = busy(seed, LONG)
    plain = {name: values.tolist() for name, values in columns.items()}
    wanted = np.array(oracle.run(strategy, plain, flat).decisions)
    holds = [k for k, rule in enumerate(strategy["rules"]) if rule["then"] == "hold"]
    wanted[np.isin(wanted, holds)] = -1
    assert decisions(strategy, columns).tolist() == wanted.tolist()
