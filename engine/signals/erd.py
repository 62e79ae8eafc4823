"""``erd``: disorder of the flow's states, and which side it leans to."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.arrays import Floats
from engine.jit import inlined, kernel
from engine.mathx import log
from engine.signals.definition import Parameter, bins, weight
from engine.signals.rolling import mean_of, window_z
from engine.signals.state import COUNT, FIRST, RADIUS, SignalState, empty_state
from engine.signals.statistical import Statistical

GATE = 0
WINDOW, LEAST, BY_ENTROPY = FIRST, FIRST + 1, FIRST + 2
CODE, SCORE = 0, 1
LOG2 = math.log(2.0)
NONZERO = 1e-12


@inlined
def entropy(fields: Floats, bin_: int, first: int, last: int) -> float:
    """Shannon entropy of the states of some rows, bits (Shannon, 1948)."""
    pressure, vacuum, rows = 0, 0, last - first + 1
    for row in range(first, last + 1):
        pressure += int(fields[CODE, bin_, row] > 0.0)
        vacuum += int(fields[CODE, bin_, row] < 0.0)
    bits = 0.0
    for count in (vacuum, rows - pressure - vacuum, pressure):
        share = count / rows
        bits -= share * (log(share + NONZERO) / LOG2)
    return bits


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    sizes = state.sizes
    for bin_ in range(out.shape[0]):
        centre, last = sizes[RADIUS], 2 * sizes[RADIUS]
        whole = entropy(fields, bin_, 0, last)
        z = window_z(
            state.rings[0], state.ranks[0], sizes[WINDOW], sizes[LEAST], sizes[COUNT], whole
        )
        if sizes[BY_ENTROPY] != 0:
            lean = entropy(fields, bin_, centre + 1, last) - entropy(fields, bin_, 0, centre - 1)
        else:
            lean = mean_of(fields, SCORE, bin_, 0, centre - 1)
            lean -= mean_of(fields, SCORE, bin_, centre + 1, last)
        out[bin_] = lean * max(0.0, z - state.params[GATE])
        sizes[COUNT] += 1


class Erd(Statistical):
    """Entropy regime: acts only when the flow is in unusual disorder."""

    name = "erd"
    doc = "lean of the flow where the entropy of its states is unusually high"
    columns = ("flow_state_code", "flow_score")
    least_radius = 1
    thresholds = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0)
    parameters = (
        bins("zscore_window_bins", 100, "window of the entropy's z", low=2),
        bins("zscore_min_periods", 30, "values that a z needs", low=2),
        weight("gate", 0.5, "z from which on the signal acts"),
        Parameter("by_entropy", 0.0, 0.0, 1.0, True, "1: lean of entropies, not of scores"),
    )
    run = staticmethod(run)

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        window = params["zscore_window_bins"]
        sizes = [window, params["zscore_min_periods"], params["by_entropy"]]
        return empty_state([params["gate"]], sizes, 0, (1, int(window)), (1, int(window)), radius)
