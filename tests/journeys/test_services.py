"""The main journey in the services profile: a real S3 store and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.journeys import children, homes
from tests.journeys.children import Done
from tests.journeys.forker import Forker
from tests.journeys.homes import Home
from tests.journeys.state import State, objects_of, state_of, store_of
from tests.servers import PostgresServer, S3Server

pytestmark = pytest.mark.xdist_group("journeys")

BUCKET = "islandflow-journey"
VERIFY_ALL = children.islandflow("verify", "--all")


@pytest.fixture(scope="module")
def services_home(
    s3_server: S3Server,
    postgres_server: PostgresServer,
    forker: Forker,
    scenario_files: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Home]:
    """A registered home on a bucket and databases that ``islandflow provision`` has made."""
    name = postgres_server.create_database()
    folder = tmp_path_factory.mktemp("services") / "home"
    bucket = s3_server.settings(BUCKET)
    home = homes.fresh(folder)
    environment = children.services(home, bucket, postgres_server.url(name))
    forker.run(children.islandflow("provision"), environment).expect()
    yield homes.registered(forker, environment, folder, scenario_files, seeds=2)
    postgres_server.drop_database(name)
    postgres_server.drop_database(f"{name}_dagster")


@pytest.fixture(scope="module")
def twins(services_home: Home, forker: Forker) -> list[Done]:
    """How two runs over every cell ended that were started at once on empty servers."""
    started = [forker.start(services_home.research, services_home.environment) for _ in range(2)]
    return [forker.wait(child) for child in started]


@pytest.mark.faults
def test_two_runs_at_once_on_servers_leave_what_one_embedded_run_leaves(
    services_home: Home, twins: list[Done], batch_state: State
):
    for twin in twins:
        assert "RUN_SUCCESS" in twin.expect()
    assert state_of(services_home.environment) == batch_state


def test_dagster_keeps_its_runs_in_a_database_of_its_own_and_its_logs_in_the_bucket(
    services_home: Home, twins: list[Done]
):
    variables = services_home.environment
    with psycopg.connect(
        host=variables["DAGSTER_PG_HOST"],
        port=variables["DAGSTER_PG_PORT"],
        user=variables["DAGSTER_PG_USER"],
        password=variables["DAGSTER_PG_PASSWORD"],
        dbname=variables["DAGSTER_PG_DB"],
    ) as login:
        found = login.execute("SELECT status FROM runs ORDER BY id LIMIT 2").fetchall()
    assert found == [("SUCCESS",)] * len(twins)
    assert variables["ISLANDFLOW_DATABASE_URL"].endswith(
        variables["DAGSTER_PG_DB"].removesuffix("_dagster")
    )
    logs = store_of(variables).keys("compute-logs/")
    assert {key.rsplit(".", 1)[1] for key in logs} >= {"err"}


def test_a_flipped_byte_is_found_by_check_and_verify_and_remade_by_repair_alone(
    services_home: Home, twins: list[Done], s3_server: S3Server, forker: Forker
):
    assert [twin.code for twin in twins] == [0, 0]
    environment = services_home.environment
    assert "4 of 4 verified" in forker.run(VERIFY_ALL, environment).expect()
    whole = objects_of(environment)
    key = min(key for key in whole if key.endswith("dataset.parquet"))
    _flip_a_byte(s3_server, key)
    damaged = objects_of(environment)

    found = forker.run(VERIFY_ALL, environment).expect(1)
    assert key in found
    assert "3 of 4 verified" in found
    failed = forker.run(services_home.research, environment).expect(1)
    assert "digest_matches" in failed
    assert key in failed
    assert objects_of(environment) == damaged

    uri = store_of(environment).uri(key)
    assert "quarantined" in forker.run(children.islandflow("repair", uri), environment).expect()
    forker.run(children.islandflow("verify", uri), environment).expect()
    forker.run(VERIFY_ALL, environment).expect()
    mended = objects_of(environment)
    assert {k: v for k, v in mended.items() if not k.startswith("quarantine/")} == whole
    assert damaged[key] in mended.values()


def _flip_a_byte(server: S3Server, key: str) -> None:
    """Overwrite an object behind the project's back."""
    client = server.client()
    data = bytearray(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    data[len(data) // 2] ^= 1
    client.put_object(Bucket=BUCKET, Key=key, Body=bytes(data))
