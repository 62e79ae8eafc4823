"""docs/analyst.md is true: every block of it runs, on a small store with some of everything."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from contracts.tape import WHAT as TAPE
from islandflow_resources.catalog import open_catalogue
from islandflow_resources.catalog_tables import view_names
from tests.campaign_graph import campaign_home
from tests.graph import graph_of
from tests.market_graph import made_home

pytestmark = pytest.mark.xdist_group("market")

PAGE = "docs/analyst.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with bars, a campaign and tapes, in the folder of the commands."""
    page = Path(PAGE).read_text("utf-8")
    with graph_of(made_home()) as graph:
        home = graph.resources.settings.home
        for name in ("scenarios", "trials", "campaigns"):
            shutil.copytree(campaign_home() / "objects" / name, home / "objects" / name,
                            dirs_exist_ok=True)  # fmt: skip
        (tmp_path / ".islandflow").symlink_to(home)
        monkeypatch.chdir(tmp_path)
        tape = graph.resources.database.artefacts(what=TAPE)[0]
        yield page, graph, f"{tape.scenario_key}|{tape.seed}"


def test_every_block_runs_and_every_view_is_told_of(store, islandflow):
    page, graph, tape = store
    blocks = BLOCK.findall(page)
    assert {kind for kind, _ in blocks} == {"sh", "python", "sql"}
    names = {}
    rows = []
    for kind, block in blocks:
        if kind == "sh":
            commands(block, tape, islandflow)
        elif kind == "python":
            exec(compile(block, PAGE, "exec"), names)  # noqa: S102 - it is our own page
        else:
            with open_catalogue(graph.resources.store) as catalogue:
                rows.append(len(catalogue.execute(block).fetchall()))
    assert names["bars"].count_rows() == 2080
    assert names["closes"].num_rows == 1040, "those of one seed"
    assert rows[1:] == [5, 1, 10, 0, 20], "of a campaign, its dossier, trades, figures, minutes"
    told = set(re.findall(r"`((?:labels\.)?\w+)`", page))
    assert set(view_names()) <= told


def commands(block, tape, islandflow):
    """Run the commands of a block; the campaign's report needs a database that has it."""
    for line in block.splitlines():
        arguments = shlex.split(line.replace("$TAPE", tape))[1:]
        if arguments[:2] == ["report", "campaign"]:
            with graph_of(campaign_home()):
                outcome = islandflow(*arguments)
        else:
            outcome = islandflow(*arguments)
        assert outcome[0] == 0, outcome
        assert outcome[2] == []
