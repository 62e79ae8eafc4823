"""What is read of one bin: weighted sums of cells, which bands, sides and profiles are.

What is made of them over many bins is ``features``; which ones a signal takes, its own file.
The bands are those of the reference: |k| 1–3, 4–11 and 12–23.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

Term: TypeAlias = tuple[str, int, float]
"""Column, k and weight of one cell."""
Reading: TypeAlias = tuple[Term, ...]
"""A weighted sum of cells."""
Band: TypeAlias = tuple[int, int]
"""First and last |k|."""

BANDS: Final[tuple[Band, ...]] = ((1, 3), (4, 11), (12, 23))
BANDS_RADIUS: Final = 23
PRESSURE: Final = "pressure_variant"
VACUUM: Final = "vacuum_variant"


def cell(column: str, k: int) -> Reading:
    """The value of a column at a row."""
    return ((column, k, 1.0),)


def mean_of(column: str, rows: Sequence[int], factor: float = 1.0) -> Reading:
    """Mean of a column over rows, times a factor."""
    return tuple((column, k, factor / len(rows)) for k in rows)


def total_of(column: str, rows: Iterable[int]) -> Reading:
    """Sum of a column over rows."""
    return tuple((column, k, 1.0) for k in rows)


def below(band: Band) -> range:
    """Rows of a band on the side of the bids."""
    return range(-band[1], -band[0] + 1)


def above(band: Band) -> range:
    """Rows of a band on the side of the asks."""
    return range(band[0], band[1] + 1)


def asymmetry(column: str, band: Band) -> Reading:
    """Mean over the bids' rows of a band less the mean over the asks' rows."""
    return mean_of(column, below(band)) + mean_of(column, above(band), -1.0)


def net_pressure(k: int) -> Reading:
    """Pressure less vacuum at a row."""
    return ((PRESSURE, k, 1.0), (VACUUM, k, -1.0))


def net_asymmetry(band: Band) -> Reading:
    """Asymmetry of pressure less vacuum."""
    return asymmetry(PRESSURE, band) + less(asymmetry(VACUUM, band))


def less(reading: Reading) -> Reading:
    """The reading with its sign turned."""
    return tuple((column, k, -weight) for column, k, weight in reading)
