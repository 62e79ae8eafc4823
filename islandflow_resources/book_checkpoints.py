"""Checkpoints of warm books in the store: made once for an identity, trusted only verified.

The state after all events before a time, from which a grid that starts there goes on. Being
derived, a damaged one is put aside and made again. What is in the file is
``grid_checkpoints``, what makes it ``grid_build.warm_book``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from contracts.digest import bare, recipe_digest
from contracts.errors import IntegrityError, NotFoundError
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.grid_build import ENGINE, GridOrder, state_identity_of, warm_book
from islandflow_resources.grid_checkpoints import CheckpointHead, read_checkpoint
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.stored_files import StoredFile, fetched, put_file

WHAT: Final = "book_checkpoint"


@dataclass(frozen=True, slots=True)
class BookCheckpoint:
    """A checkpoint in the store, with a local file of the same bytes.

    Attributes
    ----------
    recipe : str
    file : StoredFile
    head : CheckpointHead
    path : Path
    used_cache : bool
    seconds : float
    """

    recipe: str
    file: StoredFile
    head: CheckpointHead
    path: Path
    used_cache: bool
    seconds: float


def checkpoint_recipe(order: GridOrder, source_digest: str) -> str:
    """Recipe digest of a checkpoint: over the identity of its state."""
    specs = {"identity": state_identity_of(order, source_digest)}
    return recipe_digest(WHAT, version=ENGINE, specs=specs)


def make_checkpoint(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    order: GridOrder,
    source: StoredFile,
    workspace: Path,
    run_id: str,
) -> BookCheckpoint:
    """Warm a book up to the time that `order` starts its first bin at, or find that again.

    Raises
    ------
    ContractError
        Whatever is wrong with the events or the configuration.
    IntegrityError
        ``RECIPE_DIVERGED`` if it is now made otherwise than it was recorded.
    """
    start = time.perf_counter()
    found = find_checkpoint(store, database, order, source, workspace)
    if found is not None:
        return replace(found, seconds=time.perf_counter() - start)
    recipe = checkpoint_recipe(order, source.digest)
    events = fetched(store, source, workspace)
    workspace.mkdir(parents=True, exist_ok=True)
    path = workspace / f"{bare(recipe)}.arrow"
    with runtime.computing():
        head = warm_book(replace(order, events=events), path)
    file = StoredFile(f"checkpoints/{bare(recipe)}.arrow", file_digest(path))
    put_file(store, file, path)
    database.record([_row(recipe, file, head, run_id)])
    return BookCheckpoint(recipe, file, head, path, False, time.perf_counter() - start)


def find_checkpoint(
    store: ObjectStore, database: Database, order: GridOrder, source: StoredFile, workspace: Path
) -> BookCheckpoint | None:
    """A recorded checkpoint that verifies; None if there is none. Damage makes way."""
    recipe = checkpoint_recipe(order, source.digest)
    known = database.find([recipe]).get(recipe)
    if known is None:
        return None
    file = StoredFile(known.object_key, str(known.file_digest))
    try:
        path = fetched(store, file, workspace)
        head = read_checkpoint(path).head
    except NotFoundError:
        return None
    except IntegrityError:
        store.quarantine(file.key)
        return None
    return BookCheckpoint(recipe, file, head, path, True, 0.0)


def _row(recipe: str, file: StoredFile, head: CheckpointHead, run_id: str) -> Artefact:
    return Artefact(
        recipe_digest=recipe,
        what=WHAT,
        version=ENGINE,
        content_digest=file.digest,
        file_digest=file.digest,
        object_key=file.key,
        rows=head.rows_taken,
        recipe=head.identity,
        run_id=run_id,
    )
