"""``islandflow flow …``: arguments in, lines out.

What the commands do is ``flow_run``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from contracts.flow_policy import load_policy
from islandflow_jobs import flow_run
from islandflow_jobs.documents import all_loaded
from islandflow_resources.resource_set import ResourceSet

flow = typer.Typer(no_args_is_help=True, help="Detection of smart flow on tapes.")

Tape = Annotated[
    Path, typer.Argument(help="folder of a tape, or of a single one", show_default=False)
]
Found = Annotated[Path, typer.Option("--in", help="folder that was given to: flow detect --out")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


@flow.command("detect")
def flow_detect(
    tape: Tape,
    out: Annotated[Path, typer.Option(help="folder of the detection's tables")],
    policy: Annotated[
        Path | None, typer.Option(help="scoring policy document [the usual one]")
    ] = None,
    lateness_ms: Annotated[
        float, typer.Option(min=0, max=60_000, help="how long events wait for earlier ones")
    ] = 0.0,
) -> None:
    """Say what kinds of flow a tape holds; its labels are never opened."""
    given = all_loaded([(policy, load_policy)])[0] if policy else None
    resources = ResourceSet.from_environment()
    _print(flow_run.detect(resources, tape, out, given, lateness_ms))


@flow.command("explain")
def flow_explain(
    alert_id: Annotated[str, typer.Argument(help="id of an alert, or a cluster's")],
    found: Found,
    as_json: AsJson = False,
) -> None:
    """Tell why there is an alert, down to single prints."""
    resources = ResourceSet.from_environment()
    _print(flow_run.explain(resources, alert_id, found, as_json=as_json))


@flow.command("evaluate")
def flow_evaluate(
    tape: Tape,
    found: Found,
    labels: Annotated[
        Path | None, typer.Option(help="folder of its labels [labels beside tapes]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a detection by the truth; 1 if an expected output is not met."""
    resources = ResourceSet.from_environment()
    _print(flow_run.evaluate(resources, tape, found, labels, as_json=as_json))


@flow.command("policy")
def flow_policy() -> None:
    """Print the usual scoring policy, to start from."""
    _print(flow_run.policy())


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
