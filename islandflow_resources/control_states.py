"""The control log as a stored document: what tapes may depend on, under its own digest.

Neither who saved a revision nor when is in it, nor revisions that changed nothing. The log itself
is ``control_log``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.control import ControlLog
from contracts.digest import recipe_digest
from islandflow_resources.control_log import ControlRevision
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedDocument, Recipe, made_document
from islandflow_resources.object_store import ObjectStore

WHAT: Final = "control_state"
VERSION: Final = "1"
_EVER_NS: Final = 2**63 - 1


def control_document(
    store: ObjectStore, database: Database, history: Sequence[ControlRevision], run_id: str
) -> DerivedDocument:
    """The document of a log, stored once.

    Parameters
    ----------
    history : sequence of ControlRevision
        Every revision, the oldest first.
    """
    log = ControlLog(versions=tuple(one.version for one in history)).until(_EVER_NS)
    document = log.document()
    digest = recipe_digest(WHAT, version=VERSION, specs={"control": document})
    return made_document(
        store, database, Recipe(WHAT, digest, "control", VERSION), lambda: document, run_id
    )
