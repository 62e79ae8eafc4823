"""Fixtures of the resources' tests; the servers' are in tests/servers.py."""

import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor

import pytest

from islandflow_resources.database import Database
from islandflow_resources.retries import Patience

WRITERS = 4


@pytest.fixture(scope="session")
def writers():
    """A pool of separate processes, forked from one that has opened nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.islandflow_resources.workers"])
    with ProcessPoolExecutor(WRITERS, mp_context=context) as pool:
        yield pool


@pytest.fixture
def short_patience():
    """Gives up within a second."""
    return Patience(total_s=0.6, first_s=0.02, longest_s=0.2)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """A SQLite database with all tables and no row."""
    path = tmp_path_factory.mktemp("migrated") / "islandflow.db"
    made = Database(f"sqlite:///{path}")
    made.migrate()
    made.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_name(postgres_server):
    """Name of a PostgreSQL database with all tables and no row; nobody is connected to it."""
    name = postgres_server.create_database()
    made = Database(postgres_server.url(name))
    made.migrate()
    made.dispose()
    return name


@pytest.fixture
def migrated_url(postgres_server, migrated_name):
    """A fresh PostgreSQL database with all tables and no row."""
    name = postgres_server.create_database(like=migrated_name)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    """An empty, migrated database of each kind."""
    if request.param == "postgres":
        url = request.getfixturevalue("migrated_url")
    else:
        path = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "islandflow.db")
        url = f"sqlite:///{path}"
    made = Database(url)
    made.migrate()
    yield made
    made.dispose()
