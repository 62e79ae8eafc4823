"""What every statistical signal keeps between bins, in one shape for all of them.

Each kernel gives the places meaning where it is written. Values of rows come as ``fields``, shape
(columns, bins, 2R + 1), the columns in the order that the signal declares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from engine.arrays import Floats, Ints

COUNT: Final = 0  # bins so far
RADIUS: Final = 1
FIRST: Final = 2  # first of the signal's own integers


class SignalState(NamedTuple):
    """Arrays of one signal.

    Attributes
    ----------
    params : ndarray of float64
    sizes : ndarray of int64
        `COUNT`, `RADIUS` and the signal's own lengths.
    traces : ndarray of float64
        Running values.
    rings : ndarray, shape (n, longest), float64
        Last values of some series.
    ranks : ndarray, shape (n, window), float64
        Sorted windows.
    """

    params: Floats
    sizes: Ints
    traces: Floats
    rings: Floats
    ranks: Floats


def empty_state(
    params: Sequence[float],
    sizes: Sequence[float],
    traces: int,
    rings: tuple[int, int],
    ranks: tuple[int, int],
    radius: int,
) -> SignalState:
    """A state before the first bin."""
    return SignalState(
        np.array(params, dtype=np.float64),
        np.array([0, radius, *sizes], dtype=np.int64),
        np.zeros(max(traces, 1)),
        np.zeros((max(rings[0], 1), max(rings[1], 1))),
        np.zeros((max(ranks[0], 1), max(ranks[1], 1))),
    )
