"""A campaign in real runs: one event for each asset whatever its trials, found again, or refused.

What the trials must be is said in tests/islandflow_resources/test_campaign_trials.py.
"""

import dagster as dg
import pytest

from islandflow_assets import keys
from islandflow_resources.campaigns import registered
from tests.campaign_graph import (
    ASSETS,
    campaign_home,
    empty_home,
    only_campaign,
    refused_document,
    register,
    run_job,
)
from tests.graph import CALM, graph_of
from tests.islandflow_resources.campaigning import damage, entrant

MAX_EVENTS = 100
REPORTS = [name for name in ASSETS if name != keys.TRIAL_SHARES]
"""Assets whose data version is a content digest; what a graph of steps gives is the run's."""


@pytest.fixture(scope="module")
def again():
    """A second run of the campaign, and what was there before it."""
    with graph_of(campaign_home()) as graph:
        before = graph.objects(), graph.rows()
        yield graph, run_job(graph, only_campaign(graph)), before


@pytest.fixture(scope="module")
def refused():
    """A run of a campaign of which one of three markets cannot be made."""
    with graph_of(empty_home()) as graph:
        key = register(graph, **refused_document())
        yield graph, key, run_job(graph, key)


def newest(graph, asset, key):
    """The newest materialisation of a campaign's asset."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[key])
    [record] = graph.instance.fetch_materializations(wanted, limit=1).records
    return record.asset_materialization


def events(graph, run_id):
    """Every event of a run, log lines too, as the instance keeps them."""
    return graph.instance.all_logs(run_id)


def test_every_asset_of_a_campaign_has_one_event_with_a_data_version(again):
    graph, run, _ = again
    key = only_campaign(graph)
    for asset in ASSETS:
        assert list(run.materialised(asset)) == [key]
    tags = {name: run.materialised(name)[key].tags for name in REPORTS}
    versions = {name: one["dagster/data_version"] for name, one in tags.items()}
    assert all(len(version) == 64 for version in versions.values())
    assert len(set(versions.values())) == len(versions)


def test_the_trials_say_how_many_they_are_and_show_the_first(again):
    graph, _, _ = again
    key = only_campaign(graph)
    metadata = newest(graph, keys.CAMPAIGN_TRIALS, key).metadata
    campaign = registered(graph.resources.database, key)
    assert metadata["trials"].value == metadata["dagster/row_count"].value == campaign.trials == 24
    assert (metadata["candidates"].value, metadata["datasets"].value) == (6, 4)
    assert len(metadata["first_candidates"].records) == 6
    keys_ = [graph.resources.store.parse_uri(metadata[name].value) for name in
             ("uri", "candidates_uri")]  # fmt: skip
    assert all(graph.resources.store.exists(one) for one in keys_)


def test_a_second_run_computes_nothing_says_so_and_gives_equal_data_versions(again):
    graph, run, before = again
    key = only_campaign(graph)
    assert run.success, run.said
    metadata = run.materialised(keys.CAMPAIGN_TRIALS)[key].metadata
    assert (metadata["computed"].value, metadata["used_cache"].value) == (0, True)
    assert metadata["trials_per_second"].value == 0
    for asset in ASSETS[2:]:
        assert run.metadata(asset, "used_cache") == {key: True}
    assert (graph.objects(), graph.rows()) == before
    said = [entry.user_message for entry in events(graph, run.result.run_id)]
    assert any("0 of 24 trials computed" in line for line in said)
    for asset in REPORTS:
        wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[key])
        first, second = graph.instance.fetch_materializations(wanted, limit=2).records
        tags = [one.asset_materialization.tags for one in (first, second)]
        assert tags[0]["dagster/code_version"] == tags[1]["dagster/code_version"]
        assert tags[0]["dagster/data_version"] == tags[1]["dagster/data_version"]


def test_the_check_of_a_whole_campaign_passes_and_blocks_nothing(again):
    _, run, _ = again
    check = run.check(keys.NO_TRIAL_MISSING)
    assert (check.passed, check.description) == (True, "every dataset has all its trials")
    assert {one.check_name for one in run.result.get_asset_check_evaluations()} == {
        *(keys.NO_TRIAL_MISSING, keys.EVERYTHING_RANKED, keys.PATHS_CONVERGED),
        *(keys.OVERFITTING_KNOWN, keys.GATE_PASSED),
    }


def test_a_campaign_writes_under_a_hundred_events_however_many_trials_it_has():
    """20 datasets × 50 sets: a relapse to events for trials or datasets would show here."""
    wide = {"n": {"default": 3, "min": 2, "max": 51, "step": 1}}
    rules = [
        {"if": "crossover(close, ma(close, n))", "then": "buy"},
        {"if": "crossunder(close, ma(close, n))", "then": "close"},
    ]
    with graph_of(empty_home()) as graph:
        key = register(
            graph,
            id="wide",
            scenarios=[CALM],
            seeds="1-20",
            strategies=[entrant(params=wide, rules=rules)],
            robustness={
                "best": 1,
                "monte_carlo": None,
                "walk_forward": None,
                "overfitting": {"blocks": 4, "probes": 1},
            },
            promotion=None,
        )
        run = run_job(graph, key)
        assert run.success, run.said
        assert run.metadata(keys.CAMPAIGN_TRIALS, "computed") == {key: 1_000}
        wide_events = len(events(graph, run.result.run_id))
    with graph_of(campaign_home()) as graph:
        [small] = graph.instance.get_runs(limit=1)
        assert abs(wide_events - len(events(graph, small.run_id))) <= 5
    assert wide_events < MAX_EVENTS


def test_a_refused_dataset_fails_the_run_at_its_check_and_is_named(refused):
    graph, key, run = refused
    assert not run.success
    check = run.check(keys.NO_TRIAL_MISSING)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.metadata["datasets_refused"].value == 2
    sunken = registered(graph.resources.database, key).scenarios[2].partition_key
    for seed in (1, 2):
        assert f"{sunken}|{seed}: SCENARIO_UNREPRESENTABLE" in check.description
    said = [entry.user_message for entry in events(graph, run.result.run_id)]
    assert any(f"{keys.NO_TRIAL_MISSING}: 2 datasets have no trials" in line for line in said)


def test_behind_a_refused_dataset_nothing_is_concluded(refused):
    _, key, run = refused
    assert list(run.materialised(keys.CAMPAIGN_TRIALS)) == [key]
    for asset in ASSETS[2:]:
        assert run.materialised(asset) == {}


def test_a_run_with_a_refused_dataset_is_marked_as_failed_for_good(refused):
    graph, _, run = refused
    tags = graph.instance.get_run_by_id(run.result.run_id).tags
    assert tags["islandflow/permanent_failure"] == "SCENARIO_UNREPRESENTABLE"


def test_a_damaged_chunk_is_made_again_and_the_data_versions_stay():
    with graph_of(campaign_home()) as graph:
        key = only_campaign(graph)
        store = graph.resources.store
        before = {name: newest(graph, name, key).tags["dagster/data_version"] for name in REPORTS}
        chunk = next(one for one in store.keys("trials/") if one.endswith(".parquet"))
        damage(store, chunk)
        healed = run_job(graph, key)
        assert healed.success, healed.said
        after = {name: newest(graph, name, key).tags["dagster/data_version"] for name in REPORTS}
        assert before == after
        assert store.exists(chunk)


def test_a_campaign_that_is_not_registered_fails_with_what_to_do():
    with graph_of(empty_home()) as graph:
        graph.instance.add_dynamic_partitions("campaign", ["ghost-000000000000"])
        run = run_job(graph, "ghost-000000000000")
        assert not run.success
        assert "CAMPAIGN_NOT_REGISTERED" in run.said
        assert "islandflow campaign run FILE" in run.said


def test_a_share_of_several_makes_every_nth_chunk_and_the_trials_find_them(monkeypatch):
    """Both shares made here, one after the other, as the steps of two processes would."""
    monkeypatch.setenv("ISLANDFLOW_EXECUTOR", "multiprocess")
    with graph_of(empty_home()) as graph:
        key = register(graph)
        monkeypatch.setenv("ISLANDFLOW_EXECUTOR", "multiprocess")
        monkeypatch.setenv("ISLANDFLOW_THREADS", "2")
        run = run_job(graph, key)
        assert run.success, run.said
        assert run.metadata(keys.TRIAL_SHARES, "shares") == {key: 2}
        assert run.metadata(keys.CAMPAIGN_TRIALS, "computed") == {key: 24}
        said = [entry.user_message for entry in events(graph, run.result.run_id)]
        assert sum("2 of 2 chunks made" in line for line in said) == 2
        version = run.materialised(keys.PROMOTION_DOSSIER)[key].tags["dagster/data_version"]
    with graph_of(campaign_home()) as graph:
        alone = newest(graph, keys.PROMOTION_DOSSIER, key).tags["dagster/data_version"]
    assert version == alone


def test_a_campaign_of_trials_that_another_has_made_has_reports_of_its_own():
    with graph_of(campaign_home()) as graph:
        key = register(graph, id="twin")
        run = run_job(graph, key)
        assert run.success, run.said
        assert run.metadata(keys.CAMPAIGN_TRIALS, "computed") == {key: 0}
        for asset in (keys.CAMPAIGN_LEADERBOARD, keys.OVERFIT_REPORT, keys.PROMOTION_DOSSIER):
            uri = run.metadata(asset, "uri")[key]
            assert graph.resources.store.exists(graph.resources.store.parse_uri(uri))
