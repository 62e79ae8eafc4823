"""The server's side of one WebSocket: frames written as they are, ends that never wait.

A subclass of uvicorn's protocol, which keeps the handshake, pings and reading. What is
written is made in ``messages``; a client that takes nothing is ended by ``feeds``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

EXTENSION: Final = "islandflow.link"
MAX_REASON_BYTES: Final = 123
_GRACE_S: Final = 2.0


class StreamProtocol(WebSocketsSansIOProtocol):
    """A connection that applications find in their scope, under the extension `EXTENSION`.

    Attributes
    ----------
    on_writable : callable or None
        Called when the peer has taken enough that more may be written.
    """

    on_writable: Callable[[], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages still reach the peer."""
        return not self.close_sent and not self.disconnected and self.conn.state is State.OPEN

    @property
    def is_writable(self) -> bool:
        """Whether the peer takes what it is sent."""
        return self.is_open and self.writable.is_set()

    def write(self, frames: bytes) -> None:
        """Write whole frames; never waits, so ask `is_writable` first."""
        if self.is_open:
            self.transport.write(frames)

    def end(self, code: int, reason: str) -> None:
        """Close with a code and a reason; a peer that does not answer is cut off soon."""
        if not self.is_open:
            return
        self.stop_keepalive()
        self.conn.send_close(code, cut_reason(reason))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_GRACE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """More may be written."""
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    def shutdown(self) -> None:
        """The server ends: a peer that does not answer must not hold it."""
        super().shutdown()
        self.loop.call_later(_GRACE_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone."""
        self.on_writable = None
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        """Run the application with this connection in its scope."""
        extensions: dict[str, Any] = self.scope.setdefault("extensions", {})  # type: ignore[assignment]
        extensions[EXTENSION] = self
        await super().run_asgi()


def cut_reason(reason: str) -> str:
    """As much of a reason as a close frame holds, never cut inside a character."""
    data = reason.encode("utf-8", "replace")
    if len(data) <= MAX_REASON_BYTES:
        return data.decode()
    mark = "…"
    kept = data[: MAX_REASON_BYTES - len(mark.encode())].decode("utf-8", "ignore")
    return kept + mark
