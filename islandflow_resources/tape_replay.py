"""Events of a stored tape in the order of its plan, all streams merged, at any speed.

One order for folders and stores: (``ts``, ``ingest_ts``, ``seq``, ``trace_id``). Each stretch
is verified as it is read. Whole tapes are proved by ``tape_loader``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from contracts.errors import ContractError, IntegrityError
from contracts.regime import BUCKET_NS
from contracts.tape import trace_id
from contracts.tape_columns import STREAMS
from contracts.tape_manifest import ExpectedOutputManifest
from islandflow_resources.table_schemas import numbers_of
from islandflow_resources.tape_files import TableReader, rows_digest
from islandflow_resources.tape_places import TapePlace, read_manifest

ALIASES: Final = {
    "all": tuple(STREAMS),
    "options": ("option_prints",),
    "nbbo": ("option_nbbo",),
    "equities": ("equity_prints",),
    "equity-quotes": ("equity_quotes",),
}
_LAST_NS: Final = 2**63 - 1
_LEAST_SLEEP_S: Final = 0.001


class ReplayEvent(NamedTuple):
    """An event of a tape.

    Attributes
    ----------
    stream, trace_id : str
    ts_ns, ingest_ns, seq : int
    values : dict
        The other columns of its stream.
    """

    stream: str
    trace_id: str
    ts_ns: int
    ingest_ns: int
    seq: int
    values: dict[str, Any]


class ReplayBatch(NamedTuple):
    """Events of a stretch of time.

    Attributes
    ----------
    tables : dict of str to pyarrow.Table
        Rows of each stream in order, texts as codes.
    streams : ndarray of int8
        Which of `tables` each event is in, in the order of replay.
    rows : ndarray of int64
        Which row of it.
    """

    tables: dict[str, pa.Table]
    streams: np.ndarray[Any, Any]
    rows: np.ndarray[Any, Any]

    def events(self) -> Iterator[ReplayEvent]:
        """The events one by one."""
        made = [_events_of(name, table) for name, table in self.tables.items()]
        for stream, row in zip(self.streams.tolist(), self.rows.tolist(), strict=True):
            yield made[stream][row]


def replay_batches(
    place: TapePlace,
    *,
    streams: Sequence[str] = (),
    start_ns: int = 0,
    end_ns: int = _LAST_NS,
) -> Iterator[ReplayBatch]:
    """Stretches of a tape with events of ``start_ns ≤ ts_ns < end_ns``, merged.

    Parameters
    ----------
    streams : sequence of str
        Names or `ALIASES`; all of them by default.

    Raises
    ------
    ContractError
        ``STREAM_UNKNOWN``, ``TAPE_RANGE_INVALID``.
    NotFoundError
        If there is no tape.
    IntegrityError
        ``TAPE_MANIFEST_INVALID``, ``TAPE_EVENTS_DIFFER``, ``TAPE_FILE_UNREADABLE``.
    """
    names = chosen_streams(streams)
    if start_ns >= end_ns:
        said = f"nothing lies between {start_ns} and {end_ns}"
        raise ContractError("TAPE_RANGE_INVALID", said, "start_ns", ("let the end be later",))
    return _batches(place, read_manifest(place), names, start_ns, end_ns)


def replay_events(
    place: TapePlace,
    *,
    streams: Sequence[str] = (),
    start_ns: int = 0,
    end_ns: int = _LAST_NS,
    speed: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ReplayEvent]:
    """Events of a tape one by one, see `replay_batches`.

    Parameters
    ----------
    speed : float
        Seconds of the tape in a second; 0 is as fast as possible.
    clock, sleep : callable
        Seconds that ascend, and a wait of some.

    Raises
    ------
    ContractError
        ``REPLAY_SPEED_INVALID``, and as `replay_batches`.
    """
    if not 0.0 <= speed < float("inf"):
        said = f"the speed is {speed}"
        raise ContractError("REPLAY_SPEED_INVALID", said, "speed", ("write 0, 1 or 60",))
    batches = replay_batches(place, streams=streams, start_ns=start_ns, end_ns=end_ns)
    events = (event for batch in batches for event in batch.events())
    return _paced(events, speed, clock, sleep) if speed else events


def chosen_streams(streams: Sequence[str]) -> tuple[str, ...]:
    """Streams by their names or aliases, in the order of a tape.

    Raises
    ------
    ContractError
        ``STREAM_UNKNOWN``.

    Examples
    --------
    >>> chosen_streams(["options", "equity_prints"])
    ('equity_prints', 'option_prints')
    """
    wanted: set[str] = set()
    for name in streams or ("all",):
        if name not in STREAMS and name not in ALIASES:
            hint = f"write one of {', '.join((*STREAMS, *ALIASES))}"
            said = f"there is no stream {name[:40]!r}"
            raise ContractError("STREAM_UNKNOWN", said, name[:40], (hint,))
        wanted.update(ALIASES.get(name, (name,)))
    return tuple(name for name in STREAMS if name in wanted)


def _batches(
    place: TapePlace,
    manifest: ExpectedOutputManifest,
    names: tuple[str, ...],
    start_ns: int,
    end_ns: int,
) -> Iterator[ReplayBatch]:
    with ExitStack() as opened:
        readers = {name: _reader(opened, place, name) for name in names}
        for group, first_ns in enumerate(manifest.event_hashes.row_group_starts_ns):
            if (first_ns // BUCKET_NS + 1) * BUCKET_NS <= start_ns or first_ns >= end_ns:
                continue
            tables = {
                name: _within(_rows(reader, manifest, name, group), start_ns, end_ns)
                for name, reader in readers.items()
            }
            if any(table.num_rows for table in tables.values()):
                yield _merged(tables)


def _reader(opened: ExitStack, place: TapePlace, name: str) -> TableReader:
    file = f"{name}.parquet"
    reader = TableReader(opened.enter_context(place.open(file)), file, STREAMS[name])
    problems = reader.schema_problems()
    if problems:
        first, *others = problems
        raise IntegrityError(first.code, first.message, first.loc, first.hints, tuple(others))
    return reader


def _rows(reader: TableReader, manifest: ExpectedOutputManifest, name: str, group: int) -> pa.Table:
    """Verified rows of a row group."""
    stated = manifest.event_hashes.of(name).row_groups[group]
    table = reader.read(group) if group < len(reader.group_rows) else None
    if table is not None and rows_digest(table, reader.schema) == stated.digest:
        return table
    raise IntegrityError(
        "TAPE_EVENTS_DIFFER",
        f"row group {group} of {reader.name} is not what the manifest says",
        f"{reader.name}, row group {group}",
        ("find the row with: islandflow tape verify",),
    )


def _within(table: pa.Table, start_ns: int, end_ns: int) -> pa.Table:
    times = numbers_of(table.column("ts_ns"))
    first, last = np.searchsorted(times, [start_ns, end_ns])
    return table.slice(int(first), int(last - first))


def _merged(tables: dict[str, pa.Table]) -> ReplayBatch:
    keys = [
        np.concatenate([numbers_of(table.column(name)) for table in tables.values()])
        for name in ("seq", "ingest_ns", "ts_ns")
    ]
    order = np.lexsort(keys)
    counts = [table.num_rows for table in tables.values()]
    streams = np.repeat(np.arange(len(counts), dtype=np.int8), counts)
    rows = np.concatenate([np.arange(count) for count in counts])
    return ReplayBatch(tables, streams[order], rows[order])


def _events_of(name: str, table: pa.Table) -> list[ReplayEvent]:
    columns = {column: _values(table.column(column)) for column in table.column_names}
    keys = zip(*(columns.pop(column) for column in ("ts_ns", "ingest_ns", "seq")), strict=True)
    rows = zip(*columns.values(), strict=True)
    names = tuple(columns)
    return [
        ReplayEvent(name, trace_id(name, seq), ts, ingest, seq, dict(zip(names, row, strict=True)))
        for (ts, ingest, seq), row in zip(keys, rows, strict=True)
    ]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Values as Python has them; each text of a dictionary is made once."""
    if not pa.types.is_dictionary(column.type):
        is_number = not pa.types.is_boolean(column.type)
        return numbers_of(column).tolist() if is_number else column.to_pylist()
    values: list[str] = []
    for chunk in column.chunks:
        texts: list[str] = chunk.dictionary.to_pylist()
        values += [texts[code] for code in numbers_of(chunk.indices).tolist()]
    return values


def _paced(
    events: Iterator[ReplayEvent],
    speed: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Iterator[ReplayEvent]:
    """Each event not before its time, counted from the first."""
    began: tuple[float, int] | None = None
    for event in events:
        began = began or (clock(), event.ts_ns)
        due = began[0] + (event.ts_ns - began[1]) / 1e9 / speed
        wait = due - clock()
        if wait >= _LEAST_SLEEP_S:
            sleep(wait)
        yield event
