"""The command line from inside one process: what it prints, how it ends, what it leaves.

Whole child processes, and what they share with the job, are in test_commands.py;
``strategy`` is in test_cli_strategies.py, ``backtest run`` in test_backtest_run.py.
"""

import json

import pytest

from contracts.json_schemas import schemas
from islandflow_resources.materialise import dataset_ref
from tests.contracts.fixture_files import FOLDER, INVALID
from tests.graph import CALM, MOODY, SINKING, market, write_json
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
