"""An experiment in real runs of the job ``campaign``: checks, metadata, promotion, the sensor.

What its trials must be is said in tests/islandflow_resources/test_experiment_trials.py.
"""

import dagster as dg
import pytest

from islandflow_assets import keys
from islandflow_jobs.campaign_sensors import promote_winners, start_campaigns
from islandflow_jobs.definitions import defs
from islandflow_resources.failures import PERMANENT_TAG
from islandflow_resources.published import read_published
from islandflow_resources.registry import Registry
from tests.campaign_graph import (
    ASSETS,
    empty_home,
    only_campaign,
    requests_of,
    run_job,
    run_request,
)
from tests.experiment_graph import experiment_home, register, served_home
from tests.graph import graph_of
from tests.islandflow_resources.campaigning import SHUT_GATE
from tests.islandflow_resources.experimenting import CANDIDATES, RUNS, small

pytestmark = pytest.mark.xdist_group("books")


@pytest.fixture(scope="module")
def again():
    """A second run of the experiment, and what was there before it."""
    with graph_of(experiment_home()) as graph:
        before = graph.objects(), graph.rows()
        yield graph, run_job(graph, only_campaign(graph)), before


def newest(graph, asset):
    """The first materialisation of an asset of the one experiment."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[only_campaign(graph)])
    records = graph.instance.fetch_materializations(wanted, limit=5).records
    return records[-1].asset_materialization


def test_every_asset_of_an_experiment_has_one_event_in_its_partition(again):
    graph, run, _ = again
    key = only_campaign(graph)
    assert run.success, run.said
    for asset in ASSETS:
        assert list(run.materialised(asset)) == [key]


def test_the_trials_say_how_many_they_are_and_how_many_were_made(again):
    graph, run, _ = again
    metadata = newest(graph, keys.CAMPAIGN_TRIALS).metadata
    assert (metadata["trials"].value, metadata["computed"].value) == (RUNS, RUNS)
    assert (metadata["candidates"].value, metadata["datasets"].value) == (CANDIDATES, 2)
    assert len(metadata["first_candidates"].records) == 20
    told = run.materialised(keys.CAMPAIGN_TRIALS)[only_campaign(graph)].metadata
    assert (told["computed"].value, told["used_cache"].value) == (0, True)
    store = graph.resources.store
    for name in ("uri", "candidates_uri"):
        assert store.exists(store.parse_uri(told[name].value))


def test_a_second_run_changes_nothing_and_has_equal_data_versions(again):
    graph, run, before = again
    key = only_campaign(graph)
    assert (graph.objects(), graph.rows()) == before
    for asset in ASSETS[2:]:
        assert run.metadata(asset, "used_cache") == {key: True}
        version = run.materialised(asset)[key].tags["dagster/data_version"]
        assert newest(graph, asset).tags["dagster/data_version"] == version


def test_every_check_of_an_experiment_passes(again):
    _, run, _ = again
    checks = {one.check_name: one for one in run.result.get_asset_check_evaluations()}
    assert checks.keys() == {
        *(keys.NO_TRIAL_MISSING, keys.EVERYTHING_RANKED, keys.PATHS_CONVERGED),
        *(keys.OVERFITTING_KNOWN, keys.GATE_PASSED),
    }
    for name in (keys.NO_TRIAL_MISSING, keys.OVERFITTING_KNOWN, keys.GATE_PASSED):
        assert checks[name].passed, checks[name].description
    assert checks[keys.NO_TRIAL_MISSING].description == "every dataset has all its trials"


def test_the_winner_is_published_by_the_job_promotion():
    with graph_of(served_home()) as graph:
        key = only_campaign(graph)
        row = Registry(graph.resources.database).resolve("live")
        spec = read_published(graph.resources.store, graph.resources.keyring, row.serving_id)
        assert (spec.kind, spec.source.campaign_key) == ("signal", key)
        wanted = dg.AssetRecordsFilter(
            dg.AssetKey(keys.PUBLISHED_SERVING_SPEC), asset_partitions=[key]
        )
        [record] = graph.instance.fetch_materializations(wanted, limit=2).records
        event = record.asset_materialization
        assert event.metadata["serving_id"].value == row.serving_id
        before = graph.objects()
        run = run_job(graph, key, "promotion")
        assert run.success, run.said
        assert run.check(keys.NUMBERS_REPRODUCED).description == "the same on all 2 datasets"
        assert graph.objects() == before
        assert len(Registry(graph.resources.database).history("live")) == 1


def test_the_sensors_start_a_registered_experiment_and_promote_its_winner():
    with graph_of(empty_home()) as graph:

        def start():
            return requests_of(start_campaigns(dg.build_sensor_context(instance=graph.instance)))

        def winners():
            resources = {"database": graph.resources.database}
            return requests_of(
                promote_winners(
                    dg.build_sensor_context(instance=graph.instance, resources=resources)
                )
            )

        assert start() == {}
        key = register(graph, small(eval={"min_signals": 1}, objective="mean_pnl_ticks"))
        [(run_key, request)] = start().items()
        assert (run_key, request.partition_key) == (f"campaign:{key}", key)
        run = run_request(graph, request, "campaign")
        assert run.success, run.said
        assert start() == {}
        [request] = winners().values()
        assert run_request(graph, request, "promotion").success
        assert [row.alias for row in Registry(graph.resources.database).aliases()] == ["live"]
        assert winners() == {}


def test_what_the_gate_refuses_is_told_by_its_check_and_not_promoted():
    with graph_of(experiment_home()) as graph:
        key = register(graph, small(gate=SHUT_GATE))
        run = run_job(graph, key)
        assert run.success, run.said
        gate = run.check(keys.GATE_PASSED)
        assert not gate.passed
        run = run_job(graph, key, "promotion")
        assert not run.success
        assert "GATE_REFUSED" in run.said
        assert graph.resources.store.keys("serving/") == []


def test_an_experiment_that_cannot_be_made_fails_for_good_with_the_reason():
    with graph_of(experiment_home()) as graph:
        key = register(graph, small(eval={"calibration_share": 0.0}))
        run = run_job(graph, key)
        assert not run.success
        assert "CALIBRATION_EMPTY" in run.said
        tags = graph.instance.get_run_by_id(run.result.run_id).tags
        assert tags[PERMANENT_TAG] == "CALIBRATION_EMPTY"
        assert list(run.materialised(keys.CAMPAIGN_TRIALS)) == []


def test_the_assets_of_campaigns_are_those_of_experiments_too():
    graph = defs.resolve_asset_graph()
    assert {dg.AssetKey(name) for name in ASSETS} <= graph.get_all_asset_keys()
