"""``islandflow control status``: what it tells, of which tape, and what it refuses.

Whether the outlook is that of the tape is tested in tests/engine/tapes/market/test_outlook.py.
"""

import json
import time

import pytest

from contracts.control import PROFILES, SECOND_NS, SyntheticControlState
from islandflow_jobs.control_status import NO_DETECTION
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.database import Database
from islandflow_resources.tape_live import LiveTape
from islandflow_resources.tape_live_control import DeployedControl
from islandflow_resources.tape_live_folder import LiveFolder
from islandflow_resources.tape_specs import resolve
from tests.graph import write_json
from tests.islandflow_jobs.commands import refused
from tests.islandflow_resources.live_tapes import HeedingTape, log_of, plan, profile, told

FIELDS = {
    "mode",
    "at",
    "at_ns",
    "asked_ns",
    "profile_id",
    "seed",
    "session",
    "session_phase",
    "regime",
    "levels",
    "focus_symbols",
    "event_symbols",
    "revision",
    "effective_ns",
    "control_hash",
    "preset_id",
    "coverage_window_minutes",
    "scheduled",
    "detected",
    "detected_reason",
    "live",
}
START = plan().spec.start_ns
CLOSE = plan().spec.sessions[0].close_ns


@pytest.fixture
def status(islandflow, bare_home):
    """The object of ``islandflow control status --json``."""

    def run(*options):
        code, lines, err = islandflow("control", "status", "--json", *options)
        assert (code, err) == (0, [])
        return json.loads("\n".join(lines))

    return run


@pytest.fixture
def store(bare_home):
    bare_home.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{bare_home / 'islandflow.db'}")
    yield ControlLogStore(database)
    database.dispose()


@pytest.fixture
def written(tmp_path):
    """The file of a profile that holds its control itself."""

    def write(**changes):
        mine = profile(LENGTH_S, 0).model_dump(mode="json") | changes
        return write_json(tmp_path / "profile.json", mine)

    return write


LENGTH_S = 900
OPEN = resolve(profile(LENGTH_S, 0)).start_ns


def save(store, revision, effective_ns, **fields):
    store.save(
        SyntheticControlState(**fields),
        expected_revision=revision - 1,
        effective_ns=effective_ns,
        updated_by="Ada",
    )


# -- a profile and a seed -----------------------------------------------------------------------


def test_the_market_of_a_profile_is_told_at_a_time(status, written):
    versions = told((OPEN + 300 * SECOND_NS, "event_day"))
    path = written(control=log_of(versions).model_dump(mode="json"))
    at_ns = OPEN + 800 * SECOND_NS
    found = status("--profile", path, "--at", at_ns, "--seed", 7)
    assert set(found) == FIELDS
    assert found["mode"] == "batch"
    assert found["live"] is None
    assert (found["at_ns"], found["asked_ns"], found["seed"]) == (str(at_ns), str(at_ns), "7")
    assert found["at"] == "2026-01-14T14:43:20Z"
    assert found["session"] == {
        "date": "2026-01-14",
        "open_ns": str(OPEN),
        "close_ns": str(CLOSE),
        "is_open": True,
    }
    assert (found["revision"], found["preset_id"]) == (1, "event_day")
    assert found["effective_ns"] == str(OPEN + 300 * SECOND_NS)
    assert found["control_hash"] == versions[1].version.control.control_hash
    assert sorted(found["focus_symbols"]) == ["QQQ", "SPY"]
    assert all(0 < level < 2 for level in found["levels"].values())
    assert set(found["scheduled"]) == set(PROFILES)
    assert 0 < sum(found["scheduled"].values()) < 800
    assert (found["detected"], found["detected_reason"]) == (None, NO_DETECTION)


def test_before_a_change_the_version_before_it_is_in_force(status, written):
    versions = told((OPEN + 300 * SECOND_NS, "event_day"))
    path = written(control=log_of(versions).model_dump(mode="json"))
    found = status("--profile", path, "--at", OPEN + 299 * SECOND_NS)
    assert (found["revision"], found["preset_id"], found["effective_ns"]) == (
        0,
        "balanced_demo",
        "0",
    )


@pytest.mark.parametrize(("past_s", "shown_s"), [(-500, 0), (LENGTH_S + 1, LENGTH_S)])
def test_a_time_outside_the_tape_shows_its_nearest_end(status, written, past_s, shown_s):
    found = status("--profile", written(), "--at", OPEN + past_s * SECOND_NS)
    assert found["at_ns"] == str(OPEN + shown_s * SECOND_NS)
    assert found["asked_ns"] == str(OPEN + past_s * SECOND_NS)


def test_a_profile_that_names_the_deployment_is_told_under_its_log(status, store, written):
    save(store, 1, OPEN + 60 * SECOND_NS, preset_id="quiet_range", coverage_window_minutes=10)
    path = written(control={"log": "deployment"})
    found = status("--profile", path, "--at", OPEN + 100 * SECOND_NS)
    assert (found["revision"], found["preset_id"]) == (1, "quiet_range")
    assert found["coverage_window_minutes"] == 10
    assert found["seed"] == "11"


def test_without_a_seed_it_is_the_shared_one_when_the_tape_begins(status, store, written):
    save(store, 1, OPEN - 60 * SECOND_NS, shared_seed=77)
    save(store, 2, OPEN + 60 * SECOND_NS, shared_seed=78)
    path = written(control={"log": "deployment"})
    assert status("--profile", path, "--at", OPEN + 100 * SECOND_NS)["seed"] == "77"


@pytest.mark.parametrize(
    ("at", "date", "is_open"),
    [
        ("2026-01-14T14:30:05Z", "2026-01-14", True),
        ("2026-01-14T14:29:59Z", "2026-01-13", False),
        ("2026-01-13T22:00:00+01:00", "2026-01-13", False),
    ],
)
def test_without_a_profile_it_is_the_default_one_in_the_session_of_that_time(
    status, at, date, is_open
):
    found = status("--at", at)
    assert found["profile_id"] == "default"
    assert (found["session"]["date"], found["session"]["is_open"]) == (date, is_open)
    assert int(found["at_ns"]) <= int(found["asked_ns"])


def test_over_a_weekend_with_a_holiday_it_is_the_last_session(status):
    found = status("--at", "2026-01-20T14:00:00Z")
    assert found["session"]["date"] == "2026-01-16"


def test_the_lines_say_the_same(islandflow, status, written):
    options = ("--profile", written(), "--at", OPEN + 400 * SECOND_NS, "--seed", 7)
    found = status(*options)
    code, lines, err = islandflow("control", "status", *options)
    assert (code, err) == (0, [])
    told_of = [tuple(line.split(maxsplit=1)) for line in lines]
    assert ("regime", found["regime"]) in told_of
    assert ("session_phase", found["session_phase"]) in told_of
    assert ("detected", NO_DETECTION) in told_of
    assert ("focus_symbols", " ".join(found["focus_symbols"])) in told_of
    counts = {f"{name} {count}" for name, count in found["scheduled"].items()}
    assert {" ".join(line.split()[1:]) for line in lines if line.startswith("scheduled")} == counts


# -- a live tape --------------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path, store):
    """A live tape that follows the deployment, up to its tenth second."""
    mine = plan().model_copy(
        update={"profile": profile(control={"log": "deployment"})},
    )
    folder = LiveFolder(tmp_path / "out")
    save(store, 1, START + 4 * SECOND_NS, preset_id="event_day")
    with folder.held(), LiveTape(folder, mine, HeedingTape) as live:
        folder.write_plan(mine)
        list(live.resume())
        for _ in range(10):
            live.follow(DeployedControl(store).read())
            live.publish(time.time_ns())
        folder.write_status(
            {
                "pid": 1,
                "state": "running",
                "tape_id": "0123456789abcdef",
                "position_ns": str(live.position_ns),
                "lag_ns": "2500000",
                "refused": [{"revision": 9, "effective_ns": str(START), "position_ns": "0"}],
            }
        )
    return folder


def test_a_live_tape_is_told_of_where_it_stands(status, begun):
    found = status("--live", begun.root)
    assert (found["mode"], found["at_ns"]) == ("batch", str(START + 10 * SECOND_NS))
    assert (found["seed"], found["profile_id"]) == ("3", "default")
    assert (found["revision"], found["preset_id"]) == (1, "event_day")
    assert found["live"]["tape_id"] == "0123456789abcdef"


def test_it_is_live_while_a_process_holds_it(status, begun):
    with begun.held():
        assert status("--live", begun.root)["mode"] == "live"
    assert status("--live", begun.root)["mode"] == "batch"


def test_what_a_live_tape_has_used_is_told_and_not_what_came_late(status, begun, store):
    save(store, 2, START + 8 * SECOND_NS, preset_id="dealer_day")
    save(store, 3, START + 15 * SECOND_NS, preset_id="quiet_range")
    at = [status("--live", begun.root, "--at", START + past * SECOND_NS) for past in (3, 9, 15)]
    assert [one["revision"] for one in at] == [0, 1, 3]
    assert [one["preset_id"] for one in at] == ["balanced_demo", "event_day", "quiet_range"]


def test_the_lines_of_a_live_tape_say_lag_and_what_was_refused(islandflow, begun):
    code, lines, err = islandflow("control", "status", "--live", begun.root)
    assert (code, err) == (0, [])
    assert ["lag_s", "0.003"] in [line.split() for line in lines]
    assert lines[-1].startswith("refused revision 9")
    assert any("running, tape 0123456789abcdef, process 1" in line for line in lines)


def test_before_its_first_second_a_live_tape_stands_at_its_start(status, store, tmp_path):
    folder = LiveFolder(tmp_path / "out")
    with folder.held():
        folder.write_plan(plan())
    found = status("--live", folder.root)
    assert (found["at_ns"], found["live"]) == (str(START), None)


# -- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--at", "yesterday"), "CONTROL_VALUE_INVALID"),
        (("--at", "1"), "SESSION_DATE_INVALID"),
        (("--at", "9" * 19), "SESSION_DATE_INVALID"),
        (("--seed", "-1"), "SEED_NOT_AN_INTEGER"),
    ],
)
def test_arguments_that_cannot_be_are_refused(islandflow, bare_home, options, code):
    assert refused(islandflow("control", "status", *options), code)


def test_a_folder_without_a_live_tape_is_refused(islandflow, bare_home, tmp_path):
    assert refused(islandflow("control", "status", "--live", tmp_path), "LIVE_MISSING")


def test_a_live_tape_says_profile_and_seed_itself(islandflow, begun):
    assert refused(
        islandflow("control", "status", "--live", begun.root, "--seed", 1), "ARGUMENTS_INVALID"
    )


def test_a_plan_that_does_not_read_ends_with_1(islandflow, begun):
    begun.plan_path.write_text("{}")
    code, out, err = islandflow("control", "status", "--live", begun.root)
    assert (code, out) == (1, [])
    assert all("LIVE_PLAN_INVALID" in line for line in err)
