"""The folder of a live tape: who holds it, what is told of it, and the names in it.

``live/`` beside ``tapes/`` and ``labels/``: the plan, a stream file each, the journal, the
control as used, and the status, which is replaced whole. One process at a time holds it, by a
lock that ends with the process. What is in the files is said by the modules beside this one.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from contracts.canonical import canonical_json
from contracts.control import CONTROL_LOG, ControlLog
from contracts.document import load
from contracts.errors import ContractError, IntegrityError
from islandflow_resources.tape_live_journal import JOURNAL
from islandflow_resources.tape_live_plan import PLAN, LivePlan, read_plan
from islandflow_resources.tape_live_streams import SUFFIX

LIVE: Final = "live"
STATUS: Final = "live.json"
CONTROL: Final = "control.json"
ALERTS: Final = "alerts.jsonl"
STATUS_FORMAT: Final = "islandflow-live-status/1"
_LOCK: Final = "lock"
_TRIES: Final = 20
_PAUSE_S: Final = 0.05


class LiveFolder:
    """Names below the folder that a user named.

    Parameters
    ----------
    root : Path
        Holds, or will hold, ``live``, ``tapes`` and ``labels``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / LIVE
        self.plan_path = self.path / PLAN
        self.journal_path = self.path / JOURNAL
        self.status_path = self.path / STATUS
        self.control_path = self.path / CONTROL
        self.alerts_path = self.path / ALERTS

    def __str__(self) -> str:
        return str(self.path)

    def stream_path(self, name: str) -> Path:
        """File of a stream."""
        return self.path / f"{name}{SUFFIX}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, made if it is not there, as the only process.

        Raises
        ------
        ContractError
            ``LIVE_BUSY`` if another process holds it, ``FILE_NOT_WRITABLE``.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            said = f"cannot write {self.path}: {error.strerror or error}"
            hint = "name a folder that can be written to"
            raise ContractError("FILE_NOT_WRITABLE", said, str(self.root), (hint,)) from error
        try:
            self._lock(handle)
            yield
        finally:
            os.close(handle)

    def is_held(self) -> bool:
        """Whether a process is at work in it."""
        try:
            handle = os.open(self.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            # Shared, and for a moment: whoever starts meanwhile tries again.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def plan(self) -> LivePlan | None:
        """What was begun here, see `read_plan`."""
        return read_plan(self.plan_path)

    def write_plan(self, plan: LivePlan) -> None:
        """Keep what is begun."""
        _replace(self.plan_path, plan.to_bytes(), is_synced=True)

    def write_control(self, log: ControlLog) -> None:
        """Keep the control as used: a control log, as a profile may hold it."""
        _replace(self.control_path, canonical_json(log.model_dump(mode="json")) + b"\n")

    def used_control(self) -> ControlLog | None:
        """The control as used; None before the first second.

        Raises
        ------
        IntegrityError
            ``LIVE_CONTROL_INVALID``.
        """
        if not self.control_path.exists():
            return None
        try:
            return load(CONTROL_LOG, self.control_path.read_bytes(), "control log")
        except ContractError as error:
            hint = "start the tape again, it is written anew"
            raise IntegrityError(
                "LIVE_CONTROL_INVALID", error.message, str(self.control_path), (hint,)
            ) from error

    def write_status(self, status: dict[str, Any]) -> None:
        """Replace what is told."""
        document = {"format": STATUS_FORMAT, **status}
        _replace(self.status_path, json.dumps(document, indent=2).encode() + b"\n")

    def status(self) -> dict[str, Any] | None:
        """What was told last; None if there is nothing, or nothing that reads."""
        try:
            told: Any = json.loads(self.status_path.read_bytes())
        except (OSError, ValueError):
            return None
        return told if isinstance(told, dict) and told.get("format") == STATUS_FORMAT else None

    def _lock(self, handle: int) -> None:
        for _ in range(_TRIES):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(_PAUSE_S)
        raise ContractError(
            "LIVE_BUSY",
            f"a live tape is at work in {self.path}",
            str(self.root),
            ("look at it: islandflow control status --live DIR", "end it, or name another folder"),
        )


def _replace(path: Path, data: bytes, *, is_synced: bool = False) -> None:
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        if is_synced:
            os.fsync(file.fileno())
    temporary.replace(path)
