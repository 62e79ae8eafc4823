"""Tapes of market-by-order events as stored objects: registered, made once, trusted verified.

A tape is its parquet and a sealed manifest, written last, which carries its scorecard: a
tape without a manifest does not exist. The events come from ``engine.tapes.mbo``; recorded
files are ``mbo_sources``; a damaged tape is reported and left, never replaced.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from contracts.canonical import Document, canonical_json
from contracts.columns import MBO_EVENTS
from contracts.digest import bare, recipe_digest
from contracts.errors import ContractError, IntegrityError, IslandflowError, NotFoundError, Problem
from contracts.mbo import MboSpec, mbo_spec_from
from engine.book.events import Events
from engine.tapes.mbo.api import MboTape
from engine.tapes.mbo.api import version as tape_version
from engine.tapes.mbo.scorecard import Scorecard
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.grid_tables import read_groups
from islandflow_resources.mbo_writers import write_events
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore, file_digest
from islandflow_resources.stored_files import StoredFile, fetched, put_file, read_sealed, sealed
from islandflow_resources.table_digest import TableHasher

WHAT: Final = "mbo_tape"
SPEC: Final = "mbo_spec"
FORMAT: Final = "islandflow-mbo-tape/1"
SPEC_VERSION: Final = "0.1"


@dataclass(frozen=True)
class TapeRef:
    """Address of the tape that a specification and a seed determine.

    Attributes
    ----------
    spec : MboSpec
    seed : int
    version : str
        Version of the computation, ``engine.tapes.mbo.api.version(spec)``.
    """

    spec: MboSpec
    seed: int
    version: str

    @cached_property
    def recipe(self) -> str:
        """Recipe digest, ``sha256:…``."""
        specs = {"mbo": self.spec.recipe}
        return recipe_digest(WHAT, version=self.version, specs=specs, seed=self.seed)

    @property
    def prefix(self) -> str:
        """Folder of the tape's objects."""
        return f"{spec_folder(self.spec)}/seed={self.seed}/v{self.version}"

    @property
    def events_key(self) -> str:
        """Key of the events."""
        return f"{self.prefix}/events.parquet"

    @property
    def manifest_key(self) -> str:
        """Key of the manifest."""
        return f"{self.prefix}/manifest.json"


@dataclass(frozen=True, slots=True)
class Tape:
    """A tape that stands in the store.

    Attributes
    ----------
    ref : TapeRef
    manifest : dict
        Verified: rows, times, digests and scorecard.
    """

    ref: TapeRef
    manifest: Document

    @property
    def events(self) -> StoredFile:
        """Where the events lie."""
        return StoredFile(self.ref.events_key, str(self.manifest["file_digest"]))

    @property
    def content_digest(self) -> str:
        """What the events say, ``blake3:…``."""
        return str(self.manifest["content_digest"])

    @property
    def scorecard(self) -> list[dict[str, Any]]:
        """Statistics beside their bands: name, value, low, high, ok; null for none."""
        return list(self.manifest["scorecard"])  # pyright: ignore[reportArgumentType, reportReturnType]


@dataclass(frozen=True, slots=True)
class MadeTape:
    """What became of one tape: made, found again, or refused with a problem."""

    ref: TapeRef
    tape: Tape | None
    used_cache: bool
    seconds: float
    problem: Problem | None = None
    is_damaged: bool = False


def tape_ref(spec: MboSpec, seed: int) -> TapeRef:
    """Address of a tape as this engine makes it."""
    return TapeRef(spec, seed, tape_version(spec))


def spec_folder(spec: MboSpec) -> str:
    """Folder of a specification and all its tapes."""
    return f"tapes/mbo/{spec.id}/{bare(spec.mbo_hash)}"


def register_spec(store: ObjectStore, database: Database, spec: MboSpec) -> bool:
    """Enter a specification, its scenario's seed apart; True if it was new."""
    key, data = f"{spec_folder(spec)}/spec.json", canonical_json(spec.recipe) + b"\n"
    store.put_exact(key, data)
    row = Artefact(
        recipe_digest=recipe_digest(SPEC, version=SPEC_VERSION, specs={"mbo": spec.recipe}),
        what=SPEC,
        scenario_key=spec.partition_key,
        version=SPEC_VERSION,
        content_digest=spec.mbo_hash,
        file_digest=file_digest(data),
        object_key=key,
        rows=1,
        recipe=spec.recipe,
    )
    return database.record([row]) == 1


def registered_spec(database: Database, tape_key: str) -> MboSpec:
    """The specification of a partition key.

    Raises
    ------
    NotFoundError
        ``TAPE_NOT_REGISTERED``.
    """
    rows = database.artefacts(what=SPEC, scenario_key=tape_key)
    if rows:
        market: dict[str, Any] = rows[0].recipe
        # The registry keeps the recipe; the seed is the partition's.
        return mbo_spec_from({**market, "scenario": {**market["scenario"], "seed": "0"}})
    raise NotFoundError(
        "TAPE_NOT_REGISTERED",
        f"no tape is registered as {tape_key}",
        tape_key,
        ("register its document: islandflow book register FILE",),
    )


def named_spec(database: Database, name: str) -> MboSpec:
    """A registered specification by its partition key, or by its id.

    Raises
    ------
    NotFoundError
        ``TAPE_NOT_REGISTERED``.
    ContractError
        ``TAPE_AMBIGUOUS`` if several versions have the id; the hints list their keys.
    """
    rows = database.artefacts(what=SPEC)
    found = [str(row.scenario_key) for row in rows if row.recipe["id"] == name]
    if len(found) <= 1:
        return registered_spec(database, found[0] if found else name)
    hint = f"write one of {', '.join(found)}"
    said = f"{len(found)} registered tapes are called {name!r}"
    raise ContractError("TAPE_AMBIGUOUS", said, name, (hint,))


def make_tape(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    ref: TapeRef,
    folder: Path,
    run_id: str,
) -> MadeTape:
    """Make a tape, or find it again and verify it.

    A tape that cannot be represented, or whose stored object is damaged, comes back with
    its problem and is published nowhere.

    Parameters
    ----------
    folder : Path
        Local, for what is written on the way.
    """
    start = time.perf_counter()
    try:
        tape = find_tape(store, database, ref)
        if tape is not None:
            fetched(store, tape.events, folder)
            return MadeTape(ref, tape, True, time.perf_counter() - start)
        with runtime.computing():
            tape = _published(store, ref, folder)
        database.record([_row(tape, run_id)])
    except IslandflowError as error:
        if error.retryable:
            raise
        seconds, is_damaged = time.perf_counter() - start, isinstance(error, IntegrityError)
        return MadeTape(ref, None, False, seconds, error.problems[0], is_damaged)
    return MadeTape(ref, tape, False, time.perf_counter() - start)


def find_tape(store: ObjectStore, database: Database, ref: TapeRef) -> Tape | None:
    """A recorded tape with its manifest verified, its events not yet; None if there is none.

    Raises
    ------
    IntegrityError
        ``MANIFEST_DAMAGED``, or ``RECORD_DIFFERS`` if the manifest names other events than
        were recorded.
    """
    known = database.find([ref.recipe]).get(ref.recipe)
    if known is None:
        return None
    try:
        tape = Tape(ref, read_sealed(store, ref.manifest_key))
    except NotFoundError:
        return None
    if (tape.content_digest, tape.events.digest) == (known.content_digest, known.file_digest):
        return tape
    raise IntegrityError(
        "RECORD_DIFFERS",
        f"{store.uri(ref.manifest_key)} names {tape.content_digest}, "
        f"recorded is {known.content_digest}",
        ref.manifest_key,
        ("look at both, and move away the one that is damaged",),
    )


def events_digest(path: Path, texts: dict[str, str]) -> str:
    """Content digest of a local parquet file of events, one row group at a time."""
    hasher = TableHasher(MBO_EVENTS, texts)
    for table in read_groups(path):
        hasher.update(table)
    return hasher.digest()


def _published(store: ObjectStore, ref: TapeRef, folder: Path) -> Tape:
    """Make a tape into a local file, then store it, the manifest last."""
    spec, card = ref.spec, Scorecard(ref.spec.tick_int)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "events.parquet"
    batches = _scored(MboTape(spec, ref.seed).batches(), card)
    written = write_events(path, batches, symbol=spec.symbol, product_type=spec.product_type)
    texts = {"symbol": spec.symbol, "product_type": spec.product_type}
    body: Document = {
        "format": FORMAT,
        "tape_key": spec.partition_key,
        "spec": spec.recipe,
        "seed": str(ref.seed),
        "version": ref.version,
        "recipe_digest": ref.recipe,
        "content_digest": events_digest(path, texts),
        "file_digest": written.digest,
        "bytes": path.stat().st_size,
        "rows": written.rows,
        "first_ns": str(written.first_ns),
        "last_ns": str(written.last_ns),
        "counts": dict(card.counts().items()),
        "depth_lots": [_number(lots) for lots in card.depth()],
        "scorecard": [
            {
                "name": one.name,
                "value": _number(one.value),
                "low": _number(one.low),
                "high": _number(one.high),
                "ok": bool(one.ok),
            }
            for one in card.rows()
        ],
    }
    put_file(store, StoredFile(ref.events_key, written.digest), path)
    path.unlink()
    store.put_exact(ref.manifest_key, sealed(body))
    return Tape(ref, body)


def _scored(batches: Iterable[Events], card: Scorecard) -> Iterator[Events]:
    """The batches as they come, each taken into the scorecard on its way."""
    for batch in batches:
        card.add(batch)
        yield batch


def _number(value: float) -> float | None:
    """A number as JSON has it: none for what is infinite or undefined."""
    return float(value) if math.isfinite(value) else None


def _row(tape: Tape, run_id: str) -> Artefact:
    ref = tape.ref
    return Artefact(
        recipe_digest=ref.recipe,
        what=WHAT,
        scenario_key=ref.spec.partition_key,
        seed=ref.seed,
        version=ref.version,
        content_digest=tape.content_digest,
        file_digest=tape.events.digest,
        object_key=ref.events_key,
        manifest_key=ref.manifest_key,
        rows=tape.manifest["rows"],
        recipe={"mbo": ref.spec.recipe, "seed": str(ref.seed), "version": ref.version},
        run_id=run_id,
    )
