"""Peak memory of an action in a process of its own, above what the process held before it.

The kernel's high-water mark of resident memory is reset after a warm-up, so that imports and
compilation do not count; Linux only. Time is measured by ``benchmarks.timing``.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"


def growth_mb(warm_up: Callable[[], object], action: Callable[[], object]) -> float:
    """Resident megabytes that `action` adds at its peak; both must be importable by name."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_settle_kernel_cache) as pool:
        return pool.submit(_growth_mb, warm_up, action).result()


def _settle_kernel_cache() -> None:
    from islandflow_resources.resource_set import ResourceSet

    ResourceSet.from_environment().engine_runtime.prepare()


def _growth_mb(warm_up: Callable[[], object], action: Callable[[], object]) -> float:
    warm_up()
    before_mb = settled_mb()
    action()
    return peak_mb() - before_mb


def settled_mb() -> float:
    """Resident megabytes of this process; its peak is counted from here on."""
    gc.collect()
    (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
    return _resident_kb("VmRSS") / 1024


def peak_mb() -> float:
    """The most resident megabytes since `settled_mb`."""
    return _resident_kb("VmHWM") / 1024


def _resident_kb(name: str) -> int:
    lines = (_PROCESS / "status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1])
