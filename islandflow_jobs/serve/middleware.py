"""Around every HTTP request: rates, hosts and origins, tokens, sizes of bodies, headers.

Connections of the socket pass through untouched: they are refused by their own endpoint, with
a reason that their client sees.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.canonical import MAX_DOCUMENT_BYTES
from contracts.errors import ContractError
from islandflow_jobs.serve.access import Access
from islandflow_jobs.serve.answers import error_answer
from islandflow_jobs.serve.rates import Rates, too_often

_SECRET: Final = ("/v1/", "/api/", "/metrics")
_MOST_READ_BYTES: Final = 16 * MAX_DOCUMENT_BYTES
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Refuse what may not pass, before any endpoint sees it.

    Parameters
    ----------
    app : ASGIApp
    access : Access
    rates : Rates
    """

    def __init__(self, app: ASGIApp, access: Access, rates: Rates) -> None:
        self._app = app
        self._access = access
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if str(scope["path"]).startswith(_SECRET):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        body = None if refusal else await _body(receive)
        if isinstance(body, Response):
            refusal = body
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        await self._app(scope, _replayed(body, receive), with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), str(scope["path"])
        wait_s = self._rates.take(address_of(scope))
        if wait_s:
            answer = error_answer(too_often(wait_s))
            return JSONResponse(answer, 429, {"retry-after": str(wait_s)})
        try:
            self._access.check_origin(headers)
        except ContractError as error:
            return JSONResponse(error_answer(error), 403)
        try:
            if path.startswith(_SECRET):
                self._access.check_bearer(headers)
        except ContractError as error:
            return JSONResponse(error_answer(error), 401, {"www-authenticate": "Bearer"})
        return None


def address_of(scope: Scope) -> str:
    """Address that a connection comes from, of a proxy its own; empty if it has none."""
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _body(receive: Receive) -> bytes | Response:
    """The whole body, or the refusal of one that is too large."""
    pieces: list[bytes] = []
    size = 0
    while size <= _MOST_READ_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return Response(status_code=400)
        size += len(message.get("body", b""))
        # What is too large is read, not kept: who still writes would not see the answer.
        if size <= MAX_DOCUMENT_BYTES:
            pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(pieces) if size <= MAX_DOCUMENT_BYTES else _too_large()


def _replayed(body: bytes | Response | None, receive: Receive) -> Receive:
    """What reads the body again, and then whatever comes."""
    waiting = [body if isinstance(body, bytes) else b""]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def _too_large() -> Response:
    error = ContractError(
        "REQUEST_TOO_LARGE",
        f"the request has more than {MAX_DOCUMENT_BYTES} bytes",
        "body",
        ("register large documents, and refer to them",),
    )
    return JSONResponse(error_answer(error), 413, {"connection": "close"})
