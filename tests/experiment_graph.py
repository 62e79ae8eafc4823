"""The tiny experiment in a graph: a home where it is registered and was run, and one where served.

The documents are those of tests/islandflow_resources/experimenting.py, the homes are made and
copied as in tests/graph.py.
"""

import atexit
import shutil
from contextlib import ExitStack
from functools import cache

from contracts.experiment import experiment_from
from islandflow_jobs import registration
from tests.campaign_graph import empty_home, only_campaign, run_job
from tests.graph import fast_folder, open_graph
from tests.islandflow_resources.experimenting import document


def register(graph, written=None):
    """Register an experiment, by default the tiny one; its key."""
    resources = graph.resources
    spec = experiment_from(document() if written is None else written)
    registered, _ = registration.register_campaign(
        resources.store, resources.database, graph.instance, spec
    )
    return registered.key


@cache
def experiment_home():
    """A home where the tiny experiment is registered and was run once; copy it."""
    home = _kept_folder() / "home"
    shutil.copytree(empty_home(), home, symlinks=True)
    with open_graph(home) as graph:
        run = run_job(graph, register(graph))
        assert run.success, run.said
    return home


@cache
def served_home():
    """As `experiment_home`, and the winner is served as ``live``; copy it."""
    home = _kept_folder() / "home"
    shutil.copytree(experiment_home(), home, symlinks=True)
    with open_graph(home) as graph:
        run = run_job(graph, only_campaign(graph), "promotion")
        assert run.success, run.said
    return home


def _kept_folder():
    """A folder that lives as long as the session."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(fast_folder())
