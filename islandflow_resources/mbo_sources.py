"""Recorded market-by-order files as stored objects: checked whole, kept by the digest of the file.

A file is read through before anything is stored, so that a damaged one publishes nothing;
it is then kept as it is, with a sealed manifest, written last, that gives the account of
its records. Reading is ``mbo_files``; synthetic tapes are ``mbo_tapes``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from contracts.canonical import Document
from contracts.digest import bare, recipe_digest
from contracts.errors import ContractError, IntegrityError, NotFoundError
from islandflow_resources.database import Database
from islandflow_resources.mbo_files import EventReader, Ingestion, read_events
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.stored_files import StoredFile, put_file, read_sealed, sealed

WHAT: Final = "mbo_source"
VERSION: Final = "1"
FORMAT: Final = "islandflow-mbo-source/1"
_MAX_SLUG: Final = 64


@dataclass(frozen=True, slots=True)
class MboSource:
    """A registered file of events of one instrument.

    Attributes
    ----------
    key : str
        ``{slug of the symbol}-{first 12 of the file's digest}``: its partition.
    manifest : dict
        Verified: the account of its records, rows and times.
    """

    key: str
    manifest: Document

    @property
    def events(self) -> StoredFile:
        """Where the file lies."""
        return StoredFile(str(self.manifest["object"]), str(self.manifest["file_digest"]))

    @property
    def symbol(self) -> str | None:
        """The instrument that is read from it; None if nobody names the only one."""
        return str(self.manifest["symbol"]) or None

    @property
    def first_ns(self) -> int:
        """Least time of the events."""
        return int(str(self.manifest["first_ns"]))


@dataclass(frozen=True, slots=True)
class RegisteredSource:
    """A source, and whether it was new."""

    source: MboSource
    new: bool


def register_source(
    store: ObjectStore, database: Database, path: Path, symbol: str | None, run_id: str
) -> RegisteredSource:
    """Read a file through, keep it, and enter it by the digest of its bytes.

    Parameters
    ----------
    symbol : str, optional
        The instrument, needed if the file has several.

    Raises
    ------
    ContractError
        Whatever is wrong with the file, see ``mbo_files.read_events``, or ``MBO_FILE_EMPTY``
        if it has no event of the instrument. Nothing is stored then.
    """
    reader = read_events(path, symbol=symbol)
    rows, first_ns, last_ns = _read_through(reader)
    summary = reader.summary
    if not rows:
        raise ContractError(
            "MBO_FILE_EMPTY",
            f"cannot register {path}: it has no event of {symbol or 'any instrument'}",
            str(path),
            ("look at it with `islandflow book check`",),
        )
    folder = f"sources/mbo/{bare(summary.digest)}"
    # The reader tells CSV by its name, everything else by its bytes.
    events = StoredFile(f"{folder}/events.{summary.form}", summary.digest)
    key = source_key(symbol or summary.symbol, summary.digest)
    body: Document = {
        "format": FORMAT,
        "source_key": key,
        "object": events.key,
        "file_digest": events.digest,
        "bytes": path.stat().st_size,
        "symbol": symbol or summary.symbol,
        "rows": rows,
        "first_ns": str(first_ns),
        "last_ns": str(last_ns),
        "ingestion": account_of(summary),
    }
    put_file(store, events, path)
    manifest_key = f"{folder}/{key}/manifest.json"
    store.put_exact(manifest_key, sealed(body))
    new = database.record([_row(key, manifest_key, body, run_id)]) == 1
    return RegisteredSource(MboSource(key, body), new)


def registered_source(store: ObjectStore, database: Database, key: str) -> MboSource:
    """A registered source with its manifest verified, its file not yet.

    Raises
    ------
    NotFoundError
        ``SOURCE_NOT_REGISTERED``.
    IntegrityError
        ``MANIFEST_DAMAGED``, or ``RECORD_DIFFERS`` if the manifest names another file than
        was recorded.
    """
    rows = database.artefacts(what=WHAT, scenario_key=key)
    if not rows:
        raise NotFoundError(
            "SOURCE_NOT_REGISTERED",
            f"no source is registered as {key}",
            key,
            ("register its file: islandflow book import FILE",),
        )
    manifest_key = str(rows[0].manifest_key)
    source = MboSource(key, read_sealed(store, manifest_key))
    if (source.events.digest, source.manifest["source_key"]) == (rows[0].file_digest, key):
        return source
    raise IntegrityError(
        "RECORD_DIFFERS",
        f"{store.uri(manifest_key)} names {source.events.digest}, "
        f"recorded is {rows[0].file_digest}",
        manifest_key,
        ("look at both, and move away the one that is damaged",),
    )


def source_key(symbol: str, digest: str) -> str:
    """Partition key of a file and the instrument that is read from it."""
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in symbol.lower()).strip("-")
    return f"{slug[:_MAX_SLUG] or 'unnamed'}-{bare(digest)[:12]}"


def account_of(summary: Ingestion) -> Document:
    """What a manifest says of a file's records: all but where the file lay."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(summary).items()
        if name != "path"
    }


def _read_through(reader: EventReader) -> tuple[int, int, int]:
    """Rows, least and greatest time of all events."""
    rows = first_ns = last_ns = 0
    for events in reader:
        first, last = int(events.ts_ns.min()), int(events.ts_ns.max())
        first_ns = min(first_ns, first) if rows else first
        last_ns = max(last_ns, last)
        rows += events.rows
    return rows, first_ns, last_ns


def _row(key: str, manifest_key: str, body: Document, run_id: str) -> Artefact:
    digest, symbol = str(body["file_digest"]), str(body["symbol"])
    return Artefact(
        recipe_digest=recipe_digest(
            WHAT, version=VERSION, specs={"symbol": symbol}, inputs={"file": digest}
        ),
        what=WHAT,
        scenario_key=key,
        version=VERSION,
        content_digest=digest,
        file_digest=digest,
        object_key=body["object"],
        manifest_key=manifest_key,
        rows=body["rows"],
        recipe={"symbol": symbol, "file": digest},
        run_id=run_id,
    )
