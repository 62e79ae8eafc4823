"""What a model is given: readings of the latest bin, and their windows up to it.

Every bin costs the same, whichever it is: the latest values of every reading are kept in a
ring, and a window is summed anew from the latest value back, so nothing drifts. A window that
is not full yet counts what there is. Which features there are, signals say (`Recipe`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from engine.arrays import Floats, Ints
from engine.jit import kernel
from engine.signals.ml.definition import Series
from engine.signals.ml.readings import Reading

LATEST: Final = 0
MEAN: Final = 1
DEVIATION: Final = 2
SLOPE: Final = 3
TOTAL: Final = 4

Windowed: TypeAlias = tuple[Reading | None, int, int]
"""A reading (None: the move of the mid in ticks), what is taken of its window, and its bins."""

RETURN_WINDOWS: Final = (50, 200, 600)
SLOPE_WINDOWS: Final = (10, 25, 50)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Features in their order.

    Attributes
    ----------
    columns : tuple of str
        Columns of which the readings are made.
    features : tuple
        A reading, one of the kinds above, and a number of bins (1 for ``LATEST``).
    """

    columns: tuple[str, ...]
    features: tuple[Windowed, ...]


def latest(*readings: Reading) -> tuple[Windowed, ...]:
    """Readings of the latest bin."""
    return tuple((one, LATEST, 1) for one in readings)


def windows(kind: int, bins: tuple[int, ...], *readings: Reading | None) -> tuple[Windowed, ...]:
    """One thing taken of some windows of readings."""
    return tuple((one, kind, width) for one in readings for width in bins)


def spreads(bins: tuple[int, ...], *readings: Reading | None) -> tuple[Windowed, ...]:
    """Mean and standard deviation over some windows of readings."""
    return windows(MEAN, bins, *readings) + windows(DEVIATION, bins, *readings)


@kernel
def _read(
    cells: Floats, places: Ints, weights: Floats, starts: Ints, ring: Floats, slot: int
) -> None:
    """Weighted sums of cells into a slot of the ring, from its second row on."""
    for reading in range(starts.shape[0] - 1):
        total = 0.0
        for term in range(starts[reading], starts[reading + 1]):
            total += weights[term] * cells[places[term, 0], places[term, 1]]
        ring[reading + 1, slot] = total


@kernel
def _window(values: Floats, slot: int, kind: int, width: int) -> float:
    """What is taken of the latest `width` values of a ring, the latest of which is at `slot`."""
    size = values.shape[0]
    total, moment = 0.0, 0.0
    for back in range(width):
        value = float(values[(slot - back) % size])
        total += value
        moment += back * value
    if kind == TOTAL:
        return total
    mean = total / width
    if kind == MEAN:
        return mean
    if width < 2:
        return 0.0
    if kind == SLOPE:
        # Time runs against `back`; its sum of squares about the mean is w (w² − 1) / 12.
        middle = (width - 1) / 2.0
        return (middle * total - moment) * 12.0 / (float(width) * (float(width) * width - 1.0))
    squares = 0.0
    for back in range(width):
        difference = float(values[(slot - back) % size]) - mean
        squares += difference * difference
    return math.sqrt(squares / width)


@kernel
def _take(ring: Floats, bin_: int, features: Ints, out: Floats) -> None:
    """All features of a bin whose readings are in the ring."""
    slot = bin_ % ring.shape[1]
    for i in range(features.shape[0]):
        row, kind, width = features[i, 0], features[i, 1], features[i, 2]
        if kind == LATEST:
            out[i] = ring[row, slot]
        else:
            out[i] = _window(ring[row], slot, kind, min(width, bin_ + 1))


class Features:
    """The features of one series, bin by bin.

    Parameters
    ----------
    recipe : Recipe
    radius : int
        R of the series.
    """

    def __init__(self, recipe: Recipe, radius: int) -> None:
        kinds = dict.fromkeys(one for one, _, _ in recipe.features if one is not None)
        row_of = {None: 0, **{one: row for row, one in enumerate(kinds, start=1)}}
        column_of = {name: i for i, name in enumerate(recipe.columns)}
        terms = [(column_of[name], k + radius, w) for one in kinds for name, k, w in one]
        self._columns = recipe.columns
        self._places = np.array([term[:2] for term in terms], dtype=np.int64)
        self._weights = np.array([term[2] for term in terms], dtype=np.float64)
        self._starts = np.cumsum([0, *(len(one) for one in kinds)], dtype=np.int64)
        self._features = np.array(
            [(row_of[one], kind, width) for one, kind, width in recipe.features], dtype=np.int64
        )
        longest = max(width for _, _, width in recipe.features)
        self._ring = np.zeros((len(kinds) + 1, longest))
        self._cells = np.empty((len(recipe.columns), 2 * radius + 1))
        self._mid = 0.0

    def __len__(self) -> int:
        """Number of features."""
        return len(self._features)

    def put(self, series: Series, bin_: int, out: Floats) -> None:
        """Write the features of the next bin.

        Parameters
        ----------
        out : ndarray, shape (features,), float64
        """
        for row, name in enumerate(self._columns):
            self._cells[row] = series.columns[name][bin_]
        slot = bin_ % self._ring.shape[1]
        _read(self._cells, self._places, self._weights, self._starts, self._ring, slot)
        self._ring[0, slot] = self._move(float(series.mid_price[bin_]), series.tick_size)
        _take(self._ring, bin_, self._features, out)

    def _move(self, mid: float, tick_size: float) -> float:
        """Ticks since the last valid mid; 0 where there is none."""
        if not mid > 0.0:
            return 0.0
        before, self._mid = self._mid, mid
        return (mid - before) / tick_size if before > 0.0 else 0.0
