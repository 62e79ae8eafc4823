"""The predecessor's ``derivative``: where no robust z is defined, it looks at the whole series.

That reads later bins, so only ``compat: v1`` uses it; the causal form is ``derivative``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.arrays import Floats
from engine.grid import layout as at
from engine.grid.model import update_model
from engine.grid.spectrum import blend
from engine.jit import kernel
from engine.signals.derivative import LEAST, Derivative
from engine.signals.rolling import window_z
from engine.signals.state import RADIUS, SignalState

V1_DEFAULTS = {"zscore_window_bins": 300.0, "zscore_min_periods": 75.0}
"""Of the predecessor's harness; its live model had those of `Derivative`."""
_FLOOR = 1e-12


@kernel
def _changes(
    state: SignalState, spare: SignalState, fields: Floats, out: Floats, z: Floats
) -> None:
    """The three differences of the label balance, and their rolling z; shapes (3, bins)."""
    window = state.rings.shape[1]
    for bin_ in range(fields.shape[1]):
        centre = state.sizes[RADIUS]
        above, below = int(fields[0, bin_, centre + 1]), int(fields[0, bin_, centre - 1])
        update_model(state.params, state.traces, state.rings, state.ranks, 2, bin_, above, below)
        for channel in range(3):
            value = state.traces[at.M_D1 + channel]
            out[channel, bin_] = value
            z[channel, bin_] = window_z(
                spare.rings[channel],
                spare.ranks[channel],
                window,
                state.sizes[LEAST],
                bin_,
                value,
            )


@kernel
def _blend(z: Floats, weights: Floats, scale: float, out: Floats) -> None:
    for bin_ in range(out.shape[0]):
        out[bin_] = blend(
            z[0, bin_], z[1, bin_], z[2, bin_], weights[0], weights[1], weights[2], scale
        )


def derivative_v1(
    codes: Floats, params: Mapping[str, float], radius: int, cell_width_ms: int
) -> Floats:
    """Values over a whole series of labels, shape (bins, 2R + 1)."""
    bound = Derivative.bound({**V1_DEFAULTS, **params})
    state = Derivative.state(bound, radius, cell_width_ms)
    spare = Derivative.state(bound, radius, cell_width_ms)
    changes, z = np.zeros((3, codes.shape[0])), np.zeros((3, codes.shape[0]))
    _changes(state, spare, np.ascontiguousarray(codes)[None], changes, z)
    for channel in range(3):
        if z[channel].any():
            continue
        deviation = float(np.std(changes[channel]))
        if deviation > _FLOOR:
            z[channel] = (changes[channel] - np.mean(changes[channel])) / deviation
    weights = np.array([bound[f"d{i}_weight"] for i in (1, 2, 3)])
    out = np.empty(codes.shape[0])
    _blend(z, weights, bound["tanh_scale"], out)
    return out
