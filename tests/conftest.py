"""Rules of every test session: only loopback, no settings from outside, no empty test file.

Fixtures with real servers are in tests/servers.py; fixtures of one package stand in its own folder.
"""

import gc
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from numba.core.dispatcher import Dispatcher

from tests.guard.sitecustomize import install as refuse_off_loopback

pytest_plugins = ["tests.servers"]

_OUTSIDE_SETTINGS = ("ISLANDFLOW_", "DAGSTER_", "AWS_", "PG")

for _name in [name for name in os.environ if name.startswith(_OUTSIDE_SETTINGS)]:
    del os.environ[_name]
_guard_folder = str(Path(__file__).with_name("guard"))
_python_path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
os.environ["PYTHONPATH"] = os.pathsep.join(
    [_guard_folder, *(entry for entry in _python_path if entry and entry != _guard_folder)]
)
refuse_off_loopback()

# What collecting makes stays to the end: looked through again and again it would cost a third more.
gc.disable()

# Two shared cores make any one example slow by chance; how long tests take is judged by the suite.
settings.register_profile("islandflow", deadline=None, print_blob=True)
settings.load_profile("islandflow")


# Kernels of books, and those of synthetic sessions, take long to compile: one worker does
# it for all tests that need them.
_GROUPS = {
    "architecture": re.compile(r"tests/architecture/"),  # one worker parses all sources
    "books": re.compile(
        r"tests/(engine/(book|grid|signals|tapes/mbo)/|islandflow_jobs/serve/|frontend/|"
        r"islandflow_\w+/test_(cli_)?(book|dataset_|experiment|grid|level|mbo_tape|pipeline|"
        r"published_s|recomputed|serve|signal)\w*\.py)"
    ),
    "market": re.compile(
        r"tests/(engine/(flow|regimes|tapes/market)/|golden_tapes/|"
        r"islandflow_\w+/test_(cli_)?(catalogue_run|control_s|flow|live|market_|smart_flow|sound_|"
        r"tape)\w*\.py|"
        r"faults/test_(live|tape)\w*\.py)"
    ),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep together what needs the same kernels."""
    for item in items:
        if item.get_closest_marker("xdist_group") is not None:
            continue
        for name, pattern in _GROUPS.items():
            if pattern.match(item.nodeid):
                item.add_marker(pytest.mark.xdist_group(name))
                break


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    """Groups reach the scheduler, collecting compiled nothing, and garbage is collected again."""
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    if getattr(session.config.option, "loadgroup", False):
        assert all("@" in item.nodeid for item in grouped), "pytest-xdist passes no group on"
    # Every worker collects everything: what a module compiles while it is imported, all of them do.
    compiled = sorted(set(_compiled_kernels()))
    assert not compiled, f"kernels ran while tests were collected: {compiled}"
    gc.freeze()
    gc.enable()


def _compiled_kernels():
    """Names of the kernels, of the engine or of a test, that this process compiled or loaded."""
    own = ("engine.", "tests.")
    modules = [module for name, module in sys.modules.items() if name.startswith(own)]
    for kernel in (value for module in modules for value in vars(module).values()):
        if isinstance(kernel, Dispatcher) and kernel.signatures:
            yield f"{kernel.__module__}.{kernel.__name__}"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Fail a test module from which no test was collected: a typo must not look like a pass."""
    report = yield
    if isinstance(collector, pytest.Module) and report.passed and not report.result:
        report.outcome = "failed"
        report.longrepr = (
            f"{collector.nodeid} holds no test: name its functions test_*, or remove it"
        )
    return report
