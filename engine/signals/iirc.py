"""``iirc``: how fast the balance of adding and taking away changes, bid against ask."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.arrays import Floats
from engine.jit import inlined, kernel
from engine.mathx import log
from engine.signals.definition import bins, weight
from engine.signals.rolling import sum_of, window_slope
from engine.signals.state import COUNT, FIRST, RADIUS, SignalState, empty_state
from engine.signals.statistical import Statistical

FAST_WEIGHT, SLOW_WEIGHT, LEAST = range(3)
FAST, SLOW = FIRST, FIRST + 1
V_ADD, V_PULL, V_FILL = range(3)
REACH = 16


@inlined
def replenished(fields: Floats, bin_: int, first: int, last: int) -> float:
    """Logarithm of one plus what is added per what is taken away."""
    added = sum_of(fields, V_ADD, bin_, first, last)
    taken = sum_of(fields, V_PULL, bin_, first, last) + sum_of(fields, V_FILL, bin_, first, last)
    return log(added / (taken + 1.0) + 1.0)


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    params, sizes, ring = state.params, state.sizes, state.rings[0]
    for bin_ in range(out.shape[0]):
        centre, seen = sizes[RADIUS], sizes[COUNT]
        value = replenished(fields, bin_, centre - REACH, centre - 1)
        value -= replenished(fields, bin_, centre + 1, centre + REACH)
        ring[seen % ring.shape[0]] = value
        fast = window_slope(ring, state.traces[0:2], sizes[FAST], seen)
        slow = window_slope(ring, state.traces[2:4], sizes[SLOW], seen)
        blended = params[FAST_WEIGHT] * fast + params[SLOW_WEIGHT] * slow
        quiet = math.isnan(blended) or abs(value) < params[LEAST]
        out[bin_] = 0.0 if quiet else blended
        sizes[COUNT] += 1


class Iirc(Statistical):
    """Intensity imbalance rate of change."""

    name = "iirc"
    doc = "slope of the imbalance of adding and taking away"
    columns = ("v_add", "v_pull", "v_fill")
    least_radius = REACH
    thresholds = (0.001, 0.005, 0.01, 0.02, 0.05)
    parameters = (
        bins("slope_fast_bins", 10, "window of the fast slope", low=2),
        bins("slope_slow_bins", 30, "window of the slow slope", low=2),
        weight("fast_weight", 0.6, "of the fast slope"),
        weight("slow_weight", 0.4, "of the slow slope"),
        weight("least_imbalance", 0.1, "imbalance below which the signal is silent"),
    )
    run = staticmethod(run)

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        windows = [params["slope_fast_bins"], params["slope_slow_bins"]]
        weights = [params["fast_weight"], params["slow_weight"], params["least_imbalance"]]
        return empty_state(weights, windows, 4, (1, int(max(windows)) + 1), (0, 0), radius)
