"""Threads, memory budget and the place of compiled kernels."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.errors import ConfigurationError
from islandflow_resources.engine_runtime import EngineRuntime


@pytest.fixture
def runtime(tmp_path):
    return EngineRuntime(threads=2, memory_mb=64, kernel_home=tmp_path / "kernels")


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_compute_at_once_than_allowed_however_many_wait(tmp_path, threads):
    runtime = EngineRuntime(threads=threads, memory_mb=64, kernel_home=tmp_path)
    running, most, lock = 0, 0, threading.Lock()

    def work(_):
        nonlocal running, most
        with runtime.computing():
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.005)
            with lock:
                running -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(20)))
    assert most == threads


def test_a_failure_gives_the_permit_back(runtime):
    def fail():
        with runtime.computing():
            raise ValueError("computed wrong")

    for _ in range(5):
        with pytest.raises(ValueError, match="computed wrong"):
            fail()
    # Both permits are free again: a lost one would block here for ever.
    with runtime.computing(), runtime.computing():
        assert runtime.threads == 2


def test_the_memory_budget_bounds_a_batch_and_always_lets_one_in(runtime):
    assert runtime.items_within(1 << 20) == 64
    assert runtime.items_within(1 << 40) == 1


def test_kernels_are_compiled_into_the_home_that_was_handed_over(runtime):
    # A process of its own: the place is settled once the engine's kernels are imported.
    code = (
        "import sys; from pathlib import Path; "
        "from islandflow_resources.engine_runtime import EngineRuntime; "
        f"home = Path({str(runtime.kernel_home)!r}); "
        "EngineRuntime(threads=1, memory_mb=64, kernel_home=home).prepare(); "
        "import engine.jit, numba; "
        "print(Path(numba.config.CACHE_DIR).is_relative_to(home), numba.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["True", "1"]


def test_a_home_that_cannot_be_made_is_a_matter_of_configuration(tmp_path):
    (tmp_path / "file").write_text("in the way")
    code = (
        "from pathlib import Path; from islandflow_resources.engine_runtime import EngineRuntime; "
        f"EngineRuntime(threads=1, memory_mb=64, kernel_home=Path({str(tmp_path)!r}) "
        "/ 'file' / 'kernels').prepare()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert f"{ConfigurationError.__name__}: KERNEL_HOME_NOT_WRITABLE" in done.stderr
