"""A tiny campaign in the small graph: a home where it is registered, and one where it is promoted.

The documents are those of tests/islandflow_resources/campaigning.py, the homes are made and copied
as in tests/graph.py.
"""

import atexit
import shutil
from contextlib import ExitStack
from functools import cache

import dagster as dg

from contracts.campaign import campaign_from
from islandflow_jobs import registration
from tests.graph import QUIET, Run, fast_folder, open_graph
from tests.islandflow_resources.campaigning import SUNKEN_MARKET, document

ASSETS = (
    *("trial_shares", "campaign_trials", "campaign_leaderboard", "campaign_robustness"),
    *("overfit_report", "promotion_dossier"),
)


def register(graph, **changes):
    """Register the tiny campaign with some fields changed; its key."""
    resources = graph.resources
    spec = campaign_from(document(**changes))
    registered, _ = registration.register_campaign(
        resources.store, resources.database, graph.instance, spec
    )
    return registered.key


def run_job(graph, key, job="campaign", tags=None):
    """Run a job for a campaign as a click on its partition does."""
    from islandflow_jobs.definitions import defs

    result = defs.resolve_job_def(job).execute_in_process(
        instance=graph.instance,
        partition_key=key,
        run_config=QUIET,
        raise_on_error=False,
        tags=tags,
    )
    return Run(result, graph.instance)


def run_request(graph, request, job):
    """Run what a sensor asks for, under the tags that the daemon gives it."""
    tags = {"dagster/run_key": request.run_key, **request.tags}
    return run_job(graph, request.partition_key, job, tags)


def requests_of(evaluated):
    """What a tick asks for, by run key; a tick that asks for nothing must say why."""
    yielded = list(evaluated)
    assert yielded
    if isinstance(yielded[0], dg.SkipReason):
        [skipped] = yielded
        assert skipped.skip_message
        return {}
    return {one.run_key: one for one in yielded}


def skip_reason(evaluated):
    """Why a tick asks for nothing."""
    [skipped] = evaluated
    assert isinstance(skipped, dg.SkipReason)
    return skipped.skip_message


@cache
def empty_home():
    """A home with an instance and nothing registered; copy it."""
    home = _kept_folder() / "home"
    with open_graph(home):
        pass
    return home


@cache
def campaign_home():
    """A home where the tiny campaign is registered and was run once; copy it."""
    home = _kept_folder() / "home"
    shutil.copytree(empty_home(), home, symlinks=True)
    with open_graph(home) as graph:
        run = run_job(graph, register(graph))
        assert run.success, run.said
    return home


@cache
def promoted_home():
    """As `campaign_home`, and the winner is served as ``best``; copy it."""
    home = _kept_folder() / "home"
    shutil.copytree(campaign_home(), home, symlinks=True)
    with open_graph(home) as graph:
        [key] = graph.instance.get_dynamic_partitions("campaign")
        run = run_job(graph, key, "promotion")
        assert run.success, run.said
    return home


def only_campaign(graph):
    """Key of the one campaign of a home."""
    [key] = graph.instance.get_dynamic_partitions("campaign")
    return key


def refused_document(**changes):
    """The tiny campaign with a market that no seed can fill."""
    markets = [*document()["scenarios"], SUNKEN_MARKET]
    return {"id": "refused", "scenarios": markets, **changes}


def _kept_folder():
    """A folder that lives as long as the session."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(fast_folder())
