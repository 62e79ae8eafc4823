"""The state model: one score of all labels in the window, a bin at a time.

``docs/order-book.md`` section 6.
"""

from __future__ import annotations

from engine.arrays import Floats
from engine.grid import layout as at
from engine.grid.ranks import enter, exchange, median, plain_z, scale_of
from engine.grid.spectrum import blend, difference
from engine.jit import inlined, kernel

_FLOOR = 1e-12
CODES = 5  # bear vacuum, bear pressure, mixed, bull pressure, bull vacuum


@inlined
def intensity(params: Floats, code: int, above: int, below: int) -> float:
    """Weight of the rows that carry a code: the centre carries 0, and all do if those above do."""
    if above == 0:
        return params[at.WEIGHT_ALL] if code == 0 else 0.0
    if code == 0:
        return params[at.WEIGHT_CENTRE]
    if code == above:
        return params[at.WEIGHT_ABOVE]
    return params[at.WEIGHT_BELOW] if code == below else 0.0


@inlined
def dominant(params: Floats, above: int, below: int) -> int:
    """Code with the largest intensity, the lowest one on a tie."""
    best, most = -2, -1.0
    for code in range(-2, 3):
        weight = intensity(params, code, above, below)
        if weight > most:
            best, most = code, weight
    return best


@kernel
def channel_z(ring: Floats, ranks: Floats, least: int, bins: int, value: float) -> float:
    """Take the latest value of a channel into its window, and its z."""
    window = ring.shape[0]
    place = bins % window
    if bins < window:
        enter(ranks, bins, value)
    else:
        exchange(ranks, float(ring[place]), value)
    ring[place] = value
    filled = min(bins + 1, window)
    if filled < least:
        return 0.0
    centre = median(ranks, filled)
    scale = scale_of(ranks, filled, centre)
    if scale > _FLOOR:
        return (value - centre) / scale
    return plain_z(ring, filled, place, value)


@kernel
def update_model(
    params: Floats,
    model: Floats,
    rings: Floats,
    ranks: Floats,
    least: int,
    bins: int,
    above: int,
    below: int,
) -> None:
    """Score of a bin whose rows above and below the centre carry these codes.

    Parameters
    ----------
    params, model : ndarray
        As of `GridState`.
    rings, ranks : ndarray, shape (3, window), float64
    least, bins : int
        Values that a z needs; bins before this one.
    above, below : int
    """
    mixed = intensity(params, 0, above, below)
    bull = params[at.BULL_PRESSURE] * intensity(params, 1, above, below)
    bull += params[at.BULL_VACUUM] * intensity(params, 2, above, below)
    bear = params[at.BEAR_PRESSURE] * intensity(params, -1, above, below)
    bear += params[at.BEAR_VACUUM] * intensity(params, -2, above, below)
    damping = min(max(1.0 - params[at.MIXED] * mixed, 0.0), 1.0)
    difference(model, at.M_BASE, (bull - bear) * damping, params[at.MODEL_S], bins)
    for channel in range(3):
        value = model[at.M_D1 + channel]
        model[at.M_Z + channel] = channel_z(rings[channel], ranks[channel], least, bins, value)
    model[at.M_SCORE] = blend(
        model[at.M_Z],
        model[at.M_Z + 1],
        model[at.M_Z + 2],
        params[at.MODEL_W1],
        params[at.MODEL_W2],
        params[at.MODEL_W3],
        params[at.MODEL_TANH],
    )
    model[at.M_BULL] = bull
    model[at.M_BEAR] = bear
    model[at.M_MIXED] = mixed
