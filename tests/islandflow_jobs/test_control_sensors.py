"""The sensor that follows the control: exactly the affected sessions, and nothing written."""

import dagster as dg
import pytest

from contracts.control import SECOND_NS
from islandflow_assets import keys
from islandflow_resources.tape_requests import is_registered
from tests.islandflow_resources.small_markets import DEPLOYED, SECONDS, profile, start_ns
from tests.market_graph import markets_graph

START_NS = start_ns(profile())
INSIDE_NS = START_NS + 60 * SECOND_NS
AFTER_NS = START_NS + SECONDS * SECOND_NS
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.fixture
def markets():
    with markets_graph() as markets:
        yield markets


def tapes(result):
    """Ranges that a tick asks ``market_tapes`` for, by run key."""
    return {
        one.run_key: (one.tags[START], one.tags[END])
        for one in result.run_requests
        if one.job_name == "market_tapes"
    }


def asked(result):
    """Keys that a tick asks to add, by dimension."""
    return {
        one.partitions_def_name: list(one.partition_keys)
        for one in result.dynamic_partitions_requests
    }


def apply(markets, result):
    """Add what a tick asked for, as Dagster does before it starts the runs."""
    for name, found in asked(result).items():
        markets.graph.instance.add_dynamic_partitions(name, found)


def test_nothing_was_ever_set_so_nothing_is_asked_for(markets):
    markets.register(profile(control=DEPLOYED), seeds=[1])
    assert "revision 0" in markets.tick().skip_message


def test_a_change_after_the_end_of_every_session_makes_no_tape(markets):
    markets.register(profile(control=DEPLOYED), seeds=[1])
    revision = markets.save(AFTER_NS, preset_id="event_day")
    result = markets.tick()
    assert (tapes(result), asked(result)) == ({}, {})
    assert [(one.job_name, one.run_key) for one in result.run_requests] == [
        ("control", f"control:{revision}")
    ]
    assert result.cursor == str(revision)


def test_a_change_inside_a_session_makes_that_one_with_its_seeds_and_no_other(markets):
    inside = profile(control=DEPLOYED)
    held = profile()
    tomorrow = profile(control=DEPLOYED, session={"first_date": "2026-01-13"})
    [before] = markets.register(inside, seeds=[1, 2])
    markets.register(held, seeds=[3])
    markets.register(tomorrow, seeds=[4])
    known, seeds = markets.partitions(), markets.partitions("seed")
    markets.save(INSIDE_NS, preset_id="event_day")
    result = markets.tick()
    [key] = asked(result)["market"]
    assert key not in known
    assert key[:-12] == before[:-12]
    assert tapes(result) == {f"market:{key}|1...{key}|2": (f"{key}|1", f"{key}|2")}
    assert (markets.partitions(), markets.partitions("seed")) == (known, seeds)
    assert not is_registered(markets.graph.resources.database, key)


def test_seeds_that_do_not_follow_on_each_other_are_asked_for_apart(markets):
    markets.register(profile(), seeds=[1, 2, 3])
    markets.register(profile(control=DEPLOYED), seeds=[1, 3])
    markets.save(INSIDE_NS, preset_id="event_day")
    result = markets.tick()
    [key] = asked(result)["market"]
    assert sorted(tapes(result).values()) == [(f"{key}|1", f"{key}|1"), (f"{key}|3", f"{key}|3")]


def test_without_seeds_the_shared_seed_of_the_new_control_is_made(markets):
    markets.register(profile(control=DEPLOYED))
    assert markets.partitions("seed")[-1] == "11"
    markets.save(START_NS, shared_seed=77)
    result = markets.tick()
    [key] = asked(result)["market"]
    assert asked(result)["seed"][-1] == "77"
    assert list(tapes(result).values()) == [(f"{key}|77", f"{key}|77")]


def test_the_same_content_saved_again_touches_nothing(markets):
    markets.register(profile(control=DEPLOYED), seeds=[1])
    markets.save(INSIDE_NS, preset_id="event_day")
    cursor = markets.tick().cursor
    markets.save(INSIDE_NS + 60 * SECOND_NS, preset_id="event_day")
    assert isinstance(markets.tick(cursor), dg.SkipReason)


def test_a_tick_that_was_lost_is_decided_alike(markets):
    markets.register(profile(control=DEPLOYED), seeds=[1, 2])
    markets.save(INSIDE_NS, preset_id="event_day")
    first = markets.tick()
    before = markets.graph.objects(), markets.graph.rows()
    apply(markets, first)
    second = markets.tick()
    assert tapes(second) == tapes(first) != {}
    assert asked(second)["market"] == asked(first)["market"]
    assert (markets.graph.objects(), markets.graph.rows()) == before


def test_what_somebody_registered_after_the_change_is_left_to_them(markets):
    markets.register(profile(control=DEPLOYED), seeds=[1])
    markets.save(INSIDE_NS, preset_id="event_day")
    markets.register(profile(control=DEPLOYED), seeds=[1])
    assert tapes(markets.tick()) == {}


def test_two_requests_of_one_profile_are_one_tape_with_the_seeds_of_both(markets):
    markets.register(profile(control=DEPLOYED), seeds=[1, 2])
    markets.register(profile(control=DEPLOYED), seeds=[2, 3])
    markets.save(INSIDE_NS, preset_id="event_day")
    [(first, last)] = tapes(markets.tick()).values()
    assert (first.partition("|")[2], last.partition("|")[2]) == ("1", "3")


def test_the_run_that_is_asked_for_makes_the_tape_and_enters_its_spec(markets):
    [before] = markets.register(profile(control=DEPLOYED), seeds=[1])
    markets.save(INSIDE_NS, preset_id="event_day")
    result = markets.tick()
    apply(markets, result)
    [request] = [one for one in result.run_requests if one.job_name == "market_tapes"]
    run = markets.follow(request)
    assert run.success, run.said
    [key] = asked(result)["market"]
    assert list(run.materialised(keys.REPLAY_PLAN)) == [f"{key}|1"]
    assert is_registered(markets.graph.resources.database, key)
    session = run.materialised(keys.TAPE)[f"{key}|1"].metadata
    assert session["presets"].value == "balanced_demo, event_day"
    assert markets.partitions() == [before, key]
    [control] = [one for one in result.run_requests if one.job_name == "control"]
    assert markets.follow(control).success
