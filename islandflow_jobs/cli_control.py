"""``islandflow control …``: arguments in, lines out.

What the commands do is ``control_run``, where the market stands ``control_status``; exit codes
are those of ``cli``. Tapes of the synthetic market have their own module.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import ContractError
from contracts.tape import load_profile
from islandflow_jobs import control_run, control_status
from islandflow_jobs.control_run import Asked, Flags
from islandflow_jobs.control_status import StatusRequest
from islandflow_jobs.documents import all_valid
from islandflow_jobs.live_run import seed_of
from islandflow_resources.resource_set import ResourceSet

control = typer.Typer(no_args_is_help=True, help="Control of the synthetic market.")

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


@control.command("show")
def control_show(as_json: AsJson = False) -> None:
    """The last revision: every field, and which differ from the demo profile's template."""
    _print(control_run.show(ResourceSet.from_environment(), as_json=as_json))


@control.command("set")
def control_set(
    demo_profile: Annotated[
        str | None, typer.Option(help="template to start from; other fields set here win")
    ] = None,
    load_profile: Annotated[
        str | None, typer.Option(help="rates: steady, active, firehose")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="which regimes are likely")] = None,
    coverage_assist: Annotated[
        bool | None,
        typer.Option(
            "--coverage-assist/--no-coverage-assist",
            help="make likelier what was not seen for long",
        ),
    ] = None,
    coverage_window: Annotated[int | None, typer.Option(help="minutes: 10, 20 or 30")] = None,
    shared_seed: Annotated[str | None, typer.Option(help="0 … 2^63 − 1")] = None,
    weight: Annotated[
        list[str] | None, typer.Option(help="PROFILE=low|normal|high, repeat for several")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="patch, JSON; flags win over it")] = None,
    replace: Annotated[
        Path | None, typer.Option(help="whole control, JSON: every field is given")
    ] = None,
    expect_revision: Annotated[
        int | None,
        typer.Option(min=0, help="revision that this is decided on; the last by default"),
    ] = None,
    effective_at: Annotated[
        str | None, typer.Option(help="instant or nanoseconds; two seconds from now by default")
    ] = None,
    updated_by: Annotated[str | None, typer.Option(help="who changes it; you by default")] = None,
) -> None:
    """Change some fields, or replace the whole, from a whole second on."""
    flags = Flags(
        demo_profile,
        load_profile,
        preset,
        coverage_assist,
        coverage_window,
        shared_seed,
        weight or (),
    )
    _refuse_contradiction(flags, file, replace)
    effective_ns = None if effective_at is None else control_run.parse_moment(effective_at)
    patch = control_run.parse_flags(flags)
    if file is not None:
        [written] = all_valid([file], control_run.parse_patch)
        patch = control_run.joined(written, patch)
    [whole] = all_valid([replace], control_run.parse_whole) if replace is not None else [None]
    asked = Asked(patch, whole, expect_revision, effective_ns, updated_by)
    _print(control_run.save(ResourceSet.from_environment(), asked))


@control.command("history")
def control_history(as_json: AsJson = False) -> None:
    """Every revision, oldest first: from when on, who saved it, what it changed."""
    _print(control_run.history(ResourceSet.from_environment(), as_json=as_json))


@control.command("status")
def control_now(
    as_json: AsJson = False,
    profile: Annotated[
        Path | None, typer.Option(help="profile document [the default one, on that day]")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="instant or nanoseconds [now, or where the live tape is]")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="0 … 2^63 − 1 [the shared seed]")] = None,
    live: Annotated[Path | None, typer.Option(help="folder of a live tape")] = None,
) -> None:
    """Where the market stands: phase, regime, focus, and which bursts were scheduled."""
    at_ns = None if at is None else control_run.parse_moment(at, "--at")
    number = None if seed is None else seed_of(seed)
    [document] = all_valid([profile], load_profile) if profile is not None else [None]
    wanted = StatusRequest(document, at_ns, number, live)
    _print(control_status.status(ResourceSet.from_environment(), wanted, as_json=as_json))


def _refuse_contradiction(flags: Flags, file: Path | None, replace: Path | None) -> None:
    """Refuse to patch and replace at once, and to do neither."""
    patches = flags != Flags() or file is not None
    if patches and replace is not None:
        said, hint = "a patch and a whole control are given", "give either --replace or the others"
    elif not patches and replace is None:
        said, hint = "nothing is to be set", "give a field, --file or --replace"
    else:
        return
    raise ContractError("ARGUMENTS_INVALID", said, "--replace", (hint,))


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
