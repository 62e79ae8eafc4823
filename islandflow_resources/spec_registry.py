"""Documents that are registered under a name: pipelines, servings, campaigns of datasets.

Each is stored as its canonical bytes and entered into the generic index of artefacts; a
version is called ``{name}-{first 12 of its hash}``. What a kind of document is, and what is
checked before it is entered, lives in ``pipelines``, ``servings`` and ``dataset_campaigns``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.canonical import Document, canonical_json
from contracts.digest import bare, document_digest, recipe_digest
from contracts.errors import ContractError, NotFoundError
from islandflow_resources.database import Database
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore, file_digest

_LEAST_DIGITS = 8
"""Digits of a hash that name a document."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document.

    Attributes
    ----------
    noun : str
        Names its artefacts, folders and error codes.
    version : str
        Of the document's model.
    hint : str
        How one is registered.
    """

    noun: str
    version: str
    hint: str

    @property
    def what(self) -> str:
        """Name of its artefacts."""
        return f"{self.noun}_spec"


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered document: its key, and whether it was new."""

    key: str
    new: bool


def key_of(name: str, digest: str) -> str:
    """Key of a version."""
    return f"{name}-{bare(digest)[:12]}"


def register_document(
    store: ObjectStore, database: Database, kind: Kind, name: str, document: Document
) -> Entry:
    """Store a document and enter it under its name.

    The database is asked last: what is entered stands in the store.
    """
    digest, data = document_digest(document), canonical_json(document) + b"\n"
    key, place = key_of(name, digest), f"{kind.noun}s/{name}/{bare(digest)}.json"
    store.put_exact(place, data)
    row = Artefact(
        recipe_digest=recipe_digest(kind.what, version=kind.version, specs={kind.noun: document}),
        what=kind.what,
        scenario_key=key,
        version=kind.version,
        content_digest=digest,
        file_digest=file_digest(data),
        object_key=place,
        rows=1,
        recipe=document,
    )
    return Entry(key, database.record([row]) == 1)


def registered_document(database: Database, kind: Kind, name: str) -> dict[str, Any]:
    """A registered document by its key, its hash or eight digits of it, or its name.

    Raises
    ------
    NotFoundError
        ``…_NOT_REGISTERED``.
    ContractError
        ``…_AMBIGUOUS`` if several versions have the name; the hints list their keys.
    """
    code = kind.noun.upper()
    rows = [row for row in database.artefacts(what=kind.what) if _is_called(row, name)]
    if len(rows) == 1:
        return rows[0].recipe
    shown = kind.noun.replace("_", " ")
    if not rows:
        said = f"no {shown} {name!r} is registered"
        raise NotFoundError(f"{code}_NOT_REGISTERED", said, name, (kind.hint,))
    keys = ", ".join(str(row.scenario_key) for row in rows)
    said = f"{len(rows)} registered versions are called {name!r}"
    raise ContractError(f"{code}_AMBIGUOUS", said, name, (f"write one of {keys}",))


def registered_keys(database: Database, kind: Kind) -> list[str]:
    """Keys of all registered documents of a kind, sorted."""
    return sorted(str(row.scenario_key) for row in database.artefacts(what=kind.what))


def _is_called(row: Artefact, name: str) -> bool:
    key, digest = str(row.scenario_key), bare(row.content_digest)
    if name in (key, digest, key[:-13]):
        return True
    return len(name) >= _LEAST_DIGITS and digest.startswith(name)
