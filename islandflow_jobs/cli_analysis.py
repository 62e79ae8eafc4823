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

report = typer.Typer(no_args_is_help=True, help="HTML reports of campaigns and tapes.")

Out = Annotated[Path | None, typer.Option(help="new file [named after it, here]")]


def catalog(
    out: Annotated[
        Path | None, typer.Option(help="DuckDB file to write or refresh [in the home]")
    ] = None,
) -> None:
    """Write a DuckDB file with a view per stored table, and say what is in it."""
    _print(analysis_run.catalog(ResourceSet.from_environment(), out))


@report.command("campaign")
def report_campaign(
    name: Annotated[str, typer.Argument(help="key, hash or id of a campaign", show_default=False)],
    out: Out = None,
) -> None:
    """Write the report of a judged campaign into one HTML file that needs nothing else."""
    _print(analysis_run.report_campaign(ResourceSet.from_environment(), name, out))


@report.command("tape")
def report_tape(
    name: Annotated[str, typer.Argument(help="id of a tape, or market|seed", show_default=False)],
    out: Out = None,
) -> None:
    """Write the report of a stored tape into one HTML file that needs nothing else."""
    _print(analysis_run.report_tape(ResourceSet.from_environment(), name, out))


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
