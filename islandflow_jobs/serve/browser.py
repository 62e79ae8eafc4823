"""Endpoints of the experiment browser: runs, one run, what is published.

The queries are ``islandflow_resources.signal_runs`` and ``registry``; the answers ``answers``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from islandflow_jobs.serve.answers import (
    ErrorAnswer,
    Filters,
    RunAnswer,
    RunList,
    RunMeta,
    RunRow,
    ServedAlias,
    ServedList,
    ThresholdRow,
)
from islandflow_resources import signal_runs
from islandflow_resources.models import SignalRun
from islandflow_resources.registry import Registry
from islandflow_resources.resource_set import ResourceSet

router = APIRouter(tags=["experiments"])

_Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.=:-]+$")]
_Sort = Literal[
    "tp_rate",
    "mean_pnl_ticks",
    "events_per_hour",
    "n_signals",
    "sl_rate",
    "timeout_rate",
    "median_time_to_outcome_ms",
]


class RunsQuery(BaseModel):
    """Which runs, in which order."""

    model_config = ConfigDict(extra="forbid")

    signal: _Name | None = None
    dataset_id: _Name | None = None
    sort: _Sort = "tp_rate"
    min_signals: Annotated[int, Field(ge=0, le=1_000_000_000)] = 5
    top_n: Annotated[int, Field(ge=1, le=1_000)] = 50


@router.get("/v1/experiments/runs")
def list_runs(request: Request, query: Annotated[RunsQuery, Query()]) -> RunList:
    """The best runs of book signals."""
    resources: ResourceSet = request.app.state.resources
    database = resources.database
    rows = signal_runs.query_runs(
        database,
        query.signal,
        query.dataset_id,
        query.sort,
        query.min_signals,
        query.top_n,
    )
    served = signal_runs.serving_aliases(database, [row.run_id for row in rows])
    runs = [RunRow(**_row(row), can_stream=row.run_id in served) for row in rows]
    return RunList(runs=runs, filters=Filters(**signal_runs.filters(database)))


@router.get("/v1/experiments/runs/{run_id}/detail", responses={404: {"model": ErrorAnswer}})
def show_run(
    request: Request, run_id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
) -> RunAnswer:
    """One run with what came of each of its thresholds."""
    resources: ResourceSet = request.app.state.resources
    found = signal_runs.run_detail(resources.store, resources.database, run_id)
    run, can_stream = found.run, bool(found.aliases)
    names = ThresholdRow.model_fields.keys() - {"cooldown_bins"}
    return RunAnswer(
        meta=RunMeta(
            **_row(run),
            can_stream=can_stream,
            engine=run.version,
            campaign_key=run.campaign_key,
        ),
        threshold_results=[
            ThresholdRow(**{name: row[name] for name in names}, cooldown_bins=run.cooldown_bins)
            for row in found.thresholds
        ],
        streaming_url=f"/?serving={found.aliases[0]}" if can_stream else None,
        can_stream=can_stream,
    )


@router.get("/v1/serving")
def list_serving(request: Request) -> ServedList:
    """All aliases, and what they serve."""
    resources: ResourceSet = request.app.state.resources
    registry = Registry(resources.database)
    kinds = {row.serving_id: row.kind for row in registry.specs()}
    return ServedList(
        aliases=[
            ServedAlias(
                alias=one.alias, serving_id=one.serving_id, kind=kinds.get(one.serving_id, "")
            )
            for one in registry.aliases()
        ]
    )


def _row(run: SignalRun) -> dict[str, Any]:
    names = RunRow.model_fields.keys() - {"created_at", "can_stream"}
    return {
        **{name: getattr(run, name) for name in names},
        "created_at": run.created_at.isoformat(),
    }
