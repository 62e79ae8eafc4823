"""What a profile means: its sessions, its window, its control log up to the end."""

import pytest
from hypothesis import HealthCheck, given, settings

from contracts.control import ControlLog, ControlVersion, SyntheticControlState
from contracts.errors import ContractError, IslandflowError
from contracts.tape import load_profile, profile_from
from contracts.tape_defaults import default_profile
from islandflow_resources.market_calendar import market_sessions
from islandflow_resources.tape_specs import resolve
from tests.properties import documents

SECOND_NS = 1_000_000_000
QUIET = SyntheticControlState(preset_id="quiet_range")


def profile(symbols=1, **changes):
    document = default_profile(symbols).model_dump(mode="json")
    for path, value in changes.items():
        node = document
        *keys, last = path.split("__")
        for key in keys:
            node = node[key]
        node[last] = value
    return profile_from(document)


def refused(code, **given):
    with pytest.raises(ContractError) as caught:
        resolve(**given)
    assert caught.value.code == code
    assert caught.value.hints
    return caught.value


def test_a_spec_has_the_sessions_of_the_calendar_and_all_else_of_the_profile():
    given = profile(3, session__count=2)
    spec = resolve(given)
    assert spec.sessions == market_sessions("XNYS", "2026-01-14", 2)
    assert (spec.start_ns, spec.end_ns) == (spec.sessions[0].open_ns, spec.sessions[1].close_ns)
    for name in ("id", "version", "universe", "chain", "prices", "surface", "quotes", "flow"):
        assert getattr(spec, name) == getattr(given, name)


def test_the_window_is_skipped_to_and_as_long_as_said():
    spec = resolve(profile(session__skip_s=90, session__duration_s=600))
    first = spec.sessions[0].open_ns
    assert (spec.start_ns - first, spec.end_ns - first) == (90 * SECOND_NS, 690 * SECOND_NS)


def test_start_and_duration_that_are_given_take_the_place_of_the_profile_s():
    given = profile(session__skip_s=90, session__duration_s=600)
    first = resolve(given).sessions[0].open_ns
    moved = resolve(given, start_ns=first + 5 * SECOND_NS)
    assert (moved.start_ns, moved.end_ns) == (first + 5 * SECOND_NS, first + 605 * SECOND_NS)
    whole = resolve(given, duration_s=0)
    assert (whole.start_ns, whole.end_ns) == (first + 90 * SECOND_NS, whole.sessions[0].close_ns)


@pytest.mark.parametrize(
    ("start_ns", "duration_s"),
    [(0, None), (2**62, None), (None, 23_401), (1_768_401_000_500_000_000, 60)],
)
def test_a_window_outside_the_sessions_or_off_the_second_is_refused(start_ns, duration_s):
    error = refused(
        "TAPE_WINDOW_INVALID", profile=profile(), start_ns=start_ns, duration_s=duration_s
    )
    assert error.loc == "/session"


def test_the_control_log_ends_where_the_tape_ends():
    spec = resolve(profile())
    late = ControlVersion(effective_ns=spec.end_ns, control=QUIET)
    inside = ControlVersion(effective_ns=spec.end_ns - SECOND_NS, control=QUIET)
    first = ControlVersion(effective_ns=0, control=SyntheticControlState())
    for versions, kept in (((first, late), (first,)), ((first, inside), (first, inside))):
        document = ControlLog(versions=versions).model_dump(mode="json")
        assert resolve(profile(control=document)).control.versions == kept


def test_what_is_saved_again_or_takes_effect_later_changes_no_tape():
    plain = resolve(profile())
    first = ControlVersion(effective_ns=0, control=SyntheticControlState())
    again = ControlVersion(effective_ns=SECOND_NS, control=SyntheticControlState())
    late = ControlVersion(effective_ns=plain.end_ns, control=QUIET)
    document = ControlLog(versions=(first, again, late)).model_dump(mode="json")
    assert resolve(profile(control=document)).tape_hash == plain.tape_hash


def test_a_named_control_log_is_the_one_that_is_handed_in():
    named = profile(control={"log": "deployment"})
    log = ControlLog(versions=(ControlVersion(effective_ns=0, control=QUIET),))
    assert resolve(named, log).control == log
    assert refused("CONTROL_LOG_MISSING", profile=named).loc == "/control"


@pytest.mark.parametrize(
    ("at_s", "is_open"),
    [(0, True), (23_399, True), (23_400, False), (86_400, True), (90_000, True)],
)
def test_an_injection_while_the_exchange_is_closed_is_refused(at_s, is_open):
    injection = {
        "id": "one",
        "subtype": "put_sweep",
        "symbol": "SPY",
        "at_s": at_s,
        "notional_usd": 1e5,
        "is_decoy": False,
    }
    given = profile(session__count=2, injections=[injection])
    if is_open:
        assert resolve(given).injections[0].at_s == at_s
    else:
        assert refused("TAPE_INJECTION_OUTSIDE", profile=given).loc == "/injections/0/at_s"


def test_a_closed_day_is_refused_by_the_calendar():
    closed = profile(session__first_date="2026-01-19")
    assert refused("SESSION_CLOSED", profile=closed).loc == "/session/first_date"


@settings(
    derandomize=True,
    database=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(documents.inputs([default_profile(1).model_dump(mode="json")]))
def test_whatever_a_profile_says_it_is_resolved_or_refused(data):
    spec, refusal = attempt(data)
    assert (spec is None) == bool(refusal)
    assert all(problem.code and problem.hints for problem in refusal)
    if spec is not None:
        assert spec.start_ns < spec.end_ns <= spec.sessions[-1].close_ns


def attempt(data):
    """The spec of a profile, and the problems that it is refused for."""
    try:
        return resolve(load_profile(data)), ()
    except IslandflowError as error:
        return None, error.problems
