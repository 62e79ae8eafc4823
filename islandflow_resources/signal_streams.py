"""A published signal as a stream: its events found and verified, its bins made one by one.

``SignalStream.advance`` is the engine's side of serving; it knows no clock, no client and no
encoding. Where a stream stands is ``stream_clocks``; what the socket sends of a bin is
``islandflow_jobs.serve.messages``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contracts.errors import IntegrityError, NotFoundError
from contracts.serving import PublishedSignal, StreamSource
from engine.book.events import Events
from engine.grid import layout as at
from engine.grid.api import Bins, GridMachine
from engine.signals.api import LiveSignal
from islandflow_resources import mbo_sources, mbo_tapes
from islandflow_resources.database import Database
from islandflow_resources.grid_build import GridOrder, dataset_id_of
from islandflow_resources.grid_sessions import session_events
from islandflow_resources.instrument_lock import refuse_other_instrument
from islandflow_resources.mbo_files import read_events
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.settings import Settings
from islandflow_resources.stored_files import StoredFile, fetched

_KINDS = {"tape": mbo_tapes.WHAT, "recorded": mbo_sources.WHAT}


@dataclass(frozen=True, slots=True)
class LiveBin:
    """One closed bin: a row of some bins, and the signal's value in it.

    Attributes
    ----------
    number : int
        From 0.
    bins : Bins
    row : int
    value : float
        NaN where the signal has none yet.
    ingest_ns, ready_ns : int
        When its last events were taken and when its row was ready, on the clock of
        ``time.perf_counter_ns``.
    """

    number: int
    bins: Bins
    row: int
    value: float
    ingest_ns: int
    ready_ns: int


class SignalStream:
    """The bins of a published signal, from the first one on.

    Made by `open_stream`. Not to be used by two threads at once.

    Parameters
    ----------
    spec : PublishedSignal
    events : Path
        Verified local file.
    """

    def __init__(self, spec: PublishedSignal, events: Path) -> None:
        runtime, source = spec.runtime_snapshot.runtime_config, spec.stream
        self.spec = spec
        self._is_dry = False
        self._machine = GridMachine(spec.runtime_snapshot, "v2", source.start_ns)
        reader = read_events(events, symbol=runtime.symbol)
        self._batches = session_events(reader, source.end_ns)
        self._rest: Events | None = None
        self._width_ns = runtime.cell_width_ns
        self._signal = live_signal(spec)
        self._made: deque[LiveBin] = deque()
        self._count = 0

    @property
    def count(self) -> int:
        """Number of bins that `advance` has given or passed by."""
        return self._count - len(self._made)

    @property
    def is_ended(self) -> bool:
        """Whether the events have ended and all bins were given."""
        return self._is_dry and not self._made

    def prime(self) -> None:
        """Make the first bin without giving it: what is slow only once is done then."""
        while not self._count and not self._is_dry:
            self._take(0)

    def advance(self, last: int, keep: int) -> list[LiveBin]:
        """Bins from where it stands up to number `last`, of these the newest `keep`.

        Fewer come when the events end; then `is_ended` is set.

        Raises
        ------
        ContractError
            If an event cannot be taken, see ``engine.grid.api``.
        """
        due: deque[LiveBin] = deque(maxlen=keep)
        while True:
            while self._made and self._made[0].number <= last:
                due.append(self._made.popleft())
            if self._is_dry or self._count > last:
                return list(due)
            self._take(last)

    def _take(self, last: int) -> None:
        """Take events until the bin `last` is closed, at most one batch of them."""
        batch = self._rest if self._rest is not None else next(self._batches, None)
        start_ns = time.perf_counter_ns()
        if batch is None:
            final = self._machine.finish()
            self._keep(() if final is None else (final,), start_ns)
            self._is_dry = True
            return
        rows = self._rows_until(batch, last)
        self._rest = batch.part(rows, batch.rows) if rows < batch.rows else None
        self._keep(self._machine.push(batch.part(0, rows)), start_ns)

    def _rows_until(self, batch: Events, last: int) -> int:
        """Events up to the one that closes the bin `last`, itself included."""
        frame = self._machine.state.frame
        if not frame[at.STARTED]:
            start_ns = self.spec.stream.start_ns
            started = batch.ts_ns >= (batch.ts_ns[0] if start_ns is None else start_ns)
            return int(started.argmax()) + 1 if started.any() else batch.rows
        ahead = last + 1 - int(frame[at.BINS])
        beyond = batch.ts_ns >= frame[at.BIN_START] + ahead * self._width_ns
        return int(beyond.argmax()) + 1 if beyond.any() else batch.rows

    def _keep(self, closed: Iterator[Bins] | tuple[Bins, ...], start_ns: int) -> None:
        for bins in closed:
            values = self._signal.push(*signal_input(bins))
            ready_ns = time.perf_counter_ns()
            for row in range(bins.rows):
                value = float(values[row])
                self._made.append(LiveBin(self._count, bins, row, value, start_ns, ready_ns))
                self._count += 1


def live_signal(spec: PublishedSignal) -> LiveSignal:
    """The signal of a spec before its first bin."""
    runtime, signal = spec.runtime_snapshot.runtime_config, spec.signal
    return LiveSignal(
        signal.name,
        dict(signal.params),
        runtime.grid_radius_ticks,
        runtime.cell_width_ms,
        runtime.tick_size,
    )


def signal_input(
    bins: Bins,
) -> tuple[dict[str, npt.NDArray[np.float64]], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Columns of rows, mid prices (NaN where the book is not valid) and times of some bins."""
    rows = bins.last_event_id.shape[1]
    codes = {"flow_state_code": bins.flow_state_code, "state5_code": bins.state5_code}
    columns = {**bins.fields, **{name: code.astype(np.float64) for name, code in codes.items()}}
    microstate = bins.ints["microstate_id"].astype(np.float64)
    columns["microstate_id"] = np.repeat(microstate[:, None], rows, axis=1)
    mid_price = np.where(bins.ints["book_valid"] != 0, bins.floats["mid_price"], np.nan)
    return columns, mid_price, np.ascontiguousarray(bins.ints["ts_ns"])


def open_stream(
    store: ObjectStore,
    database: Database,
    settings: Settings,
    spec: PublishedSignal,
    workspace: Path,
) -> SignalStream:
    """The stream of a published signal, its events verified.

    Parameters
    ----------
    workspace : Path
        Local, for events that lie elsewhere.

    Raises
    ------
    ContractError
        ``INSTRUMENT_LOCKED`` for another instrument than this environment's.
    IntegrityError
        ``STREAM_ENGINE_DIFFERS`` if this engine would not repeat the dataset to the bit;
        ``FILE_DIGEST_MISMATCH``.
    NotFoundError
        ``STREAM_EVENTS_MISSING``, ``OBJECT_NOT_FOUND``.
    """
    refuse_unfit(settings, spec)
    events = fetched(store, _events_of(database, spec.stream), workspace)
    stream = SignalStream(spec, events)
    stream.prime()
    return stream


def refuse_unfit(settings: Settings, spec: PublishedSignal) -> None:
    """Refuse what must not or cannot be streamed here; see `open_stream`."""
    refuse_other_instrument(settings, spec.runtime_snapshot, f"the published spec {spec.name}")
    source = spec.stream
    order = GridOrder(
        Path(),
        spec.runtime_snapshot,
        emit_from_ns=source.start_ns,
        emit_until_ns=source.end_ns,
    )
    found = dataset_id_of(order, source.events_digest)
    if found != source.dataset_id:
        raise IntegrityError(
            "STREAM_ENGINE_DIFFERS",
            f"cannot stream {spec.name}: this engine makes {found} of its events, "
            f"published is {source.dataset_id}",
            source.dataset_id,
            ("promote the signal again with this release",),
        )


def _events_of(database: Database, source: StreamSource) -> StoredFile:
    """Where the events lie: only what is recorded under their key with their digest."""
    for row in database.artefacts(what=_KINDS[source.what], scenario_key=source.key):
        if (row.file_digest, row.seed) == (source.events_digest, source.seed):
            return StoredFile(row.object_key, source.events_digest)
    raise NotFoundError(
        "STREAM_EVENTS_MISSING",
        f"no events {source.events_digest} are recorded for {source.key}",
        source.key,
        ("make the tape, or register the file, that the signal was evaluated on",),
    )
