"""What an operator does now and then, as functions that return lines: sweep, back up, restore.

What is garbage is ``islandflow_resources.garbage``, what a backup holds
``islandflow_resources.registry_backup``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from islandflow_resources import garbage, registry_backup
from islandflow_resources.garbage import Findings, Stores
from islandflow_resources.registry_backup import BackedUp
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.store_marks import told_by

_LISTED = 50
_UNITS = ("bytes", "kB", "MB", "GB")


def survey(resources: ResourceSet, older_than: timedelta) -> list[str]:
    """What `collect` would delete, what else lies there, and what is missing."""
    stores = Stores(resources.store, resources.labels_store)
    found = garbage.look(stores, resources.database, older_than)
    lines = [*_garbage_lines(stores, found), *_other_lines(stores, found, older_than)]
    if found.others:
        why = "nothing can be deleted: what other registries name here looks like garbage"
        return [*lines, *(f"shared with {told_by(stores.main, key)}" for key in found.others), why]
    if found.garbage or found.unfinished:
        return [*lines, "nothing was deleted; delete with: islandflow gc --delete"]
    return [*lines, "there is nothing to delete"]


def collect(resources: ResourceSet, older_than: timedelta) -> list[str]:
    """Delete unreferenced objects and unfinished writes that are old enough.

    Raises
    ------
    ConfigurationError
        ``GC_STORE_SHARED``, ``GC_CLOCK_WRONG``, ``GC_IMPLAUSIBLE``.
    """
    stores = Stores(resources.store, resources.labels_store)
    swept = garbage.sweep(stores, resources.database, older_than)
    lines = [f"deleted {stores.of(one.key).uri(one.key)}" for one in swept.removed[:_LISTED]]
    size = sum(one.size_bytes for one in swept.removed)
    objects = f"deleted {_counted(len(swept.removed), 'object')}, {_size(size)}"
    dropped = f"dropped {_counted(swept.dropped, 'unfinished write')}"
    return [*lines, *_more(len(swept.removed)), f"{objects}; {dropped}"]


def back_up(resources: ResourceSet, path: Path) -> list[str]:
    """Write the registry into a new file."""
    return [*_told(registry_backup.back_up(resources.database, path)), f"wrote {path}"]


def restore(resources: ResourceSet, path: Path) -> list[str]:
    """Bring a backup into the empty database of the profile."""
    lines = _told(registry_backup.restore(resources.database, path))
    return [*lines, f"restored {path}; now run: islandflow gc, islandflow verify --all"]


def _told(done: BackedUp) -> list[str]:
    width = max(map(len, done.rows))
    tables = [f"{name:<{width}}  {rows} rows" for name, rows in done.rows.items()]
    return [*tables, f"revision {done.revision}, {sum(done.rows.values())} rows"]


def _garbage_lines(stores: Stores, found: Findings) -> list[str]:
    now = datetime.now(UTC)
    lines = [
        f"unreferenced {stores.of(one.key).uri(one.key)}  "
        f"{_size(one.size_bytes)}, {(now - one.modified).days} days old"
        for one in found.garbage[:_LISTED]
    ]
    lines += _more(len(found.garbage))
    return lines + [
        f"unfinished {one.key}, begun {one.begun:%Y-%m-%d %H:%M} UTC"
        for one in found.unfinished[:_LISTED]
    ]


def _other_lines(stores: Stores, found: Findings, older_than: timedelta) -> list[str]:
    days = older_than / timedelta(days=1)
    lines = [
        f"unknown {stores.main.root_uri}{name}: {_counted(number, 'object')} of somebody else, "
        "never touched"
        for name, number in found.unknown.items()
    ]
    lines += [f"missing {key}: a row names it" for key in found.missing[:_LISTED]]
    counts = (
        f"{_counted(len(found.garbage), 'object')} unreferenced, {_size(found.size_bytes)}",
        f"{found.young} more younger than {days:g} days",
        _counted(len(found.unfinished), "unfinished write"),
        f"{found.kept} kept",
        f"{len(found.missing)} missing",
    )
    return [*lines, *_more(len(found.missing)), "; ".join(counts)]


def _more(number: int) -> list[str]:
    return [f"… and {number - _LISTED} more"] if number > _LISTED else []


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _size(size_bytes: int) -> str:
    size, unit = float(size_bytes), 0
    while size >= 1_000 and unit < len(_UNITS) - 1:
        size, unit = size / 1_000, unit + 1
    return f"{size:.3g} {_UNITS[unit]}" if unit else f"{size_bytes} bytes"
