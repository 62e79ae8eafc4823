"""From a name that somebody wrote to the serving spec it means.

Aliases come first, then full serving ids, then the beginnings of one. How an alias
came to point where it does lives in ``registry``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from contracts.errors import ContractError, NotFoundError
from islandflow_resources.models import Alias, ServingSpecRow

_BEGINNING = re.compile(r"(?:(sha256|blake3):)?([0-9a-f]{8,64})")
_SHOWN = 5


def find_serving(connection: Connection, name: str) -> ServingSpecRow:
    """The spec of an alias, a serving id, or eight or more digits that begin one.

    Raises
    ------
    NotFoundError
        ``SERVING_NOT_FOUND``.
    ContractError
        ``SERVING_AMBIGUOUS``.
    """
    with Session(connection) as session:
        pointed_to = session.scalar(select(Alias.serving_id).where(Alias.alias == name))
        exact = session.get(ServingSpecRow, pointed_to or name)
        if exact is not None:
            return exact
        begun = _beginning_with(session, name)
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise _ambiguous(name, begun)
        raise _unknown(session, name)


def _beginning_with(session: Session, name: str) -> list[ServingSpecRow]:
    written = _BEGINNING.fullmatch(name)
    if written is None:
        return []
    algorithm, digits = written.groups()
    # Both are checked above: nothing in them is a wildcard.
    begins = ServingSpecRow.serving_id.like(f"{algorithm or '%'}:{digits}%")
    query = select(ServingSpecRow).where(begins).order_by(ServingSpecRow.serving_id)
    return list(session.scalars(query))


def _ambiguous(name: str, begun: Sequence[ServingSpecRow]) -> ContractError:
    ids = ", ".join(row.serving_id for row in begun[:_SHOWN])
    more = f" and {len(begun) - _SHOWN} more" if len(begun) > _SHOWN else ""
    return ContractError(
        "SERVING_AMBIGUOUS",
        f"{name} begins {len(begun)} serving ids: {ids}{more}",
        name,
        ("write more digits, or an alias",),
    )


def _unknown(session: Session, name: str) -> NotFoundError:
    aliases = sorted(session.scalars(select(Alias.alias)))
    near = get_close_matches(name[:80], aliases, 3)
    named = select(ServingSpecRow.serving_id).where(ServingSpecRow.name == name)
    ids = sorted(session.scalars(named))[:_SHOWN]
    hints = [
        *([f"did you mean {' or '.join(near)}?"] if near else []),
        *([f"specs of that name are served by id: {', '.join(ids)}"] if ids else []),
        "list what is published with: islandflow serving list",
    ]
    return NotFoundError(
        "SERVING_NOT_FOUND",
        f"{name[:80]!r} is no alias, no serving id, and not the first 8 or more digits of one",
        name[:80],
        tuple(hints),
    )
