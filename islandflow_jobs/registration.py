"""Registration: documents become rows of the registry and keys of the partitions.

Used alike by the command line, the inbox and the demo. A document is refused
whole before anything is written; registering the same one again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from contracts.campaign import CampaignSpec
from contracts.experiment import ExperimentSpec, ServingSpec
from contracts.mbo import MboSpec
from contracts.pipeline import DatasetCampaign, PipelineSpec
from contracts.scenario import ScenarioSpec
from contracts.strategy import StrategySpec
from engine.dsl import compile_strategy
from islandflow_resources.campaigns import AnyCampaign, ready_any, register
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.database import Database
from islandflow_resources.dataset_campaigns import (
    ready_dataset_campaign,
    register_dataset_campaign,
)
from islandflow_resources.mbo_sources import RegisteredSource, register_source
from islandflow_resources.mbo_tapes import register_spec
from islandflow_resources.models import Scenario, Strategy
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import ready_pipeline, register_pipeline
from islandflow_resources.servings import ready_serving, register_serving
from islandflow_resources.spec_registry import Entry
from islandflow_resources.tape_requests import (
    TapeRequest,
    register_request,
    register_tape,
    resolved,
)


@dataclass(frozen=True, slots=True)
class Registered:
    """What registration did: the scenario's partition key, and whether it was new."""

    key: str
    new: bool


def register_scenarios(
    database: Database, instance: dg.DagsterInstance, specs: Sequence[ScenarioSpec]
) -> list[Registered]:
    """Register scenarios and add their partitions; their own seeds are added too."""
    registered = [
        Registered(
            spec.partition_key,
            database.register_scenario(
                Scenario(
                    scenario_hash=spec.scenario_hash,
                    scenario_key=spec.partition_key,
                    scenario_id=spec.id,
                    spec=spec.market,
                )
            ),
        )
        for spec in specs
    ]
    _add(instance, "scenario", (one.key for one in registered))
    add_seeds(instance, (spec.seed for spec in specs))
    return registered


def add_seeds(instance: dg.DagsterInstance, seeds: Iterable[int]) -> None:
    """Add seeds to the partitions, where they are not yet."""
    _add(instance, "seed", (str(seed) for seed in seeds))


def register_campaign(
    store: ObjectStore,
    database: Database,
    instance: dg.DagsterInstance,
    spec: CampaignSpec | ExperimentSpec,
) -> tuple[AnyCampaign, bool]:
    """Check a campaign or an experiment whole, enter it written out, and add its partition.

    Raises
    ------
    ContractError
        With every problem at once, each with its pointer.
    """
    campaign = ready_any(spec, store, database)
    new = register(campaign, store, database)
    _add(instance, "campaign", [campaign.key])
    return campaign, new


def register_strategy(database: Database, spec: StrategySpec) -> Registered:
    """Register a strategy that compiles.

    Raises
    ------
    ContractError
        A ``DSL_…`` code with the place in the expression.
    """
    compile_strategy(spec)
    row = Strategy(strategy_hash=spec.strategy_hash, strategy_id=spec.id, spec=spec.document())
    return Registered(spec.id, database.register_strategy(row))


def register_tapes(
    store: ObjectStore,
    database: Database,
    instance: dg.DagsterInstance,
    specs: Sequence[MboSpec],
) -> list[Registered]:
    """Register tapes and add their partitions; the seeds of their scenarios are not used."""
    registered = [
        Registered(spec.partition_key, register_spec(store, database, spec)) for spec in specs
    ]
    _add(instance, "tape", (one.key for one in registered))
    return registered


def register_markets(
    store: ObjectStore,
    database: Database,
    instance: dg.DagsterInstance,
    requests: Sequence[TapeRequest],
) -> list[Registered]:
    """Register requests of synthetic tapes, and what they mean now as partitions, with seeds.

    Raises
    ------
    ContractError
        With the first request that means no tape; nothing is written then.
    """
    follow = any(request.follows_deployment for request in requests)
    log = ControlLogStore(database).log() if follow else None
    tapes = [resolved(request, log) for request in requests]
    registered: list[Registered] = []
    for request, tape in zip(requests, tapes, strict=True):
        new = register_request(store, database, request).new
        entry = register_tape(store, database, tape)
        registered.append(Registered(entry.key, new or entry.new))
    _add(instance, "market", (one.key for one in registered))
    pairs = zip(requests, tapes, strict=True)
    add_seeds(instance, (seed for request, tape in pairs for seed in request.seeds_of(tape.spec)))
    return registered


def register_dataset_spec(
    store: ObjectStore,
    database: Database,
    instance: dg.DagsterInstance,
    spec: PipelineSpec | DatasetCampaign | ServingSpec,
) -> Entry:
    """Check a document whole, enter it with its references written out, add its partition.

    Servings have no partition: experiments name them.

    Raises
    ------
    ContractError
        With every problem, each with its pointer.
    """
    if isinstance(spec, ServingSpec):
        return register_serving(store, database, ready_serving(store, database, spec))
    if isinstance(spec, DatasetCampaign):
        campaign = ready_dataset_campaign(store, database, spec)
        done = register_dataset_campaign(store, database, campaign)
        _add(instance, "dataset_campaign", [done.key])
        return done
    done = register_pipeline(store, database, ready_pipeline(store, database, spec))
    _add(instance, "pipeline", [done.key])
    return done


def import_source(
    store: ObjectStore,
    database: Database,
    instance: dg.DagsterInstance,
    path: Path,
    symbol: str | None,
) -> RegisteredSource:
    """Register a recorded file that reads to its end, and add its partition.

    Raises
    ------
    ContractError
        Whatever is wrong with the file; nothing is stored then.
    """
    done = register_source(store, database, path, symbol, "cli")
    _add(instance, "source", [done.source.key])
    return done


def _add(instance: dg.DagsterInstance, dimension: str, keys: Iterable[str]) -> None:
    # In the given order, once each: ranges of a run follow the order of registration.
    instance.add_dynamic_partitions(dimension, list(dict.fromkeys(keys)))
