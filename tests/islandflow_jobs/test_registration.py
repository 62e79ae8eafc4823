"""Documents become rows and partitions, once, in the order they came."""

import pytest

from contracts.campaign import campaign_from
from contracts.errors import ContractError
from islandflow_jobs import registration
from islandflow_resources.campaign_index import CampaignIndex
from islandflow_resources.tape_requests import TapeRequest, is_registered, registered_requests
from tests.graph import CALM, MOODY, graph_of, market, registered_home, strategy
from tests.islandflow_resources.campaigning import document
from tests.islandflow_resources.small_markets import DEPLOYED, profile


def test_registering_adds_a_row_a_partition_and_the_documents_own_seed(graph):
    spec = market(CALM, id="new", seed=77)
    [done] = registration.register_scenarios(graph.resources.database, graph.instance, [spec])
    assert done == registration.Registered(spec.partition_key, new=True)
    row = graph.resources.database.scenario(spec.partition_key)
    assert (row.scenario_hash, row.scenario_id) == (spec.scenario_hash, "new")
    assert row.spec == spec.market
    assert graph.scenario_keys[-1] == spec.partition_key
    assert list(graph.instance.get_dynamic_partitions("seed")) == ["1", "2", "77"]


def test_registering_again_changes_nothing(graph):
    before = graph.cells, graph.resources.database.scenarios()
    specs = [market(MOODY), market(CALM), market(MOODY)]
    done = registration.register_scenarios(graph.resources.database, graph.instance, specs)
    assert [one.new for one in done] == [False, False, False]
    after = graph.cells, graph.resources.database.scenarios()
    assert after[0] == before[0]
    assert [row.scenario_key for row in after[1]] == [row.scenario_key for row in before[1]]


def test_partitions_keep_the_order_of_registration():
    with graph_of(registered_home()) as graph:
        specs = [market(CALM, id=name) for name in ("zz", "aa", "mm")]
        keys = graph.register(*specs, seeds=[9, 3, 9, 1])
        assert graph.scenario_keys[2:] == keys == [spec.partition_key for spec in specs]
        assert list(graph.instance.get_dynamic_partitions("seed")) == ["1", "2", "9", "3"]


def test_the_same_market_under_another_seed_is_the_same_partition(graph):
    [key] = graph.register(market(CALM, seed=12))
    assert key == market(CALM).partition_key
    assert len(graph.scenario_keys) == 2
    assert "12" in graph.instance.get_dynamic_partitions("seed")


def test_a_changed_market_is_another_partition_of_the_same_name(graph):
    [key] = graph.register(market(CALM, duration_bars=161))
    assert key != market(CALM).partition_key
    assert key.startswith("calm-")
    assert len(graph.scenario_keys) == 3


def test_a_strategy_is_registered_once(graph):
    database = graph.resources.database
    first = registration.register_strategy(database, strategy(id="other"))
    again = registration.register_strategy(database, strategy(id="other"))
    assert (first.new, again.new) == (True, False)
    assert [row.strategy_id for row in database.strategies()].count("other") == 1


def test_a_strategy_that_does_not_compile_is_refused_and_not_written(graph):
    rules = [{"if": "close > nosuch(3)", "then": "buy"}]
    before = len(graph.resources.database.strategies())
    with pytest.raises(ContractError) as caught:
        registration.register_strategy(graph.resources.database, strategy(rules=rules))
    assert caught.value.code.startswith("DSL_")
    assert len(graph.resources.database.strategies()) == before


def register_campaign(graph, **changes):
    resources, spec = graph.resources, campaign_from(document(**changes))
    return registration.register_campaign(resources.store, resources.database, graph.instance, spec)


def test_a_campaign_becomes_a_row_a_document_and_a_partition_once(graph):
    first, again = register_campaign(graph), register_campaign(graph)
    assert (first[1], again[1]) == (True, False)
    key = first[0].key
    assert list(graph.instance.get_dynamic_partitions("campaign")) == [key]
    assert graph.resources.store.exists(f"campaigns/{key}/campaign.json")
    [row] = CampaignIndex(graph.resources.database).campaigns()
    assert (row.campaign_key, row.campaign_hash) == (key, first[0].spec.campaign_hash)


def test_a_campaign_keeps_what_it_referred_to_when_it_was_registered(graph):
    strategies = [{"strategy": "crossover"}]
    changes = {"scenarios": ["calm", "moody"], "strategies": strategies, "robustness": {
        "overfitting": {"blocks": 2}, "walk_forward": None}}  # fmt: skip
    campaign, _ = register_campaign(graph, **changes)
    assert [one.partition_key for one in campaign.scenarios] == graph.scenario_keys
    assert campaign.entrants[0][0] == strategy()
    graph.register(market(CALM, id="later"))
    assert register_campaign(graph, **changes)[0].key == campaign.key


def test_a_campaign_with_problems_is_refused_with_all_of_them_and_not_written(graph):
    before = graph.objects()
    with pytest.raises(ContractError) as caught:
        register_campaign(graph, scenarios=["nosuch"], strategies=[{"strategy": "nosuch"}])
    places = [problem.loc for problem in caught.value.problems]
    assert places == ["/scenarios/0", "/strategies/0/strategy"]
    assert graph.objects() == before
    assert list(graph.instance.get_dynamic_partitions("campaign")) == []


def register_markets(graph, *profiles, seeds=()):
    requests = [TapeRequest(one, tuple(seeds)) for one in profiles]
    resources = graph.resources
    return registration.register_markets(
        resources.store, resources.database, graph.instance, requests
    )


def test_a_profile_becomes_a_request_a_spec_and_a_partition_with_its_seeds_once(graph):
    held, named = profile(), profile(control=DEPLOYED, session={"first_date": "2026-01-13"})
    first = register_markets(graph, held, named, seeds=[9, 3])
    assert [one.new for one in first] == [True, True]
    assert list(graph.instance.get_dynamic_partitions("market")) == [one.key for one in first]
    assert list(graph.instance.get_dynamic_partitions("seed")) == ["1", "2", "9", "3"]
    assert all(is_registered(graph.resources.database, one.key) for one in first)
    before = graph.objects(), graph.rows()
    again = register_markets(graph, held, named, seeds=[9, 3])
    assert [(one.key, one.new) for one in again] == [(one.key, False) for one in first]
    assert (graph.objects(), graph.rows()) == before


def test_more_seeds_of_a_profile_are_another_request_of_the_same_partition(graph):
    [first] = register_markets(graph, profile(), seeds=[1])
    [second] = register_markets(graph, profile(), seeds=[5])
    assert (second.key, second.new) == (first.key, True)
    assert list(graph.instance.get_dynamic_partitions("market")) == [first.key]
    wanted = [one.seeds for one in registered_requests(graph.resources.database)]
    assert sorted(wanted) == [(1,), (5,)]


def test_without_seeds_the_shared_seed_of_the_control_is_added(graph):
    register_markets(graph, profile())
    assert list(graph.instance.get_dynamic_partitions("seed"))[-1] == "11"


def test_one_profile_that_means_no_tape_refuses_all_of_them(graph):
    closed = profile(session={"first_date": "2026-01-17"})
    before = graph.objects(), graph.rows()
    with pytest.raises(ContractError) as caught:
        register_markets(graph, profile(), closed)
    assert caught.value.code == "SESSION_CLOSED"
    assert (graph.objects(), graph.rows()) == before
    assert list(graph.instance.get_dynamic_partitions("market")) == []
