"""Which instrument ids carry a symbol, and on which days: the symbology of a DBN file.

An id that carries one symbol in the whole file carries it always; only where it carries
several do the days decide. Reading the header is the matter of ``mbo_dbn``, selecting
records that of ``mbo_rules``.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from engine.arrays import Ints
from islandflow_resources.mbo_records import Mask

_ALWAYS: Final = (-(2**63), 2**63 - 1)
_EPOCH: Final = datetime.date(1970, 1, 1)
_DAY_NS: Final = 86_400_000_000_000


class Interval(NamedTuple):
    """A symbol of an instrument from `start_ns` until before `end_ns`."""

    start_ns: int
    end_ns: int
    symbol: str


class Symbology:
    """Symbols by instrument id; grows where a live stream tells them as it goes."""

    def __init__(self) -> None:
        self._intervals: dict[int, list[Interval]] = {}
        self._ids: Ints = np.empty(0, np.int64)

    def add(self, instrument_id: int, interval: Interval) -> None:
        """Let `instrument_id` carry the symbol of `interval` in it."""
        intervals = self._intervals.setdefault(instrument_id, [])
        if interval not in intervals:
            intervals.append(interval)
        if len(self._ids) != len(self._intervals):
            self._ids = np.empty(0, np.int64)

    def add_always(self, instrument_id: int, symbol: str) -> None:
        """Let `instrument_id` carry `symbol` from now on and before."""
        self.add(instrument_id, Interval(*_ALWAYS, symbol))

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, sorted."""
        each = (each.symbol for intervals in self._intervals.values() for each in intervals)
        return tuple(sorted(set(each)))

    def names(self, instrument_id: int) -> str:
        """Symbols of an id as an error shows them; empty if it has none."""
        intervals = self._intervals.get(instrument_id, [])
        return "/".join(sorted({each.symbol for each in intervals}))

    def unmapped(self, instruments: Ints) -> Mask:
        """Which ids carry no symbol at all."""
        if not self._intervals:
            return np.ones(len(instruments), np.bool_)
        if not len(self._ids):
            self._ids = np.array(sorted(self._intervals), np.int64)
        nearest = np.searchsorted(self._ids, instruments)
        return self._ids[np.minimum(nearest, len(self._ids) - 1)] != instruments

    def carries(self, symbol: str, instruments: Ints, index_ns: Ints) -> Mask:
        """Which records carry `symbol`.

        Parameters
        ----------
        instruments : ndarray, shape (n,), int64
        index_ns : ndarray, shape (n,), int64
            Time whose UTC day decides where an id carries several symbols.
        """
        mask = np.zeros(len(instruments), np.bool_)
        for instrument_id, intervals in self._intervals.items():
            wanted = [each for each in intervals if each.symbol == symbol]
            if not wanted:
                continue
            own = instruments == instrument_id
            if len({each.symbol for each in intervals}) > 1:
                own &= _within(wanted, index_ns)
            mask |= own
        return mask


def of_header(is_inverse: bool, mappings: Mapping[str, Sequence[Mapping[str, Any]]]) -> Symbology:
    """Symbology of a header.

    Parameters
    ----------
    is_inverse : bool
        Whether the header maps ids to symbols, not symbols to ids.
    mappings : mapping of str to sequence
        Intervals ``start_date end_date symbol`` by what they map.

    Raises
    ------
    ValueError
        If what should be an instrument id is none.
    """
    symbology = Symbology()
    for key, intervals in mappings.items():
        for each in intervals:
            if not each["symbol"]:
                continue
            symbol, text = (each["symbol"], key) if is_inverse else (key, each["symbol"])
            days = (_day_ns(each["start_date"]), _day_ns(each["end_date"]))
            symbology.add(int(text), Interval(*days, symbol))
    return symbology


def _within(intervals: Sequence[Interval], index_ns: Ints) -> Mask:
    mask = np.zeros(len(index_ns), np.bool_)
    for each in intervals:
        mask |= (index_ns >= each.start_ns) & (index_ns < each.end_ns)
    return mask


def _day_ns(day: datetime.date) -> int:
    return (day - _EPOCH).days * _DAY_NS
