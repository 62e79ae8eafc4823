"""Every combination of the values of all axes, in a fixed order, any part of it alone.

The last axis changes fastest. Draws instead of combinations are ``draws``.
"""

from __future__ import annotations

import math

import numpy as np

from contracts.errors import ContractError
from contracts.search import MAX_SETS
from engine.arrays import Floats
from engine.search.axes import Axis


class Grid:
    """The combinations as a list that is not written out.

    Parameters
    ----------
    axes : tuple of Axis
    points : int
        Values of an axis without a step, evenly spaced from its bound to its bound; one is the
        lower bound. Values that are the same double are one.

    Raises
    ------
    ContractError
        ``SEARCH_TOO_LARGE`` for more than `contracts.search.MAX_SETS` combinations.
    """

    def __init__(self, axes: tuple[Axis, ...], points: int) -> None:
        counts = [axis.count or points for axis in axes]
        _refuse_too_large(axes, counts)
        self.names = tuple(axis.name for axis in axes)
        self._values = [_values(axis, points) for axis in axes]
        self._shape = tuple(len(values) for values in self._values)
        self.size = math.prod(self._shape)

    def part(self, start: int, stop: int) -> dict[str, Floats]:
        """Values of the combinations `start` … `stop` − 1, by name of the axis."""
        if not self.names:
            return {}
        places = np.unravel_index(np.arange(start, stop), self._shape)
        columns = zip(self.names, self._values, places, strict=True)
        return {name: values[place] for name, values, place in columns}


def _values(axis: Axis, points: int) -> Floats:
    count = axis.count
    if count is not None:
        return axis.at(np.arange(count))
    return np.unique(axis.spread(np.arange(points) / max(points - 1, 1)))


def _refuse_too_large(axes: tuple[Axis, ...], counts: list[int]) -> None:
    size = math.prod(counts)
    if size <= MAX_SETS:
        return
    largest = axes[counts.index(max(counts))].name
    shape = " · ".join(f"{axis.name} {count}" for axis, count in zip(axes, counts, strict=True))
    raise ContractError(
        "SEARCH_TOO_LARGE",
        f"the grid has {size} sets ({shape}), more than {MAX_SETS}",
        f"/params/{largest}",
        (
            f'give {largest!r} a larger "step", or narrow its range',
            'or search {"method": "random", "trials": 1000}',
        ),
    )
