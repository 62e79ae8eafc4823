"""``islandflow tape …``: arguments in, lines out.

What the commands do is ``tape_run``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.market import MAX_SYMBOLS
from contracts.seeds import parse_seeds
from contracts.tape import load_profile
from islandflow_jobs import catalogue_run, live_run, market_run, tape_run
from islandflow_jobs.documents import all_loaded, all_valid
from islandflow_jobs.live_voice import Voice
from islandflow_resources.resource_set import ResourceSet

tape = typer.Typer(no_args_is_help=True, help="Synthetic sessions of options and equities.")

Symbols = Annotated[
    int | None, typer.Option(min=1, max=MAX_SYMBOLS, help="symbols of the default profile")
]
Instant = Annotated[
    int | None, typer.Option("--start-ts", min=0, max=tape_run.MAX_INSTANT_NS, help="ns since 1970")
]
Folder = Annotated[
    Path,
    typer.Argument(help="folder of a tape, or of a single one", show_default=False),
]


@tape.command("make")
def tape_make(
    profile: Annotated[Path | None, typer.Option(help="profile document, complete")] = None,
    seed_bundle: Annotated[
        Path | None, typer.Option(help="document of seed, namespace and partition")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="0 … 2^63 − 1, instead of a bundle")] = None,
    seed_namespace: Annotated[str | None, typer.Option(help="with --seed [default]")] = None,
    seed_partition: Annotated[str | None, typer.Option(help="with --seed [market]")] = None,
    run_name: Annotated[str | None, typer.Option(help="what the tape is for, in words")] = None,
    out: Annotated[Path | None, typer.Option(help="folder of tapes and labels")] = None,
    run_id: Annotated[str | None, typer.Option(help="id of the run [run- and the tape]")] = None,
    scenario_id: Annotated[str | None, typer.Option(help="scenario of the catalogue")] = None,
    start_ts: Instant = None,
    duration: Annotated[
        int | None,
        typer.Option(min=0, max=100_000_000, help="seconds, 0 to the last close [the profile's]"),
    ] = None,
    print_defaults: Annotated[
        bool, typer.Option("--defaults", help="print the complete default profile, make nothing")
    ] = False,
    symbols: Symbols = None,
) -> None:
    """Make a tape and its labels; the same files for the same inputs."""
    if print_defaults:
        _print(tape_run.defaults(symbols))
        return
    wanted = tape_run.MakeRequest(
        profile=profile,
        seed_bundle=seed_bundle,
        seed=seed,
        seed_namespace=seed_namespace,
        seed_partition=seed_partition,
        run_name=run_name,
        out=out,
        run_id=run_id,
        scenario_id=scenario_id,
        start_ns=start_ts,
        duration_s=duration,
    )
    files: list[Any] = [(tape_run.complete(wanted).profile, load_profile)]
    if seed_bundle is not None:
        files.append((seed_bundle, tape_run.load_bundle))
    loaded: list[Any] = all_loaded(files)
    bundle = loaded[1] if seed_bundle is not None else None
    _print(tape_run.make(ResourceSet.from_environment(), wanted, loaded[0], bundle))


@tape.command("verify")
def tape_verify(
    folder: Folder,
    labels: Annotated[
        Path | None, typer.Option(help="folder of its labels [labels beside tapes]")
    ] = None,
    without_labels: Annotated[
        bool, typer.Option("--without-labels", help="leave the labels alone")
    ] = False,
) -> None:
    """Prove a tape: every file against its manifest, words, order; 1 if something is wrong."""
    resources = ResourceSet.from_environment()
    _print(tape_run.verify(resources, folder, labels, with_labels=not without_labels))


@tape.command("diff")
def tape_diff(
    one: Annotated[Path, typer.Argument(help="folder of a tape", show_default=False)],
    other: Annotated[Path, typer.Argument(help="folder of another", show_default=False)],
) -> None:
    """Say which parameters of two tapes differ, and from which row on which stream does."""
    _print(tape_run.diff(one, other))


@tape.command("replay")
def tape_replay(
    folder: Annotated[Path, typer.Argument(help="folder of a tape", show_default=False)],
    stream: Annotated[
        list[str] | None, typer.Option(help="stream, or all, options, nbbo, equities [all]")
    ] = None,
    start_ts: Instant = None,
    end_ts: Annotated[
        int | None, typer.Option(min=0, max=tape_run.MAX_INSTANT_NS, help="ns, excluded")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="seconds of the tape in one, 0 as fast as possible")
    ] = 0.0,
) -> None:
    """Print the events of a tape in order, one JSON object a line."""
    end_ns = tape_run.MAX_INSTANT_NS if end_ts is None else end_ts
    _print(tape_run.replay(folder, stream or (), start_ts or 0, end_ns, speed))


@tape.command("register")
def tape_register(
    profiles: Annotated[
        list[Path], typer.Argument(help="profile documents, complete", show_default=False)
    ],
    seeds: Annotated[
        str, typer.Option(help="seeds to make, e.g. 1-5 or 1,2,7 [the control's shared seed]")
    ] = "",
) -> None:
    """Register tapes as partitions of the graph; those that name the deployment follow its log."""
    documents = all_valid(profiles, load_profile)
    wanted = parse_seeds(seeds)
    _print(market_run.register(ResourceSet.from_environment(), documents, wanted))


@tape.command("live")
def tape_live(
    profile: Annotated[Path, typer.Option(help="profile document, complete")],
    out: Annotated[Path, typer.Option(help="folder of the streams, tapes and labels")],
    seed: Annotated[str | None, typer.Option(help="0 … 2^63 − 1")] = None,
    seed_bundle: Annotated[Path | None, typer.Option(help="document, instead of a seed")] = None,
    speed: Annotated[
        float | None, typer.Option(help="seconds of the tape in one [1, or as begun]")
    ] = None,
    from_start: Annotated[
        bool | None,
        typer.Option(
            "--from-start/--now",
            help="begin at this moment, or keep to the wall's own time [if the session is open]",
        ),
    ] = None,
    run_name: Annotated[str, typer.Option(help="what the tape is for")] = live_run.RUN_NAME,
    seal: Annotated[
        bool, typer.Option("--seal", help="at a signal, write what is made as a tape")
    ] = False,
) -> None:
    """Pace a tape on the clock, in streams that grow; started again, it goes on."""
    live_run.refuse_seeds(seed, seed_bundle)
    files: list[Any] = [(profile, load_profile)]
    if seed_bundle is not None:
        files.append((seed_bundle, tape_run.load_bundle))
    document, *bundles = all_loaded(files)
    bundle = bundles[0] if bundles else live_run.bundle_of(seed or "")
    request = live_run.LiveRequest(out, speed, from_start, run_name, seal)
    voice = Voice(say=_say, warn=_warn)
    live_run.run(ResourceSet.from_environment(), request, document, bundle, voice)


@tape.command("catalogue")
def tape_catalogue(
    name: Annotated[str, typer.Argument(help="scenario; all are listed without one")] = "",
    seed_bundle: Annotated[
        bool, typer.Option("--seed-bundle", help="print its seed bundle, not its profile")
    ] = False,
) -> None:
    """List the catalogue's scenarios, or print the complete profile of one."""
    if not name:
        _print(catalogue_run.listing())
        return
    _print(catalogue_run.seeds(name) if seed_bundle else catalogue_run.profile(name))


@tape.command("defaults")
def tape_defaults(symbols: Symbols = None) -> None:
    """Print the complete default profile, to start from."""
    _print(tape_run.defaults(symbols))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _warn(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
