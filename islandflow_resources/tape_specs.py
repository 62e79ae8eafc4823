"""From a tape profile, as a person writes it, to the spec that determines the tape.

The calendar supplies sessions and expiries, the control log is cut at the end of the tape.
Both documents are ``contracts.tape``; the calendar is ``market_calendar``; the control log of
a deployment is kept elsewhere and handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.control import SECOND_NS, ControlLog
from contracts.errors import ContractError, Problem
from contracts.market import Session
from contracts.tape import Injection, TapeProfile, TapeSpec, spec_from
from islandflow_resources.market_calendar import market_sessions

_OWN: Final = ("session", "control")
"""Fields of a profile that a spec writes out in other words."""


def resolve(
    profile: TapeProfile,
    control_log: ControlLog | None = None,
    *,
    start_ns: int | None = None,
    duration_s: int | None = None,
) -> TapeSpec:
    """Write out what a profile means.

    Parameters
    ----------
    profile : TapeProfile
    control_log : ControlLog, optional
        Log of the deployment, for a profile that names it.
    start_ns : int, optional
        Start of the tape in place of the profile's, a whole second inside its sessions.
    duration_s : int, optional
        Duration in place of the profile's; 0 reaches to the last close.

    Raises
    ------
    ContractError
        ``SESSION_…``, ``CONTROL_LOG_MISSING``, ``TAPE_WINDOW_INVALID``, or
        ``TAPE_INJECTION_OUTSIDE`` for every injection while the exchange is closed.
    """
    named = profile.session
    sessions = market_sessions(named.exchange, named.first_date, named.count)
    first, last = sessions[0].open_ns, sessions[-1].close_ns
    start = first + named.skip_s * SECOND_NS if start_ns is None else start_ns
    seconds = named.duration_s if duration_s is None else duration_s
    end = start + seconds * SECOND_NS if seconds else last
    _refuse_window(start, end, first, last)
    _refuse_outside(profile.injections, sessions)
    # Fields of a default value are part of the spec all the same.
    shared = profile.model_dump(mode="json", exclude=set(_OWN))
    return spec_from(
        {
            **shared,
            "sessions": [session.document() for session in sessions],
            "start_ns": str(start),
            "end_ns": str(end),
            "control": _held(profile, control_log).until(end).document(),
        }
    )


def _held(profile: TapeProfile, deployed: ControlLog | None) -> ControlLog:
    """The control log that the profile holds or names."""
    if isinstance(profile.control, ControlLog):
        return profile.control
    if deployed is not None:
        return deployed
    raise ContractError(
        "CONTROL_LOG_MISSING",
        "the profile names the control log of a deployment, and there is none here",
        "/control",
        ('write the log itself: {"versions": [{"effective_ns": "0", "control": {…}}]}',),
    )


def _refuse_window(start: int, end: int, first: int, last: int) -> None:
    inside = first <= start < end <= last
    if inside and not start % SECOND_NS:
        return
    hint = f"its sessions last from {first} to {last}, choose start and duration inside them"
    if inside:
        hint = f"write {start // SECOND_NS * SECOND_NS}, a whole second"
    said = f"the tape would last from {start} to {end}"
    raise ContractError("TAPE_WINDOW_INVALID", said, "/session", (hint,))


def _refuse_outside(injections: Sequence[Injection], sessions: Sequence[Session]) -> None:
    first = sessions[0].open_ns
    found = [
        Problem(
            "TAPE_INJECTION_OUTSIDE",
            f"the exchange is closed {one.at_s} s after the first open",
            f"/injections/{index}/at_s",
            (f"the first session lasts {(sessions[0].close_ns - first) // SECOND_NS} s",),
        )
        for index, one in enumerate(injections)
        if not any(s.open_ns <= first + one.at_s * SECOND_NS < s.close_ns for s in sessions)
    ]
    if found:
        head, *others = found
        raise ContractError(head.code, head.message, head.loc, head.hints, tuple(others))
