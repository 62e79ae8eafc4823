"""Backtest settings and results: defaults, metrics, and that a result reads back."""

import pytest

from contracts.backtest import (
    METRICS,
    MIN_DAYS,
    RESULT,
    SETTINGS,
    TRADING_DAYS_PER_YEAR,
    bars_per_day,
)
from contracts.canonical import canonical_json
from contracts.document import load
from tests.contracts.fixture_files import document, valid_files


def test_no_settings_given_are_the_defaults():
    settings = load(SETTINGS, "{}", "backtest settings")
    assert (settings.initial_cash, settings.bar_delay) == (100_000.0, 1)
    assert settings.costs.fee_bps == 1.0
    assert settings.document() == {}


def test_settings_hold_only_what_differs():
    path = next(path for path in valid_files("backtest_settings") if "taker" in path.stem)
    settings = load(SETTINGS, path.read_bytes(), "backtest settings")
    assert settings.document() == {
        "initial_cash": 50_000.0,
        "costs": {"fee_bps": 2.0, "slippage": {"k_vol": 0.1}},
    }


def test_the_metrics_are_named_once_and_keep_their_order():
    assert list(METRICS) == [
        *("total_return", "annual_return", "volatility", "sharpe", "sortino"),
        *("gain_loss_sortino", "max_drawdown", "calmar", "win_rate", "profit_factor"),
        *("exposure", "turnover", "trades", "daily_return_p5", "worst_1pct_mean"),
        "recovery_bars",
    ]
    assert MIN_DAYS == 20


def test_the_range_of_the_bars_is_not_in_the_hash_of_settings():
    path = next(path for path in valid_files("backtest_settings") if "lots" in path.stem)
    settings = load(SETTINGS, path.read_bytes(), "backtest settings")
    assert (settings.gap_policy, settings.lot_size, settings.max_bars) == ("open", 0.001, 10_000)
    whole = {name: value for name, value in document(path).items() if name != "max_bars"}
    assert settings.whole.document() == whole
    assert settings.settings_hash == settings.whole.settings_hash
    other = load(SETTINGS, canonical_json({**whole, "lot_size": 1}), "backtest settings")
    assert other.settings_hash != settings.settings_hash


@pytest.mark.parametrize("path", valid_files("backtest_result"), ids=lambda path: path.stem)
def test_a_result_reads_back_with_its_missing_metrics_and_their_reasons(path):
    result = load(RESULT, path.read_bytes(), "backtest result")
    assert set(result.metrics) == set(METRICS)
    missing = {name for name, value in result.metrics.items() if value is None}
    assert set(result.reasons) == missing != set()
    again = load(RESULT, canonical_json(result.document()), "backtest result")
    assert again == result
    assert {**again.document(), "status": "ok"} == document(path)


def test_metrics_of_our_own_bars_are_measured_as_if_markets_never_closed():
    found = {
        path.stem: load(RESULT, path.read_bytes(), "r") for path in valid_files("backtest_result")
    }
    ours, external = found["result_ma_crossover"], found["result_external_bars"]
    assert ours.metric_settings.bars_per_day == bars_per_day(ours.timeframe)
    assert ours.metric_settings.trading_days_per_year == TRADING_DAYS_PER_YEAR
    assert external.metric_settings.bars_per_day == 6.5
    assert (external.tick_size, external.lot_size) == (None, None)


@pytest.mark.parametrize(
    ("timeframe", "bars"),
    [("1m", 1440), ("5m", 288), ("15m", 96), ("1h", 24), ("4h", 6), ("1d", 1)],
)
def test_a_day_has_as_many_bars_as_fit_around_the_clock(timeframe, bars):
    assert bars_per_day(timeframe) == bars
