"""Fixtures of these tests: commands in this process, and the small graph of tests/graph.py."""

import functools
import os
import sys
import warnings

import pytest

from tests.graph import finished_home, graph_of, registered_home

with warnings.catch_warnings():
    # The typer that dagster's help pages need imports names that click 8.4 deprecates.
    warnings.filterwarnings("ignore", "'click", DeprecationWarning)
    import typer.main

    from islandflow_jobs import cli

# A process runs one command; this one runs thousands, and makes the tree of all of them once.
typer.main.get_command = functools.cache(typer.main.get_command)


@pytest.fixture
def islandflow(monkeypatch, capsys):
    """Run a command as the console script does; its exit code and printed lines."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["islandflow", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out.splitlines(), printed.err.splitlines()

    return run


@pytest.fixture(autouse=True)
def _environment_as_before():
    """Undo what commands and fixtures set, in whichever order they take it back."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def bare_home(tmp_path, monkeypatch):
    """A home that no command has touched."""
    monkeypatch.setenv("ISLANDFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def graph():
    """Two markets × two seeds and a strategy, registered and not run."""
    with graph_of(registered_home()) as graph:
        yield graph


@pytest.fixture
def finished():
    """The same after a run of the whole grid."""
    with graph_of(finished_home()) as graph:
        yield graph
