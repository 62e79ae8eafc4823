"""What ``islandflow tape register`` does, as a function that returns lines.

Arguments are read in ``cli_tapes``; what a request is stands in
``islandflow_resources.tape_requests``.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.tape import TapeProfile
from islandflow_resources.resource_set import ResourceSet


def register(
    resources: ResourceSet, profiles: Sequence[TapeProfile], seeds: Sequence[int]
) -> list[str]:
    """Register profiles with their seeds, and what they mean now as partitions of the graph.

    Parameters
    ----------
    seeds : sequence of int
        None of them: the shared seed of the control in force when each tape begins.

    Raises
    ------
    ContractError
        With the first profile that means no tape; nothing is written then.
    """
    resources.engine_runtime.prepare()
    from islandflow_jobs import registration
    from islandflow_jobs.instance import open_instance
    from islandflow_resources.tape_requests import TapeRequest

    requests = [TapeRequest(profile, tuple(dict.fromkeys(seeds))) for profile in profiles]
    store, database = resources.store, resources.database
    with open_instance(resources.settings) as instance:
        done = registration.register_markets(store, database, instance, requests)
    return [f"{'registered' if one.new else 'unchanged'} {one.key}" for one in done]
