"""``islandflow grid …`` and ``islandflow book warm``: arguments in, lines out.

What the commands do is ``grid_run``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from islandflow_jobs import grid_run
from islandflow_jobs.cli_books import book
from islandflow_resources.resource_set import ResourceSet

grid = typer.Typer(no_args_is_help=True, help="Grids of pressure and vacuum from order books.")

Events = Annotated[Path, typer.Option(help="events: DBN, parquet or CSV")]
Config = Annotated[Path, typer.Option(help="{runtime_config, projection}, JSON or YAML")]
Compat = Annotated[str, typer.Option(help="rules: v2, or v1 of an earlier engine")]


@grid.command("build")
def grid_build(
    events: Events,
    config: Config,
    out: Annotated[Path, typer.Option(help="new folder, or one with nothing but checkpoints")],
    compat: Compat = "v2",
    full: Annotated[bool, typer.Option("--full", help="projections and final state too")] = False,
    emit_from: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=grid_run.MAX_INSTANT_NS,
            help="start of the first bin, ns since 1970; earlier events warm up [the first event]",
        ),
    ] = None,
    checkpoint_every: Annotated[
        int, typer.Option(min=0, help="events between checkpoints in OUT/checkpoints, 0 for none")
    ] = 0,
    from_checkpoint: Annotated[
        Path | None,
        typer.Option(help="checkpoint to go on from, of the same events, config and compat"),
    ] = None,
    emit_until: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=grid_run.MAX_INSTANT_NS,
            help="events from then on, ns since 1970, do not count [all count]",
        ),
    ] = None,
) -> None:
    """Build a dataset: bins, grid, manifest and checksums."""
    wanted = grid_run.Request(
        events, config, compat, emit_from, full, checkpoint_every, from_checkpoint, emit_until
    )
    _print(grid_run.build(ResourceSet.from_environment(), wanted, out))


@grid.command("verify")
def grid_verify(folder: Annotated[Path, typer.Argument(help="folder of a dataset")]) -> None:
    """Check every file of a dataset against its manifest."""
    _print(grid_run.verify(folder))


@book.command("warm")
def book_warm(
    events: Events,
    config: Config,
    at: Annotated[
        int,
        typer.Option(
            min=0,
            max=grid_run.MAX_INSTANT_NS,
            help="start of the first bin to come, ns since 1970; earlier events are taken",
        ),
    ],
    out: Annotated[Path, typer.Option(help="new file")],
    compat: Compat = "v2",
) -> None:
    """Pre-build the checkpoint that a grid starting at a time goes on from."""
    wanted = grid_run.Request(events, config, compat, emit_from_ns=at)
    _print(grid_run.warm(ResourceSet.from_environment(), wanted, out))


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
