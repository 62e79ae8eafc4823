"""A small disk of one's own that is full in the middle of an operation.

`told_by_a_fork` is called in ``campaign_worker``, which has loaded the kernels. The fork mounts
what nobody else sees: in a mount namespace of its own, as root or as a user that may make one.
Where neither is allowed, no file may become longer than a limit, which takes the place of a full
disk and is said in the table.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from contracts.errors import IslandflowError
from islandflow_resources.retries import Patience
from tests.faults.campaigns import MEMORY
from tests.faults.operations import PROMOTION, opened
from tests.journeys import children

TMPFS, LIMIT = "tmpfs", "RLIMIT_FSIZE"
ROOM_BYTES = 64 << 20
_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_PRIVATE = "mount --make-rprivate / && mount -t tmpfs -o size={size} none {disk}"


def load_kernels(home: Path) -> None:
    """Run the operation once, before any fork."""
    resources = opened(children.embedded(home) | MEMORY)
    PROMOTION.run(resources, home)
    resources.database.dispose()


def told_by_a_fork(out: Path, size_bytes: int, longest_bytes: int) -> dict[str, Any]:
    """Run the operation on a fresh disk of so many bytes, and once more with enough room.

    Where there can be no such disk, no file becomes longer than `longest_bytes`.

    What is there after each run is copied into the folders ``failed`` and ``again`` of `out`.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            told = _tried(out, size_bytes, longest_bytes)
        except BaseException:
            told = {"failed": traceback.format_exc()}
        os.write(writer, json.dumps(told).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text or json.dumps({"failed": "the fork died"}))


def _tried(out: Path, size_bytes: int, longest_bytes: int) -> dict[str, Any]:
    disk = out / "disk"
    way, grow = _small(disk, size_bytes, longest_bytes)
    first = _run(disk / "home")
    grow()
    shutil.copytree(disk / "home", out / "failed")
    started_s = time.monotonic()
    again = _run(disk / "home")
    took_s = time.monotonic() - started_s
    shutil.copytree(disk / "home", out / "again")
    size = size_bytes if way == TMPFS else longest_bytes
    told = {"way": way, "first": first, "again": again}
    return {**told, "took_s": took_s, "size_bytes": size}


def _run(home: Path) -> dict[str, Any]:
    """Code and hints of what stopped the operation; empty if nothing did."""
    home.mkdir(exist_ok=True)
    resources = opened(children.embedded(home) | MEMORY)
    resources.database.patience = Patience(total_s=0.3)
    try:
        PROMOTION.run(resources, home)
    except IslandflowError as error:
        problem = error.problems[0]
        named = {"code": problem.code, "message": problem.message, "hints": list(problem.hints)}
        return {**named, "retryable": error.retryable}
    finally:
        with suppress(Exception):
            resources.database.dispose()
    return {}


def _small(disk: Path, size_bytes: int, longest_bytes: int) -> tuple[str, Callable[[], object]]:
    """Make a disk of so many bytes for this process; how that was done, and what makes room."""
    disk.mkdir(parents=True)
    if _apart() and _done(_PRIVATE.format(size=size_bytes, disk=disk)):
        return TMPFS, lambda: _done(f"mount -o remount,size={ROOM_BYTES} {disk}")
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest_bytes, most))
    return LIMIT, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def _apart() -> bool:
    """Leave the mounts of everybody else, as a user who is root only to itself if need be."""
    libc, user, group = ctypes.CDLL(None), os.getuid(), os.getgid()
    if libc.unshare(_NEW_MOUNTS) == 0:
        return True
    if libc.unshare(_NEW_MOUNTS | _NEW_USER) != 0:
        return False
    own = {"setgroups": "deny", "uid_map": f"0 {user} 1", "gid_map": f"0 {group} 1"}
    try:
        for name, text in own.items():
            Path(f"/proc/self/{name}").write_bytes(text.encode())
    except OSError:
        return False
    return True


def _done(script: str) -> bool:
    return subprocess.run(["/bin/sh", "-c", script], check=False).returncode == 0
