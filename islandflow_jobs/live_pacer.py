"""A live tape's day: wait for a second to be over, hear the control, publish, tell.

What a second is made of is ``islandflow_resources.tape_live``; clocks are ``live_clock``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from contracts.control import SECOND_NS
from contracts.errors import UnavailableError
from islandflow_jobs.live_clock import Clock
from islandflow_jobs.live_voice import Voice, instant
from islandflow_resources.tape_live import LiveTape
from islandflow_resources.tape_live_control import ControlFeed, Refused, Told
from islandflow_resources.tape_live_seal import id_of

if TYPE_CHECKING:
    from islandflow_resources.tape_folder import WrittenTape

BEHIND_NS: Final = 2 * SECOND_NS
"""A lag of so much is told; it is made up for as fast as events can be drawn."""
_OVER: Final = ("stopped", "finished")
_WAKE_NS: Final = SECOND_NS
_TELL_NS: Final = SECOND_NS // 10
_AWAY_S: Final = 1.0


def resumed(live: LiveTape, clock: Clock, voice: Voice) -> bool:
    """Make good what is there; whether that was done to its end.

    A signal in between leaves everything as it was, but for what was mended.
    """
    plan, pace = live.plan, live.plan.pace
    named = f"{plan.profile.id}, seed {plan.seed_bundle.seed}"
    if live.known:
        voice.say(f"{named}: {live.known} seconds are there, drawn again from the start")
    for done in live.resume():
        if clock.is_stopped:
            voice.say(f"stopped after {done} of {live.known} seconds: nothing is changed")
            return False
    if live.mended or live.dropped:
        voice.say(f"{live.mended} bytes were missing, {live.dropped} were too many")
    where = "the time of the tape is that of the wall"
    if pace.clock == "from_start":
        where = f"{pace.speed:g} seconds a second, begun at {instant(pace.started_ns)}"
    end = instant(plan.spec.end_ns)
    voice.say(f"{named}: from {instant(live.position_ns)} to {end}, {where}")
    return True


class Pacer:
    """Publishes the seconds of a tape when they are over.

    Parameters
    ----------
    live : LiveTape
        Resumed.
    feed : ControlFeed
    clock : Clock
    voice : Voice
    """

    def __init__(self, live: LiveTape, feed: ControlFeed, clock: Clock, voice: Voice) -> None:
        self._live, self._feed, self._clock, self._voice = live, feed, clock, voice
        self._lag_ns = 0
        self._is_behind = self._is_waiting = False
        self._told_ns = 0
        self._named: tuple[tuple[Told, ...], str] = ((), id_of(live))

    def run(self) -> None:
        """Go on to the end of the tape, or until an end is asked for."""
        live, clock = self._live, self._clock
        while live.next_second is not None and not clock.is_stopped:
            due_ns = live.plan.pace.due_ns(live.next_second)
            now_ns = clock.now_ns()
            if now_ns < due_ns:
                self._tell_now_and_then(now_ns)
                clock.wait(min(due_ns - now_ns, _WAKE_NS) / SECOND_NS)
                continue
            told = self._read()
            if told is None:
                clock.wait(_AWAY_S)
                continue
            late = live.follow(told)
            taken = live.publish(clock.now_ns())
            self._say_changes(late, taken)
            self._say_lag(clock.now_ns() - due_ns)
            if late or taken:
                self.tell("running")
            self._tell_now_and_then(clock.now_ns())
        live.sync()

    def tell(self, state: str, written: WrittenTape | None = None) -> None:
        """Replace the status."""
        live, now_ns = self._live, self._clock.now_ns()
        self._told_ns = now_ns
        control, plan = live.control, live.plan
        is_begun = bool(control.used)
        status: dict[str, Any] = {
            "pid": os.getpid(),
            "mode": "batch" if state in _OVER else "live",
            "state": state,
            "tape_id": self._id(written),
            "profile_id": plan.profile.id,
            "seed_bundle": plan.seed_bundle.model_dump(mode="json"),
            "clock": plan.pace.clock,
            "speed": plan.pace.speed,
            "started_ns": str(plan.pace.started_ns),
            "position_ns": str(live.position_ns),
            "end_ns": str(plan.spec.end_ns),
            "seconds": live.count,
            "events": dict(live.events),
            "told_ns": str(now_ns),
            "lag_ns": str(self._lag_ns),
            "revision_in_force": control.in_force.revision if is_begun else None,
            "pending": [_document(one) for one in control.pending],
            "refused": [
                {**_document(one.told), "position_ns": str(one.position_ns)}
                for one in control.refused
            ],
        }
        live.folder.write_status(status)

    def _id(self, written: WrittenTape | None) -> str:
        """Id of the finished tape; before, the one that it has if no other control comes."""
        if written is not None:
            return written.manifest.run.tape_id
        control = self._live.control
        versions = (*control.used, *control.pending)
        if self._named[0] != versions:
            self._named = (versions, id_of(self._live))
        return self._named[1]

    def _tell_now_and_then(self, now_ns: int) -> None:
        if abs(now_ns - self._told_ns) >= _TELL_NS:
            self.tell("waiting_for_control" if self._is_waiting else "running")

    def _read(self) -> Sequence[Told] | None:
        """What the control says; None if it cannot be asked: without it nothing is made."""
        try:
            told = self._feed.read()
        except UnavailableError as error:
            if not self._is_waiting:
                self._voice.warn(f"the control cannot be read, nothing is made meanwhile: {error}")
            self._is_waiting = True
            self.tell("waiting_for_control")
            return None
        if self._is_waiting:
            self._voice.say("the control can be read again")
        self._is_waiting = False
        return told

    def _say_changes(self, late: Sequence[Refused], taken: Sequence[Told]) -> None:
        for one in late:
            self._voice.warn(
                f"revision {one.told.revision} is refused for this tape: it takes effect at "
                f"{instant(one.told.effective_ns)}, and events are made up to "
                f"{instant(one.position_ns)}; save it with a later --effective-at"
            )
        for one in taken:
            self._voice.say(
                f"revision {one.revision} is in force from {instant(one.effective_ns)} on"
            )

    def _say_lag(self, lag_ns: int) -> None:
        self._lag_ns = max(lag_ns, 0)
        if self._lag_ns >= BEHIND_NS and not self._is_behind:
            self._is_behind = True
            self._voice.warn(f"behind by {self._lag_ns / SECOND_NS:.1f} s: catching up")
        elif self._lag_ns < BEHIND_NS // 2 and self._is_behind:
            self._is_behind = False
            self._voice.say(f"caught up at {instant(self._live.position_ns)}")


def _document(told: Told) -> dict[str, Any]:
    return {"revision": told.revision, "effective_ns": str(told.effective_ns)}
