"""What the snapshots hold: the shape of the graph, and the public names of inner packages.

``python -m tests.snapshots`` writes them anew after a change that was meant; reading the
difference is the review. Documents have schemas of their own, table layouts are held in
tests/contracts/test_columns.py.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg

import engine.jit  # noqa: F401 - before the definitions, which else settle a kernel cache in a home

FOLDER = Path(__file__).parent
DOMAINS = ("engine.backtest", "engine.dsl", "engine.paths")


def graph() -> dict[str, Any]:
    """Assets, checks, jobs, sensors and schedules of the code location."""
    from islandflow_jobs.definitions import defs

    repository = defs.get_repository_def()
    assets = defs.resolve_asset_graph()
    return {
        "assets": {
            key.to_user_string(): _asset(assets.get(key))
            for key in sorted(assets.get_all_asset_keys())
        },
        "checks": {
            f"{spec.asset_key.to_user_string()}:{spec.name}": {"blocking": spec.blocking}
            for definition in defs.assets or []
            for spec in sorted(definition.check_specs, key=lambda spec: spec.name)
        },
        "jobs": {
            job.name: [node.name for node in job.nodes_in_topological_order]
            for job in sorted(repository.get_all_jobs(), key=lambda job: job.name)
            if not job.name.startswith("__")
        },
        "resources": sorted(defs.resources or {}),
        "schedules": {
            one.name: {
                "cron": one.cron_schedule,
                "job": one.job_name,
                "timezone": one.execution_timezone,
            }
            for one in repository.schedule_defs
        },
        "sensors": {
            one.name: {
                "every_s": one.minimum_interval_seconds,
                "jobs": sorted(target.job_name for target in one.targets),
            }
            for one in repository.sensor_defs
        },
    }  # fmt: skip


def api() -> dict[str, Any]:
    """Public definitions of every module of contracts, and of the engine's domains."""
    contracts = import_module("contracts")
    names = sorted(module.name for module in pkgutil.iter_modules(contracts.__path__))
    found = {f"contracts.{name}": _own_definitions(f"contracts.{name}") for name in names}
    return found | {name: _exported(name) for name in DOMAINS}


SHAPES: dict[str, Callable[[], dict[str, Any]]] = {"graph": graph, "api": api}


def text(name: str) -> str:
    """One snapshot as it should be stored now."""
    return json.dumps(SHAPES[name](), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def stored(name: str) -> Path:
    """File of one snapshot."""
    return FOLDER / f"{name}.json"


def _asset(node: Any) -> dict[str, Any]:
    spec = node.assets_def.get_asset_spec(node.key)
    partitions = spec.partitions_def
    return {
        "after": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "one_run_for_a_range": node.backfill_policy == dg.BackfillPolicy.single_run(),
        "partitions": sorted(partitions.partition_dimension_names)
        if isinstance(partitions, dg.MultiPartitionsDefinition)
        else None,
        "versioned": spec.code_version is not None,
    }


def _own_definitions(module: str) -> dict[str, Any]:
    loaded = import_module(module)
    return {
        name: _shape(value)
        for name, value in sorted(vars(loaded).items())
        if not name.startswith("_") and getattr(value, "__module__", None) == module
    }


def _exported(module: str) -> dict[str, Any]:
    loaded = import_module(module)
    return {name: _shape(getattr(loaded, name)) for name in sorted(loaded.__all__)}


def _shape(value: Any) -> Any:
    if inspect.isclass(value):
        return _members(value)
    return str(inspect.signature(value)) if callable(value) else type(value).__name__


def _members(kind: type) -> list[str]:
    """What an instance offers: fields, properties and methods, its own and its bases' alike."""
    fields = getattr(kind, "model_fields", None) or getattr(kind, "__dataclass_fields__", {})
    offered = {
        name
        for base in kind.__mro__
        if base.__module__.partition(".")[0] in ("contracts", "engine")
        for name, member in vars(base).items()
        if callable(member) or isinstance(member, property | classmethod | staticmethod)
        or hasattr(member, "__get__")
    }  # fmt: skip
    return sorted(name for name in {*fields, *offered} if not name.startswith(("_", "model_")))
