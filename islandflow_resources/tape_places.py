"""Where the files of a tape lie: in a store under its id, or in a folder of a user.

Labels have a place of their own, which may need other credentials or be out of reach. The
layout is ``contracts.tape_manifest``; nothing here says whether files are right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from contracts.errors import ContractError, IntegrityError, NotFoundError, Problem
from contracts.tape_manifest import (
    LABEL_FILES,
    MANIFEST,
    ExpectedOutputManifest,
    load_manifest,
)
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.stored_files import digest_of

_INVALID: Final = "TAPE_MANIFEST_INVALID"
_HINTS: Final = ("move the tape away and make it again",)


@dataclass(frozen=True, slots=True)
class TapePlace:
    """Files of one tape by their names.

    Attributes
    ----------
    store : ObjectStore
    prefix : str
        Before the name of a file, empty or ending in a slash.
    labels_store : ObjectStore or None
        None if the labels are out of reach.
    labels_prefix : str
    """

    store: ObjectStore
    prefix: str
    labels_store: ObjectStore | None = None
    labels_prefix: str = ""

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file of the tape or of its labels, for reading.

        Raises
        ------
        NotFoundError
            ``OBJECT_NOT_FOUND``, also where labels are out of reach.
        """
        store, key = self._address(name)
        with store.open(key) as file:
            yield file

    def get(self, name: str) -> bytes:
        """Bytes of a file, see `open`."""
        store, key = self._address(name)
        return store.get(key)

    def digest(self, name: str) -> str:
        """``blake3:…`` of the bytes of a file, see `open`."""
        store, key = self._address(name)
        return digest_of(store, key)

    def names(self) -> list[str]:
        """Names of all files beside the manifest, itself included."""
        keys = self.store.keys(self.prefix)
        return [key.removeprefix(self.prefix) for key in keys]

    def label_names(self) -> list[str]:
        """Names of all files among the labels."""
        if self.labels_store is None:
            return []
        keys = self.labels_store.keys(self.labels_prefix)
        return [key.removeprefix(self.labels_prefix) for key in keys]

    def __str__(self) -> str:
        return f"{self.store.root_uri}{self.prefix}"

    def _address(self, name: str) -> tuple[ObjectStore, str]:
        if name not in LABEL_FILES:
            return self.store, f"{self.prefix}{name}"
        if self.labels_store is not None:
            return self.labels_store, f"{self.labels_prefix}{name}"
        raise NotFoundError(
            "OBJECT_NOT_FOUND",
            f"cannot read {name}: the labels of the tape are not here",
            name,
            ("name the folder of its labels, or verify the tape without them",),
        )


def stored_place(
    store: ObjectStore, tape_id: str, labels_store: ObjectStore | None = None
) -> TapePlace:
    """The place of a tape in a store; its labels are out of reach without a store of theirs."""
    return TapePlace(store, f"tapes/{tape_id}/", labels_store, f"labels/{tape_id}/")


def local_place(folder: Path, labels: Path | None = None) -> TapePlace:
    """The place of a tape in a local folder.

    Parameters
    ----------
    folder : Path
        Folder of the tape itself, or one that holds ``tapes`` with a single tape.
    labels : Path, optional
        Folder of its labels; by default ``labels`` beside ``tapes``, if it is there.

    Raises
    ------
    ContractError
        ``TAPE_MISSING`` or ``TAPE_AMBIGUOUS``.
    """
    tape = folder if (folder / MANIFEST).is_file() else _only_tape(folder)
    usual = tape.resolve().parent.parent / "labels" / tape.resolve().name
    beside = labels or (usual if usual.is_dir() else None)
    return TapePlace(FolderStore(tape), "", FolderStore(beside) if beside else None)


def read_manifest(place: TapePlace) -> ExpectedOutputManifest:
    """The manifest of a tape, every byte of it verified.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND``.
    IntegrityError
        ``TAPE_MANIFEST_INVALID`` with the pointer of everything that is wrong.
    """
    data = place.get(MANIFEST)
    try:
        manifest = load_manifest(data)
    except ContractError as error:
        found = [
            Problem(_INVALID, f"{one.message}", f"{MANIFEST}#{one.loc}", _HINTS)
            for one in error.problems
        ]
        first, *others = found
        raise IntegrityError(_INVALID, first.message, first.loc, _HINTS, tuple(others)) from error
    if not manifest.is_sealed:
        said = "manifest_hash is not that of the rest: something of it was changed"
        raise IntegrityError(_INVALID, said, f"{MANIFEST}#/manifest_hash", _HINTS)
    if manifest.to_bytes() != data:
        said = "it is not written as canonical JSON and a final line feed"
        raise IntegrityError(_INVALID, said, MANIFEST, _HINTS)
    return manifest


def _only_tape(folder: Path) -> Path:
    found = sorted(path.parent for path in folder.glob(f"tapes/*/{MANIFEST}"))
    if len(found) == 1:
        return found[0]
    if not found:
        said = f"there is no tape in {folder}"
        hint = f"name the folder that holds its {MANIFEST}, or make one: islandflow tape make"
        raise ContractError("TAPE_MISSING", said, str(folder), (hint,))
    said = f"there are {len(found)} tapes in {folder}"
    hint = f"write one of {', '.join(str(path) for path in found[:8])}"
    raise ContractError("TAPE_AMBIGUOUS", said, str(folder), (hint,))
