"""What docker-compose.yml and deploy/ say, read and interpolated as compose would.

Read by tests/test_compose.py and tests/test_kubernetes.py.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
OUR_SERVICES = ("provision", "code", "webserver", "daemon", "serve")
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(?::([-?])([^}]*))?\}")

_STORE = {
    "ISLANDFLOW_HOME",
    "ISLANDFLOW_S3_ENDPOINT",
    "ISLANDFLOW_S3_BUCKET",
    "ISLANDFLOW_S3_REGION",
}
_KEYS = {"ISLANDFLOW_S3_ACCESS_KEY", "ISLANDFLOW_S3_SECRET_KEY"}
_COMPUTE = _KEYS | {
    "ISLANDFLOW_DATABASE_URL",
    "ISLANDFLOW_THREADS",
    "ISLANDFLOW_MEMORY_MB",
    "ISLANDFLOW_INSTRUMENT_CONFIG",
    "ISLANDFLOW_TRUSTED_KEYS",
    "ISLANDFLOW_LOG_LEVEL",
}
_DAGSTER = {
    "DAGSTER_HOME",
    "DAGSTER_PG_HOST",
    "DAGSTER_PG_PORT",
    "DAGSTER_PG_DB",
    "DAGSTER_PG_USER",
    "DAGSTER_PG_PASSWORD",
    "AWS_DEFAULT_REGION",
}
_LOGS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
HOLDS = {
    "provision": _STORE | _KEYS | {"ISLANDFLOW_DATABASE_URL", "ISLANDFLOW_LOG_LEVEL"},
    "code": _STORE
    | _COMPUTE
    | _DAGSTER
    | _LOGS
    | {
        "ISLANDFLOW_S3_LABELS_ACCESS_KEY",
        "ISLANDFLOW_S3_LABELS_SECRET_KEY",
        "ISLANDFLOW_SIGNING_KEY",
        "ISLANDFLOW_EXECUTOR",
        "ISLANDFLOW_RAY_ADDRESS",
        "ISLANDFLOW_PROMOTION",
        "ISLANDFLOW_TRACKING_URI",
        "ISLANDFLOW_ALERT_WEBHOOK",
    },
    "webserver": _STORE | _DAGSTER | _LOGS,
    "daemon": _STORE | _DAGSTER,
    "serve": _STORE | _COMPUTE | {"ISLANDFLOW_SERVE_TOKEN"},
}
"""The variables that each service needs, and so all that it may be given."""


@cache
def document(name: str) -> Any:
    """A YAML file of the project."""
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


@cache
def example() -> dict[str, str]:
    """What deploy/.env.example sets."""
    lines = (ROOT / "deploy/.env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def interpolated(node: Any, variables: dict[str, str]) -> Any:
    """A document with its ``${…}`` filled in; one that must be set and is not stops it."""
    if isinstance(node, dict):
        return {name: interpolated(child, variables) for name, child in node.items()}
    if isinstance(node, list):
        return [interpolated(child, variables) for child in node]
    return _filled(node, variables) if isinstance(node, str) else node


def variables_of(text: str) -> tuple[set[str], set[str]]:
    """Names in a text, and those that somewhere have a default or stop with a message."""
    found = _VARIABLE.findall(text)
    return {name for name, _, _ in found}, {name for name, kind, _ in found if kind}


def compose() -> dict[str, Any]:
    """The compose file as it is written."""
    return document("docker-compose.yml")


@cache
def started() -> dict[str, Any]:
    """The compose file as the example's settings make it."""
    return interpolated(compose(), example())


def variables_of_dagster(node: object) -> set[str]:
    """Every name under an ``env:`` key of a Dagster configuration."""
    if isinstance(node, dict):
        own = {node["env"]} if isinstance(node.get("env"), str) else set()
        return own.union(*(variables_of_dagster(child) for child in node.values()))
    if isinstance(node, list):
        return set().union(*(variables_of_dagster(child) for child in node))
    return set()


def _filled(text: str, variables: dict[str, str]) -> str:

    def value(found: re.Match[str]) -> str:
        name, kind, other = found.groups()
        if variables.get(name):
            return variables[name]
        if kind == "-":
            return other
        raise KeyError(f"{name}: {other or 'not set'}")

    return _VARIABLE.sub(value, text).replace("$$", "$")
