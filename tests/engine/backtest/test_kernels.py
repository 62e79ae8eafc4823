"""Execution told by hand: when an order fills, what it costs, when it is refused.

Random strategies against the oracle are in test_agreement.py.
"""

import dataclasses
import math

import numpy as np
import pytest

from contracts.errors import ComputeError, ContractError
from engine.backtest import run
from engine.backtest.account import (
    ACCOUNT_SIZE,
    BALANCED,
    CASH,
    FEES,
    FILL_SIZE,
    FILLS,
    INITIAL_CASH,
    LIMITS_SIZE,
    QTY,
    REALISED,
    check_balance,
    fill,
    open_account,
)
from tests.engine.backtest.cases import curves, dataset, evaluation, outcome, priced
from tests.properties.strategies import bars, document

ALL = {"sizing": {"type": "percent_equity", "percent": 100}}
SHORT = ALL | {"allow_short": True}
COSTLY = {"fee_bps": 1.0}
HALF = {"sizing": {"type": "percent_equity", "percent": 50}}


def fixed(qty, **risk):
    return {"sizing": {"type": "fixed_qty", "qty": qty}, **risk}


def on_volume(*actions):
    """Rules that do the n-th action on bars of volume n; volume 0 does nothing."""
    return [{"if": f"volume == {k}", "then": action} for k, action in enumerate(actions, start=1)]


def traded(closes, volumes, actions=("buy", "sell", "close"), risk=None, **flat):
    """Outcome of decisions told by the volume of each bar."""
    columns = priced(*closes) | {"volume": np.array(volumes, dtype=np.float64)}
    return outcome(document(on_volume(*actions), risk), columns, flat)


def fills(found):
    """Bar, side and rule of every fill."""
    return [(int(row[0]), int(row[1]), int(row[7])) for row in curves(found)["trades"]]


@pytest.mark.parametrize("delay", [0, 1, 2, 3])
def test_a_market_order_fills_at_the_close_of_the_bar_after_the_delay(delay):
    found = traded([10, 11, 12, 13, 14], [1, 0, 0, 0, 0], bar_delay=delay)
    assert fills(found) == [(delay, 1, 0)]
    assert curves(found)["trades"][0, 3] == 10 + delay
    assert np.flatnonzero(curves(found)["qty"])[0] == delay


def test_a_decision_too_near_the_end_never_fills():
    found = traded([10, 11, 12], [0, 1, 0], bar_delay=2)
    assert (found.fills, found.rejected_orders) == (0, 0)


def test_the_whole_equity_is_affordable_after_fee_and_slippage():
    found = traded([10, 10, 10], [1, 0, 0], fee_bps=30, base_bps=50)
    [row] = curves(found)["trades"]
    price = 10 * 1.005
    assert row[2] == pytest.approx(100_000 / (price * 1.003), rel=1e-12)
    assert row[3] == pytest.approx(price, rel=1e-12)
    assert row[4] == pytest.approx(row[2] * price * 0.003, rel=1e-12)
    assert row[5] == pytest.approx(row[2] * 0.05, rel=1e-12)
    assert abs(curves(found)["cash"][-1]) < 1e-9
    assert found.rejected_orders == 0


def test_slippage_is_against_the_trader_on_both_sides():
    found = traded([10] * 5, [1, 0, 3, 0, 0], base_bps=100)
    assert curves(found)["trades"][:, 3] == pytest.approx([10.1, 9.9], rel=1e-12)


def test_slippage_grows_with_the_deviation_of_the_last_returns_up_to_the_fill():
    closes = [100, 101, 100, 104, 104, 104, 104]
    returns = np.diff(np.log(closes))
    cost = {"base_bps": 5, "k_vol": 2, "window_bars": 2, "bar_delay": 0}
    for bar in range(7):
        volumes = [1.0 if t == bar else 0.0 for t in range(7)]
        price = curves(traded(closes, volumes, **cost))["trades"][0, 3]
        last = returns[max(0, bar - 2) : bar]
        deviation = np.std(last) if bar >= 2 else 0.0
        assert price == pytest.approx(closes[bar] * (1 + 5e-4 + 2 * deviation), rel=1e-12)


def test_buying_while_long_and_closing_while_flat_do_nothing():
    found = traded([10] * 6, [3, 1, 1, 1, 3, 3], bar_delay=0)
    assert fills(found) == [(1, 1, 0), (4, -1, 2)]
    assert found.rejected_orders == 0


def test_selling_closes_a_long_and_opens_nothing_unless_shorts_are_allowed():
    found = traded([10] * 4, [2, 1, 2, 2], bar_delay=0)
    assert fills(found) == [(1, 1, 0), (2, -1, 1)]
    assert curves(found)["qty"].min() == 0


def test_a_reversal_is_a_closing_fill_and_an_opening_fill_sized_after_it():
    found = traded([10, 20, 20], [1, 2, 1], risk=SHORT, bar_delay=0)
    rows = curves(found)["trades"]
    assert fills(found) == [(0, 1, 0), (1, -1, 1), (1, -1, 1), (2, 1, 0), (2, 1, 0)]
    assert rows[:, 2].tolist() == [10_000, 10_000, 10_000, 10_000, 10_000]
    assert rows[:, 6].tolist() == [0, 100_000, 0, 0, 0]
    assert curves(found)["qty"].tolist() == [10_000, -10_000, 10_000]


def test_equity_is_marked_at_the_close_after_the_closing_fill():
    found = traded([10, 20], [1, 2], risk=HALF | {"allow_short": True}, bar_delay=0, fee_bps=100)
    rows = curves(found)["trades"]
    cash = 100_000 - rows[0, 2] * 10 * 1.01 + rows[1, 2] * 20 * 0.99
    assert rows[2, 2] == pytest.approx(cash * 0.5 / (20 * 1.01), rel=1e-12)


def test_every_decision_is_filled_after_the_delay_whatever_is_decided_meanwhile():
    found = traded([10, 11, 12, 13, 14], [1, 1, 1, 1, 1], bar_delay=3)
    assert fills(found) == [(3, 1, 0)]
    found = traded([10] * 8, [1, 3, 0, 1, 0, 0, 0, 0], bar_delay=2)
    assert fills(found) == [(2, 1, 0), (3, -1, 2), (5, 1, 0)]


def test_hold_decides_and_does_nothing():
    found = traded([10] * 4, [1, 4, 0, 0], ("buy", "sell", "close", "hold"), bar_delay=2)
    assert fills(found) == [(2, 1, 0)]


def test_the_first_true_rule_decides_and_bars_of_conflict_are_counted_once():
    rules = [
        {"if": "close == 3", "then": "hold"},
        {"if": "close >= 2", "then": "buy"},
        {"if": "close > 1", "then": "buy"},
        {"if": "close >= 3", "then": "close"},
        {"if": "close == 4", "then": "sell"},
    ]
    found = outcome(document(rules), priced(1, 2, 3, 4, 1), {"bar_delay": 0})
    assert fills(found) == [(1, 1, 1)]
    assert found.conflicts == 2


def test_an_order_that_costs_more_than_cash_and_margin_is_rejected_whole_and_counted():
    assert traded([100] * 3, [1, 1, 1], risk=fixed(1001)).rejected_orders == 2
    assert traded([100] * 3, [1, 1, 1], risk=fixed(1001, max_margin=100)).fills == 1
    exact = traded([100] * 3, [1, 1, 1], risk=fixed(1000))
    assert (exact.fills, exact.rejected_orders) == (1, 0)


def test_a_rejected_opening_leaves_the_closing_fill_of_a_reversal():
    risk = fixed(1000, allow_short=True)
    found = traded([100, 101, 101], [2, 1, 0], risk=risk, bar_delay=0)
    assert fills(found) == [(0, -1, 1), (1, 1, 0)]
    assert found.rejected_orders == 1
    assert found.final_qty == 0


def test_closing_a_short_that_the_cash_cannot_pay_is_rejected():
    found = traded([100, 250, 250, 150, 150], [2, 3, 1, 3, 0], risk=SHORT, bar_delay=0)
    assert fills(found) == [(0, -1, 1), (3, 1, 2)]
    assert found.rejected_orders == 2
    assert curves(found)["cash"].min() >= 0
    margin = SHORT | {"max_margin": 50_000}
    paid = traded([100, 250, 250], [2, 3, 0], risk=margin, bar_delay=0)
    assert fills(paid) == [(0, -1, 1), (1, 1, 2)]
    assert paid.final_equity == -50_000


def test_slippage_that_leaves_no_price_rejects_a_sale():
    cost = {"k_vol": 10, "window_bars": 2, "bar_delay": 0}
    risk = ALL | {"max_margin": 1e9}
    found = traded([100, 100, 100, 400, 50], [1, 0, 0, 0, 3], risk=risk, **cost)
    assert fills(found) == [(0, 1, 0)]
    assert found.rejected_orders == 1
    assert found.final_equity == 50_000


def test_books_that_do_not_balance_are_noted_and_others_are_not():
    account, limits = np.zeros(ACCOUNT_SIZE), np.zeros(LIMITS_SIZE)
    limits[INITIAL_CASH] = 1000.0
    open_account(account, limits)
    fill(account, limits, 3, 1.0, 5.0, 100.0, 0.01, 0.0, np.empty((0, FILL_SIZE)))
    assert (account[CASH], account[BALANCED], account[FILLS]) == (495.0, 1.0, 1.0)
    for entry, change in ((CASH, 1e-3), (CASH, -1e-3), (REALISED, 1e-3), (QTY, 1e-3), (FEES, 1e-3)):
        changed = account.copy()
        changed[entry] += change
        check_balance(changed, limits)
        assert changed[BALANCED] == 0.0


@pytest.mark.parametrize("threads", [1, 2])
def test_an_account_that_no_double_holds_is_an_error_with_its_bar_and_no_result(threads):
    columns = priced(*[1e300] * 5) | {"volume": np.array([0.0, 1, 0, 0, 0])}
    broken = evaluation(document(on_volume("buy", "close"), fixed(1e12, max_margin=1e308)), COSTLY)
    sound = evaluation(document(on_volume("buy", "close")), COSTLY)
    calm = dataclasses.replace(sound, dataset=1)
    with pytest.raises(ComputeError) as caught:
        run([dataset(columns), dataset(priced(10, 11))], [calm, sound, broken, sound], threads)
    assert caught.value.code == "BACKTEST_INVARIANT"
    assert caught.value.loc == "bar 2 of evaluation 2"


def test_more_fills_than_a_first_guess_are_all_kept():
    columns = priced(*[10, 11] * 1500) | {"volume": np.array([1.0, 2] * 1500)}
    found = outcome(document(on_volume("buy", "sell"), SHORT | {"max_margin": 1e9}), columns)
    rows = curves(found)["trades"]
    assert found.fills == len(rows) > 4000
    assert rows[-1, 0] == 2999
    assert rows[:, 0].tolist() == sorted(rows[:, 0])


def test_a_last_open_position_is_marked_and_not_closed():
    found = traded([10, 20, 30], [1, 0, 0])
    assert found.fills == 1
    assert found.final_qty == 5000
    assert found.final_equity == 150_000


def test_a_strategy_without_rules_never_trades():
    found = outcome(document([]), bars("walk", 200, 1))
    assert (found.fills, found.rejected_orders, found.conflicts) == (0, 0, 0)
    assert set(curves(found)["equity"].tolist()) == {100_000.0}


@pytest.mark.parametrize("seed", range(25))
def test_buying_and_closing_never_makes_a_position_or_cash_negative(seed):
    rules = [
        {"if": "crossover(close, ma(close, 4))", "then": "buy"},
        {"if": "crossunder(close, ma(close, 4))", "then": "close"},
    ]
    cost = {"fee_bps": 5 * (seed % 4), "base_bps": 3 * (seed % 3), "k_vol": 0.2 * (seed % 2)}
    kind = ("walk", "jumps", "coarse")[seed % 3]
    found = outcome(document(rules), bars(kind, 400, seed), cost | {"bar_delay": seed % 4})
    assert found.fills > 0
    assert curves(found)["qty"].min() >= 0
    assert curves(found)["cash"].min() >= -1e-9 * 100_000


def test_an_undefined_condition_never_fires_and_neither_does_its_denial():
    for text in ("1 / (close - close) > 0", "ma(close, 9) > 0", "lag(close, 5) > 0"):
        for condition in (text, f"not ({text})"):
            found = outcome(
                document([{"if": condition, "then": "buy"}, {"if": "close < 0", "then": "close"}]),
                priced(*[10] * 5),
                {"bar_delay": 0},
            )
            assert found.fills == 0


def test_a_number_that_no_double_holds_is_undefined_wherever_it_arises():
    for huge in ("close * 1e308 * 10", "lag(close * 1e308 * 10, 0)", "ma(close * 1e307, 3) * 99"):
        for condition in (f"{huge} > 1", f"not ({huge} > 1)"):
            rules = [{"if": condition, "then": "buy"}, {"if": "close < 0", "then": "close"}]
            assert outcome(document(rules), priced(*[10] * 5)).fills == 0


def test_a_crossing_on_the_first_bar_is_denied_only_if_nothing_lies_above():
    def buys(condition):
        rules = [{"if": condition, "then": "buy"}, {"if": "close < 0", "then": "close"}]
        return fills(outcome(document(rules), priced(10, 10), {"bar_delay": 0}))

    assert buys("crossover(close, 5)") == []
    assert buys("not crossover(close, 5)") == [(1, 1, 0)]
    assert buys("not crossover(close, 15)") == [(0, 1, 0)]
    assert buys("not crossover(level, 5)") == [(1, 1, 0)]
    assert buys("not crossunder(fast, level)") == [(1, 1, 0)]


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_a_close_that_is_no_price_is_refused_with_its_row(price):
    with pytest.raises(ContractError) as refusal:
        run([dataset(priced(10, 11, price, 12))], [evaluation(document([]))])
    assert (refusal.value.code, refusal.value.loc) == ("BACKTEST_DATA_INVALID", "row 2")


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_bars_are_refused(count):
    with pytest.raises(ContractError) as refusal:
        run([dataset(priced(*[10.0] * count))], [evaluation(document([]))])
    assert refusal.value.code == "BACKTEST_DATA_INVALID"
    assert f"{count} bars" in refusal.value.message
