"""Grid datasets in the store: published file by file, the manifest last, trusted only verified.

They lie below ``datasets/{dataset_id}/``, and their id follows from all that determines
them. What builds one in a local folder is ``grid_build``, what verifies such a folder
``grid_folder``; a damaged dataset is reported and left, never replaced.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.canonical import Document, canonical_json
from contracts.columns import GRID_BINS, GRID_ROWS
from contracts.digest import document_digest, recipe_digest
from contracts.errors import IntegrityError, IslandflowError, NotFoundError, Problem
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.grid_build import (
    ENGINE,
    GridOrder,
    build_grid,
    dataset_id_of,
    identity_of,
)
from islandflow_resources.grid_folder import CHECKSUMS, MANIFEST, read_manifest
from islandflow_resources.grid_tables import read_groups
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore, file_digest
from islandflow_resources.stored_files import StoredFile, copied, fetched, put_file
from islandflow_resources.table_schemas import conformed

WHAT: Final = "grid_dataset"
BINS: Final = "bins.parquet"
ROWS: Final = "grid.parquet"
_REQUIRED: Final = ("config", "compat", "emit_from_ns", "engine")
_OPTIONAL: Final = ("emit_until_ns",)


@dataclass(frozen=True, slots=True)
class GridDataset:
    """A published dataset, every byte of it verified.

    Attributes
    ----------
    dataset_id : str
    manifest : dict
    folder : Path
        Local folder with its files; the store's own, where that is a folder.
    """

    dataset_id: str
    manifest: Document
    folder: Path

    @property
    def content_digest(self) -> str:
        """What its tables say, ``sha256:…``."""
        return document_digest(self.manifest["tables"])

    @property
    def bins(self) -> int:
        """Number of bins."""
        return int(self.manifest["bins"])  # pyright: ignore[reportArgumentType]

    @property
    def events(self) -> int:
        """Number of events, those that warmed up included."""
        return int(self.manifest["events"])  # pyright: ignore[reportArgumentType]

    @property
    def anomalies(self) -> dict[str, int]:
        """Counts of what was wrong with the events, by name; those that are not 0."""
        counted: Any = self.manifest["anomalies"]
        return {name: count for name, count in counted.items() if count}


@dataclass(frozen=True, slots=True)
class MadeGrid:
    """What became of one dataset: made, found again, or refused with a problem."""

    dataset_id: str
    recipe: str
    dataset: GridDataset | None
    used_cache: bool
    seconds: float
    problem: Problem | None = None
    is_damaged: bool = False


def folder_key(dataset_id: str) -> str:
    """Folder of a dataset's objects."""
    return f"datasets/{dataset_id}"


def recipe_of(order: GridOrder, source_digest: str) -> str:
    """Recipe digest of a dataset: over its identity."""
    specs = {"identity": identity_of(order, source_digest)}
    return recipe_digest(WHAT, version=ENGINE, specs=specs)


def make_grid(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    order: GridOrder,
    source: StoredFile,
    workspace: Path,
    run_id: str,
) -> MadeGrid:
    """Build a dataset, or find it again and verify it.

    One that cannot be built, or whose stored objects are damaged, comes back with its
    problem and is published nowhere.

    Parameters
    ----------
    order : GridOrder
        In the form of a dataset; its events are those of `source`.
    workspace : Path
        Local, for what is fetched and written on the way.
    """
    start = time.perf_counter()
    name, recipe = dataset_id_of(order, source.digest), recipe_of(order, source.digest)
    try:
        dataset = _found(store, database, name, workspace)
        used_cache = dataset is not None
        if dataset is None:
            events = fetched(store, source, workspace)
            with runtime.computing():
                built = build_grid(replace(order, events=events, full=False), workspace / "built")
            dataset = GridDataset(name, built.manifest, built.folder)
            publish(store, dataset)
        database.record([_row(dataset, recipe, run_id)])
    except IslandflowError as error:
        if error.retryable:
            raise
        seconds, is_damaged = time.perf_counter() - start, isinstance(error, IntegrityError)
        return MadeGrid(name, recipe, None, False, seconds, error.problems[0], is_damaged)
    return MadeGrid(name, recipe, dataset, used_cache, time.perf_counter() - start)


def publish(store: ObjectStore, dataset: GridDataset) -> None:
    """Put a dataset's files, reading each back, and then its manifest in one conditional put.

    Raises
    ------
    IntegrityError
        ``OBJECT_DIFFERS`` if an object is there with other bytes.
    """
    prefix = folder_key(dataset.dataset_id)
    files: Any = dataset.manifest["files"]
    for name, sums in files.items():
        file = StoredFile(f"{prefix}/{name}", f"blake3:{sums['blake3']}")
        put_file(store, file, dataset.folder / name)
    for name in (CHECKSUMS, MANIFEST):
        store.put_exact(f"{prefix}/{name}", (dataset.folder / name).read_bytes())


def open_grid(
    store: ObjectStore, database: Database, dataset_id: str, workspace: Path
) -> GridDataset:
    """Open a published dataset, every file of it verified.

    Files of a local folder are verified and read in place, others are copied below
    `workspace`.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND`` if there is no manifest, hence no dataset.
    IntegrityError
        ``GRID_DAMAGED``, naming the file.
    """
    prefix = folder_key(dataset_id)
    stated = store.get(f"{prefix}/{MANIFEST}")
    manifest = _checked_manifest(store, dataset_id, stated)
    rows = database.artefacts(what=WHAT, scenario_key=dataset_id)
    if rows and rows[0].file_digest != file_digest(stated):
        raise _damaged(store, f"{prefix}/{MANIFEST}", "it is not the one that was recorded")
    files: Any = manifest["files"]
    if store.get(f"{prefix}/{CHECKSUMS}") != canonical_json(files) + b"\n":
        raise _damaged(store, f"{prefix}/{CHECKSUMS}", "it does not say what the manifest says")
    if isinstance(store, FolderStore):
        folder = store.root / prefix
    else:
        folder = workspace / prefix
        for name in (*files, CHECKSUMS, MANIFEST):
            copied(store, f"{prefix}/{name}", folder / name)
    try:
        read_manifest(folder)
    except IntegrityError as error:
        name = Path(error.loc).name
        raise _damaged(
            store, f"{prefix}/{name}", "its bytes are not those it was made of"
        ) from None
    return GridDataset(dataset_id, manifest, folder)


def read_bins(dataset: GridDataset) -> pa.Table:
    """All bins of an opened dataset, columns of `contracts.columns.GRID_BINS`."""
    return pa.concat_tables(read_groups(dataset.folder / BINS))


def iter_rows(dataset: GridDataset) -> Iterator[pa.Table]:
    """Rows of an opened dataset, some whole bins at a time, by `contracts.columns.GRID_ROWS`."""
    return read_groups(dataset.folder / ROWS)


def refuse_other_layout(dataset: GridDataset) -> None:
    """Refuse tables that are not what their contracts say.

    Raises
    ------
    ContractError
        ``TABLE_COLUMN_…``, every column at once.
    IntegrityError
        ``GRID_DAMAGED`` if a table has another number of rows than its bins make.
    """
    config: Any = dataset.manifest["config"]
    width = 2 * int(config["runtime_config"]["grid_radius_ticks"]) + 1
    for name, schema, rows in ((BINS, GRID_BINS, 1), (ROWS, GRID_ROWS, width)):
        found = pq.read_metadata(dataset.folder / name)
        conformed(found.schema.to_arrow_schema().empty_table(), schema)
        if found.num_rows != rows * dataset.bins:
            raise IntegrityError(
                "GRID_DAMAGED",
                f"{name} of {dataset.dataset_id} has {found.num_rows} rows, "
                f"but {dataset.bins} bins make {rows * dataset.bins}",
                name,
                ("move the dataset away and build it again",),
            )


def _found(
    store: ObjectStore, database: Database, dataset_id: str, workspace: Path
) -> GridDataset | None:
    try:
        return open_grid(store, database, dataset_id, workspace)
    except NotFoundError:
        return None


def _checked_manifest(store: ObjectStore, dataset_id: str, stated: bytes) -> Document:
    """The manifest, if it is canonical and its identity has the dataset's name."""
    key = f"{folder_key(dataset_id)}/{MANIFEST}"
    try:
        manifest = json.loads(stated)
        identity = _identity(manifest)
        name = hashlib.sha256(canonical_json(identity)).hexdigest()[:16]
        is_whole = canonical_json(manifest) + b"\n" == stated
    except (ValueError, KeyError, TypeError, IslandflowError):
        raise _damaged(store, key, "it does not read") from None
    if is_whole and manifest.get("dataset_id") == dataset_id and dataset_id.endswith(f"-{name}"):
        return manifest
    raise _damaged(store, key, "it does not describe the dataset of its folder")


def _identity(manifest: Document) -> Document:
    """What a manifest says that determines its dataset, see ``grid_build.identity_of``."""
    source: Any = manifest["source"]
    told = [name for name in _OPTIONAL if name in manifest]
    return {name: manifest[name] for name in (*_REQUIRED, *told)} | {"source": source["digest"]}


def _damaged(store: ObjectStore, key: str, what: str) -> IntegrityError:
    return IntegrityError(
        "GRID_DAMAGED",
        f"cannot trust {store.uri(key)}: {what}",
        key,
        ("move the dataset away and build it again",),
    )


def _row(dataset: GridDataset, recipe: str, run_id: str) -> Artefact:
    prefix, manifest = folder_key(dataset.dataset_id), dataset.manifest
    return Artefact(
        recipe_digest=recipe,
        what=WHAT,
        scenario_key=dataset.dataset_id,
        version=ENGINE,
        content_digest=dataset.content_digest,
        file_digest=file_digest(canonical_json(manifest) + b"\n"),
        object_key=f"{prefix}/{ROWS}",
        manifest_key=f"{prefix}/{MANIFEST}",
        rows=dataset.bins,
        recipe=_identity(manifest),
        run_id=run_id,
    )
