"""The UI as a child process, and a page of Chromium that notes what goes wrong in it.

What the pages must show is said in test_ui.py; the graph behind them is that of tests/graph.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, expect, sync_playwright

from tests.server_process import free_port

START_S = 150.0
# What was shown is stored, so there is nothing to put in order; but a killed group must be gone.
STOPS_S = {signal.SIGTERM: 2.0, signal.SIGKILL: 15.0}
PATIENCE_S = 30.0
_CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """A page of the UI, with the hosts that it contacted and the errors that it logged."""

    page: Page
    address: str
    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a page of the UI."""
        self.page.goto(f"{self.address}{path}")

    def open_partition(self, asset: str, partition: str) -> None:
        """Go to what the UI knows of one partition of an asset."""
        self.open(f"/assets/{asset}?view=partitions&partition={quote(partition)}")

    def value(self, label: str) -> Locator:
        """Value beside a label in the shown table of metadata."""
        row = self.page.locator("tr").filter(has=self.page.get_by_text(label, exact=True))
        return row.locator("td").nth(1)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of ``islandflow ui`` on a free port; all its processes end with the block."""
    port = free_port()
    log = folder / "ui.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("islandflow"), "ui", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/server_info", process, log)
        yield address
    finally:
        _end_group(process)


@contextmanager
def visiting(address: str) -> Iterator[Visit]:
    """A fresh browser on the UI."""
    executable = shutil.which("chromium")
    assert executable, "the browser tests need chromium on PATH"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*_CHROMIUM])
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(PATIENCE_S * 1000)
        expect.set_options(PATIENCE_S * 1000)
        visit = Visit(page, address)
        page.on("request", lambda request: _note_host(visit.hosts, request.url))
        page.on("console", lambda message: _note_error(visit.errors, message))
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        yield visit
        browser.close()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not _answers(url):
        said = log.read_text("utf-8", "replace")[-4000:]
        assert process.poll() is None, f"the UI ended with {process.returncode}:\n{said}"
        assert time.monotonic() < deadline, f"the UI does not answer after {START_S} s:\n{said}"
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End every process of the UI: the command alone would leave its servers behind."""
    for number, stop_s in STOPS_S.items():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + stop_s
        while _group_lives(process) and time.monotonic() < deadline:
            time.sleep(0.1)
    process.wait()


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _note_host(hosts: set[str], url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("data", "blob"):
        hosts.add(parts.hostname or url)


def _note_error(errors: list[str], message: ConsoleMessage) -> None:
    if message.type == "error":
        errors.append(message.text)
