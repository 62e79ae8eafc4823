"""Which versions of the control a live tape takes, when, and which come too late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.control import PRESETS, SyntheticControlState
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.database import Database
from islandflow_resources.tape_live_control import DeployedControl, LiveControl, WrittenControl
from tests.islandflow_resources.live_tapes import log_of, told

S = 1_000_000_000


def test_the_log_of_a_profile_is_told_as_it_is_written():
    versions = told((5 * S, "event_day"), (9 * S, "quiet_range"))
    assert WrittenControl(log_of(versions)).read() == versions


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(0, 30), st.sampled_from(PRESETS)),
        max_size=8,
        unique_by=lambda one: one[0],
    )
)
def test_a_version_is_used_from_its_time_on_if_it_was_told_by_then(saved):
    """Versions are saved in their order, each when the tape has reached some second."""
    saved.sort()
    heard_at, latest = [], 0
    for _, heard, _ in saved:
        latest = max(latest, heard)
        heard_at.append(latest)
    whole = told(*((effective * S, preset) for effective, _, preset in saved))
    control, late = LiveControl(), []
    in_force = {}
    for second in range(32):
        heard = whole[: 1 + sum(at <= second for at in heard_at)]
        late += control.follow(heard, second * S)
        control.take(second * S)
        in_force[second] = control.in_force
        assert control.log == log_of([*control.used, *control.pending])
    # The rule itself: what was heard no later than in the second that it takes effect with.
    punctual = [
        one
        for one, at in zip(whole[1:], heard_at, strict=True)
        if at * S <= one.effective_ns or at == 0
    ]
    assert [one.told for one in late] == [one for one in whole[1:] if one not in punctual]
    assert _versions(control.used) == _versions([whole[0], *punctual])
    for second, held in in_force.items():
        used = [one for one in (whole[0], *punctual) if one.effective_ns <= second * S]
        assert held.version == used[-1].version


def _versions(many):
    return [one.version for one in many]


def test_a_version_that_came_late_is_given_back_once():
    control = LiveControl()
    control.follow(told(), 0)
    control.take(0)
    late = told((3 * S, "event_day"))
    [refused] = control.follow(late, 8 * S)
    assert (refused.told, refused.position_ns) == (late[1], 8 * S)
    more = told((3 * S, "event_day"), (20 * S, "quiet_range"))
    assert control.follow(more, 9 * S) == ()
    assert control.follow(more, 9 * S) == ()
    assert control.refused == (refused,)
    assert control.pending == more[2:]


def test_what_was_used_is_not_given_back_after_a_restart():
    used = told((3 * S, "event_day"))
    control = LiveControl(used)
    assert control.follow(used, 8 * S) == ()
    assert control.log == control.used_log == log_of(used)


def test_the_first_version_holds_from_ever_on():
    first = told((50 * S, "event_day"))[1:]
    control = LiveControl()
    control.follow(first, 0)
    assert control.take(0) == first
    assert control.take(1) == ()


@pytest.fixture
def store(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'islandflow.db'}")
    yield ControlLogStore(database)
    database.dispose()


def test_the_log_of_the_deployment_is_told_with_its_revisions_as_it_grows(store):
    feed = DeployedControl(store)
    assert feed.read() == told()
    assert feed.read() is feed.read()
    for number, preset in enumerate(("event_day", "quiet_range")):
        store.save(
            SyntheticControlState(preset_id=preset),
            expected_revision=number,
            effective_ns=(10 + number) * S,
            updated_by="Ada",
        )
        assert feed.read() == told((10 * S, "event_day"), (11 * S, "quiet_range"))[: number + 2]
