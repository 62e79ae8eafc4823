"""Marks in a bucket: which registries name objects of it.

Every registry leaves one before a process writes its first object (``resource_set``), so that a
sweep (``garbage``), which sees the rows of one registry alone, knows of the others. Who a registry
is stands in its audit log, once, and goes with its backup. What else lies where is ``references``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from sqlalchemy import select

from islandflow_resources.connections import shown
from islandflow_resources.database import Database
from islandflow_resources.models import AuditEntry, random_id
from islandflow_resources.object_store import ObjectStore

PREFIX: Final = "registries/"
ACTION: Final = "registry"
_LONGEST_BYTES: Final = 1 << 16
_AUDIT_ID: Final = "registry"
"""The same in every registry: of two that draw an identity at once, one is ignored."""


def identity_of(database: Database) -> str | None:
    """Identity of a registry; None if none was drawn yet."""
    query = select(AuditEntry).where(AuditEntry.audit_id == _AUDIT_ID)
    found = database.select("read the registry's identity", query)
    return str(found[0].detail["identity"]) if found else None


def drawn_identity(database: Database, store: ObjectStore) -> str:
    """Identity of a registry, drawn now if it has none."""
    known = identity_of(database)
    if known is None:
        detail = {"identity": random_id()}
        database.record_audit(
            AuditEntry(
                audit_id=_AUDIT_ID,
                actor="islandflow",
                action=ACTION,
                subject=store.root_uri,
                detail=detail,
            )
        )
        known = identity_of(database)
    assert known is not None
    return known


def mark_key(identity: str) -> str:
    """Where a registry leaves its mark."""
    return f"{PREFIX}{identity}.json"


def leave_mark(store: ObjectStore, database: Database) -> bool:
    """Say in the store that this registry names objects of it; True if that is new."""
    identity = drawn_identity(database, store)
    told = {"database": shown(database.url), "registry": identity}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return store.put_if_absent(mark_key(identity), text.encode())


def other_marks(keys: Iterable[str], database: Database) -> list[str]:
    """Keys of the marks that are not this registry's, in order."""
    marks = [key for key in keys if key.startswith(PREFIX)]
    own = identity_of(database) if marks else None
    return sorted(key for key in marks if own is None or key != mark_key(own))


def told_by(store: ObjectStore, key: str) -> str:
    """Database that a mark names, without its password; the key itself if it says none."""
    try:
        with store.open(key) as file:
            return str(json.loads(file.read(_LONGEST_BYTES))["database"])
    except (ValueError, KeyError, TypeError):
        return key
