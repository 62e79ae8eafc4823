"""``spg``: gradients of pressure and vacuum along price, and the curvature of pressure."""

from __future__ import annotations

from collections.abc import Mapping

from engine.arrays import Floats
from engine.jit import inlined, kernel
from engine.signals.definition import bins, weight
from engine.signals.rolling import average
from engine.signals.state import COUNT, RADIUS, SignalState, empty_state
from engine.signals.statistical import Statistical

FAST, SLOW, CURVED, FAST_WEIGHT, SLOW_WEIGHT, NET_WEIGHT, CURVE_WEIGHT = range(7)
PRESSURE, VACUUM = 0, 1
REACH = 16
CURVE_REACH = 2


@inlined
def gradient(fields: Floats, column: int, bin_: int, first: int, last: int) -> float:
    """Mean of the central differences along price in the rows `first … last`."""
    total = 0.0
    for row in range(first, last + 1):
        total += 0.5 * (fields[column, bin_, row + 1] - fields[column, bin_, row - 1])
    return total / (last - first + 1)


@inlined
def curvature(fields: Floats, bin_: int, centre: int) -> float:
    """Mean second difference of pressure around the centre, negated."""
    total = 0.0
    for row in range(centre - CURVE_REACH, centre + CURVE_REACH + 1):
        total += fields[PRESSURE, bin_, row + 1] - 2.0 * fields[PRESSURE, bin_, row]
        total += fields[PRESSURE, bin_, row - 1]
    return -total / (2 * CURVE_REACH + 1)


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    params, traces = state.params, state.traces
    for bin_ in range(out.shape[0]):
        centre, seen = state.sizes[RADIUS], state.sizes[COUNT]
        below, above = (centre - REACH, centre - 1), (centre + 1, centre + REACH)
        net = gradient(fields, PRESSURE, bin_, above[0], above[1])
        net -= gradient(fields, PRESSURE, bin_, below[0], below[1])
        net += gradient(fields, VACUUM, bin_, above[0], above[1])
        net -= gradient(fields, VACUUM, bin_, below[0], below[1])
        traces[0] = average(traces[0], net, params[FAST], seen)
        traces[1] = average(traces[1], net, params[SLOW], seen)
        traces[2] = average(traces[2], curvature(fields, bin_, centre), params[CURVED], seen)
        smooth = params[FAST_WEIGHT] * traces[0] + params[SLOW_WEIGHT] * traces[1]
        out[bin_] = params[NET_WEIGHT] * smooth + params[CURVE_WEIGHT] * traces[2]
        state.sizes[COUNT] += 1


class Spg(Statistical):
    """Spatial pressure gradient: which side of the book pushes harder towards the centre."""

    name = "spg"
    doc = "smoothed gradients of pressure and vacuum along price, and curvature"
    columns = ("pressure_variant", "vacuum_variant")
    least_radius = REACH + 1
    threshold_rule = "spread"
    parameters = (
        bins("fast_span_bins", 5, "span of the fast average"),
        bins("slow_span_bins", 20, "span of the slow average"),
        bins("curvature_span_bins", 10, "span of the curvature's average"),
        weight("fast_weight", 0.6, "of the fast average"),
        weight("slow_weight", 0.4, "of the slow average"),
        weight("gradient_weight", 0.7, "of the gradients"),
        weight("curvature_weight", 0.3, "of the curvature"),
    )
    run = staticmethod(run)

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        spans = [params[f"{name}_span_bins"] for name in ("fast", "slow", "curvature")]
        weights = [params[f"{name}_weight"] for name in ("fast", "slow", "gradient", "curvature")]
        alphas = [2.0 / (span + 1.0) for span in spans]
        return empty_state([*alphas, *weights], [], 3, (0, 0), (0, 0), radius)
