"""From environment variables to one frozen `Settings`; nowhere else is the environment read.

`SETTINGS` is the authoritative table of the variables. The profile is inferred:
no server named means embedded, all servers named means services, and anything
in between is refused with all that is missing. The stores and databases made
from the settings live in ``resource_set``; what a value may be is in ``setting_rules``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from contracts.errors import ConfigurationError, Problem
from islandflow_resources import setting_rules
from islandflow_resources.setting_rules import LOG_LEVELS

Profile: TypeAlias = Literal["embedded", "services"]

PREFIX = "ISLANDFLOW_"
MIN_MEMORY_MB = 64
EXECUTORS = ("in_process", "multiprocess", "ray")
PROMOTIONS = ("on", "dry_run")
_LABELS_KEYS = ("ISLANDFLOW_S3_LABELS_ACCESS_KEY", "ISLANDFLOW_S3_LABELS_SECRET_KEY")


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable.

    Attributes
    ----------
    name : str
        The variable.
    default : str
        What holds when it is unset, in words or as the value; empty if nothing.
    required_with : str
        Profile that needs it, or empty.
    doc : str
        What it sets, one sentence.
    secret : bool
        Never shown in messages, logs or representations.
    """

    name: str
    default: str
    required_with: str
    doc: str
    secret: bool = False


SETTINGS = (
    Setting(
        "ISLANDFLOW_HOME",
        "./.islandflow",
        "",
        "Folder of Dagster's instance, the kernel cache and, in the embedded profile, everything.",
    ),
    Setting(
        "ISLANDFLOW_S3_ENDPOINT",
        "",
        "services",
        "Address of the S3-compatible store, e.g. http://127.0.0.1:8333.",
    ),
    Setting("ISLANDFLOW_S3_BUCKET", "", "services", "Bucket that holds every object; must exist."),
    Setting("ISLANDFLOW_S3_ACCESS_KEY", "", "services", "Access key of the store.", secret=True),
    Setting("ISLANDFLOW_S3_SECRET_KEY", "", "services", "Secret key of the store.", secret=True),
    Setting("ISLANDFLOW_S3_REGION", "us-east-1", "", "Region that requests are signed for."),
    Setting(
        "ISLANDFLOW_S3_LABELS_ACCESS_KEY",
        "",
        "",
        "Access key of the truth about tapes, below labels/; that of the store if unset.",
        secret=True,
    ),
    Setting(
        "ISLANDFLOW_S3_LABELS_SECRET_KEY", "", "", "Secret key that belongs to it.", secret=True
    ),
    Setting(
        "ISLANDFLOW_DATABASE_URL",
        "",
        "services",
        "Database of the registry and the results, postgresql+psycopg://user:password@host:port/name.",
        secret=True,
    ),
    Setting("ISLANDFLOW_THREADS", "all cores", "", "Threads that the engine computes with."),
    Setting("ISLANDFLOW_MEMORY_MB", "1024", "", "Memory that one batch of the engine may use."),
    Setting(
        "ISLANDFLOW_EXECUTOR",
        "in_process",
        "",
        f"Where trials of campaigns are made, one of {', '.join(EXECUTORS)}.",
    ),
    Setting("ISLANDFLOW_RAY_ADDRESS", "auto", "", "Ray cluster that trials are spread over."),
    Setting(
        "ISLANDFLOW_INSTRUMENT_CONFIG",
        "instrument.yaml",
        "",
        "File that locks the environment to one instrument's order book.",
    ),
    Setting(
        "ISLANDFLOW_PROMOTION",
        "on",
        "",
        "What the sensor of promotions does, on or dry_run: only say what it would promote.",
    ),
    Setting(
        "ISLANDFLOW_SERVE_TOKEN",
        "",
        "",
        "What clients of `islandflow serve` must show; without it everybody who reaches it may.",
        secret=True,
    ),
    Setting(
        "ISLANDFLOW_TRACKING_URI", "", "", "MLflow server that is told of trials.", secret=True
    ),
    Setting(
        "ISLANDFLOW_SIGNING_KEY",
        "",
        "",
        "Ed25519 key that published specs are signed with, as base64 or PEM; the embedded profile "
        "makes one in its home.",
        secret=True,
    ),
    Setting(
        "ISLANDFLOW_TRUSTED_KEYS",
        "",
        "",
        "Public keys whose signatures are trusted besides the own one's, base64, by commas.",
    ),
    Setting("ISLANDFLOW_ALERT_WEBHOOK", "", "", "Address that alerts are posted to.", secret=True),
    Setting("ISLANDFLOW_LOG_LEVEL", "INFO", "", f"One of {', '.join(LOG_LEVELS)}."),
)

_SERVICES = tuple(row.name for row in SETTINGS if row.required_with == "services")
_TOGETHER = (
    (
        _SERVICES,
        _SERVICES,
        "the services profile is half configured",
        "to work in the embedded profile",
    ),
    (
        _LABELS_KEYS,
        (*_LABELS_KEYS, *_SERVICES),
        "the keys of labels are half configured",
        "to use the keys of the store",
    ),
)
"""Settings of which one asks for others, what is said if they miss, and what else to do."""


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the bucket is and how to sign for it."""

    endpoint: str
    bucket: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says, checked.

    Attributes
    ----------
    profile : {"embedded", "services"}
    home : Path
        Absolute.
    database_url : str
        SQLAlchemy URL: SQLite below `home`, or PostgreSQL.
    s3 : S3Settings or None
        None in the embedded profile.
    threads : int
    memory_mb : int
    log_level : str
    executor : {"in_process", "multiprocess", "ray"}
    ray_address : str
    promotion : {"on", "dry_run"}
    tracking_uri, alert_webhook : str
        Empty if there is none.
    serve_token : str
        Empty if clients need none.
    instrument_config : str
        Path of the instrument's lock; empty for the one beside the packages.
    signing_key : str
        Ed25519 private key, base64 or PEM; empty if there is none.
    trusted_keys : tuple of str
        Public keys in base64.
    labels_s3 : S3Settings or None
        As `s3`, with the keys of the labels of tapes; None if they have none of their own.
    """

    profile: Profile
    home: Path
    database_url: str = field(repr=False)
    s3: S3Settings | None
    threads: int
    memory_mb: int
    log_level: str
    executor: str = EXECUTORS[0]
    ray_address: str = "auto"
    promotion: str = PROMOTIONS[0]
    tracking_uri: str = field(default="", repr=False)
    alert_webhook: str = field(default="", repr=False)
    serve_token: str = field(default="", repr=False)
    instrument_config: str = ""
    labels_s3: S3Settings | None = None
    signing_key: str = field(default="", repr=False)
    trusted_keys: tuple[str, ...] = ()

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's instance."""
        return self.home / "dagster"

    @property
    def kernel_home(self) -> Path:
        """Folder that holds compiled kernels, below it one folder per engine digest."""
        return self.home / "kernels"

    @property
    def objects_home(self) -> Path:
        """Folder that is the object store of the embedded profile."""
        return self.home / "objects"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Parameters
    ----------
    environ : mapping, optional
        Variables; the process's own by default. An empty value counts as unset.

    Raises
    ------
    ConfigurationError
        With every problem at once: ``SETTING_UNKNOWN``, ``PROFILE_INCOMPLETE``,
        ``SETTING_INVALID``.
    """
    source = os.environ if environ is None else environ
    given = {name: value for name, value in source.items() if name.startswith(PREFIX) and value}
    problems = [*_unknown(given), *_missing(given), *_invalid(given)]
    if problems:
        first, *others = problems
        raise ConfigurationError(first.code, first.message, first.loc, first.hints, tuple(others))
    home = _home(given.get("ISLANDFLOW_HOME", ""))
    services = bool(given.keys() & set(_SERVICES))
    return Settings(
        profile="services" if services else "embedded",
        home=home,
        database_url=given.get("ISLANDFLOW_DATABASE_URL", f"sqlite:///{home / 'islandflow.db'}"),
        s3=_s3(given) if services else None,
        threads=int(given.get("ISLANDFLOW_THREADS") or _cores()),
        memory_mb=int(given.get("ISLANDFLOW_MEMORY_MB", "1024")),
        log_level=given.get("ISLANDFLOW_LOG_LEVEL", "INFO").upper(),
        executor=given.get("ISLANDFLOW_EXECUTOR", EXECUTORS[0]),
        ray_address=given.get("ISLANDFLOW_RAY_ADDRESS", "auto"),
        promotion=given.get("ISLANDFLOW_PROMOTION", PROMOTIONS[0]),
        tracking_uri=given.get("ISLANDFLOW_TRACKING_URI", ""),
        alert_webhook=given.get("ISLANDFLOW_ALERT_WEBHOOK", ""),
        serve_token=given.get("ISLANDFLOW_SERVE_TOKEN", ""),
        instrument_config=_absolute(given.get("ISLANDFLOW_INSTRUMENT_CONFIG", "")),
        labels_s3=_labels_s3(given),
        signing_key=given.get("ISLANDFLOW_SIGNING_KEY", ""),
        trusted_keys=tuple(_listed(given.get("ISLANDFLOW_TRUSTED_KEYS", ""))),
    )


def settings_table() -> str:
    """`SETTINGS` as a Markdown table, for the README."""
    lines = ["| variable | default | needed for | sets |", "|---|---|---|---|"]
    for row in SETTINGS:
        default = f"`{row.default}`" if row.default and " " not in row.default else row.default
        doc = row.doc + (" Secret." if row.secret else "")
        lines.append(f"| `{row.name}` | {default} | {row.required_with} | {doc} |")
    return "\n".join(lines) + "\n"


def _cores() -> int:
    """Cores this process may use: a container's share, not the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _home(text: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(text or ".islandflow")))


def _absolute(text: str) -> str:
    return os.path.abspath(os.path.expanduser(text)) if text else ""


def _listed(text: str) -> list[str]:
    return [part for part in (part.strip() for part in text.split(",")) if part]


def _s3(given: Mapping[str, str]) -> S3Settings:
    return S3Settings(
        endpoint=given["ISLANDFLOW_S3_ENDPOINT"].rstrip("/"),
        bucket=given["ISLANDFLOW_S3_BUCKET"],
        region=given.get("ISLANDFLOW_S3_REGION", "us-east-1"),
        access_key=given["ISLANDFLOW_S3_ACCESS_KEY"],
        secret_key=given["ISLANDFLOW_S3_SECRET_KEY"],
    )


def _labels_s3(given: Mapping[str, str]) -> S3Settings | None:
    if _LABELS_KEYS[0] not in given:
        return None
    access_key, secret_key = (given[name] for name in _LABELS_KEYS)
    return replace(_s3(given), access_key=access_key, secret_key=secret_key)


def _unknown(given: Mapping[str, str]) -> list[Problem]:
    known = [row.name for row in SETTINGS]
    problems: list[Problem] = []
    for name in sorted(given.keys() - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        problems.append(
            Problem("SETTING_UNKNOWN", f"{name} is no setting of islandflow", name, (hint,))
        )
    return problems


def _missing(given: Mapping[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    for names, needed, what, otherwise in _TOGETHER:
        present = [name for name in names if name in given]
        missing = [name for name in needed if name not in given]
        if not present or not missing:
            continue
        are = "is" if len(present) == 1 else "are"
        said = f"{what}: {', '.join(present)} {are} set, missing: {', '.join(missing)}"
        hints = (
            f"set {', '.join(missing)} as well",
            f"or unset {', '.join(present)} {otherwise}",
        )
        problems.append(Problem("PROFILE_INCOMPLETE", said, missing[0], hints))
    return problems


def _invalid(given: Mapping[str, str]) -> list[Problem]:
    checks = {
        "ISLANDFLOW_S3_ENDPOINT": setting_rules.endpoint_problem,
        "ISLANDFLOW_S3_BUCKET": setting_rules.bucket_problem,
        "ISLANDFLOW_DATABASE_URL": setting_rules.database_problem,
        "ISLANDFLOW_THREADS": lambda value: setting_rules.integer_problem(value, 1),
        "ISLANDFLOW_MEMORY_MB": lambda value: setting_rules.integer_problem(value, MIN_MEMORY_MB),
        "ISLANDFLOW_EXECUTOR": lambda value: setting_rules.choice_problem(value, EXECUTORS),
        "ISLANDFLOW_PROMOTION": lambda value: setting_rules.choice_problem(value, PROMOTIONS),
        "ISLANDFLOW_TRACKING_URI": setting_rules.address_problem,
        "ISLANDFLOW_ALERT_WEBHOOK": setting_rules.address_problem,
        "ISLANDFLOW_SIGNING_KEY": setting_rules.signing_key_problem,
        "ISLANDFLOW_TRUSTED_KEYS": setting_rules.trusted_keys_problem,
        "ISLANDFLOW_LOG_LEVEL": setting_rules.level_problem,
    }
    problems: list[Problem] = []
    for name, check in checks.items():
        found = check(given[name]) if name in given else None
        if found is not None:
            message, hint = found
            problems.append(Problem("SETTING_INVALID", f"{name} {message}", name, (hint,)))
    return problems
