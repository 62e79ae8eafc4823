"""The nine statistical signals of the book over a whole grid, slow and plain.

Written from section 3 of docs/signals.md: each column of the grid is a series, each sum a loop over
k (signal_columns.py). The first of the nine is in state_signals.py, windows over a series in
signal_windows.py, thresholds in signal_thresholds.py, trades in barrier_trades.py.
"""

from collections.abc import Callable

import numpy as np

from tests.oracles.signal_columns import ASK, BID, Grid, at, bins_of, by_distance, half, mean, total
from tests.oracles.signal_windows import ema, robust_z, slope, span_ema
from tests.oracles.state_signals import derivative

INNER, MIDDLE, OUTER = range(1, 4), range(4, 12), range(12, 24)
PFP_OUTER = range(5, 13)
NEAR = range(1, 17)
JAD = range(1, 25)


def ads_asymmetry(grid: Grid) -> np.ndarray:
    """Adding more below than above, and pulling less; three bands by 1/√width."""
    found, whole = np.zeros(len(grid["v_add"])), 0.0
    for band in (INNER, MIDDLE, OUTER):
        weight = 1.0 / np.sqrt(len(band))
        added = mean(grid["v_add"], BID, band) - mean(grid["v_add"], ASK, band)
        pulled = -(mean(grid["v_pull"], BID, band) - mean(grid["v_pull"], ASK, band))
        found = found + weight * (added + pulled)
        whole += weight
    return found / whole


def ads(
    grid: Grid,
    slope_fast_bins: int = 10,
    slope_mid_bins: int = 25,
    slope_slow_bins: int = 50,
    zscore_window_bins: int = 200,
    min_periods: int = 30,
    tanh_scale: float = 3.0,
    fast_weight: float = 0.40,
    mid_weight: float = 0.35,
    slow_weight: float = 0.25,
) -> np.ndarray:
    """How fast the asymmetry rises, over three windows."""
    asymmetry = ads_asymmetry(grid)
    found = np.zeros(len(asymmetry))
    parts = (
        (fast_weight, slope_fast_bins),
        (mid_weight, slope_mid_bins),
        (slow_weight, slope_slow_bins),
    )
    for weight, window in parts:
        z = robust_z(slope(asymmetry, window), zscore_window_bins, min_periods)
        found = found + weight * np.tanh(z / tanh_scale)
    return found


def lead(inner: np.ndarray, outer: np.ndarray, lag: int, alpha: float) -> np.ndarray:
    """How much of the inner zone's product with the outer one is with the outer one of before."""
    before = np.zeros(len(inner))
    for i in range(lag, len(inner)):
        before[i] = inner[i] * outer[i - lag]
    return ema(before, alpha) / (ema(inner * outer, alpha) + 1e-12)


def pfp(
    grid: Grid,
    lag_bins: int = 5,
    ema_alpha: float = 0.1,
    add_weight: float = 0.6,
    pull_weight: float = 0.4,
) -> np.ndarray:
    """Which side's inner zone follows its outer one, adding and pulling."""
    intensity = grid["v_add"] + grid["v_fill"]
    leads = {
        (name, side): lead(mean(of, side, INNER), mean(of, side, PFP_OUTER), lag_bins, ema_alpha)
        for name, of in (("add", intensity), ("pull", grid["v_pull"]))
        for side in (BID, ASK)
    }
    added = leads["add", BID] - leads["add", ASK]
    pulled = leads["pull", ASK] - leads["pull", BID]
    return add_weight * added + pull_weight * pulled


def gradient_mean(columns: np.ndarray, side: int) -> np.ndarray:
    """Mean over |k| 1 to 16 of half the difference of the two neighbours."""
    found = np.zeros(len(columns))
    for distance in NEAR:
        k = side * distance
        found = found + (at(columns, k + 1) - at(columns, k - 1)) / 2.0
    return found / len(NEAR)


def spg_net(grid: Grid) -> np.ndarray:
    """Gradients of pressure that rise above, and of vacuum."""
    pressure, vacuum = grid["pressure_variant"], grid["vacuum_variant"]
    of_pressure = gradient_mean(pressure, BID) - gradient_mean(pressure, ASK)
    of_vacuum = gradient_mean(vacuum, ASK) - gradient_mean(vacuum, BID)
    return -of_pressure + of_vacuum


def spg(
    grid: Grid,
    fast_span_bins: int = 5,
    slow_span_bins: int = 20,
    curvature_span_bins: int = 10,
    fast_weight: float = 0.6,
    slow_weight: float = 0.4,
    gradient_weight: float = 0.7,
    curvature_weight: float = 0.3,
) -> np.ndarray:
    """Gradients along k, smoothed, and the curvature of pressure at the middle."""
    pressure, net = grid["pressure_variant"], spg_net(grid)
    curvature = np.zeros(len(net))
    for k in range(-2, 3):
        curvature = curvature + (at(pressure, k + 1) - 2 * at(pressure, k) + at(pressure, k - 1))
    fast, slow = span_ema(net, fast_span_bins), span_ema(net, slow_span_bins)
    curved = span_ema(-curvature / 5, curvature_span_bins)
    return gradient_weight * (fast_weight * fast + slow_weight * slow) + curvature_weight * curved


def entropy(codes: np.ndarray) -> np.ndarray:
    """Shannon entropy in bits of the three flow states over some columns."""
    found = np.zeros(len(codes))
    for state in (-1, 0, 1):
        share = np.count_nonzero(codes == state, axis=1) / codes.shape[1]
        found = found - share * np.log2(share + 1e-12)
    return found


def erd(
    grid: Grid,
    zscore_window_bins: int = 100,
    zscore_min_periods: int = 30,
    gate: float = 0.5,
    by_entropy: int = 0,
) -> np.ndarray:
    """Direction of flow, or of its disorder, where the disorder jumps."""
    codes, score = grid["flow_state_code"], grid["flow_score"]
    radius = codes.shape[1] // 2
    z = robust_z(entropy(codes), zscore_window_bins, zscore_min_periods)
    above_gate = np.maximum(0.0, z - gate)
    if by_entropy:
        return (entropy(codes[:, radius + 1 :]) - entropy(codes[:, :radius])) * above_gate
    return (mean(score, BID, half(score)) - mean(score, ASK, half(score))) * above_gate


def jad_divergence(grid: Grid, order: str) -> np.ndarray:
    """Adds below over above less pulls below over above; ``order`` is j or a."""
    whole = sum(1.0 / distance for distance in JAD)
    sides = {
        (name, side): by_distance(grid[f"{order}_{name}"], side, JAD) / whole
        for name in ("add", "pull")
        for side in (BID, ASK)
    }
    added = sides["add", BID] - sides["add", ASK]
    pulled = sides["pull", BID] - sides["pull", ASK]
    return (added - pulled) / 2.0


def jad_raw(
    grid: Grid,
    agreed: tuple[float, float] = (0.4, 0.6),
    opposed: tuple[float, float] = (0.8, 0.2),
) -> np.ndarray:
    """Jerk and acceleration mixed by whether they agree."""
    jerk, acceleration = jad_divergence(grid, "j"), jad_divergence(grid, "a")
    found = np.zeros(len(jerk))
    for i, (j, a) in enumerate(zip(jerk, acceleration, strict=True)):
        of_jerk, of_acceleration = agreed if np.sign(j) == np.sign(a) else opposed
        found[i] = of_jerk * j + of_acceleration * a
    return found


def jad(
    grid: Grid,
    zscore_window_bins: int = 300,
    zscore_min_periods: int = 30,
    tanh_scale: float = 3.0,
    jerk_agreed_weight: float = 0.4,
    acceleration_agreed_weight: float = 0.6,
    jerk_opposed_weight: float = 0.8,
    acceleration_opposed_weight: float = 0.2,
) -> np.ndarray:
    """Divergence of jerk and acceleration."""
    raw = jad_raw(
        grid,
        (jerk_agreed_weight, acceleration_agreed_weight),
        (jerk_opposed_weight, acceleration_opposed_weight),
    )
    return np.tanh(robust_z(raw, zscore_window_bins, zscore_min_periods) / tanh_scale)


def iirc_imbalance(grid: Grid) -> np.ndarray:
    """Logarithm of how much faster adds outrun removals below than above."""
    logarithms = {}
    for side in (BID, ASK):
        removed = total(grid["v_pull"], side, NEAR) + total(grid["v_fill"], side, NEAR)
        logarithms[side] = np.log(total(grid["v_add"], side, NEAR) / (removed + 1.0) + 1.0)
    return logarithms[BID] - logarithms[ASK]


def iirc(
    grid: Grid,
    slope_fast_bins: int = 10,
    slope_slow_bins: int = 30,
    fast_weight: float = 0.6,
    slow_weight: float = 0.4,
    least_imbalance: float = 0.1,
) -> np.ndarray:
    """How fast the imbalance rises, where there is one."""
    imbalance = iirc_imbalance(grid)
    fast, slow = slope(imbalance, slope_fast_bins), slope(imbalance, slope_slow_bins)
    found = fast_weight * fast + slow_weight * slow
    return np.where(np.isnan(found) | (np.abs(imbalance) < least_imbalance), 0.0, found)


def msd(grid: Grid, weighted: int = 1) -> np.ndarray:
    """Vacuum above less vacuum below, by distance or plain."""
    vacuum = grid["vacuum_variant"]
    of_side = by_distance if weighted else total
    return of_side(vacuum, ASK, half(vacuum)) - of_side(vacuum, BID, half(vacuum))


def svac_windows(
    cell_width_ms: float,
    slope_fast_ms: float = 1_000,
    slope_mid_ms: float = 2_500,
    slope_slow_ms: float = 5_000,
    zscore_window_ms: float = 20_000,
) -> dict[str, int]:
    """Windows of the slopes within ads_pfp_svac, in bins."""
    zscore_window_bins = bins_of(zscore_window_ms, cell_width_ms, 2)
    return {
        "slope_fast_bins": bins_of(slope_fast_ms, cell_width_ms, 2),
        "slope_mid_bins": bins_of(slope_mid_ms, cell_width_ms, 2),
        "slope_slow_bins": bins_of(slope_slow_ms, cell_width_ms, 2),
        "zscore_window_bins": zscore_window_bins,
        "min_periods": max(2, round(0.15 * zscore_window_bins)),
    }


def svac(grid: Grid, alpha: float = 0.05, floor: float = 1e-6) -> np.ndarray:
    """Weighted vacuum over the running size of itself."""
    found = msd(grid)
    return found / np.maximum(ema(np.abs(found), alpha), floor)


def ads_pfp_svac(
    grid: Grid,
    cell_width_ms: float = 100,
    lag_ms: float = 500,
    ema_alpha: float = 0.1,
    level_alpha: float = 0.05,
    level_floor: float = 1e-6,
    ads_weight: float = 0.4,
    pfp_weight: float = 0.3,
    svac_weight: float = 0.3,
    **of_windows: float,
) -> np.ndarray:
    """The three together, by the weights of those that are warm."""
    windows = svac_windows(cell_width_ms, **of_windows)
    lag_bins = bins_of(lag_ms, cell_width_ms, 1)
    parts = (
        (ads_weight, ads(grid, **windows), windows["zscore_window_bins"] - 1),
        (pfp_weight, pfp(grid, lag_bins, ema_alpha), lag_bins - 1),
        (svac_weight, svac(grid, level_alpha, level_floor), 0),
    )
    found = np.zeros(len(grid["v_add"]))
    for i in range(len(found)):
        warm = [(weight, series[i]) for weight, series, first in parts if i >= first]
        found[i] = sum(weight * x for weight, x in warm) / sum(weight for weight, _ in warm)
    return found


SIGNALS: dict[str, Callable[..., np.ndarray]] = {
    each.__name__: each for each in (derivative, ads, pfp, spg, erd, jad, iirc, msd, ads_pfp_svac)
}
