"""Dagster's home: the folder, its ``dagster.yaml``, and the instance it makes.

``dagster.yaml`` cannot choose its storage by environment, so the profile's own
file is put into the home: the root one for embedded, ``deploy/dagster.yaml`` for
services.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from contracts.errors import ConfigurationError
from islandflow_resources.settings import Settings, apply_environment

_ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = {"embedded": _ROOT / "dagster.yaml", "services": _ROOT / "deploy" / "dagster.yaml"}


def prepare_home(settings: Settings) -> Path:
    """Make Dagster's home for the profile and point this process to it.

    The file is written anew only if it differs, so that an edit of the template
    reaches every home.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    text = TEMPLATES[settings.profile].read_text("utf-8")
    target = home / "dagster.yaml"
    if not target.exists() or target.read_text("utf-8") != text:
        staged = home / f".dagster.yaml.{os.getpid()}"
        staged.write_text(text, "utf-8")
        staged.replace(target)
    apply_environment(settings)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The persistent instance of the profile."""
    prepare_home(settings)
    return dg.DagsterInstance.get()


def refuse_temporary(instance: dg.DagsterInstance) -> None:
    """Refuse an instance that forgets partitions and history when the process ends.

    Raises
    ------
    ConfigurationError
        ``DAGSTER_HOME_UNSET``.
    """
    if instance.is_persistent and not Path(instance.root_directory).name.startswith(
        ".tmp_dagster_home_"
    ):
        return
    raise ConfigurationError(
        "DAGSTER_HOME_UNSET",
        "Dagster would use a temporary instance, which knows no registered partition",
        "DAGSTER_HOME",
        ('run first: eval "$(islandflow env)"',),
    )
