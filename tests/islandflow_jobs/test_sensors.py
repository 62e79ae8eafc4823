"""The inbox sensor, tick by tick, against a real store and instance."""

import json

import dagster as dg
import pytest

from islandflow_jobs.definitions import defs
from islandflow_jobs.jobs import CAMPAIGN_INBOX, SCENARIO_INBOX, STRATEGY_INBOX
from islandflow_jobs.sensors import inbox
from tests.graph import CALM, CROSSOVER, QUIET


@pytest.fixture
def tick(graph):
    def once():
        context = dg.build_sensor_context(
            instance=graph.instance, resources={"store": graph.resources.store}
        )
        return inbox(context)

    return once


def drop(graph, name, document, inbox=SCENARIO_INBOX):
    graph.resources.store.put_if_absent(f"{inbox}{name}.json", json.dumps(document).encode())


def test_an_empty_inbox_is_skipped(tick):
    skipped = tick()
    assert isinstance(skipped, dg.SkipReason)
    for place in (SCENARIO_INBOX, STRATEGY_INBOX, CAMPAIGN_INBOX):
        assert place in skipped.skip_message


def test_waiting_documents_start_one_registration(graph, tick):
    drop(graph, "a", CALM)
    drop(graph, "b", {"broken": True})
    request = tick()
    assert isinstance(request, dg.RunRequest)
    assert request.tags == {"islandflow/documents": "2"}
    assert request.run_key is None


def test_strategies_that_wait_start_a_registration_too(graph, tick):
    drop(graph, "a", CROSSOVER | {"id": "fresh"}, STRATEGY_INBOX)
    assert tick().tags == {"islandflow/documents": "1"}
    drop(graph, "a", CALM)
    assert tick().tags == {"islandflow/documents": "2"}
    drop(graph, "a", {}, CAMPAIGN_INBOX)
    assert tick().tags == {"islandflow/documents": "3"}


def test_a_tick_writes_nothing(graph, tick):
    drop(graph, "a", CALM | {"id": "fresh"})
    before = graph.objects(), graph.cells
    tick()
    assert (graph.objects(), graph.cells) == before


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_a_registration_runs_or_waits_no_other_is_started(graph, tick, status):
    drop(graph, "a", CALM | {"id": "fresh"})
    job = defs.resolve_job_def("register_inbox")
    run = graph.instance.create_run_for_job(job, status=status)
    assert "wait" in tick().skip_message
    graph.instance.report_run_canceled(run)
    assert isinstance(tick(), dg.RunRequest)


def test_after_the_requested_run_the_inbox_is_empty_and_the_next_tick_skips(graph, tick):
    drop(graph, "a", CALM | {"id": "fresh"})
    drop(graph, "broken", {"id": 7})
    assert isinstance(tick(), dg.RunRequest)
    job = defs.resolve_job_def("register_inbox")
    assert job.execute_in_process(instance=graph.instance, run_config=QUIET).success
    assert isinstance(tick(), dg.SkipReason)
    drop(graph, "later", CALM | {"id": "later"})
    assert isinstance(tick(), dg.RunRequest)
