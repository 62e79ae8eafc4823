"""Two deployments, each with a registry of its own, on one bucket, at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from islandflow_jobs.maintenance_run import survey
from islandflow_resources.garbage import Stores, look, sweep
from tests.faults.campaign_state import campaign_state_of, check_served
from tests.faults.campaigns import ALIAS, INSTANTS
from tests.faults.operations import PROMOTION, PUBLICATION, Operation, opened
from tests.faults.report import Table
from tests.faults.wired import Servers, Whole, artefacts_of, assert_rows_stand
from tests.journeys.state import objects_of
from tests.servers import PostgresServer, S3Server

HEAD = ("deployments", "doing", "objects", "undisturbed s", "took s", "more s")
WEEKS = timedelta(weeks=4)

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("journeys")]


@pytest.fixture
def both(
    s3_server: S3Server, postgres_server: PostgresServer, servers: Servers
) -> Iterator[tuple[Servers, Servers]]:
    """Two registries, one bucket."""
    name = postgres_server.create_database()
    url = postgres_server.url(name)
    other = replace(
        servers,
        database=name,
        environment={**servers.environment, "ISLANDFLOW_DATABASE_URL": url},
    )
    yield servers, other
    postgres_server.drop_database(name)


@pytest.mark.parametrize("round_number", range(max(INSTANTS // 3, 1)))
def test_two_deployments_that_run_the_same_campaign_share_its_objects_and_lack_no_row(
    round_number: int,
    both: tuple[Servers, Servers],
    whole_operations: Whole,
    table: Table,
    tmp_path: Path,
):
    whole, whole_s = whole_operations.of(PROMOTION)
    took_s = _at_once(both, (PROMOTION, PROMOTION), tmp_path / f"{round_number}")
    for one in both:
        assert campaign_state_of(one.environment) == whole
        check_served(one.environment, ALIAS)
        assert_rows_stand(one.environment)
    cells = ("2", "the same", len(whole.state.objects), f"{whole_s:.1f}", f"{took_s:.1f}")
    table.add(max(took_s - whole_s, 0.0), *cells)


def test_a_sweep_of_a_shared_bucket_is_refused_and_would_have_hurt(
    both: tuple[Servers, Servers], whole_operations: Whole, table: Table, tmp_path: Path
):
    whole, whole_s = whole_operations.of(PROMOTION)
    took_s = _at_once(both, (PROMOTION, PUBLICATION), tmp_path)
    first, second = both
    assert campaign_state_of(first.environment).digests == whole.digests
    before = objects_of(first.environment)
    resources = opened(second.environment)
    stores = Stores(resources.store, resources.store)
    later = datetime.now(UTC) + WEEKS
    found = look(stores, resources.database, now=later)
    theirs = {row.object_key for row in artefacts_of(first.environment)}
    assert theirs.intersection(one.key for one in found.garbage), "nothing would have been lost"
    assert len(found.others) == 1
    with pytest.raises(ConfigurationError) as caught:
        sweep(stores, resources.database, now=later)
    assert caught.value.code == "GC_STORE_SHARED"
    password = first.postgres.password
    assert first.database in caught.value.message
    assert password not in str(caught.value)
    assert any(first.database in line for line in survey(resources, WEEKS))
    assert objects_of(first.environment) == before
    # A registry that is gone for good takes its mark with it.
    client, bucket = first.s3.client(), resources.settings.s3
    assert bucket is not None
    client.delete_object(Bucket=bucket.bucket, Key=found.others[0])
    assert look(stores, resources.database, now=later).others == []
    resources.database.dispose()
    cells = ("2", "different things", len(before), f"{whole_s:.1f}", f"{took_s:.1f}")
    table.add(max(took_s - whole_s, 0.0), *cells)


def _at_once(
    both: tuple[Servers, Servers], operations: tuple[Operation, Operation], folder: Path
) -> float:
    """Run an operation in each deployment; seconds until both have ended."""
    opened_both = [opened(one.environment) for one in both]
    started_s = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        runs = [
            threads.submit(operation.run, resources, folder)
            for operation, resources in zip(operations, opened_both, strict=True)
        ]
    for run in runs:
        run.result()
    took_s = time.monotonic() - started_s
    for resources in opened_both:
        resources.database.dispose()
    return took_s
