"""Summaries of resampled returns: equal to the oracle's, on any threads, as precise as asked.

The oracle is tests/oracles/montecarlo.py, for one path tested in test_kernels.py; the peer that
agrees in distribution is in test_distribution.py.
"""

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import ContractError
from contracts.scenario import load_scenario
from contracts.validation import MONTE_CARLO_STATISTICS, MonteCarloSettings
from engine import paths
from engine.montecarlo import FAN_PERCENTS, resample, resample_many
from engine.montecarlo.blocks import Resampler, Room
from engine.montecarlo.percentiles import estimates
from tests.architecture.sources import ROOT
from tests.oracles import montecarlo as oracle

METHODS = ("circular", "stationary")
YEAR = 252 * 390.0
SCENARIOS = ROOT / "contracts" / "fixtures" / "scenarios"


def returns_of(bars, seed=1, scale=1e-3):
    return np.random.default_rng([seed, bars]).standard_t(4, bars) * scale + scale / 30


def settings(**changes):
    return MonteCarloSettings(**{"block_bars": 10, "seed": 5, "paths": 100} | changes)


def fingerprint(outcome):
    arrays = (outcome.max_drawdowns.tobytes(), outcome.fan.tobytes())
    said = (outcome.values, outcome.reasons, outcome.standard_errors)
    return (*arrays, *(repr(one) for one in said), outcome.paths, outcome.converged)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gains", [False, True])
def test_a_summary_is_the_oracles(method, gains):
    returns = np.abs(returns_of(90)) if gains else returns_of(90)
    chosen = settings(method=method, ruin_drawdown=0.02)
    found = resample(returns, chosen, YEAR)
    wanted = oracle.simulate(returns.tolist(), chosen, 390.0)
    assert tuple(found.values) == MONTE_CARLO_STATISTICS
    assert found.reasons == wanted.reasons
    for name, value in wanted.values.items():
        assert found.values[name] == (value and pytest.approx(value, rel=1e-9))
    drawdowns = [path.max_drawdown for path in wanted.paths]
    np.testing.assert_allclose(found.max_drawdowns, drawdowns, rtol=1e-9, atol=1e-13)
    assert (found.paths, found.converged) == (100, True)


def test_precision_makes_as_many_paths_as_the_oracle_does():
    returns = returns_of(24)
    chosen = settings(paths=None, precision=0.04, block_bars=6, ruin_drawdown=0.01)
    found = resample(returns, chosen, YEAR)
    wanted = oracle.simulate(returns.tolist(), chosen, 390.0)
    assert wanted.rounds[0] == 2_000
    assert len(wanted.rounds) > 1
    assert (found.paths, found.converged) == (wanted.rounds[-1], wanted.converged)
    assert found.values == pytest.approx(wanted.values, rel=1e-9)
    assert found.standard_errors == pytest.approx(wanted.errors, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_precise_paths_are_the_fixed_ones(method):
    precise = resample(returns_of(500), settings(method=method, paths=None, precision=0.03), YEAR)
    fixed = resample(returns_of(500), settings(method=method, paths=precise.paths), YEAR)
    assert fingerprint(precise) == fingerprint(fixed)
    assert precise.paths % 1_000 == 0
    assert precise.paths > 2_000


@pytest.mark.parametrize("precision", [0.02, 0.04, 0.05, 0.055, 0.06, 0.065, 0.07, 0.3])
def test_no_error_is_larger_than_the_precision_allows(precision):
    chosen = settings(paths=None, precision=precision)
    found = resample(returns_of(200), chosen, YEAR)
    made, _ = Resampler(returns_of(200), chosen, YEAR, Room()).walk(0, found.paths)
    errors = {name: one.error for name, one in estimates(made, 0.5).items()}
    assert found.standard_errors == errors
    deviations = dict(
        zip(("sharpe", "max_drawdown", "profit_factor", "total_return"), made, strict=True)
    )
    for name, error in errors.items():
        own = deviations.get(name.rpartition("_p")[0])
        assert error <= precision * (1.0 if own is None else np.std(own, ddof=1)), name
    assert found.converged
    assert (found.paths == 2_000) == (precision == 0.3)


@pytest.mark.parametrize("max_paths", [2_000, 5_500])
def test_what_max_paths_do_not_suffice_for_has_not_converged(max_paths):
    chosen = settings(paths=None, precision=0.001, max_paths=max_paths)
    found = resample(returns_of(200), chosen, YEAR)
    assert (found.paths, found.converged) == (max_paths, False)
    assert found.max_drawdowns.shape == (max_paths,)
    assert all(value is not None for value in found.values.values())


@pytest.mark.studies
@pytest.mark.parametrize("method", METHODS)
def test_a_precision_of_one_hundredth_holds_over_seeds(method):
    returns, common = returns_of(500), {"method": method, "block_bars": 40}
    chosen = [settings(**common, paths=None, precision=0.01, seed=seed) for seed in range(20)]
    found = [resample(returns, one, YEAR) for one in chosen]
    assert all(one.converged and 2_000 < one.paths < 200_000 for one in found)
    paths, _ = Resampler(returns, chosen[0], YEAR, Room()).walk(0, 20_000)
    of_limit = {}
    for name, one in estimates(paths, 0.5).items():
        spread = float(np.std([outcome.values[name] for outcome in found], ddof=1))
        of_limit[name] = spread / (0.01 * one.scale)
    assert max(of_limit.values()) <= 1.5, of_limit
    assert max(of_limit.values()) >= 0.5, "far more paths were made than the precision needs"


@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize("method", METHODS)
def test_threads_change_no_byte(method, threads):
    series = [returns_of(bars) for bars in (300, 2, 41, 700, 300)]
    series[2][7] = -1.0
    chosen = settings(method=method)
    alone = [resample(one, chosen, YEAR, 4) for one in series]
    together = resample_many(series, chosen, YEAR, threads, 4)
    assert [fingerprint(one) for one in together] == [fingerprint(one) for one in alone]
    assert resample_many([], chosen, YEAR, threads) == []


def test_a_view_with_gaps_is_the_same_series():
    returns = returns_of(80)
    spaced = np.empty((80, 3))
    spaced[:, 1] = returns
    assert fingerprint(resample(spaced[:, 1], settings(), YEAR)) == fingerprint(
        resample(returns, settings(), YEAR)
    )


def test_memory_does_not_grow_with_the_number_of_series():
    chosen = settings(paths=20)

    def peak(count, threads):
        series = [returns_of(4_000)] * count
        gc.collect()
        tracemalloc.start()
        outcomes = resample_many(series, chosen, YEAR, threads=threads)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(outcomes) == count
        return peak_bytes

    peak(2, threads=1)
    few, results = peak(4, threads=1), 56 * 20_000
    assert peak(60, threads=1) < few + results
    # Each of two threads has buffers of its own, if it comes to work before the other is done.
    assert peak(60, threads=2) < 2 * few + results


@pytest.mark.parametrize("broken", [-1.0, -1.5, np.nan, np.inf, -np.inf])
def test_a_curve_that_falls_to_zero_is_not_resampled(broken):
    returns = returns_of(50)
    returns[20] = broken
    found = resample(returns, settings(), YEAR, 6)
    assert found.values == dict.fromkeys(MONTE_CARLO_STATISTICS)
    assert set(found.reasons.values()) == {"equity fell to zero or below"}
    assert tuple(found.reasons) == MONTE_CARLO_STATISTICS
    assert (found.paths, found.converged, found.max_drawdowns.size) == (0, True, 0)
    assert found.fan.shape == (6, 5)
    assert np.isnan(found.fan).all()


@pytest.mark.parametrize("shape", [(0,), (1,), (5, 2), ()])
def test_what_is_no_series_is_refused_before_any_is_resampled(shape):
    with pytest.raises(ContractError, match="MONTE_CARLO_RETURNS_INVALID"):
        resample(np.zeros(shape), settings(), YEAR)
    with pytest.raises(ContractError, match="at series 1"):
        resample_many([returns_of(9), np.zeros(shape)], settings(), YEAR)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.001, 0.0, -0.0, -0.001])
def test_constant_returns_leave_nothing_to_chance(method, value):
    chosen = settings(method=method, paths=None, precision=0.001)
    found = resample(np.full(300, value), chosen, YEAR)
    assert (found.paths, found.converged) == (2_000, True)
    total = (1 + value) ** 300 - 1
    for name in ("sharpe_p5", "sharpe_p50", "sharpe_p95"):
        assert found.values[name] == 0.0
    for name in ("total_return_p5", "total_return_p50"):
        assert found.values[name] == pytest.approx(total, rel=1e-9)
    assert found.values["max_drawdown_p95"] == pytest.approx(min(total, 0.0), rel=1e-9)
    assert found.values["probability_of_loss"] == float(value < 0)
    assert found.values["probability_of_ruin"] == 0.0
    reason = {"profit_factor_p5": "no losing bar" if value > 0 else "no path defines it"}
    assert found.reasons == (reason if value >= 0 else {})


def test_gains_alone_have_no_drawdown_and_no_profit_factor():
    found = resample(np.abs(returns_of(200)), settings(), YEAR)
    assert found.values["max_drawdown_p95"] == 0.0
    assert found.values["sharpe_p5"] > 0
    assert found.reasons == {"profit_factor_p5": "no losing bar"}
    assert found.standard_errors["profit_factor_p5"] is None


def test_the_ratio_is_annual_and_nothing_else_is():
    once = resample(returns_of(100), settings(), 252.0).values
    often = resample(returns_of(100), settings(), 252.0 * 16).values
    for name in MONTE_CARLO_STATISTICS:
        factor = 4 if name.startswith("sharpe") else 1
        assert often[name] == pytest.approx(factor * once[name], rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [1e10, 1e200])
def test_growth_that_overflows_is_null_and_no_error(value, method):
    returns = np.full(60, value)
    returns[::5] = 0.5
    found = resample(returns, settings(method=method, paths=20), YEAR, 3)
    assert found.values["sharpe_p50"] >= 0.0
    assert found.values["max_drawdown_p95"] == 0.0
    assert found.values["total_return_p50"] is None
    assert found.reasons["total_return_p50"] == "growth overflows"


def test_the_fan_opens_and_ends_where_the_paths_end():
    returns = returns_of(400)
    found = resample(returns, settings(paths=600), YEAR, 20)
    assert found.fan.shape == (20, len(FAN_PERCENTS))
    assert (np.diff(found.fan, axis=1) > 0).all()
    width = found.fan[:, -1] - found.fan[:, 0]
    assert width[-1] > 2 * width[0]
    assert found.fan[-1, 0] - 1 == pytest.approx(found.values["total_return_p5"], rel=1e-12)
    assert found.fan[-1, 2] - 1 == pytest.approx(found.values["total_return_p50"], rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_more_volatility_falls_deeper(method):
    returns = returns_of(1_000)
    chosen = settings(method=method, paths=400)
    falls = [
        resample(returns * scale, chosen, YEAR).values["max_drawdown_p95"]
        for scale in (0.5, 0.8, 1.0, 1.2, 2.0, 4.0)
    ]
    assert falls == sorted(falls, reverse=True)
    assert len(set(falls)) == len(falls)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_more_volatile_scenario_falls_deeper(method, seed):
    falls = {}
    for name in ("low", "high"):
        text = Path(SCENARIOS / f"scenario_vol_cluster_{name}.json").read_text("utf-8")
        close = paths.simulate(load_scenario(text), seed).close_ticks.astype(np.float64)
        returns = close[1:] / close[:-1] - 1.0
        found = resample(returns, settings(method=method, block_bars=40), YEAR)
        falls[name] = found.values["max_drawdown_p95"]
    assert falls["high"] < falls["low"] < 0.0
