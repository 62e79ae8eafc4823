"""Grid datasets in folders: equal to the golden files, and the same bytes however they are built.

Kills are in tests/faults/test_grid_kills.py, commands in tests/islandflow_jobs/test_cli_grids.py,
what a damaged checkpoint does in test_grid_checkpoints.py.
"""

import json
import shutil
import subprocess
import sys
from functools import partial

import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractError
from contracts.grid import grid_config_from
from engine.book.events import LAST
from islandflow_resources import grid_build, grid_checkpoints, grid_tables
from islandflow_resources.grid_build import GridOrder, build_grid, dataset_id_of, warm_book
from islandflow_resources.grid_folder import read_manifest
from islandflow_resources.mbo_files import read_events
from tests.islandflow_resources.grids import (
    CONFIG,
    EVENTS,
    FINALS,
    MIDDLE_NS,
    STREAM,
    TABLES,
    TEXTS,
    build,
    checkpoints_of,
    files_of,
    order,
    write_tape,
)
from tests.journeys import children
from tests.oracles import order_golden as golden
from tests.oracles.order_book import Event
from tests.oracles.order_streams import BIN_NS, START_NS, packed


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return write_tape(tmp_path_factory.mktemp("tape"))


@pytest.fixture(scope="module")
def whole(tape, tmp_path_factory):
    """Files of a build that nothing interrupts."""
    return build(tape, tmp_path_factory.mktemp("whole") / "grid")


@pytest.fixture(scope="module")
def halted(tape, tmp_path_factory):
    """A folder with the checkpoints of a build, every 170 events."""
    folder = tmp_path_factory.mktemp("halted") / "grid"
    build(tape, folder, checkpoint_every=170)
    return folder


def assert_refused(code, *arguments, run=build_grid):
    with pytest.raises(ContractError) as refused:
        run(*arguments)
    assert refused.value.code == code
    return refused.value


# -- what is built ------------------------------------------------------------------------------


def test_a_build_of_the_golden_stream_is_what_the_golden_files_hold(tmp_path):
    wanted = GridOrder(
        golden.FOLDER / "small_events.parquet", grid_config_from(golden.config()), "v1", full=True
    )
    manifest = build_grid(wanted, tmp_path / "g").manifest
    assert (manifest["events"], manifest["bins"]) == (20_000, golden.BINS)
    for name in ("bins", "grid", "engine_final", "orders_final"):
        made = pq.read_table(tmp_path / "g" / f"{name}.parquet")
        wanted = pq.read_schema(golden.FOLDER / f"small_{name}.parquet")
        assert [(f.name, f.type) for f in made.schema] == [(f.name, f.type) for f in wanted]
        columns = {column: made[column].to_numpy() for column in made.column_names}
        if name == "grid":
            kept = columns["bin_seq"] % golden.ROWS_EVERY == 0
            columns = {column: values[kept] for column, values in columns.items()}
        assert golden.differences(columns, golden.table(name)) == []


def test_a_dataset_has_its_files_and_the_full_form_two_more(tape, whole, tmp_path):
    assert set(whole) == {*TABLES, *FINALS, *TEXTS}
    plain = build(tape, tmp_path / "g", full=False)
    assert set(plain) == {*TABLES, *TEXTS}
    assert plain["bins.parquet"] == whole["bins.parquet"]
    fields = pq.read_schema(tmp_path / "g" / "grid.parquet").names
    assert (fields[0], len(fields[1:])) == ("bin_seq", 42)
    assert json.loads(whole["manifest.json"])["form"] == "full"


def test_the_manifest_says_what_a_dataset_is_and_is_made_of(tape, whole, tmp_path):
    manifest = json.loads(whole["manifest.json"])
    build(tape, tmp_path / "g")
    assert read_manifest(tmp_path / "g") == manifest
    assert manifest["events"] == EVENTS == manifest["source"]["rows"]
    assert manifest["bins"] == pq.read_metadata(tmp_path / "g" / "bins.parquet").num_rows > 20
    assert manifest["dataset_id"].startswith("mnqh6-")
    assert manifest["instrument"] == {"product_type": "future_mbo", "symbol": "MNQH6"}
    assert set(manifest["files"]) == {*TABLES, *FINALS}
    assert json.loads(whole["checksums.json"]) == manifest["files"]


def test_the_name_of_a_dataset_follows_from_all_that_determines_it_and_nothing_else(tape):
    source = "blake3:" + "0" * 64
    told = dataset_id_of(order(tape), source)
    same = [order(tape / "moved"), order(tape, full=False, checkpoint_every=5)]
    assert {dataset_id_of(each, source) for each in same} == {told}
    other = [
        dataset_id_of(order(tape, compat="v1"), source),
        dataset_id_of(order(tape, emit_from_ns=MIDDLE_NS), source),
        dataset_id_of(order(tape), "blake3:" + "1" * 64),
    ]
    assert len({told, *other}) == 4


def test_derived_fields_of_a_configuration_change_nothing(tape, whole, tmp_path):
    document = {
        "runtime_config": CONFIG.runtime_config.resolved(),
        "projection": CONFIG.projection.model_dump(mode="json"),
        "run": "another",
    }
    assert build(tape, tmp_path / "g", config=grid_config_from(document)) == whole


# -- the same bytes -----------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 7, 500])
def test_the_size_of_batches_changes_no_byte(tape, whole, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(grid_build, "read_events", partial(read_events, batch_rows=rows))
    assert build(tape, tmp_path / "g") == whole


@pytest.mark.parametrize("form", ["dbn", "dbn.zst", "csv"])
def test_the_form_of_the_events_changes_nothing_but_what_is_said_of_the_source(
    whole, tmp_path, form
):
    made = build(write_tape(tmp_path, form), tmp_path / "g")
    for name in (*TABLES, *FINALS, "checksums.json"):
        assert made[name] == whole[name], name
    ours, theirs = (json.loads(files["manifest.json"]) for files in (made, whole))
    differ = {name for name in ours if ours[name] != theirs[name]}
    assert differ == {"source", "dataset_id", "digest"}


@pytest.mark.parametrize("every", [1, 170, EVENTS, 10**9])
def test_checkpoints_change_no_byte(tape, whole, tmp_path, every):
    shorter = write_tape(tmp_path, stream=STREAM.part(0, 60)) if every == 1 else tape
    wanted = build(shorter, tmp_path / "w") if every == 1 else whole
    assert build(shorter, tmp_path / "g", checkpoint_every=every) == wanted
    rows = 60 if every == 1 else EVENTS
    names = [f"{n:012d}.arrow" for n in range(every, rows + 1, every)]
    assert [path.name for path in checkpoints_of(tmp_path / "g")] == names


def test_a_build_from_any_checkpoint_is_the_uninterrupted_one(tape, whole, halted, tmp_path):
    found = checkpoints_of(halted)
    assert len(found) == EVENTS // 170
    for path in found:
        assert build(tape, tmp_path / path.stem, from_checkpoint=path) == whole


def test_a_build_goes_on_in_the_folder_of_its_checkpoints(tape, whole, halted, tmp_path):
    shutil.copytree(halted / "checkpoints", tmp_path / "g" / "checkpoints")
    before = {path: path.read_bytes() for path in (tmp_path / "g" / "checkpoints").iterdir()}
    third = checkpoints_of(tmp_path / "g")[2]
    assert build(tape, tmp_path / "g", from_checkpoint=third, checkpoint_every=170) == whole
    after = {path: path.read_bytes() for path in (tmp_path / "g" / "checkpoints").iterdir()}
    assert after == before


def test_other_checkpoints_in_a_folder_do_not_spoil_those_that_are_there(
    tape, whole, halted, tmp_path
):
    shutil.copytree(halted / "checkpoints", tmp_path / "g" / "checkpoints")
    first, *_, last = checkpoints_of(tmp_path / "g")
    assert build(tape, tmp_path / "g", from_checkpoint=first, checkpoint_every=510) == whole
    assert build(tape, tmp_path / "h", from_checkpoint=last) == whole


def test_checkpoints_of_a_resumed_build_stand_on_their_own(tape, whole, halted, tmp_path):
    shutil.copytree(halted / "checkpoints", tmp_path / "old")
    third = sorted((tmp_path / "old").glob("*.arrow"))[2]
    build(tape, tmp_path / "g", from_checkpoint=third, checkpoint_every=300)
    shutil.rmtree(tmp_path / "old")
    found = checkpoints_of(tmp_path / "g")
    assert [path.name for path in found] == [f"{n:012d}.arrow" for n in (600, 900, 1200)]
    for path in found:
        assert build(tape, tmp_path / path.stem, from_checkpoint=path) == whole


def test_bins_before_a_checkpoint_are_written_before_they_fill_the_memory(
    tape, tmp_path, monkeypatch
):
    monkeypatch.setattr(grid_tables, "ROWS_PER_GROUP", 100)
    monkeypatch.setattr(grid_checkpoints, "ROWS_PER_GROUP", 100)
    wanted = build(tape, tmp_path / "w")
    rows = json.loads(wanted["manifest.json"])["tables"]["grid.parquet"]["rows"]
    monkeypatch.setattr(grid_build, "read_events", partial(read_events, batch_rows=50))
    assert build(tape, tmp_path / "g", checkpoint_every=EVENTS) == wanted
    [only] = checkpoints_of(tmp_path / "g")
    parts = sorted((tmp_path / "g" / "checkpoints").glob("*.grid.parquet"))
    sizes = [pq.read_metadata(path).num_rows for path in parts]
    assert max(sizes) < 400 < sum(sizes)
    assert rows - 13 <= sum(sizes) <= rows
    assert build(tape, tmp_path / "h", from_checkpoint=only) == wanted


def test_projections_can_be_left_out_of_a_resumed_build_but_not_made_up(tape, halted, tmp_path):
    plain = build(tape, tmp_path / "p", full=False, checkpoint_every=500)
    third = checkpoints_of(halted)[2]
    assert build(tape, tmp_path / "g", full=False, from_checkpoint=third) == plain
    first = checkpoints_of(tmp_path / "p")[0]
    assert_refused("CHECKPOINT_OF_ANOTHER_RUN", order(tape, from_checkpoint=first), tmp_path / "h")
    assert not (tmp_path / "h").exists()


# -- warming up ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at_ns", [START_NS - 5 * BIN_NS, START_NS, MIDDLE_NS, MIDDLE_NS + 7, START_NS + 10**15]
)
@pytest.mark.parametrize("compat", ["v1", "v2"])
def test_a_warmed_book_and_the_build_from_it_are_the_build_that_starts_there(
    tape, tmp_path, at_ns, compat
):
    wanted = order(tape, compat=compat, emit_from_ns=at_ns)
    head = warm_book(wanted, tmp_path / "warm.arrow")
    assert head.rows_taken == int((STREAM.ts_ns < at_ns).sum())
    build_grid(wanted, tmp_path / "w")
    resumed = build(tape, tmp_path / "g", compat=compat, from_checkpoint=tmp_path / "warm.arrow")
    assert resumed == files_of(tmp_path / "w")
    first = pq.read_table(tmp_path / "g" / "bins.parquet")["bin_start_ns"].to_pylist()[:1]
    assert first == ([] if at_ns > STREAM.ts_ns[-1] else [at_ns])


def test_a_warmed_book_is_the_same_bytes_and_never_replaces_a_file(tape, tmp_path):
    wanted = order(tape, emit_from_ns=MIDDLE_NS)
    for name in "ab":
        warm_book(wanted, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert_refused("FILE_EXISTS", wanted, tmp_path / "a", run=warm_book)
    assert_refused("FILE_NOT_WRITABLE", wanted, tmp_path / "no" / "c", run=warm_book)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_a_start_so_early_that_it_cannot_be_meant_is_refused(tape, tmp_path):
    error = assert_refused(
        "EMIT_FROM_TOO_EARLY", order(tape, emit_from_ns=START_NS // 10**9), tmp_path / "g"
    )
    assert str(START_NS) in error.message
    assert not (tmp_path / "g").exists()


# -- odd and bad input --------------------------------------------------------------------------


def test_a_file_without_events_is_a_dataset_without_bins(tmp_path):
    made = build(write_tape(tmp_path, stream=STREAM.part(0, 0)), tmp_path / "g")
    manifest = json.loads(made["manifest.json"])
    assert (manifest["events"], manifest["bins"]) == (0, 0)
    assert read_manifest(tmp_path / "g") == manifest


def test_one_event_is_one_bin(tmp_path):
    build(write_tape(tmp_path, stream=STREAM.part(1, 2)), tmp_path / "g")
    bins = pq.read_table(tmp_path / "g" / "bins.parquet")
    assert bins["bin_event_count"].to_pylist() == [1]


def test_a_tape_on_which_the_lattice_finds_no_anchor_has_bins_without_prices(tmp_path):
    trades = [Event(START_NS + n * BIN_NS // 3, "T", "B", 0, 10**11, 1, LAST, n) for n in range(40)]
    build(write_tape(tmp_path, stream=packed(trades)), tmp_path / "g", checkpoint_every=7)
    bins = pq.read_table(tmp_path / "g" / "bins.parquet")
    assert set(bins["anchor_tick_idx"].to_pylist()) == {-1}
    assert set(bins["spot_ref_price_int"].to_pylist()) == {0}
    assert bins.num_rows == 14


@pytest.mark.parametrize("every", [0, 200])
def test_a_bad_row_in_the_middle_leaves_nothing_but_checkpoints(tmp_path, monkeypatch, every):
    path = write_tape(tmp_path, "csv")
    lines = path.read_text().splitlines()
    fields = lines[700].split(",")
    lines[700] = ",".join([*fields[:5], "many", *fields[6:]])
    path.write_text("\n".join(lines) + "\n")
    # Of a longer file the rows before the bad one would be taken, batch by batch.
    monkeypatch.setattr(grid_build, "read_events", partial(read_events, batch_rows=100))
    error = assert_refused(
        "MBO_VALUE_INVALID", order(path, checkpoint_every=every), tmp_path / "a" / "b"
    )
    assert "row 699" in error.loc
    if not every:
        assert [left.name for left in tmp_path.iterdir()] == ["tape.csv"]
        return
    assert list(files_of(tmp_path / "a" / "b")) == []
    names = [left.name for left in checkpoints_of(tmp_path / "a" / "b")]
    assert names == [f"{rows:012d}.arrow" for rows in (200, 400, 600)]


def test_a_truncated_file_leaves_nothing(tmp_path):
    path = write_tape(tmp_path, "dbn")
    path.write_bytes(path.read_bytes()[:-30])
    assert_refused("MBO_FILE_CORRUPT", order(path), tmp_path / "g")
    assert [left.name for left in tmp_path.iterdir()] == ["tape.dbn"]


def test_a_file_of_another_symbol_is_refused(tmp_path):
    runtime = CONFIG.runtime_config.model_dump() | {
        "symbol": "ESH6",
        "projection_horizons_ms": None,
    }
    document = {"runtime_config": runtime, "projection": CONFIG.projection.model_dump()}
    other = grid_config_from(document)
    path = write_tape(tmp_path)
    assert_refused("MBO_SYMBOL_UNKNOWN", order(path, config=other), tmp_path / "g")
    assert not (tmp_path / "g").exists()


# -- memory -------------------------------------------------------------------------------------

_MEASURE = """
import resource, sys
from pathlib import Path
from contracts.grid import load_grid_config
from contracts.mbo import mbo_spec_from
from engine.tapes.mbo import MboTape
from islandflow_resources.grid_build import GridOrder, build_grid
from islandflow_resources.mbo_writers import write_events
from tests.engine.grid.runs import config
from tests.engine.tapes.mbo.markets import scenario

folder = Path(sys.argv[1])
wanted = config(grid_radius_ticks=30, n_absolute_ticks=2048)
spec = mbo_spec_from({
    "id": "m", "version": "0.1", "scenario": scenario(drift=0.0, sigma=1.5),
    "bars": 8, "events_per_second": 100.0,
})
for name, bars in (("short", 2), ("long", 8)):
    tape = MboTape(spec.model_copy(update={"bars": bars}), 1)
    write_events(folder / f"{name}.parquet", tape.batches(), symbol="MNQH6")
for name in ("short", "long"):
    order = GridOrder(folder / f"{name}.parquet", wanted, full=True, checkpoint_every=10**9)
    manifest = build_grid(order, folder / name).manifest
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(manifest["events"], manifest["bins"], peak_kb)
"""


def test_four_times_the_events_need_no_more_memory_even_before_a_far_checkpoint(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path)],
        cwd=children.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    short, long = (tuple(map(int, line.split())) for line in ended.stdout.splitlines())
    assert short[0] > 10_000
    assert long[0] > 4 * short[0]
    assert long[1] > 3.9 * short[1] > 4_000
    # All rows of the long one would take more than 100 MB.
    assert long[2] - short[2] < 30_000
