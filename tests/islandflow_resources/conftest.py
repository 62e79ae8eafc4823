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
    """A pool of separate, freshly started processes."""
    context = multiprocessing.get_context("spawn")
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


@pytest.fixture
def database(database_url, migrated_file):
    """An empty, migrated database of each kind."""
    if database_url.startswith("sqlite"):
        shutil.copy(migrated_file, database_url.removeprefix("sqlite:///"))
    made = Database(database_url)
    made.migrate()
    yield made
    made.dispose()
