"""``derivative``: the state model of the grid, on the labels of its rows.

The kernel is that of ``engine.grid.model``: with equal parameters the values are the dataset's
``state_model_score``, to the bit. The predecessor's form, which looks at the whole series, is
``whole_series``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.arrays import Floats
from engine.grid import layout as at
from engine.grid.model import update_model
from engine.grid.setup import spatial_weights
from engine.jit import kernel
from engine.signals.definition import Parameter, bins, scale, weight
from engine.signals.state import COUNT, FIRST, RADIUS, SignalState
from engine.signals.statistical import Statistical

LEAST = FIRST


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    sizes = state.sizes
    for bin_ in range(out.shape[0]):
        centre = sizes[RADIUS]
        above, below = int(fields[0, bin_, centre + 1]), int(fields[0, bin_, centre - 1])
        update_model(
            state.params,
            state.traces,
            state.rings,
            state.ranks,
            sizes[LEAST],
            sizes[COUNT],
            above,
            below,
        )
        out[bin_] = state.traces[at.M_SCORE]
        sizes[COUNT] += 1


class Derivative(Statistical):
    """Change of the balance of bullish and bearish labels."""

    name = "derivative"
    doc = "z of the changes of the label balance: the grid's state model"
    columns = ("state5_code",)
    least_radius = 1
    thresholds = (0.03, 0.05, 0.08, 0.10, 0.15, 0.20)
    parameters = (
        Parameter("center_exclusion_radius", 0.0, 0.0, 2_000.0, True, "rows that do not count"),
        weight("spatial_decay_power", 0.0, "of 1/|k| by which rows count"),
        bins("zscore_window_bins", 240, "window of the z", low=2),
        bins("zscore_min_periods", 60, "values that a z needs", low=2),
        scale("tanh_scale", 3.0, "z at which a part is at tanh(1)"),
        weight("d1_weight", 1.0, "of the first difference"),
        weight("d2_weight", 0.0, "of the second"),
        weight("d3_weight", 0.0, "of the third"),
        weight("bull_pressure_weight", 1.0, "of that label"),
        weight("bull_vacuum_weight", 1.0, "of that label"),
        weight("bear_pressure_weight", 1.0, "of that label"),
        weight("bear_vacuum_weight", 1.0, "of that label"),
        weight("mixed_weight", 0.0, "by which mixed labels damp"),
    )
    run = staticmethod(run)

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        by_place = {
            at.MODEL_W1: params["d1_weight"],
            at.MODEL_W2: params["d2_weight"],
            at.MODEL_W3: params["d3_weight"],
            at.MODEL_TANH: params["tanh_scale"],
            at.BULL_PRESSURE: params["bull_pressure_weight"],
            at.BULL_VACUUM: params["bull_vacuum_weight"],
            at.BEAR_PRESSURE: params["bear_pressure_weight"],
            at.BEAR_VACUUM: params["bear_vacuum_weight"],
            at.MIXED: params["mixed_weight"],
            at.MODEL_S: cell_width_ms / 1000.0,
        }
        own = np.zeros(at.PARAMS_WIDTH)
        for place, value in by_place.items():
            own[place] = value
        own[at.WEIGHT_BELOW : at.WEIGHT_ALL + 1] = spatial_weights(
            radius, int(params["center_exclusion_radius"]), params["spatial_decay_power"]
        )
        window = int(params["zscore_window_bins"])
        return SignalState(
            own,
            np.array([0, radius, int(params["zscore_min_periods"])], dtype=np.int64),
            np.zeros(at.MODEL_WIDTH),
            np.zeros((3, window)),
            np.zeros((3, window)),
        )
