"""What is served under which name: publishing, moving an alias, rolling it back.

A move is one transaction that writes the spec's row, the history, the alias and the
audit log, or nothing. Each carries the identity of the event that asked for it, so
whoever asks again, at once or after a crash, finds it done. Nothing is ever deleted.
The steps of a move are in ``alias_moves``, names in ``serving_names``; whether a
candidate may be promoted is decided by its gate, before anything here is called.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from sqlalchemy import Connection, select

from contracts.errors import (
    ContractError,
    DatabaseUnavailableError,
    IntegrityError,
    NotFoundError,
)
from islandflow_resources.alias_moves import (
    Act,
    LostRaceError,
    Promoted,
    audit_id_of,
    checked,
    earlier,
    expect_revision,
    known_event,
    move,
    position,
    stay,
)
from islandflow_resources.database import Database, insert_new
from islandflow_resources.models import (
    Alias,
    AliasMove,
    AuditEntry,
    ServingSpecRow,
    random_id,
)
from islandflow_resources.serving_names import find_serving

__all__ = ["Promoted", "Promotion", "Registry"]

T = TypeVar("T")
# Whoever loses a race lost it to one that won: as many rounds as there can be rivals suffice.
_ROUNDS = 100
_LONGEST_PAUSE_S = 0.02
_SERVING_IDENTITY = ("kind", "name", "object_key", "engine_digest")


@dataclass(frozen=True, slots=True)
class Promotion:
    """One decision to serve a spec under an alias.

    Attributes
    ----------
    event_id : str
        Identity of this decision, at most 80 characters: however often it is carried
        out, it moves the alias once, also after a rollback.
    spec : ServingSpecRow
        The published spec, unsaved; `actor` and `gate_key` may be left open.
    alias : str
        Lower-case name, at most 64 characters of ``a-z 0-9 _ -``.
    action : str
        ``promote``, or ``override`` when the gate had refused.
    actor, reason : str
        Who and why; an override needs a reason.
    gate_key : str or None
        Object key of the gate's report.
    expected_revision : int or None
        Revision of the alias that was seen when deciding, 0 if there was none; None
        moves it from wherever it is.
    """

    event_id: str
    spec: ServingSpecRow
    alias: str
    action: Literal["promote", "override"]
    actor: str
    reason: str
    gate_key: str | None = None
    expected_revision: int | None = None


class Registry:
    """Serving specs, aliases and their history; errors of the place are those of `Database`.

    Parameters
    ----------
    database : Database
        Where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def promote(self, promotion: Promotion) -> Promoted:
        """Publish a spec's row and move an alias to it, exactly once per event.

        Raises
        ------
        ContractError
            ``ALIAS_INVALID``, ``REASON_MISSING``, ``ACTOR_MISSING``, ``…_TOO_LONG``;
            ``ALIAS_MOVED`` if the alias is at another revision than expected;
            ``EVENT_REUSED`` if the event is known for another alias or spec.
        IntegrityError
            ``SERVING_DIVERGED`` if the serving id is recorded for something else.
        """
        act = _act_of(promotion)

        def once(connection: Connection) -> Promoted:
            now = position(connection, act.alias)
            known = known_event(connection, act)
            if known is not None:
                return _same_event(known, promotion)
            if now.serving_id == promotion.spec.serving_id:
                return stay(connection, act, now)
            expect_revision(act, promotion.expected_revision, now)
            _publish(connection, promotion)
            return move(connection, act, now, promotion.spec.serving_id)

        return self._settle(f"promote to {act.alias}", once)

    def rollback(
        self,
        alias: str,
        *,
        to: str | None = None,
        actor: str,
        reason: str,
        expected_revision: int | None = None,
    ) -> Promoted:
        """Move an alias back to a spec that it pointed to before.

        Parameters
        ----------
        to : str, optional
            Full serving id; by default what was served before the present one, those
            that were rolled back from left out, so that another rollback goes further.

        Raises
        ------
        NotFoundError
            ``ALIAS_NOT_FOUND``.
        ContractError
            ``ROLLBACK_NOWHERE`` if there is nothing earlier, or the alias never pointed
            there; ``ALIAS_MOVED``, ``ALIAS_INVALID``, ``REASON_MISSING``, … as for `promote`.
        """
        # Drawn once: a commit whose answer was lost must not go back twice.
        event_id = f"rollback:{random_id()}"
        act = checked(Act(event_id, alias, "rollback", actor, reason, None))

        def once(connection: Connection) -> Promoted:
            now = position(connection, alias)
            known = known_event(connection, act)
            if known is not None:
                return known
            if now.serving_id is None:
                raise _no_alias(alias)
            if now.serving_id == to:
                return stay(connection, act, now)
            expect_revision(act, expected_revision, now)
            return move(connection, act, now, earlier(connection, alias, to))

        return self._settle(f"roll back {alias}", once)

    def resolve(self, name: str) -> ServingSpecRow:
        """The spec of an alias, a serving id, or eight or more digits that begin one.

        Raises
        ------
        NotFoundError
            ``SERVING_NOT_FOUND``, with the names that are near.
        ContractError
            ``SERVING_AMBIGUOUS``.
        """
        return self.database.read("find a serving spec", lambda at: find_serving(at, name))

    def specs(self) -> list[ServingSpecRow]:
        """All published specs, oldest first."""
        rows = self.database.select("list serving specs", select(ServingSpecRow))
        return sorted(rows, key=lambda row: (row.promoted_at, row.serving_id))

    def aliases(self) -> list[Alias]:
        """All aliases, ordered by name."""
        rows = self.database.select("list aliases", select(Alias))
        return sorted(rows, key=lambda row: row.alias)

    def history(self, alias: str) -> list[AliasMove]:
        """Every move of an alias, oldest first; empty if there is no such alias."""
        query = select(AliasMove).where(AliasMove.alias == alias)
        rows = self.database.select("read an alias's history", query)
        return sorted(rows, key=lambda row: row.revision)

    def promoted(self, event_id: str) -> bool:
        """Whether an event was carried out, or found the alias where it wanted it."""
        query = select(AuditEntry).where(AuditEntry.audit_id == audit_id_of(event_id))
        return bool(self.database.select("find a promotion", query))

    def _settle(self, what: str, once: Callable[[Connection], T]) -> T:
        """Run a move until it is applied or found applied; each lost race is undone whole."""
        for _ in range(_ROUNDS):
            try:
                return self.database.write(what, once)
            except LostRaceError:
                time.sleep(random.uniform(0.0, _LONGEST_PAUSE_S))
        raise DatabaseUnavailableError(
            "ALIAS_CONTENDED",
            f"cannot {what}: others moved it first {_ROUNDS} times in a row",
            hints=("try again; see who moves it with: islandflow serving history",),
        )


def _act_of(asked: Promotion) -> Act:
    return checked(
        Act(asked.event_id, asked.alias, asked.action, asked.actor, asked.reason, asked.gate_key)
    )


def _same_event(known: Promoted, asked: Promotion) -> Promoted:
    if (known.alias, known.serving_id) == (asked.alias, asked.spec.serving_id):
        return known
    raise ContractError(
        "EVENT_REUSED",
        f"cannot promote {asked.spec.serving_id} to {asked.alias}: the event has already "
        f"moved {known.alias} to {known.serving_id}",
        asked.event_id,
        ("derive the event's identity from the alias and the serving id too",),
    )


def _publish(connection: Connection, asked: Promotion) -> None:
    """Insert the spec's row unless it is there, saying the same."""
    told = {name: value for name, value in vars(asked.spec).items() if not name.startswith("_")}
    for name, value in (("actor", asked.actor), ("gate_key", asked.gate_key)):
        told[name] = value if told.get(name) is None else told[name]
    if insert_new(connection, ServingSpecRow, [ServingSpecRow(**told)]):
        return
    columns = [ServingSpecRow.__table__.c[name] for name in _SERVING_IDENTITY]
    query = select(*columns).where(ServingSpecRow.serving_id == asked.spec.serving_id)
    theirs, ours = connection.execute(query).one(), [told.get(name) for name in _SERVING_IDENTITY]
    for name, their, our in zip(_SERVING_IDENTITY, theirs, ours, strict=True):
        if their != our:
            raise IntegrityError(
                "SERVING_DIVERGED",
                f"the serving spec is recorded with {name} {their!r}, and now has {our!r}",
                asked.spec.serving_id,
                ("a serving id names one spec: derive it from all that the spec says",),
            )


def _no_alias(alias: str) -> NotFoundError:
    return NotFoundError(
        "ALIAS_NOT_FOUND",
        f"there is no alias {alias!r}",
        alias,
        ("list those there are with: islandflow serving list",),
    )
