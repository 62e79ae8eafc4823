"""Alerts through a real webhook: one for each failure and each stale campaign, with the reason."""

import json
import logging
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest
from sqlalchemy import update

from islandflow_assets import keys
from islandflow_jobs.alert_sensors import STALE_HOURS, alert_failures, alert_staleness
from islandflow_resources.models import Campaign
from tests.campaign_graph import (
    campaign_home,
    empty_home,
    only_campaign,
    refused_document,
    register,
    run_job,
)
from tests.graph import graph_of


@contextmanager
def webhook(status=204):
    """Address of a server on this machine, and the alerts that it has taken."""
    taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/secret-token", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def bare(monkeypatch):
    """An empty home, and what its webhook takes."""
    with webhook() as (address, taken), graph_of(empty_home()) as graph:
        monkeypatch.setenv("ISLANDFLOW_ALERT_WEBHOOK", address)
        yield graph, taken


def failure_of(graph, run):
    """The context in which the daemon tells of a failed run."""
    instance = graph.instance
    record = instance.get_run_by_id(run.result.run_id)
    [event] = [one for one in run.events if one.event_type == dg.DagsterEventType.RUN_FAILURE]
    return dg.build_run_status_sensor_context(
        sensor_name="alert_failures",
        dagster_instance=instance,
        dagster_run=record,
        dagster_event=event,
    ).for_run_failure()


def stale_tick(graph, cursor=None):
    context = dg.build_sensor_context(
        instance=graph.instance,
        cursor=cursor,
        resources={"database": graph.resources.database},
    )
    return alert_staleness(context), context.cursor


def grow_old(graph, key, hours):
    """Let a campaign have been registered some hours ago."""
    at = datetime.now(UTC) - timedelta(hours=hours)
    statement = update(Campaign).where(Campaign.campaign_key == key).values(registered_at=at)
    graph.resources.database.write("age", lambda connection: connection.execute(statement))


def test_a_failed_run_is_told_with_its_partition_and_its_reason(bare):
    graph, taken = bare
    key = register(graph, **refused_document())
    run = run_job(graph, key)
    assert not run.success
    alert_failures(failure_of(graph, run))
    [alert] = taken
    assert alert["kind"] == "run_failed"
    assert alert["subject"] == f"campaign {key} run {run.result.run_id}"
    assert alert["text"].startswith(f"{keys.CAMPAIGN_TRIALS}: {keys.NO_TRIAL_MISSING}: 2 datasets")
    assert "SCENARIO_UNREPRESENTABLE" in alert["text"]


def test_an_error_of_a_body_is_told_by_its_code(bare):
    graph, taken = bare
    graph.instance.add_dynamic_partitions("campaign", ["ghost-000000000000"])
    alert_failures(failure_of(graph, run_job(graph, "ghost-000000000000")))
    [alert] = taken
    assert alert["text"].startswith("CAMPAIGN_NOT_REGISTERED")


def test_a_webhook_that_does_not_take_an_alert_does_not_stop_the_sensor(monkeypatch, caplog):
    with webhook(status=500) as (address, taken), graph_of(empty_home()) as graph:
        monkeypatch.setenv("ISLANDFLOW_ALERT_WEBHOOK", address)
        graph.instance.add_dynamic_partitions("campaign", ["ghost-000000000000"])
        run = run_job(graph, "ghost-000000000000")
        with caplog.at_level(logging.WARNING):
            alert_failures(failure_of(graph, run))
        assert len(taken) == 1
    logged = [
        record.getMessage() for record in caplog.records if record.name == "islandflow.alerts"
    ]
    assert len(logged) == 1
    assert logged[0].startswith("run_failed: campaign ghost-000000000000")
    assert "secret-token" not in caplog.text


def test_a_campaign_without_a_dossier_for_a_day_is_told_of_once(bare):
    graph, taken = bare
    key = register(graph)
    skipped, cursor = stale_tick(graph)
    assert (skipped.skip_message, taken) == ("0 campaigns are stale", [])
    grow_old(graph, key, STALE_HOURS + 1)
    skipped, cursor = stale_tick(graph, cursor)
    assert skipped.skip_message == "1 campaigns are stale"
    [alert] = taken
    assert (alert["kind"], alert["subject"]) == ("stale", key)
    assert "without a dossier" in alert["text"]
    stale_tick(graph, cursor)
    assert len(taken) == 1


def test_a_finished_campaign_is_never_stale(monkeypatch):
    with webhook() as (address, taken), graph_of(campaign_home()) as graph:
        monkeypatch.setenv("ISLANDFLOW_ALERT_WEBHOOK", address)
        grow_old(graph, only_campaign(graph), 10 * STALE_HOURS)
        assert stale_tick(graph)[0].skip_message == "0 campaigns are stale"
        assert taken == []
