"""A grid dataset in a folder: events in, tables and manifest out, resumable.

Everything is written below a staging folder and moved in place at the end, the manifest
last: a folder without a manifest is no dataset. Where datasets lie in the store is in
``grid_datasets``; the computation is ``engine.grid``.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.canonical import Document, canonical_json
from contracts.errors import ContractError, IntegrityError
from contracts.grid import Compat, GridConfig
from engine.book.api import VERSION as BOOK_VERSION
from engine.book.events import Events
from engine.grid.api import VERSION as GRID_VERSION
from engine.grid.api import Bins, GridMachine
from islandflow_resources.grid_checkpoints import (
    Checkpoint,
    CheckpointHead,
    read_checkpoint,
    refuse_other_run,
    write_checkpoint,
)
from islandflow_resources.grid_finals import write_finals
from islandflow_resources.grid_folder import (
    CHECKPOINTS,
    CHECKSUMS,
    MANIFEST,
    checksums_of,
    move_in,
    refuse_occupied,
)
from islandflow_resources.grid_tables import (
    GridFiles,
    bins_table,
    read_groups,
    rows_table,
)
from islandflow_resources.mbo_files import file_digest, read_events

FORMAT: Final = "islandflow-grid-dataset/1"
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
    """

    events: Path
    config: GridConfig
    compat: Compat = "v2"
    emit_from_ns: int | None = None
    full: bool = False
    checkpoint_every: int = 0
    from_checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class BuiltGrid:
    """A dataset that stands in a folder, or is ready to."""

    folder: Path
    manifest: Document


def identity_of(order: GridOrder, source_digest: str) -> Document:
    """What determines a grid: configuration, rules, warm-up, source, engine."""
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
        ``GRID_EXISTS`` if the folder holds a dataset or other files; whatever is wrong
        with events, configuration or checkpoint. Nothing but checkpoints is then left.
    """
    refuse_occupied(folder)
    checkpoint = read_checkpoint(order.from_checkpoint) if order.from_checkpoint else None
    order = _as_warmed_up(order, checkpoint)
    fresh = not folder.exists()
    staging = folder / f".staging-{secrets.token_hex(8)}"
    staging.mkdir(parents=True)
    try:
        manifest = _Build(order, folder, staging, checkpoint).run()
        move_in(staging, folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if fresh and not any(folder.iterdir()):
            folder.rmdir()
        raise
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
        ``CHECKPOINT_EXISTS``; whatever is wrong with the events or the configuration.
    """
    until_ns = order.emit_from_ns
    assert until_ns is not None, "a warm-up ends at a time"
    if out.exists():
        raise ContractError(
            "CHECKPOINT_EXISTS", "a file is there already", str(out), ("name another file",)
        )
    machine = GridMachine(order.config, order.compat, until_ns)
    reader = read_events(order.events, symbol=order.config.runtime_config.symbol)
    identity = identity_of(order, reader.digest)
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
    out.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint(out, head, machine.freeze())
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
        self.checkpoints = folder / CHECKPOINTS
        self.reader = read_events(order.events, symbol=runtime.symbol)
        self.identity = identity_of(order, self.reader.digest)
        self.machine = GridMachine(order.config, order.compat, order.emit_from_ns)
        projections = [f"proj_score_h{ms}" for ms in runtime.horizons_ms] if order.full else []
        self.files = GridFiles(staging, runtime.grid_radius_ticks, projections)
        self.taken = 0
        self.parts: list[Document] = []
        self.unparted: list[tuple[pa.Table, pa.Table]] = []

    def run(self) -> Document:
        """All of it; the manifest that was written."""
        try:
            if self.checkpoint is not None:
                self._resume(self.checkpoint)
            self._take_all()
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
        for batch in self.reader:
            skip = min(batch.rows, behind - skipped)
            skipped += skip
            for piece in self._pieces(batch.part(skip, batch.rows)):
                for bins in self.machine.push(piece):
                    self._append(bins)
                self.taken += piece.rows
                every = self.order.checkpoint_every
                if every and self.taken % every == 0:
                    self._checkpoint()
        if skipped < behind:
            raise ContractError(
                "CHECKPOINT_OF_ANOTHER_RUN",
                f"the checkpoint holds {behind} events, the file only {skipped}",
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
        if self.order.checkpoint_every:
            self.unparted.append(tables)

    def _checkpoint(self) -> None:
        self.checkpoints.mkdir(exist_ok=True)
        if self.unparted:
            self._write_parts()
        head = CheckpointHead(self.identity, self.taken, self.machine.bin_count, self.parts)
        path = self.checkpoints / f"{self.taken:012d}.arrow"
        write_checkpoint(path, head, self.machine.freeze())

    def _write_parts(self) -> None:
        whole = [pa.concat_tables(tables) for tables in zip(*self.unparted, strict=True)]
        part: Document = {}
        for kind, table in zip(("bins", "grid"), whole, strict=True):
            path = self.checkpoints / f"{self.taken:012d}.{kind}.parquet"
            temporary = path.with_name(f".{path.name}.part")
            pq.write_table(table, temporary, compression="ZSTD", compression_level=1)
            temporary.replace(path)
            part[kind] = {"name": path.name, "digest": file_digest(path)}
        self.parts = [*self.parts, part]
        self.unparted = []

    def _resume(self, checkpoint: Checkpoint) -> None:
        where = str(self.order.from_checkpoint)
        refuse_other_run(checkpoint, self.identity, where)
        self.machine.thaw(checkpoint.arrays)
        self.taken = checkpoint.head.rows_taken
        self.parts = checkpoint.head.parts
        beside = Path(where).parent
        for part in self.parts:
            pair = [self._part(beside, part[kind]) for kind in ("bins", "grid")]
            self.files.append(*pair)
            if self.order.checkpoint_every:
                self.unparted.append((pair[0], pair[1]))
        if self.order.checkpoint_every and beside.resolve() != self.checkpoints.resolve():
            # Checkpoints of this build must not lean on files of another folder.
            self.parts = []
        else:
            self.unparted = []

    def _part(self, beside: Path, part: Any) -> pa.Table:
        path = beside / str(part["name"])
        if not path.is_file() or file_digest(path) != part["digest"]:
            raise IntegrityError(
                "CHECKPOINT_DAMAGED",
                "a file with the bins before the checkpoint is missing or has changed",
                str(path),
                ("use an earlier checkpoint, or build from the beginning",),
            )
        table = pa.concat_tables(read_groups(path))
        names = [name for name in table.column_names if "proj_score" not in name]
        wanted = self.files.schema.names
        if "k" in names and not set(wanted) <= set(table.column_names):
            raise ContractError(
                "CHECKPOINT_OF_ANOTHER_RUN",
                "the checkpoint was made without projections",
                str(path),
                ("leave --full out, or build from the beginning",),
            )
        return table.select(list(wanted)) if "k" in names else table

    def _write_manifest(self, tables: Document) -> Document:
        runtime, summary = self.order.config.runtime_config, self.reader.summary
        names = sorted(path.name for path in self.staging.iterdir())
        checksums: Document = {name: checksums_of(self.staging / name) for name in names}
        manifest: Document = {
            "format": FORMAT,
            "dataset_id": dataset_id_of(self.order, summary.digest),
            "form": "full" if self.order.full else "dataset",
            "instrument": {"product_type": runtime.product_type, "symbol": runtime.symbol},
            **self.identity,
            "source": _account(asdict(summary)),
            "events": self.taken,
            "bins": self.machine.bin_count,
            "anomalies": dict(self.machine.anomalies.items()),
            "tables": tables,
            "files": checksums,
        }
        (self.staging / CHECKSUMS).write_bytes(canonical_json(checksums) + b"\n")
        (self.staging / MANIFEST).write_bytes(canonical_json(manifest) + b"\n")
        return manifest


def _account(summary: dict[str, Any]) -> Document:
    """What the manifest says of the source: all but where it lay."""
    left_out = {"path"}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in summary.items()
        if name not in left_out
    }
