"""A server in a thread of this process, and clients that speak to it over real sockets.

What it streams is made by published.py.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from islandflow_jobs.serve.app import Serving
from islandflow_jobs.serve.feeds import Pace
from islandflow_jobs.serve.server import SEND_BUFFER_BYTES, listen, run
from islandflow_resources.resource_set import ResourceSet

PATIENCE_S = 30.0
FAST = Pace(speed=40.0)


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    port: int

    @property
    def http(self) -> str:
        """Of requests."""
        return f"http://127.0.0.1:{self.port}"

    def stream(self, query: str) -> str:
        """Of a stream."""
        return f"ws://127.0.0.1:{self.port}/v1/vacuum-pressure/stream{query}"


@contextmanager
def serving(
    resources: ResourceSet, how: Serving, send_buffer_bytes: int = SEND_BUFFER_BYTES
) -> Iterator[Address]:
    """A server for as long as the block lasts."""
    with listen("127.0.0.1", 0, send_buffer_bytes) as listening:
        servers: list[uvicorn.Server] = []
        thread = threading.Thread(
            target=run, args=(resources, how, listening, servers.append), daemon=True
        )
        thread.start()
        deadline_s = time.monotonic() + PATIENCE_S
        while not (servers and servers[0].started):
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < deadline_s, "the server did not start"
            time.sleep(0.01)
        try:
            yield Address(listening.getsockname()[1])
        finally:
            servers[0].should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "the server did not end"


@dataclass
class Stream:
    """What a client has been sent: configuration, updates, rows, and how it ended."""

    config: dict[str, Any]
    updates: list[dict[str, Any]]
    rows: list[pa.RecordBatch]
    last: dict[str, Any] | None
    code: int
    reason: str

    @property
    def numbers(self) -> list[int]:
        """Numbers of the bins."""
        return [update["bin_seq"] for update in self.updates]


def connected(address: Address, query: str, **options: Any) -> ClientConnection:
    """A connection, that a client closes at once even if it has not read all."""
    told: dict[str, Any] = {"compression": None, "max_size": None, "max_queue": None}
    return connect(address.stream(query), **{**told, **options})


def take(address: Address, query: str, bins: int | None = None, **hello: Any) -> Stream:
    """Say hello and take so many bins, or all until the end."""
    with connected(address, query) as client:
        client.send(json.dumps({"type": "hello", **hello}))
        return read(client, bins)


def read(client: ClientConnection, bins: int | None = None) -> Stream:
    """What a client is sent from now on."""
    found = Stream({}, [], [], None, 0, "")
    data: list[bytes] = []
    try:
        while bins is None or len(found.updates) < bins or len(data) <= bins:
            message = client.recv(PATIENCE_S)
            if isinstance(message, bytes):
                data.append(message)
                continue
            told = json.loads(message)
            if told["type"] == "runtime_config":
                found.config = told
            elif told["type"] == "grid_update":
                found.updates.append(told)
            else:
                found.last = told
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            raise
        found.code, found.reason = closed.rcvd.code, closed.rcvd.reason
    if data:
        # One IPC stream a connection: the messages one after the other.
        found.rows = list(pa.ipc.open_stream(b"".join(data)))
    return found
