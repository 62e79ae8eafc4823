"""``jad``: jerk and acceleration of adds and pulls, bid against ask."""

from __future__ import annotations

from collections.abc import Mapping

from engine.arrays import Floats
from engine.jit import inlined, kernel
from engine.mathx import tanh
from engine.signals.definition import bins, scale, weight
from engine.signals.rolling import window_z
from engine.signals.state import COUNT, FIRST, RADIUS, SignalState, empty_state
from engine.signals.statistical import Statistical

SCALE, JERK_AGREED, SPEED_AGREED, JERK_OPPOSED, SPEED_OPPOSED = range(5)
WINDOW, LEAST = FIRST, FIRST + 1
J_ADD, J_PULL, A_ADD, A_PULL = range(4)
REACH = 24


@inlined
def lean(fields: Floats, column: int, bin_: int, centre: int) -> float:
    """Mean below the centre less that above it, rows weighted by 1/|k|."""
    below, above, weights = 0.0, 0.0, 0.0
    for k in range(1, REACH + 1):
        below += fields[column, bin_, centre - k] / k
        above += fields[column, bin_, centre + k] / k
        weights += 1.0 / k
    return (below - above) / weights


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    params, sizes = state.params, state.sizes
    for bin_ in range(out.shape[0]):
        centre = sizes[RADIUS]
        jerk = lean(fields, J_ADD, bin_, centre) - lean(fields, J_PULL, bin_, centre)
        speed = lean(fields, A_ADD, bin_, centre) - lean(fields, A_PULL, bin_, centre)
        jerk, speed = 0.5 * jerk, 0.5 * speed
        agreed = (jerk > 0.0) == (speed > 0.0) and (jerk < 0.0) == (speed < 0.0)
        raw = params[JERK_OPPOSED] * jerk + params[SPEED_OPPOSED] * speed
        if agreed:
            raw = params[JERK_AGREED] * jerk + params[SPEED_AGREED] * speed
        z = window_z(state.rings[0], state.ranks[0], sizes[WINDOW], sizes[LEAST], sizes[COUNT], raw)
        out[bin_] = tanh(z / params[SCALE])
        sizes[COUNT] += 1


class Jad(Statistical):
    """Jerk and acceleration divergence of what is added and pulled."""

    name = "jad"
    doc = "z of the divergence of jerk and acceleration, bid against ask"
    columns = ("j_add", "j_pull", "a_add", "a_pull")
    least_radius = REACH
    thresholds = (0.05, 0.10, 0.15, 0.20, 0.30)
    parameters = (
        bins("zscore_window_bins", 300, "window of the z", low=2),
        bins("zscore_min_periods", 30, "values that a z needs", low=2),
        scale("tanh_scale", 3.0, "z at which the signal is tanh(1)"),
        weight("jerk_agreed_weight", 0.4, "of jerk where both have one sign"),
        weight("acceleration_agreed_weight", 0.6, "of acceleration there"),
        weight("jerk_opposed_weight", 0.8, "of jerk where the signs differ"),
        weight("acceleration_opposed_weight", 0.2, "of acceleration there"),
    )
    run = staticmethod(run)

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        window = params["zscore_window_bins"]
        names = [one.name for one in cls.parameters[2:]]
        return empty_state(
            [params[name] for name in names],
            [window, params["zscore_min_periods"]],
            0,
            (1, int(window)),
            (1, int(window)),
            radius,
        )
