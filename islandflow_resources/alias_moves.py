"""The steps of one move of an alias, inside a transaction that its caller holds.

History, alias and audit log are written together; whoever finds another first undoes
everything. Who decides to move, and trying again, lives in ``registry``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from contracts.errors import ContractError
from islandflow_resources.database import Row, insert_new
from islandflow_resources.models import Alias, AliasMove, AuditEntry, utc_now

_ALIAS = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_AUDIT_ACTIONS = {"promote": "promotion", "override": "override", "rollback": "rollback"}
_MEANING = {"actor": "who does it", "reason": "why it is done"}


@dataclass(frozen=True, slots=True)
class Promoted:
    """What became of a decision.

    Attributes
    ----------
    new : bool
        Whether this call moved the alias; False if the event was known already, or
        the alias pointed to the spec.
    event_id, alias : str
        Of the decision.
    serving_id : str
        What the alias points to after the event.
    from_serving_id : str or None
        What it pointed to before; None if it is new.
    revision : int
        Revision of the alias after the event.
    """

    new: bool
    event_id: str
    alias: str
    serving_id: str
    from_serving_id: str | None
    revision: int


class Act(NamedTuple):
    """Who moves which alias, and why."""

    event_id: str
    alias: str
    action: str
    actor: str
    reason: str
    gate_key: str | None


class Position(NamedTuple):
    """Where an alias is; revision 0 if there is none."""

    serving_id: str | None
    revision: int


class LostRaceError(Exception):
    """Another transaction wrote what this one was about to."""


def audit_id_of(event_id: str) -> str:
    """Identity of the one line of the audit log that an event writes."""
    return hashlib.sha256(event_id.encode()).hexdigest()[:32]


def checked(act: Act) -> Act:
    """`act` itself, if its alias, actor and reason can be recorded.

    Raises
    ------
    ContractError
        ``ALIAS_INVALID``, ``ACTOR_MISSING``, ``REASON_MISSING``, ``…_TOO_LONG``.
    """
    if not _ALIAS.fullmatch(act.alias):
        raise ContractError(
            "ALIAS_INVALID",
            f"{act.alias[:80]!r} cannot be an alias",
            hints=("write 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit",),
        )
    needs_reason = act.action != "promote"
    texts = (("actor", act.actor, 128, True), ("reason", act.reason, 1024, needs_reason))
    for noun, text, longest, needed in texts:
        if needed and not text.strip():
            code, wrong = f"{noun.upper()}_MISSING", "is empty"
        elif len(text) > longest:
            code, wrong = f"{noun.upper()}_TOO_LONG", f"has {len(text)} characters"
        else:
            continue
        raise ContractError(
            code,
            f"cannot {act.action} {act.alias}: the {noun} {wrong}",
            hints=(f"say in at most {longest} characters {_MEANING[noun]}",),
        )
    return act


def known_event(connection: Connection, act: Act) -> Promoted | None:
    """What an earlier call for the same event did."""
    query = select(AuditEntry.detail).where(AuditEntry.audit_id == audit_id_of(act.event_id))
    told = connection.execute(query).scalar()
    if told is None:
        return None
    return Promoted(False, act.event_id, told["alias"], told["to"], told["from"], told["revision"])


def position(connection: Connection, alias: str) -> Position:
    """Where an alias is. Read it before `known_event`: a move that it shows is then known."""
    query = select(Alias.serving_id, Alias.revision).where(Alias.alias == alias)
    found = connection.execute(query).first()
    return Position(None, 0) if found is None else Position(found.serving_id, found.revision)


def expect_revision(act: Act, expected: int | None, now: Position) -> None:
    """Refuse to move an alias that has moved since it was looked at.

    Raises
    ------
    ContractError
        ``ALIAS_MOVED``.
    """
    if expected is None or expected == now.revision:
        return
    where = f"at revision {now.revision} and points to {now.serving_id}"
    raise ContractError(
        "ALIAS_MOVED",
        f"cannot {act.action} {act.alias} from revision {expected}: "
        f"it is {where if now.revision else 'not there'}",
        act.alias,
        (f"see what happened with: islandflow serving history {act.alias}",),
    )


def stay(connection: Connection, act: Act, now: Position) -> Promoted:
    """The alias is where it is wanted: only the audit log hears of it."""
    assert now.serving_id is not None
    _win(connection, AuditEntry, _audit(act, now, now, utc_now()))
    return Promoted(False, act.event_id, act.alias, now.serving_id, now.serving_id, now.revision)


def move(connection: Connection, act: Act, now: Position, to: str) -> Promoted:
    """Point the alias to another serving id, and write down who did it and why.

    Raises
    ------
    LostRaceError
        If the alias is no longer where it was seen, or the event was recorded meanwhile.
    """
    after = Position(to, now.revision + 1)
    at = utc_now()
    row = AliasMove(
        **act._asdict(),
        revision=after.revision,
        from_serving_id=now.serving_id,
        to_serving_id=to,
        at=at,
    )
    _win(connection, AliasMove, row)
    if now.revision == 0:
        made = Alias(alias=act.alias, serving_id=to, revision=1, updated_at=at)
        _win(connection, Alias, made)
    else:
        seen = (Alias.alias == act.alias) & (Alias.revision == now.revision)
        changes = {"serving_id": to, "revision": after.revision, "updated_at": at}
        if connection.execute(update(Alias).where(seen).values(changes)).rowcount != 1:
            raise LostRaceError
    _win(connection, AuditEntry, _audit(act, now, after, at))
    return Promoted(True, act.event_id, act.alias, to, now.serving_id, after.revision)


def _win(connection: Connection, model: type[Row], row: Row) -> None:
    """Insert a row that must be new, or undo everything: somebody else was first."""
    if insert_new(connection, model, [row]) != 1:
        raise LostRaceError


def _audit(act: Act, before: Position, after: Position, at: datetime) -> AuditEntry:
    return AuditEntry(
        audit_id=audit_id_of(act.event_id),
        at=at,
        actor=act.actor,
        action=_AUDIT_ACTIONS[act.action],
        subject=act.alias,
        detail={
            "event_id": act.event_id,
            "alias": act.alias,
            "from": before.serving_id,
            "to": after.serving_id,
            "revision": after.revision,
            "moved": after.revision != before.revision,
            "reason": act.reason,
            "gate_key": act.gate_key,
        },
    )


def earlier(connection: Connection, alias: str, to: str | None) -> str:
    """Where a rollback goes: to the serving id asked for, or one back.

    Raises
    ------
    ContractError
        ``ROLLBACK_NOWHERE``.
    """
    columns = (AliasMove.action, AliasMove.to_serving_id)
    query = select(*columns).where(AliasMove.alias == alias).order_by(AliasMove.revision)
    moves = [(row.action, row.to_serving_id) for row in connection.execute(query)]
    if to is not None and to in {serving_id for _, serving_id in moves}:
        return to
    standing = _standing(moves)
    if to is None and len(standing) > 1:
        return standing[-2]
    wrong = "it pointed nowhere earlier" if to is None else f"it never pointed to {to}"
    hints = (f"see where it was with: islandflow serving history {alias}",)
    raise ContractError("ROLLBACK_NOWHERE", f"cannot roll back {alias}: {wrong}", alias, hints)


def _standing(moves: Sequence[tuple[str, str]]) -> list[str]:
    """Servings that led to the present one, which is last; what was rolled back is left out."""
    standing: list[str] = []
    for action, serving_id in moves:
        if action == "rollback" and serving_id in standing:
            while standing[-1] != serving_id:
                standing.pop()
        else:
            standing.append(serving_id)
    return standing
