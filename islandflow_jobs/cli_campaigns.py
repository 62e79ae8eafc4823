"""``islandflow campaign …`` and ``islandflow serving …``: arguments in, lines out.

What the commands do is ``campaign_run`` and ``serving_run``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.campaign import load_campaign
from contracts.errors import ContractError
from islandflow_jobs import campaign_run, serving_run
from islandflow_jobs.documents import read_file
from islandflow_resources.process_environment import choose_executor
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.settings import EXECUTORS

campaign = typer.Typer(no_args_is_help=True, help="Run campaigns and look at them.")
serving = typer.Typer(no_args_is_help=True, help="Published specs, aliases, promotion.")

File = Annotated[Path, typer.Argument(help="campaign, YAML or JSON", show_default=False)]
Name = Annotated[str, typer.Argument(help="key, hash or id of a campaign", show_default=False)]
Promote = Annotated[bool, typer.Option(help="serve the winner if the gate lets it pass")]
Executor = Annotated[str, typer.Option(help="in_process, multiprocess or ray, for this run")]
Alias = Annotated[str, typer.Argument(help="alias", show_default=False)]
Reason = Annotated[str, typer.Option(help="why, for the audit log")]


@campaign.command("check")
def campaign_check(file: File) -> None:
    """Check a campaign whole without running it, and say how large it is."""
    spec = load_campaign(read_file(file))
    _print(campaign_run.check(ResourceSet.from_environment(), spec))


@campaign.command("register")
def campaign_register(file: File) -> None:
    """Add a campaign as a partition; the sensor start_campaigns runs it."""
    spec = load_campaign(read_file(file))
    _print(campaign_run.register(ResourceSet.from_environment(), spec))


@campaign.command("run")
def campaign_run_(file: File, promote: Promote = True, executor: Executor = "") -> None:
    """Run a campaign: all trials, what they say, and the promotion of the winner."""
    spec = load_campaign(read_file(file))
    _choose(executor)
    _finish(campaign_run.run(ResourceSet.from_environment(), spec, promote=promote))


@campaign.command("resume")
def campaign_resume(name: Name, promote: Promote = True, executor: Executor = "") -> None:
    """Run a registered campaign again: what is recorded is found, the rest made."""
    _choose(executor)
    _finish(campaign_run.resume(ResourceSet.from_environment(), name, promote=promote))


@campaign.command("status")
def campaign_status(
    name: Annotated[str, typer.Argument(help="key, hash or id; all by default")] = "",
) -> None:
    """How far campaigns are, and what the gate said of their winners."""
    _print(campaign_run.status(ResourceSet.from_environment(), name or None))


@campaign.command("compare")
def campaign_compare(
    names: Annotated[list[str], typer.Argument(help="campaigns", show_default=False)],
    top: Annotated[int, typer.Option(help="candidates shown", min=1)] = 10,
) -> None:
    """The best candidates of several campaigns side by side."""
    _print(campaign_run.compare(ResourceSet.from_environment(), names, top))


@serving.command("list")
def serving_list() -> None:
    """Aliases with what they serve, and all published specs."""
    _print(serving_run.list_specs(ResourceSet.from_environment()))


@serving.command("show")
def serving_show(
    name: Annotated[str, typer.Argument(help="alias, id, or its first 8 digits or more")],
) -> None:
    """One published spec, refused if it is not what its id names."""
    _print(serving_run.show(ResourceSet.from_environment(), name))


@serving.command("promote")
def serving_promote(
    name: Name,
    alias: Annotated[str, typer.Option(help="alias; the campaign's own by default")] = "",
    reason: Reason = "",
    override: Annotated[bool, typer.Option(help="although the gate refuses")] = False,
    dry_run: Annotated[bool, typer.Option(help="only say what would be done")] = False,
) -> None:
    """Serve the winner of a finished campaign, through the same gate as the sensor."""
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


@serving.command("sign")
def serving_sign(
    name: Annotated[str, typer.Argument(help="alias, id, or its first 8 digits or more")],
) -> None:
    """Verify the whole chain of a published spec, and sign it with this deployment's key."""
    _print(serving_run.sign(ResourceSet.from_environment(), name))


@serving.command("key")
def serving_key(
    new: Annotated[bool, typer.Option("--new", help="print a fresh pair, kept nowhere")] = False,
) -> None:
    """The public key that specs are signed for here, to be trusted elsewhere."""
    _print(serving_run.new_key() if new else serving_run.show_key(ResourceSet.from_environment()))


@serving.command("rollback")
def serving_rollback(
    alias: Alias,
    reason: Annotated[str, typer.Option(help="why, for the audit log", show_default=False)],
    to: Annotated[str, typer.Option(help="spec to go back to; the one before by default")] = "",
) -> None:
    """Move an alias back to what it served before; nothing is deleted."""
    _print(serving_run.rollback(ResourceSet.from_environment(), alias, to=to, reason=reason))


@serving.command("history")
def serving_history(alias: Alias) -> None:
    """Every move of an alias."""
    _print(serving_run.history(ResourceSet.from_environment(), alias))


def _choose(executor: str) -> None:
    """Use an executor for this run; none named, the environment's."""
    if not executor:
        return
    if executor not in EXECUTORS:
        said = f"there is no executor {executor!r}"
        hint = f"write one of {', '.join(EXECUTORS)}"
        raise ContractError("ARGUMENTS_INVALID", said, "--executor", (hint,))
    choose_executor(executor)


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
