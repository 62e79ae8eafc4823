"""Sets drawn uniformly and independently from all axes, equal ones once.

Draw t of an axis is the first uniform of block t of the stream ``search/random/{axis}``, so more
trials are the same trials and others. The generator is ``engine.rng``; every combination, ``grid``.
"""

from __future__ import annotations

import numpy as np

from contracts.seeds import stream_id
from engine.arrays import Floats
from engine.rng import fill_uniforms
from engine.search.axes import Axis


class Draws:
    """The drawn sets, of equal ones the first.

    Parameters
    ----------
    axes : tuple of Axis
    trials : int
        Number of draws; `size` is the number of different ones.
    seed : int
        0 … 2⁶³ − 1.
    """

    def __init__(self, axes: tuple[Axis, ...], trials: int, seed: int) -> None:
        self.names = tuple(axis.name for axis in axes)
        drawn = np.empty((trials, len(axes)))
        for index, axis in enumerate(axes):
            drawn[:, index] = axis.spread(_uniforms(seed, axis.name, trials))
        self._sets = drawn[_firsts(drawn)]
        self.size = len(self._sets)

    def part(self, start: int, stop: int) -> dict[str, Floats]:
        """Values of the sets `start` … `stop` − 1, by name of the axis."""
        return {name: self._sets[start:stop, i].copy() for i, name in enumerate(self.names)}


def _uniforms(seed: int, name: str, count: int) -> Floats:
    lanes = np.empty((2, count))
    stream = stream_id("search", "random", name)
    fill_uniforms(np.uint64(seed), np.uint64(stream), 0, lanes[0], lanes[1])
    return lanes[0]


def _firsts(rows: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices of the rows that equal no earlier one, ascending."""
    if rows.shape[1] == 0:
        return np.zeros(min(len(rows), 1), np.int64)
    # Sorting by columns keeps equal rows in their order, so that the first of them comes first.
    order = np.lexsort(rows.T)
    ordered = rows[order]
    is_new = np.ones(len(rows), bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return np.sort(order[is_new])
