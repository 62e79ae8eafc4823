"""Tables of the rows that paths are made of, one row for every start and length in use.

Blocks of equal length have a table of that length and one of what is left for the
last; those of geometric length are put together from rows of 1, 4, 16 and 64 bars,
few enough tables for the cache. Either is built by joining tables, see ``kernels``.
How many paths are made is ``api``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contracts.seeds import stream_id
from contracts.validation import MonteCarloSettings
from engine.arrays import Floats, Ints
from engine.mathx import log
from engine.montecarlo import kernels as k

FAN_PATHS: Final = 1_000
"""Most paths whose course is noted."""
_SIZES: Final = np.array([1, 4, 16, k.LONGEST], dtype=np.int64)
_NO_PLAN: Final = np.empty((0, 0), dtype=np.int64)


class Room:
    """Buffers of one worker, grown to the longest series it has seen."""

    def __init__(self) -> None:
        self._rows = np.empty((0, k.ROW_SIZE))
        self.order = np.empty(0, dtype=np.int64)
        self.first = np.empty(k.BATCH)
        self.second = np.empty(k.BATCH)

    def tables(self, count: int, starts: int) -> Floats:
        """Room for so many tables, shape (count, starts, 8); what was in it is lost."""
        if self._rows.shape[0] < count * starts:
            self._rows = np.empty((count * starts, k.ROW_SIZE))
        most = k.MOST_ROWS * k.BATCH + starts // k.LONGEST + 1
        if self.order.shape[0] < most:
            self.order = np.empty(most, dtype=np.int64)
        return self._rows[: count * starts].reshape(count, starts, k.ROW_SIZE)


class Resampler:
    """Makes paths of one series; any path alone or with others, it is the same.

    Parameters
    ----------
    returns : ndarray, shape (T,), float64
        Two or more, finite and above −1.
    settings : MonteCarloSettings
    bars_per_year : float
    room : Room
        Belongs to the resampler until its last path is made.
    """

    def __init__(
        self, returns: Floats, settings: MonteCarloSettings, bars_per_year: float, room: Room
    ) -> None:
        self._bars = int(returns.shape[0])
        self._seed = np.uint64(settings.seed)
        self._stream = np.uint64(stream_id("montecarlo", settings.method))
        self._root = math.sqrt(bars_per_year)
        self._room = room
        # about the middle, squares of a path do not cancel, whatever one outlier does to the mean
        self._centre = float(np.median(returns))
        if settings.method == "circular":
            self._block_bars, self._log_stay = min(settings.block_bars, self._bars), 0.0
            self._table = _circular(returns, self._centre, self._block_bars, room)
            self._sizes = np.array([self._block_bars, self._bars % self._block_bars])
            self._plan = _NO_PLAN
            return
        stay = 1.0 - 1.0 / settings.block_bars
        self._block_bars = settings.block_bars
        self._log_stay = float(log(stay)) if stay > 0.0 else -math.inf
        self._table = _stationary(returns, self._centre, room)
        self._sizes = _SIZES
        self._plan = _plan(self._bars + k.LONGEST)

    def walk(self, first_path: int, count: int, fan_points: int = 0) -> tuple[Floats, Floats]:
        """Make the paths ``first_path … first_path + count − 1``.

        Returns
        -------
        paths : ndarray, shape (4, count), float64
            Statistics in the order of ``kernels``.
        fan : ndarray, shape (min(count, 1000), fan_points), float64
            Growth at evenly spaced points of the first of them, the last at the end. A point
            inside a row has the growth at the row's end.
        """
        paths = np.empty((k.PATH_SIZE, count))
        fan = np.empty((min(count, FAN_PATHS) if fan_points else 0, fan_points))
        marks = [-(-(point + 1) * self._bars // fan_points) for point in range(fan_points)]
        ends = np.array([*marks, self._bars + 1], dtype=np.int64)
        room = self._room
        k.walk(
            first_path, self._seed, self._stream, self._bars, self._block_bars, self._log_stay,
            self._centre, self._root, self._table, self._sizes, self._plan, room.first,
            room.second, room.order, paths, ends, fan,
        )  # fmt: skip
        return paths, fan


def single_bars(returns: Floats, centre: float, out: Floats) -> None:
    """Write the row of every bar alone into `out`, shape (T, 8)."""
    below = np.minimum(1.0 + returns, 1.0)
    out[:, k.SAME] = returns
    with np.errstate(over="ignore"):
        out[:, k.SQUARES] = (returns - centre) ** 2
    out[:, k.GAINS] = np.maximum(returns, 0.0)
    out[:, k.LOSSES] = np.maximum(-returns, 0.0)
    out[:, k.GROWTH] = 1.0 + returns
    out[:, k.LOWEST] = out[:, k.WORST] = out[:, k.BELOW_PEAK] = below


def _circular(returns: Floats, centre: float, block_bars: int, room: Room) -> Floats:
    """Tables of a whole block and of the cut one, by the binary digits of their lengths."""
    bars = returns.shape[0]
    lengths = (block_bars, bars % block_bars)
    *wanted, power, spare = room.tables(4, bars)
    single_bars(returns, centre, power)
    size = 1
    while True:
        for length, table in zip(lengths, wanted, strict=True):
            shorter = length % size
            if length & size and shorter:
                k.join_rows(table, power, shorter, table)
            elif length & size:
                np.copyto(table, power)
        if 2 * size > block_bars:
            break
        k.join_rows(power, power, size, spare)
        power, spare = spare, power
        size *= 2
    return room.tables(4, bars)[:2].reshape(2 * bars, k.ROW_SIZE)


def _stationary(returns: Floats, centre: float, room: Room) -> Floats:
    """Tables of 1, 4, 16 and 64 bars, as far as the series has so many.

    Behind the last start come the first again, so that no row of a block's shorter part wraps.
    """
    bars, levels = returns.shape[0], _SIZES.shape[0]
    starts = bars + k.LONGEST
    every = room.tables(levels + 1, starts)
    *tables, spare = every[:, :bars]
    single_bars(returns, centre, tables[0])
    for level in range(1, levels):
        size = int(_SIZES[level - 1])
        if 4 * size > bars:
            break
        k.join_rows(tables[level - 1], tables[level - 1], size, spare)
        k.join_rows(spare, spare, 2 * size, tables[level])
    every[:levels, bars:] = every[:levels, np.arange(k.LONGEST) % bars]
    return every[:levels].reshape(levels * starts, k.ROW_SIZE)


def _plan(starts: int) -> Ints:
    """Rows of 0 … 63 bars by the digits to base 4, and the row of 64, see ``kernels``."""
    bars, place = np.arange(k.LONGEST + 1), np.arange(k.MOST_ROWS)
    plan = np.zeros((k.LONGEST + 1, 1 + k.MOST_ROWS), dtype=np.int64)
    done = np.zeros_like(bars)
    for level in reversed(range(_SIZES.shape[0])):
        size = _SIZES[level]
        rows = (bars - done) // size
        nth = place - plan[:, :1]
        own = (nth >= 0) & (nth < rows[:, None])
        plan[:, 1:] += own * (level * starts + done[:, None] + nth * size)
        plan[:, 0] += rows
        done += rows * size
    return plan
