"""The real servers of the tests, on loopback: an S3 store, a PostgreSQL and an MLflow.

Fixtures over `run_s3_server`, `run_postgres` and `run_mlflow_server`, which scripts may use
without pytest: fresh buckets, databases, stores and environments. A server ends with the
interpreter that started it, however that ends. How they are started is said in tests/seaweed.py,
tests/postgres.py and tests/mlflow_server.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from islandflow_resources.folder_store import FolderStore
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.s3_store import S3Store
from islandflow_resources.settings import S3Settings
from tests.journeys.children import SIGNING
from tests.mlflow_server import TrackingServer, run_mlflow_server
from tests.postgres import PostgresServer, run_postgres
from tests.seaweed import S3Server, run_s3_server

__all__ = ["PostgresServer", "S3Server", "run_postgres", "run_s3_server"]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The session's S3 store; started by the first test that asks."""
    with run_s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL; started by the first test that asks."""
    with run_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def tracking_server() -> Iterator[TrackingServer]:
    """The session's MLflow; started by the first test that asks, all of one ``xdist_group``."""
    with run_mlflow_server() as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> S3Settings:
    """A fresh bucket."""
    return s3_server.settings(s3_server.create_bucket())


@pytest.fixture(params=["folder", "s3"])
def object_store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty object store of each kind."""
    if request.param == "folder":
        return FolderStore(tmp_path / "objects")
    return S3Store(request.getfixturevalue("s3_bucket"))


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh PostgreSQL database."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'islandflow.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def embedded_environment(tmp_path: Path) -> dict[str, str]:
    """Variables of a fresh embedded home, for child processes."""
    return {**_inherited(), "ISLANDFLOW_HOME": str(tmp_path / "home"), **SIGNING}


@pytest.fixture
def services_environment(
    tmp_path: Path, s3_bucket: S3Settings, postgres_url: str
) -> dict[str, str]:
    """Variables of a fresh home on a fresh bucket and database, for child processes."""
    return {
        **_inherited(),
        "ISLANDFLOW_HOME": str(tmp_path / "home"),
        **SIGNING,
        "ISLANDFLOW_S3_ENDPOINT": s3_bucket.endpoint,
        "ISLANDFLOW_S3_BUCKET": s3_bucket.bucket,
        "ISLANDFLOW_S3_ACCESS_KEY": s3_bucket.access_key,
        "ISLANDFLOW_S3_SECRET_KEY": s3_bucket.secret_key,
        "ISLANDFLOW_DATABASE_URL": postgres_url,
    }


@pytest.fixture(params=["embedded", "services"])
def profile_environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Variables of a fresh home of each profile, for child processes."""
    return request.getfixturevalue(f"{request.param}_environment")


def _inherited() -> dict[str, str]:
    """This process's variables without those that would choose a profile or an instance."""
    own = ("ISLANDFLOW_", "DAGSTER_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}
