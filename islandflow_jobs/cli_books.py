"""``islandflow book …`` for books alone: arguments in, lines out.

What the commands do is ``book_run``; exit codes are those of ``cli``. Grids, and the
checkpoints that warm them up, have their own module.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.mbo import load_mbo_spec
from contracts.seeds import parse_seed, parse_seeds
from islandflow_jobs import book_run
from islandflow_jobs.documents import all_valid, read_file
from islandflow_resources.resource_set import ResourceSet

book = typer.Typer(no_args_is_help=True, help="Order books of market-by-order events.")

File = Annotated[Path, typer.Argument(help="events: DBN, parquet or CSV", show_default=False)]
Symbol = Annotated[str, typer.Option(help="instrument, if the file has several")]


@book.command("make")
def book_make(
    scenario: Annotated[Path, typer.Option(help="document of a tape, or of a scenario")],
    seed: Annotated[str, typer.Option(help="0 … 2^63 − 1")],
    out: Annotated[Path, typer.Option(help="new file: .parquet, .dbn or .dbn.zst")],
) -> None:
    """Make a synthetic tape of market-by-order events; the same bytes for the same seed."""
    spec = load_mbo_spec(read_file(scenario))
    _print(book_run.make(ResourceSet.from_environment(), spec, parse_seed(seed), out))


@book.command("check")
def book_check(
    file: File,
    symbol: Symbol = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Check a tape on a book: anomalies are counted, a broken invariant ends with 1."""
    resources = ResourceSet.from_environment()
    checked = book_run.check(resources, file, symbol or None, as_json=as_json)
    _print(checked.lines)
    raise typer.Exit(0 if checked.is_sound else 1)


@book.command("levels")
def book_levels(
    file: File,
    out: Annotated[Path, typer.Option(help="new parquet file")],
    levels: Annotated[int, typer.Option(help="1 … 100, levels of each side")] = 10,
    symbol: Symbol = "",
) -> None:
    """Write price, size and order count per level after each group of events."""
    resources = ResourceSet.from_environment()
    _print(book_run.levels(resources, file, levels, out, symbol or None))


@book.command("register")
def book_register(
    specs: Annotated[list[Path], typer.Argument(help="documents of tapes", show_default=False)],
    seeds: Annotated[str, typer.Option(help="seeds to register, e.g. 1-5 or 1,2,7")] = "",
) -> None:
    """Register tapes and SEEDS as partitions of the graph."""
    documents = all_valid(specs, load_mbo_spec)
    wanted = parse_seeds(seeds)
    _print(book_run.register(ResourceSet.from_environment(), documents, wanted))


@book.command("import")
def book_import(file: File, symbol: Symbol = "") -> None:
    """Keep a recorded file, read to its end, and register it as a partition of the graph."""
    _print(book_run.import_file(ResourceSet.from_environment(), file, symbol or None))


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
