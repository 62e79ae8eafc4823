"""What the UI says of every asset: whose it is, what kind, what columns, how old it may be."""

import re
from datetime import timedelta

import dagster as dg
import pytest

from islandflow_assets.presentation import FRESHNESS, OWNERS, TABLES
from islandflow_jobs import alert_sensors
from islandflow_jobs.definitions import defs

GRAPH = defs.resolve_asset_graph()
NODES = {key.to_user_string(): GRAPH.get(key) for key in GRAPH.get_all_asset_keys()}


@pytest.mark.parametrize("name", sorted(NODES))
def test_every_asset_has_a_group_an_owner_kinds_and_a_sentence(name):
    node = NODES[name]
    assert node.owners == [OWNERS[node.group_name]]
    assert node.kinds
    assert re.match(r"[A-Z].{20,}?\.(\s|$)", node.description, re.DOTALL), node.description


@pytest.mark.parametrize(
    "name", sorted(name for name, node in NODES.items() if "parquet" in node.kinds)
)
def test_every_asset_of_tables_tells_its_columns_with_what_they_mean(name):
    columns = NODES[name].metadata["dagster/column_schema"].columns
    assert len(columns) > 1
    assert all(column.description and column.type for column in columns)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_an_asset_of_several_tables_tells_the_columns_of_each(name):
    told = {key for key in NODES[name].metadata if key.startswith("columns of ")}
    assert told == {f"columns of {table}" for table, _ in TABLES[name]}


def test_groups_without_assets_have_no_owner():
    assert OWNERS.keys() == {node.group_name for node in NODES.values()}
    assert TABLES.keys() <= NODES.keys()


def test_tables_over_everything_are_warned_of_when_campaigns_are():
    found = {name for name, node in NODES.items() if node.freshness_policy}
    assert found == FRESHNESS.keys()
    for name in found:
        policy = NODES[name].freshness_policy
        assert isinstance(policy, dg.FreshnessPolicy)
        assert policy.warn_window.to_timedelta() == timedelta(hours=alert_sensors.STALE_HOURS)
        assert policy.fail_window.to_timedelta() > policy.warn_window.to_timedelta()
        # Only what nobody partitions is as fresh as its newest event.
        assert NODES[name].partitions_def is None
