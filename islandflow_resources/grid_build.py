"""A grid dataset in a folder: events in, tables and manifest out, resumable.

Everything is written below a staging folder and moved in place at the end, the manifest
last: a folder without a manifest is no dataset. Where datasets lie in the store is in
``grid_datasets``; the computation is ``engine.grid``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from contracts.canonical import Document, canonical_json
from contracts.errors import ContractError
from contracts.grid import Compat, GridConfig
from engine.book.api import VERSION as BOOK_VERSION
from engine.book.events import Events
from engine.grid.api import VERSION as GRID_VERSION
from engine.grid.api import Bins, GridMachine
from engine.grid.kernels import MAX_EMPTY_BINS
from islandflow_resources.grid_checkpoints import (
    Checkpoint,
    CheckpointHead,
    Parts,
    checkpoint_bytes,
    read_checkpoint,
    read_parts,
    refuse_other_run,
    write_checkpoint,
)
from islandflow_resources.grid_finals import write_finals
from islandflow_resources.grid_folder import CHECKPOINTS, staged, write_manifest
from islandflow_resources.grid_sessions import (
    refuse_backward_session,
    refuse_empty_session,
    session_events,
)
from islandflow_resources.grid_tables import GridFiles, bins_table, rows_table
from islandflow_resources.mbo_files import read_events
from islandflow_resources.new_files import new_file, refuse_taken

ENGINE: Final = f"book {BOOK_VERSION}, grid {GRID_VERSION}"


@dataclass(frozen=True, slots=True)
class GridOrder:
    """What is to be built.

    Attributes
    ----------
    events : Path
        File of events.
    config : GridConfig
    compat : {"v2", "v1"}
    emit_from_ns : int, optional
        Start of the first bin.
    full : bool
        Projections and final state too.
    checkpoint_every : int
        Events between checkpoints; 0 for none.
    from_checkpoint : Path, optional
    emit_until_ns : int, optional
        From the first event at or after it on, no event counts.
    """

    events: Path
    config: GridConfig
    compat: Compat = "v2"
    emit_from_ns: int | None = None
    full: bool = False
    checkpoint_every: int = 0
    from_checkpoint: Path | None = None
    emit_until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class BuiltGrid:
    """A dataset that stands in a folder, or is ready to."""

    folder: Path
    manifest: Document


def identity_of(order: GridOrder, source_digest: str) -> Document:
    """What determines a grid: configuration, rules, session, source, engine."""
    identity = state_identity_of(order, source_digest)
    # Said only where there is one: a grid of all events has the name that it always had.
    if order.emit_until_ns is not None:
        identity["emit_until_ns"] = str(order.emit_until_ns)
    return identity


def state_identity_of(order: GridOrder, source_digest: str) -> Document:
    """What determines a state on the way to a grid: all but where its events end."""
    return {
        "config": order.config.identity(),
        "compat": order.compat,
        "emit_from_ns": None if order.emit_from_ns is None else str(order.emit_from_ns),
        "source": source_digest,
        "engine": ENGINE,
    }


def dataset_id_of(order: GridOrder, source_digest: str) -> str:
    """Name of the dataset: slug of the symbol, hash of its identity."""
    symbol = "".join(c if c.isalnum() else "-" for c in order.config.runtime_config.symbol.lower())
    text = canonical_json(identity_of(order, source_digest))
    return f"{symbol.strip('-') or 'x'}-{hashlib.sha256(text).hexdigest()[:16]}"


def build_grid(order: GridOrder, folder: Path) -> BuiltGrid:
    """Build a dataset in a folder of its own.

    Raises
    ------
    ContractError
        ``GRID_EXISTS`` if the folder holds a dataset or other files, ``GRID_BUSY`` if another
        build is at work there, ``FOLDER_NOT_WRITABLE``; whatever is wrong with events,
        configuration or checkpoint. Nothing but checkpoints is then left.
    """
    with staged(folder) as staging:
        checkpoint = read_checkpoint(order.from_checkpoint) if order.from_checkpoint else None
        order = _as_warmed_up(order, checkpoint)
        refuse_backward_session(order.emit_from_ns, order.emit_until_ns)
        manifest = _Build(order, folder, staging, checkpoint).run()
    return BuiltGrid(folder, manifest)


def _as_warmed_up(order: GridOrder, checkpoint: Checkpoint | None) -> GridOrder:
    """The order with the start of its first bin, where only the checkpoint tells it."""
    if checkpoint is None or order.emit_from_ns is not None:
        return order
    told = checkpoint.head.identity["emit_from_ns"]
    return order if told is None else replace(order, emit_from_ns=int(str(told)))


def warm_book(order: GridOrder, out: Path) -> CheckpointHead:
    """A checkpoint after all events before the time at which the first bin is to start.

    Raises
    ------
    ContractError
        ``FILE_EXISTS`` or ``FILE_NOT_WRITABLE``; whatever is wrong with the events or the
        configuration. Nothing is then left.
    """
    until_ns = order.emit_from_ns
    assert until_ns is not None, "a warm-up ends at a time"
    refuse_taken(out)
    machine = GridMachine(order.config, order.compat, until_ns)
    reader = read_events(order.events, symbol=order.config.runtime_config.symbol)
    identity = state_identity_of(order, reader.digest)
    taken = 0
    for batch in reader:
        early = batch.ts_ns < until_ns
        rows = batch.rows if early.all() else int(early.argmin())
        for _ in machine.push(batch.part(0, rows)):
            raise AssertionError("no bin closes before the first one starts")
        taken += rows
        if rows < batch.rows:
            break
    reader.close()
    head = CheckpointHead(identity, taken, 0, [])
    with new_file(out) as temporary:
        temporary.write_bytes(checkpoint_bytes(head, machine.freeze()))
    return head


class _Build:
    """One build: the machine, the tables it fills, the checkpoints it leaves."""

    def __init__(
        self, order: GridOrder, folder: Path, staging: Path, checkpoint: Checkpoint | None
    ) -> None:
        runtime = order.config.runtime_config
        self.order = order
        self.checkpoint = checkpoint
        self.staging = staging
        self.parts = Parts(folder / CHECKPOINTS) if order.checkpoint_every else None
        self.reader = read_events(order.events, symbol=runtime.symbol)
        self.identity = identity_of(order, self.reader.digest)
        self.machine = GridMachine(order.config, order.compat, order.emit_from_ns)
        projections = [f"proj_score_h{ms}" for ms in runtime.horizons_ms] if order.full else []
        self.files = GridFiles(staging, runtime.grid_radius_ticks, projections)
        self.taken = 0

    def run(self) -> Document:
        """All of it; the manifest that was written."""
        try:
            if self.checkpoint is not None:
                self._resume(self.checkpoint)
            self._take_all()
            refuse_empty_session(self.taken, self.order.emit_until_ns)
            last = self.machine.finish()
            if last is not None:
                self._append(last)
        except BaseException:
            self.files.abandon()
            self.reader.close()
            raise
        tables: Document = dict(self.files.close().items())
        if self.order.full:
            tables |= write_finals(self.machine, self.staging)
        return self._write_manifest(tables)

    def _take_all(self) -> None:
        skipped = 0
        behind = self.taken
        for batch in session_events(self.reader, self.order.emit_until_ns):
            if not skipped and not self.taken:
                _refuse_early_start(self.order, int(batch.ts_ns[0]))
            skip = min(batch.rows, behind - skipped)
            skipped += skip
            for piece in self._pieces(batch.part(skip, batch.rows)):
                for bins in self.machine.push(piece):
                    self._append(bins)
                self.taken += piece.rows
                if self.parts and self.taken % self.order.checkpoint_every == 0:
                    self._checkpoint(self.parts)
        if skipped < behind:
            whole = "the file" if self.order.emit_until_ns is None else "the session"
            raise ContractError(
                "CHECKPOINT_OF_ANOTHER_RUN",
                f"the checkpoint holds {behind} events, {whole} only {skipped}",
                str(self.order.from_checkpoint),
                ("use the file that the checkpoint was made from",),
            )

    def _pieces(self, batch: Events) -> Iterator[Events]:
        """The batch, cut where a checkpoint is due."""
        every, start = self.order.checkpoint_every, 0
        while start < batch.rows:
            stop = batch.rows
            if every:
                stop = min(stop, start + every - self.taken % every)
            yield batch.part(start, stop)
            start = stop

    def _append(self, bins: Bins) -> None:
        tables = bins_table(bins), rows_table(bins, self.files.schema)
        self.files.append(*tables)
        if self.parts:
            self.parts.append(*tables)

    def _checkpoint(self, parts: Parts) -> None:
        parts.write()
        identity = state_identity_of(self.order, self.reader.digest)
        head = CheckpointHead(identity, self.taken, self.machine.bin_count, parts.written)
        path = parts.folder / f"{self.taken:012d}.arrow"
        parts.folder.mkdir(exist_ok=True)
        write_checkpoint(path, head, self.machine.freeze())

    def _resume(self, checkpoint: Checkpoint) -> None:
        where = self.order.from_checkpoint
        assert where is not None
        identity = state_identity_of(self.order, self.reader.digest)
        refuse_other_run(checkpoint, identity, str(where))
        self.machine.thaw(checkpoint.arrays)
        self.taken = checkpoint.head.rows_taken
        # Checkpoints of this build must not lean on files of another folder.
        parts = self.parts
        is_ours = parts is not None and where.parent.resolve() == parts.folder.resolve()
        for bins, rows in read_parts(checkpoint.head, where.parent):
            self.files.append(bins, self._with_columns(rows))
            if parts and not is_ours:
                parts.append(bins, self._with_columns(rows))
        if parts and is_ours:
            parts.written = [*checkpoint.head.parts]

    def _with_columns(self, rows: pa.Table) -> pa.Table:
        """Rows of a checkpoint without projections that are not asked for."""
        wanted = list(self.files.schema.names)
        if not set(wanted) <= set(rows.column_names):
            raise ContractError(
                "CHECKPOINT_OF_ANOTHER_RUN",
                "the checkpoint was made without projections",
                str(self.order.from_checkpoint),
                ("leave --full out, or build from the beginning",),
            )
        return rows.select(wanted)

    def _write_manifest(self, tables: Document) -> Document:
        runtime, summary = self.order.config.runtime_config, self.reader.summary
        manifest: Document = {
            "dataset_id": dataset_id_of(self.order, summary.digest),
            "form": "full" if self.order.full else "dataset",
            "instrument": {"product_type": runtime.product_type, "symbol": runtime.symbol},
            **self.identity,
            "source": _account(asdict(summary)),
            "events": self.taken,
            "bins": self.machine.bin_count,
            "anomalies": dict(self.machine.anomalies.items()),
            "tables": tables,
        }
        return write_manifest(self.staging, manifest)


def _refuse_early_start(order: GridOrder, first_ns: int) -> None:
    """Refuse a start from which nothing but empty bins leads to the first event."""
    start_ns, width_ns = order.emit_from_ns, order.config.runtime_config.cell_width_ns
    if start_ns is None or (first_ns - start_ns) // width_ns < MAX_EMPTY_BINS:
        return
    raise ContractError(
        "EMIT_FROM_TOO_EARLY",
        f"the first bin cannot start at {start_ns}: the first event is at {first_ns}, "
        f"more than {MAX_EMPTY_BINS} bins later",
        "--emit-from",
        ("give nanoseconds since 1970, or leave it out to start at the first event",),
    )


def _account(summary: dict[str, Any]) -> Document:
    """What the manifest says of the source: all but where it lay."""
    left_out = {"path"}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in summary.items()
        if name not in left_out
    }
