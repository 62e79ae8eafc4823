"""The part of a source that is a session: its events up to an instant.

Where the first bin starts is the machine's to know (``engine.grid.api``); what builds a grid
of a session is ``grid_build``, what serves or replays one reads it here too.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.errors import ContractError
from engine.book.events import Events
from islandflow_resources.mbo_files import EventReader


def session_events(reader: EventReader, until_ns: int | None) -> Iterator[Events]:
    """Batches of events before the first one at or after an instant; all without one.

    The file is closed there and read no further, so that the reader's account ends with the
    batch that holds the instant.

    Parameters
    ----------
    until_ns : int, optional
        Nanoseconds since 1970.
    """
    for batch in reader:
        if until_ns is None or batch.ts_ns.max() < until_ns:
            yield batch
            continue
        rows = int((batch.ts_ns >= until_ns).argmax())
        reader.close()
        if rows:
            yield batch.part(0, rows)
        return


def refuse_backward_session(start_ns: int | None, until_ns: int | None) -> None:
    """Refuse a session that ends before its first bin starts.

    Raises
    ------
    ContractError
        ``SESSION_EMPTY``.
    """
    if start_ns is not None and until_ns is not None and until_ns <= start_ns:
        raise _empty(f"the session ends at {until_ns}, its first bin starts at {start_ns}")


def refuse_empty_session(events: int, until_ns: int | None) -> None:
    """Refuse a session that ends before its first event, see `refuse_backward_session`."""
    if until_ns is not None and not events:
        raise _empty(f"the session ends at {until_ns}, before its first event")


def _empty(message: str) -> ContractError:
    hint = "let it end later, in nanoseconds since 1970"
    return ContractError("SESSION_EMPTY", message, "--emit-until", (hint,))
