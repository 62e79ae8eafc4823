"""Endpoints about the server itself: is it well, what is it, what does it do.

Figures are counted in ``gauges``.
"""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, Request, Response

from contracts.errors import IslandflowError
from engine.digest import engine_digest
from islandflow_jobs.serve.answers import Health, Version
from islandflow_jobs.serve.gauges import Gauges
from islandflow_resources.resource_set import ResourceSet

router = APIRouter(tags=["server"])
_METRICS = "text/plain; version=1.0.0; charset=utf-8"


@router.get("/healthz", responses={503: {"model": Health, "description": "What is away"}})
def health(request: Request, response: Response) -> Health:
    """Whether store and database answer."""
    probes: ResourceSet = request.app.state.probes
    found: dict[str, str] = {}
    for name in ("store", "database"):
        try:
            getattr(probes, name).check()
            found[name] = "ok"
        except IslandflowError as error:
            found[name] = str(error.problems[0])
    ok = all(told == "ok" for told in found.values())
    response.status_code = 200 if ok else 503
    return Health(ok=ok, **found)


@router.get("/version")
def show_version() -> Version:
    """What is running."""
    return Version(
        version=version("islandflow"), engine_digest=engine_digest(), git_commit=git_commit()
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {_METRICS: {"schema": {"type": "string"}}}}},
)
def show_metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    gauges: Gauges = request.app.state.gauges
    return Response(gauges.text(), media_type=_METRICS)


@cache
def git_commit() -> str | None:
    """Commit of the checkout that runs; None where it is none."""
    top = Path(__file__).parents[2]
    if not (top / ".git").exists():
        return None
    command = ["git", "-C", str(top), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
