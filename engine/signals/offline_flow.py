"""Flow score and state made again from a stored grid, as the predecessor's harness did.

Each row is scored along its distance from the centre and not along its price, which is why the
values differ from those that were served. Only ``compat: v1`` needs them.
"""

from __future__ import annotations

import numpy as np

from contracts.grid import RuntimeConfig
from engine.arrays import Floats
from engine.grid.ranks import enter, exchange, robust_z
from engine.grid.spectrum import blend
from engine.jit import kernel

_FLOOR = 1e-9


@kernel
def _score(
    changes: Floats, weights: Floats, scale: float, least: int, ranks: Floats, out: Floats
) -> None:
    """Scores of all rows; `changes` has the shape (3, bins, rows), `ranks` (3, window)."""
    _, bins, rows = changes.shape
    window = ranks.shape[1]
    z = np.zeros(3)
    for row in range(rows):
        for bin_ in range(bins):
            filled = min(bin_ + 1, window)
            for channel in range(3):
                value = changes[channel, bin_, row]
                if bin_ < window:
                    enter(ranks[channel], bin_, value)
                else:
                    exchange(ranks[channel], changes[channel, bin_ - window, row], value)
                z[channel] = robust_z(ranks[channel], filled, value, least, _FLOOR)
            out[bin_, row] = blend(z[0], z[1], z[2], weights[0], weights[1], weights[2], scale)


def offline_flow(changes: Floats, runtime: RuntimeConfig) -> tuple[Floats, Floats]:
    """Flow score and state code of every row.

    Parameters
    ----------
    changes : ndarray, shape (3, bins, 2R + 1), float64
        ``composite_d1 … composite_d3``.
    runtime : RuntimeConfig
        Of the grid.

    Returns
    -------
    ndarray, shape (bins, 2R + 1), float64
        Scores.
    ndarray, shape (bins, 2R + 1), float64
        −1, 0 or 1.
    """
    weights = np.array(runtime.flow_derivative_weights) / sum(runtime.flow_derivative_weights)
    scores = np.empty(changes.shape[1:])
    ranks = np.zeros((3, runtime.flow_zscore_window_bins))
    least = runtime.flow_zscore_min_periods
    _score(np.ascontiguousarray(changes), weights, runtime.flow_tanh_scale, least, ranks, scores)
    neutral = runtime.flow_neutral_threshold
    codes = (scores >= neutral).astype(np.float64) - (scores <= -neutral).astype(np.float64)
    return scores, codes
