"""What ``islandflow control …`` does, as functions that return lines.

Arguments are read in ``cli_control``. What a control says is ``contracts.control``; revisions are
kept by ``islandflow_resources.control_log``.
"""

from __future__ import annotations

import getpass
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

from contracts.canonical import Document, Json, parse_document
from contracts.control import (
    HIGH,
    LOW,
    NORMAL,
    PROFILES,
    SECOND_NS,
    SyntheticControlState,
    differing,
    patched,
    replaced,
    templated,
)
from contracts.errors import ContractError, Problem
from contracts.problems import renamed
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.control_log import ControlRevision

LEAD_NS: Final = 2 * SECOND_NS
"""A change takes effect so much later by default: whoever follows the log hears of it before."""
_WIDTH = 44
_WEIGHTS: Final = {"low": LOW, "normal": NORMAL, "high": HIGH, "1": NORMAL} | {
    str(value): value for value in (LOW, NORMAL, HIGH)
}
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Flags:
    """Fields as the command line gives them; None where it says nothing."""

    demo_profile: str | None = None
    load_profile: str | None = None
    preset: str | None = None
    coverage_assist: bool | None = None
    coverage_window: int | None = None
    shared_seed: str | None = None
    weights: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A change that is to be saved.

    Attributes
    ----------
    patch : dict
        Fields to set anew; not looked at where there is a `whole`.
    whole : SyntheticControlState or None
        The state that replaces the present one.
    expected_revision : int or None
        Revision that this was decided on; None for the one that stands.
    effective_ns : int or None
        From when on; None for soon.
    updated_by : str or None
        Who it is; None for whoever runs the process.
    """

    patch: Document
    whole: SyntheticControlState | None = None
    expected_revision: int | None = None
    effective_ns: int | None = None
    updated_by: str | None = None


def parse_flags(flags: Flags) -> Document:
    """The patch that flags are.

    Raises
    ------
    ContractError
        ``CONTROL_…`` with everything that is wrong.
    """
    given: Document = {
        "demo_profile_id": flags.demo_profile,
        "load_profile_id": flags.load_profile,
        "preset_id": flags.preset,
        "coverage_assist": flags.coverage_assist,
        "coverage_window_minutes": flags.coverage_window,
        "shared_seed": flags.shared_seed,
    }
    patch: Document = {name: value for name, value in given.items() if value is not None}
    found: list[Problem] = []
    weights: Document = {}
    for text in flags.weights:
        name, _, value = text.partition("=")
        problem = _weight_problem(name, value, weights)
        if problem is None:
            weights[name] = _WEIGHTS[value]
        else:
            found.append(problem)
    try:
        patched(SyntheticControlState(), patch)
    except ContractError as error:
        found = [*error.problems, *found]
    if found:
        first, *others = found
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    return _with_weights(patch, weights)


def parse_patch(data: bytes) -> Document:
    """A patch from the bytes of a file, checked on its own.

    Raises
    ------
    ContractError
        ``DOCUMENT_…`` or ``CONTROL_…``.
    """
    patch = parse_document(data, "control")
    patched(SyntheticControlState(), patch)
    return patch


def parse_whole(data: bytes) -> SyntheticControlState:
    """A state from the bytes of a file that gives every field.

    Raises
    ------
    ContractError
        ``DOCUMENT_…`` or ``CONTROL_…``.
    """
    return replaced(parse_document(data, "control"))


def parse_moment(text: str, loc: str = "/effective_ns") -> int:
    """Nanoseconds since 1970 of an instant, or of decimal digits that say them.

    Raises
    ------
    ContractError
        ``CONTROL_VALUE_INVALID`` at `loc`.
    """
    if re.fullmatch(r"[0-9]{1,19}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text if _INSTANT.fullmatch(text) else "")
    except ValueError:
        raise ContractError(
            "CONTROL_VALUE_INVALID",
            f"{text[:40]!r} is no time of whole seconds in a known zone",
            loc,
            ("write an instant such as 2026-03-02T14:30:00Z, or nanoseconds since 1970",),
        ) from None
    return int(moment.timestamp()) * SECOND_NS


def joined(patch: Document, flags: Document) -> Document:
    """One patch of two; what flags say wins, weight by weight."""
    weights: Document = {}
    for one in (patch, flags):
        weights |= cast(Document, one.get("profile_weights", {}))
    return _with_weights({**patch, **flags}, weights)


def save(resources: ResourceSet, asked: Asked) -> list[str]:
    """Save a change, and say what it changed.

    Raises
    ------
    ContractError
        As of `ControlLogStore.save`; nothing was written.
    """
    from islandflow_resources.control_log import ControlLogStore

    store = ControlLogStore(resources.database)
    last, now_ns = store.current(), time.time_ns()
    control = asked.whole or patched(last.control, asked.patch)
    expected, effective_ns = asked.expected_revision, asked.effective_ns
    effective_ns = _soon(last.effective_ns, now_ns) if effective_ns is None else effective_ns
    saved = store.save(
        control,
        expected_revision=last.revision if expected is None else expected,
        effective_ns=effective_ns,
        updated_by=_person() if asked.updated_by is None else asked.updated_by,
    )
    if not saved.changed:
        return [f"unchanged: revision {saved.revision} says the same"]
    was, now = last.control.fields(), control.fields()
    past = "that is past: tapes from then on will differ from those made before"
    return [
        f"revision {saved.revision}, effective {_when(effective_ns)}",
        *(
            f"{place:<{_WIDTH}}{_shown(was[place])} -> {_shown(now[place])}"
            for place in differing(last.control, control)
        ),
        *([past] if effective_ns <= now_ns else []),
    ]


def show(resources: ResourceSet, *, as_json: bool) -> list[str]:
    """The last revision: every field, and which differ from the demo profile's template."""
    from islandflow_resources.control_log import ControlLogStore

    history, now_ns = ControlLogStore(resources.database).history(), time.time_ns()
    last = history[-1]
    in_force = [one.revision for one in history if one.effective_ns <= now_ns][-1]
    if as_json:
        return _json({**document_of(last), "in_force_revision": in_force})
    control, modified = last.control, last.control.modified()
    template = templated(control.demo_profile_id).fields()
    saved = f"{_instant(last.updated_at)} by {last.updated_by}"
    rows = {
        "revision": str(last.revision),
        "effective": _when(last.effective_ns),
        "in_force": "yes" if in_force == last.revision else f"not yet, revision {in_force} is",
        "saved": saved if last.revision else "never: these are the defaults",
        "hash": last.control_hash,
    }
    for place, value in control.fields().items():
        theirs = f"  (modified: {control.demo_profile_id} has {_shown(template[place])})"
        rows[place] = f"{_shown(value)}{theirs if place in modified else ''}"
    return [f"{name:<{_WIDTH}}{text}" for name, text in rows.items()]


def history(resources: ResourceSet, *, as_json: bool) -> list[str]:
    """Every revision, oldest first, with the fields that it changed."""
    from islandflow_resources.control_log import ControlLogStore

    revisions = ControlLogStore(resources.database).history()
    changed = [(), *(differing(one.control, two.control) for one, two in pairwise(revisions))]
    told = list(zip(revisions, changed, strict=True))
    if as_json:
        return _json([{**document_of(one), "changed": list(places)} for one, places in told])
    head = ("revision", "effective", "saved", "by", "changed")
    return ["\t".join(row) for row in (head, *(_row(one, places) for one, places in told))]


def document_of(revision: ControlRevision) -> dict[str, Any]:
    """Turn a revision into the object that ``--json`` prints; times in nanoseconds are strings."""
    return {
        "revision": revision.revision,
        "effective_at": _instant(_moment(revision.effective_ns)),
        "effective_ns": str(revision.effective_ns),
        "updated_at": revision.updated_at.isoformat(),
        "updated_by": revision.updated_by,
        "control_hash": revision.control_hash,
        "control": revision.control.model_dump(mode="json"),
        "modified": list(revision.control.modified()),
    }


def _row(revision: ControlRevision, places: Sequence[str]) -> Iterator[str]:
    yield str(revision.revision)
    yield _instant(_moment(revision.effective_ns))
    yield _instant(revision.updated_at)
    yield revision.updated_by
    yield " ".join(places) or "-"


def _with_weights(patch: Document, weights: Document) -> Document:
    return {**patch, "profile_weights": weights} if weights else patch


def _weight_problem(name: str, value: str, others: Document) -> Problem | None:
    """What is wrong with one ``PROFILE=weight``."""
    place = f"/profile_weights/{name[:40]}"
    if name not in PROFILES:
        hint = renamed(name, PROFILES)
        if hint.startswith("remove"):
            hint = f"write PROFILE=low, PROFILE=normal or PROFILE=high of {', '.join(PROFILES)}"
        return Problem("CONTROL_FIELD_UNKNOWN", f"{name[:40]!r} is no profile", place, (hint,))
    if value not in _WEIGHTS:
        said = f"{value[:40]!r} is no weight"
        hint = "write 0.6 (low), 1.0 (normal) or 1.6 (high)"
        return Problem("CONTROL_VALUE_INVALID", said, place, (hint,))
    if name in others:
        return Problem("CONTROL_VALUE_INVALID", f"{name} is given twice", place, ("keep one",))
    return None


def _soon(last_effective_ns: int, now_ns: int) -> int:
    """The next whole second at least `LEAD_NS` from now, after the last revision's."""
    earliest = -(-(now_ns + LEAD_NS) // SECOND_NS) * SECOND_NS
    return max(earliest, last_effective_ns + SECOND_NS)


def _person() -> str:
    """Name of whoever runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // SECOND_NS, UTC)


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _when(ns: int) -> str:
    return f"{_instant(_moment(ns))} ({ns})"


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _json(document: object) -> list[str]:
    return json.dumps(document, indent=2, ensure_ascii=False).splitlines()
