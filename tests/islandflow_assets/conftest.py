"""Fixtures of these tests: the small graph of tests/graph.py, before and after its first run."""

import pytest

from tests.graph import finished_home, graph_of, registered_home


@pytest.fixture
def graph():
    """Two markets × two seeds and a strategy, registered and not run."""
    with graph_of(registered_home()) as graph:
        yield graph


@pytest.fixture
def finished():
    """The same after a run of the whole grid."""
    with graph_of(finished_home()) as graph:
        yield graph
