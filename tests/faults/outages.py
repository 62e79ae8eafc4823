"""Servers that are away for a while, and come back with all that they had stored.

The servers themselves are tests/server_process.py's; who waits for them is ``campaign_worker``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from tests.server_process import Server

Outage = Callable[[Server, float], None]


def stopped(server: Server, seconds: float) -> None:
    """Stop every process of a server, so that it takes connections and answers nobody."""
    assert server.process is not None
    halted = _halted(psutil.Process(server.process.pid))
    time.sleep(seconds)
    for process in reversed(halted):
        process.resume()


def restarted(server: Server, seconds: float) -> None:
    """Kill a server, and start it again on its folder and port."""
    server.kill()
    time.sleep(seconds)
    server.start()


def _halted(process: psutil.Process) -> list[psutil.Process]:
    """Stop a process first and its children then, among which there are no new ones any more."""
    process.suspend()
    return [process, *(one for child in process.children() for one in _halted(child))]
