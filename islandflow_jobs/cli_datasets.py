"""``islandflow dataset …``: arguments in, lines out.

What the commands do is ``dataset_run``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.seeds import parse_seed
from islandflow_jobs import dataset_run
from islandflow_jobs.documents import all_valid, one_line
from islandflow_resources.resource_set import ResourceSet

dataset = typer.Typer(no_args_is_help=True, help="Grid datasets of pipelines.")

Files = Annotated[
    list[Path],
    typer.Argument(help="pipelines, campaigns of datasets, servings", show_default=False),
]


@dataset.command("check")
def dataset_check(files: Files) -> None:
    """Check documents whole without making anything."""
    specs = all_valid(files, dataset_run.load_spec)
    _print(dataset_run.check(ResourceSet.from_environment(), specs))


@dataset.command("register")
def dataset_register(files: Files) -> None:
    """Register documents; the sensor start_dataset_campaigns runs campaigns."""
    specs = all_valid(files, dataset_run.load_spec)
    _print(dataset_run.register(ResourceSet.from_environment(), specs))


@dataset.command("make")
def dataset_make(
    pipelines: Annotated[
        list[str],
        typer.Argument(help="files, or names of registered pipelines", show_default=False),
    ],
    seed: Annotated[str, typer.Option(help="of the tapes; the pipelines' own by default")] = "",
) -> None:
    """Make the dataset of each pipeline, or find it again and verify it."""
    wanted = parse_seed(seed) if seed else None
    _finish(dataset_run.make(ResourceSet.from_environment(), pipelines, wanted))


@dataset.command("campaign")
def dataset_campaign(
    name: Annotated[
        str, typer.Argument(help="file, or name of a registered campaign", show_default=False)
    ],
) -> None:
    """Make what is missing of a campaign's datasets; run again, it goes on where it was."""
    _finish(dataset_run.campaign(ResourceSet.from_environment(), name))


@dataset.command("list")
def dataset_list() -> None:
    """All datasets that are recorded."""
    _print(dataset_run.list_datasets(ResourceSet.from_environment()))


def _finish(made: dataset_run.Made) -> None:
    _print(made.lines)
    for problem in made.problems:
        sys.stderr.write(f"{one_line(problem)}\n")
    if made.problems:
        raise typer.Exit(1)


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
