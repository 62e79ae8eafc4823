"""``islandflow book …`` for books alone: what is printed, how it ends, what is left behind.

What a report counts is in tests/islandflow_resources/test_book_reports.py, what a file of
levels holds in test_level_files.py there.
"""

import json
import os
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from contracts.mbo import load_mbo_spec
from engine.book.levels import level_columns
from islandflow_jobs.book_run import document_of, lines_of
from islandflow_resources.book_reports import check_events
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.mbo_writers import write_events
from tests.graph import CALM, SINKING, write_json
from tests.islandflow_jobs.commands import refused
from tests.islandflow_resources.mbo_streams import mapping, record, written
from tests.oracles.order_streams import adversarial, well_formed

SHORT = {
    "id": "short",
    "version": "0.1",
    "scenario": CALM,
    "bars": 2,
    "bar_ns": 3_000_000_000,
    "events_per_second": 40,
}
SYMBOLS = (mapping("ESH1", (5482, 0, 1)), mapping("ESM1", (9, 0, 1)))


@pytest.fixture
def short(tmp_path):
    return write_json(tmp_path / "short.json", SHORT)


@pytest.fixture
def tape(tmp_path):
    write_events(tmp_path / "tape.parquet", [well_formed(1, 900)], symbol="MNQH6")
    return tmp_path / "tape.parquet"


@pytest.fixture
def two(tmp_path):
    """A file of two instruments."""
    records = [record(order_id=1), record(1, order_id=2, instrument_id=9, size=3)]
    return written(tmp_path / "two.dbn", records, mappings=SYMBOLS)


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def bad_file(kind, folder):
    """A file that is no tape."""
    records = [record(n, order_id=n) for n in range(9)]
    path = folder / f"{kind}.dbn"
    if kind == "truncated":
        path = written(path, records)
        path.write_bytes(path.read_bytes()[:-9])
    elif kind == "text":
        path.write_bytes(b"ts_ns,action\n")
    elif kind == "columns":
        path = folder / "columns.csv"
        path.write_bytes(b"ts_ns,action\n1,A\n")
    return path


BAD_FILES = {
    "truncated": "MBO_FILE_CORRUPT",
    "text": "MBO_FILE_CORRUPT",
    "columns": "MBO_COLUMN_MISSING",
    "missing": "MBO_FILE_UNREADABLE",
}


@pytest.mark.parametrize("form", ["parquet", "dbn", "dbn.zst"])
def test_a_tape_is_made_and_checks_as_sound(islandflow, bare_home, short, out, form):
    path = out / f"a.{form}"
    code, lines, err = islandflow("book", "make", "--scenario", short, "--seed", 3, "--out", path)
    assert (code, err) == (0, [])
    report = check_events(path)
    events, digest = report.ingestion.rows, file_digest(path)
    assert lines == [f"made {path}", f"{events} events of MNQH6, {digest}"]
    assert events > 100
    assert report.is_sound
    assert set(report.anomalies.values()) == {0}
    assert report.crossing == "no"
    assert os.listdir(out) == [path.name]


def test_the_same_seed_makes_the_same_tape_and_another_seed_another(
    islandflow, bare_home, short, out
):
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        path = out / f"{name}.parquet"
        assert (
            islandflow("book", "make", "--scenario", short, "--seed", seed, "--out", path)[0] == 0
        )
    digests = [file_digest(out / f"{name}.parquet") for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bars": 0}, "/bars"),
        ({"colour": "red"}, "/colour"),
        ({"scenario": CALM | {"family": "trned"}}, "/scenario/family"),
        ({"scenario": SINKING, "bars": 160, "bar_ns": 0}, "UNREPRESENTABLE"),
    ],
)
def test_a_bad_document_of_a_tape_is_refused(islandflow, bare_home, tmp_path, out, changes, code):
    spec = write_json(tmp_path / "bad.json", SHORT | changes)
    path = out / "a.parquet"
    refused(islandflow("book", "make", "--scenario", spec, "--seed", 1, "--out", path), code)
    assert os.listdir(out) == []


@pytest.mark.parametrize("seed", ["x", "-1", "1.5", "9223372036854775808"])
def test_a_seed_that_is_no_seed_is_refused(islandflow, bare_home, short, out, seed):
    path = out / "a.parquet"
    refused(
        islandflow("book", "make", "--scenario", short, f"--seed={seed}", "--out", path), "SEED"
    )
    assert os.listdir(out) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a.txt", "MBO_FORM_UNKNOWN"),
        ("taken.parquet", "FILE_EXISTS"),
        ("nosuch/a.parquet", "FILE_NOT_WRITABLE"),
    ],
)
def test_a_name_that_no_tape_can_have_is_refused(islandflow, bare_home, short, out, name, code):
    (out / "taken.parquet").write_bytes(b"old")
    refused(islandflow("book", "make", "--scenario", short, "--seed=1", "--out", out / name), code)
    assert (out / "taken.parquet").read_bytes() == b"old"
    assert os.listdir(out) == ["taken.parquet"]


def test_a_check_prints_a_line_for_each_thing(islandflow, bare_home, tape):
    code, lines, err = islandflow("book", "check", tape)
    assert (code, err) == (0, [])
    said = {line[:26].strip(): line[26:] for line in lines}
    report = check_events(tape)
    assert report.best_bid is not None
    assert said["symbol"] == "MNQH6"
    assert said["records"] == "900, dropped: none"
    assert said["anomalies"] == f"unconfirmed_fills {report.anomalies['unconfirmed_fills']}"
    assert said["invariants"] == "held at 1 audits"
    assert said["live orders"] == str(report.live_orders)
    price = report.best_bid.price_int
    assert said["best bid"].startswith(f"{price / 1e9:g} ({price}), {report.best_bid.size} lots")


def test_a_check_in_json_is_one_object_with_everything(islandflow, bare_home, tape):
    code, lines, err = islandflow("book", "check", tape, "--json")
    assert (code, err) == (0, [])
    found = json.loads("\n".join(lines))
    report = check_events(tape)
    assert found == document_of(report)
    assert report.best_ask is not None
    assert found["events"] == 900
    assert found["invariants_held"] is True
    assert found["best_ask_price_int"] == report.best_ask.price_int
    assert found["anomalies"]["unknown_cancel"] == 0


def test_anomalies_are_told_and_do_not_fail_a_check(islandflow, bare_home, tmp_path):
    path = tmp_path / "a.parquet"
    write_events(path, [adversarial(1, 800)], symbol="X")
    code, lines, _ = islandflow("book", "check", path)
    assert code == 0
    counts = check_events(path).anomalies
    assert counts["duplicate_add"] > 0
    [said] = [line for line in lines if line.startswith("anomalies")]
    assert f"duplicate_add {counts['duplicate_add']}" in said


def test_a_broken_invariant_is_told_and_a_side_without_orders_too(tape):
    report = replace(check_events(tape), broken={"ids_found": 2}, best_bid=None)
    assert not report.is_sound
    assert any("BROKEN: ids_found 2" in line for line in lines_of(report))
    assert any(line.split() == ["best", "bid", "none"] for line in lines_of(report))
    found = document_of(report)
    assert (found["invariants_held"], found["best_bid_price_int"]) == (False, None)


def test_levels_are_written_to_a_new_file(islandflow, bare_home, tape, out):
    path = out / "l.parquet"
    code, lines, err = islandflow("book", "levels", tape, "--levels", 4, "--out", path)
    assert (code, err) == (0, [])
    table = pq.read_table(path)
    assert table.column_names == list(level_columns(4))
    assert lines == [
        f"made {path}",
        f"{table.num_rows} rows of 4 levels from 900 events, {file_digest(path)}",
    ]
    assert os.listdir(out) == ["l.parquet"]


def test_ten_levels_are_written_if_no_number_is_given(islandflow, bare_home, tape, out):
    assert islandflow("book", "levels", tape, "--out", out / "l.parquet")[0] == 0
    assert pq.read_schema(out / "l.parquet").names == list(level_columns(10))


def test_an_instrument_of_several_is_chosen_by_its_symbol(islandflow, bare_home, two, out):
    path = out / "l.parquet"
    assert islandflow("book", "levels", two, "--symbol", "ESM1", "--out", path)[0] == 0
    assert pq.read_table(path)["bid_sz_00"].to_pylist() == [3]
    code, lines, _ = islandflow("book", "check", two, "--symbol", "ESM1", "--json")
    found = json.loads("\n".join(lines))
    assert (code, found["symbol"], found["best_bid_size"]) == (0, "ESM1", 3)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_several_instruments_without_a_symbol_or_with_a_strange_one_are_refused(
    islandflow, bare_home, two, out, more
):
    refused(islandflow("book", "check", two, *more), "MBO_INSTRUMENT_AMBIGUOUS")
    refused(islandflow("book", "check", two, "--symbol", "ES", *more), "MBO_SYMBOL_UNKNOWN")
    path = out / "l.parquet"
    refused(islandflow("book", "levels", two, "--out", path), "MBO_INSTRUMENT_AMBIGUOUS")
    assert os.listdir(out) == []


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_is_no_tape_is_refused(islandflow, bare_home, tmp_path, out, kind):
    path = bad_file(kind, tmp_path)
    refused(islandflow("book", "check", path), BAD_FILES[kind])
    refused(islandflow("book", "levels", path, "--out", out / "l.parquet"), BAD_FILES[kind])
    assert os.listdir(out) == []


@pytest.mark.parametrize(
    ("levels", "name", "code"),
    [
        (0, "l.parquet", "LEVELS_INVALID"),
        (101, "l.parquet", "LEVELS_INVALID"),
        (5, "taken.parquet", "FILE_EXISTS"),
        (5, "nosuch/l.parquet", "FILE_NOT_WRITABLE"),
    ],
)
def test_levels_that_cannot_be_written_are_refused(
    islandflow, bare_home, tape, out, levels, name, code
):
    (out / "taken.parquet").write_bytes(b"old")
    refused(islandflow("book", "levels", tape, "--levels", levels, "--out", out / name), code)
    assert (out / "taken.parquet").read_bytes() == b"old"
    assert os.listdir(out) == ["taken.parquet"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("make",),
        ("check",),
        ("levels", "a.dbn"),
        ("levels", "a", "--levels", "x", "--out", "b"),
    ],
)
def test_a_usage_error_ends_with_two(islandflow, bare_home, arguments):
    code, _, _ = islandflow("book", *arguments)
    assert code == 2
    assert not bare_home.exists()


def test_registered_tapes_and_seeds_become_partitions(islandflow, graph, short):
    key = load_mbo_spec(short.read_bytes()).partition_key
    assert islandflow("book", "register", short, "--seeds", "3-4") == (0, [f"registered {key}"], [])
    assert islandflow("book", "register", short) == (0, [f"unchanged {key}"], [])
    assert list(graph.instance.get_dynamic_partitions("tape")) == [key]
    assert list(graph.instance.get_dynamic_partitions("seed")) == ["1", "2", "3", "4"]


def test_no_tape_is_registered_if_one_of_the_documents_is_broken(
    islandflow, graph, short, tmp_path
):
    broken = write_json(tmp_path / "broken.json", SHORT | {"bars": 0})
    [line] = refused(islandflow("book", "register", short, broken), "VALUE_OUT_OF_RANGE")
    assert str(broken) in line
    assert list(graph.instance.get_dynamic_partitions("tape")) == []


def test_an_imported_file_is_kept_and_becomes_a_partition(islandflow, graph, tape):
    key = f"mnqh6-{file_digest(tape)[7:19]}"
    code, out, err = islandflow("book", "import", tape)
    assert (code, err) == (0, [])
    assert out[0] == f"registered {key}"
    assert out[1].startswith(f"900 events, {file_digest(tape)}, kept as file://")
    assert islandflow("book", "import", tape, "--symbol", "MNQH6")[1][0] == f"unchanged {key}"
    assert list(graph.instance.get_dynamic_partitions("source")) == [key]


def test_a_file_that_cannot_be_imported_leaves_nothing(islandflow, graph, two):
    before = graph.objects()
    refused(islandflow("book", "import", two), "MBO_INSTRUMENT_AMBIGUOUS")
    assert graph.objects() == before
    assert list(graph.instance.get_dynamic_partitions("source")) == []
