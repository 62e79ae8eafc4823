"""Dagster's home: the folder, its ``dagster.yaml``, and the instance it makes.

``dagster.yaml`` cannot choose its storage by environment, so the profile's own
file is put into the home: the root one for embedded, ``deploy/dagster.yaml`` for
services.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import dagster as dg
from dagster._core.instance.config import is_dagster_home_set

from contracts.errors import ConfigurationError, UnavailableError
from islandflow_resources.process_environment import apply_environment
from islandflow_resources.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent
_LOG = logging.getLogger("islandflow.instance")
TEMPLATES = {"embedded": _ROOT / "dagster.yaml", "services": _ROOT / "deploy" / "dagster.yaml"}
_STORAGE_HINTS = {
    "embedded": "look into that folder, and move away what Dagster did not write",
    "services": "start the servers of the profile, then run: islandflow provision",
}


def prepare_home(settings: Settings) -> Path:
    """Make Dagster's home for the profile and point this process to it.

    The file is written anew only if it differs, so that an edit of the template
    reaches every home.

    Raises
    ------
    ConfigurationError
        ``HOME_NOT_WRITABLE``.
    """
    home = settings.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        _renew(home / "dagster.yaml", TEMPLATES[settings.profile].read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            "HOME_NOT_WRITABLE",
            f"cannot make Dagster's home {home}: {error.strerror}",
            "ISLANDFLOW_HOME",
            ("point ISLANDFLOW_HOME to a writable folder",),
        ) from error
    apply_environment(settings)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The persistent instance of the profile.

    Raises
    ------
    ConfigurationError
        As `prepare_home`.
    UnavailableError
        ``DAGSTER_STORAGE_UNAVAILABLE``.
    """
    home = prepare_home(settings)
    try:
        return dg.DagsterInstance.get()
    except _storage_errors(settings) as error:
        raise UnavailableError(
            "DAGSTER_STORAGE_UNAVAILABLE",
            f"cannot open Dagster's instance of {home}: its storage does not answer "
            f"({type(error).__name__})",
            "DAGSTER_HOME",
            (_STORAGE_HINTS[settings.profile],),
        ) from error


def _storage_errors(settings: Settings) -> tuple[type[Exception], ...]:
    from sqlalchemy.exc import SQLAlchemyError

    if settings.s3 is None:
        return (SQLAlchemyError, OSError)
    # Seconds of import, so only where its errors can occur.
    from dagster_postgres.utils import DagsterPostgresException

    return (DagsterPostgresException, SQLAlchemyError, OSError)


def warn_without_home() -> None:
    """Say what will go wrong if Dagster is about to make a temporary instance.

    A run over a range fails there before any of the graph's code could say why.
    """
    if not is_dagster_home_set():
        _LOG.warning(
            "DAGSTER_HOME is not set: a run would know no registered partition "
            '(hint: eval "$(islandflow env)")'
        )


def _renew(path: Path, text: str) -> None:
    if path.exists() and path.read_text("utf-8") == text:
        return
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.write_text(text, "utf-8")
    staged.replace(path)
