"""One UI for all of these tests, and a browser on it that must stay on this machine."""

import pytest

from islandflow_jobs import registration
from tests.browser.ui import served, visiting
from tests.campaign_graph import promoted_home
from tests.graph import CALM, MOODY, SEEDS, graph_of, market, strategy


@pytest.fixture(scope="package")
def graph():
    """A campaign whose winner is served, and two markets × two seeds that were not run."""
    with graph_of(promoted_home()) as graph:
        graph.register(market(CALM), market(MOODY), seeds=SEEDS)
        registration.register_strategy(graph.resources.database, strategy())
        yield graph


@pytest.fixture(scope="package")
def address(graph, tmp_path_factory):
    """Where the UI of the graph answers."""
    with served(tmp_path_factory.mktemp("ui")) as address:
        yield address


@pytest.fixture
def visit(address):
    """A browser on the UI, which must contact this machine alone and log no error."""
    with visiting(address) as visit:
        yield visit
        assert visit.hosts == {"127.0.0.1"}
        assert visit.errors == []
