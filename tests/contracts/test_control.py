"""Controls: templates, patches, whole documents, and what a log says at a time and up to one.

Single broken documents are in contracts/fixtures/invalid/control_*. The tables are those that an
operator is told of in docs/control.md.
"""

import json
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.control import (
    CONTROL_LOG,
    CONTROL_STATE,
    DEMO_PROFILES,
    DEMO_SCENARIOS,
    GENESIS,
    LOAD_PROFILES,
    MAX_VERSIONS,
    PRESETS,
    PROFILES,
    WEIGHTS,
    ControlLog,
    ControlVersion,
    LoadProfileId,
    ProfileWeights,
    SyntheticControlState,
    differing,
    patched,
    replaced,
    templated,
)
from contracts.document import load, validate
from contracts.errors import ContractError
from tests.contracts.fixture_files import document, valid_files
from tests.properties import documents

SECOND = 1_000_000_000
LOGS = {path.stem: path for path in valid_files("control_logs")}
TABLE = {
    "market-command": ("steady", "balanced_demo", 20, 11, {}),
    "event-response": (
        "active",
        "event_day",
        20,
        23,
        {"event_driven": 1.6, "hedge_reactive": 1.6, "arbitrage": 0.6},
    ),
    "quiet-range": (
        "steady",
        "quiet_range",
        30,
        37,
        {"vol_seller": 1.6, "arbitrage": 1.6, "retail_whale": 0.6},
    ),
    "stress-tape": ("firehose", "dealer_day", 10, 53, {}),
}
"""Per demo profile: load, preset, window, seed, and the weights that are not 1."""

# Identity is for ever: a hash that changes here makes every stored tape unfindable.
HASHES = {
    "control_log_genesis": (
        "sha256:7aeb71c935b9cc5464382e32c8f961925e836164c12963e9603eddd20ac820b3"
    ),
    "control_log_saved_again": (
        "sha256:ebc181830d5c7b50a4bd7342967c5820e58cd72063384bbd80d860da33385a1d"
    ),
    "control_log_three_versions": (
        "sha256:1c7818c34c750dc7c9fe0d33977e44e12d418b420e302573dd607fa2fb992f48"
    ),
}

weights = st.builds(ProfileWeights, **{name: st.sampled_from(WEIGHTS) for name in PROFILES})
states = st.builds(
    SyntheticControlState,
    demo_profile_id=st.sampled_from(list(DEMO_PROFILES)),
    load_profile_id=st.sampled_from(get_args(LoadProfileId)),
    preset_id=st.sampled_from(PRESETS),
    coverage_assist=st.booleans(),
    coverage_window_minutes=st.sampled_from([10, 20, 30]),
    shared_seed=st.integers(0, 2**63 - 1),
    profile_weights=weights,
)
few_states = st.sampled_from(
    [SyntheticControlState(), templated("quiet-range"), templated("stress-tape")]
)


@st.composite
def logs(draw):
    """Logs of up to eight versions within twenty seconds, neighbours often alike."""
    times = draw(st.lists(st.integers(0, 20), min_size=1, max_size=8, unique=True))
    versions = [
        ControlVersion(effective_ns=time * SECOND, control=draw(few_states))
        for time in sorted(times)
    ]
    return ControlLog(versions=tuple(versions))


times = st.integers(0, 22 * SECOND)


def refused(call, *arguments) -> list[tuple[str, str]]:
    with pytest.raises(ContractError) as caught:
        call(*arguments)
    assert all(problem.hints[0] for problem in caught.value.problems)
    return [(problem.code, problem.loc) for problem in caught.value.problems]


# -- templates, and what differs from them ------------------------------------------------------


@pytest.mark.parametrize("name", TABLE)
def test_a_template_is_its_row_of_the_table(name):
    load_profile, preset, window, seed, high_or_low = TABLE[name]
    state = templated(name)
    assert (state.load_profile_id, state.preset_id) == (load_profile, preset)
    assert (state.coverage_window_minutes, state.shared_seed) == (window, seed)
    assert state.coverage_assist
    assert state.demo_profile_id == name
    assert state.profile_weights.model_dump() == dict.fromkeys(PROFILES, 1.0) | high_or_low
    assert state.modified() == ()


def test_every_template_has_scenarios_and_every_load_profile_its_multipliers():
    assert set(DEMO_SCENARIOS) == set(DEMO_PROFILES) == set(TABLE)
    assert len(set(DEMO_SCENARIOS["stress-tape"])) == 7
    assert set().union(*DEMO_SCENARIOS.values()) == set(DEMO_SCENARIOS["stress-tape"])
    rates = {name: (load.rate, load.volume) for name, load in LOAD_PROFILES.items()}
    assert rates == {"steady": (1, 1), "active": (2, 1), "firehose": (4, 2)}
    assert templated("stress-tape").load.mode == "firehose"


def test_the_genesis_is_the_first_template_from_ever_on():
    assert GENESIS.effective_ns == 0
    assert GENESIS.control == SyntheticControlState() == templated("market-command")


@given(states)
def test_what_is_modified_is_every_field_that_the_template_says_otherwise(state):
    template = templated(state.demo_profile_id).model_dump(mode="json")
    own = state.model_dump(mode="json")
    expected = {f"/{name}" for name in own if own[name] != template[name]}
    if "/profile_weights" in expected:
        expected.remove("/profile_weights")
        mine, theirs = own["profile_weights"], template["profile_weights"]
        expected |= {f"/profile_weights/{name}" for name in mine if mine[name] != theirs[name]}
    assert set(state.modified()) == expected
    assert len(state.modified()) == len(expected)


@given(states, states)
def test_states_differ_where_their_fields_do_and_are_equal_where_none_differs(one, other):
    places = differing(one, other)
    assert (places == ()) == (one == other) == (one.control_hash == other.control_hash)
    assert set(places) == set(differing(other, one))
    assert differing(one, one) == ()


@given(states)
def test_a_state_has_twelve_fields_in_the_order_of_its_document(state):
    fields = state.fields()
    assert len(fields) == 12
    assert list(fields)[6:] == [f"/profile_weights/{name}" for name in PROFILES]
    assert fields["/shared_seed"] == str(state.shared_seed)
    assert fields["/profile_weights/arbitrage"] == state.profile_weights.arbitrage


@given(states)
def test_a_state_reads_back_from_what_is_hashed_and_from_what_is_written_whole(state):
    assert load(CONTROL_STATE, json.dumps(state.document()), "control") == state
    assert replaced(state.model_dump(mode="json")) == state


# -- patches ------------------------------------------------------------------------------------


@given(states, states, st.sets(st.sampled_from([*SyntheticControlState().fields()][1:])))
def test_a_patch_changes_what_it_names_and_nothing_else(state, other, places):
    wanted = {place: other.fields()[place] for place in places}
    plain = {place[1:]: value for place, value in wanted.items() if place.count("/") == 1}
    of_weights = {
        place.rpartition("/")[2]: value for place, value in wanted.items() if place.count("/") == 2
    }
    made = patched(state, plain | ({"profile_weights": of_weights} if of_weights else {}))
    assert made.fields() == state.fields() | wanted
    assert patched(made, plain) == made


@given(states, st.sampled_from(list(DEMO_PROFILES)), st.sampled_from(PRESETS))
def test_a_patch_that_names_a_template_starts_from_it_and_its_other_fields_win(state, name, preset):
    assert patched(state, {"demo_profile_id": name}) == templated(name)
    made = patched(state, {"demo_profile_id": name, "preset_id": preset})
    assert set(made.modified()) <= {"/preset_id"}
    assert made.preset_id == preset


def test_an_empty_patch_changes_nothing():
    for name in DEMO_PROFILES:
        assert patched(templated(name), {}) == templated(name)


@given(
    st.dictionaries(
        st.sampled_from([*TABLE, *SyntheticControlState.model_fields]), documents.values
    )
)
def test_any_patch_gives_a_state_or_says_what_is_wrong(patch):
    made, told = None, ()
    try:
        made = patched(templated("quiet-range"), patch)
    except ContractError as error:
        told = error.problems
    assert (made is None) == bool(told)
    assert made is None or replaced(made.model_dump(mode="json")) == made
    assert all(problem.code.startswith("CONTROL_") for problem in told)
    assert all(problem.loc.startswith("/") and problem.hints for problem in told)


def test_every_problem_of_a_patch_is_told_with_its_place():
    patch = {
        "demo_profile_id": ["quiet-range"],
        "profile_weights": {"arbitrage": 2, "noise": 1},
        "seed": 3,
    }
    assert refused(patched, SyntheticControlState(), patch) == [
        ("CONTROL_VALUE_UNKNOWN", "/demo_profile_id"),
        ("CONTROL_VALUE_INVALID", "/profile_weights/arbitrage"),
        ("CONTROL_FIELD_UNKNOWN", "/profile_weights/noise"),
        ("CONTROL_FIELD_UNKNOWN", "/seed"),
    ]
    weightless = {"profile_weights": None}
    found = refused(patched, SyntheticControlState(), weightless)
    assert found == [("CONTROL_VALUE_INVALID", "/profile_weights")]


# -- whole documents ----------------------------------------------------------------------------


@given(states, st.sets(st.sampled_from([*SyntheticControlState().fields()]), min_size=1))
def test_a_document_that_leaves_fields_out_is_not_whole(state, left_out):
    written = state.model_dump(mode="json")
    for place in left_out:
        *above, name = place.split("/")[1:]
        del (written["profile_weights"] if above else written)[name]
    assert refused(replaced, written) == [
        ("CONTROL_FIELD_MISSING", place) for place in sorted(left_out)
    ]


def test_what_is_wrong_and_what_is_missing_is_told_at_once():
    written = SyntheticControlState().model_dump(mode="json") | {"preset_id": "calm", "x": 1}
    del written["shared_seed"]
    assert refused(replaced, written) == [
        ("CONTROL_VALUE_UNKNOWN", "/preset_id"),
        ("CONTROL_FIELD_MISSING", "/shared_seed"),
        ("CONTROL_FIELD_UNKNOWN", "/x"),
    ]
    written = SyntheticControlState().model_dump(mode="json") | {"profile_weights": 1}
    assert refused(replaced, written) == [("CONTROL_VALUE_INVALID", "/profile_weights")]


# -- logs ---------------------------------------------------------------------------------------


def test_hashes_are_the_ones_of_every_stored_tape():
    found = {
        name: load(CONTROL_LOG, path.read_bytes(), "control log").control_hash
        for name, path in LOGS.items()
    }
    assert found == HASHES
    assert SyntheticControlState().control_hash.startswith("sha256:44136fa355b3678a")


@given(logs(), times)
def test_the_state_at_a_time_is_that_of_the_last_version_before_it(log, ns):
    earlier = [version for version in log.versions if version.effective_ns <= ns]
    expected = max(earlier, key=lambda version: version.effective_ns, default=log.versions[0])
    assert log.at(ns) == expected.control


@given(logs(), times, times)
def test_a_log_up_to_an_end_says_the_same_before_it(log, end, ns):
    part = log.until(end)
    if ns < end:
        assert part.at(ns) == log.at(ns)
    assert set(part.versions) <= set(log.versions)
    assert all(version.effective_ns < end for version in part.versions[1:])


@given(logs(), times, times)
def test_a_part_of_a_part_is_the_part(log, one, other):
    assert log.until(one).until(other) == log.until(min(one, other))


@given(logs(), times)
def test_a_part_has_no_idle_version(log, end):
    kept = [version.control for version in log.until(end).versions]
    assert all(earlier != later for earlier, later in pairwise(kept))


@given(logs(), few_states, st.integers(1, 9))
def test_what_is_saved_later_changes_no_hash_of_what_was_before(log, state, seconds):
    end = log.versions[-1].effective_ns + seconds * SECOND
    later = ControlLog(versions=(*log.versions, ControlVersion(effective_ns=end, control=state)))
    assert later.until(end).control_hash == log.until(end).control_hash
    is_change = state != log.versions[-1].control
    beyond = end + 1
    assert (later.until(beyond).control_hash != log.until(beyond).control_hash) == is_change


def test_saving_the_same_again_is_no_part_of_what_a_tape_depends_on():
    log = load(CONTROL_LOG, LOGS["control_log_saved_again"].read_bytes(), "control log")
    first, second, again, back = log.versions
    assert second.control == again.control
    assert log.until(back.effective_ns + 1).versions == (first, second, back)
    assert log.until(back.effective_ns).versions == (first, second)
    assert log.until(0).versions == (first,)


def test_a_log_holds_so_many_versions_and_no_more():
    versions = [{"effective_ns": str(n * SECOND), "control": {}} for n in range(MAX_VERSIONS + 1)]
    log = validate(CONTROL_LOG, {"versions": versions[:-1]}, "control log")
    assert len(log.versions) == MAX_VERSIONS
    full = [version.model_dump(mode="json") for version in log.versions]
    assert len(json.dumps({"versions": full})) < 1_000_000
    found = refused(validate, CONTROL_LOG, {"versions": versions}, "control log")
    assert found == [("CONTROL_LOG_VALUE_OUT_OF_RANGE", "/versions")]


def test_a_version_that_is_no_whole_second_is_told_which_is():
    written = document(LOGS["control_log_three_versions"])
    written["versions"][1]["effective_ns"] = str(5 * SECOND + 1)
    with pytest.raises(ContractError) as caught:
        validate(CONTROL_LOG, written, "control log")
    assert caught.value.loc == "/versions/1/effective_ns"
    assert caught.value.hints == ("write 5000000000",)
