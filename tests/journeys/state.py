"""What a home or a pair of servers holds, in a form in which two of them can be compared.

Objects by key and digest, rows without times and runs. Nothing here makes or changes anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.digest import document_digest
from islandflow_resources.models import Base
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.settings import PREFIX

SEALED = "sealed"
_OF_A_DEPLOYMENT = ("compute-logs/", "registries/")
_TOLD_BY_THE_RUN = frozenset({"run_id", "created_at", "registered_at"})


@dataclass(frozen=True, slots=True)
class State:
    """Everything that must not depend on how it came about.

    Attributes
    ----------
    objects : dict of str to str
        Digest of the bytes by key; of a provenance, which tells its run, only that its seal holds.
    rows : list of str
        Every row of the registry and the index, as sorted JSON.
    """

    objects: dict[str, str]
    rows: list[str]

    @property
    def derived(self) -> dict[str, str]:
        """Objects that depend on nothing but their recipe; a summary covers what there was."""
        return {key: text for key, text in self.objects.items() if not key.startswith("summaries/")}


def state_of(environment: Mapping[str, str]) -> State:
    """State of what the variables point to."""
    resources = _resources(environment)
    rows = [
        *resources.database.scenarios(),
        *resources.database.strategies(),
        *resources.database.artefacts(),
        *resources.database.results(),
    ]
    resources.database.dispose()
    return State(objects_of(environment), sorted(_text(row) for row in rows))


def objects_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Digest of every visible object."""
    store = _resources(environment).store
    keys = [key for key in store.keys("") if not key.startswith(_OF_A_DEPLOYMENT)]
    return {key: _digest(store, key) for key in keys}


def store_of(environment: Mapping[str, str]) -> ObjectStore:
    """The store that the variables point to."""
    return _resources(environment).store


def _resources(environment: Mapping[str, str]) -> ResourceSet:
    own = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
    return ResourceSet.from_environment(own)


def _digest(store: ObjectStore, key: str) -> str:
    data = store.get(key)
    if not key.endswith("/provenance.json"):
        return hashlib.sha256(data).hexdigest()
    sealed: dict[str, Any] = json.loads(data)
    assert sealed["digest"] == document_digest(sealed["body"]), f"{key} breaks its seal"
    return SEALED


def _text(row: Base) -> str:
    columns = {column.key for column in row.__table__.columns} - _TOLD_BY_THE_RUN
    told = {name: getattr(row, name) for name in columns}
    return f"{row.__tablename__} {json.dumps(told, sort_keys=True)}"
