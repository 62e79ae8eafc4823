"""Whether a stored detection says the same when its events come in other batches, late and twice.

The first stretch of the tape is taken again in small, shuffled batches with copies of some events,
within the watermark; what is said in it must be the first rows of the stored tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from contracts.errors import Problem
from contracts.flow_columns import DETECTIONS, FLOW_PRINTS, HYPOTHESIS_ROWS
from engine.arrays import Ints
from engine.flow.api import FlowDetector, joined
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.flow_tables import detection_tables, detection_texts
from islandflow_resources.table_digest import TableHasher
from islandflow_resources.tape_places import TapePlace

LATENESS_NS: Final = 2_000_000_000
STEP_NS: Final = 1_000_000_000
_PRIME: Final = 7919
_COPIES: Final = 97
"""Every so many-th event comes twice."""
_COMPARED: Final = (FLOW_PRINTS.name, "flow_packets", HYPOTHESIS_ROWS.name)


def differing_batches(place: TapePlace, detection: StoredDetection) -> Problem | None:
    """The first table that says something else in other batches; None if there is none."""
    feed = TapeFeed(TapePlace(place.store, place.prefix))
    detector = FlowDetector(0, feed.calendar, detection.policy, LATENESS_NS)
    detector.list_contracts(feed.contracts)
    first = next(iter(feed), None)
    if first is None:
        return None
    detector.list_symbols(len(feed.symbols))
    found = joined([detector.push(batch) for batch in _batches(first)])
    texts = detection_texts(feed.symbols, feed.contract_ids)
    again = detection_tables(found, texts, feed.symbols, detection.policy)
    for name in _COMPARED:
        schema, rows = DETECTIONS[name], again[name].num_rows
        hashers = TableHasher(schema), TableHasher(schema)
        hashers[0].update(again[name])
        hashers[1].update(detection.table(name).slice(0, rows).combine_chunks())
        if hashers[0].digest() != hashers[1].digest():
            said = f"the first {rows} rows of {name} differ when their events come in other batches"
            hint = "report this: what is said depends on no batch"
            return Problem("DETECTION_NOT_REPEATED", said, name, (hint,))
    return None


def _batches(events: Mapping[str, Ints]) -> Iterator[dict[str, Ints]]:
    """Events second by second, disordered within it, some of them twice."""
    filled = [rows[:, 1] for rows in events.values() if len(rows)]
    if not filled:
        return
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
