"""What a file's records become: one instrument's events, every drop counted by its reason.

The rules, in this order: one instrument; times of snapshots set to the snapshot's own, for
each instrument apart; the window; the start; prices of none. File order is kept. Decoding
is in ``mbo_dbn`` and ``mbo_columns``, the verbs in ``mbo_files``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Ints
from engine.book.events import ADD, CLEAR, MODIFY, NO_PRICE, SNAPSHOT, Events
from islandflow_resources.mbo_records import Mask, Records, Skipped, Source, refusal
from islandflow_resources.mbo_symbology import Symbology

_SHOWN: Final = 10
_SYMBOL_HINT = "ask for the symbol of one instrument"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of a file are wanted.

    Attributes
    ----------
    symbol : str, optional
        Exactly; None for the one instrument of the file.
    window : tuple of int, optional
        From the first nanosecond until before the second. Events of snapshots and
        clears pass whatever their time.
    skip_to_ns : int, optional
        Earlier events are dropped, but for those of snapshots and clears.
    """

    symbol: str | None = None
    window: tuple[int, int] | None = None
    skip_to_ns: int | None = None


class Rules:
    """The rules applied to a file's records, stretch by stretch.

    Parameters
    ----------
    source : Source
    selection : Selection
    symbology : Symbology, optional
        Of a DBN file; tables say the symbol of every record, or nothing.
    """

    def __init__(self, source: Source, selection: Selection, symbology: Symbology | None) -> None:
        self.records = 0
        self.rows = 0
        self.dropped: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.seen: Counter[int] = Counter()
        self._source = source
        self._selection = selection
        self._symbology = symbology
        self._names: dict[int, str] = {}
        self._has_symbols = False
        self._has_ids = False
        self._venue: int | None = None
        self._starts: dict[int, int] = {}

    def take(self, records: Records | Skipped) -> Events | None:
        """Events that pass, or None if there are none.

        Raises
        ------
        ContractError
            ``MBO_SYMBOLOGY_MISSING``, ``MBO_INSTRUMENT_AMBIGUOUS`` or
            ``MBO_VALUE_INVALID``, naming the record.
        """
        if isinstance(records, Skipped):
            self.records += sum(records.reasons.values())
            self.dropped.update(records.reasons)
            return None
        self.records += records.events.rows
        wanted = self._of_instrument(records)
        if wanted is None:
            return None
        self._refuse_venues(records, wanted)
        events = records.events
        ts_ns = self._snapshot_times(records, wanted) if self._source.is_raw else events.ts_ns
        self._refuse_timeless(records, ts_ns, wanted)
        keep = self._in_time(events, ts_ns, wanted)
        return self._priced(events._replace(ts_ns=ts_ns), keep)

    def finish(self) -> None:
        """Judge the file as a whole, once its last record has been taken.

        Raises
        ------
        ContractError
            ``MBO_INSTRUMENT_AMBIGUOUS``, ``MBO_SYMBOLOGY_MISSING`` or
            ``MBO_SYMBOL_UNKNOWN``, listing what the file has.
        """
        symbol = self._selection.symbol
        if len(self.seen) > 1 and self._is_unnamed(self._has_symbols):
            raise self._ambiguous()
        if symbol is None or not self.records or self._is_unnamed(self._has_symbols):
            return
        if symbol not in self.symbols:
            raise unknown_symbol(self._source, symbol, self.symbols)

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols of the file met so far."""
        told = self._symbology.symbols if self._symbology is not None else self._source.symbols
        return tuple(sorted({*told, *self._names.values()} - {""}))

    @property
    def symbol(self) -> str:
        """Symbol of the events: as asked for, or as the file says, or nothing."""
        if self._selection.symbol is not None:
            return self._selection.symbol
        if self._symbology is not None:
            return self._symbology.names(next(iter(self.seen))) if self.seen else ""
        return self.symbols[0] if len(self.symbols) == 1 else ""

    @property
    def instrument_ids(self) -> tuple[int, ...]:
        """Ids of the events, as far as the file has ids."""
        return tuple(sorted(self.seen)) if self._has_ids else ()

    def _is_unnamed(self, has_symbols: bool) -> bool:
        """Whether the file's one instrument is taken, as it must have but one."""
        return self._selection.symbol is None or (self._symbology is None and not has_symbols)

    def _of_instrument(self, records: Records) -> Mask | None:
        """Which records are of the instrument; None if none is."""
        self._has_symbols = records.symbols is not None
        self._has_ids = records.has_ids
        self._names.update(enumerate(records.names))
        if self._is_unnamed(self._has_symbols):
            self.seen.update(_counts(records.instruments))
            # A second instrument is the end of all events, but all are to be told.
            return None if len(self.seen) > 1 else np.ones(records.events.rows, np.bool_)
        wanted = self._carrying(str(self._selection.symbol), records)
        taken = int(np.count_nonzero(wanted))
        self._drop("other_instrument", len(wanted) - taken)
        if not taken:
            return None
        self.seen.update(_counts(records.instruments[wanted]))
        return wanted

    def _carrying(self, symbol: str, records: Records) -> Mask:
        if records.symbols is not None:
            nameless = np.isin(
                records.symbols, [n for n, name in enumerate(records.names) if not name]
            )
            code = records.names.index(symbol) if symbol in records.names else -1
            wanted = records.symbols == code
        else:
            assert self._symbology is not None
            nameless = self._symbology.unmapped(records.instruments)
            wanted = self._symbology.carries(symbol, records.instruments, records.index_ns)
        if nameless.any():
            row = int(np.argmax(nameless))
            who = f"its instrument {records.instruments[row]}" if records.has_ids else "it"
            what = f"{who} has no symbol, so that it cannot be told from {symbol}"
            raise self._refusal(
                "MBO_SYMBOLOGY_MISSING",
                what,
                "take the file with its symbology; one with a single instrument reads "
                "without asking for a symbol",
                records.place(row),
            )
        return wanted

    def _refuse_venues(self, records: Records, wanted: Mask) -> None:
        """Two venues under one id are two books, and their order ids may be equal."""
        venues = records.publishers[wanted]
        venue = int(venues[0]) if self._venue is None else self._venue
        self._venue = venue
        others = venues != venue
        if others.any():
            row = int(np.flatnonzero(wanted)[np.argmax(others)])
            what = (
                f"it is of publisher {records.publishers[row]}, those before of {venue}: "
                "each venue has a book of its own"
            )
            hint = "give a file with the records of one venue"
            raise self._refusal("MBO_INSTRUMENT_AMBIGUOUS", what, hint, records.place(row))

    def _snapshot_times(self, records: Records, wanted: Mask) -> Ints:
        """Times where those of a snapshot's records are that of the clear that began it."""
        events = records.events
        of_snapshot = wanted & (events.flags & SNAPSHOT != 0)
        if not of_snapshot.any():
            return events.ts_ns
        ts_ns = events.ts_ns.copy()
        for instrument in _counts(records.instruments[of_snapshot]):
            rows = np.flatnonzero(of_snapshot & (records.instruments == instrument))
            self._normalise(instrument, rows, events, ts_ns)
        return ts_ns

    def _normalise(self, instrument: int, rows: Ints, events: Events, ts_ns: Ints) -> None:
        is_start = events.action[rows] == CLEAR
        latest = np.maximum.accumulate(np.where(is_start, np.arange(len(rows)), -1))
        started = self._starts.get(instrument)
        starts = np.where(latest >= 0, ts_ns[rows[latest]], started or 0)
        known = (latest >= 0) | (started is not None)
        self.changed["snapshot_without_start"] += int(np.count_nonzero(~known))
        self.changed["snapshot_time"] += int(np.count_nonzero(known & (starts != ts_ns[rows])))
        if latest[-1] >= 0:
            self._starts[instrument] = int(starts[-1])
        ts_ns[rows] = np.where(known, starts, ts_ns[rows])

    def _refuse_timeless(self, records: Records, ts_ns: Ints, wanted: Mask) -> None:
        timeless = (ts_ns < 0) & wanted
        if timeless.any():
            row = int(np.argmax(timeless))
            hint = "take the records that have a time of the exchange"
            loc = f"{records.place(row)}, column ts_event"
            what = "its time of the exchange is undefined"
            raise self._refusal("MBO_VALUE_INVALID", what, hint, loc)

    def _in_time(self, events: Events, ts_ns: Ints, wanted: Mask) -> Mask:
        window, start_ns = self._selection.window, self._selection.skip_to_ns
        if window is None and start_ns is None:
            return wanted
        passes = (events.flags & SNAPSHOT != 0) | (events.action == CLEAR)
        keep = wanted
        if window is not None:
            inside = passes | ((ts_ns >= window[0]) & (ts_ns < window[1]))
            keep = self._kept("outside_window", keep, inside)
        if start_ns is not None:
            keep = self._kept("before_start", keep, passes | (ts_ns >= start_ns))
        return keep

    def _priced(self, events: Events, keep: Mask) -> Events | None:
        """Events of `keep`: those that need a price and have none dropped, others at 0."""
        priceless = keep & (events.price_int == NO_PRICE)
        if priceless.any():
            needs = (events.action == ADD) | (events.action == MODIFY)
            keep = self._kept("no_price", keep, ~(priceless & needs))
            self.changed["price_zeroed"] += int(np.count_nonzero(priceless & ~needs))
            price_int = np.where(priceless, 0, events.price_int)
            events = events._replace(price_int=price_int)
        rows = int(np.count_nonzero(keep))
        self.rows += rows
        if rows == events.rows:
            return events if rows else None
        return _taken(events, keep) if rows else None

    def _kept(self, reason: str, keep: Mask, passing: Mask) -> Mask:
        kept = keep & passing
        self._drop(reason, int(np.count_nonzero(keep)) - int(np.count_nonzero(kept)))
        return kept

    def _drop(self, reason: str, count: int) -> None:
        if count:
            self.dropped[reason] += count

    def _ambiguous(self) -> ContractError:
        shown = [f"{self._label(key)}: {count}" for key, count in self.seen.most_common(_SHOWN)]
        more = len(self.seen) - len(shown)
        listed = ", ".join(shown) + (f" and {more} more" if more else "")
        what = f"it has {len(self.seen)} instruments (records: {listed})"
        if self._selection.symbol is None:
            return self._refusal("MBO_INSTRUMENT_AMBIGUOUS", what, _SYMBOL_HINT)
        hint = "give a file with a column symbol, or with one instrument"
        what += f" and no symbols, so that {self._selection.symbol} cannot be told from others"
        return self._refusal("MBO_SYMBOLOGY_MISSING", what, hint)

    def _label(self, instrument: int) -> str:
        if not self._has_ids:
            return self._names.get(instrument, "") or "(no symbol)"
        name = self._symbology.names(instrument) if self._symbology is not None else ""
        return f"{instrument} ({name})" if name else str(instrument)

    def _refusal(self, code: str, what: str, hint: str, loc: str = "") -> ContractError:
        return refusal(self._source.path, code, what, hint, loc)


def unknown_symbol(source: Source, symbol: str, symbols: tuple[str, ...]) -> ContractError:
    """Error of a symbol that the file does not have."""
    more = f" and {len(symbols) - _SHOWN} more" if len(symbols) > _SHOWN else ""
    what = f"it has no {symbol}; it has: {', '.join(symbols[:_SHOWN])}{more}"
    return refusal(source.path, "MBO_SYMBOL_UNKNOWN", what, _SYMBOL_HINT)


def _counts(instruments: Ints) -> dict[int, int]:
    """How many records each instrument has."""
    if not len(instruments):
        return {}
    if (instruments == instruments[0]).all():
        return {int(instruments[0]): len(instruments)}
    ids, counts = np.unique(instruments, return_counts=True)
    return dict(zip(ids.tolist(), counts.tolist(), strict=True))


def _taken(events: Events, keep: Mask) -> Events:
    return Events._make(column[keep] for column in events)
