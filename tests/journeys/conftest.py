"""The warm process and a registered home, once for a worker's journeys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys import children, homes
from tests.journeys.forker import Forker, run_forker
from tests.journeys.homes import Home
from tests.journeys.state import State, state_of

SEEDS = 2
BARS = 4000


@pytest.fixture(scope="session")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """The process that has imported everything."""
    with run_forker(tmp_path_factory.mktemp("forker") / "work") as running:
        yield running


@pytest.fixture(scope="session")
def scenario_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two markets, one of them with hidden labels, whose own seed is among the first."""
    folder = tmp_path_factory.mktemp("scenarios")
    return [
        children.document(folder, name, seed=1, duration_bars=BARS)
        for name in ("trend_up_mid", "regime_switch")
    ]


@pytest.fixture(scope="session")
def registered_home(
    forker: Forker,
    scenario_files: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Home:
    """An embedded home in which nothing was run yet; tests work in copies of it."""
    folder = tmp_path_factory.mktemp("registered") / "embedded"
    environment = children.embedded(homes.fresh(folder))
    return homes.registered(forker, environment, folder, scenario_files, SEEDS)


@pytest.fixture(scope="session")
def batch_state(
    registered_home: Home, forker: Forker, tmp_path_factory: pytest.TempPathFactory
) -> State:
    """State after one run over every cell, on two threads, in a process as a user starts it."""
    home = registered_home.copied(tmp_path_factory.mktemp("batch") / "embedded", forker)
    environment = {**home.environment, "ISLANDFLOW_THREADS": "2"}
    assert "RUN_SUCCESS" in children.run(home.research, environment).expect()
    return state_of(environment)
