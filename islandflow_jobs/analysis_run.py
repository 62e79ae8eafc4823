"""What ``islandflow catalog`` and ``islandflow report …`` do, as functions that return lines.

Arguments are read in ``cli_analysis``. The catalogue is ``islandflow_resources.catalog_file``,
reports are ``islandflow_assets.campaign_page`` and ``tape_page``; one query without a file is
``operations.sql``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from islandflow_resources.folder_store import FolderStore
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.catalog_file import ViewFacts


def catalog(resources: ResourceSet, out: Path | None) -> list[str]:
    """Write the catalogue, and say what is in it and how it is opened.

    Parameters
    ----------
    out : Path or None
        Where; in the home if None.

    Raises
    ------
    ContractError
        ``FILE_EXISTS`` if something else has the name, ``FILE_NOT_WRITABLE``.
    IntegrityError
        ``CATALOGUE_VIEW_BROKEN``.
    """
    from islandflow_resources.catalog_file import NAME, facts_of, opened, write_catalogue

    path = (out or resources.settings.home / NAME).absolute()
    if out is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    store, labels_store = resources.store, resources.labels_store
    write_catalogue(path, store, labels_store, resources.database)
    with opened(path, store, labels_store) as connection:
        facts = facts_of(connection)
    return [f"wrote {path}", *_listed(facts), *_ways(path, resources)]


def _listed(facts: list[ViewFacts]) -> list[str]:
    """A line for each view: name, rows, files; empty ones together at the end."""
    filled = [one for one in facts if one.rows]
    lines = ["view\trows\tfiles"]
    lines += [
        f"{one.said}\t{one.rows}\t{'-' if one.files is None else one.files}" for one in filled
    ]
    empty = ", ".join(one.said for one in facts if not one.rows)
    return [*lines, f"without rows: {empty}"] if empty else lines


def _ways(path: Path, resources: ResourceSet) -> list[str]:
    if isinstance(resources.store, FolderStore):
        return [
            f"open it: duckdb -readonly {path}",
            f"in Python: duckdb.connect({str(path)!r}, read_only=True)",
        ]
    return [
        "its views read the bucket through this deployment's own client and keys",
        "one query: islandflow sql QUERY",
        "in Python: islandflow_resources.catalog_file.opened, see docs/analyst.md",
    ]
