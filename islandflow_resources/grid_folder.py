"""The folder of a grid dataset: its files, their checksums, how it comes to stand there.

A folder without a manifest is no dataset; one with it is never changed. What fills it is
``grid_build``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from contracts.canonical import Document, canonical_json
from contracts.digest import document_digest
from contracts.errors import ContractError, IntegrityError, IslandflowError, Problem

FORMAT: Final = "islandflow-grid-dataset/1"
MANIFEST: Final = "manifest.json"
CHECKSUMS: Final = "checksums.json"
CHECKPOINTS: Final = "checkpoints"
_DIGEST: Final = "digest"
_STAGING: Final = ".staging-"


def checksums_of(path: Path) -> Document:
    """SHA-256 for the world, BLAKE3 for us, and the size."""
    sha, fast, size = hashlib.sha256(), blake3(), 0
    with path.open("rb") as file:
        while piece := file.read(2**20):
            sha.update(piece)
            fast.update(piece)
            size += len(piece)
    return {"sha256": sha.hexdigest(), "blake3": fast.hexdigest(), "bytes": size}


def write_manifest(folder: Path, manifest: Document) -> Document:
    """Write checksums of all files, and the manifest with them and a digest of its own.

    Returns the manifest that was written.
    """
    names = sorted(path.name for path in folder.iterdir())
    files: Document = {name: checksums_of(folder / name) for name in names}
    whole: Document = {"format": FORMAT, **manifest, "files": files}
    whole[_DIGEST] = document_digest(whole)
    (folder / CHECKSUMS).write_bytes(_text(files))
    (folder / MANIFEST).write_bytes(_text(whole))
    return whole


def read_manifest(folder: Path) -> Document:
    """The manifest of a dataset in a folder, its files verified.

    Raises
    ------
    ContractError
        ``GRID_MISSING`` if there is no dataset, ``GRID_UNKNOWN`` if it is of another version.
    IntegrityError
        ``GRID_DAMAGED`` for every file that is missing or not what the manifest says, and
        for a manifest that is not what its own digest says.
    """
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise ContractError(
            "GRID_MISSING",
            f"there is no dataset, its manifest cannot be read: {error.strerror or error}",
            str(folder),
            ("build it with `islandflow grid build`",),
        ) from None
    manifest = _believed(data)
    if manifest is None:
        raise _damaged([folder / MANIFEST])
    if manifest["format"] != FORMAT:
        what = f"the dataset is not of the form {FORMAT}"
        hint = "read it with the version that made it"
        raise ContractError("GRID_UNKNOWN", what, str(folder), (hint,))
    files: Any = manifest["files"]
    wrong = [folder / name for name in sorted(files) if not _is_as_told(folder / name, files[name])]
    if not _holds(folder / CHECKSUMS, _text(files)):
        wrong.append(folder / CHECKSUMS)
    if wrong:
        raise _damaged(wrong)
    return manifest


def _text(document: Document) -> bytes:
    return canonical_json(document) + b"\n"


def _believed(data: bytes) -> Document | None:
    """The manifest that bytes are, if its digest and every byte are right."""
    try:
        manifest = json.loads(data)
        told = {name: value for name, value in manifest.items() if name != _DIGEST}
        is_right = manifest[_DIGEST] == document_digest(told) and _text(manifest) == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return manifest if is_right else None


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _is_as_told(path: Path, told: object) -> bool:
    try:
        return checksums_of(path) == told
    except OSError:
        return False


def _damaged(paths: list[Path]) -> IntegrityError:
    what = "cannot trust the dataset: a file is missing or not what its digest says"
    hints = ("build it again in another folder",)
    others = tuple(Problem("GRID_DAMAGED", what, str(path), hints) for path in paths[1:])
    return IntegrityError("GRID_DAMAGED", what, str(paths[0]), hints, others)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give an empty folder below `folder`; the files that it holds at the end become the dataset.

    One build at a time holds a folder; what another has left that was interrupted vanishes.
    Nothing but checkpoints is left if the block raises.

    Raises
    ------
    ContractError
        ``GRID_EXISTS``, ``GRID_BUSY``, or ``FOLDER_NOT_WRITABLE`` if writing fails.
    """
    try:
        with _made(folder), _held(folder):
            _sweep(folder)
            _refuse_occupied(folder)
            staging = folder / f"{_STAGING}{secrets.token_hex(8)}"
            try:
                staging.mkdir()
                yield staging
                _move_in(staging, folder)
            finally:
                _sweep(folder)
    except OSError as error:
        if isinstance(error, IslandflowError):
            raise
        is_other = os.path.exists(folder) and not os.path.isdir(folder)
        why = "it is not a folder" if is_other else error.strerror or error
        hint = "name a new folder where one can be made"
        what = f"cannot write the dataset: {why}"
        raise ContractError("FOLDER_NOT_WRITABLE", what, str(folder), (hint,)) from error


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; take back what was made if the block raises."""
    # Those of os.path, unlike a Path's own, say no where a name cannot even be looked up.
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in made:
            try:
                path.rmdir()
            except OSError:
                break
        raise


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep other builds out of a folder; the lock ends with the process, however it ends."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        what = "another build is at work in this folder"
        hint = "wait for its end, or name another folder"
        raise ContractError("GRID_BUSY", what, str(folder), (hint,)) from None


def _sweep(folder: Path) -> None:
    """Remove what an interrupted build has left, but for its checkpoints."""
    is_whole = (folder / MANIFEST).exists()
    for left in folder.glob(f"{_STAGING}*"):
        for path in () if is_whole else left.iterdir():
            moved = folder / path.name
            if moved.exists() and moved.samefile(path):
                moved.unlink()
        shutil.rmtree(left, ignore_errors=True)
    for left in (folder / CHECKPOINTS).glob(".*.part"):
        left.unlink()


def _refuse_occupied(folder: Path) -> None:
    strangers = [path.name for path in folder.iterdir() if path.name != CHECKPOINTS]
    if strangers:
        raise ContractError(
            "GRID_EXISTS",
            f"the folder is not free: it holds {min(strangers)}; a dataset is never changed",
            str(folder),
            ("name a new folder",),
        )


def _move_in(staging: Path, folder: Path) -> None:
    """Let finished files appear under their names, the manifest last, none replaced."""
    names = sorted(path.name for path in staging.iterdir())
    for name in names:
        with (staging / name).open("rb") as file:
            os.fsync(file.fileno())
    for name in [*(n for n in names if n != MANIFEST), MANIFEST]:
        # A link, unlike a rename, fails where the name is taken.
        os.link(staging / name, folder / name)
