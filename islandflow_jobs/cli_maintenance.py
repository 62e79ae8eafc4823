"""``islandflow gc``, ``islandflow backup`` and ``islandflow restore``: arguments in, lines out.

What they do is ``maintenance_run``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from islandflow_resources.resource_set import ResourceSet

_DEFAULT_DAYS = 7.0


def gc(
    delete: Annotated[
        bool, typer.Option("--delete/--dry-run", help="delete what is listed; else only list it")
    ] = False,
    older_than: Annotated[
        float, typer.Option(help="days that an object must not have been touched", min=1.0)
    ] = _DEFAULT_DAYS,
) -> None:
    """List, and delete on request, objects that nothing references and writes never finished."""
    from islandflow_jobs import maintenance_run

    resources = ResourceSet.from_environment()
    run = maintenance_run.collect if delete else maintenance_run.survey
    _print(run(resources, timedelta(days=older_than)))


def backup(
    file: Annotated[Path, typer.Argument(help="file that is made, e.g. registry.tar.gz")],
) -> None:
    """Write every row of the registry, as of one moment, into a new file."""
    from islandflow_jobs import maintenance_run

    _print(maintenance_run.back_up(ResourceSet.from_environment(), file))


def restore(file: Annotated[Path, typer.Argument(help="file of islandflow backup")]) -> None:
    """Bring a backup into an empty database; a damaged one changes nothing."""
    from islandflow_jobs import maintenance_run

    _print(maintenance_run.restore(ResourceSet.from_environment(), file))


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
