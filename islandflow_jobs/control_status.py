"""What ``islandflow control status`` tells: where the synthetic market stands, and under what.

Read from the state and the plan of bursts that the events are drawn from, see
``engine.tapes.market.outlook``; no event is looked at. What a detector has found is read from the
alerts of the live tape, or from the stored detection of the tape. Arguments are read in
``cli_control``.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contracts.control import ControlLog, ControlVersion
from contracts.errors import ContractError
from contracts.tape import NamedControl, TapeProfile, TapeSpec
from contracts.tape_defaults import default_profile
from islandflow_jobs.live_voice import instant
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from engine.tapes.market.outlook import Outlook
    from islandflow_resources.tape_live_control import ControlFeed, Told
    from islandflow_resources.tape_live_folder import LiveFolder

NO_DETECTION: Final = "none: no detection of this tape is stored, run the job smart_flow"
_MINUTE_NS: Final = 60_000_000_000
_LONGEST_BREAK_DAYS: Final = 12
_WIDTH: Final = 36


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Flags of ``control status``; None where a flag is not given.

    Attributes
    ----------
    profile : TapeProfile or None
        None for the default one, on the day that is asked for.
    at_ns : int or None
        None for now, or for where the live tape stands.
    seed : int or None
        None for the shared seed of the control in force when the tape begins.
    live : Path or None
        Folder of a live tape, which says profile and seed itself.
    """

    profile: TapeProfile | None = None
    at_ns: int | None = None
    seed: int | None = None
    live: Path | None = None


@dataclass(frozen=True, slots=True)
class _Subject:
    """The tape that is told of.

    Attributes
    ----------
    told : tuple of Told
        Versions of the control with their numbers.
    status : dict or None
        What a live tape told last.
    alerts : tuple of (int, str), or None
        Times at which alerts were said, and their profiles; None if nothing was detected.
    """

    spec: TapeSpec
    seed: int
    at_ns: int
    told: tuple[Told, ...]
    mode: str = "batch"
    status: dict[str, Any] | None = None
    alerts: tuple[tuple[int, str], ...] | None = None


def status(resources: ResourceSet, request: StatusRequest, *, as_json: bool) -> list[str]:
    """Where the market of a profile and a seed, or of a live tape, stands at a time.

    Raises
    ------
    ContractError
        ``LIVE_MISSING`` if there is no live tape in the folder; ``ARGUMENTS_INVALID``; as of
        the profile.
    """
    resources.engine_runtime.prepare()
    from engine.tapes.market.outlook import outlook_at

    live = request.live
    subject = _live(resources, request, live) if live else _batch(resources, request)
    spec = subject.spec
    at_ns = min(max(subject.at_ns, spec.start_ns), spec.end_ns)
    document = _document(subject, outlook_at(spec, subject.seed, at_ns))
    if as_json:
        return json.dumps(document, indent=2, ensure_ascii=False).splitlines()
    return [f"{name:<{_WIDTH}}{text}" for name, text in _rows(document).items()]


def _batch(resources: ResourceSet, request: StatusRequest) -> _Subject:
    from islandflow_resources.tape_specs import resolve

    at_ns = time.time_ns() if request.at_ns is None else request.at_ns
    profile = _on_the_day(at_ns) if request.profile is None else request.profile
    told = _feed(resources, profile).read()
    spec = resolve(profile, ControlLog(versions=tuple(one.version for one in told)))
    seed = spec.control.at(spec.start_ns).shared_seed if request.seed is None else request.seed
    return _Subject(spec, seed, at_ns, told, alerts=_stored_alerts(resources, spec, seed))


def _live(resources: ResourceSet, request: StatusRequest, out: Path) -> _Subject:
    from islandflow_resources.tape_live_folder import LiveFolder

    if request.profile is not None or request.seed is not None:
        said, hint = "a live tape says profile and seed itself", "leave --profile and --seed out"
        raise ContractError("ARGUMENTS_INVALID", said, "--live", (hint,))
    folder = LiveFolder(out)
    plan = folder.plan()
    if plan is None:
        hint = "name the folder that was given to: islandflow tape live --out DIR"
        raise ContractError("LIVE_MISSING", f"no live tape was begun in {out}", str(out), (hint,))
    known = folder.status()
    position_ns = plan.spec.start_ns if known is None else int(known["position_ns"])
    told = _feed(resources, plan.profile).read()
    return _Subject(
        plan.spec_under(_followed(folder, told, position_ns)),
        plan.seed_bundle.root_seed,
        position_ns if request.at_ns is None else request.at_ns,
        told,
        "live" if folder.is_held() else "batch",
        known,
        _live_alerts(folder),
    )


def _live_alerts(folder: LiveFolder) -> tuple[tuple[int, str], ...] | None:
    """What the detector beside a live tape has said."""
    from islandflow_resources.tape_live_alerts import live_alerts

    if not folder.alerts_path.exists():
        return None
    said = live_alerts(folder.alerts_path)
    return tuple((int(one["emitted_ns"]), str(one["profile"])) for one in said)


def _stored_alerts(
    resources: ResourceSet, spec: TapeSpec, seed: int
) -> tuple[tuple[int, str], ...] | None:
    """What the stored detection of a tape says; None if there is none."""
    from contracts.flow_columns import ALERTS
    from contracts.flow_policy import usual_policy
    from islandflow_resources.sound_detections import stored_detection
    from islandflow_resources.tape_sources import generator_version

    found = stored_detection(resources.store, spec, seed, generator_version(), usual_policy())
    if found is None:
        return None
    table = found.table(ALERTS.name)
    times = table.column("emitted_ns").to_pylist()
    return tuple(zip(times, table.column("profile").to_pylist(), strict=True))


def _followed(folder: LiveFolder, told: tuple[Told, ...], position_ns: int) -> ControlLog:
    """The log as the live tape used it, and as it will."""
    from islandflow_resources.tape_live_control import LiveControl, Told

    used = folder.used_control()
    versions = () if used is None else used.versions
    control = LiveControl([Told(_revision(told, one) or 0, one) for one in versions])
    control.follow(told, position_ns)
    return control.log


def _feed(resources: ResourceSet, profile: TapeProfile) -> ControlFeed:
    from islandflow_resources.tape_live_control import DeployedControl, WrittenControl

    if not isinstance(profile.control, NamedControl):
        return WrittenControl(profile.control)
    from islandflow_resources.control_log import ControlLogStore

    return DeployedControl(ControlLogStore(resources.database))


def _on_the_day(at_ns: int) -> TapeProfile:
    """The default profile in the session that is open at a time, or was last."""
    from islandflow_resources.market_calendar import market_sessions

    profile = default_profile()
    day = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).date()
    date, problem = "", None
    for back in range(_LONGEST_BREAK_DAYS):
        date = (day - timedelta(days=back)).isoformat()
        try:
            if market_sessions(profile.session.exchange, date, 1)[0].open_ns <= at_ns:
                break
        except ContractError as error:
            if error.code != "SESSION_CLOSED":
                raise
            problem = error
    else:
        assert problem is not None
        raise problem
    session = profile.session.model_copy(update={"first_date": date})
    return profile.model_copy(
        update={"session": session, "control": NamedControl(log="deployment")}
    )


def _revision(told: tuple[Told, ...], version: ControlVersion) -> int | None:
    return next((one.revision for one in told if one.version == version), None)


def _document(subject: _Subject, outlook: Outlook) -> dict[str, Any]:
    """The object that ``--json`` prints; times in nanoseconds are strings."""
    spec, control = subject.spec, outlook.control
    session, symbols = spec.sessions[outlook.session], spec.symbols
    held = [one for one in spec.control.versions if one.effective_ns <= outlook.at_ns]
    in_force = held[-1] if held else spec.control.versions[0]
    return {
        "mode": subject.mode,
        "at": instant(outlook.at_ns),
        "at_ns": str(outlook.at_ns),
        "asked_ns": str(subject.at_ns),
        "profile_id": spec.id,
        "seed": str(subject.seed),
        "session": {
            "date": session.date,
            "open_ns": str(session.open_ns),
            "close_ns": str(session.close_ns),
            "is_open": session.open_ns <= subject.at_ns < session.close_ns,
        },
        "session_phase": outlook.state.phase,
        "regime": outlook.state.regime,
        "levels": {
            "volatility": outlook.volatility,
            "liquidity": outlook.liquidity,
            "cleanliness": outlook.cleanliness,
        },
        "focus_symbols": [symbols[place] for place in outlook.state.focus],
        "event_symbols": [symbols[place] for place in outlook.state.events],
        "revision": _revision(subject.told, in_force),
        "effective_ns": str(in_force.effective_ns),
        "control_hash": control.control_hash,
        "preset_id": control.preset_id,
        "coverage_window_minutes": control.coverage_window_minutes,
        "scheduled": dict(outlook.scheduled),
        "detected": _detected(subject, outlook),
        "detected_reason": NO_DETECTION if subject.alerts is None else None,
        "live": subject.status,
    }


def _detected(subject: _Subject, outlook: Outlook) -> dict[str, int] | None:
    """Alerts of each profile within the window of coverage."""
    if subject.alerts is None:
        return None
    from islandflow_resources.tape_live_alerts import hits

    window_ns = outlook.control.coverage_window_minutes * _MINUTE_NS
    return hits(subject.alerts, outlook.at_ns - window_ns, outlook.at_ns)


def _rows(document: dict[str, Any]) -> dict[str, str]:
    """What is printed for a person."""
    session, counts = document["session"], document["scheduled"]
    when = "open" if session["is_open"] else "closed at the time that was asked for"
    minutes = document["coverage_window_minutes"]
    rows = {
        "mode": document["mode"],
        "at": f"{document['at']} ({document['at_ns']})",
        "market": f"{document['profile_id']}, seed {document['seed']}",
        "session": f"{session['date']}, {when}",
        "session_phase": document["session_phase"],
        "regime": document["regime"],
        **{name: f"{value:.4f}" for name, value in document["levels"].items()},
        "focus_symbols": " ".join(document["focus_symbols"]) or "-",
        "event_symbols": " ".join(document["event_symbols"]) or "-",
        "revision": f"{document['revision']}, preset {document['preset_id']}",
        "coverage_window_minutes": str(minutes),
        **{f"scheduled {name}": str(count) for name, count in counts.items()},
    }
    detected = document["detected"]
    if detected is None:
        rows["detected"] = document["detected_reason"]
    else:
        rows |= {f"detected {name}": str(count) for name, count in detected.items()}
    live = document["live"]
    if live is None:
        return rows
    rows["live"] = f"{live['state']}, tape {live['tape_id']}, process {live['pid']}"
    rows["lag_s"] = f"{int(live['lag_ns']) / 1e9:.3f}"
    for one in live["refused"]:
        where = instant(int(one["effective_ns"]))
        rows[f"refused revision {one['revision']}"] = f"it came too late for {where}"
    return rows
