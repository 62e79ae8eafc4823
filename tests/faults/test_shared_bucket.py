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
from islandflow_resources.database import Database
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
OTHERS = [PROMOTION] * (INSTANTS // 3) + [PUBLICATION] if INSTANTS > 3 else [PROMOTION]

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


@pytest.mark.parametrize("other", OTHERS)
def test_two_deployments_share_objects_lack_no_row_and_neither_may_sweep(
    other: Operation,
    both: tuple[Servers, Servers],
    whole_operations: Whole,
    table: Table,
    tmp_path: Path,
):
    _, whole_s = whole_operations.of(PROMOTION)
    took_s = _at_once(both, (PROMOTION, other), tmp_path)
    first, second = both
    for one, does in zip(both, (PROMOTION, other), strict=True):
        left = campaign_state_of(one.environment)
        theirs, _ = whole_operations.of(does)
        assert (left.state.rows, left.rows) == (theirs.state.rows, theirs.rows)
        assert theirs.state.objects.items() <= left.state.objects.items()
        assert_rows_stand(one.environment)
    check_served(first.environment, ALIAS)
    before = objects_of(first.environment)
    _assert_sweeps_are_refused(first, second, tmp_path)
    assert objects_of(first.environment) == before
    what = "the same" if other is PROMOTION else "different things"
    cells = ("2", what, len(before), f"{whole_s:.1f}", f"{took_s:.1f}")
    table.add(max(took_s - whole_s, 0.0), *cells)


def _assert_sweeps_are_refused(first: Servers, second: Servers, folder: Path) -> None:
    resources = opened(second.environment)
    stores = Stores(resources.store, resources.store)
    later = datetime.now(UTC) + WEEKS
    # Somebody who has no row would take all trials for garbage.
    stranger = Database(f"sqlite:///{folder}/stranger.db")
    theirs = {row.object_key for row in artefacts_of(first.environment)}
    found = look(stores, stranger, now=later)
    assert theirs.intersection(one.key for one in found.garbage), "nothing would have been lost"
    assert len(found.others) == 2
    stranger.dispose()
    with pytest.raises(ConfigurationError) as caught:
        sweep(stores, resources.database, now=later)
    assert caught.value.code == "GC_STORE_SHARED"
    assert first.database in caught.value.message
    assert first.postgres.password not in str(caught.value)
    assert any(first.database in line for line in survey(resources, WEEKS))
    resources.database.dispose()


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
