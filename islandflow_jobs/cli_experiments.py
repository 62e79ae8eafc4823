"""``islandflow experiment …``: arguments in, lines out.

An experiment is a campaign of book signals: running one is ``campaign_run``'s, what only signals
have is ``experiment_run``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.experiment import EvalSettings, load_experiment
from islandflow_jobs import campaign_run, experiment_run, serving_run
from islandflow_jobs.documents import read_file
from islandflow_resources.resource_set import ResourceSet

experiment = typer.Typer(no_args_is_help=True, help="Try book signals, and look at what they gave.")

File = Annotated[Path, typer.Argument(help="experiment, YAML or JSON", show_default=False)]
Name = Annotated[str, typer.Argument(help="key, hash or id of an experiment", show_default=False)]
Promote = Annotated[bool, typer.Option(help="serve the winner if the gate lets it pass")]
Compat = Annotated[str, typer.Option(help="v2, or v1 to repeat the predecessor's results")]
Params = Annotated[str, typer.Option(help='parameters of the signal as JSON, e.g. {"lag_bins": 4}')]
Out = Annotated[Path, typer.Option(help="file or folder to write", show_default=False)]


@experiment.command("check")
def experiment_check(file: File) -> None:
    """Check an experiment whole without running it, and say how large it is."""
    spec = load_experiment(read_file(file))
    _print(campaign_run.check(ResourceSet.from_environment(), spec))


@experiment.command("register")
def experiment_register(file: File) -> None:
    """Add an experiment as a partition; the sensor start_campaigns runs it."""
    spec = load_experiment(read_file(file))
    _print(campaign_run.register(ResourceSet.from_environment(), spec))


@experiment.command("run")
def experiment_run_(file: File, promote: Promote = True) -> None:
    """Run an experiment: datasets that are missing, all trials, the gate, the promotion."""
    spec = load_experiment(read_file(file))
    _finish(campaign_run.run(ResourceSet.from_environment(), spec, promote=promote))


@experiment.command("resume")
def experiment_resume(name: Name, promote: Promote = True) -> None:
    """Run a registered experiment again: what is recorded is found, the rest made."""
    _finish(campaign_run.resume(ResourceSet.from_environment(), name, promote=promote))


@experiment.command("status")
def experiment_status(
    name: Annotated[str, typer.Argument(help="key, hash or id; all by default")] = "",
) -> None:
    """How far experiments are, and what the gate said of their winners."""
    _print(campaign_run.status(ResourceSet.from_environment(), name or None))


@experiment.command("compare")
def experiment_compare(
    signal: Annotated[str, typer.Option(help="only this signal")] = "",
    dataset_id: Annotated[str, typer.Option(help="only this dataset")] = "",
    sort: Annotated[str, typer.Option(help="column to sort by")] = "tp_rate",
    min_signals: Annotated[int, typer.Option(help="signals of a run, at least", min=0)] = 5,
    top: Annotated[int, typer.Option(help="runs shown", min=1, max=10_000)] = 20,
) -> None:
    """The best runs of all experiments, each by its best threshold."""
    asked = experiment_run.Asked(signal or None, dataset_id or None, sort, min_signals, top)
    _print(experiment_run.compare(ResourceSet.from_environment(), asked))


@experiment.command("list-signals")
def list_signals(
    name: Annotated[str, typer.Argument(help="one signal, with its parameters")] = "",
) -> None:
    """Signals there are: columns, thresholds, parameters and defaults."""
    _print(experiment_run.list_signals(ResourceSet.from_environment(), name))


@experiment.command("list-datasets")
def list_datasets() -> None:
    """Grid datasets that stand, with how many runs each has."""
    _print(experiment_run.list_datasets(ResourceSet.from_environment()))


@experiment.command("online-sim")
def online_sim(
    signal: Annotated[str, typer.Option(help="name of a signal", show_default=False)],
    dataset_id: Annotated[str, typer.Option(help="grid dataset", show_default=False)],
    signal_params_json: Params = "{}",
    bin_budget_ms: Annotated[
        float, typer.Option(help="time that a bin has; the width of its bins by default", min=0)
    ] = 0.0,
) -> None:
    """Push a dataset through a signal bin by bin and time every update."""
    resources = ResourceSet.from_environment()
    params = experiment_run.parse_params(signal_params_json)
    _print(experiment_run.online_sim(resources, signal, dataset_id, params, bin_budget_ms))


@experiment.command("promote")
def experiment_promote(
    name: Name,
    alias: Annotated[str, typer.Option(help="alias; the experiment's own by default")] = "",
    reason: Annotated[str, typer.Option(help="why, for the audit log")] = "",
    override: Annotated[bool, typer.Option(help="although the gate refuses")] = False,
    dry_run: Annotated[bool, typer.Option(help="only say what would be done")] = False,
) -> None:
    """Serve the winner of a finished experiment, through the same gate as the sensor."""
    _print(
        serving_run.promote(
            ResourceSet.from_environment(),
            name,
            alias=alias,
            reason=reason,
            is_override=override,
            is_dry_run=dry_run,
        )
    )


@experiment.command("signals")
def experiment_signals(
    dataset: Annotated[
        str, typer.Argument(help="id of a dataset, or a folder", show_default=False)
    ],
    out: Out,
    signal: Annotated[str, typer.Option(help="one signal; by default all statistical ones")] = "",
    signal_params_json: Params = "{}",
    compat: Compat = "v2",
) -> None:
    """Write the values of signals on every bin of a dataset to a parquet file."""
    resources = ResourceSet.from_environment()
    params = experiment_run.parse_params(signal_params_json)
    wanted = experiment_run.Series(dataset, signal, params, experiment_run.parse_compat(compat))
    _print(experiment_run.write_signals(resources, wanted, out))


@experiment.command("evaluate")
def experiment_evaluate(
    series: Annotated[
        Path,
        typer.Argument(help="parquet file with ts_ns, mid_price and values", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option(help="folder for summary.parquet, trades.parquet", show_default=False)
    ],
    threshold: Annotated[list[float], typer.Option(help="repeat for several", show_default=False)],
    column: Annotated[str, typer.Option(help="column of the values")] = "signal",
    mode: Annotated[str, typer.Option(help="signal, probability or confidence")] = "signal",
    tick_size: Annotated[float, typer.Option(help="tick, quote currency")] = 0.25,
    eval_json: Annotated[
        str, typer.Option(help='settings as JSON, as under "eval" of an experiment')
    ] = "{}",
    compat: Compat = "v2",
) -> None:
    """Trade a series of values from anywhere: a summary a rule, and every trade."""
    settings: EvalSettings = experiment_run.parse_settings(eval_json, compat)
    request = experiment_run.Evaluation(series, column, mode, tuple(threshold), tick_size, settings)
    _print(experiment_run.evaluate(ResourceSet.from_environment(), request, out))


def _finish(ran: campaign_run.Ran) -> None:
    if ran.succeeded:
        _print(ran.lines)
        return
    for line in ran.lines:
        sys.stderr.write(f"{line}\n")
    raise typer.Exit(1)


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
