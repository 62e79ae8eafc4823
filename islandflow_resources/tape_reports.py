"""What a stored tape is judged by: every figure, and the series of its pictures, in one pass.

The tape is proved first (``tape_loader``), then its streams are read once, a stretch at a time.
The report is a derived document, made once for a tape. What is measured in the pass is
``tape_figures``; which check of the graph asks for which section of figures is
``islandflow_assets.market_verdicts``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.canonical import Document
from contracts.digest import recipe_digest
from contracts.errors import IntegrityError, NotFoundError, Problem
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedDocument, Recipe, made_document
from islandflow_resources.market_tapes import MarketTapeFiles
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.tape_figures import VERSION, limits_of_figures, measured
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_parity import problem_of, tape_parity

WHAT: Final = "tape_report"
FORMAT: Final = "islandflow-tape-report/1"
DIGEST: Final = "digest"
DETERMINISM: Final = "determinism"
_SECTION_OF: Final = {
    "TAPE_LABEL_ON_EVENT": "labels",
    "TAPE_ORDER_BROKEN": "order",
    "TAPE_SEQ_REPEATED": "order",
    "TAPE_VALUE_UNKNOWN": "schema",
    "TABLE_VERSION_UNKNOWN": "schema",
}
_COLUMNS: Final = "TABLE_COLUMN_"
_CODES: Final = {
    "labels": ("TAPE_LABELS_LEAK", "nothing of an event may tell who is behind it"),
    "arbitrage": ("TAPE_ARBITRAGE", "report this: clean quotes allow no arbitrage"),
    "schema": ("TAPE_SCHEMA_BROKEN", "report this: the layout of a tape is fixed"),
    "order": ("TAPE_ORDER_BROKEN", "report this: events have one order"),
    "ticks": ("TAPE_OFF_GRID", "report this: every price is a multiple of its tick"),
    "prints": ("TAPE_PRINTS_APART", "report this: prints follow the quotes in force"),
    "realism": ("TAPE_UNREALISTIC", "bring the profile nearer to the default one"),
}
"""Code and hint of a section whose figures leave their bands."""


@dataclass(frozen=True)
class Judgement:
    """What is known of a tape that stands.

    Attributes
    ----------
    report : Document or None
        Events, figures and series; None if the tape could not be proved.
    parity : Document or None
        What became of a slice made again.
    problems : mapping of str to Problem
        By section; empty for a sound tape.
    """

    report: Document | None
    parity: Document | None
    problems: Mapping[str, Problem]


def judged(store: ObjectStore, database: Database, tape: MarketTapeFiles, run_id: str) -> Judgement:
    """Judge a tape whose bytes have been verified, or find that it has been judged."""
    try:
        report = tape_report(store, database, tape, run_id).document
    except IntegrityError as error:
        return Judgement(None, None, _sections(error.problems))
    parity = tape_parity(store, database, tape, run_id).document
    problems = {**_left(str(tape.ref), figures_of(report))}
    differs = problem_of(parity)
    if differs is not None:
        problems[DETERMINISM] = differs
    return Judgement(report, parity, problems)


def refuse_unsound(judgement: Judgement, named: str) -> None:
    """Refuse to go on with a tape that has a problem.

    Raises
    ------
    NotFoundError
        With the code of the first one.
    """
    for problem in judgement.problems.values():
        said = f"{named} did not pass: {problem.message}"
        raise NotFoundError(problem.code, said, problem.loc, problem.hints)


def tape_report(
    store: ObjectStore, database: Database, tape: MarketTapeFiles, run_id: str
) -> DerivedDocument:
    """The report of a tape, made once for the limits that it is judged by.

    Raises
    ------
    IntegrityError
        As ``tape_loader.verify_tape``; then nothing is stored.
    """
    inputs = {
        "tape": tape.content_digest,
        "labels": tape.labels_digest,
        "states": tape.states_digest,
    }
    ref = tape.ref
    recipe = Recipe(
        WHAT,
        recipe_digest(WHAT, version=VERSION, specs={"limits": limits_of_figures()}, inputs=inputs),
        f"reports/market/{ref.inputs.tape_id}",
        VERSION,
        ref.tape.key,
        ref.seed,
        {"tape": tape.content_digest, "version": VERSION},
    )
    return made_document(store, database, recipe, lambda: _report(tape), run_id)


def figures_of(report: Document) -> list[dict[str, Any]]:
    """Figures of a report: section, name, value, low, high, ok; null where there is no number."""
    return list(report["figures"])  # pyright: ignore[reportArgumentType, reportReturnType]


def _report(tape: MarketTapeFiles) -> Document:
    verify_tape(tape.place)
    return {"format": FORMAT, "tape": tape.content_digest, **measured(tape)}


def _sections(problems: Iterable[Problem]) -> dict[str, Problem]:
    """The first problem of each section."""
    found: dict[str, Problem] = {}
    for problem in problems:
        is_schema = problem.code.startswith(_COLUMNS)
        section = "schema" if is_schema else _SECTION_OF.get(problem.code, DIGEST)
        found.setdefault(section, problem)
    return found


def _left(named: str, figures: Iterable[Mapping[str, Any]]) -> dict[str, Problem]:
    """A problem for each section with figures outside their bands: which, and by how much."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in figures:
        if not one["ok"]:
            found.setdefault(one["section"], []).append(one)
    problems: dict[str, Problem] = {}
    for section, left in found.items():
        code, hint = _CODES[section]
        said = "; ".join(_said(one) for one in left)
        problems[section] = Problem(code, f"{named}: {said}", str(left[0]["name"]), (hint,))
    return problems


def _said(one: Mapping[str, Any]) -> str:
    value, low, high = one["value"], one["low"], one["high"]
    more = f" ({one['detail']})" if one.get("detail") else ""
    if value is None:
        return f"{one['name']} is not defined{more}"
    if low is not None and value < low:
        return f"{one['name']} is {value:.6g}, below {low:g} by {low - value:.3g}{more}"
    return f"{one['name']} is {value:.6g}, above {high:g} by {value - high:.3g}{more}"
