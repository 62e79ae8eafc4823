"""``islandflow strategy``: what is right is said to be, what is wrong is told with a way out."""

import json
import re

import pytest

from engine.dsl import compile_strategy
from tests.architecture.sources import ROOT
from tests.contracts.fixture_files import FOLDER, INVALID
from tests.graph import CROSSOVER, strategy, write_json
from tests.islandflow_jobs.commands import LINE, refused


def test_a_strategy_that_is_right_is_said_to_be_ok(islandflow, bare_home, tmp_path):
    paths = [write_json(tmp_path / f"{name}.json", CROSSOVER | {"id": name}) for name in "ab"]
    assert islandflow("strategy", "check", *paths) == (0, ["ok a", "ok b"], [])
    assert islandflow("strategy", "check", paths[0], "--bars", "9")[0] == 0
    assert not bare_home.exists()


@pytest.mark.parametrize("page", ["README.md", "docs/strategies.md"])
def test_the_strategy_that_a_page_shows_is_ok(islandflow, bare_home, tmp_path, page):
    [shown] = re.findall(r"```json\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    (tmp_path / "shown.json").write_text(shown, "utf-8")
    assert islandflow("strategy", "check", tmp_path / "shown.json") == (0, ["ok pullback"], [])


def test_the_errors_that_the_page_of_strategies_shows_are_those_that_are_said(
    islandflow, bare_home, tmp_path
):
    text = (ROOT / "docs" / "strategies.md").read_text("utf-8")
    rows = re.findall(r"\| `(DSL_\w+)` \|[^|]+\| `([^|`]+)` \| ([^|]+) \|", text)
    assert len(rows) == 5
    for code, expression, hint in rows:
        rules = [{"if": expression, "then": "buy"}, CROSSOVER["rules"][1]]
        path = write_json(tmp_path / "s.json", CROSSOVER | {"rules": rules})
        [line] = refused(islandflow("strategy", "check", path), code)
        assert line.endswith(f"(hint: {hint})")


def test_every_valid_strategy_fixture_is_ok(islandflow, bare_home):
    paths = sorted((FOLDER / "strategies").iterdir())
    code, lines, err = islandflow("strategy", "check", *paths)
    assert (code, len(lines), err) == (0, len(paths), [])


def test_an_explanation_is_the_canonical_form_its_hash_and_the_columns(
    islandflow, bare_home, tmp_path
):
    path = write_json(tmp_path / "s.json", CROSSOVER)
    code, lines, _ = islandflow("strategy", "check", path, "--explain")
    end = lines.index("}") + 1
    program = compile_strategy(strategy())
    assert (code, json.loads("\n".join(lines[:end]))) == (0, program.ir)
    assert len(lines[:end]) < 10
    assert lines[end:] == [
        f"ir_hash {program.ir_hash}",
        "column 0: close",
        "column 1: ma(close, 3)",
        "column 2: ma(close, 9)",
    ]
    assert not bare_home.exists()


def test_every_broken_strategy_fixture_is_refused_with_place_and_hint(islandflow, bare_home):
    for path in sorted((INVALID / "strategies").iterdir()):
        code, out, err = islandflow("strategy", "check", path)
        assert (code, out) == (2, []), path.name
        assert err
        for line in err:
            assert LINE.fullmatch(line), line
            assert line.startswith(f"{path}: DSL_") or ": DOCUMENT_" in line or "DUPLICATE" in line
    assert not bare_home.exists()


def test_problems_of_all_strategies_are_told_at_once_with_line_and_column(
    islandflow, bare_home, tmp_path
):
    good = write_json(tmp_path / "good.json", CROSSOVER)
    sells = CROSSOVER["rules"][1]
    typo = write_json(
        tmp_path / "typo.json",
        CROSSOVER | {"rules": [{"if": "emma(close, 3) > 1", "then": "buy"}, sells]},
    )
    shape = write_json(tmp_path / "shape.json", CROSSOVER | {"timeframe": "7m", "colour": "red"})
    err = refused(
        islandflow("strategy", "check", good, typo, shape),
        "DSL_UNSUPPORTED_FUN", "/colour", "/timeframe",
    )  # fmt: skip
    assert [line.split(": ")[0] for line in err] == [str(typo), str(shape), str(shape)]
    assert "at /rules/0/if line 1 column 1: " in err[0]
    assert "ema" in err[0].split("(hint: ")[1]


def test_a_window_longer_than_the_stated_data_is_refused(islandflow, bare_home, tmp_path):
    path = write_json(tmp_path / "s.json", CROSSOVER)
    [line] = refused(islandflow("strategy", "check", path, "--bars", "8"), "DSL_STATIC_FAIL")
    assert "/rules/0/if" in line
    assert islandflow("strategy", "check", path, "--bars", "-1")[0] == 2


def test_strategies_are_registered_or_none_of_them(islandflow, graph, tmp_path):
    good = write_json(tmp_path / "good.json", CROSSOVER | {"id": "good"})
    before = len(graph.resources.database.strategies())
    for bad in sorted((INVALID / "strategies").iterdir()):
        code, out, err = islandflow("strategy", "register", good, bad)
        assert (code, out) == (2, []), bad.name
        assert all(LINE.fullmatch(line) for line in err), err
    assert len(graph.resources.database.strategies()) == before
    assert islandflow("strategy", "register", good)[1] == ["registered good"]
    assert islandflow("strategy", "register", good)[1] == ["unchanged good"]
