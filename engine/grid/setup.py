"""From a configuration to the numbers that kernels index: lengths and parameters."""

from __future__ import annotations

import numpy as np

from contracts.grid import Projection, RuntimeConfig
from engine.arrays import Floats, Ints
from engine.grid import layout as at


def make_frame(runtime: RuntimeConfig, projection: Projection, emit_from_ns: int | None) -> Ints:
    """Lengths, and a frame of bins that has not started."""
    windows = len(runtime.flow_windows)
    frame = np.zeros(at.FRAME_WIDTH + 2 * windows, dtype=np.int64)
    frame[at.RADIUS] = runtime.grid_radius_ticks
    frame[at.WIDTH_NS] = runtime.cell_width_ns
    frame[at.Z_WINDOW] = runtime.flow_zscore_window_bins
    frame[at.Z_MIN] = runtime.flow_zscore_min_periods
    frame[at.MODEL_WINDOW] = runtime.state_model_zscore_window_bins
    frame[at.MODEL_MIN] = runtime.state_model_zscore_min_periods
    frame[at.CUBIC] = projection.projection_use_cubic
    frame[at.WINDOWS] = windows
    frame[at.HORIZONS] = len(runtime.projection_horizons_bins)
    frame[at.EMIT_FROM] = -1 if emit_from_ns is None else emit_from_ns
    frame[at.FRAME_WIDTH : at.FRAME_WIDTH + windows] = runtime.flow_windows
    return frame


def make_params(runtime: RuntimeConfig, projection: Projection) -> Floats:
    """All real parameters, weights normalised."""
    weights = np.array(runtime.flow_derivative_weights) / sum(runtime.flow_derivative_weights)
    rollup = np.array(runtime.flow_rollup_weights) / sum(runtime.flow_rollup_weights)
    by_place = {
        at.TAU_V: runtime.tau_velocity,
        at.TAU_A: runtime.tau_acceleration,
        at.TAU_J: runtime.tau_jerk,
        at.TAU_REST: runtime.tau_rest_decay,
        at.C1: runtime.c1_v_add,
        at.C2: runtime.c2_v_rest_pos,
        at.C3: runtime.c3_a_add,
        at.C4: runtime.c4_v_pull,
        at.C5: runtime.c5_v_fill,
        at.C6: runtime.c6_v_rest_neg,
        at.C7: runtime.c7_a_pull,
        at.TANH: runtime.flow_tanh_scale,
        at.NEUTRAL: runtime.flow_neutral_threshold,
        at.MODEL_W1: runtime.state_model_d1_weight,
        at.MODEL_W2: runtime.state_model_d2_weight,
        at.MODEL_W3: runtime.state_model_d3_weight,
        at.MODEL_TANH: runtime.state_model_tanh_scale,
        at.BULL_PRESSURE: runtime.state_model_bull_pressure_weight,
        at.BULL_VACUUM: runtime.state_model_bull_vacuum_weight,
        at.BEAR_PRESSURE: runtime.state_model_bear_pressure_weight,
        at.BEAR_VACUUM: runtime.state_model_bear_vacuum_weight,
        at.MIXED: runtime.state_model_mixed_weight,
        at.CUBIC_SCALE: projection.projection_cubic_scale,
        at.DAMPING: projection.projection_damping_lambda,
        at.CELL_S: runtime.cell_width_ns / 1e9,
        at.MODEL_S: runtime.cell_width_ms / 1000.0,
    }
    params = np.zeros(at.PARAMS_WIDTH)
    for place, value in by_place.items():
        params[place] = value
    params[at.W1 : at.W1 + 3] = weights
    params[at.WEIGHT_BELOW : at.WEIGHT_ALL + 1] = spatial_weights(
        runtime.grid_radius_ticks,
        runtime.state_model_center_exclusion_radius,
        runtime.state_model_spatial_decay_power,
    )
    horizons = [horizon / 1000.0 for horizon in runtime.horizons_ms]
    return np.concatenate([params, rollup, np.array(horizons)])


def spatial_weights(radius: int, excluded: int, power: float) -> Floats:
    """Weights of the state model, summed below, at and above the centre, and over all.

    Parameters
    ----------
    radius : int
        Rows on either side of the centre.
    excluded : int
        Rows on either side that carry no weight, the centre with them; 0 for none.
    power : float
        Of 1/|k| by which the others count.
    """
    k = np.arange(-radius, radius + 1)
    weights = np.ones(2 * radius + 1)
    if excluded > 0:
        weights[np.abs(k) <= excluded] = 0.0
    if power > 0:
        nearness = 1.0 / np.maximum(np.abs(k), 1) ** power
        weights = weights * nearness
    weights = weights / weights.sum()
    masks = (k < 0, k == 0, k > 0, abs(k) <= radius)
    return np.array([lane_sum(weights * mask) for mask in masks])


def lane_sum(values: Floats) -> float:
    """Sum in the order of a dot product on a machine with vectors of eight doubles.

    The halves of a symmetric window tie but for their rounding, and which is dominant has
    always been decided by it: so the order is fixed here, whatever the machine. Blocks of 32
    in four vectors of eight, folded to four; blocks of 16; the vectors and their halves
    added; the rest one by one.
    """
    whole, blocks = values.size // 16 * 16, values.size // 32 * 32
    wide = np.zeros((4, 8))
    for start in range(0, blocks, 32):
        wide += values[start : start + 32].reshape(4, 8)
    narrow = wide[:, :4] + wide[:, 4:]
    for start in range(blocks, whole, 16):
        narrow = narrow + values[start : start + 16].reshape(4, 4)
    four = narrow[0] + narrow[1] + narrow[2] + narrow[3]
    total = float((four[0] + four[2]) + (four[1] + four[3]))
    for value in values[whole:].tolist():
        total += value
    return total
