"""The routes of backtests: bounded bodies in, heavy work on threads of its own.

What a request means is ``backtests``.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic.json_schema import models_json_schema

from islandflow_jobs.serve.answers import BacktestAnswer, ErrorAnswer
from islandflow_jobs.serve.backtests import BacktestRequest, Backtests, Tier

router = APIRouter(prefix="/api/v1/engine", tags=["backtests"])

TEMPLATE: Final = "#/components/schemas/{model}"
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": TEMPLATE.format(model="BacktestRequest")}}
        },
    }
}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    413: {"model": ErrorAnswer, "description": "More than 1,000,000 bytes"},
}


@router.post("/t0", openapi_extra=_BODY, responses=_REFUSALS)
async def run_t0(request: Request) -> BacktestAnswer:
    """A backtest on the first 1,000 bars."""
    return await _run(request, "t0")


@router.post("/t1", openapi_extra=_BODY, responses=_REFUSALS)
async def run_t1(request: Request) -> BacktestAnswer:
    """A backtest on the first 50,000 bars."""
    return await _run(request, "t1")


def request_schemas() -> dict[str, Any]:
    """JSON Schemas of the request and of its parts, by name."""
    _, schemas = models_json_schema([(BacktestRequest, "validation")], ref_template=TEMPLATE)
    return schemas["$defs"]


async def _run(request: Request, tier: Tier) -> BacktestAnswer:
    backtests: Backtests = request.app.state.backtests
    executor: ThreadPoolExecutor = request.app.state.backtest_executor
    body = await request.body()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, backtests.run, tier, body)
