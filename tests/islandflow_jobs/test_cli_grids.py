"""``grid build``, ``grid verify`` and ``book warm``: what they print, refuse and leave behind.

The whole chain on the golden stream with its tolerances, checkpoints and damage in all their forms
are in tests/islandflow_resources/test_grid_*.py.
"""

import json

import pyarrow.parquet as pq
import pytest

from contracts.yaml_text import parse_text
from islandflow_resources.grid_build import GridOrder, build_grid
from tests.islandflow_jobs.commands import refused
from tests.islandflow_resources.grids import (
    CONFIG,
    FINALS,
    MIDDLE_NS,
    STREAM,
    TABLES,
    TEXTS,
    files_of,
    write_tape,
)

RUNTIME = {
    name: value
    for name, value in CONFIG.runtime_config.model_dump(mode="json").items()
    if value is not None
}
DOCUMENT = {"runtime_config": RUNTIME, "projection": CONFIG.projection.model_dump(mode="json")}


@pytest.fixture
def tape(tmp_path):
    (tmp_path / "in").mkdir()
    return write_tape(tmp_path / "in")


@pytest.fixture
def build(islandflow, bare_home, tmp_path, tape):
    """Run ``grid build`` into ``out/g``, with some options besides; None leaves one out."""

    def run(document=DOCUMENT, **options):
        path = tmp_path / "in" / "config.json"
        path.write_text(json.dumps(document))
        wanted = {"events": tape, "config": path, "out": tmp_path / "out" / "g", **options}
        named = [
            part
            for name, value in wanted.items()
            if value is not None
            for part in (f"--{name.replace('_', '-')}", *([] if value is True else [value]))
        ]
        return islandflow("grid", "build", *named)

    return run


@pytest.fixture
def nothing_left(tmp_path):
    """Nothing was made: not the folder, not the one above it, no home."""

    def check():
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    return check


# -- what is built ------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [None, True])
def test_a_dataset_is_built_and_verified(islandflow, build, bare_home, tmp_path, tape, full):
    code, out, err = build(full=full)
    assert (code, err) == (0, [])
    folder = tmp_path / "out" / "g"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert out == [
        f"built {manifest['dataset_id']} in {folder}",
        f"1200 events, {manifest['bins']} bins",
        "anomalies: none",
    ]
    assert set(files_of(folder)) == {*TABLES, *TEXTS, *(FINALS if full else ())}
    build_grid(GridOrder(tape, CONFIG, full=bool(full)), tmp_path / "w")
    assert files_of(folder) == files_of(tmp_path / "w")
    said = f"ok {manifest['dataset_id']}: {manifest['bins']} bins"
    assert islandflow("grid", "verify", folder) == (0, [said], [])
    assert not bare_home.exists()


@pytest.mark.parametrize("has_derived", [False, True])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_configuration_is_json_or_yaml_with_derived_fields_or_without(
    build, tmp_path, tape, form, has_derived
):
    runtime = CONFIG.runtime_config.resolved() if has_derived else RUNTIME
    document = {"runtime_config": runtime, "projection": DOCUMENT["projection"]}
    path = tmp_path / "in" / f"c.{form}"
    path.write_text(json.dumps(document) if form == "json" else yaml_of(document))
    assert parse_text(path.read_bytes(), "c") == parse_text(json.dumps(document), "c")
    assert build(config=path)[0] == 0
    build_grid(GridOrder(tape, CONFIG), tmp_path / "w")
    assert files_of(tmp_path / "out" / "g") == files_of(tmp_path / "w")


def yaml_of(document):
    """Two levels of a mapping in block style."""
    lines = []
    for name, fields in document.items():
        lines.append(f"{name}:")
        lines += [f"  {field}: {json.dumps(value)}" for field, value in fields.items()]
    return "\n".join(lines) + "\n"


def test_the_rules_are_those_asked_for(build, tmp_path):
    code, out, _ = build(compat="v1")
    manifest = json.loads((tmp_path / "out" / "g" / "manifest.json").read_bytes())
    assert (code, manifest["compat"]) == (0, "v1")
    counted = [f"{name} {count}" for name, count in manifest["anomalies"].items() if count]
    assert set(out[2].removeprefix("anomalies: ").split(", ")) == set(counted)
    assert counted


def test_a_session_ends_where_it_is_told_to(build, tmp_path):
    session = {"emit_from": MIDDLE_NS, "emit_until": int(STREAM.ts_ns[-50])}
    code, out, _ = build(**session)
    events = int((STREAM.ts_ns < session["emit_until"]).sum())
    assert (code, out[1].startswith(f"{events} events, ")) == (0, True)
    manifest = json.loads((tmp_path / "out" / "g" / "manifest.json").read_bytes())
    assert manifest["emit_until_ns"] == str(session["emit_until"])


def test_a_warmed_book_is_gone_on_from(islandflow, build, tmp_path, tape):
    assert build(emit_from=MIDDLE_NS, full=True)[0] == 0
    wanted = files_of(tmp_path / "out" / "g")
    warm = ("book", "warm", "--events", tape, "--config", tmp_path / "in" / "config.json")
    code, out, err = islandflow(*warm, "--at", MIDDLE_NS, "--out", tmp_path / "warm.arrow")
    events = int((STREAM.ts_ns < MIDDLE_NS).sum())
    assert (code, err) == (0, [])
    assert out == [f"warmed up with {events} events into {tmp_path / 'warm.arrow'}"]
    assert build(from_checkpoint=tmp_path / "warm.arrow", full=True, out=tmp_path / "h")[0] == 0
    assert files_of(tmp_path / "h") == wanted
    again = islandflow(*warm, "--at", MIDDLE_NS, "--out", tmp_path / "warm.arrow")
    refused(again, "FILE_EXISTS")
    refused(islandflow(*warm, "--at", 5, "--out", tmp_path / "no" / "w"), "FILE_NOT_WRITABLE")
    assert not (tmp_path / "no").exists()


def test_a_build_goes_on_from_a_checkpoint_of_another(build, tmp_path):
    assert build(checkpoint_every=500, full=True)[0] == 0
    folder = tmp_path / "out" / "g"
    found = sorted((folder / "checkpoints").glob("*.arrow"))
    assert [path.name for path in found] == ["000000000500.arrow", "000000001000.arrow"]
    for path in found:
        again = tmp_path / path.stem
        assert build(from_checkpoint=path, full=True, out=again)[0] == 0
        assert files_of(again) == files_of(folder)
        refused(
            build(from_checkpoint=path, compat="v1", out=tmp_path / "h"),
            "CHECKPOINT_OF_ANOTHER_RUN",
        )
    found[0].write_bytes(found[0].read_bytes()[:-1])
    code, out, [line] = build(from_checkpoint=found[0], out=tmp_path / "h")
    assert (code, out) == (1, [])
    assert line.startswith(f"CHECKPOINT_DAMAGED at {found[0]}: ")
    assert "(hint: " in line
    assert not (tmp_path / "h").exists()


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"events": "nosuch.parquet"}, "MBO_FILE_UNREADABLE"),
        ({"events": "."}, "MBO_FILE_"),
        ({"config": "nosuch.json"}, "FILE_NOT_READABLE"),
        ({"config": "."}, "FILE_NOT_READABLE"),
        ({"from_checkpoint": "nosuch.arrow"}, "CHECKPOINT_MISSING"),
        ({"from_checkpoint": "."}, "CHECKPOINT_MISSING"),
        ({"compat": "v3"}, "ARGUMENTS_INVALID"),
        ({"compat": ""}, "ARGUMENTS_INVALID"),
        ({"emit_from": 5}, "EMIT_FROM_TOO_EARLY"),
        ({"emit_until": 5}, "SESSION_EMPTY"),
        ({"emit_from": MIDDLE_NS, "emit_until": MIDDLE_NS}, "SESSION_EMPTY"),
        ({"out": "/proc/nosuch/g"}, "FOLDER_NOT_WRITABLE"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_left(
    build, nothing_left, tmp_path, options, code
):
    paths = ("events", "config", "from_checkpoint")
    absolute = {
        name: tmp_path / "in" / value if name in paths else value for name, value in options.items()
    }
    [line] = refused(build(**absolute), code)
    assert "(hint: " in line
    nothing_left()


@pytest.mark.parametrize(
    "options",
    [
        {"events": None},
        {"config": None},
        {"out": None},
        {"checkpoint_every": -1},
        {"checkpoint_every": "x"},
        {"emit_from": -1},
        {"emit_from": 2**63},
        {"emit_from": "2026-01-01"},
        {"emit_until": -1},
        {"nosuch": 1},
    ],
)
def test_a_usage_error_ends_with_two_and_leaves_nothing(build, nothing_left, options):
    code, out, err = build(**options)
    assert (code, out) == (2, [])
    assert "Traceback" not in "\n".join(err)
    nothing_left()


def test_every_problem_of_a_configuration_is_said_with_its_pointer(build, nothing_left):
    runtime = RUNTIME | {"colour": "red", "grid_radius_ticks": -1, "flow_windows": [1]}
    del runtime["tau_jerk"]
    document = {"runtime_config": runtime, "projection": {**DOCUMENT["projection"], "x": 1}}
    code, out, err = build(document)
    assert (code, out) == (2, [])
    places = [line.split(": ")[0].split(" at ")[1] for line in err]
    wanted = {f"/runtime_config/{name}" for name in ("colour", "grid_radius_ticks", "tau_jerk")}
    assert set(places) == wanted | {"/projection/x"}
    assert len(places) == 4
    assert all("(hint: " in line for line in err)
    nothing_left()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"runtime_config": RUNTIME},
        {**DOCUMENT, "warmup": 5},
        {**DOCUMENT, "runtime_config": RUNTIME | {"config_version": "0" * 12}},
        {**DOCUMENT, "runtime_config": RUNTIME | {"projection_horizons_ms": [1]}},
    ],
)
def test_a_configuration_that_is_not_exactly_one_is_refused(build, nothing_left, document):
    code, out, err = build(document)
    assert (code, out) == (2, [])
    assert all(line.startswith("GRID_CONFIG_") and "(hint: " in line for line in err)
    assert err
    nothing_left()


@pytest.mark.parametrize("changes", [{"symbol": "ESH6"}, {"product_type": "equity_mbo"}])
def test_a_configuration_of_another_instrument_is_refused(build, nothing_left, changes):
    [line] = refused(build({**DOCUMENT, "runtime_config": RUNTIME | changes}), "INSTRUMENT_LOCKED")
    assert "future_mbo MNQH6" in line
    nothing_left()


def test_the_lock_of_the_environment_decides(build, monkeypatch, tmp_path, islandflow):
    path = tmp_path / "lock.yaml"
    path.write_text("product_type: equity_mbo\nsymbol: AAPL\n")
    monkeypatch.setenv("ISLANDFLOW_INSTRUMENT_CONFIG", str(path))
    refused(build(), "INSTRUMENT_LOCKED")
    path.write_text("product_type: future_mbo\nsymbol: 5\n")
    [line] = refused(build(), f"{path}#/symbol")
    path.write_text("product_type: future_mbo\nsymbol: MNQH6\n")
    assert build()[0] == 0
    path.unlink()
    code, out, [line] = build(out=tmp_path / "h")
    assert (code, out) == (1, [])
    assert line.startswith(f"INSTRUMENT_FILE_MISSING at {path}: ")
    assert not (tmp_path / "h").exists()


def test_a_folder_that_is_taken_is_refused_and_untouched(build, tmp_path):
    assert build()[0] == 0
    folder = tmp_path / "out" / "g"
    before = files_of(folder)
    refused(build(), "GRID_EXISTS")
    refused(build(checkpoint_every=100, full=True), "GRID_EXISTS")
    assert files_of(folder) == before
    refused(build(out=folder / "bins.parquet"), "FOLDER_NOT_WRITABLE")
    refused(build(out=folder / "bins.parquet" / "g"), "FOLDER_NOT_WRITABLE")
    assert files_of(folder) == before


@pytest.mark.parametrize("rows", [0, 1])
def test_a_tape_of_hardly_anything_is_built(build, tmp_path, rows, islandflow):
    (tmp_path / "in" / "short").mkdir()
    path = write_tape(tmp_path / "in" / "short", stream=STREAM.part(0, rows))
    code, out, _ = build(events=path, checkpoint_every=1)
    assert (code, out[1]) == (0, f"{rows} events, {rows} bins")
    assert islandflow("grid", "verify", tmp_path / "out" / "g")[0] == 0


def test_a_start_behind_every_event_is_a_dataset_without_bins(build, tmp_path):
    code, out, _ = build(emit_from=int(STREAM.ts_ns[-1]) + 1)
    assert (code, out[1]) == (0, "1200 events, 0 bins")
    assert pq.read_metadata(tmp_path / "out" / "g" / "grid.parquet").num_rows == 0


def test_a_bad_row_is_named_and_nothing_left(build, nothing_left, tmp_path):
    path = write_tape(tmp_path / "in", "csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:900], "x" + lines[900], *lines[901:]]) + "\n")
    [line] = refused(build(events=path, checkpoint_every=100), "MBO_VALUE_INVALID at row 899")
    assert "ts_ns" in line
    nothing_left()


def test_an_empty_file_is_no_tape(build, nothing_left, tmp_path):
    path = tmp_path / "in" / "empty.parquet"
    path.write_bytes(b"")
    code, out, err = build(events=path)
    assert (code, out, len(err)) == (2, [], 1)
    nothing_left()


def test_verify_names_every_damaged_file(islandflow, build, tmp_path):
    build()
    folder = tmp_path / "out" / "g"
    (folder / "bins.parquet").unlink()
    (folder / "grid.parquet").write_bytes(b"")
    code, out, err = islandflow("grid", "verify", folder)
    assert (code, out) == (1, [])
    assert [line.split(": ")[0] for line in err] == [
        f"GRID_DAMAGED at {folder / name}" for name in TABLES
    ]


def test_verify_of_what_is_no_dataset_is_refused(islandflow, bare_home, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for place in (tmp_path, tmp_path / "nosuch", tmp_path / "file"):
        refused(islandflow("grid", "verify", place), "GRID_MISSING")
    assert not bare_home.exists()
