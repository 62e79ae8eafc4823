"""Scores by one or two parameters, gathered into the cells of a heat map, and their colours.

Arithmetic only; the picture is drawn in ``charts``. Scores are computed elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.arrays import Floats, Ints
from islandflow_assets.drawing import LEAST_SPREAD

SIDE: Final = 40
"""Most cells along one parameter."""
LEVELS: Final = 32
"""Shades on either side of 0."""
MISSING: Final = "#c9cdd2"
_OUTLIER: Final = 5.0
_LABEL_CHARS: Final = 11
_FEW: Final = 12
_SPARSE: Final = 4
_NEGATIVE = ((247, 247, 247), (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43))
_POSITIVE = ((247, 247, 247), (209, 229, 240), (146, 197, 222), (67, 147, 195), (33, 102, 172))


@dataclass(frozen=True, slots=True, eq=False)
class HeatCells:
    """Median score of each cell.

    Attributes
    ----------
    x, y : tuple of str
        Labels of the columns and rows, ascending: the parameter's value, or the middle one of
        those that share a column or row.
    scores : ndarray, shape (rows, columns), float64
        NaN where there is no finite score.
    merged : bool
        Some column or row holds more than one value of its parameter.
    """

    x: tuple[str, ...]
    y: tuple[str, ...]
    scores: Floats
    merged: bool

    @property
    def best(self) -> tuple[int, int]:
        """Row and column of the highest score, the first of equal ones."""
        row, column = np.unravel_index(int(np.nanargmax(self.scores)), self.scores.shape)
        return int(row), int(column)


def heat_cells(x: Floats, y: Floats, values: Floats) -> HeatCells:
    """Gather scores by their parameters.

    Up to `SIDE` distinct values of a parameter have a column or row each. Of more, or where most
    cells would be empty (a random search), neighbours share one, evenly by rank, so that a
    logarithmic range is spread like a linear one; as many as leave about one score to a cell.

    Parameters
    ----------
    x, y : ndarray of float64, shape (trials,)
        Parameters; a trial with one that is not finite is left out.
    values : ndarray of float64, shape (trials,)
        Scores.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y, values = x[known], y[known], values[known]
    wide, high = np.unique(x).size, np.unique(y).size
    column, x_middles = _places(x, _side(wide, high, x.size))
    row, y_middles = _places(y, _side(high, wide, x.size))
    scores = np.full((y_middles.size, x_middles.size), np.nan)
    scored = np.isfinite(values)
    cells = (row * x_middles.size + column)[scored]
    where, medians = _medians(cells, values[scored])
    scores.flat[where] = medians
    merged = wide > x_middles.size or high > y_middles.size
    return HeatCells(_labels(x_middles), _labels(y_middles), scores, merged)


def scale_limit(scores: Floats) -> tuple[float, bool]:
    """Size of the score that has the deepest colour, and whether some are beyond it.

    The largest size, but at most five times the median one: a single ruined trial must not
    make all others look alike.
    """
    sizes = np.abs(scores[np.isfinite(scores)])
    largest = float(sizes.max(initial=0.0))
    if largest < LEAST_SPREAD:
        return 1.0, False
    middle = float(np.median(sizes))
    if middle < LEAST_SPREAD or largest <= _OUTLIER * middle:
        return largest, False
    return _OUTLIER * middle, True


def shade_of(score: float, limit: float) -> int:
    """Shade of a score, from -`LEVELS` to `LEVELS`."""
    return round(LEVELS * max(-1.0, min(1.0, score / limit)))


def colour(shade: int) -> str:
    """Colour of a shade: red below 0, white at it, blue above.

    The red-blue scheme of ColorBrewer (Brewer, C. A. and Harrower, M.), which readers with
    deficient colour vision can tell apart, straight lines between its colours.
    """
    stops = _POSITIVE if shade >= 0 else _NEGATIVE
    place = abs(shade) / LEVELS * (len(stops) - 1)
    first = min(int(place), len(stops) - 2)
    part = place - first
    mixed = (round(a + (b - a) * part) for a, b in zip(stops[first], stops[first + 1], strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _side(distinct: int, across: int, trials: int) -> int:
    if distinct <= _FEW or (distinct <= SIDE and distinct * across <= _SPARSE * trials):
        return distinct
    wanted = max(math.sqrt(trials), trials / across)
    return max(_FEW // 2, min(SIDE, distinct, math.ceil(wanted)))


def _places(values: Floats, side: int) -> tuple[Ints, Floats]:
    """Column of each value, and the middle value of each column."""
    distinct, rank = np.unique(values, return_inverse=True)
    column_of_rank = np.arange(distinct.size) * side // max(1, distinct.size)
    starts = np.searchsorted(column_of_rank, np.arange(side + 1))
    return column_of_rank[rank], distinct[(starts[:-1] + starts[1:] - 1) // 2]


def _medians(cells: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Cells that have values, ascending, and the median in each."""
    order = np.lexsort((values, cells))
    where, starts, counts = np.unique(cells[order], return_index=True, return_counts=True)
    ordered = values[order]
    low, high = ordered[starts + (counts - 1) // 2], ordered[starts + counts // 2]
    return where, low / 2 + high / 2


def _labels(values: Floats) -> tuple[str, ...]:
    """Numbers as short as tells them apart, if that has room."""
    found: tuple[str, ...] = ()
    for digits in (4, 6, 9):
        finer = tuple(f"{value:.{digits}g}" for value in values.tolist())
        if digits > 4 and max(map(len, finer)) > _LABEL_CHARS:
            break
        found = finer
        if len(set(found)) == len(found):
            break
    return found
