"""Files of any size as objects, and the sealed manifests beside them; memory stays flat.

A file goes up with a digest that is known, and comes down only verified. Tables that are
small enough to be held whole are ``tables``; what the files mean is said in ``mbo_tapes``,
``mbo_sources`` and ``grid_datasets``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from contracts.canonical import Document, canonical_json
from contracts.digest import document_digest
from contracts.errors import IntegrityError
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.mbo_files import file_digest as local_digest
from islandflow_resources.object_store import ObjectStore

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object and what its bytes are to be.

    Attributes
    ----------
    key : str
    digest : str
        ``blake3:…`` of its bytes.
    """

    key: str
    digest: str


def put_file(store: ObjectStore, file: StoredFile, path: Path) -> bool:
    """Store a local file and read it back; an object that is there must have the same bytes.

    Returns
    -------
    bool
        Whether it was certainly this call that created it.

    Raises
    ------
    IntegrityError
        ``OBJECT_DIFFERS``.
    """
    created = store.put_file_if_absent(file.key, path)
    found = digest_of(store, file.key)
    if found == file.digest:
        return created
    if created:
        # Nobody else has seen it yet: the local file changed under our hands.
        store.quarantine(file.key)
    raise IntegrityError(
        "OBJECT_DIFFERS",
        f"cannot store {store.uri(file.key)}: the object there has {found}, ours {file.digest}",
        file.key,
        ("look at both, and move away the one that is damaged",),
    )


def fetched(store: ObjectStore, file: StoredFile, folder: Path) -> Path:
    """A local file with the verified bytes of an object.

    An object of a local folder is verified and read in place; any other is copied below
    `folder`, unless it has been before.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND``.
    IntegrityError
        ``FILE_DIGEST_MISMATCH``.
    """
    if isinstance(store, FolderStore):
        found, path = digest_of(store, file.key), store.root / file.key
    else:
        path = folder / file.key
        found = local_digest(path) if path.exists() else copied(store, file.key, path)
    if found == file.digest:
        return path
    raise IntegrityError(
        "FILE_DIGEST_MISMATCH",
        f"cannot trust {store.uri(file.key)}: its bytes have {found}, expected {file.digest}",
        file.key,
        ("keep it aside, and make or register it again",),
    )


def copied(store: ObjectStore, key: str, path: Path) -> str:
    """Copy an object into a local file; ``blake3:…`` of its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hasher = blake3()
    with store.open(key) as source, path.open("wb") as target:
        while piece := source.read(_PIECE_BYTES):
            hasher.update(piece)
            target.write(piece)
    return f"blake3:{hasher.hexdigest()}"


def digest_of(store: ObjectStore, key: str) -> str:
    """``blake3:…`` of an object's bytes, read in pieces."""
    hasher = blake3()
    with store.open(key) as source:
        while piece := source.read(_PIECE_BYTES):
            hasher.update(piece)
    return f"blake3:{hasher.hexdigest()}"


def sealed(body: Document) -> bytes:
    """Bytes of a manifest that says what its own content must be."""
    return canonical_json({"body": body, "digest": document_digest(body)}) + b"\n"


def read_sealed(store: ObjectStore, key: str) -> Document:
    """The body of a sealed manifest, every byte of it verified.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND``.
    IntegrityError
        ``MANIFEST_DAMAGED``.
    """
    stated = store.get(key)
    try:
        body = json.loads(stated)["body"]
        if sealed(body) == stated:
            return body
    except (ValueError, KeyError, TypeError):
        pass
    raise IntegrityError(
        "MANIFEST_DAMAGED",
        f"cannot trust {store.uri(key)}: the manifest is not what its seal says",
        key,
        ("keep it aside, and make or register again what it belongs to",),
    )
