"""The command line from inside one process: what it prints, how it ends, what it leaves.

Whole child processes, and what they share with the job, are in test_commands.py;
``backtest run`` is in test_backtest_run.py.
"""

import json

import pytest

from contracts.json_schemas import schemas
from engine.dsl import compile_strategy
from islandflow_assets.partitions import Partition
from islandflow_resources.materialise import dataset_ref
from tests.contracts.fixture_files import FOLDER, INVALID
from tests.graph import CALM, CROSSOVER, MOODY, SINKING, market, strategy, write_json
from tests.islandflow_jobs.commands import LINE, files, refused


@pytest.fixture
def calm(tmp_path):
    return write_json(tmp_path / "calm.json", CALM)


BAD_TEXTS = {
    "not_json": (b"{nonsense", "DOCUMENT_NOT_JSON"),
    "not_an_object": (b"[1]", "DOCUMENT_NOT_OBJECT"),
    "not_utf8": (b'{"id": "\xff"}', "DOCUMENT_NOT_UTF8"),
    "duplicate": (b'{"id": "a", "id": "b"}', "DUPLICATE"),
    "nan": (json.dumps(CALM | {"start_price": float("nan")}).encode(), "DOCUMENT_"),
    "large": (b'{"id": "' + b"a" * 10_000_000 + b'"}', "DOCUMENT_TOO_LARGE"),
    "deep": (b'{"a":' * 5_000, "DOCUMENT_TOO_DEEP"),
    "deep_list": (b"[" * 500_000, "DOCUMENT_"),
    "empty": (b"", "DOCUMENT_"),
}
BAD_VALUES = {
    "family": ({"family": "trned"}, "/family"),
    "version": ({"version": "9.9"}, "/version"),
    "garch": (
        {"family": "vol_cluster", "params": {"omega": 1, "alpha": 0.3, "beta": 0.7, "mu": 0}},
        "/params",
    ),
    "bars": ({"duration_bars": 1}, "/duration_bars"),
    "extra": ({"colour": "red"}, "/colour"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
@pytest.mark.parametrize("command", ["make", "register"])
def test_a_text_that_is_no_document_is_refused_in_one_line(
    islandflow, bare_home, tmp_path, name, command
):
    text, code = BAD_TEXTS[name]
    path = tmp_path / "spec.json"
    path.write_bytes(text)
    refused(islandflow("scenario", command, path), code)
    assert not bare_home.exists()


@pytest.mark.parametrize("name", BAD_VALUES)
@pytest.mark.parametrize("command", ["make", "register"])
def test_a_bad_value_is_refused_with_its_place_and_a_hint(
    islandflow, bare_home, tmp_path, name, command
):
    changes, pointer = BAD_VALUES[name]
    path = write_json(tmp_path / "spec.json", CALM | changes)
    [line] = refused(islandflow("scenario", command, path), pointer)
    assert "(hint: " in line
    assert not bare_home.exists()


@pytest.mark.parametrize("name", ["nosuch.json", "", "file/below"])
def test_a_path_that_cannot_be_read_is_refused(islandflow, bare_home, tmp_path, name):
    (tmp_path / "file").write_text("x")
    refused(islandflow("scenario", "make", tmp_path / name), "FILE_NOT_READABLE")
    refused(islandflow("strategy", "register", tmp_path / name), "FILE_NOT_READABLE")
    assert not bare_home.exists()


def test_every_problem_of_every_document_is_said_at_once_and_nothing_registered(
    islandflow, bare_home, tmp_path, calm
):
    first = write_json(tmp_path / "a.json", CALM | {"duration_bars": 1, "timeframe": "7m"})
    second = write_json(tmp_path / "b.json", CALM | {"family": "nosuch"})
    err = refused(
        islandflow("scenario", "register", calm, first, second), "/dur", "/timeframe", "/family"
    )
    assert [line.split(": ")[0] for line in err] == [str(first), str(first), str(second)]
    assert not bare_home.exists()


@pytest.mark.parametrize(
    "seeds", ["x", "1-", "-1", "5-2", "1.5", "9223372036854775808", "0-200000"]
)
def test_seeds_that_are_no_seeds_are_refused_before_anything_is_written(
    islandflow, bare_home, calm, seeds
):
    refused(islandflow("scenario", "register", calm, f"--seeds={seeds}"), "SEED")
    assert not bare_home.exists()


@pytest.mark.parametrize("seed", ["x", "-1", "01", "9223372036854775808", "1e3"])
def test_a_seed_that_is_no_seed_is_refused(islandflow, bare_home, calm, tmp_path, seed):
    refused(islandflow("scenario", "make", calm, f"--seed={seed}", "--out", tmp_path / "o"), "SEED")
    assert not (tmp_path / "o").exists()
    assert not bare_home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch",),
        ("scenario", "make"),
        ("scenario", "make", "a", "b"),
        ("scenario", "register"),
        ("verify", "--nosuch"),
        ("ui", "--port", "x"),
        ("schema",),
        (),
    ],
)
def test_a_usage_error_ends_with_two(islandflow, bare_home, arguments):
    code, _, err = islandflow(*arguments)
    assert code == 2
    assert "Traceback" not in "\n".join(err)
    assert not bare_home.exists()


def test_a_market_that_cannot_be_stored_is_refused_and_nothing_written(
    islandflow, bare_home, tmp_path
):
    path = write_json(tmp_path / "spec.json", SINKING)
    out = tmp_path / "out"
    refused(islandflow("scenario", "make", path, "--out", out), "SCENARIO_UNREPRESENTABLE")
    assert not out.exists()


def test_a_dataset_is_made_once_and_then_unchanged(islandflow, bare_home, tmp_path, calm):
    out = tmp_path / "out"
    code, made, _ = islandflow("scenario", "make", calm, "--seed", "7", "--out", out)
    assert (code, made[0].split()[0]) == (0, "made")
    before = files(out)
    code, again, _ = islandflow("scenario", "make", calm, "--seed", "7", "--out", out)
    assert (code, again[0].split()[0]) == (0, "unchanged")
    assert again[1:] == made[1:]
    assert files(out) == before
    prefix = dataset_ref(market(CALM), 7).prefix
    assert set(before) == {
        f"{prefix}/{name}" for name in ("dataset.parquet", "manifest.json", "provenance.json")
    }


def test_two_folders_hold_the_same_bytes_of_one_scenario_and_seed(
    islandflow, bare_home, tmp_path, calm
):
    made = [tmp_path / "one", tmp_path / "two"]
    for out in made:
        assert islandflow("scenario", "make", calm, "--out", out)[0] == 0
    one, two = (
        {key: data for key, data in files(out).items() if "provenance" not in key} for out in made
    )
    assert one == two


@pytest.mark.parametrize("document", [CALM, MOODY])
def test_a_dataset_made_by_hand_is_the_one_that_the_graph_stored(
    islandflow, finished, tmp_path, document
):
    path = write_json(tmp_path / "spec.json", document)
    assert islandflow("scenario", "make", path, "--seed", "2", "--out", tmp_path / "out")[0] == 0
    made, stored = files(tmp_path / "out"), finished.objects()
    compared = [key for key in made if not key.endswith("provenance.json")]
    assert {key: made[key] for key in compared} == {key: stored[key] for key in compared}
    assert dataset_ref(market(document), 2).manifest_key in compared


def test_a_damaged_folder_is_not_overwritten(islandflow, bare_home, tmp_path, calm):
    out = tmp_path / "out"
    islandflow("scenario", "make", calm, "--out", out)
    path = out / dataset_ref(market(CALM), 1).dataset_key
    path.write_bytes(path.read_bytes()[:-1])
    before = files(out)
    code, printed, err = islandflow("scenario", "make", calm, "--out", out)
    assert (code, printed) == (1, [])
    assert str(path) in " ".join(err)
    assert files(out) == before


def test_a_folder_that_is_a_file_is_refused(islandflow, bare_home, tmp_path, calm):
    (tmp_path / "out").write_text("x")
    code, _, err = islandflow("scenario", "make", calm, "--out", tmp_path / "out")
    assert code != 0
    assert [bool(LINE.fullmatch(line)) for line in err] == [True]
    refused(islandflow("schema", "export", "--out", tmp_path / "out"), "FOLDER_NOT_WRITABLE")


def test_registering_says_what_is_new_and_the_second_time_that_nothing_is(
    islandflow, graph, tmp_path
):
    path = write_json(tmp_path / "new.json", CALM | {"id": "new"})
    key = market(CALM, id="new").partition_key
    assert islandflow("scenario", "register", path, "--seeds", "1-3,9") == (
        0, [f"registered {key}"], [],
    )  # fmt: skip
    assert islandflow("scenario", "register", path)[1] == [f"unchanged {key}"]
    assert graph.scenario_keys[-1] == key
    assert list(graph.instance.get_dynamic_partitions("seed")) == ["1", "2", "3", "9"]


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


def test_a_strategy_that_is_right_is_said_to_be_ok(islandflow, bare_home, tmp_path):
    paths = [write_json(tmp_path / f"{name}.json", CROSSOVER | {"id": name}) for name in "ab"]
    assert islandflow("strategy", "check", *paths) == (0, ["ok a", "ok b"], [])
    assert islandflow("strategy", "check", paths[0], "--bars", "9")[0] == 0
    assert not bare_home.exists()


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


def test_what_a_document_says_reaches_the_terminal_escaped(islandflow, bare_home, tmp_path):
    path = write_json(tmp_path / "spec.json", CALM | {"a\n\x1b[31mred\u2028\ud800": 1})
    [line] = refused(islandflow("scenario", "make", path), "a\\n\\x1b[31mred\\u2028")
    assert line.isprintable()


def test_every_broken_scenario_fixture_is_refused(islandflow, bare_home):
    for path in sorted((INVALID / "scenarios").iterdir()):
        code, out, err = islandflow("scenario", "register", path)
        assert (code, out) == (2, []), path.name
        assert err
        assert all(LINE.fullmatch(line) for line in err), err
    assert not bare_home.exists()


def test_verify_says_what_it_recomputed(islandflow, finished):
    ref = dataset_ref(market(CALM), 1)
    uri = finished.resources.store.uri(ref.dataset_key)
    code, [first, second], _ = islandflow("verify", uri)
    assert (code, first) == (0, f"verified {uri}")
    assert second.startswith("recomputed blake3:")


@pytest.mark.parametrize("arguments", [(), ("x", "--all")])
def test_verify_wants_either_an_address_or_all(islandflow, graph, arguments):
    [line] = refused(islandflow("verify", *arguments), "ARGUMENTS_INVALID")
    assert "--all" in line


def test_verify_all_ends_with_one_until_everything_is_verified(islandflow, finished):
    assert islandflow("verify", "--all")[:2] == (0, ["4 of 4 verified"])
    finished.register(seeds=[3])
    code, lines, _ = islandflow("verify", "--all")
    assert (code, len(lines), lines[-1]) == (1, 3, "4 of 6 verified")
    assert all("OBJECT_NOT_FOUND" in line for line in lines[:2])


def test_a_damaged_dataset_fails_verification_and_a_repair_mends_it(islandflow, finished):
    ref = dataset_ref(market(CALM), 1)
    store = finished.resources.store
    path = store.root / ref.dataset_key
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    code, out, err = islandflow("verify", store.uri(ref.dataset_key))
    assert (code, out, len(err)) == (1, [], 1)
    assert store.uri(ref.dataset_key) in err[0]
    code, lines, _ = islandflow("repair", store.uri(ref.dataset_key))
    assert code == 0
    assert [line.split()[0] for line in lines[:-1]] == ["quarantined"] * 3 + ["remade"]
    assert path.read_bytes() == whole
    assert islandflow("verify", "--all")[0] == 0
    assert islandflow("repair", store.uri(ref.dataset_key))[1][0].startswith("whole, nothing")


@pytest.mark.parametrize("asset", ["screening_result", "backtest_result"])
def test_a_result_is_verified_and_when_damaged_repaired(islandflow, finished, asset):
    [long] = finished.register(market(CALM, id="long", duration_bars=1_500))
    job = {"screening_result": "t0_screen", "backtest_result": "t1_full"}[asset]
    cell = Partition(long, 1)
    run = finished.run(cell, cell, job=job)
    uri = run.metadata(asset, "uri")[str(cell)]
    code, [first, second], _ = islandflow("verify", uri)
    assert (code, first, second[:18]) == (0, f"verified {uri}", "recomputed sha256:")
    assert islandflow("repair", uri)[:2] == (0, [f"whole: {uri}"])
    path = finished.resources.store.root / finished.resources.store.parse_uri(uri)
    whole = path.read_bytes()
    for old, new in ((b'"fills":', b'"fillz":'), (b'"settings":{}', b'"settings":[]')):
        path.write_bytes(whole.replace(old, new))
        code, out, [line] = islandflow("verify", uri)
        assert (code, out) == (1, [])
        assert f"OBJECT_DAMAGED at {uri}: " in line
        code, lines, _ = islandflow("repair", uri)
        assert (code, len(lines)) == (0, 5)
        assert lines[-1] == "the next run makes it again"
        assert islandflow("verify", uri)[0] == 1
        assert finished.run(cell, cell, job=job).success
        assert path.read_bytes() == whole
    assert islandflow("verify", uri)[0] == 0


def test_a_result_is_left_alone_when_its_dataset_is_what_is_damaged(islandflow, finished):
    store = finished.resources.store
    results = [store.uri(key) for key in store.keys("backtests/") if key.endswith("result.json")]
    ref = dataset_ref(market(CALM), 1)
    (store.root / ref.dataset_key).write_bytes(b"PAR1")
    outcomes = [islandflow("repair", uri) for uri in results]
    assert sorted(code for code, _, _ in outcomes) == [0, 0, 0, 1]
    [line] = [err[0] for code, _, err in outcomes if code]
    assert store.uri(ref.dataset_key) in line
    assert len(store.keys("backtests/")) == 16


def test_an_address_of_something_else_is_refused_and_a_missing_one_not_found(islandflow, graph):
    refused(islandflow("verify", "summaries/x"), "URI_NOT_A_DATASET")
    refused(islandflow("repair", "s3://other/key"), "URI_ELSEWHERE")
    code, _, [line] = islandflow("verify", dataset_ref(market(CALM), 77).dataset_key)
    assert (code, line.split(" ")[0]) == (1, "OBJECT_NOT_FOUND")


def test_every_schema_is_exported_and_existing_ones_are_renewed(islandflow, tmp_path):
    out = tmp_path / "deep" / "schemas"
    code, lines, _ = islandflow("schema", "export", "--out", out)
    assert (code, len(lines)) == (0, len(schemas()))
    assert {path.stem: json.loads(path.read_text("utf-8")) for path in out.iterdir()} == schemas()
    (out / "scenario.json").write_text("old")
    islandflow("schema", "export", "--out", out)
    assert json.loads((out / "scenario.json").read_text("utf-8")) == schemas()["scenario"]


@pytest.mark.parametrize(
    "command", [("env",), ("verify", "--all"), ("provision",), ("repair", "x"), ("demo",)]
)
def test_a_half_configured_profile_ends_every_command_with_what_is_missing(
    islandflow, bare_home, monkeypatch, command
):
    monkeypatch.setenv("ISLANDFLOW_S3_BUCKET", "bucket")
    code, out, err = islandflow(*command)
    assert (code, out) == (1, [])
    assert "PROFILE_INCOMPLETE" in err[0]
    assert "ISLANDFLOW_S3_ENDPOINT" in err[0]
    assert not bare_home.exists()


def test_every_scenario_fixture_can_be_registered_at_once(islandflow, graph):
    paths = sorted((FOLDER / "scenarios").iterdir())
    code, lines, err = islandflow("scenario", "register", *paths)
    assert (code, len(lines), err) == (0, len(paths), [])
