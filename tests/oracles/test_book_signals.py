"""The oracle of the signals gives the golden files, and what was worked out by hand."""

import math
from functools import cache

import numpy as np
import pytest

from tests.oracles import order_golden
from tests.oracles import signal_golden as golden
from tests.oracles import signal_windows as windows
from tests.oracles.book_signals import (
    SIGNALS,
    ads,
    ads_asymmetry,
    ads_pfp_svac,
    entropy,
    erd,
    iirc,
    iirc_imbalance,
    jad_divergence,
    jad_raw,
    msd,
    pfp,
    spg,
    spg_net,
    svac,
    svac_windows,
)
from tests.oracles.signal_columns import ASK, BID, half, mean, total
from tests.oracles.signal_thresholds import adaptive
from tests.oracles.state_signals import derivative, offline_flow, state5_distribution

CONFIG = order_golden.config()["runtime_config"]
NEAR = 1e-12


def far(found, wanted):
    """How far apart, by the largest of the golden values."""
    assert np.array_equal(np.isnan(found), np.isnan(wanted))
    return np.nanmax(np.abs(found - wanted)) / np.nanmax(np.abs(wanted))


@cache
def made(name):
    of_v1 = {"compat": "v1"} if name == "derivative" else {}
    return SIGNALS[name](golden.grid(), **of_v1)


def zeros(*names, bins=40, radius=25):
    return {name: np.zeros((bins, 2 * radius + 1)) for name in names}


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_of_v1_is_the_golden_one(name):
    assert far(made(name), golden.table("harness_signals_small")[name]) <= NEAR


def test_derivative_of_240_and_60_is_the_state_model_in_both_sets_of_rules():
    wanted = golden.table("harness_signals_small")["derivative_240_60"]
    of_v1 = derivative(golden.grid(), compat="v1", zscore_window_bins=240, zscore_min_periods=60)
    assert far(of_v1, wanted) <= NEAR
    of_v2 = derivative(golden.grid())
    assert far(of_v2, order_golden.table("bins")["state_model_score"]) <= NEAR


def test_the_flow_of_v1_is_scored_by_distance_from_the_middle():
    score, codes = offline_flow(golden.grid(), CONFIG)
    assert far(score, golden.grid()["flow_score"]) <= NEAR
    assert np.array_equal(codes, golden.grid()["flow_state_code"])
    rows = order_golden.table("grid")["flow_score"].reshape(-1, golden.ROWS)
    assert (np.abs(score[:: order_golden.ROWS_EVERY] - rows) > 1e-9).mean() > 0.6


def test_windows_over_a_series_are_the_golden_ones():
    series = golden.table("harness_series")
    signal = series["signal"]
    assert np.array_equal(windows.robust_z(signal, 300, 75), series["robust_z_w300_m75"])
    assert np.array_equal(windows.robust_z(signal, 200), series["robust_z_w200_m30"])
    assert far(windows.slope(signal, 25), series["ols_slope_w25"]) <= NEAR


@pytest.mark.parametrize("name", ["pfp", "spg", "iirc", "msd", "ads_pfp_svac"])
def test_adaptive_thresholds_of_v1_are_the_golden_ones(name):
    assert adaptive(name, made(name)) == golden.meta()[name]["adaptive_thresholds"]


def test_signals_with_fixed_thresholds_have_no_adaptive_ones():
    for name in ("derivative", "ads", "erd", "jad"):
        assert "adaptive_thresholds" not in golden.meta()[name]
        assert adaptive(name, made(name)) is None


def test_what_the_golden_signals_were_made_of_is_the_same_too():
    grid, meta = golden.grid(), golden.meta()
    codes, score, vacuum = (
        grid[name] for name in ("flow_state_code", "flow_score", "vacuum_variant")
    )
    asymmetry = entropy(codes[:, 51:]) - entropy(codes[:, :50])
    z = windows.robust_z(entropy(codes), 100)
    direction = mean(score, BID, half(score)) - mean(score, ASK, half(score))
    jerk, acceleration = jad_divergence(grid, "j"), jad_divergence(grid, "a")
    pressure = grid["pressure_variant"]
    balance = total(pressure, ASK, half(pressure)) - total(pressure, BID, half(pressure))
    found = {
        ("ads", "combined_asym_std"): ads_asymmetry(grid).std(),
        ("spg", "net_signal_mean"): spg_net(grid).mean(),
        ("spg", "net_signal_std"): spg_net(grid).std(),
        ("erd", "h_full_mean"): entropy(codes).mean(),
        ("erd", "h_full_max"): entropy(codes).max(),
        ("erd", "entropy_asym_mean"): asymmetry.mean(),
        ("erd", "z_h_mean"): z.mean(),
        ("erd", "z_h_max"): z.max(),
        ("erd", "score_direction_mean"): direction.mean(),
        ("erd", "nonzero_a"): np.count_nonzero(erd(grid)),
        ("erd", "nonzero_b"): np.count_nonzero(erd(grid, by_entropy=1)),
        ("jad", "jerk_signal_std"): jerk.std(),
        ("jad", "accel_signal_std"): acceleration.std(),
        ("jad", "agreement_rate"): (np.sign(jerk) == np.sign(acceleration)).mean(),
        ("jad", "raw_signal_std"): jad_raw(grid).std(),
        ("iirc", "n_nonzero"): np.count_nonzero(iirc(grid)),
        ("iirc", "imbalance_mean"): iirc_imbalance(grid).mean(),
        ("iirc", "imbalance_std"): iirc_imbalance(grid).std(),
        ("msd", "signal_sum_std"): msd(grid, weighted=0).std(),
        ("msd", "signal_weighted_std"): msd(grid).std(),
        ("msd", "pressure_balance_mean"): balance.mean(),
    }
    for (name, figure), value in found.items():
        assert value == pytest.approx(meta[name][figure], rel=1e-11), (name, figure)
    assert vacuum.shape == codes.shape
    assert state5_distribution(grid["state5_code"]) == meta["derivative"]["state5_distribution"]
    parts = meta["ads_pfp_svac"]["component_std"]
    assert svac(grid).std() == pytest.approx(parts["svac"], rel=1e-11)


def test_a_wider_window_changes_nothing_that_only_reads_the_middle():
    narrow = golden.grid()
    wide = {name: np.pad(values, ((0, 0), (7, 7)), mode="edge") for name, values in narrow.items()}
    for name in ("ads", "pfp", "spg", "jad", "iirc"):
        assert np.array_equal(SIGNALS[name](wide), made(name)), name
    for name in ("erd", "msd", "derivative"):
        assert not np.array_equal(SIGNALS[name](wide), made(name)), name


def test_a_z_without_a_scale_falls_back_on_the_window_or_on_the_series():
    still = np.zeros(40)
    still[[12, 30]] = 4.0
    of_window = windows.z_or_window(still, 8, 4)
    assert windows.robust_z(still, 8, 4).any() == False  # noqa: E712
    share = 1 / 8
    deviation = 4 * math.sqrt(share * (1 - share))
    assert of_window[12] == pytest.approx((4 - 4 * share) / deviation)
    assert of_window[13] == pytest.approx(-4 * share / deviation)
    assert (of_window[:12] == 0).all()
    assert (of_window[20:30] == 0).all()
    of_series = windows.z_or_global(still, 8, 4)
    assert of_series[0] == of_series[39] == pytest.approx((0 - 0.2) / np.std(still))
    assert (windows.z_or_global(np.full(40, 3.0), 8, 4) == 0).all()


def test_a_series_with_any_scale_keeps_its_robust_z_under_v1():
    some = np.zeros(40)
    some[30:] = np.arange(10.0)
    assert np.array_equal(windows.z_or_global(some, 8, 4), windows.robust_z(some, 8, 4))
    assert windows.robust_z(some, 8, 4).any()


def test_a_z_is_0_while_a_window_holds_no_number():
    slopes = windows.slope(np.arange(50.0) ** 2, 10)
    assert np.isnan(slopes[:9]).all()
    assert slopes[9] == pytest.approx(9)
    z = windows.robust_z(slopes, 20, 5)
    assert np.flatnonzero(z).min() == 28


def test_a_percentile_lies_on_a_line_between_its_neighbours():
    values = [3.0, -1.0, 4.5, 1.0, 9.0, 2.0]
    for percent in (0, 5, 25, 50, 95, 99, 100):
        assert windows.percentile(values, percent) == pytest.approx(np.percentile(values, percent))


def test_adding_below_pulls_the_asymmetry_up_and_pulling_below_down():
    for name, sign in (("v_add", 1), ("v_pull", -1)):
        grid = zeros("v_add", "v_pull")
        grid[name][:, 25 - 2] = 3.0
        weights = [1 / math.sqrt(width) for width in (3, 8, 12)]
        wanted = sign * weights[0] * 1.0 / sum(weights)
        assert ads_asymmetry(grid) == pytest.approx([wanted] * 40)
    assert not ads(grid).any()


def test_an_inner_zone_that_follows_its_outer_one_leads():
    grid = zeros("v_add", "v_pull", "v_fill", bins=60)
    # A wave every 20 bins that reaches the middle below five bins after |k| = 8.
    for start in (10, 30, 50):
        grid["v_add"][start, 25 - 8] = 8.0
        grid["v_add"][start + 5, 25 - 1] = 3.0
    found = pfp(grid)
    # in·out of the same bin is 0, so only the 1e-12 is below the line.
    assert found[15] == pytest.approx(0.6 * 0.1 * 1.0 / 1e-12)
    assert not found[:15].any()


def test_the_slope_of_pressure_below_counts_against_that_above():
    grid = zeros("pressure_variant", "vacuum_variant")
    k = np.arange(-25, 26)
    grid["pressure_variant"][:] = np.where(k < 0, 2.0 * k, 5.0 * k)
    # Below 2 but for k = -1, where the difference spans -2 … 0: 2 as well; above 5.
    assert spg_net(grid)[0] == pytest.approx(-(2 - 5))
    # Second difference only at k = 0: 5 − 2.
    wanted = 0.7 * 3 - 0.3 * 3 / 5
    assert spg(grid) == pytest.approx([wanted] * 40)


def test_a_window_of_one_state_has_no_disorder_and_one_of_three_the_most():
    codes = np.array([[0] * 9, [-1, 0, 1] * 3, [1, 1, 1, 0, 0, 0, 0, 0, 0]])
    third = 1 / 3
    wanted = [0, math.log2(3), -(third * math.log2(third) + 2 * third * math.log2(2 * third))]
    assert entropy(codes) == pytest.approx(wanted, abs=1e-11)


def test_jerk_that_disagrees_with_acceleration_weighs_more():
    grid = zeros("j_add", "j_pull", "a_add", "a_pull", bins=2)
    whole = sum(1 / distance for distance in range(1, 25))
    grid["j_add"][:, 25 - 2] = 4.0 * whole
    grid["a_add"][0, 25 - 1] = 6.0 * whole
    grid["a_pull"][1, 25 - 3] = 9.0 * whole
    assert jad_raw(grid) == pytest.approx([0.4 * 1 + 0.6 * 3, 0.8 * 1 - 0.2 * 1.5])


def test_a_small_imbalance_says_nothing():
    grid = zeros("v_add", "v_pull", "v_fill", bins=60)
    grid["v_add"][:, 25 - 16] = np.expm1(np.arange(60) / 1000)
    assert iirc_imbalance(grid) == pytest.approx(np.arange(60) / 1000)
    assert not iirc(grid).any()
    grid["v_add"][:, 25 - 16] = np.expm1(np.arange(60) / 100)
    assert iirc(grid) == pytest.approx([0.0] * 29 + [0.01] * 31)


def test_vacuum_counts_by_its_distance_to_the_end_of_the_window():
    grid = zeros("vacuum_variant", bins=1)
    grid["vacuum_variant"][0, [0, 25, 50]] = (5.0, 100.0, 30.0)
    assert (msd(grid)[0], msd(grid, weighted=0)[0]) == (pytest.approx(1.0), 25.0)


def test_parts_that_are_not_warm_have_no_weight():
    grid = zeros("v_add", "v_pull", "v_fill", "vacuum_variant", bins=210)
    grid["vacuum_variant"][:, 26] = 2.0
    wanted = [1.0] * 4 + [0.3 / 0.6] * 195 + [0.3] * 11
    assert ads_pfp_svac(grid) == pytest.approx(wanted)
    assert [*svac_windows(cell_width_ms=250).values()] == [4, 10, 20, 80, 12]
