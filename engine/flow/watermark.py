"""Events that come late or twice: put into order while they wait for the watermark.

An event waits until the feed has gone on by the lateness that is allowed; so what comes within
it is put into its place, and a second copy is dropped. What comes later still cannot be used any
more without changing what was said: it is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from engine.arrays import Ints

STREAM_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "equity_quotes": ("seq", "ts_ns", "symbol", "bid_ticks", "ask_ticks"),
    "equity_prints": (
        "seq",
        "ts_ns",
        "symbol",
        "price_ticks",
        "size",
        "condition",
        "off_exchange",
    ),
    "option_nbbo": ("seq", "ts_ns", "contract", "bid_ticks", "ask_ticks", "iv_ppm"),
    "option_prints": (
        "seq",
        "ts_ns",
        "contract",
        "price_ticks",
        "size",
        "exchange",
        "condition",
    ),
}
"""What the detector reads of each stream, in the order of the kernel's columns."""


class Watermark:
    """Orders the events of the four streams.

    Parameters
    ----------
    lateness_ns : int
        Events wait until a later one by so much has come.

    Attributes
    ----------
    late, repeated : int
        Events that came beyond the watermark, and copies that were dropped before it.
    """

    def __init__(self, lateness_ns: int = 0) -> None:
        self.lateness_ns = lateness_ns
        self.late = 0
        self.repeated = 0
        self._newest_ns = 0
        self._bound_ns = 0
        self._waiting: dict[str, Ints] = {
            name: np.zeros((0, len(columns)), dtype=np.int64)
            for name, columns in STREAM_COLUMNS.items()
        }

    def take(self, events: Mapping[str, Ints]) -> dict[str, Ints]:
        """Take events in any order; those that need wait no longer, in order.

        Parameters
        ----------
        events : mapping of str to ndarray, shape (n, columns), int64
            Columns as `STREAM_COLUMNS` says.
        """
        for rows in events.values():
            if len(rows):
                self._newest_ns = max(self._newest_ns, int(rows[:, 1].max()))
        until_ns = max(self._newest_ns - self.lateness_ns, self._bound_ns)
        return self._released(events, until_ns)

    def finish(self) -> dict[str, Ints]:
        """Everything that still waits, in order."""
        return self._released({}, self._newest_ns + 1)

    def _released(self, events: Mapping[str, Ints], until_ns: int) -> dict[str, Ints]:
        ready: dict[str, Ints] = {}
        for name, waiting in self._waiting.items():
            rows = self._ordered(waiting, events.get(name, waiting[:0]))
            cut = int(np.searchsorted(rows[:, 1], until_ns, side="left"))
            # a copy, so that what waits does not keep all that came with it
            ready[name], self._waiting[name] = rows[:cut], rows[cut:].copy()
        self._bound_ns = until_ns
        return ready

    def _ordered(self, waiting: Ints, rows: Ints) -> Ints:
        """What waits and what has come, in order, each event once."""
        is_late = rows[:, 1] < self._bound_ns
        if is_late.any():
            self.late += int(is_late.sum())
            rows = rows[~is_late]
        merged = np.concatenate([waiting, rows]) if len(waiting) else rows
        steps = np.diff(merged[:, 0])
        if (steps > 0).all():
            return merged
        merged = merged[np.argsort(merged[:, 0], kind="stable")]
        is_new = np.ones(len(merged), dtype=np.bool_)
        is_new[1:] = np.diff(merged[:, 0]) > 0
        self.repeated += int(len(merged) - is_new.sum())
        return merged[is_new]
