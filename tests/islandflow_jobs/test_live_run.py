"""The day of a live tape on a clock that the test moves: when it publishes, waits, and stops.

Commands on the machine's clock are in test_cli_live.py; kills in tests/faults/test_live_kills.py.
"""

import os
import signal
import time

import pytest

from contracts.control import SECOND_NS
from contracts.errors import ContractError, DatabaseUnavailableError
from islandflow_jobs.live_clock import SignalledClock
from islandflow_jobs.live_run import LiveRequest, begun, go_on, pace_of
from islandflow_jobs.live_voice import Voice
from islandflow_resources import tape_sources
from islandflow_resources.tape_live_control import WrittenControl
from islandflow_resources.tape_live_folder import LiveFolder
from islandflow_resources.tape_live_plan import Pace
from tests.islandflow_resources import plain_tape
from tests.islandflow_resources.live_tapes import (
    BUNDLE,
    SPEED,
    HeedingTape,
    entries,
    files,
    lived,
    log_of,
    plan,
    profile,
    told,
)

START = plan().spec.start_ns
BEGUN = plan().pace.started_ns
STEP = round(SECOND_NS / SPEED)


class SteppedClock:
    """A clock that only moves while somebody waits, or when asked; `at` is done once it is due."""

    def __init__(self, now_ns=BEGUN, at=()):
        self.now, self.at, self.is_stopped = now_ns, list(at), False
        self.waits = []

    def now_ns(self):
        while self.at and self.at[0][0] <= self.now:
            self.at.pop(0)[1](self)
        return self.now

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += round(seconds * SECOND_NS)

    def stop(self):
        self.is_stopped = True


class Feed:
    """A control log that may be away."""

    def __init__(self, versions=None):
        self.versions, self.is_away = versions or told(), False

    def read(self):
        if self.is_away:
            raise DatabaseUnavailableError("DATABASE_UNAVAILABLE", "nobody answers")
        return self.versions


class Heard:
    """Lines that were said."""

    def __init__(self):
        self.said, self.warned = [], []
        self.voice = Voice(self.said.append, self.warned.append)


def went_on(root, clock, feed=None, mine=None, *, is_sealed=False):
    """Go on in a folder; what was said."""
    heard, folder = Heard(), LiveFolder(root)
    with folder.held():
        wanted, asked = mine or plan(), feed or Feed()
        go_on(folder, wanted, asked, HeedingTape, clock, heard.voice, is_sealed=is_sealed)
    return heard


# -- pace ---------------------------------------------------------------------------------------


def test_a_second_is_published_when_it_is_over_and_not_before(tmp_path):
    clock = SteppedClock()
    heard = went_on(tmp_path, clock)
    published = [line.wall_ns for line in entries(tmp_path)]
    assert published == [plan().pace.due_ns(second) for second in _seconds()]
    assert max(clock.waits) <= STEP / SECOND_NS
    assert heard.warned == []
    assert heard.said[-1].endswith("as streamed")


def _seconds():
    from islandflow_resources.tape_live_plan import OpenSeconds

    seconds = OpenSeconds(plan().spec)
    return [seconds[number] for number in range(len(seconds))]


def test_what_is_behind_catches_up_and_says_so(tmp_path):
    def stall(clock):
        clock.now += 5 * SECOND_NS

    heard = went_on(tmp_path, SteppedClock(at=[(BEGUN + 4 * STEP + 1, stall)]))
    assert heard.warned == ["behind by 5.0 s: catching up"]
    published = [line.wall_ns for line in entries(tmp_path)]
    assert all(
        one >= plan().pace.due_ns(two) for one, two in zip(published, _seconds(), strict=True)
    )
    assert len(set(published[5:])) == 1
    assert int(LiveFolder(tmp_path).status()["lag_ns"]) > 4 * SECOND_NS


def test_who_has_caught_up_says_so(tmp_path):
    slow = plan().model_copy(update={"pace": plan().pace.model_copy(update={"speed": 1.0})})

    def stall(clock):
        clock.now += 5 * SECOND_NS

    clock = SteppedClock(at=[(BEGUN + 4 * SECOND_NS, stall)])
    heard = went_on(tmp_path, clock, mine=slow)
    assert heard.warned == ["behind by 5.0 s: catching up"]
    assert len([line for line in heard.said if line.startswith("caught up at ")]) == 1
    assert LiveFolder(tmp_path).status()["lag_ns"] == "0"


# -- control ------------------------------------------------------------------------------------


def test_nothing_is_made_while_the_control_cannot_be_read(tmp_path):
    feed = Feed()

    def away(clock):
        feed.is_away = True

    def back(clock):
        assert LiveFolder(tmp_path).status()["state"] == "waiting_for_control"
        feed.is_away = False
        # What was saved meanwhile holds from its time on, however late it is heard.
        feed.versions = told((START + 6 * SECOND_NS, "event_day"))

    events = [(BEGUN + 5 * STEP, away), (BEGUN + 20 * SECOND_NS, back)]
    heard = went_on(tmp_path, SteppedClock(at=events), feed)
    assert len(heard.warned) == 2
    assert heard.warned[0].startswith("the control cannot be read")
    assert "the control can be read again" in heard.said
    assert [number for number, line in enumerate(entries(tmp_path)) if line.control] == [0, 6]


def test_a_late_revision_is_refused_loudly_and_stands_in_the_status(tmp_path):
    feed = Feed()

    def save(clock):
        feed.versions = told((START + 2 * SECOND_NS, "event_day"))

    heard = went_on(tmp_path, SteppedClock(at=[(BEGUN + 10 * STEP, save)]), feed)
    [warning] = heard.warned
    assert warning.startswith("revision 1 is refused for this tape")
    status = LiveFolder(tmp_path).status()
    assert status["revision_in_force"] == 0
    [refused] = status["refused"]
    assert (refused["revision"], refused["effective_ns"]) == (1, str(START + 2 * SECOND_NS))


def test_a_revision_to_come_is_pending_and_then_in_force(tmp_path):
    feed, seen = Feed(told((START + 9 * SECOND_NS, "event_day"))), []

    def look(clock):
        seen.append(LiveFolder(tmp_path).status())

    events = [(BEGUN + 8 * STEP, look), (BEGUN + 17 * STEP, look)]
    heard = went_on(tmp_path, SteppedClock(at=events), feed)
    assert [one["revision_in_force"] for one in seen] == [0, 1]
    assert [(one["mode"], one["state"]) for one in seen] == [("live", "running")] * 2
    assert [len(one["pending"]) for one in seen] == [1, 0]
    assert any(line.startswith("revision 1 is in force from ") for line in heard.said)


# -- ends ---------------------------------------------------------------------------------------


def test_who_is_asked_to_end_ends_between_two_seconds_and_goes_on_the_next_time(tmp_path):
    heard = went_on(tmp_path, SteppedClock(at=[(BEGUN + 7 * STEP + STEP // 2, SteppedClock.stop)]))
    assert heard.said[-1].startswith("stopped at ")
    assert LiveFolder(tmp_path).status()["state"] == "stopped"
    # It is heard of when the eighth is due, which is then made to its end.
    assert len(entries(tmp_path)) == 8
    assert not (tmp_path / "tapes").exists()
    went_on(tmp_path, SteppedClock(BEGUN + 9 * STEP))
    lived(tmp_path / "whole")
    mine, whole = files(tmp_path), files(tmp_path / "whole")
    assert {name: mine[name] for name in mine if name.endswith("arrows")} == {
        name: whole[name] for name in whole if name.endswith("arrows")
    }
    status = LiveFolder(tmp_path).status()
    assert (status["mode"], status["state"]) == ("batch", "finished")


def test_who_is_asked_to_end_may_leave_a_tape_of_what_is_made(tmp_path):
    clock = SteppedClock(at=[(BEGUN + 7 * STEP, SteppedClock.stop)])
    heard = went_on(tmp_path, clock, is_sealed=True)
    status = LiveFolder(tmp_path).status()
    assert status["state"] == "stopped"
    assert [path.name for path in (tmp_path / "tapes").iterdir()] == [status["tape_id"]]
    assert heard.said[-1].endswith("as streamed")


def test_who_is_asked_to_end_before_the_first_second_leaves_no_tape(tmp_path):
    clock = SteppedClock()
    clock.stop()
    heard = went_on(tmp_path, clock, is_sealed=True)
    assert heard.said[-1].startswith("stopped at ")
    assert not (tmp_path / "tapes").exists()


def test_who_is_asked_to_end_while_it_draws_again_changes_nothing(tmp_path):
    lived(tmp_path, until=15)
    before = files(tmp_path)
    clock = SteppedClock()
    clock.stop()
    heard = went_on(tmp_path, clock)
    assert heard.said[-1] == "stopped after 10 of 15 seconds: nothing is changed"
    assert files(tmp_path) == before


def test_a_finished_tape_is_proved_when_it_is_started_again(tmp_path):
    went_on(tmp_path, SteppedClock())
    before = files(tmp_path)
    heard = went_on(tmp_path, SteppedClock(BEGUN + 9_999 * SECOND_NS))
    assert any(line.startswith("unchanged ") for line in heard.said)
    assert files(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_wait_and_nothing_else(number):
    before = signal.getsignal(number)
    with SignalledClock() as clock:
        assert not clock.is_stopped
        clock.wait(0.01)
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        started_s = time.monotonic()
        clock.wait(60.0)
        assert time.monotonic() - started_s < 60.0
        assert clock.is_stopped
        assert abs(clock.now_ns() - time.time_ns()) < 60 * SECOND_NS
    assert signal.getsignal(number) is before


# -- what is begun ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "past_s", "wanted"),
    [
        (LiveRequest("out"), 5, ("wall", 1.0)),
        (LiveRequest("out", speed=1.0), 5, ("wall", 1.0)),
        (LiveRequest("out", from_start=True), 5, ("from_start", 1.0)),
        (LiveRequest("out", speed=2.0), 5, ("from_start", 2.0)),
        (LiveRequest("out"), -1, ("from_start", 1.0)),
        (LiveRequest("out"), 20, ("from_start", 1.0)),
        (LiveRequest("out", from_start=False), -3_600, ("wall", 1.0)),
    ],
)
def test_time_is_the_walls_own_inside_the_session_and_else_begins_now(request_, past_s, wanted):
    now_ns = START + past_s * SECOND_NS
    pace = pace_of(plan().spec, request_, now_ns)
    assert pace == Pace(clock=wanted[0], started_ns=now_ns, speed=wanted[1])


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        (LiveRequest("out", speed=0.0), "--speed"),
        (LiveRequest("out", speed=-1.0), "--speed"),
        (LiveRequest("out", speed=1e9), "--speed"),
        (LiveRequest("out", speed=float("nan")), "--speed"),
        (LiveRequest("out", speed=2.0, from_start=False), "--speed"),
        (LiveRequest("out", from_start=False), "--now"),
    ],
)
def test_a_pace_that_there_is_not_is_refused(request_, where):
    with pytest.raises(ContractError) as refused:
        pace_of(plan().spec, request_, plan().spec.end_ns)
    assert (refused.value.code, refused.value.loc) == ("LIVE_PACE_INVALID", where)


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a tape in one folder, with some of its inputs changed."""
    monkeypatch.setattr(tape_sources, "generator_version", lambda: plain_tape.VERSION)

    def start(request=None, now_ns=BEGUN, mine=None, versions=None, bundle=BUNDLE):
        request = request or LiveRequest(tmp_path)
        folder, feed = LiveFolder(tmp_path), WrittenControl(log_of(versions or told()))
        with folder.held():
            clock = SteppedClock(now_ns)
            return begun(folder, request, mine or profile(), bundle, feed, HeedingTape, clock)

    return start


def test_a_restart_goes_on_by_the_plan_of_the_first_start(begin):
    first = begin(LiveRequest("out", speed=7.0))
    assert first.pace == Pace(clock="from_start", started_ns=BEGUN, speed=7.0)
    later = begin(now_ns=BEGUN + 99 * SECOND_NS, versions=told((START, "event_day")))
    assert later == first
    assert begin(LiveRequest("out", speed=7.0, from_start=True)) == first


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"request": LiveRequest("out", speed=8.0)}, "/pace/speed"),
        ({"request": LiveRequest("out", from_start=False)}, "/pace/clock"),
        ({"request": LiveRequest("out", run_name="another")}, "/run_name"),
        ({"mine": profile(seconds=21)}, "/profile/session/duration_s"),
        ({"bundle": BUNDLE.model_copy(update={"seed": 4})}, "/seed_bundle/seed"),
    ],
)
def test_something_else_than_was_begun_is_refused(begin, changed, where):
    begin(LiveRequest("out", speed=7.0))
    with pytest.raises(ContractError) as refused:
        begin(**changed)
    assert [(one.code, one.loc) for one in refused.value.problems] == [("LIVE_PLAN_OTHER", where)]


def test_another_version_of_the_generator_is_refused(begin, monkeypatch):
    begin()
    monkeypatch.setattr(tape_sources, "generator_version", lambda: "another")
    with pytest.raises(ContractError) as refused:
        begin()
    assert refused.value.loc == "/generator"
