"""The sensor of campaigns of datasets, tick by tick: what it asks for, and what it leaves alone."""

import dagster as dg
import pytest

from islandflow_jobs import registration
from islandflow_jobs.campaign_sensors import MAX_ATTEMPTS, MAX_RUNS
from islandflow_jobs.dataset_sensors import start_dataset_campaigns
from islandflow_jobs.definitions import defs
from islandflow_resources.failures import PERMANENT_TAG
from tests.campaign_graph import empty_home, requests_of, run_request, skip_reason
from tests.graph import graph_of
from tests.islandflow_resources.pipelines import campaign

JOB = "dataset_campaigns"


@pytest.fixture
def bare():
    """A home where nothing is registered."""
    with graph_of(empty_home()) as graph:
        yield graph


def register(graph, **changes):
    resources = graph.resources
    spec = campaign(axes={"tau_rest_decay": [15]}, bundles=[], **changes)
    return registration.register_dataset_spec(
        resources.store, resources.database, graph.instance, spec
    ).key


def start(graph):
    return start_dataset_campaigns(dg.build_sensor_context(instance=graph.instance))


def add_run(graph, key, status=dg.DagsterRunStatus.STARTED, **tags):
    return graph.instance.create_run_for_job(
        defs.resolve_job_def(JOB), status=status, tags={"dagster/partition": key, **tags}
    )


def test_a_registered_campaign_is_run_and_then_left_alone(bare):
    assert "stands" in skip_reason(start(bare))
    key = register(bare)
    [(run_key, request)] = requests_of(start(bare)).items()
    assert (run_key, request.partition_key) == (f"datasets:{key}:0", key)
    assert requests_of(start(bare)).keys() == {run_key}  # a daemon that lost its tick asks alike
    assert run_request(bare, request, JOB).success
    assert requests_of(start(bare)) == {}


def test_a_campaign_that_is_being_made_is_not_started_again(bare):
    key = register(bare)
    run = add_run(bare, key, dg.DagsterRunStatus.STARTING)
    assert requests_of(start(bare)) == {}
    bare.instance.report_run_canceled(run)
    assert list(requests_of(start(bare))) == [f"datasets:{key}:1"]


def test_a_campaign_that_keeps_failing_is_asked_for_no_more(bare):
    key = register(bare)
    for attempt in range(MAX_ATTEMPTS):
        assert list(requests_of(start(bare))) == [f"datasets:{key}:{attempt}"]
        bare.instance.report_run_failed(add_run(bare, key))
    assert requests_of(start(bare)) == {}


def test_a_campaign_that_failed_for_good_is_left_to_a_person(bare):
    key = register(bare)
    bare.instance.report_run_failed(add_run(bare, key, **{PERMANENT_TAG: "true"}))
    assert requests_of(start(bare)) == {}


def test_one_tick_asks_for_ten_campaigns_at_most(bare):
    found = [register(bare, id=f"campaign{number}") for number in range(MAX_RUNS + 1)]
    asked = [one.partition_key for one in requests_of(start(bare)).values()]
    assert asked == found[:MAX_RUNS]
