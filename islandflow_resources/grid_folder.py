"""The folder of a grid dataset: its files, their checksums, how it comes to stand there.

A folder without a manifest is no dataset; one with it is never changed. What fills it is
``grid_build``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from contracts.canonical import Document
from contracts.errors import ContractError, IntegrityError

MANIFEST: Final = "manifest.json"
CHECKSUMS: Final = "checksums.json"
CHECKPOINTS: Final = "checkpoints"


def checksums_of(path: Path) -> Document:
    """SHA-256 for the world, BLAKE3 for us, and the size."""
    sha, fast, size = hashlib.sha256(), blake3(), 0
    with path.open("rb") as file:
        while piece := file.read(2**20):
            sha.update(piece)
            fast.update(piece)
            size += len(piece)
    return {"sha256": sha.hexdigest(), "blake3": fast.hexdigest(), "bytes": size}


def read_manifest(folder: Path) -> Document:
    """The manifest of a dataset in a folder, its files verified.

    Raises
    ------
    ContractError
        ``GRID_MISSING`` if there is no dataset.
    IntegrityError
        ``GRID_DAMAGED``, naming the first file that is not what the manifest says.
    """
    try:
        manifest: Document = json.loads((folder / MANIFEST).read_bytes())
        files: Any = manifest["files"]
        for name, expected in files.items():
            if checksums_of(folder / name) != expected:
                raise _damaged(folder / name)
    except FileNotFoundError as error:
        if Path(error.filename).name == MANIFEST:
            raise ContractError(
                "GRID_MISSING",
                "there is no dataset: a folder without a manifest is none",
                str(folder),
                ("build it with `islandflow grid build`",),
            ) from None
        raise _damaged(Path(error.filename)) from None
    except (ValueError, KeyError, AttributeError):
        raise _damaged(folder / MANIFEST) from None
    return manifest


def _damaged(path: Path) -> IntegrityError:
    return IntegrityError(
        "GRID_DAMAGED",
        "cannot trust the dataset: a file is missing or not what the manifest says",
        str(path),
        ("build it again in another folder",),
    )


def refuse_occupied(folder: Path) -> None:
    """Refuse a folder that holds anything but what an interrupted build has left.

    Raises
    ------
    ContractError
        ``GRID_EXISTS``.
    """
    if not folder.exists():
        return
    strangers = [
        path.name
        for path in folder.iterdir()
        if path.name != CHECKPOINTS and not path.name.startswith(".staging-")
    ]
    if strangers:
        raise ContractError(
            "GRID_EXISTS",
            f"the folder is not free: it holds {min(strangers)}; a dataset is never changed",
            str(folder),
            ("name a new folder",),
        )


def move_in(staging: Path, folder: Path) -> None:
    """Let finished files appear under their names, the manifest last, none replaced."""
    names = sorted(path.name for path in staging.iterdir())
    for name in [*(n for n in names if n != MANIFEST), MANIFEST]:
        # A link, unlike a rename, fails where somebody was faster.
        os.link(staging / name, folder / name)
    for left in folder.glob(".staging-*"):
        shutil.rmtree(left, ignore_errors=True)
