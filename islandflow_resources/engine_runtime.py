"""Threads, memory budget and kernel cache of the process that computes.

The engine itself reads no environment: what it needs of the machine is handed to
it here, before its kernels are imported. What is computed lives in ``engine``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore

from contracts.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class EngineRuntime:
    """What one process may use to compute.

    Attributes
    ----------
    threads : int
    memory_mb : int
        What one batch may hold at once.
    kernel_home : Path
        Folder of compiled kernels; each engine digest has its own below it.
    """

    threads: int
    memory_mb: int
    kernel_home: Path

    def prepare(self) -> None:
        """Set kernel cache and threads for the calling thread; cheap to repeat.

        Must run before ``engine.jit`` is first imported for the cache to lie in
        `kernel_home`; afterwards the place is settled and only threads are set.

        Raises
        ------
        ConfigurationError
            ``KERNEL_HOME_NOT_WRITABLE``.
        """
        import numba
        from numba.core import config

        if "engine.jit" not in sys.modules:
            _make_folder(self.kernel_home)
            config.CACHE_DIR = str(self.kernel_home)  # pyright: ignore[reportAttributeAccessIssue]
        most: int = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]
        numba.set_num_threads(min(self.threads, most))

    def items_within(self, item_bytes: int) -> int:
        """How many items of a size fit the memory budget at once; at least one."""
        return max(1, (self.memory_mb << 20) // max(1, item_bytes))

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Hold one of the process's `threads` permits to compute.

        Batches run on more threads than may compute, because most of their time goes
        into waiting for the store; the permits bound processors and memory.
        """
        with _permits(self.threads):
            yield


@cache
def _permits(threads: int) -> BoundedSemaphore:
    return BoundedSemaphore(threads)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            "KERNEL_HOME_NOT_WRITABLE",
            f"cannot make the folder of compiled kernels {folder}: {error.strerror}",
            "ISLANDFLOW_HOME",
            ("point ISLANDFLOW_HOME to a writable folder",),
        ) from error
