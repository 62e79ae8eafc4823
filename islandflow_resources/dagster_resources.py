"""The resources of the graph, made from the environment when a step first needs them.

Explicit resources, no IO managers: an asset says what it stores and where. Each
is cheap and repeatable to make, because Dagster makes them more than once a run.
What they are is decided in ``settings`` and ``resource_set``.
"""

from __future__ import annotations

from functools import cache

import dagster as dg
from dagster_duckdb import DuckDBResource

from islandflow_resources.catalog_file import NAME as CATALOGUE
from islandflow_resources.executors import executor_of
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.settings import Settings, load_settings


@cache
def _shared(settings: Settings) -> ResourceSet:
    """One set per process and settings, so that connections are shared by steps."""
    return ResourceSet(settings)


def resource_set() -> ResourceSet:
    """The set that the environment chooses now."""
    return _shared(load_settings())


def dagster_resources() -> dict[str, dg.ResourceDefinition]:
    """Resource definitions by the names that assets ask for."""
    return {
        "duckdb": dg.ResourceDefinition(lambda _: _catalogue(resource_set().settings)),
        "store": dg.ResourceDefinition(lambda _: resource_set().store),
        "labels_store": dg.ResourceDefinition(lambda _: resource_set().labels_store),
        "database": dg.ResourceDefinition(lambda _: resource_set().database),
        "keyring": dg.ResourceDefinition(lambda _: resource_set().keyring),
        "engine_runtime": dg.ResourceDefinition(lambda _: resource_set().engine_runtime),
        "chunk_executor": dg.ResourceDefinition(lambda _: executor_of(resource_set())),
    }


def _catalogue(settings: Settings) -> DuckDBResource:
    """The catalogue of the home, which is read: it is written anew, never changed."""
    return DuckDBResource(
        database=str(settings.home / CATALOGUE),
        connection_config={"access_mode": "READ_ONLY"},
    )
