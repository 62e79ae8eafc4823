"""What ``islandflow tape live`` does: a tape at the pace of the clock, until its end or a signal.

Arguments are read in ``cli_tapes``. How seconds are made, kept and mended is
``islandflow_resources.tape_live``; the finished tape is ``tape_live_seal`` there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contracts.canonical import Document
from contracts.control import SECOND_NS, ControlLog
from contracts.errors import ContractError, IslandflowError, StoreUnavailableError
from contracts.seeds import parse_seed
from contracts.tape import (
    USUAL_NAMESPACE,
    USUAL_PARTITION,
    NamedControl,
    SeedBundle,
    TapeProfile,
    TapeSpec,
)
from contracts.tape_columns import STREAMS
from islandflow_jobs.live_clock import Clock, SignalledClock
from islandflow_jobs.live_voice import Voice, instant
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.tape_folder import WrittenTape
    from islandflow_resources.tape_live import LiveTape, Maker
    from islandflow_resources.tape_live_control import ControlFeed
    from islandflow_resources.tape_live_folder import LiveFolder
    from islandflow_resources.tape_live_plan import LivePlan, Pace

RUN_NAME: Final = "live"
_PATIENCE_S: Final = 2.0
"""The log of the deployment is asked every second: whoever is away so long is told of."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """Flags of ``tape live``.

    Attributes
    ----------
    out : Path
        Folder that holds, or will hold, ``live``, ``tapes`` and ``labels``.
    speed : float or None
        Seconds of the tape a second; None for 1, or for that of what was begun.
    from_start : bool or None
        True begins the tape at the moment of its first start, False puts it on the wall's own
        time, None decides by whether that lies inside the tape.
    run_name : str
    is_sealed : bool
        Whether a signal leaves a finished tape of what is made by then.
    """

    out: Path
    speed: float | None = None
    from_start: bool | None = None
    run_name: str = RUN_NAME
    is_sealed: bool = False


def refuse_seeds(seed: str | None, bundle: Path | None) -> None:
    """Refuse a start without a seed, or with two.

    Raises
    ------
    ContractError
        ``ARGUMENT_MISSING`` or ``ARGUMENTS_INVALID``.
    """
    if seed is None and bundle is None:
        hint = "give --seed N, or --seed-bundle FILE"
        raise ContractError("ARGUMENT_MISSING", "--seed is missing", "--seed", (hint,))
    if seed is not None and bundle is not None:
        said = "--seed and --seed-bundle say the same"
        raise ContractError("ARGUMENTS_INVALID", said, "--seed", ("leave one of them out",))


def bundle_of(seed: str) -> SeedBundle:
    """The bundle of a seed under the usual names, see `seed_of`."""
    return SeedBundle(seed=seed_of(seed), namespace=USUAL_NAMESPACE, partition=USUAL_PARTITION)


def seed_of(text: str) -> int:
    """The seed that the flag ``--seed`` says.

    Raises
    ------
    ContractError
        As of `parse_seed`, at ``--seed``.
    """
    try:
        return parse_seed(text)
    except ContractError as error:
        raise ContractError(error.code, error.message, "--seed", error.hints) from error


def run(
    resources: ResourceSet,
    request: LiveRequest,
    profile: TapeProfile,
    bundle: SeedBundle,
    voice: Voice,
) -> None:
    """Begin a live tape, or go on with it, until it ends or a signal asks for an end.

    Raises
    ------
    ContractError
        ``LIVE_BUSY``, ``LIVE_PLAN_OTHER``, ``LIVE_PACE_INVALID``, or as of the profile.
    IntegrityError
        If what is in the folder is not what was made.
    StoreUnavailableError
        ``LIVE_FOLDER_NOT_WRITABLE``; started again it goes on.
    """
    resources.engine_runtime.prepare()
    from engine.tapes.market.api import MarketTape
    from islandflow_resources.tape_live_folder import LiveFolder

    folder = LiveFolder(request.out)
    try:
        with folder.held(), SignalledClock() as clock:
            feed = _feed(resources, profile)
            plan = begun(folder, request, profile, bundle, feed, MarketTape, clock)
            go_on(folder, plan, feed, MarketTape, clock, voice, is_sealed=request.is_sealed)
    except OSError as error:
        if isinstance(error, IslandflowError):
            raise
        raise StoreUnavailableError(
            "LIVE_FOLDER_NOT_WRITABLE",
            f"cannot go on in {folder}: {error.strerror or error}",
            str(request.out),
            ("make room there and start it again: it goes on where it was",),
        ) from error


def begun(
    folder: LiveFolder,
    request: LiveRequest,
    profile: TapeProfile,
    bundle: SeedBundle,
    feed: ControlFeed,
    make: Maker,
    clock: Clock,
) -> LivePlan:
    """The plan of a folder, which is held; written if there is none.

    Raises
    ------
    ContractError
        ``LIVE_PLAN_OTHER`` or ``LIVE_PACE_INVALID``.
    """
    from islandflow_resources.tape_live_plan import FORMAT, LivePlan, refuse_other_plan
    from islandflow_resources.tape_sources import generator_version
    from islandflow_resources.tape_specs import resolve

    known = folder.plan()
    if known is not None:
        wanted: Document = {
            "generator": generator_version(),
            "run_name": request.run_name,
            "profile": profile.model_dump(mode="json"),
            "seed_bundle": bundle.model_dump(mode="json"),
            "pace": {**known.pace.model_dump(mode="json"), **_asked_pace(request)},
        }
        refuse_other_plan(known, wanted, str(folder))
        return known
    log = ControlLog(versions=tuple(one.version for one in feed.read()))
    spec = resolve(profile, log)
    pace_of(spec, request, clock.now_ns())
    # Kernels are loaded before the clock of the tape starts.
    make(spec, bundle.root_seed).advance(spec.start_ns + SECOND_NS)
    plan = LivePlan(
        format=FORMAT,
        generator=generator_version(),
        run_name=request.run_name,
        profile=profile,
        seed_bundle=bundle,
        spec=spec,
        pace=pace_of(spec, request, clock.now_ns()),
    )
    folder.write_plan(plan)
    return plan


def pace_of(spec: TapeSpec, request: LiveRequest, now_ns: int) -> Pace:
    """How the time of a tape becomes that of the wall, if it is first started now.

    Raises
    ------
    ContractError
        ``LIVE_PACE_INVALID``.
    """
    from islandflow_resources.tape_live_plan import MAX_SPEED, Pace

    speed = 1.0 if request.speed is None else request.speed
    if not 0 < speed <= MAX_SPEED:
        said, hint = f"a speed of {speed:g} is none", f"write more than 0 and at most {MAX_SPEED}"
        raise ContractError("LIVE_PACE_INVALID", said, "--speed", (hint,))
    is_wall = request.from_start is False
    if is_wall and speed != 1:
        said = "time that is the wall's own has no other speed than 1"
        raise ContractError("LIVE_PACE_INVALID", said, "--speed", ("leave --now or it out",))
    if is_wall and now_ns >= spec.end_ns:
        said = f"the tape ended at {instant(spec.end_ns)}"
        hint = "write --from-start, or a session to come into the profile"
        raise ContractError("LIVE_PACE_INVALID", said, "--now", (hint,))
    is_inside = spec.start_ns <= now_ns < spec.end_ns and speed == 1
    if is_wall or (request.from_start is None and is_inside):
        return Pace(clock="wall", started_ns=now_ns, speed=1.0)
    return Pace(clock="from_start", started_ns=now_ns, speed=speed)


def go_on(
    folder: LiveFolder,
    plan: LivePlan,
    feed: ControlFeed,
    make: Maker,
    clock: Clock,
    voice: Voice,
    *,
    is_sealed: bool = False,
) -> None:
    """Make good what is there, pace what comes, and write the finished tape at the end."""
    from contracts.flow_policy import usual_policy
    from islandflow_jobs.live_pacer import Pacer, resumed
    from islandflow_resources.tape_live import LiveTape
    from islandflow_resources.tape_live_alerts import LiveAlerts

    with (
        LiveAlerts(folder.alerts_path, plan.spec.symbols, usual_policy()) as alerts,
        LiveTape(folder, plan, make, alerts.hear) as live,
    ):
        if not resumed(live, clock, voice):
            return
        pacer = Pacer(live, feed, clock, voice)
        pacer.run()
        if live.next_second is None or (is_sealed and live.count):
            pacer.tell("sealing")
            alerts.finish()
            written = _sealed(live, make)
            pacer.tell("finished" if live.next_second is None else "stopped", written)
            for line in _told(written):
                voice.say(line)
        else:
            pacer.tell("stopped")
            voice.say(f"stopped at {instant(live.position_ns)}: start it again to go on")


def _feed(resources: ResourceSet, profile: TapeProfile) -> ControlFeed:
    from islandflow_resources.tape_live_control import DeployedControl, WrittenControl

    if not isinstance(profile.control, NamedControl):
        return WrittenControl(profile.control)
    from islandflow_resources.control_log import ControlLogStore
    from islandflow_resources.database import Database
    from islandflow_resources.retries import Patience

    patience = Patience(total_s=_PATIENCE_S)
    return DeployedControl(ControlLogStore(Database(resources.settings.database_url, patience)))


def _asked_pace(request: LiveRequest) -> Document:
    """What a start says of the pace; a plan that there is says the rest."""
    asked: Document = {}
    if request.speed is not None:
        asked["speed"] = request.speed
    if request.from_start is not None:
        asked["clock"] = "from_start" if request.from_start else "wall"
    return asked


def _sealed(live: LiveTape, make: Maker) -> WrittenTape:
    from islandflow_jobs.progress_bar import progress_bar
    from islandflow_resources.progress import Progress
    from islandflow_resources.tape_live_seal import seal

    with progress_bar():
        return seal(live, make, Progress("seconds of the tape", _LOG.info))


def _told(written: WrittenTape) -> list[str]:
    plan = written.manifest.replay_plan
    counts = ", ".join(f"{getattr(plan.counts, name)} {name}" for name in STREAMS)
    word = "made" if written.created else "unchanged"
    return [
        f"{word} {written.place}",
        f"{plan.event_count} events: {counts}",
        f"events {written.manifest.event_hashes.tape}, as streamed",
    ]
