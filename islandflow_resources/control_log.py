"""The control log of a deployment: revisions that are appended, one after another.

A save names the revision that it was decided on, and is refused if that is no longer the last.
Revision and audit log are written in one transaction, or nothing. Before the first one every
default holds, which is revision 0 and written nowhere. What a control says is
``contracts.control``; the commands are ``islandflow control …``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from contracts.control import (
    CONTROL_STATE,
    CONTROL_VERSION,
    GENESIS,
    MAX_VERSIONS,
    SECOND_NS,
    ControlLog,
    ControlVersion,
    SyntheticControlState,
    differing,
)
from contracts.document import validate
from contracts.errors import ContractError, IntegrityError, Problem
from islandflow_resources.alias_moves import LostRaceError
from islandflow_resources.database import Database, insert_new
from islandflow_resources.models import AuditEntry, ControlRevisionRow, random_id, utc_now

MAX_NAME_CHARS = 64
AUDIT_ACTION = "control"


@dataclass(frozen=True, slots=True)
class ControlRevision:
    """One entry of the log.

    Attributes
    ----------
    revision : int
        0 is what holds before anything was saved.
    effective_ns : int
        From when on it holds, a whole second.
    updated_at : datetime
        When it was saved; nothing that is made depends on it.
    updated_by : str
        Who saved it.
    control : SyntheticControlState
    control_hash : str
        ``sha256:…`` of `control`.
    """

    revision: int
    effective_ns: int
    updated_at: datetime
    updated_by: str
    control: SyntheticControlState
    control_hash: str

    @property
    def version(self) -> ControlVersion:
        """What a tape depends on: neither who nor when."""
        return ControlVersion(effective_ns=self.effective_ns, control=self.control)


UNSET = ControlRevision(
    revision=0,
    effective_ns=GENESIS.effective_ns,
    updated_at=datetime.fromtimestamp(0, UTC),
    updated_by="system",
    control=GENESIS.control,
    control_hash=GENESIS.control.control_hash,
)
"""What stands where nothing was ever saved."""


class Saved(NamedTuple):
    """What became of a save.

    Attributes
    ----------
    revision : int
        The last revision now.
    changed : bool
        False if it said the same already: then nothing was written.
    """

    revision: int
    changed: bool


class ControlLogStore:
    """The control log in a database; errors of the place are those of `Database`.

    Parameters
    ----------
    database : Database
        Where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def history(self) -> list[ControlRevision]:
        """Every revision, oldest first, revision 0 before all others; writes nothing.

        Raises
        ------
        IntegrityError
            ``CONTROL_REVISION_DAMAGED`` if a row is not what was saved.
        """
        query = select(ControlRevisionRow).order_by(ControlRevisionRow.revision)
        rows = self.database.select("read the control log", query)
        return [UNSET, *(_revision(row) for row in rows)]

    def current(self) -> ControlRevision:
        """The last revision, which may take effect only later; revision 0 if there is none."""
        return self.database.read("read the control", _last)

    def log(self) -> ControlLog:
        """All versions, as tapes take them; the first is every default, from ever on."""
        return ControlLog(versions=tuple(one.version for one in self.history()))

    def save(
        self,
        control: SyntheticControlState,
        *,
        expected_revision: int,
        effective_ns: int,
        updated_by: str,
    ) -> Saved:
        """Append a revision, unless the last one says the same.

        Parameters
        ----------
        expected_revision : int
            The last revision when this was decided, 0 if there was none.
        effective_ns : int
            A whole second after the last revision's.
        updated_by : str
            1 to 64 characters in one line; blanks around them are cut off.

        Raises
        ------
        ContractError
            ``CONTROL_REVISION_CONFLICT`` if somebody saved meanwhile;
            ``CONTROL_RULE_BROKEN``, ``CONTROL_VALUE_…`` at ``/effective_ns`` or
            ``/updated_by``; ``CONTROL_LOG_FULL``. Nothing was written.
        """
        version, name = _checked(control, effective_ns, updated_by)
        # Drawn once: a commit whose answer was lost must be found, not taken for a rival's.
        save_id, at = random_id(), utc_now()

        def once(connection: Connection) -> Saved:
            known = _known(connection, save_id)
            if known is not None:
                return Saved(known, True)
            last = _last(connection)
            if last.control == version.control:
                return Saved(last.revision, False)
            _refuse(last, version, expected_revision)
            row = ControlRevisionRow(
                revision=last.revision + 1,
                effective_ns=version.effective_ns,
                control=version.control.model_dump(mode="json"),
                control_hash=version.control.control_hash,
                updated_by=name,
                updated_at=at,
            )
            if insert_new(connection, ControlRevisionRow, [row]) != 1:
                raise LostRaceError
            insert_new(connection, AuditEntry, [_audit(save_id, last, row, version.control)])
            return Saved(row.revision, True)

        try:
            return self.database.write("save the control", once)
        except LostRaceError:
            # Whoever was first has committed, and is seen now.
            return self.database.write("save the control", once)


def _checked(
    control: SyntheticControlState, effective_ns: int, updated_by: str
) -> tuple[ControlVersion, str]:
    """The version, and the name without blanks around it; all that is wrong is told at once."""
    found: list[Problem] = []
    version = GENESIS
    try:
        document = {"effective_ns": effective_ns, "control": control}
        version = validate(CONTROL_VERSION, document, "control")
    except ContractError as error:
        found += error.problems
    name = updated_by.strip()
    if not (name.isprintable() and 0 < len(name) <= MAX_NAME_CHARS):
        said = "is blank" if not name else "is too long or holds what cannot be printed"
        found.append(
            Problem(
                "CONTROL_VALUE_INVALID",
                f"updated_by {said}",
                "/updated_by",
                (f"say in 1 to {MAX_NAME_CHARS} characters, in one line, who changes it",),
            )
        )
    if not found:
        return version, name
    first, *others = found
    raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))


def _refuse(last: ControlRevision, version: ControlVersion, expected: int) -> None:
    """Refuse what cannot come after the last revision."""
    if last.revision != expected:
        raise _conflict(last, expected)
    if version.effective_ns <= last.effective_ns:
        raise ContractError(
            "CONTROL_RULE_BROKEN",
            f"effective_ns = {version.effective_ns} is not after {last.effective_ns}, "
            f"from when on revision {last.revision} holds",
            "/effective_ns",
            (f"write {last.effective_ns + SECOND_NS} or a later whole second",),
        )
    # Revision 0 is a version, too.
    if last.revision + 2 > MAX_VERSIONS:
        raise ContractError(
            "CONTROL_LOG_FULL",
            f"the control log holds {MAX_VERSIONS} versions, which is as many as a tape takes",
            "/revision",
            ("begin a new log in another database: islandflow control set --replace FILE",),
        )


def _conflict(last: ControlRevision, expected: int) -> ContractError:
    stands = (
        f"revision {last.revision} stands, saved by {last.updated_by} "
        f"at {last.updated_at:%Y-%m-%dT%H:%M:%SZ}"
        if last.revision
        else "revision 0 stands, for nothing was saved yet"
    )
    return ContractError(
        "CONTROL_REVISION_CONFLICT",
        f"this change was decided on revision {expected}, but {stands}",
        "/expected_revision",
        (
            f"look at it with: islandflow control show; then save on revision {last.revision}",
            "see who changed what with: islandflow control history",
        ),
    )


def _known(connection: Connection, save_id: str) -> int | None:
    """The revision that an earlier call of the same save wrote."""
    query = select(AuditEntry.detail).where(AuditEntry.audit_id == save_id)
    told = connection.execute(query).scalar()
    return None if told is None else told["revision"]


def _last(connection: Connection) -> ControlRevision:
    columns = ControlRevisionRow.__table__
    query = select(columns).order_by(columns.c.revision.desc()).limit(1)
    found = connection.execute(query).first()
    return UNSET if found is None else _revision(found)


def _revision(row: Any) -> ControlRevision:
    """A row of the table, checked against its hash."""
    wrong = "its control does not have its hash"
    control = None
    try:
        control = validate(CONTROL_STATE, row.control, "control")
    except ContractError as error:
        wrong = error.message
    if control is None or control.control_hash != row.control_hash:
        raise IntegrityError(
            "CONTROL_REVISION_DAMAGED",
            f"revision {row.revision} of the control is not what was saved: {wrong}",
            f"revision {row.revision}",
            ("restore the table control_revisions from a backup of the database",),
        )
    return ControlRevision(
        row.revision,
        row.effective_ns,
        row.updated_at,
        row.updated_by,
        control,
        row.control_hash,
    )


def _audit(
    save_id: str, before: ControlRevision, row: ControlRevisionRow, control: SyntheticControlState
) -> AuditEntry:
    was, now = before.control.fields(), control.fields()
    changes = {place: [was[place], now[place]] for place in differing(before.control, control)}
    return AuditEntry(
        audit_id=save_id,
        at=row.updated_at,
        actor=row.updated_by,
        action=AUDIT_ACTION,
        subject=f"revision {row.revision}",
        detail={
            "revision": row.revision,
            "effective_ns": str(row.effective_ns),
            "changes": changes,
        },
    )
