"""A tape that is made second by second, and goes on after whatever ended it.

A second is drawn, entered in the journal, and published in all four streams. After a kill the
tape is drawn again from its start under the control that the journal holds, compared with what
is there, and what is missing is written: no event is lost, none comes twice. When a second is
due is said by ``tape_live_plan``, who waits for it is ``islandflow_jobs.live_run``; the finished
tape is written by ``tape_live_seal``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias

import numpy as np
import pyarrow as pa

from contracts.control import SECOND_NS, ControlLog
from contracts.errors import IntegrityError
from contracts.tape import TapeSpec
from contracts.tape_columns import STREAMS
from engine.tapes.market.events import Batch
from islandflow_resources.tape_buckets import Bucket, buckets_of, by_bucket
from islandflow_resources.tape_folder import TapeEvents
from islandflow_resources.tape_live_control import LiveControl, Refused, Told
from islandflow_resources.tape_live_folder import LiveFolder
from islandflow_resources.tape_live_journal import Entry, Journal
from islandflow_resources.tape_live_plan import LivePlan, OpenSeconds, Second
from islandflow_resources.tape_live_streams import END, LiveStream, message_of
from islandflow_resources.tape_tables import stream_tables, tape_texts

_SYNC_NS: Final = SECOND_NS


class LiveEvents(TapeEvents, Protocol):
    """A source that can be asked for any stretch, such as ``MarketTape``."""

    def advance(self, until_ns: int) -> Batch:
        """Events from where it stands up to a whole second."""
        ...

    def set_control(self, control: ControlLog) -> None:
        """Follow a log that has grown."""
        ...


Maker: TypeAlias = Callable[[TapeSpec, int], LiveEvents]
"""Makes the source of a spec and a root seed, at its start."""
Listener: TypeAlias = Callable[[Batch, TapeEvents], None]
"""Hears of every stretch once, also of those that are made again at a start."""


class LiveTape:
    """The tape of one folder, which the caller holds; a context manager that closes its files.

    Parameters
    ----------
    folder : LiveFolder
    plan : LivePlan
    make : callable
    heard : callable, optional
        See `Listener`.

    Attributes
    ----------
    control : LiveControl
    count : int
        Seconds that are made.
    events : dict of str to int
        Of each stream, so far.
    mended, dropped : int
        Bytes that were missing of what the journal tells of, and that were beyond it.
    """

    def __init__(
        self,
        folder: LiveFolder,
        plan: LivePlan,
        make: Maker,
        heard: Listener = lambda batch, source: None,
    ) -> None:
        self.folder, self.plan = folder, plan
        self.seconds = OpenSeconds(plan.spec)
        self.count = 0
        self.events = dict.fromkeys(STREAMS, 0)
        self.mended = self.dropped = 0
        self._make, self._heard = make, heard
        with ExitStack() as stack:
            self._journal = stack.enter_context(Journal(folder.journal_path))
            self._streams = {
                name: stack.enter_context(LiveStream(folder.stream_path(name), schema))
                for name, schema in STREAMS.items()
            }
            self._entries = self._journal.entries()
            self._stack = stack.pop_all()
        self.control = LiveControl([told for one in self._entries for told in one.control])
        self._source = make(self._spec(), plan.seed_bundle.root_seed)
        self._followed = self._spec().control
        self._texts = tape_texts(plan.spec.symbols)
        self._ends: dict[str, int] = {}
        self._synced_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def position_ns(self) -> int:
        """Everything before it is made."""
        return self.seconds.end_ns(self.count)

    @property
    def next_second(self) -> Second | None:
        """The second that comes; None after the last one."""
        return self.seconds[self.count] if self.count < len(self.seconds) else None

    @property
    def known(self) -> int:
        """Seconds that the journal held when the tape was opened."""
        return len(self._entries)

    def resume(self) -> Iterator[int]:
        """Draw again what is made, and mend what a kill has cut off; seconds done so far.

        Nothing can be published before its end.

        Raises
        ------
        IntegrityError
            ``LIVE_JOURNAL_DAMAGED`` or ``LIVE_STREAM_DIFFERS``, with the place.
        """
        self._refuse_gaps()
        for name, stream in self._streams.items():
            self._ends[name] = stream.begin()
            whole = self._entries[-1].ends[name] if self._entries else self._ends[name]
            is_ended = self.known == len(self.seconds)
            self.dropped += stream.cut(whole + (len(END) if is_ended else 0))
        for batch in self._made_again():
            self._mend(batch)
            yield self.count
        self._follow_log()
        if self.control.used:
            self.folder.write_control(self.control.used_log)
        if self.next_second is None:
            self._end()

    def follow(self, told: Sequence[Told]) -> tuple[Refused, ...]:
        """Take every version that is told; those that come too late are given back once."""
        late = self.control.follow(told, self.position_ns)
        self._follow_log()
        return late

    def publish(self, wall_ns: int) -> tuple[Told, ...]:
        """Make the next second and publish it; versions that took effect with it.

        Parameters
        ----------
        wall_ns : int
            The present time.
        """
        second = self.next_second
        assert second is not None
        taken = self.control.take(second.start_ns)
        events = self._plain(self._source.advance(second.end_ns))
        pieces = {name: message_of(batch) for name, batch in events.items()}
        rows = {name: batch.num_rows for name, batch in events.items()}
        ends = {name: self._ends[name] + len(piece) for name, piece in pieces.items()}
        self._journal.append(Entry(second.start_ns, wall_ns, rows, ends, taken))
        for name, piece in pieces.items():
            self._streams[name].write(self._ends[name], piece)
        self._count(rows, ends)
        if taken:
            self.folder.write_control(self.control.used_log)
        if self.next_second is None:
            self._end()
        elif abs(wall_ns - self._synced_ns) >= _SYNC_NS:
            self._synced_ns = wall_ns
            self.sync()
        return taken

    def sync(self) -> None:
        """Let what is made outlive the machine, the journal first."""
        self._journal.sync()
        for stream in self._streams.values():
            stream.sync()

    def spec(self) -> TapeSpec:
        """The spec of what is made so far; there is a second of it."""
        return self.plan.spec_under(self.control.used_log, self.position_ns)

    def whole_spec(self) -> TapeSpec:
        """The spec of the whole tape, if the control stays as it is known."""
        return self._spec()

    def _spec(self) -> TapeSpec:
        if not self.control.used and not self.control.pending:
            return self.plan.spec
        return self.plan.spec_under(self.control.log)

    def _follow_log(self) -> None:
        """Tell the source, if there is something new."""
        if not self.control.used and not self.control.pending:
            return
        log = self.control.log
        if log == self._followed:
            return
        self._followed = log
        if self.count:
            self._source.set_control(log)
        else:
            # Nothing is made, so nothing is past.
            self._source = self._make(self._spec(), self.plan.seed_bundle.root_seed)

    def _made_again(self) -> Iterator[Batch]:
        """What is made, stretch by stretch."""
        end_ns = self.seconds.end_ns(self.known)
        wanted = [
            Bucket(one.start_ns, min(one.end_ns, end_ns))
            for one in buckets_of(self.plan.spec)
            if one.start_ns < end_ns
        ]
        return by_bucket((self._source.advance(one.end_ns) for one in wanted), wanted)

    def _mend(self, batch: Batch) -> None:
        """Prove the seconds of a stretch that are made, and write what is missing of them."""
        events = self._plain(batch)
        starts = np.arange(batch.start_ns, batch.end_ns + 1, SECOND_NS)
        borders = {
            name: np.searchsorted(columns["ts_ns"], starts).tolist()
            for name, columns in batch.streams.items()
        }
        for place, start_ns in enumerate(starts[:-1].tolist()):
            seconds = {
                name: events[name].slice(rows[place], rows[place + 1] - rows[place])
                for name, rows in borders.items()
            }
            self._mend_second(start_ns, seconds)

    def _mend_second(self, start_ns: int, events: Mapping[str, pa.RecordBatch]) -> None:
        entry = self._entries[self.count]
        pieces = {name: message_of(batch) for name, batch in events.items()}
        rows = {name: batch.num_rows for name, batch in events.items()}
        ends = {name: self._ends[name] + len(piece) for name, piece in pieces.items()}
        what = f"the second from {start_ns}"
        if (entry.rows, entry.ends) != (rows, ends):
            raise _damaged(self.count, f"tells of other events of {what}")
        for name, piece in pieces.items():
            self.mended += self._streams[name].prove(self._ends[name], piece, what)
        self._count(rows, ends)

    def _plain(self, batch: Batch) -> dict[str, pa.RecordBatch]:
        """Events of a stretch, stream by stream."""
        self._heard(batch, self._source)
        self._texts.list_contracts(self._source.contracts)
        tables = stream_tables(batch, self._texts)
        return {name: self._streams[name].plain(table) for name, table in tables.items()}

    def _count(self, rows: Mapping[str, int], ends: dict[str, int]) -> None:
        self.count += 1
        self._ends = ends
        for name, more in rows.items():
            self.events[name] += more

    def _end(self) -> None:
        """Mark the end of every stream."""
        for name, stream in self._streams.items():
            stream.prove(self._ends[name], END, "its end")
        self.sync()

    def _refuse_gaps(self) -> None:
        for row, entry in enumerate(self._entries):
            is_next = row < len(self.seconds) and self.seconds[row].start_ns == entry.second_ns
            if not is_next:
                raise _damaged(row, "is not about the second that comes there")


def _damaged(row: int, what: str) -> IntegrityError:
    return IntegrityError(
        "LIVE_JOURNAL_DAMAGED",
        f"line {row + 1} of the journal {what}",
        f"line {row + 1} of the journal",
        (
            "go on with the version and libraries that wrote it, or name another folder",
            "if somebody changed the file, nothing of it can be trusted",
        ),
    )
