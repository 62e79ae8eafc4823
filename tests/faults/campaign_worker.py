"""Campaigns and promotions driven without Dagster, in a process that tells how far it is.

``python -m tests.faults.campaign_worker`` imports everything once, then takes a request a
line: a campaign in the environment given, or a promotion that dies at its n-th act. `Worker` is the
side of the tests. Servers are stopped meanwhile by ``outages``.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from contracts.campaign import campaign_from
from contracts.serving import Dossier
from islandflow_resources import campaigns
from islandflow_resources.campaign_trials import run_trials
from islandflow_resources.campaigns import ReadyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedDocument
from islandflow_resources.executors import InProcess
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.judgement import judged_now
from islandflow_resources.promotion import Decision, promote, prove
from islandflow_resources.published import draft
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.settings import PREFIX
from tests.faults import full_disk
from tests.journeys import children

TRIALS, REPORTS = "trials", "reports"
"""Places that a campaign tells of: a third of its trials made, and all of them."""

_LOADED: list[str] = []


class Worker:
    """The process, and what it answers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, environment: dict[str, str], document: dict[str, Any]) -> None:
        """Begin a campaign; what it says is read with `until`."""
        self._send({"environment": environment, "document": document})

    def until(self, place: str) -> dict[str, Any]:
        """Wait until the campaign says that it is at a place, or has ``ended``."""
        while True:
            told = self._read()
            if place in told:
                return told

    def promote(self, environment: dict[str, str], key: str, die_at: int = 0) -> dict[str, Any]:
        """Promote in a fork of the process, which kills itself at its n-th act; 0 is never."""
        self._send({"environment": environment, "promote": key, "die_at": die_at})
        return self.until("code")

    def on_a_disk(self, out: Path, size_bytes: int, longest_bytes: int) -> dict[str, Any]:
        """Run a campaign in a fork on a disk of so many bytes, see ``full_disk``."""
        self._send({"environment": {}, "disk": str(out), "sizes": [size_bytes, longest_bytes]})
        return self.until("way")

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the worker has ended: see its standard error"
        told = json.loads(line)
        assert "failed" not in told, told["failed"]
        return told


@contextmanager
def run_worker(home: Path) -> Iterator[Worker]:
    """Run the process; all it was asked ends with it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.campaign_worker"],
        cwd=children.ROOT,
        env=children.embedded(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Worker(process)
    finally:
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def main() -> None:
    """Serve requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            _serve(request)
        except Exception:
            _say({"failed": traceback.format_exc()})


def _serve(request: dict[str, Any]) -> None:
    given = request["environment"]
    if "disk" in request:
        _say(_on_a_disk(Path(request["disk"]), *request["sizes"]))
        return
    own = {name: text for name, text in given.items() if name.startswith(PREFIX)}
    resources = ResourceSet.from_environment(own)
    if "promote" in request:
        _load_kernels(resources, request["promote"])
        _say(_promoted_in_a_fork(resources, request["promote"], request["die_at"]))
    else:
        _say(_campaign(resources, request["document"]))
        resources.database.dispose()


def _campaign(resources: ResourceSet, document: dict[str, Any]) -> dict[str, Any]:
    store, database, runtime = resources.store, resources.database, resources.engine_runtime
    given = campaigns.ready(campaign_from(document), database)
    campaigns.register(given, store, database)
    # As every run does: of the document itself, the order of a strategy's parameters counts.
    campaign = campaigns.registered(database, given.key)
    told: list[str] = []

    def progress(done: int, total: int) -> None:
        if 3 * done >= total and not told:
            told.append(TRIALS)
            _say({TRIALS: done})

    with _retries() as retries:
        executor = InProcess(store, database, runtime)
        made = run_trials(store, database, runtime, campaign, executor, "worker", progress)
        _say({REPORTS: made.made})
        judged = judged_now(store, database, runtime, campaign, "worker")
        _promote(resources, campaign, judged.dossier, judged.stored)
    return {"ended": made.made, "at_s": time.monotonic(), "retries": len(retries)}


def _promote(
    resources: ResourceSet, campaign: ReadyCampaign, dossier: Dossier, stored: DerivedDocument
) -> None:
    assert campaign.spec.promotion is not None
    decision = Decision(campaign.spec.promotion.alias, "worker", "the gate was passed")
    place = (resources.store, resources.database, resources.engine_runtime)
    promote(*place, resources.keyring, campaign, dossier, stored, decision)


def _load_kernels(resources: ResourceSet, key: str) -> None:
    """Do what a promotion computes, once and before any fork: loading kernels takes a second."""
    if key in _LOADED:
        return
    place = (resources.store, resources.database, resources.engine_runtime)
    campaign = campaigns.registered(resources.database, key)
    judged = judged_now(*place, campaign, "worker")
    made = draft(*place[:2], campaign, judged.dossier, judged.stored.content_digest)
    prove(*place, campaign, made)
    resources.database.dispose()
    _LOADED.append(key)


def _on_a_disk(out: Path, size_bytes: int, longest_bytes: int) -> dict[str, Any]:
    if full_disk.TMPFS not in _LOADED:
        full_disk.load_kernels(out / "first")
        _LOADED.append(full_disk.TMPFS)
    return full_disk.told_by_a_fork(out, size_bytes, longest_bytes)


def _promoted_in_a_fork(resources: ResourceSet, key: str, die_at: int) -> dict[str, Any]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        code = 1
        try:
            os.write(writer, json.dumps(_promote_counted(resources, key, die_at)).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as answer:
        acts = answer.read()
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status), "acts": json.loads(acts or "[]")}


def _promote_counted(resources: ResourceSet, key: str, die_at: int) -> list[str]:
    """Promote, and note every act; die just after the one asked for."""
    store, database = resources.store, resources.database
    campaign = campaigns.registered(database, key)
    judged = judged_now(store, database, resources.engine_runtime, campaign, "worker")
    acts: list[str] = []

    def act(what: str) -> None:
        acts.append(what)
        if len(acts) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    _note_writes(act)
    _note_statements(database, act)
    _promote(resources, campaign, judged.dossier, judged.stored)
    return acts


def _note_writes(act: Callable[[str], None]) -> None:
    """Note the moment before and after an object has its name."""
    publish = FolderStore._publish

    def noted(self: FolderStore, key: str, fill: Callable[[Path], None]) -> bool:
        act(f"before {key}")
        new = publish(self, key, fill)
        act(f"after {key}")
        return new

    FolderStore._publish = noted


def _note_statements(database: Database, act: Callable[[str], None]) -> None:
    """Note every statement, and the end of every transaction."""
    engine = database._engine()

    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        act(" ".join(statement.split())[:60])

    event.listen(engine, "after_cursor_execute", executed)
    event.listen(engine, "commit", lambda _connection: act("before the commit"))
    event.listen(engine, "checkin", lambda *_: act("after the commit"))


@contextmanager
def _retries() -> Iterator[list[str]]:
    """Collect what is said of attempts that failed."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("islandflow.retries")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
