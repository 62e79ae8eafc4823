"""The command line: ``islandflow …``.

Exit codes: 0 done, 2 bad input (one line per problem, nothing written), 1 anything
else. Commands only read arguments, call a verb and print; heavy imports wait
until a command needs them, because Dagster alone takes seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from contracts.errors import ContractError, IslandflowError
from contracts.scenario import load_scenario
from contracts.seeds import parse_seed, parse_seeds
from islandflow_jobs import operations
from islandflow_jobs.cli_analysis import catalog, report
from islandflow_jobs.cli_books import book
from islandflow_jobs.cli_campaigns import campaign, serving
from islandflow_jobs.cli_control import control
from islandflow_jobs.cli_datasets import dataset
from islandflow_jobs.cli_experiments import experiment
from islandflow_jobs.cli_flow import flow
from islandflow_jobs.cli_grids import grid
from islandflow_jobs.cli_maintenance import backup, gc, restore
from islandflow_jobs.cli_serve import serve
from islandflow_jobs.cli_tapes import tape
from islandflow_jobs.documents import (
    all_loaded,
    all_valid,
    one_line,
    read_file,
    refuse_undecodable,
)
from islandflow_resources.resource_set import ResourceSet

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # plain lines, which a log can keep
)
scenario = typer.Typer(no_args_is_help=True, help="Make and register scenarios.")
strategy = typer.Typer(no_args_is_help=True, help="Check and register strategies.")
backtest = typer.Typer(no_args_is_help=True, help="Run a backtest.")
schema = typer.Typer(no_args_is_help=True, help="JSON Schemas of the documents.")
app.add_typer(scenario, name="scenario")
app.add_typer(strategy, name="strategy")
app.add_typer(backtest, name="backtest")
app.add_typer(campaign, name="campaign")
app.add_typer(serving, name="serving")
app.add_typer(book, name="book")
app.add_typer(grid, name="grid")
app.add_typer(dataset, name="dataset")
app.add_typer(experiment, name="experiment")
app.add_typer(control, name="control")
app.add_typer(tape, name="tape")
app.add_typer(flow, name="flow")
app.add_typer(report, name="report")
app.add_typer(schema, name="schema")
app.command()(catalog)
app.command()(serve)
app.command()(gc)
app.command()(backup)
app.command()(restore)

Files = Annotated[list[Path], typer.Argument(help="documents", show_default=False)]
Seeds = Annotated[str, typer.Option(help="seeds to register, e.g. 1-5 or 1,2,7")]


@app.callback()
def _root() -> None:
    """From a seed to a promoted serving spec, every artefact content-addressed."""


@scenario.command("make")
def scenario_make(
    spec: Annotated[Path, typer.Argument(help="scenario document")],
    seed: Annotated[str, typer.Option(help="0 … 2^63 − 1; the document's own by default")] = "",
    out: Annotated[Path, typer.Option(help="folder that becomes an object store")] = Path(),
) -> None:
    """Make one dataset into a folder, with manifest and provenance, without any server."""
    document = load_scenario(read_file(spec))
    _print_each(operations.make(document, parse_seed(seed) if seed else document.seed, out))


@scenario.command("register")
def scenario_register(files: Files, seeds: Seeds = "") -> None:
    """Register scenarios, their own seeds and SEEDS as partitions of the graph."""
    documents = all_valid(files, load_scenario)
    wanted = parse_seeds(seeds)
    _print_each(operations.register_scenarios(ResourceSet.from_environment(), documents, wanted))


@strategy.command("check")
def strategy_check(
    files: Files,
    explain: Annotated[bool, typer.Option(help="print what each means, its hash and columns")] = (
        False
    ),
    bars: Annotated[
        int | None, typer.Option(min=2, help="length of the data: no window may exceed it")
    ] = (None),
) -> None:
    """Check strategies; exit 2 names what is wrong, where, and what to write instead."""
    documents = all_valid(files, lambda data: operations.checked_strategy(data, bars))
    for document in documents:
        _print_each(operations.explain(document) if explain else [f"ok {document.id}"])


@strategy.command("register")
def strategy_register(files: Files) -> None:
    """Register strategies; all are checked before the first is written."""
    documents = all_valid(files, operations.checked_strategy)
    _print_each(operations.register_strategies(ResourceSet.from_environment(), documents))


@backtest.command("run")
def backtest_run(
    strategy_file: Annotated[Path, typer.Option("--strategy", help="strategy document")],
    data: Annotated[
        str, typer.Option(help="parquet or CSV file, URI of a dataset, or scenario document")
    ],
    out: Annotated[Path, typer.Option(help="folder for metrics, equity, trades and result")],
    seed: Annotated[str, typer.Option(help="of a scenario document; its own by default")] = "",
    costs: Annotated[Path | None, typer.Option(help="costs document")] = None,
    settings: Annotated[
        Path | None, typer.Option(help="backtest settings document, costs included")
    ] = None,
    bars_per_day: Annotated[
        float | None, typer.Option(help="bars of a trading day, for files from elsewhere")
    ] = None,
    sessions: Annotated[
        bool, typer.Option("--sessions", help="the market closes: allow gaps over midnight UTC")
    ] = False,
) -> None:
    """Run one strategy on one series of bars, or find that it has been run."""
    from islandflow_jobs.backtest_run import Request, run

    request = Request(strategy_file, data, out, seed, costs, settings, bars_per_day, sessions)
    wanted = request.documents()
    loaded: list[Any] = all_loaded(list(wanted.values()))
    documents = dict(zip(wanted, loaded, strict=True))
    _print_each(run(ResourceSet.from_environment(), request, **documents))


@schema.command("export")
def schema_export(
    out: Annotated[Path, typer.Option(help="folder for the schemas")] = Path("schemas"),
) -> None:
    """Write the JSON Schema of every document."""
    _print_each(operations.export_schemas(out))


@app.command()
def verify(
    uri: Annotated[str, typer.Argument(help="object of a dataset or a result")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="every registered scenario × seed")
    ] = False,
) -> None:
    """Recompute from the seed and compare with what is stored."""
    if bool(uri) == everything:
        raise ContractError("ARGUMENTS_INVALID", "give either a URI or --all", "URI")
    resources = ResourceSet.from_environment()
    if everything:
        lines, broken = operations.verify_all(resources)
        _print_each(lines)
        raise typer.Exit(1 if broken else 0)
    _print_each(operations.verify_one(resources, uri))


@app.command()
def repair(uri: Annotated[str, typer.Argument(help="object of a damaged dataset")]) -> None:
    """Move a damaged dataset to quarantine and make it again."""
    _print_each(operations.repair(ResourceSet.from_environment(), uri))


@app.command()
def doctor() -> None:
    """Check profile, servers, versions and write access, and say how to mend them."""
    lines, healthy = operations.doctor()
    _print_each(lines)
    raise typer.Exit(0 if healthy else 1)


@app.command()
def sql(query: Annotated[str, typer.Argument(help="SQL over the views of the catalogue")]) -> None:
    """Query the stored tables where they lie: the views that islandflow catalog lists."""
    _print_each(operations.sql(ResourceSet.from_environment(), query))


@app.command()
def provision() -> None:
    """Make what the profile needs: bucket, tables, Dagster's database."""
    _print_each(operations.provision(ResourceSet.from_environment()))


@app.command()
def warm() -> None:
    """Compile the kernels into the kernel cache, and say how many and how long it took."""
    from islandflow_jobs.warm_run import warm as compile_all

    for line in compile_all(ResourceSet.from_environment()):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


@app.command("env")
def environment() -> None:
    """Print the environment of the profile for a shell: eval "$(islandflow env)"."""
    sys.stdout.write(operations.environment(ResourceSet.from_environment()))


@app.command()
def demo() -> None:
    """Run the main job on the scenario fixtures × 5 seeds and print what came out."""
    from islandflow_jobs.demo import run

    raise typer.Exit(run(ResourceSet.from_environment()))


@app.command()
def ui(port: Annotated[int, typer.Option(help="port on this machine")] = 3000) -> None:
    """Open the Dagster UI on the graph, with daemon, on this machine."""
    operations.serve_ui(ResourceSet.from_environment(), port)


def main() -> None:
    """Entry point: run a command and turn errors into one line each and an exit code."""
    try:
        refuse_undecodable(sys.argv[1:])
        app(standalone_mode=True)
    except IslandflowError as error:
        for problem in error.problems:
            sys.stderr.write(f"{one_line(problem)}\n")
        sys.exit(2 if isinstance(error, ContractError) else 1)


def _print_each(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
