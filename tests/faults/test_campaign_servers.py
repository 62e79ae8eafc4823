"""Campaigns in the services profile while a server is away, and what they end with.

The object store and islandflow's database are real, each stopped and each killed and started again;
``FAULT_OUTAGE_S`` says for how long: 2 s in the suite, 20 s in ``make faults``. Dagster, whose own
database may be the one that is away, takes no part.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import campaigns, outages
from tests.faults.campaign_state import campaign_state_of, check_served
from tests.faults.campaign_worker import REPORTS, TRIALS, Worker
from tests.faults.conftest import WholeCampaign
from tests.faults.outages import Outage
from tests.faults.report import Table
from tests.journeys import children
from tests.servers import PostgresServer, S3Server

OUTAGE_S = float(os.environ.get("FAULT_OUTAGE_S", "2"))
HEAD = ("away", "how", "during", "for s", "retries", "then until the end s")

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("journeys")]


@pytest.fixture
def environment(
    s3_server: S3Server, postgres_server: PostgresServer, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Variables of a fresh bucket and database."""
    bucket = s3_server.settings(s3_server.create_bucket())
    name = postgres_server.create_database()
    variables = children.services(tmp_path / "home", bucket, postgres_server.url(name))
    yield variables | campaigns.MEMORY
    postgres_server.drop_database(name)


@pytest.mark.parametrize(
    ("noun", "outage", "place"),
    [
        ("object store", outages.stopped, TRIALS),
        ("object store", outages.restarted, REPORTS),
        ("database", outages.stopped, REPORTS),
        ("database", outages.restarted, TRIALS),
    ],
)
def test_a_campaign_waits_for_a_server_that_is_away_and_ends_as_if_it_had_not_been(
    noun: str,
    outage: Outage,
    place: str,
    environment: dict[str, str],
    whole_campaign: WholeCampaign,
    s3_server: S3Server,
    postgres_server: PostgresServer,
    worker: Worker,
    table: Table,
):
    server = {"object store": s3_server, "database": postgres_server}[noun].server
    worker.start(environment, campaigns.document())
    worker.until(place)
    gone_s = time.monotonic()
    outage(server, OUTAGE_S)
    back_s = time.monotonic()
    ended = worker.until("ended")
    recovery_s = time.monotonic() - back_s

    whole = whole_campaign.state
    assert ended["ended"] == whole.recorded
    assert ended["at_s"] > back_s
    if outage is outages.restarted:
        assert ended["retries"] > 0
    state = campaign_state_of(environment)
    assert state.digests == whole.digests
    assert state.trials == whole.trials
    # a report for people is the graph's, which has no part here
    theirs = whole.state.objects.items()
    assert state.state.objects == {key: d for key, d in theirs if "/campaign_page/" not in key}
    check_served(environment, campaigns.ALIAS)
    how, away_s = outage.__name__, f"{back_s - gone_s:.1f}"
    table.add(recovery_s, noun, how, place, away_s, ended["retries"])
