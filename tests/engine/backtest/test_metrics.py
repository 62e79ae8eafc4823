"""Metrics equal the oracle's and empyrical's, and are null with a reason where undefined.

The curves come from the engine itself: whether they are right is tested in test_agreement.py.
"""

import itertools
import math
import warnings
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings

from contracts.backtest import METRICS, bars_per_day
from contracts.errors import ContractError
from engine.backtest import Outcome, run
from engine.backtest.account import ACCOUNT_SIZE
from engine.backtest.daily import last_bars_of_days
from engine.backtest.metrics import BLOCK, MOMENTS_SIZE, measure, report
from tests.engine.backtest.cases import (
    CASES,
    crossover,
    curves,
    dataset,
    evaluation,
    market,
    outcome,
    priced,
    scenario,
    times,
)
from tests.oracles import backtest as oracle
from tests.properties import strategies

EXACT = 1e-9
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
YEAR = 252 * 1440
DAY_NS = 86_400_000_000_000
RULES = [{"if": "close > open", "then": "buy"}, {"if": "close < open", "then": "close"}]


def measured(equity, step_ns=60_000_000_000, per_day=1440.0, initial=100.0):
    """Metrics of a curve made by hand, without a position."""
    curve = np.array(equity, dtype=np.float64)
    ends = last_bars_of_days(times(curve.size, step_ns))
    values, reasons = np.zeros(len(METRICS)), np.zeros(len(METRICS), dtype=np.int8)
    measure(
        curve, np.zeros(ACCOUNT_SIZE), initial, 0, ends, 252 * per_day,
        np.empty(max(BLOCK, ends.size)), np.empty(MOMENTS_SIZE), values, reasons,
    )  # fmt: skip
    return report(values, reasons)


def numbers(found: Outcome) -> dict[str, Any]:
    """Metrics of an outcome that defines them all, or those that are asked for."""
    return dict(found.report.values)


def assert_equal_metrics(found, wanted):
    """Compare metric by metric: a number of the oracle is the engine's, none is none."""
    for name in METRICS:
        mine, other = found.values[name], wanted.get(name)
        if other is None:
            assert mine is None, f"{name} is {mine}, though it is undefined"
        else:
            assert mine == pytest.approx(other, rel=EXACT, abs=EXACT), name


def assert_total(found):
    """Every metric is a finite number, or null with a reason; nothing else has one."""
    assert tuple(found.values) == METRICS
    nulls = {name for name, value in found.values.items() if value is None}
    assert set(found.reasons) == nulls
    assert all(found.reasons.values())
    assert all(math.isfinite(value) for value in found.values.values() if value is not None)


def oracles_metrics(found, data, initial):
    kept = curves(found)
    fills = [
        oracle.Fill(int(bar), int(side), qty, price, fee, slippage, pnl, int(code))
        for bar, side, qty, price, fee, slippage, pnl, code in kept["trades"].tolist()
    ]
    result = oracle.Run(equity=kept["equity"].tolist(), qty=kept["qty"].tolist(), fills=fills)
    per_day = bars_per_day(data.timeframe)
    return oracle.measure(result, data.ts_ns.tolist(), initial, per_day)


@pytest.mark.parametrize("name", CASES)
def test_the_metrics_of_a_named_case_are_the_oracles(name):
    document, columns, flat = CASES[name]
    data = dataset(columns)
    [found] = run([data], [evaluation(document, flat)])
    assert_total(found.report)
    wanted = oracles_metrics(found, data, flat["initial_cash"])
    assert_equal_metrics(found.report, wanted)
    assert found.recovery_open == wanted["recovery_open"]
    assert found.fills > 5


def test_twenty_five_days_of_trading_define_every_metric():
    found = outcome(*CASES["days"])
    assert found.report.reasons == {}
    values = numbers(found)
    assert values["daily_return_p5"] > values["worst_1pct_mean"]


@hypothesis_settings(max_examples=80, suppress_health_check=SLOW)
@given(strategies.documents(), strategies.series(60), strategies.settings())
def test_the_metrics_of_any_run_are_the_oracles_and_never_nan(document, columns, flat):
    try:
        asked = evaluation(document, flat)
    except ContractError as error:
        assume(error.code != "DSL_STATIC_FAIL")
        raise
    data = dataset(columns)
    [found] = run([data], [asked])
    assert_total(found.report)
    wanted = oracles_metrics(found, data, flat["initial_cash"])
    assert_equal_metrics(found.report, wanted)
    assert found.recovery_open == wanted.get("recovery_open", False)


@pytest.mark.parametrize("seed", range(12))
def test_ratios_are_those_of_empyrical(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical

    rng = np.random.default_rng(seed)
    returns = rng.normal(1e-6 * (seed - 6), 1e-4 * (1 + seed), 3000)
    found = measured(100 * np.cumprod(1 + returns)).values
    from_curve = np.diff(np.append(100.0, 100 * np.cumprod(1 + returns)))
    from_curve /= np.append(100.0, 100 * np.cumprod(1 + returns))[:-1]
    theirs = {
        "sharpe": empyrical.sharpe_ratio(from_curve, annualization=YEAR),
        "sortino": empyrical.sortino_ratio(from_curve, annualization=YEAR),
        "max_drawdown": empyrical.max_drawdown(from_curve),
        "calmar": empyrical.calmar_ratio(from_curve, annualization=YEAR),
        "annual_return": empyrical.annual_return(from_curve, annualization=YEAR),
        "volatility": empyrical.annual_volatility(from_curve, annualization=YEAR),
    }
    for name, other in theirs.items():
        assert math.isfinite(other)
        assert found[name] == pytest.approx(float(other), rel=EXACT), name


def test_daily_figures_are_those_of_empyrical_on_the_returns_of_whole_days():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import empyrical

    days = np.random.default_rng(5).normal(0, 0.01, 150)
    curve = np.repeat(100 * np.cumprod(1 + days), 24)
    found = measured(curve, DAY_NS // 24, 24.0).values
    assert found["daily_return_p5"] == pytest.approx(
        float(empyrical.value_at_risk(days, 0.05)), rel=EXACT
    )
    assert found["worst_1pct_mean"] == pytest.approx(
        float(empyrical.conditional_value_at_risk(days, 0.01)), rel=EXACT
    )


def test_the_first_return_is_measured_against_the_initial_cash():
    found = measured([90.0, 90.0]).values
    assert found["max_drawdown"] == pytest.approx(-0.1)
    assert found["total_return"] == pytest.approx(-0.1)
    assert found["volatility"] == pytest.approx(0.1 / math.sqrt(2) * math.sqrt(YEAR))


def test_constant_equity_has_ratios_and_a_drawdown_of_zero():
    for found in (
        measured([100.0] * 50),
        outcome(strategies.document(RULES), priced(*[100.1] * 50)).report,
    ):
        names = ("sharpe", "sortino", "gain_loss_sortino", "max_drawdown", "volatility")
        assert [found.values[name] for name in names] == [0.0] * 5
        assert found.values["annual_return"] == 0.0
        assert found.reasons["calmar"] == "no drawdown"
        assert_total(found)


def test_equal_returns_that_are_not_zero_have_no_sharpe_ratio():
    found = measured([200.0, 400.0, 800.0])
    assert found.values["sharpe"] is None
    assert found.reasons["sharpe"] == "all returns are equal"
    assert found.reasons["sortino"] == "no losing bar"


@pytest.mark.parametrize("curve", [[50, 0, 0], [50, -3, 20], [100, 100, -1]])
def test_lost_equity_leaves_ratios_null_with_the_reason(curve):
    found = measured(curve)
    assert_total(found)
    assert "zero or below" in found.reasons["sharpe"]
    assert found.values["total_return"] == curve[-1] / 100 - 1


def test_growth_beyond_the_doubles_is_null_and_says_so():
    found = measured([100.0, 99.0, 500.0])
    assert found.values["annual_return"] is None
    assert found.reasons["annual_return"] == "growth overflows"
    assert found.reasons["calmar"] == "growth overflows"


def test_a_ratio_beyond_the_doubles_is_null_and_says_so():
    rising = 100 * math.exp(699 / YEAR * 3)
    found = measured([100.0, 100 * (1 - 1e-9), rising])
    assert cast(float, found.values["annual_return"]) > 1e300
    assert found.reasons["calmar"] == "the ratio overflows"
    assert_total(found)


@pytest.mark.parametrize("days", [19, 20])
def test_daily_metrics_need_twenty_days(days):
    curve = 100 + np.arange(days * 24) % 7
    found = measured(curve, DAY_NS // 24, 24.0)
    names = ("daily_return_p5", "worst_1pct_mean")
    assert [found.values[name] is None for name in names] == [days < 20] * 2
    assert all(found.reasons[name].startswith("fewer than 20") for name in names if days < 20)
    assert_total(found)


def test_recovery_counts_the_bars_below_a_peak_even_if_it_is_not_reached_again():
    assert measured([101, 100, 99, 101, 100, 103]).values["recovery_bars"] == 2
    assert measured([101, 100, 99, 98, 97]).values["recovery_bars"] == 4
    assert measured([99, 99, 99]).values["recovery_bars"] == 3


@pytest.mark.parametrize("count", [60, 511, 512, 513, 3000])
@pytest.mark.parametrize("seed", range(3))
def test_gains_over_the_spread_of_losses_are_those_of_numpy_whatever_the_block(count, seed):
    returns = np.random.default_rng(seed).normal(2e-5, 1e-3, count)
    returns[count // 3 : count // 2] = 0.0
    curve = np.append(100.0, 100 * np.cumprod(1 + returns))
    r = np.diff(curve) / curve[:-1]
    wanted = r[r > 0].mean() / r[r < 0].std(ddof=1) * math.sqrt(YEAR)
    found = measured(curve[1:]).values
    assert found["gain_loss_sortino"] == pytest.approx(wanted, rel=EXACT)


@pytest.mark.parametrize("curve", [[101, 102, 103], [99, 98, 99.5], [101, 100, 102]])
def test_too_few_gains_or_losses_leave_their_ratio_null(curve):
    few = sum(after < before for before, after in itertools.pairwise([100, *curve])) < 2
    found = measured(curve)
    assert (found.values["gain_loss_sortino"] is None) == few
    assert not few or "too few" in found.reasons["gain_loss_sortino"]


def test_exposure_and_turnover_are_told_by_the_fills():
    # Ten at 10 bought on bar 1, sold at 20 on bar 3; two of six bars end with a position.
    rules = [{"if": "volume == 1", "then": "buy"}, {"if": "volume == 2", "then": "close"}]
    columns = priced(10, 10, 15, 20, 20, 20) | {"volume": np.array([1.0, 0, 2, 0, 0, 0])}
    ten = {"sizing": {"type": "fixed_qty", "qty": 10}}
    found = outcome(strategies.document(rules, ten), columns, {"initial_cash": 1000.0})
    assert found.report.values["exposure"] == pytest.approx(2 / 6)
    assert found.report.values["turnover"] == pytest.approx((100 + 200) / 1000)
    assert found.report.values["trades"] == 1


@pytest.mark.parametrize(
    ("closes", "bars_below", "is_open"),
    [
        ((10, 10, 9, 9, 10, 10, 10), 2, False),
        ((10, 10, 9, 9, 10, 9, 10), 2, False),
        ((10, 10, 9, 9, 10, 9, 9), 2, True),
        ((10, 10, 9, 9, 9, 9, 9), 5, True),
        ((10, 10, 11, 12, 13, 14, 15), 0, False),
    ],
)
def test_the_longest_recovery_is_open_if_it_lasts_to_the_end(closes, bars_below, is_open):
    never = {"if": "close < 0", "then": "close"}
    rules = [{"if": "volume == 1", "then": "buy"}, never]
    found = outcome(strategies.document(rules), priced(*closes))
    assert found.report.values["recovery_bars"] == bars_below
    assert found.recovery_open is is_open


def test_a_fall_over_several_blocks_is_one_fall():
    up, down = np.linspace(100, 130, 700), np.linspace(129, 90, 900)
    found = measured(np.concatenate([up, down, [125.0], up[-1:] + 1])).values
    assert found["recovery_bars"] == 901
    assert found["max_drawdown"] == pytest.approx(90 / 130 - 1)


def test_the_annualisation_follows_the_timeframe():
    columns = strategies.bars("walk", 300, 4)
    document = strategies.document(RULES)
    by_frame = {}
    for timeframe in ("1m", "1h"):
        [found] = run([dataset(columns, timeframe)], [evaluation(document)])
        by_frame[timeframe] = found.report.values
    for name in ("sharpe", "sortino", "volatility", "gain_loss_sortino"):
        assert by_frame["1m"][name] == pytest.approx(by_frame["1h"][name] * math.sqrt(60))


def test_the_crossover_makes_money_on_a_rising_market_and_trades():
    spec = scenario("scenario_trend_up_mid")
    for seed in range(5):
        [found] = run([market(spec, seed)], [evaluation(crossover())])
        assert numbers(found)["total_return"] > 0
        assert numbers(found)["trades"] >= 5


def test_clustered_high_volatility_draws_the_crossover_down_more_than_low():
    drawdowns = {}
    for level in ("low", "high"):
        spec = scenario(f"scenario_vol_cluster_{level}")
        data = [market(spec, seed) for seed in range(24)]
        found = run(data, [evaluation(crossover(), data=index) for index in range(24)])
        drawdowns[level] = np.median([-numbers(one)["max_drawdown"] for one in found])
    assert drawdowns["high"] > 1.2 * drawdowns["low"] > 0
