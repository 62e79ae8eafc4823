"""Signals of the engine are those of the oracle, and batches give the bits of single bins.

The golden grid under both sets of rules, and grids drawn at random: dense and sparse, wide and
narrow, with quiet labels. The oracle is tests/oracles/book_signals.py; trades are held against
theirs in test_trades_against_oracle.py.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.grid import RuntimeConfig
from engine.signals.api import LiveSignal, columns_v1, values_v1
from engine.signals.registry import STATISTICAL
from engine.signals.thresholds import V1_FIRST_BIN, thresholds
from tests.oracles import order_golden
from tests.oracles import signal_golden as golden
from tests.oracles.book_signals import SIGNALS
from tests.oracles.signal_thresholds import adaptive

RUNTIME = RuntimeConfig(**order_golden.config()["runtime_config"])
TOLERANCE = 1e-9
BINS = 150
BATCHES = (1, 2, 7, 60)
SHORT: dict[str, dict[str, float]] = {
    "derivative": {
        "center_exclusion_radius": 1,
        "spatial_decay_power": 0.7,
        "zscore_window_bins": 20,
        "zscore_min_periods": 8,
        "tanh_scale": 2.0,
        "d1_weight": 0.6,
        "d2_weight": 0.3,
        "d3_weight": 0.2,
        "bull_pressure_weight": 0.5,
        "bull_vacuum_weight": 1.5,
        "bear_pressure_weight": 0.7,
        "bear_vacuum_weight": 1.2,
        "mixed_weight": 0.4,
    },
    "ads": {
        "slope_fast_bins": 3,
        "slope_mid_bins": 8,
        "slope_slow_bins": 15,
        "zscore_window_bins": 40,
        "tanh_scale": 2.0,
        "fast_weight": 0.2,
        "mid_weight": 0.5,
        "slow_weight": 0.4,
    },
    "pfp": {"lag_bins": 3, "ema_alpha": 0.3, "add_weight": 0.9, "pull_weight": 0.3},
    "spg": {
        "fast_span_bins": 2,
        "slow_span_bins": 7,
        "curvature_span_bins": 3,
        "fast_weight": 0.3,
        "slow_weight": 0.9,
        "gradient_weight": 0.5,
        "curvature_weight": 0.6,
    },
    "erd": {"zscore_window_bins": 25, "zscore_min_periods": 6, "gate": 0.2, "by_entropy": 1},
    "jad": {
        "zscore_window_bins": 30,
        "zscore_min_periods": 9,
        "tanh_scale": 1.5,
        "jerk_agreed_weight": 0.3,
        "acceleration_agreed_weight": 0.8,
        "jerk_opposed_weight": 0.9,
        "acceleration_opposed_weight": 0.1,
    },
    "iirc": {
        "slope_fast_bins": 4,
        "slope_slow_bins": 9,
        "fast_weight": 0.5,
        "slow_weight": 0.7,
        "least_imbalance": 0.05,
    },
    "msd": {"weighted": 0},
    "ads_pfp_svac": {
        "slope_fast_ms": 450,
        "slope_mid_ms": 1250,
        "slope_slow_ms": 2100,
        "zscore_window_ms": 5500,
        "lag_ms": 350,
        "ema_alpha": 0.2,
        "level_alpha": 0.15,
        "level_floor": 5.0,
        "ads_weight": 0.5,
        "pfp_weight": 0.2,
        "svac_weight": 0.6,
    },
}
"""Other values than the defaults for every parameter, and windows that a short series fills."""
ONLY_SCALE = {"center_exclusion_radius", "spatial_decay_power", "mixed_weight"}
GRIDS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "more_rows": st.sampled_from([0, 1, 9]),
        "filled": st.sampled_from([0.02, 0.2, 1.0]),
        "quiet": st.sampled_from([0.0, 0.6, 0.97]),
        "cell_width_ms": st.sampled_from([20, 100, 250]),
    }
)
few = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def params_of(name: str, changed: dict[str, float]) -> dict[str, float]:
    return {one.name: one.default for one in STATISTICAL[name].parameters} | changed


def drawn(radius: int, seed: int, filled: float, quiet: float, **_: Any) -> dict[str, np.ndarray]:
    """A grid of all columns; ``quiet`` is the share of bins whose best prices do not move."""
    rng = np.random.default_rng(seed)
    shape = (BINS, 2 * radius + 1)
    grid = {}
    for name in sorted({column for one in STATISTICAL.values() for column in one.columns}):
        signed = name.startswith(("a_", "j_", "flow_score"))
        size = rng.normal(0, 1, shape) if signed else rng.gamma(0.7, 4.0, shape)
        grid[name] = np.where(rng.random(shape) < filled, size, 0.0)
    grid["flow_state_code"] = rng.integers(-1, 2, shape) * (rng.random(shape) < filled)
    above = rng.choice([-1, 0, 2], BINS) * (rng.random(BINS) >= quiet)
    below = np.array([{-1: -2, 0: 0, 2: 1}[code] for code in above.tolist()])
    side = np.sign(np.arange(-radius, radius + 1))
    grid["state5_code"] = np.where(side > 0, above[:, None], below[:, None]) * np.abs(side)
    return {name: values.astype(np.float64) for name, values in grid.items()}


def live(name, grid, params, batches=(BINS,), cell_width_ms=100) -> np.ndarray:
    """Values with the bins cut into batches of these sizes, over and over."""
    wanted = {column: grid[column].astype(np.float64) for column in STATISTICAL[name].columns}
    bins, rows = next(iter(wanted.values())).shape
    one = LiveSignal(name, params, rows // 2, cell_width_ms, 0.25)
    parts, start = [], 0
    while start < bins:
        stop = min(start + batches[len(parts) % len(batches)], bins)
        cut = {column: values[start:stop] for column, values in wanted.items()}
        ts_ns = np.arange(start, stop, dtype=np.int64) * cell_width_ms * 1_000_000
        parts.append(one.push(cut, np.full(stop - start, 100.0), ts_ns))
        start = stop
    return np.concatenate(parts)


def of_oracle(name, grid, params, cell_width_ms=100) -> np.ndarray:
    timed = name in ("derivative", "ads_pfp_svac")
    return SIGNALS[name](grid, **params, **({"cell_width_ms": cell_width_ms} if timed else {}))


def assert_near(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.isfinite(wanted).all()
    off = np.abs(found - wanted) / np.maximum(np.abs(wanted), 1.0)
    assert off.max() <= TOLERANCE, (int(off.argmax()), found[off.argmax()], wanted[off.argmax()])


def of_v1(name: str, **params: float) -> np.ndarray:
    grid = golden.grid()
    columns = {each: grid[each].astype(np.float64) for each in columns_v1(STATISTICAL[name])}
    return values_v1(name, params, columns, RUNTIME)


@pytest.mark.parametrize("name", STATISTICAL)
def test_signals_of_v1_are_the_golden_ones(name):
    assert_near(of_v1(name), golden.table("harness_signals_small")[name])


def test_derivative_of_v1_takes_other_windows():
    found = of_v1("derivative", zscore_window_bins=240, zscore_min_periods=60)
    assert_near(found, golden.table("harness_signals_small")["derivative_240_60"])


@pytest.mark.parametrize("name", STATISTICAL)
def test_signals_of_v2_on_the_golden_grid_are_those_of_the_oracle_bin_by_bin(name):
    grid = golden.grid()
    batch = live(name, grid, {}, batches=(order_golden.BINS,))
    assert_near(batch, of_oracle(name, grid, {}))
    assert np.count_nonzero(batch) > 50
    assert live(name, grid, {}, batches=(1,)).tobytes() == batch.tobytes()


@pytest.mark.parametrize("name", STATISTICAL)
@few
@given(drawn_as=GRIDS, short=st.booleans())
def test_signals_on_random_grids_are_those_of_the_oracle_bin_by_bin(name, drawn_as, short):
    # With the decay's exclusion a window has to reach past it.
    radius = max(STATISTICAL[name].least_radius, 2) + drawn_as["more_rows"]
    grid, width_ms = drawn(radius, **drawn_as), drawn_as["cell_width_ms"]
    changed = SHORT[name] if short else {}
    batch = live(name, grid, changed, cell_width_ms=width_ms)
    assert_near(batch, of_oracle(name, grid, changed, width_ms))
    for batches in ((1,), BATCHES):
        assert live(name, grid, changed, batches, width_ms).tobytes() == batch.tobytes()


@pytest.mark.parametrize("name", STATISTICAL)
def test_every_parameter_matters_to_its_signal(name):
    assert set(SHORT[name]) == {one.name for one in STATISTICAL[name].parameters}
    radius = max(STATISTICAL[name].least_radius, 6)
    grid = drawn(radius, seed=7, filled=0.6, quiet=0.3)
    whole = live(name, grid, SHORT[name])
    assert np.count_nonzero(whole) > BINS / 15
    for left_out in SHORT[name].keys() - ONLY_SCALE:
        others = {key: value for key, value in SHORT[name].items() if key != left_out}
        assert live(name, grid, others).tobytes() != whole.tobytes(), left_out


@pytest.mark.parametrize("name", sorted(ONLY_SCALE))
def test_what_only_scales_the_base_leaves_derivative_as_it_is(name):
    # Labels are the same over each half of a window, so every base is a multiple of one number.
    grid = drawn(6, seed=7, filled=1.0, quiet=0.3)
    others = {key: value for key, value in SHORT["derivative"].items() if key != name}
    wanted = live("derivative", grid, SHORT["derivative"])
    assert live("derivative", grid, others) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", ["pfp", "spg", "msd", "ads_pfp_svac"])
def test_adaptive_thresholds_are_those_of_the_oracle(name):
    series = golden.table("harness_signals_small")[name]
    first = V1_FIRST_BIN if name != "ads_pfp_svac" else 199
    assert [*thresholds(STATISTICAL[name], series[first:])] == (
        golden.meta()[name]["adaptive_thresholds"]
    )
    for part in (slice(60, 250), slice(100, 101)):
        found = thresholds(STATISTICAL[name], series[part])
        assert [*found] == adaptive(name, series, part)
