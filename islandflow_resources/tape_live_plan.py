"""What a live tape is, written down once: profile, seed, spec, and how its time becomes ours.

A restart goes on by the same plan, so nothing in it is asked for twice. What has been made by
it is ``tape_live_journal``; who paces it is ``islandflow_jobs.live_run``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from contracts.canonical import Document, canonical_json, parse_document
from contracts.control import SECOND_NS, ControlLog
from contracts.document import Model, Nanoseconds, Number, validate
from contracts.errors import ContractError, IntegrityError, Problem
from contracts.tape import SeedBundle, TapeProfile, TapeSpec, spec_from
from islandflow_resources.tape_buckets import buckets_of
from islandflow_resources.tape_changes import changes

FORMAT: Final = "islandflow-live/1"
MAX_BYTES: Final = 64_000_000
MAX_SPEED: Final = 10_000
PLAN: Final = "plan.json"


class Second(NamedTuple):
    """A second of a tape, numbered from 0 over the time that the exchange is open."""

    number: int
    start_ns: int

    @property
    def end_ns(self) -> int:
        """Where the next one may begin."""
        return self.start_ns + SECOND_NS


class OpenSeconds:
    """The seconds of a tape in their order; nights have none.

    Parameters
    ----------
    spec : TapeSpec
    """

    def __init__(self, spec: TapeSpec) -> None:
        self._starts = [
            range(bucket.start_ns, bucket.end_ns, SECOND_NS) for bucket in buckets_of(spec)
        ]
        self._firsts = [0]
        for starts in self._starts:
            self._firsts.append(self._firsts[-1] + len(starts))

    def __len__(self) -> int:
        return self._firsts[-1]

    def __getitem__(self, number: int) -> Second:
        if not 0 <= number < len(self):
            raise IndexError(number)
        place = self._place(number)
        return Second(number, self._starts[place][number - self._firsts[place]])

    def end_ns(self, count: int) -> int:
        """End of the first `count` seconds; the start of the tape if there are none."""
        return self[count - 1].end_ns if count else self._starts[0].start

    def _place(self, number: int) -> int:
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._firsts[middle] <= number else (low, middle)
        return low


class Pace(Model):
    """When which second of the tape is over, on the clock of the wall.

    Attributes
    ----------
    clock : str
        ``wall``: the tape's own time is the time. ``from_start``: its first second begins at
        `started_ns`, and nights are left out.
    started_ns : int
        When the tape was first started.
    speed : float
        Seconds of the tape a second; 1 on the wall's own time.
    """

    clock: Literal["wall", "from_start"]
    started_ns: Nanoseconds
    speed: Annotated[Number, Field(gt=0, le=MAX_SPEED)]

    def due_ns(self, second: Second) -> int:
        """When a second is over: before that, nothing of it is published."""
        if self.clock == "wall":
            return second.end_ns
        return self.started_ns + round((second.number + 1) * SECOND_NS / self.speed)


class LivePlan(Model):
    """All that a live tape follows from, its control apart.

    Attributes
    ----------
    format : str
    generator : str
        Version of what makes the events.
    run_name : str
        Name of the run in the manifest of the finished tape.
    profile : TapeProfile
    seed_bundle : SeedBundle
    spec : TapeSpec
        What the profile meant when the tape was first started.
    pace : Pace
    """

    format: Literal["islandflow-live/1"]
    generator: str
    run_name: str
    profile: TapeProfile
    seed_bundle: SeedBundle
    spec: TapeSpec
    pace: Pace

    def spec_under(self, control: ControlLog, end_ns: int | None = None) -> TapeSpec:
        """The spec under the log as it was used, up to a time or to its end."""
        end = self.spec.end_ns if end_ns is None else end_ns
        whole = self.spec.model_dump(mode="json")
        held = control.until(end).document()
        return spec_from({**whole, "end_ns": str(end), "control": held})

    def to_bytes(self) -> bytes:
        """The document as it is stored."""
        return canonical_json(self.model_dump(mode="json")) + b"\n"


_PLAN: Final[TypeAdapter[LivePlan]] = TypeAdapter(LivePlan)


def read_plan(path: Path) -> LivePlan | None:
    """The plan that is there; None if there is none.

    Raises
    ------
    IntegrityError
        ``LIVE_PLAN_INVALID`` with everything that is wrong.
    """
    if not path.exists():
        return None
    try:
        return validate(_PLAN, parse_document(path.read_bytes(), "live plan", MAX_BYTES), "plan")
    except ContractError as error:
        hints = ("name another folder: what a live tape has made cannot be gone on with",)
        found = [
            Problem("LIVE_PLAN_INVALID", one.message, f"{path.name}#{one.loc}", hints)
            for one in error.problems
        ]
        first, *others = found
        raise IntegrityError(
            first.code, first.message, first.loc, first.hints, tuple(others)
        ) from error


def refuse_other_plan(known: LivePlan, wanted: Document, place: str) -> None:
    """Refuse to go on with something else than was begun.

    Parameters
    ----------
    wanted : dict
        Some fields of a plan, as a document: those that are given at every start.

    Raises
    ------
    ContractError
        ``LIVE_PLAN_OTHER`` with every difference.
    """
    whole = known.model_dump(mode="json")
    hints = ("name another folder, or go on with what was begun there",)
    found = [
        Problem(
            "LIVE_PLAN_OTHER",
            f"another live tape stands in {place}: {one.pointer} is {one.before} there, "
            f"here {one.after}",
            one.pointer,
            hints,
        )
        for one in changes({name: whole[name] for name in wanted}, wanted)
    ]
    if found:
        first, *others = found
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
