"""Tables and documents made once by their recipe: looked up, trusted only verified, else made.

The one place of that policy for whatever campaigns and validations derive; being derived, a
damaged object is put aside and made again. Datasets are ``materialise``, backtest results
``evaluations``, whose objects are several at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from contracts.canonical import Document, canonical_json
from contracts.columns import TableSchema
from contracts.digest import bare, document_digest
from contracts.errors import IntegrityError, NotFoundError
from islandflow_resources.database import Database
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore, file_digest
from islandflow_resources.tables import read_verified, store_table

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where a derived object belongs, and what the index says of it.

    Attributes
    ----------
    what : str
        Noun of the artefact.
    digest : str
        Recipe digest.
    folder : str
        Folder of the object; its name is the recipe's.
    version : str
        Of the domain that makes it.
    scenario_key
        Key of the scenario, tape, dataset or campaign that it is of.
    seed
        Of artefacts of one dataset.
    """

    what: str
    digest: str
    folder: str
    version: str
    scenario_key: str | None = None
    seed: int | None = None
    detail: Document = field(default_factory=dict)

    def key(self, suffix: str) -> str:
        """Key of the object."""
        return f"{self.folder}/{bare(self.digest)}.{suffix}"

    def row(self, key: str, content: str, file: str, rows: int, run_id: str) -> Artefact:
        """Row of the index."""
        return Artefact(
            recipe_digest=self.digest,
            what=self.what,
            scenario_key=self.scenario_key,
            seed=self.seed,
            version=self.version,
            content_digest=content,
            file_digest=file,
            object_key=key,
            manifest_key=None,
            rows=rows,
            recipe=self.detail,
            run_id=run_id,
        )


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived object in the store."""

    recipe: str
    key: str
    content_digest: str
    used_cache: bool


@dataclass(frozen=True, slots=True)
class DerivedTable(Derived):
    """A derived table, verified or just made."""

    table: pa.Table


@dataclass(frozen=True, slots=True)
class DerivedDocument(Derived):
    """A derived document, verified or just made."""

    document: Document


def made_table(
    store: ObjectStore,
    database: Database,
    recipe: Recipe,
    schema: TableSchema,
    make: Callable[[], pa.Table],
    run_id: str,
) -> DerivedTable:
    """The table of a recipe: found whole, or made, stored and recorded.

    Raises
    ------
    IntegrityError
        ``RECIPE_DIVERGED`` if it is now made otherwise than it was recorded.
    """
    key = recipe.key("parquet")
    known = database.find([recipe.digest]).get(recipe.digest)
    if known is not None:
        there = known.object_key
        table = _whole(store, there, lambda: read_table(store, known, schema))
        if table is not None:
            return DerivedTable(recipe.digest, there, known.content_digest, True, table)
    table = make()
    stored = store_table(store, key, table, schema)
    row = recipe.row(key, stored.content_digest, stored.file_digest, stored.rows, run_id)
    database.record([row])
    return DerivedTable(recipe.digest, key, stored.content_digest, False, table)


def made_document(
    store: ObjectStore,
    database: Database,
    recipe: Recipe,
    make: Callable[[], Document],
    run_id: str,
) -> DerivedDocument:
    """The document of a recipe, see `made_table`."""
    key = recipe.key("json")
    known = database.find([recipe.digest]).get(recipe.digest)
    if known is not None:
        there = known.object_key
        found = _whole(store, there, lambda: read_document(store, there, known.content_digest))
        if found is not None:
            return DerivedDocument(recipe.digest, there, known.content_digest, True, found)
    document = make()
    data = canonical_json(document) + b"\n"
    store.put_exact(key, data)
    content = document_digest(document)
    database.record([recipe.row(key, content, file_digest(data), 1, run_id)])
    return DerivedDocument(recipe.digest, key, content, False, document)


def read_table(store: ObjectStore, known: Artefact, schema: TableSchema) -> pa.Table:
    """A recorded table, every byte verified."""
    return read_verified(
        store,
        known.object_key,
        schema,
        known.content_digest,
        expected_file_digest=known.file_digest,
    )


def read_document(store: ObjectStore, key: str, digest: str) -> Document:
    """A stored document that is what its digest says, to the byte.

    Raises
    ------
    IntegrityError
        ``DOCUMENT_DAMAGED``.
    """
    return json.loads(read_canonical(store, key, digest))


def read_canonical(store: ObjectStore, key: str, digest: str) -> bytes:
    """Canonical bytes of a document, without the line feed after them; see `read_document`."""
    data = store.get(key)
    if f"sha256:{hashlib.sha256(data[:-1]).hexdigest()}" == digest and data.endswith(b"\n"):
        return data[:-1]
    raise IntegrityError(
        "DOCUMENT_DAMAGED",
        f"cannot trust {store.uri(key)}: it is not what {digest} names",
        key,
        ("keep it aside, and run the job that made it again",),
    )


def _whole(store: ObjectStore, key: str, read: Callable[[], T]) -> T | None:
    """What lies there, if it is whole; damage makes way."""
    try:
        return read()
    except NotFoundError:
        return None
    except IntegrityError:
        store.quarantine(key)
        return None
