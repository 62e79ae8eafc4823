"""The application: resources, streams and endpoints put together.

Each part stands in a module of its own; ``server`` runs what is made here.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute

from contracts.errors import ContractError, IslandflowError, NotFoundError, Problem
from islandflow_jobs.serve import backtest_api, browser, status
from islandflow_jobs.serve.access import Access
from islandflow_jobs.serve.answers import ErrorAnswer, error_answer
from islandflow_jobs.serve.backtests import Backtests
from islandflow_jobs.serve.clients import RESTARTING
from islandflow_jobs.serve.feeds import Pace
from islandflow_jobs.serve.gauges import Gauges
from islandflow_jobs.serve.hub import Hub
from islandflow_jobs.serve.middleware import Guard
from islandflow_jobs.serve.pages import page_routes
from islandflow_jobs.serve.rates import Rate, Rates
from islandflow_jobs.serve.sockets import PATH, Sockets
from islandflow_jobs.serve.telemetry import Telemetry
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.retries import Patience

_LOG = logging.getLogger(__name__)
_ENGINE_THREADS: Final = 4
_BACKTEST_THREADS: Final = 2
_DOC: Final = "Streams of published signals, the runs behind them, and backtests on request."


@dataclass(frozen=True, slots=True)
class Serving:
    """How a server is to be run.

    Attributes
    ----------
    access : Access
    pace : Pace
    latency_file : Path or None
        Where times of every bin are written.
    hello_s : float
        How long a client has for its first message.
    rate : Rate
        How often one client may ask.
    """

    access: Access = field(default_factory=Access)
    pace: Pace = field(default_factory=Pace)
    latency_file: Path | None = None
    hello_s: float = 2.0
    rate: Rate = field(default_factory=Rate)


def make_app(resources: ResourceSet, serving: Serving) -> FastAPI:
    """The application of one server."""
    app = FastAPI(
        title="islandflow",
        version=version("islandflow"),
        description=_DOC,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        responses={
            400: {"model": ErrorAnswer, "description": "The request is not right"},
            401: {"model": ErrorAnswer, "description": "The token is missing or wrong"},
            403: {"model": ErrorAnswer, "description": "Another host or origin"},
            429: {"model": ErrorAnswer, "description": "Too often: see Retry-After"},
        },
    )
    app.state.resources = resources
    app.state.serving = serving
    app.state.gauges = Gauges()
    app.state.rates = Rates(serving.rate)
    app.state.probes = Probes(resources)
    app.state.backtests = Backtests(resources)
    for part in (status, browser, backtest_api):
        app.include_router(part.router)
    app.router.routes.append(WebSocketRoute(PATH, _stream))
    app.router.routes.extend(page_routes())
    app.add_middleware(Guard, access=serving.access, rates=app.state.rates)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


class Probes:
    """The servers behind a profile, asked with little patience."""

    def __init__(self, resources: ResourceSet) -> None:
        self._resources = resources
        self._patience = Patience(total_s=2.0)

    @property
    def store(self) -> ObjectStore:
        """The store."""
        from islandflow_resources.s3_store import S3Store

        s3 = self._resources.settings.s3
        return self._resources.store if s3 is None else S3Store(s3, self._patience)

    @property
    def database(self) -> Any:
        """The database."""
        from islandflow_resources.database import Database

        return Database(self._resources.settings.database_url, self._patience)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    serving: Serving = app.state.serving
    resources: ResourceSet = app.state.resources
    with (
        ThreadPoolExecutor(_ENGINE_THREADS, "streams") as streams,
        ThreadPoolExecutor(_BACKTEST_THREADS, "backtests") as backtests,
        Telemetry(serving.latency_file) as telemetry,
        tempfile.TemporaryDirectory(prefix="islandflow-serve-") as workspace,
    ):
        hub = Hub(resources, serving.pace, streams, app.state.gauges, telemetry, Path(workspace))
        app.state.hub = hub
        app.state.backtest_executor = backtests
        app.state.sockets = Sockets(
            hub, serving.access, app.state.gauges, app.state.rates, serving.hello_s
        )
        yield
        await hub.stop(RESTARTING, "the server is going down: come back with resume_bin")


async def _stream(socket: Any) -> None:
    sockets: Sockets = socket.app.state.sockets
    await sockets.serve(socket)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the requests that are read by readers of their own."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=_DOC, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        schemas.update(backtest_api.request_schemas())
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        app.openapi_schema = document
    return app.openapi_schema


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, IslandflowError)
    if isinstance(error, ContractError):
        code = 400
    elif isinstance(error, NotFoundError):
        code = 404
    else:
        code = 503 if error.retryable else 500
    return JSONResponse(error_answer(error), code)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        Problem("REQUEST_INVALID", str(one["msg"]), "/".join(map(str, one["loc"])))
        for one in error.errors()
    ]
    first, *others = found
    told = ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    return JSONResponse(error_answer(told), 400)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    told = ContractError(f"HTTP_{error.status_code}", str(error.detail))
    return JSONResponse(error_answer(told), error.status_code, error.headers)


async def _broken(_: Request, error: Exception) -> JSONResponse:
    _LOG.error("a request failed", exc_info=error)
    return JSONResponse(error_answer(ContractError("INTERNAL", "internal error")), 500)


_HANDLERS: Final = {
    Exception: _broken,
    IslandflowError: _refused,
    RequestValidationError: _invalid,
    HTTPException: _http,
}
