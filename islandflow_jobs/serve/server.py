"""The server as a process: a listening socket, uvicorn, and an end that lets clients know.

What it serves is ``app``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import uvicorn

from contracts.errors import ConfigurationError
from islandflow_jobs.serve.app import Serving, make_app
from islandflow_jobs.serve.protocol import StreamProtocol
from islandflow_resources.resource_set import ResourceSet

_BACKLOG: Final = 1_024
_MAX_MESSAGE_BYTES: Final = 1 << 20
SEND_BUFFER_BYTES: Final = 1 << 18
_END_S: Final = 5


def listen(host: str, port: int, send_buffer_bytes: int = SEND_BUFFER_BYTES) -> socket.socket:
    """A listening socket; port 0 takes any that is free.

    Parameters
    ----------
    send_buffer_bytes : int
        What the kernel holds for a client that takes nothing.

    Raises
    ------
    ConfigurationError
        ``ADDRESS_TAKEN``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        made.bind((host, port))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise ConfigurationError(
            "ADDRESS_TAKEN",
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            "--port",
            ("give another port, or end what listens there",),
        ) from None
    return made


def run(
    resources: ResourceSet,
    serving: Serving,
    listening: socket.socket,
    started: Callable[[uvicorn.Server], None] | None = None,
) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    started : callable, optional
        Is given the server before it starts.
    """
    config = uvicorn.Config(
        make_app(resources, serving),
        loop="uvloop",
        http="httptools",
        ws=StreamProtocol,
        ws_max_size=_MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        log_level=resources.settings.log_level.lower(),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_END_S,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    if started is not None:
        started(server)
    # A key pressed to end it is how it is meant to end.
    with suppress(KeyboardInterrupt):
        server.run([listening])
