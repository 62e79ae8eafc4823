"""The catalogue: seven scenarios with complete profiles, injections and matched decoys."""

import json

import pytest

from contracts.control import DEMO_SCENARIOS
from contracts.errors import ContractError
from contracts.flow import EXPECTED_CLASS, SUBTYPES
from contracts.tape import load_profile
from contracts.tape_catalogue import (
    SCENARIO_IDS,
    SCENARIOS,
    scenario,
    scenario_profile,
    scenario_seeds,
)
from contracts.tape_expectations import EXPECTATIONS

FAMILY_OF = {one.name: one.family for one in SUBTYPES}


def test_the_seven_are_those_that_the_demo_profiles_name():
    assert len(SCENARIO_IDS) == len(set(SCENARIO_IDS)) == 7
    assert DEMO_SCENARIOS["stress-tape"] == SCENARIO_IDS
    assert {name for names in DEMO_SCENARIOS.values() for name in names} <= set(SCENARIO_IDS)
    assert set(EXPECTATIONS) == set(SCENARIO_IDS)


@pytest.mark.parametrize("name", SCENARIO_IDS)
def test_a_profile_is_complete_and_reads_back(name):
    profile = scenario_profile(name)
    assert load_profile(json.dumps(profile.model_dump(mode="json"))) == profile
    assert profile.id == name
    assert 3 <= len(profile.universe) <= 6


@pytest.mark.parametrize("name", SCENARIO_IDS)
def test_one_injection_stands_beside_decoys_of_its_kind_minutes_away(name):
    one, profile = scenario(name), scenario_profile(name)
    mine, same, other = profile.injections
    assert (mine.id, mine.is_decoy, mine.symbol) == (name, False, one.symbols[0])
    assert (same.is_decoy, same.symbol) == (True, mine.symbol)
    assert other.is_decoy
    assert other.symbol != mine.symbol
    assert {mine.subtype, same.subtype, other.subtype} == {one.subtype}
    assert {mine.notional_usd, same.notional_usd, other.notional_usd} == {one.notional_usd}
    first, last = one.skip_s, one.skip_s + one.duration_s
    for decoy in (same, other):
        assert abs(decoy.at_s - mine.at_s) >= 300
        assert first + 60 <= decoy.at_s <= last - 60
    assert 1200 <= one.duration_s <= 2400


@pytest.mark.parametrize("name", SCENARIO_IDS)
def test_what_is_expected_is_what_the_injected_kind_is(name):
    family = FAMILY_OF[scenario(name).subtype]
    assert EXPECTATIONS[name].expected_class == EXPECTED_CLASS[family]
    low, high = next(one.notional_usd for one in SUBTYPES if one.name == scenario(name).subtype)
    assert low <= scenario(name).notional_usd <= high


def test_scenarios_begin_at_the_times_of_day_of_the_predecessor():
    minutes = [14.5 * 60 + one.skip_s / 60 for one in SCENARIOS]
    clocks = [f"{int(minute // 60)}:{int(minute % 60):02d}" for minute in minutes]
    assert clocks == ["14:30", "15:10", "18:45", "16:05", "19:05", "17:25", "20:10"]


def test_bursts_of_the_background_are_as_rare_as_on_any_tape():
    for name in SCENARIO_IDS:
        profile = scenario_profile(name)
        each = profile.flow.bursts_per_minute / len(profile.universe)
        assert each == pytest.approx(5.0 / 24, abs=0.01)


def test_a_scenario_changes_its_own_symbol_and_leaves_the_others():
    wide = scenario_profile("no-alert-wide-quote-chop").universe
    plain = scenario_profile("volatility-seller-supply").universe
    assert wide[0].spread_cents > 10 * plain[0].spread_cents
    assert wide[1:3] == plain[1:3]
    awaited = scenario_profile("event-noise-positioning").universe
    assert (awaited[0].symbol, awaited[0].event_in_days) == ("TSLA", 1)
    assert awaited[1].event_in_days == 0


@pytest.mark.parametrize("make", [scenario, scenario_profile, scenario_seeds])
def test_an_unknown_scenario_is_refused_with_the_known_ones(make):
    with pytest.raises(ContractError) as refused:
        make("no-such-flow")
    assert (refused.value.code, refused.value.loc) == ("TAPE_SCENARIO_UNKNOWN", "/scenario_id")
    assert all(name in refused.value.hints[0] for name in SCENARIO_IDS)


def test_seeds_stand_under_the_usual_names():
    for one in SCENARIOS:
        assert scenario_seeds(one.id).root_seed == one.seed
