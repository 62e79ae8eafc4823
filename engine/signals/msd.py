"""``msd``: vacuum above the centre against vacuum below it."""

from __future__ import annotations

from collections.abc import Mapping

from engine.arrays import Floats
from engine.jit import kernel
from engine.signals.definition import Parameter
from engine.signals.state import COUNT, FIRST, RADIUS, SignalState, empty_state
from engine.signals.statistical import Statistical

WEIGHTED = FIRST


@kernel
def imbalance(fields: Floats, column: int, bin_: int, radius: int, weighted: bool) -> float:
    """Sum above the centre less that below, each row by its nearness or all alike."""
    above, below = 0.0, 0.0
    for k in range(1, radius + 1):
        near = 1.0 / k if weighted else 1.0
        above += fields[column, bin_, radius + k] * near
        below += fields[column, bin_, radius - k] * near
    return above - below


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    for bin_ in range(out.shape[0]):
        weighted = state.sizes[WEIGHTED] != 0
        out[bin_] = imbalance(fields, 0, bin_, state.sizes[RADIUS], weighted)
        state.sizes[COUNT] += 1


class Msd(Statistical):
    """Spatial vacuum asymmetry: where the book offers less resistance."""

    name = "msd"
    doc = "vacuum above the centre less vacuum below"
    columns = ("vacuum_variant",)
    least_radius = 1
    threshold_rule = "percentiles"
    parameters = (Parameter("weighted", 1.0, 0.0, 1.0, True, "whether rows count by 1/|k|"),)
    run = staticmethod(run)

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        return empty_state([], [params["weighted"]], 0, (0, 0), (0, 0), radius)
