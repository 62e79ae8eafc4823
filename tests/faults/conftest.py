"""A home with a run long enough to be hit, and what an undisturbed run leaves in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults import campaigns
from tests.faults.campaign_state import CampaignState
from tests.faults.campaign_worker import Worker, run_worker
from tests.faults.campaigns import INSTANTS, CampaignHome, Pace
from tests.faults.report import Report, Table
from tests.faults.wired import Servers, Whole, fresh_servers
from tests.journeys import children, homes
from tests.journeys.conftest import forker
from tests.journeys.forker import Child, Forker
from tests.journeys.homes import Home
from tests.journeys.state import State, state_of
from tests.servers import PostgresServer, S3Server

__all__ = ["forker"]

# Enough that a run is hit wherever the dice fall; the long form has more instants to place.
SEEDS = 10 if INSTANTS > 3 else 6
BARS = 20_000
BEGUN = "RUN_START"
ENDED = "RUN_SUCCESS"


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a run leaves that nobody kills, and the seconds between its first and last event."""

    state: State
    run_s: float


@pytest.fixture(scope="session")
def long_home(forker: Forker, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A registered home of 2 scenarios × `SEEDS` × 20,000 bars; runs start in copies of it."""
    documents = tmp_path_factory.mktemp("documents")
    files = [
        children.document(documents, name, seed=1, duration_bars=BARS)
        for name in ("vol_cluster_low", "regime_switch")
    ]
    folder = tmp_path_factory.mktemp("long") / "home"
    environment = children.embedded(homes.fresh(folder))
    return homes.registered(forker, environment, folder, files, SEEDS)


@pytest.fixture(scope="session")
def undisturbed(
    long_home: Home, forker: Forker, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """One whole run, whose every dataset verifies against its recomputation."""
    home = long_home.copied(tmp_path_factory.mktemp("undisturbed") / "home", forker)
    child = forker.start(home.research, home.environment)
    begun_s = wait_for(child, BEGUN)
    run_s = wait_for(child, ENDED) - begun_s
    forker.wait(child).expect()
    forker.run(children.islandflow("verify", "--all"), home.environment).expect()
    return Undisturbed(state_of(home.environment), run_s)


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest, undisturbed: Undisturbed) -> Iterator[Report]:
    """Collects a line per kill and prints them as one table at the end."""
    lines = Report(undisturbed.run_s, len(undisturbed.state.objects))
    yield lines
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        lines.print()


@dataclass(frozen=True, slots=True)
class WholeCampaign:
    """What a campaign leaves that nobody disturbs, and how it went on."""

    state: CampaignState
    pace: Pace


@pytest.fixture(scope="session")
def finished_campaign(forker: Forker, tmp_path_factory: pytest.TempPathFactory) -> CampaignHome:
    """A home with a small campaign whose winner the gate lets pass, and nobody has promoted."""
    folder = tmp_path_factory.mktemp("finished") / "home"
    small = campaigns.document(bars=1_000, seeds=1, listed=2)
    campaign = campaigns.registered(forker, folder, small)
    forker.run(campaign.run_unpromoted, campaign.environment).expect()
    return campaign


@pytest.fixture(scope="session")
def campaign_home(forker: Forker, tmp_path_factory: pytest.TempPathFactory) -> CampaignHome:
    """A home with a campaign long enough to be hit; it is run in copies."""
    folder = tmp_path_factory.mktemp("campaign") / "home"
    return campaigns.registered(forker, folder, campaigns.document())


@pytest.fixture(scope="session")
def whole_campaign(
    campaign_home: CampaignHome,
    finished_campaign: CampaignHome,
    forker: Forker,
    tmp_path_factory: pytest.TempPathFactory,
) -> WholeCampaign:
    """One whole run, after a smaller one has compiled every kernel."""
    assert finished_campaign.key != campaign_home.key
    home = campaign_home.copied(tmp_path_factory.mktemp("whole") / "home", forker)
    pace = campaigns.paced(home, forker)
    return WholeCampaign(home.state, pace)


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """The process that runs campaigns without Dagster, or dies in the middle of a promotion."""
    with run_worker(tmp_path_factory.mktemp("worker")) as running:
        yield running


@pytest.fixture
def servers(
    s3_server: S3Server, postgres_server: PostgresServer, tmp_path: Path
) -> Iterator[Servers]:
    """A fresh bucket and database on the real servers."""
    with fresh_servers(s3_server, postgres_server, tmp_path / "home") as made:
        yield made


@pytest.fixture(scope="session")
def whole_operations(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """What undisturbed operations leave."""
    return Whole(tmp_path_factory.mktemp("operations"))


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collects a line for each disturbance of a module, and prints them at its end."""
    lines = Table(request.module.HEAD)
    yield lines
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        lines.print()


def wait_for(child: Child, event: str) -> float:
    """Clock when an event of the run was first seen in its log."""
    deadline_s = time.monotonic() + children.TIMEOUT_S
    while event not in (output := child.output):
        waits = time.monotonic() < deadline_s and "RUN_FAILURE" not in output
        assert waits, f"no {event} in:\n{output[-4000:]}"
        time.sleep(0.01)
    return time.monotonic()
