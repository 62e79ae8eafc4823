"""Scenario datasets as stored objects: where they lie, how they are written and trusted.

A dataset is its parquet, hidden labels apart where the family has any, a
provenance, and the manifest, written last: a dataset without a manifest does not
exist. The bars come from ``engine.paths``; which datasets are recorded is in
``database``; ``repairs`` remakes damaged ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from contracts.canonical import Document, canonical_json
from contracts.columns import BARS, LABELS
from contracts.digest import bare, document_digest, recipe_digest
from contracts.errors import IntegrityError
from contracts.manifest import ColumnRange, DatasetManifest
from contracts.scenario import ScenarioSpec, scenario_from
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.table_schemas import numbers_of
from islandflow_resources.tables import (
    StoredTable,
    content_digest,
    from_arrays,
    read_verified,
    store_table,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.paths import Bars

WHAT = "scenario_dataset"


@dataclass(frozen=True)
class DatasetRef:
    """Address of the dataset that a scenario and a seed determine.

    Attributes
    ----------
    spec : ScenarioSpec
    seed : int
    version : str
        Version of the computation, ``engine.paths.version(spec)``.
    """

    spec: ScenarioSpec
    seed: int
    version: str

    @cached_property
    def recipe(self) -> str:
        """Recipe digest, ``sha256:…``."""
        specs = {"scenario": self.spec.market}
        return recipe_digest(WHAT, version=self.version, specs=specs, seed=self.seed)

    @property
    def prefix(self) -> str:
        """Folder of the dataset's objects."""
        scenario = bare(self.spec.scenario_hash)
        return f"scenarios/{self.spec.id}/{scenario}/seed={self.seed}/v{self.version}"

    @property
    def dataset_key(self) -> str:
        """Key of the bars."""
        return f"{self.prefix}/dataset.parquet"

    @property
    def manifest_key(self) -> str:
        """Key of the manifest."""
        return f"{self.prefix}/manifest.json"

    @property
    def provenance_key(self) -> str:
        """Key of time, host, run and library versions."""
        return f"{self.prefix}/provenance.json"

    @property
    def labels_key(self) -> str:
        """Key of the hidden labels, below a root of their own."""
        return f"labels/{self.prefix}/labels.parquet"

    @property
    def texts(self) -> dict[str, str]:
        """Key-value texts of the parquet, part of its content digest."""
        return {
            "tick_size": canonical_json(self.spec.tick_size).decode(),
            "timeframe": self.spec.timeframe,
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that has been read and verified, or just made."""

    ref: DatasetRef
    manifest: DatasetManifest
    table: pa.Table
    file_digest: str
    size_bytes: int


def publish(store: ObjectStore, ref: DatasetRef, bars: Bars, provenance: Document) -> Dataset:
    """Store a dataset, manifest last, and read it back verified.

    Objects that are already there are adopted if they say the same.

    Raises
    ------
    IntegrityError
        If an object is there that says something else, or does not read back.
    """
    table = table_of(bars)
    stored = store_table(store, ref.dataset_key, table, BARS, ref.texts)
    labels = _publish_labels(store, ref, bars)
    files = {"dataset.parquet": stored.file_digest}
    if labels is not None:
        files["labels.parquet"] = labels.file_digest
    body: Document = {**provenance, "recipe_digest": ref.recipe, "files": {**files}}
    sealed: Document = {"body": body, "digest": document_digest(body)}
    store.put_if_absent(ref.provenance_key, _sealed_bytes(sealed))
    labels_digest = labels.content_digest if labels is not None else None
    manifest = describe(ref, table, stored.content_digest, labels_digest)
    store.put_exact(ref.manifest_key, manifest.to_bytes())
    read_verified(store, ref.dataset_key, BARS, stored.content_digest)
    return Dataset(ref, manifest, table, stored.file_digest, stored.size_bytes)


def read(store: ObjectStore, ref: DatasetRef, *, file_digest: str | None = None) -> Dataset:
    """Read a dataset and prove that every object of it is whole.

    Parameters
    ----------
    file_digest : str, optional
        Digest of the parquet's bytes, where the database has recorded it.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND`` if it has no manifest.
    IntegrityError
        Naming the object that is damaged.
    """
    stated = store.get(ref.manifest_key)
    manifest = _parsed(store, ref, stated)
    sealed = _sealed_files(store, ref)
    expected_file = file_digest or sealed["dataset.parquet"]
    table = read_verified(
        store, ref.dataset_key, BARS, manifest.content_digest, expected_file_digest=expected_file
    )
    if manifest.labels_digest is not None:
        read_verified(
            store, ref.labels_key, LABELS, manifest.labels_digest,
            expected_file_digest=sealed.get("labels.parquet"),
        )  # fmt: skip
    told = describe(ref, table, manifest.content_digest, manifest.labels_digest)
    if told.to_bytes() != stated:
        raise _damaged(store, ref.manifest_key, "the manifest does not describe its dataset")
    return Dataset(ref, manifest, table, expected_file, table.nbytes)


def read_at(store: ObjectStore, folder: str) -> Dataset:
    """Read the dataset of a folder, whose manifest says what it is, see `read`.

    Raises
    ------
    NotFoundError, IntegrityError
        As `read`.
    """
    key = f"{folder}/manifest.json"
    manifest = _manifest(store, key, store.get(key))
    spec = scenario_from({**manifest.spec, "seed": "0"})
    ref = DatasetRef(spec, manifest.seed, manifest.version)
    if ref.prefix != folder:
        raise _damaged(store, key, "the manifest describes a dataset of another folder")
    return read(store, ref)


def describe(
    ref: DatasetRef, table: pa.Table, content_digest: str, labels_digest: str | None
) -> DatasetManifest:
    """Manifest of a dataset: only what follows from the inputs."""
    ranges: dict[str, ColumnRange] = {}
    for name in BARS.names:
        values = numbers_of(table[name])
        ranges[name] = ColumnRange(min=str(int(values.min())), max=str(int(values.max())))
    return DatasetManifest(
        manifest_version="1",
        scenario_id=ref.spec.id,
        scenario_hash=ref.spec.scenario_hash,
        partition_key=ref.spec.partition_key,
        seed=ref.seed,
        recipe_digest=ref.recipe,
        content_digest=content_digest,
        labels_digest=labels_digest,
        version=ref.version,
        rows=table.num_rows,
        first_ts_ns=ranges["ts_ns"].min,
        last_ts_ns=ranges["ts_ns"].max,
        columns=ranges,
        spec=ref.spec.market,  # pyright: ignore[reportArgumentType]
    )


def digest_of(ref: DatasetRef, bars: Bars) -> str:
    """Content digest that bars would be stored under."""
    return content_digest(table_of(bars), BARS, ref.texts)


def to_bars(table: pa.Table) -> Bars:
    """Columns of a stored table as the engine takes them, without copying."""
    from engine.paths import Bars

    columns = {name: numbers_of(table[name]) for name in BARS.names}
    return Bars(**columns, label=np.zeros(table.num_rows, dtype=np.int8))


def table_of(bars: Bars) -> pa.Table:
    """Bars as the table that is stored."""
    return from_arrays(BARS, {name: getattr(bars, name) for name in BARS.names})


def _publish_labels(store: ObjectStore, ref: DatasetRef, bars: Bars) -> StoredTable | None:
    if not bars.label.any():
        return None
    table = from_arrays(LABELS, {"ts_ns": bars.ts_ns, "label": bars.label})
    return store_table(store, ref.labels_key, table, LABELS, ref.texts)


def _parsed(store: ObjectStore, ref: DatasetRef, stated: bytes) -> DatasetManifest:
    manifest = _manifest(store, ref.manifest_key, stated)
    if manifest.recipe_digest != ref.recipe:
        raise _damaged(store, ref.manifest_key, "the manifest names another recipe")
    return manifest


def _manifest(store: ObjectStore, key: str, stated: bytes) -> DatasetManifest:
    try:
        return DatasetManifest.model_validate_json(stated)
    except ValueError as error:
        raise _damaged(store, key, "the manifest does not read") from error


def _sealed_files(store: ObjectStore, ref: DatasetRef) -> dict[str, str]:
    """Digests of the tables' bytes from the provenance, whose seal is checked."""
    try:
        stated = store.get(ref.provenance_key)
        sealed = json.loads(stated)
        body = sealed["body"]
        whole = sealed["digest"] == document_digest(body) and stated == _sealed_bytes(sealed)
        files = {"dataset.parquet": str(body["files"]["dataset.parquet"]), **body["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(store, ref.provenance_key, "the provenance does not read") from error
    if not whole:
        raise _damaged(store, ref.provenance_key, "the provenance breaks its seal")
    return files


def _sealed_bytes(sealed: Document) -> bytes:
    return json.dumps(sealed, indent=2).encode() + b"\n"


def _damaged(store: ObjectStore, key: str, message: str) -> IntegrityError:
    uri = store.uri(key)
    hint = f"keep it aside and make it again with: islandflow repair {uri}"
    return IntegrityError("OBJECT_DAMAGED", f"cannot trust {uri}: {message}", uri, (hint,))
