"""``ads``: the slope of adds and pulls on the bid against the ask, near and far."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.arrays import Floats
from engine.jit import inlined, kernel
from engine.mathx import tanh
from engine.signals.definition import bins, scale, weight
from engine.signals.rolling import mean_of, window_slope, window_z
from engine.signals.state import COUNT, FIRST, RADIUS, SignalState, empty_state
from engine.signals.statistical import Statistical

SCALE, WEIGHT = 0, 1
Z_WINDOW, SLOPE = FIRST, FIRST + 1
V_ADD, V_PULL = 0, 1
BANDS = ((1, 3), (4, 11), (12, 23))
REACH = 23


@kernel
def asymmetry(fields: Floats, bin_: int, centre: int) -> float:
    """Adds minus pulls on the bid less those on the ask, bands weighted by their width."""
    total, weights = 0.0, 0.0
    for near, far in BANDS:
        own = 1.0 / math.sqrt(far - near + 1)
        added = mean_of(fields, V_ADD, bin_, centre - far, centre - near)
        added -= mean_of(fields, V_ADD, bin_, centre + near, centre + far)
        pulled = mean_of(fields, V_PULL, bin_, centre - far, centre - near)
        pulled -= mean_of(fields, V_PULL, bin_, centre + near, centre + far)
        total += own * (added - pulled)
        weights += own
    return total / weights


@inlined
def step(state: SignalState, value: float, first_trace: int) -> float:
    """Take an asymmetry and blend the z of its slopes."""
    sizes, seen = state.sizes, state.sizes[COUNT]
    ring = state.rings[0]
    ring[seen % ring.shape[0]] = value
    blended = 0.0
    for i in range(3):
        window = sizes[SLOPE + i]
        sums = state.traces[first_trace + 2 * i : first_trace + 2 * i + 2]
        slope = window_slope(ring, sums, window, seen)
        if seen < window - 1:
            continue
        # A window that still reaches back to where no slope is defined has no z.
        whole = sizes[Z_WINDOW]
        z = window_z(state.rings[1 + i], state.ranks[i], whole, whole, seen - window + 1, slope)
        blended += state.params[WEIGHT + i] * tanh(z / state.params[SCALE])
    return blended


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    for bin_ in range(out.shape[0]):
        value = asymmetry(fields, bin_, state.sizes[RADIUS])
        out[bin_] = step(state, value, 0)
        state.sizes[COUNT] += 1


class Ads(Statistical):
    """Add and drain slope: blended z of the slopes of the book's asymmetry."""

    name = "ads"
    doc = "z of the slopes of adds minus pulls, bid against ask"
    columns = ("v_add", "v_pull")
    least_radius = REACH
    thresholds = (0.02, 0.05, 0.08, 0.10, 0.15, 0.20)
    parameters = (
        bins("slope_fast_bins", 10, "window of the first slope", low=2),
        bins("slope_mid_bins", 25, "window of the second slope", low=2),
        bins("slope_slow_bins", 50, "window of the third slope", low=2),
        bins("zscore_window_bins", 200, "window of the z", low=2),
        scale("tanh_scale", 3.0, "z at which a part is at tanh(1)"),
        weight("fast_weight", 0.40, "of the first slope"),
        weight("mid_weight", 0.35, "of the second slope"),
        weight("slow_weight", 0.25, "of the third slope"),
    )
    run = staticmethod(run)

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        slopes = [params[f"slope_{name}_bins"] for name in ("fast", "mid", "slow")]
        window = params["zscore_window_bins"]
        weights = [params[f"{name}_weight"] for name in ("fast", "mid", "slow")]
        longest = int(max(*slopes, window)) + 1
        return empty_state(
            [params["tanh_scale"], *weights],
            [window, *slopes],
            6,
            (4, longest),
            (3, int(window)),
            radius,
        )
