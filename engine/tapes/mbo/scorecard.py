"""The scorecard of a tape: its statistics beside the bands of a real session.

Takes any stream, batch by batch, synthetic or recorded. What each statistic is stands
beside its band in ``contracts.mbo``; the sums are made by ``kernels_score``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from contracts.mbo import PROFILES
from engine.arrays import Ints
from engine.book.events import Events
from engine.tapes.mbo import kernels_score as at
from engine.tapes.mbo.kernels_score import Sums

MIN_TABLE = 65_536
PIECE_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Statistic:
    """One row of a scorecard.

    Attributes
    ----------
    name : str
        Name of the band in ``contracts.mbo``.
    value : float
        NaN if the stream says nothing about it.
    low, high : float
        The band, both ends inside.
    ok : bool
        Whether the value lies in it; NaN does not.
    """

    name: str
    value: float
    low: float
    high: float
    ok: bool


class Scorecard:
    """Statistics of a stream, taken in batches of any size; the result is the same.

    Parameters
    ----------
    tick_int : int
        Tick of the instrument in 1e-9 of the quote currency.
    """

    def __init__(self, tick_int: int) -> None:
        self._tick_int = tick_int
        self._sums = Sums(
            np.zeros(at.STATE_INTS, dtype=np.int64),
            np.zeros(2),
            np.zeros((MIN_TABLE, at.COLUMNS), dtype=np.int64),
            np.zeros((2, at.SLOTS), dtype=np.int64),
            np.zeros(at.LIFE_BINS, dtype=np.int64),
            np.zeros(at.SIZE_BINS, dtype=np.int64),
            np.zeros(at.DISTANCE_BINS, dtype=np.int64),
            np.zeros(at.DEPTH_LEVELS, dtype=np.int64),
        )
        self._sums.ints[at.BEST : at.BEST + 2] = -1

    def add(self, events: Events) -> None:
        """Take a batch into the statistics."""
        for start in range(0, events.rows, PIECE_ROWS):
            piece = events.part(start, min(start + PIECE_ROWS, events.rows))
            self._make_room(piece.rows)
            at.score(piece, self._tick_int, self._sums)

    def counts(self) -> dict[str, int]:
        """Numbers of records by kind, snapshots aside, and times seen crossed or locked."""
        names = ("adds", "cancels", "modifies", "fills", "trades")
        places = (at.ADDS, at.CANCELS, at.MODIFIES, at.FILLS, at.TRADES)
        found = {
            name: int(self._sums.ints[place]) for name, place in zip(names, places, strict=True)
        }
        return {"events": int(self._sums.ints[at.ROWS]), **found} | {
            "crossed": int(self._sums.ints[at.CROSSED])
        }

    def depth(self) -> list[float]:
        """Mean lots at the ticks from the best price on, of both sides."""
        samples = 2.0 * float(self._sums.ints[at.SAMPLES])
        return [_ratio(float(lots), samples) for lots in self._sums.depth]

    def values(self) -> dict[str, float]:
        """Every statistic by the name of its band; NaN where there is nothing to measure."""
        n = [float(value) for value in self._sums.ints]
        mean_ns = _ratio(float(self._sums.reals[0]), n[at.GAPS])
        square = _ratio(float(self._sums.reals[1]), n[at.GAPS])
        short, middle, long = (life_s(self._sums.lives, q) for q in (0.1, 0.5, 0.9))
        depth = self.depth()
        return {
            "adds_per_cancel": _ratio(n[at.ADDS], n[at.CANCELS]),
            "modifies_per_add": _ratio(n[at.MODIFIES], n[at.ADDS]),
            "touched_share": _ratio(n[at.TOUCHES], n[at.ADDS]),
            "lifetime_median_s": middle,
            "lifetime_p90_per_p10": _ratio(long, short),
            "gap_variation": _ratio(math.sqrt(max(square - mean_ns * mean_ns, 0.0)), mean_ns)
            if n[at.GAPS]
            else math.nan,
            "equal_time_share": _ratio(n[at.EQUAL], n[at.GAPS]),
            "join_share": _ratio(n[at.JOINED], n[at.PLACED]),
            "distance_p75_ticks": quantile(self._sums.distances, 0.75),
            "tight_share": _ratio(n[at.TIGHT_NS], n[at.QUOTED_NS]),
            "size_median_lots": quantile(self._sums.sizes, 0.5),
            "size_p90_lots": quantile(self._sums.sizes, 0.9),
            "size_p99_lots": quantile(self._sums.sizes, 0.99),
            "depth_first_per_fourth": _ratio(depth[0], depth[3]),
            "depth_rise": _ratio(depth[2] + depth[3], depth[0] + depth[1]),
            "depth_flat": _ratio(sum(depth[7:10]) / 3.0, sum(depth[3:6]) / 3.0),
        }

    def rows(self, profile: str = "index_future") -> list[Statistic]:
        """The statistics against the bands of a profile, in its order."""
        values = self.values()
        return [
            Statistic(b.name, values[b.name], b.low, b.high, b.low <= values[b.name] <= b.high)
            for b in PROFILES[profile]
        ]

    def _make_room(self, rows: int) -> None:
        """Keep the table at most half full, whatever the rows are."""
        table, held = self._sums.table, int(self._sums.ints[at.ORDERS])
        capacity = table.shape[0]
        while capacity < 2 * (held + rows):
            capacity *= 2
        if capacity == table.shape[0]:
            return
        larger = np.zeros((capacity, at.COLUMNS), dtype=np.int64)
        for order in table[table[:, at.STATE] != 0]:
            larger[at.find(larger, int(order[at.ORDER]))] = order
        self._sums = self._sums._replace(table=larger)


def scorecard(batches: Iterable[Events], tick_int: int) -> Scorecard:
    """Scorecard of a whole stream."""
    card = Scorecard(tick_int)
    for batch in batches:
        card.add(batch)
    return card


def quantile(bins: Ints, q: float) -> float:
    """Lowest value at which a histogram of integers has reached the share `q`."""
    total = int(bins.sum())
    return float(np.searchsorted(np.cumsum(bins), q * total)) if total else math.nan


def life_s(bins: Ints, q: float) -> float:
    """Quantile of the lifetimes: the lower border of its bin, at most 6 % below it."""
    at = quantile(bins, q)
    if math.isnan(at) or at < 16:
        return at / 1e9
    octave, rest = divmod(int(at) - 16, 16)
    return float((16 + rest) << octave) / 1e9


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
