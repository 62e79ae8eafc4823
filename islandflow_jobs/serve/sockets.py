"""The endpoint of streams: a connection accepted, asked, and then served or refused.

Refusals are a text ``{"type": "error", "message"}`` and a close with 1008; what may be asked is
``requests``, who may ask ``access``, what is sent ``feeds``.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.websockets import WebSocket

from contracts.errors import ContractError, IslandflowError
from islandflow_jobs.serve.access import Access
from islandflow_jobs.serve.clients import FAILED, REFUSED, TRY_LATER
from islandflow_jobs.serve.gauges import Gauges
from islandflow_jobs.serve.hub import Hub
from islandflow_jobs.serve.messages import text_frame
from islandflow_jobs.serve.middleware import address_of
from islandflow_jobs.serve.protocol import EXTENSION, StreamProtocol
from islandflow_jobs.serve.rates import Rates, too_often
from islandflow_jobs.serve.requests import Hello, asked_name, hello_of

PATH: Final = "/v1/vacuum-pressure/stream"
HELLO_S: Final = 2.0
_LOG = logging.getLogger(__name__)


class Sockets:
    """Connections of one server.

    Parameters
    ----------
    hub : Hub
    access : Access
    gauges : Gauges
    rates : Rates
    hello_s : float
        How long a client has for its first message.
    """

    def __init__(
        self, hub: Hub, access: Access, gauges: Gauges, rates: Rates, hello_s: float = HELLO_S
    ) -> None:
        self._hub = hub
        self._access = access
        self._gauges = gauges
        self._rates = rates
        self._hello_s = hello_s

    async def serve(self, socket: WebSocket) -> None:
        """One connection from its beginning to its end."""
        link: StreamProtocol = socket.scope["extensions"][EXTENSION]
        await socket.accept()
        try:
            await self._serve(socket, link)
        except IslandflowError as error:
            code = TRY_LATER if error.retryable else REFUSED
            if code == REFUSED:
                self._gauges.refused.inc()
            _end(link, code, "; ".join(str(problem) for problem in error.problems))
        except Exception:
            _LOG.exception("a connection failed")
            _end(link, FAILED, "internal error")

    async def _serve(self, socket: WebSocket, link: StreamProtocol) -> None:
        wait_s = self._rates.take(address_of(socket.scope))
        if wait_s:
            raise too_often(wait_s)
        self._access.check_origin(socket.headers)
        name = asked_name(socket.scope["query_string"])
        hello = await self._hello(socket)
        if hello is None:
            return
        self._access.check_token(hello.token)
        feed = await self._hub.feed(name)
        client = await feed.join(link, name, hello.resume_bin)
        try:
            if await _next_message(socket) is not None:
                raise ContractError(
                    "MESSAGE_UNEXPECTED",
                    "a client says nothing after its first message",
                    hints=("connect again to ask for something else",),
                )
        finally:
            feed.leave(client)
            link.on_writable = None

    async def _hello(self, socket: WebSocket) -> Hello | None:
        """The first message, or what silence means; None if the client is gone."""
        try:
            message = await asyncio.wait_for(_next_message(socket), self._hello_s)
        except TimeoutError:
            return Hello(type="hello")
        return None if message is None else hello_of(message)


async def _next_message(socket: WebSocket) -> str | bytes | None:
    """What the client says next; None if it is gone."""
    message = await socket.receive()
    if message["type"] != "websocket.receive":
        return None
    text: str | None = message.get("text")
    return message["bytes"] if text is None else text


def _end(link: StreamProtocol, code: int, message: str) -> None:
    link.on_writable = None
    link.write(text_frame({"type": "error", "message": message}))
    link.end(code, message)
