"""``islandflow serve``: arguments in, a server until it is ended.

What it serves is ``islandflow_jobs.serve``; exit codes are those of ``cli``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from islandflow_resources.resource_set import ResourceSet


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 for any that is free")] = 8002,
    speed: Annotated[
        float, typer.Option(min=0.001, max=10_000.0, help="seconds of a stream a second")
    ] = 1.0,
    keep_bins: Annotated[
        int, typer.Option(min=1, max=100_000, help="bins that clients may come back for")
    ] = 1_200,
    queue_bins: Annotated[
        int, typer.Option(min=1, max=10_000, help="bins that a client may fall behind")
    ] = 64,
    latency_jsonl: Annotated[
        Path | None, typer.Option(help="file for the times of every bin, appended to")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.0, help="requests a second of one client; 0 for any number")
    ] = 50.0,
    burst: Annotated[int, typer.Option(min=1, help="requests of one client at once")] = 200,
    name: Annotated[
        list[str] | None,
        typer.Option(help="host name that clients call it by, besides HOST; repeatable"),
    ] = None,
) -> None:
    """Stream published signals, browse experiments, run backtests: HTTP and WebSocket."""
    resources = ResourceSet.from_environment()
    resources.engine_runtime.prepare()
    from islandflow_jobs.serve.access import LOOPBACK, Access
    from islandflow_jobs.serve.app import Serving
    from islandflow_jobs.serve.feeds import Pace
    from islandflow_jobs.serve.rates import Rate
    from islandflow_jobs.serve.server import listen, run

    names = (*(name or ()), host)
    hosts = (*LOOPBACK, *names) if name or host in LOOPBACK else ()
    serving = Serving(
        Access(hosts, resources.settings.serve_token),
        Pace(speed, keep_bins, queue_bins),
        latency_jsonl,
        rate=Rate(rate, burst),
    )
    if not hosts and not resources.settings.serve_token:
        told = "everybody who reaches this address may read what is served"
        sys.stderr.write(f"warning: {told}: set ISLANDFLOW_SERVE_TOKEN\n")
    with listen(host, port) as listening:
        shown = listening.getsockname()[1]
        sys.stdout.write(f"serving at http://{host}:{shown}\n")
        sys.stdout.flush()
        run(resources, serving, listening)
