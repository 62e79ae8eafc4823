"""``islandflow catalog`` and ``islandflow report …``: arguments in, lines out.

What the commands do is ``analysis_run``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from islandflow_jobs import analysis_run
from islandflow_resources.resource_set import ResourceSet


def catalog(
    out: Annotated[
        Path | None, typer.Option(help="DuckDB file to write or refresh [in the home]")
    ] = None,
) -> None:
    """Write a DuckDB file with a view per stored table, and say what is in it."""
    _print(analysis_run.catalog(ResourceSet.from_environment(), out))


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
