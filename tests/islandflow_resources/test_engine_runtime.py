"""Threads, memory budget and the place of compiled kernels."""

import subprocess
import sys
import threading
import time

import pytest

from contracts.errors import ConfigurationError
from islandflow_resources.engine_runtime import EngineRuntime


@pytest.fixture
def runtime(tmp_path):
    return EngineRuntime(threads=2, memory_mb=64, kernel_home=tmp_path / "kernels")


def test_the_results_keep_the_order_of_the_items(runtime):
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    assert runtime.map_threads(slow_first, range(20)) == [n * n for n in range(20)]
    assert runtime.map_threads(slow_first, []) == []


def test_no_more_threads_run_at_once_than_allowed(runtime):
    running, most, lock = 0, 0, threading.Lock()

    def work(_):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    runtime.map_threads(work, range(20))
    assert most == 2


def test_one_thread_computes_where_it_is_asked(tmp_path):
    runtime = EngineRuntime(threads=1, memory_mb=64, kernel_home=tmp_path)
    here = threading.get_ident()
    assert runtime.map_threads(lambda _: threading.get_ident(), range(3)) == [here] * 3


def test_the_first_failure_in_order_is_raised_and_the_rest_dropped(runtime):
    done = []

    def work(number):
        if number in (1, 2):
            raise ValueError(f"item {number}")
        time.sleep(0.01)
        done.append(number)

    with pytest.raises(ValueError, match="item 1"):
        runtime.map_threads(work, range(200))
    assert len(done) < 199


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
