"""Manifests: the byte-stable description beside every stored dataset.

A manifest holds what follows from the inputs alone, so that the same inputs give
the same bytes on any day and machine. Time, host, run, file digest and library
versions belong to ``provenance.json`` and the database instead.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from contracts.canonical import canonical_json
from contracts.digest import Digest
from contracts.document import Embedded, Integer, Model, Seed


class ColumnRange(Model):
    """Smallest and largest value of an integer column, as decimal strings."""

    min: str
    max: str


class DatasetManifest(Model):
    """What a stored scenario dataset is, and how to check it."""

    manifest_version: Literal["1"]
    scenario_id: str
    scenario_hash: Digest
    partition_key: str
    seed: Seed
    recipe_digest: Digest
    content_digest: Digest
    labels_digest: Digest | None = None
    version: str
    rows: Annotated[Integer, Field(ge=0)]
    first_ts_ns: str
    last_ts_ns: str
    columns: dict[str, ColumnRange]
    spec: Embedded

    def to_bytes(self) -> bytes:
        """Canonical JSON with a final newline."""
        return canonical_json(self.document()) + b"\n"


MANIFEST: Final[TypeAdapter[DatasetManifest]] = TypeAdapter(DatasetManifest)
