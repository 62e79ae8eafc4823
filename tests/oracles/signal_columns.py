"""Columns of a grid by their distance from the middle: sums and means over a side.

A grid is a mapping from names of columns to arrays (bins, 2R + 1), k = −R … R. The signals made of
them are in book_signals.py and state_signals.py.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

Grid = Mapping[str, np.ndarray]
BID, ASK = -1, 1


def at(columns: np.ndarray, k: int) -> np.ndarray:
    """Column of a distance from the middle."""
    return columns[:, columns.shape[1] // 2 + k].astype(float)


def total(columns: np.ndarray, side: int, distances: Iterable[int]) -> np.ndarray:
    """Sum over the distances on one side."""
    found = np.zeros(len(columns))
    for distance in distances:
        found = found + at(columns, side * distance)
    return found


def mean(columns: np.ndarray, side: int, distances: Sequence[int]) -> np.ndarray:
    """Mean over the distances on one side."""
    return total(columns, side, distances) / len(distances)


def by_distance(columns: np.ndarray, side: int, distances: Iterable[int]) -> np.ndarray:
    """Sum of the values over their distance."""
    found = np.zeros(len(columns))
    for distance in distances:
        found = found + at(columns, side * distance) / distance
    return found


def half(columns: np.ndarray) -> range:
    """All distances that a window has on each side."""
    return range(1, columns.shape[1] // 2 + 1)


def bins_of(time_ms: float, cell_width_ms: float, least: int) -> int:
    """Bins of a time, to the nearest even half."""
    return max(least, round(time_ms / cell_width_ms))
