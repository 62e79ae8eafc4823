"""Mean resting lots of a grid by distance from the spot, and those of its last bin.

Arithmetic only; the picture is ``book_plots.depth_profile``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from engine.arrays import Floats, Ints
from islandflow_assets.field_cells import batches, positions
from islandflow_assets.time_axes import numbers

PLACES: Final = 201
"""Most places along the distance; of more ticks, neighbours share one."""
_SIDES: Final = ("bid_depth", "ask_depth")


@dataclass(frozen=True, slots=True, eq=False)
class DepthMeans:
    """Lots at each place of the window, from the lowest price to the highest.

    Attributes
    ----------
    bid, ask, last_bid, last_ask : ndarray of float64, shape (places,)
        Means over the bins and lots of the last one, each per tick.
    totals : tuple of two float
        Mean lots of the whole window, bid and ask.
    bins : int
        Bins that have a spot and rows.
    last : int
        Place of the last of them in the bins of the grid.
    group : int
        Ticks to a place; the last one may have fewer.
    """

    bid: Floats
    ask: Floats
    last_bid: Floats
    last_ask: Floats
    totals: tuple[float, float]
    bins: int
    last: int
    group: int

    @property
    def sides(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Both means, then both of the last bin."""
        return self.bid, self.ask, self.last_bid, self.last_ask


def depth_means(
    radius_ticks: int, bins: pa.Table, rows: pa.Table | Iterable[pa.RecordBatch]
) -> DepthMeans | None:
    """Average the depths of a grid; None if no bin with rows has a spot.

    Parameters
    ----------
    radius_ticks : int
        Reach of the window.
    bins, rows : see `book_plots.depth_profile`
    """
    has_spot = numbers(bins, "spot_ref_price_int", np.int64) > 0
    size = 2 * radius_ticks + 1
    sums, seen = np.zeros((2, size)), np.zeros(bins.num_rows, dtype=np.bool_)
    last, last_lots = -1, np.zeros((2, size))
    known = numbers(bins, "bin_seq", np.int64)
    for batch in batches(rows):
        at = positions(known, batch)
        slot = numbers(batch, "k", np.int64) + radius_ticks
        kept = (at >= 0) & has_spot[at] & (slot >= 0) & (slot < size)
        if not kept.any():
            continue
        at, slot = at[kept], slot[kept]
        lots = [_finite(numbers(batch, name, np.float64)[kept]) for name in _SIDES]
        seen[at] = True
        sums += [np.bincount(slot, weights=side, minlength=size) for side in lots]
        if int(at.max()) > last:
            last, last_lots = int(at.max()), np.zeros((2, size))
        newest = at == last
        last_lots += [
            np.bincount(slot[newest], weights=side[newest], minlength=size) for side in lots
        ]
    if last < 0:
        return None
    count = int(seen.sum())
    group = -(-size // PLACES)
    bid, ask, last_bid, last_ask = (_grouped(side, group) for side in (*(sums / count), *last_lots))
    totals = float(sums[0].sum() / count), float(sums[1].sum() / count)
    return DepthMeans(bid, ask, last_bid, last_ask, totals, count, last, group)


def _finite(lots: Floats) -> Floats:
    return np.clip(np.where(np.isfinite(lots), lots, 0.0), 0.0, 1e100)


def _grouped(lots: Floats, group: int) -> Floats:
    starts: Ints = np.arange(0, lots.size, group)
    return np.add.reduceat(lots, starts) / np.diff(np.append(starts, lots.size))
