"""Strategy assets in real runs: stored documents, the ordered list of meanings, its digest."""

import json

import dagster as dg
import pytest

from contracts.canonical import canonical_json
from contracts.digest import bare
from contracts.strategy import strategy_from
from islandflow_assets import keys
from islandflow_assets.partitions import Partition
from islandflow_jobs import registration
from islandflow_resources.strategies import StrategyList, registered_strategies, spec_key
from tests.graph import CROSSOVER, finished_home, graph_of, strategy


def materialise(graph):
    """Run both strategy assets alone; their materialisations by name."""
    from islandflow_jobs.definitions import defs

    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=graph.instance,
        asset_selection=[dg.AssetKey(keys.STRATEGY_SPEC), dg.AssetKey(keys.STRATEGY_IR)],
    )
    events = result.get_asset_materialization_events()
    return {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization
        for event in events
    }


def versions(made):
    return {name: one.tags["dagster/data_version"] for name, one in made.items()}


@pytest.fixture(scope="module")
def made():
    """The strategy assets of a home with two strategies, one of which occurs in two versions."""
    with graph_of(finished_home()) as graph:
        database = graph.resources.database
        slower = [{"if": "crossover(ma(close, 4), ma(close, 12))", "then": "buy"}]
        for spec in (
            strategy(id="early", name="First in the list"),
            strategy(rules=[*slower, CROSSOVER["rules"][1]]),
        ):
            registration.register_strategy(database, spec)
        yield graph, materialise(graph)


def test_every_document_is_stored_under_its_hash_as_canonical_text(made):
    graph, _ = made
    strategies = registered_strategies(graph.resources.database)
    assert len(strategies) == 3
    for spec in strategies:
        stored = graph.resources.store.get(spec_key(spec))
        assert stored == canonical_json(spec.document()) + b"\n"
        assert strategy_from(json.loads(stored)).strategy_hash == spec.strategy_hash


def test_the_list_is_ordered_by_id_and_hash_and_says_what_each_strategy_means(made):
    graph, events = made
    listed = StrategyList.of(registered_strategies(graph.resources.database))
    document = json.loads(graph.resources.store.get(listed.key))
    entries = document["strategies"]
    order = [(entry["strategy_id"], entry["strategy_hash"]) for entry in entries]
    assert order == sorted(order)
    assert [name for name, _ in order] == ["crossover", "crossover", "early"]
    assert all(entry["columns"] and entry["ir"]["rules"] for entry in entries)
    assert entries[2]["ir_hash"] in {entries[0]["ir_hash"], entries[1]["ir_hash"]}
    version = versions(events)[keys.STRATEGY_IR]
    assert version == bare(listed.digest)
    assert version in listed.key


def test_the_metadata_show_rules_columns_and_meaning(made):
    _, events = made
    metadata = events[keys.STRATEGY_IR].metadata
    assert metadata["count"].value == 3
    rows = [record.data for record in metadata["strategies"].records]
    assert [row["strategy"] for row in rows] == ["crossover", "crossover", "early"]
    assert "buy if crossover(ma(close, 3), ma(close, 9))" in rows[2]["rules"]
    assert "ma(close, 9)" in rows[2]["columns"]
    assert events[keys.STRATEGY_SPEC].metadata["strategies"].value == 3


def test_the_same_strategies_have_the_same_versions_whatever_their_order_of_registration(graph):
    first = versions(materialise(graph))
    assert versions(materialise(graph)) == first
    registration.register_strategy(graph.resources.database, strategy(id="another"))
    second = versions(materialise(graph))
    assert all(second[name] != first[name] for name in first)
    registration.register_strategy(graph.resources.database, strategy(id="another"))
    assert versions(materialise(graph)) == second


def test_without_a_strategy_a_run_fails_with_what_to_do(graph):
    from sqlalchemy import create_engine, text

    with create_engine(graph.resources.database.url).begin() as connection:
        connection.execute(text("DELETE FROM strategies"))
    run = graph.run_one(Partition(graph.scenario_keys[0], 1))
    assert not run.success
    assert "STRATEGY_NONE_REGISTERED" in run.said
    assert "islandflow strategy register" in run.said
