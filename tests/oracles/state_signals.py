"""The signal of the state model and the flow of ``v1`` over a whole grid, slow and plain.

Written from 2.5 and 3.1 of docs/signals.md and what they refer to. The other signals are in
book_signals.py, windows over a series in signal_windows.py.
"""

from collections.abc import Mapping

import numpy as np

from tests.oracles.signal_columns import Grid, at
from tests.oracles.signal_windows import differences, robust_z, z_or_global, z_or_window

CODES = (-2, -1, 0, 1, 2)
LABELS = ("bull_pressure", "bull_vacuum", "bear_pressure", "bear_vacuum")


def offline_flow(grid: Grid, config: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Scores and codes of ``v1``: section 5 of docs/order-book.md by k in place of slot."""
    given = config["flow_derivative_weights"]
    weights = [weight / sum(given) for weight in given]
    score = np.zeros(grid["composite_d1"].shape)
    for n, weight in enumerate(weights, 1):
        z = robust_z(
            grid[f"composite_d{n}"],
            config["flow_zscore_window_bins"],
            config["flow_zscore_min_periods"],
            least_scale=1e-9,
        )
        score = score + weight * np.tanh(z / config["flow_tanh_scale"])
    score = np.clip(score / sum(abs(weight) for weight in weights), -1.0, 1.0)
    threshold = config["flow_neutral_threshold"]
    return score, (score >= threshold).astype(int) - (score <= -threshold).astype(int)


def state_base(
    codes: np.ndarray,
    center_exclusion_radius: int = 0,
    spatial_decay_power: float = 0.0,
    mixed_weight: float = 0.0,
    **by_code: float,
) -> np.ndarray:
    """Steps 1 to 3 of the state model; ``bull_pressure_weight`` and its like are 1 if not given."""
    spatial = {}
    for k in range(-(codes.shape[1] // 2), codes.shape[1] // 2 + 1):
        kept = center_exclusion_radius == 0 or abs(k) > center_exclusion_radius
        spatial[k] = float(kept) / max(abs(k), 1) ** spatial_decay_power
    whole = sum(spatial.values())
    intensity = {code: np.zeros(len(codes)) for code in CODES}
    for k in sorted(spatial, key=abs):
        for code in CODES:
            intensity[code] = intensity[code] + (at(codes, k) == code) * (spatial[k] / whole)
    weight = {name: by_code.get(f"{name}_weight", 1.0) for name in LABELS}
    bull = weight["bull_pressure"] * intensity[1] + weight["bull_vacuum"] * intensity[2]
    bear = weight["bear_pressure"] * intensity[-1] + weight["bear_vacuum"] * intensity[-2]
    return (bull - bear) * np.clip(1.0 - mixed_weight * intensity[0], 0.0, 1.0)


def derivative(
    grid: Grid,
    compat: str = "v2",
    cell_width_ms: float = 100,
    zscore_window_bins: int | None = None,
    zscore_min_periods: int | None = None,
    tanh_scale: float = 3.0,
    d1_weight: float = 1.0,
    d2_weight: float = 0.0,
    d3_weight: float = 0.0,
    **of_base: float,
) -> np.ndarray:
    """State model as a signal: causal under ``v2``, with the whole-series z under ``v1``."""
    window = zscore_window_bins or (240 if compat == "v2" else 300)
    periods = zscore_min_periods or (60 if compat == "v2" else 75)
    z_of = z_or_window if compat == "v2" else z_or_global
    base = state_base(grid["state5_code"], **of_base)
    weights = (d1_weight, d2_weight, d3_weight)
    score = np.zeros(len(base))
    for weight, channel in zip(weights, differences(base, cell_width_ms / 1000), strict=True):
        score = score + weight * np.tanh(z_of(channel, window, periods) / tanh_scale)
    return np.clip(score / sum(weights), -1.0, 1.0)


def state5_distribution(codes: np.ndarray) -> dict[str, int]:
    """How many bins each code has the most rows in; the first of −2 … 2 on a tie."""
    most = [max(CODES, key=[*row.astype(int)].count) for row in codes]
    return {str(code): most.count(code) for code in CODES}
