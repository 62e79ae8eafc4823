"""What ``islandflow catalog`` and ``islandflow report …`` do, as functions that return lines.

Arguments are read in ``cli_analysis``. The catalogue is ``islandflow_resources.catalog_file``,
reports are ``islandflow_assets.campaign_page`` and ``tape_page``; one query without a file is
``operations.sql``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from contracts.errors import IntegrityError, NotFoundError
from contracts.tape import WHAT as TAPE
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.new_files import new_file, refuse_taken
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.catalog_file import ViewFacts
    from islandflow_resources.database import Database
    from islandflow_resources.derived import Derived
    from islandflow_resources.models import Artefact
    from islandflow_resources.object_store import ObjectStore

_RUN: Final = "islandflow report"
"""What is recorded of a page that no run of the graph has made."""
_NAMED: Final = 8


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


def report_campaign(resources: ResourceSet, name: str, out: Path | None) -> list[str]:
    """Write the HTML report of a judged campaign into a new file.

    Parameters
    ----------
    name : str
        Its key, hash or id.
    out : Path or None
        The file; named after the campaign if None.

    Raises
    ------
    NotFoundError
        ``CAMPAIGN_NOT_REGISTERED``, or ``CAMPAIGN_INCOMPLETE`` if it has not been judged.
    ContractError
        ``FILE_EXISTS`` or ``FILE_NOT_WRITABLE``.
    """
    resources.engine_runtime.prepare()
    from islandflow_assets.campaign_page import campaign_page
    from islandflow_resources.campaign_reports import newest
    from islandflow_resources.campaigns import registered
    from islandflow_resources.dossiers import DOSSIER_DOCUMENT, VERSION
    from islandflow_resources.judgement import judged_now

    store, database, runtime = resources.store, resources.database, resources.engine_runtime
    campaign = registered(database, name)
    path = out or Path(f"{campaign.key}.html")
    refuse_taken(path)
    newest(database, campaign, DOSSIER_DOCUMENT, VERSION)
    judged = judged_now(store, database, runtime, campaign, _RUN)
    page = campaign_page(store, database, runtime, campaign, judged, _RUN)
    return _copied(store, page, path)


def report_tape(resources: ResourceSet, name: str, out: Path | None) -> list[str]:
    """Write the HTML report of a stored tape into a new file.

    Parameters
    ----------
    name : str
        Id of the tape, or its market and seed as ``market|seed``.
    out : Path or None
        The file; named after the tape if None.

    Raises
    ------
    NotFoundError
        ``TAPE_NOT_FOUND``, or why the tape did not pass.
    IntegrityError
        If its files are damaged.
    ContractError
        ``FILE_EXISTS`` or ``FILE_NOT_WRITABLE``.
    """
    resources.engine_runtime.prepare()
    from islandflow_assets.tape_page import tape_page
    from islandflow_resources.market_tapes import MarketRef
    from islandflow_resources.sound_tapes import sound_tape
    from islandflow_resources.tape_requests import registered_tape

    store, database = resources.store, resources.database
    row = _tape_row(database, name)
    assert row.scenario_key is not None
    assert row.seed is not None
    path = out or Path(f"tape-{_tape_id(row)}.html")
    refuse_taken(path)
    ref = MarketRef(registered_tape(store, database, row.scenario_key), row.seed)
    found = sound_tape(store, resources.labels_store, database, ref, _RUN)
    if found.tape is None or found.report is None:
        problem = found.problem
        assert problem is not None
        kind = IntegrityError if found.is_damaged else NotFoundError
        raise kind(problem.code, problem.message, problem.loc, problem.hints)
    return _copied(store, tape_page(store, database, found.tape, found.report, _RUN), path)


def _copied(store: ObjectStore, page: Derived, path: Path) -> list[str]:
    from islandflow_resources.derived_pages import read_page

    data = read_page(store, page)
    with new_file(path) as temporary:
        temporary.write_bytes(data)
    return [f"wrote {path}, {len(data):,} bytes", f"from {store.uri(page.key)}"]


def _tape_row(database: Database, name: str) -> Artefact:
    """The newest tape of an id, or of a market and a seed."""
    rows = database.artefacts(what=TAPE)
    own = [row for row in rows if name in (_tape_id(row), f"{row.scenario_key}|{row.seed}")]
    if own:
        return max(own, key=lambda row: (row.created_at, row.recipe_digest))
    known = ", ".join(f"{row.scenario_key}|{row.seed}" for row in rows[:_NAMED])
    hint = f"there are {known}" if known else "make one: run the job market_tapes"
    raise NotFoundError("TAPE_NOT_FOUND", f"there is no tape {name}", "TAPE", (hint,))


def _tape_id(row: Artefact) -> str:
    return row.object_key.split("/")[1]


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
