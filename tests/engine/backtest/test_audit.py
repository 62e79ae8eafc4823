"""The audit passes what the engine made and names the bar of everything else."""

import math
from typing import Any

import numpy as np
import pytest

from contracts.errors import ComputeError
from engine.backtest import audit
from tests.engine.backtest.cases import LONG_SHORT, PLAIN, curves, outcome
from tests.properties.strategies import bars, document

RULES = [
    {"if": "crossover(close, ma(close, 5))", "then": "buy"},
    {"if": "crossunder(close, ma(close, 5))", "then": "sell"},
]
COSTS = PLAIN | {"fee_bps": 2.0, "base_bps": 1.0, "k_vol": 0.5}


def stored(seed=1, risk=None) -> dict[str, Any]:
    """Arguments of the audit for one run, free to be tampered with."""
    columns = bars("walk", 400, seed)
    kept = curves(outcome(document(RULES, risk or LONG_SHORT), columns, COSTS))
    trades = zip(("bar", "side", "qty", "price", "fee"), kept["trades"].T.copy(), strict=False)
    return {
        "close": columns["close"].copy(),
        "equity": kept["equity"].copy(),
        "cash": kept["cash"].copy(),
        "qty": kept["qty"].copy(),
        "trades": dict(trades),
        "initial_cash": COSTS["initial_cash"],
        "allow_short": True,
        "max_margin": 0.0,
    }


def refusal(arguments):
    with pytest.raises(ComputeError) as caught:
        audit(**arguments)
    assert caught.value.code == "BACKTEST_INVARIANT"
    return caught.value


@pytest.mark.parametrize("seed", range(10))
def test_what_the_engine_made_passes(seed):
    arguments = stored(seed)
    assert len(arguments["trades"]["bar"]) > 20
    assert audit(**arguments) is None


@pytest.mark.parametrize("curve", ["equity", "cash", "qty"])
@pytest.mark.parametrize("change", [0.01, -0.5, 1e9, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("bar", [0, 123, 399])
def test_a_changed_number_of_a_curve_is_found_at_its_bar(curve, change, bar):
    arguments = stored()
    arguments[curve][bar] += change
    assert refusal(arguments).loc == f"bar {bar}"


@pytest.mark.parametrize("column", ["side", "qty", "price", "fee"])
@pytest.mark.parametrize("row", [0, 7, -1])
def test_a_changed_trade_is_found_at_its_bar(column, row):
    arguments = stored()
    values = arguments["trades"][column]
    values[row] = -values[row] if column == "side" else values[row] * 1.01
    assert refusal(arguments).loc == f"bar {int(arguments['trades']['bar'][row])}"


def test_a_trade_moved_to_another_bar_is_found_where_it_is_missing_or_added():
    for step in (-1, 1):
        arguments = stored()
        bar = arguments["trades"]["bar"][4]
        arguments["trades"]["bar"][4:6] += step
        assert refusal(arguments).loc == f"bar {int(min(bar, bar + step))}"


@pytest.mark.parametrize("bar", [-1, 400, 10**12])
def test_a_trade_outside_the_data_is_named(bar):
    arguments = stored()
    arguments["trades"]["bar"][-1] = bar
    assert refusal(arguments).loc == f"bar {bar}"


def test_a_removed_trade_is_found_at_its_bar():
    arguments = stored()
    bar = int(arguments["trades"]["bar"][4])
    arguments["trades"] = {name: np.delete(v, [4, 5]) for name, v in arguments["trades"].items()}
    assert refusal(arguments).loc == f"bar {bar}"


@pytest.mark.parametrize("curve", ["equity", "cash", "qty"])
def test_a_curve_of_another_length_is_refused(curve):
    for changed in (slice(None, -1), slice(0, 0)):
        arguments = stored()
        arguments[curve] = arguments[curve][changed]
        assert refusal(arguments).loc == f"bar {arguments[curve].size}"
    arguments = stored()
    arguments[curve] = np.append(arguments[curve], 1.0)
    assert refusal(arguments).loc == "bar 400"


def test_a_short_position_needs_permission():
    arguments = stored()
    first = int(np.flatnonzero(arguments["qty"] < 0)[0])
    error = refusal(arguments | {"allow_short": False})
    assert error.loc == f"bar {first}"
    assert "negative" in error.message


def test_cash_below_the_margin_is_named():
    risk = {"sizing": {"type": "fixed_qty", "qty": 1200}, "max_margin": 50_000}
    arguments = stored(risk=risk)
    arguments["max_margin"] = 50_000.0
    first = int(np.flatnonzero(arguments["cash"] < 0)[0])
    assert audit(**arguments) is None
    error = refusal(arguments | {"max_margin": 0.0})
    assert error.loc == f"bar {first}"
    assert "margin" in error.message


def test_the_prices_of_other_data_are_not_audited_away():
    arguments = stored()
    held = int(np.flatnonzero(arguments["qty"])[0])
    arguments["close"][held:] *= 1.001
    assert refusal(arguments).loc == f"bar {held}"
