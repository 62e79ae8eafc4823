"""Whether a stored detection says the same when its events come in other batches, late and twice.

The first stretch of the tape that has events is taken again in small, shuffled batches with copies
of some events, within the watermark; what is said in it must be the first rows of the stored
tables, and all of them that are due by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from contracts.errors import Problem
from contracts.flow_columns import DETECTIONS, FLOW_PACKETS, FLOW_PRINTS
from engine.arrays import Ints
from engine.flow.api import FlowDetector, joined
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.flow_tables import detection_tables, detection_texts
from islandflow_resources.table_schemas import numbers_of
from islandflow_resources.tape_files import rows_digest
from islandflow_resources.tape_places import TapePlace

LATENESS_NS: Final = 2_000_000_000
STEP_NS: Final = 1_000_000_000
_PRIME: Final = 7919
_COPIES: Final = 97
"""Every so many-th event comes twice."""
_SAID_AT: Final = {
    name: "emitted_ns" if "emitted_ns" in schema.names else "ts_ns"
    for name, schema in DETECTIONS.items()
    if schema not in (FLOW_PRINTS, FLOW_PACKETS)
}
"""When a row was said, where it can be told from the row."""


def differing_batches(place: TapePlace, detection: StoredDetection) -> Problem | None:
    """The first table that says something else in other batches; None if there is none."""
    feed = TapeFeed(TapePlace(place.store, place.prefix))
    detector = FlowDetector(0, feed.calendar, detection.policy, LATENESS_NS)
    detector.list_contracts(feed.contracts)
    filled = (events for events in feed if any(len(rows) for rows in events.values()))
    first = next(filled, None)
    if first is None:
        return None
    detector.list_symbols(len(feed.symbols))
    found = joined([detector.push(batch) for batch in _batches(first)])
    texts = detection_texts(feed.symbols, feed.contract_ids)
    again = detection_tables(found, texts, feed.symbols, detection.policy)
    due_ns = _newest_ns(first) - LATENESS_NS - STEP_NS
    for name, table in again.items():
        rows = table.num_rows
        stored = detection.table(name)
        if rows_digest(table, DETECTIONS[name]) != _digest(stored.slice(0, rows), name):
            return _differs(name, f"the first {rows} rows of {name} differ")
        least = _said_by(stored, name, due_ns)
        if rows < least:
            return _differs(name, f"{rows} rows of {name} are said instead of {least}")
    return None


def _said_by(stored: pa.Table, name: str, due_ns: int) -> int:
    """How many rows must have been said."""
    if name not in _SAID_AT:
        return 0
    return int((numbers_of(stored.column(_SAID_AT[name])) <= due_ns).sum())


def _digest(table: pa.Table, name: str) -> str:
    return rows_digest(table.combine_chunks(), DETECTIONS[name])


def _differs(name: str, said: str) -> Problem:
    hint = "report this: what is said depends on no batch"
    message = f"{said} when their events come in other batches"
    return Problem("DETECTION_NOT_REPEATED", message, name, (hint,))


def _newest_ns(events: Mapping[str, Ints]) -> int:
    return max(int(rows[-1, 1]) for rows in events.values() if len(rows))


def _batches(events: Mapping[str, Ints]) -> Iterator[dict[str, Ints]]:
    """Events second by second, disordered within it, some of them twice."""
    filled = [rows[:, 1] for rows in events.values() if len(rows)]
    start = min(int(times[0]) for times in filled)
    last = max(int(times[-1]) for times in filled)
    for begin in range(start, last + 1, STEP_NS):
        yield {name: _disordered(_between(rows, begin)) for name, rows in events.items()}


def _between(rows: Ints, begin_ns: int) -> Ints:
    cuts = np.searchsorted(rows[:, 1], [begin_ns, begin_ns + STEP_NS])
    return rows[cuts[0] : cuts[1]]


def _disordered(rows: Ints) -> Ints:
    """Rows in an order that is none, every so many-th of them twice."""
    copies = np.concatenate([rows, rows[::_COPIES]])
    return copies[np.argsort(np.arange(len(copies)) * _PRIME % max(len(copies), 1), kind="stable")]
