"""Objects that nothing references and nobody will finish: found, listed, deleted on request.

First rows and the list of the store are read, then whatever is below a known area, not referenced
and older than a limit is a candidate; right before one goes, rows and its folder are read again.
A writer who finds an object that he would have written makes it young, so what is taken into use
meanwhile stays (see ``store_entries.remove``). What counts as referenced is ``references``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts.errors import ConfigurationError
from islandflow_resources.database import Database
from islandflow_resources.models import AuditEntry
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.references import (
    Marks,
    area_of,
    marks_of,
    named_by_rows,
    publication_of,
)
from islandflow_resources.store_entries import (
    Entry,
    Unfinished,
    drop,
    entries,
    remove,
    store_time,
    unfinished,
)
from islandflow_resources.store_marks import other_marks, told_by

DEFAULT_AGE: Final = timedelta(days=7)
LEAST_AGE: Final = timedelta(days=1)
"""No run lasts as long: what a run has begun to write is younger."""
_CLOCK_TOLERANCE: Final = timedelta(minutes=15)
"""What S3 allows the clocks of requests, too."""
_LABELS: Final = "labels/"
_FEW: Final = 20
_NAMED: Final = 1_000


@dataclass(frozen=True)
class Stores:
    """The store, and the one that opens what lies below ``labels/``; often the same."""

    main: ObjectStore
    labels: ObjectStore

    def of(self, key: str) -> ObjectStore:
        """The store that a key is opened with."""
        return self.labels if key.startswith(_LABELS) else self.main

    def entries(self) -> list[Entry]:
        """Every object."""
        if self.labels is self.main:
            return entries(self.main)
        own = [one for one in entries(self.main) if not one.key.startswith(_LABELS)]
        return [*own, *entries(self.labels, _LABELS)]

    def unfinished(self) -> list[Unfinished]:
        """What was begun and not finished."""
        if self.labels is self.main:
            return unfinished(self.main)
        own = [one for one in unfinished(self.main) if not one.key.startswith(_LABELS)]
        return [*own, *unfinished(self.labels, _LABELS)]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look over the store found.

    Attributes
    ----------
    garbage : list of Entry
        Unreferenced and old.
    unfinished : list of Unfinished
        Begun long ago and never finished.
    kept, young : int
        Objects that are referenced, and unreferenced ones that are not old.
    unknown : dict of str to int
        Objects that are not ours, by their first folder.
    missing : list of str
        Keys that rows name and where nothing lies.
    others : list of str
        Keys of the marks that other registries have left in the store.
    """

    garbage: list[Entry]
    unfinished: list[Unfinished]
    kept: int
    young: int
    unknown: dict[str, int]
    missing: list[str]
    others: list[str] = field(default_factory=list[str])

    @property
    def size_bytes(self) -> int:
        """Of the garbage."""
        return sum(one.size_bytes for one in self.garbage)


@dataclass(frozen=True, slots=True)
class Swept:
    """What was deleted: objects, and how many unfinished ones."""

    removed: list[Entry]
    dropped: int


def look(
    stores: Stores,
    database: Database,
    older_than: timedelta = DEFAULT_AGE,
    now: datetime | None = None,
) -> Findings:
    """Compare store and registry; nothing is changed.

    Parameters
    ----------
    now : datetime, optional
        In UTC; this moment by default.
    """
    limit = (now or datetime.now(UTC)) - older_than
    listed = stores.entries()
    named = named_by_rows(database)
    there = {one.key for one in listed}
    marks = marks_of(named, there)
    ours = [one for one in listed if area_of(one.key) is not None]
    loose = [one for one in ours if not marks.keep(one.key)]
    garbage = [one for one in loose if one.modified < limit]
    begun = [one for one in stores.unfinished() if one.begun < limit and _is_ours(one)]
    foreign = (one.key for one in listed if area_of(one.key) is None)
    unknown = Counter(key.partition("/")[0] + "/" * ("/" in key) for key in foreign)
    return Findings(
        garbage=garbage,
        unfinished=begun,
        kept=len(ours) - len(loose),
        young=len(loose) - len(garbage),
        unknown=dict(sorted(unknown.items())),
        missing=sorted(_promised(named) - there),
        others=other_marks(there, database),
    )


def sweep(
    stores: Stores,
    database: Database,
    older_than: timedelta = DEFAULT_AGE,
    now: datetime | None = None,
    actor: str = "cli",
) -> Swept:
    """Delete what `look` calls garbage, each object after another look, and write it down.

    Raises
    ------
    ConfigurationError
        ``GC_STORE_SHARED`` if another registry names objects of the store, too;
        ``GC_CLOCK_WRONG`` if this machine's clock is not the store's;
        ``GC_IMPLAUSIBLE`` if most of what rows should name is named by none.
    """
    if now is None:
        _refuse_clock(stores.main)
    found = look(stores, database, older_than, now)
    _refuse_shared(stores.main, found)
    _refuse_implausible(stores.main, found)
    for one in found.unfinished:
        drop(stores.of(one.key), one)
    removed = [one for one in _still_garbage(stores, database, found.garbage) if _gone(stores, one)]
    if removed or found.unfinished:
        detail = {
            "objects": len(removed),
            "size_bytes": sum(one.size_bytes for one in removed),
            "unfinished": len(found.unfinished),
            "older_than_days": older_than / timedelta(days=1),
            "keys": [one.key for one in removed[:_NAMED]],
        }
        entry = AuditEntry(actor=actor, action="gc", subject=stores.main.root_uri, detail=detail)
        database.record_audit(entry)
    return Swept(removed, len(found.unfinished))


def _gone(stores: Stores, one: Entry) -> bool:
    return remove(stores.of(one.key), one)


def _still_garbage(
    stores: Stores, database: Database, candidates: Sequence[Entry]
) -> Iterator[Entry]:
    """Candidates that rows and folders, read once more, reference no more than before."""
    if not candidates:
        return
    named = named_by_rows(database)
    for folder, own in _by_publication(candidates).items():
        listed = stores.of(folder).keys(folder) if folder else []
        marks = marks_of(named, listed)
        yield from (one for one in own if not marks.keep(one.key))


def _by_publication(candidates: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for one in candidates:
        area = area_of(one.key)
        found.setdefault(publication_of(one.key, area) if area else "", []).append(one)
    return found


def _refuse_shared(store: ObjectStore, found: Findings) -> None:
    """Refuse a store of which this registry does not name everything that is in use."""
    if not found.others:
        return
    named = ", ".join(told_by(store, key) for key in found.others)
    raise ConfigurationError(
        "GC_STORE_SHARED",
        f"nothing was deleted of {store.root_uri}: another registry names objects there, too, and "
        f"what it names cannot be seen from here: {named}",
        found.others[0],
        (
            "give each deployment a bucket of its own",
            f"if that registry is gone for good, delete its mark {store.uri(found.others[0])}",
        ),
    )


def _refuse_clock(store: ObjectStore) -> None:
    """Refuse to judge ages by a clock that is not the one that objects are dated by."""
    ahead = datetime.now(UTC) - store_time(store)
    if abs(ahead) <= _CLOCK_TOLERANCE:
        return
    word = "ahead of" if ahead > timedelta(0) else "behind"
    raise ConfigurationError(
        "GC_CLOCK_WRONG",
        f"nothing was deleted of {store.root_uri}: the clock here is {abs(ahead)} {word} the "
        "store's, so that ages cannot be told",
        store.root_uri,
        ("set the clock of this machine, then run again",),
    )


def _refuse_implausible(store: ObjectStore, found: Findings) -> None:
    """Refuse a registry that does not look like that of this store."""
    if len(found.garbage) <= _FEW or len(found.garbage) <= found.kept:
        return
    raise ConfigurationError(
        "GC_IMPLAUSIBLE",
        f"nothing was deleted of {store.root_uri}: {len(found.garbage)} old objects are "
        f"referenced by nothing, only {found.kept} by something; this registry seems not to be "
        "that of the store",
        "ISLANDFLOW_DATABASE_URL",
        (
            "name the registry that belongs to the store, or restore its backup",
            "if all is right, delete less at once: raise --older-than",
        ),
    )


def _is_ours(one: Unfinished) -> bool:
    """Staged files of a folder are; uploads are by their key."""
    return one.key.startswith(".") or area_of(one.key) is not None


def _promised(named: Iterable[str]) -> set[str]:
    """Keys where something must lie; the document of a scenario comes with its first run."""
    return {
        key for key in named if not (key.startswith("scenarios/") and key.endswith("/spec.json"))
    }


__all__ = ["DEFAULT_AGE", "LEAST_AGE", "Findings", "Marks", "Stores", "Swept", "look", "sweep"]
