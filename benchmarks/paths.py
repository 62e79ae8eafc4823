"""Bars per second in the kernel, one core, beside numpy and ``arch`` in the same run.

Parity of moments comes first: returns of each engine must agree in mean, deviation
and fourth moment before any clock is started. The peers make close prices only;
ours are full bars with high, low, lognormal volume and all guards checked.
"""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
from arch.univariate import GARCH, Normal, ZeroMean

from benchmarks.timing import alternating, table
from contracts.scenario import ScenarioSpec, load_scenario
from engine import paths

BARS = 1_000_000
ARCH_BARS = 100_000
_COMMON = {
    "id": "bench",
    "version": "0.1",
    "timeframe": "1m",
    "duration_bars": BARS,
    "seed": 1,
    "volume_model": "lognormal",
}
PARAMS = {
    "trend": {"drift": 0.01, "sigma": 5},
    "mean_revert": {"kappa": 0.5, "theta": 0, "sigma": 4},
    "level_revert": {"kappa": 0.01, "sigma": 5, "level": 100},
    "vol_cluster": {"omega": 0.5, "alpha": 0.05, "beta": 0.93, "mu": 0},
    "shock_mix": {"p_jump": 0.001, "jump_mu": 0, "jump_sigma": 40, "sigma": 5},
    "regime_switch": {
        "regimes": [{"drift": 0.1, "sigma": 3}, {"drift": -0.1, "sigma": 9}],
        "transition": [[0.99, 0.01], [0.02, 0.98]],
    },
}

Floats = npt.NDArray[np.float64]


def scenario(family: str) -> ScenarioSpec:
    """The benchmark's scenario of a family."""
    document = {**_COMMON, "family": family, "params": PARAMS[family]}
    return load_scenario(json.dumps(document))


def run() -> str:
    """Check parity, time every engine, and return the section of the report."""
    check_parity()
    trend, garch = alternating([_numpy_trend, _arch_garch])
    rows: list[list[str]] = []
    names = list(PARAMS)
    specs = [scenario(name) for name in names]
    times = alternating([lambda spec=spec: paths.simulate(spec, 1) for spec in specs])
    peers = {"trend": trend / BARS, "vol_cluster": garch / ARCH_BARS}
    for name, seconds in zip(names, times, strict=True):
        peer = peers.get(name)
        said = {"trend": "numpy, close only", "vol_cluster": "arch, close only"}.get(name, "")
        ratio = f"{peer / (seconds / BARS):.1f}× {said}" if peer else ""
        rows.append([name, f"{seconds / BARS * 1e9:.0f}", f"{BARS / seconds / 1e6:.1f}", ratio])
    return "## Bars in the kernel, one core\n\n" + table(
        ["family", "ns per full bar", "million bars/s", "peer's time per bar / ours"], rows
    )


def check_parity() -> None:
    """Refuse to time engines whose returns differ in distribution."""
    ours = _log_returns(paths.simulate(scenario("trend"), 1))
    theirs = np.diff(np.log(_numpy_trend()))
    _same_moments("trend", ours, theirs)
    ours = _log_returns(paths.simulate(scenario("vol_cluster"), 1))[:ARCH_BARS]
    _same_moments("vol_cluster", ours, np.asarray(_arch_garch()))


def _log_returns(bars: paths.Bars) -> Floats:
    return np.diff(np.log(bars.close_ticks.astype(np.float64)))


def _same_moments(name: str, ours: Floats, theirs: Floats) -> None:
    error = ours.std() / np.sqrt(ours.size)
    if abs(ours.mean() - theirs.mean()) > 6 * error:
        raise AssertionError(f"{name}: the means differ")
    # 2 % is several deviations of either estimate at this length, rounding to ticks included.
    if abs(ours.std() / theirs.std() - 1) > 0.02:
        raise AssertionError(f"{name}: the deviations differ")


def _numpy_trend() -> Floats:
    rng = np.random.default_rng(1)
    mean = PARAMS["trend"]["drift"] * 1e-4  # pyright: ignore[reportOperatorIssue]
    returns = mean - 0.5 * 25e-8 + 5e-4 * rng.standard_normal(BARS)
    return 100.0 * np.exp(np.cumsum(returns))


def _arch_garch() -> Floats:
    model = ZeroMean()
    model.volatility = GARCH(1, 0, 1)
    model.distribution = Normal(seed=np.random.default_rng(1))
    data = model.simulate([0.5, 0.05, 0.93], ARCH_BARS, burn=500)
    return data["data"].to_numpy() * 1e-4
