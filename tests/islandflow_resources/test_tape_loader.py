"""Every kind of damage to every file of a tape is found, with its code, file and row."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.tape_columns import STREAMS
from contracts.tape_manifest import LABEL_FILES, MANIFEST, PROVENANCE, TAPE_FILES
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_places import local_place, stored_place
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec
from tests.islandflow_resources.tape_tampering import (
    Copy,
    codes,
    refusal,
    taken,
    with_value,
    written,
)

DENSITY = 1
FILES = (*TAPE_FILES, MANIFEST, PROVENANCE, *LABEL_FILES)
TEXTS = [
    (name, column.name)
    for name, schema in STREAMS.items()
    for column in schema.columns
    if column.kind == "string"
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A tape that nobody has touched; every test here reads it whole, so it is a thin one."""
    root = tmp_path_factory.mktemp("sound") / "root"
    return root, written(root, density=DENSITY).manifest.tape_id


@pytest.fixture
def copy(sound, tmp_path):
    return Copy(*sound, tmp_path / "copy")


def again(snapshot):
    return PlainTape(snapshot.spec, snapshot.seed_bundle.root_seed, DENSITY)


def test_a_tape_that_nobody_touched_is_sound(copy):
    done = []
    proved = verify_tape(
        local_place(copy.tape), again=again, progress=lambda *told: done.append(told)
    )
    assert proved.manifest == copy.manifest
    assert proved.snapshot.spec == plain_spec()
    total = proved.manifest.replay_plan.event_count
    assert total == 13 * DENSITY * 420
    assert done[-1] == (total, total)


def test_a_tape_is_proved_without_its_labels_where_they_are_out_of_reach(copy, tmp_path):
    alone = tmp_path / "elsewhere"
    copy.tape.rename(alone)
    assert verify_tape(local_place(alone), with_labels=False)
    with pytest.raises(IntegrityError) as caught:
        verify_tape(local_place(alone))
    assert {problem.loc for problem in caught.value.problems} == set(LABEL_FILES)
    assert set(codes(caught.value)) == {"TAPE_FILE_MISSING"}
    assert verify_tape(local_place(alone, copy.labels))


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_byte_of_any_file_is_found(copy, name):
    path = copy.path(name)
    data = path.read_bytes()
    draw = random.Random(name)
    places = {0, len(data) - 1, *(draw.randrange(len(data)) for _ in range(3))}
    for place in sorted(places):
        flipped = bytes([data[place] ^ 1 << draw.randrange(8)])
        path.write_bytes(data[:place] + flipped + data[place + 1 :])
        error = refusal(copy)
        assert name in str(error), f"byte {place}"
    path.write_bytes(data)
    if name == FILES[0]:
        assert verify_tape(local_place(copy.tape))


@pytest.mark.parametrize("name", [name for name in FILES if name != MANIFEST])
@pytest.mark.parametrize("damage", ["missing", "truncated", "longer"])
def test_a_file_that_is_not_whole_is_found(copy, name, damage):
    path = copy.path(name)
    data = path.read_bytes()
    path.unlink()
    changed = {"truncated": data[: len(data) // 2], "longer": data + b"\n"}
    if damage != "missing":
        path.write_bytes(changed[damage])
    assert name in str(refusal(copy))


def test_without_a_manifest_there_is_no_tape(copy):
    copy.path(MANIFEST).unlink()
    for folder in (copy.tape, copy.tape.parent.parent):
        with pytest.raises(ContractError, match="TAPE_MISSING"):
            local_place(folder)


@pytest.mark.parametrize("name", STREAMS)
def test_a_changed_value_is_told_by_its_row_group_and_by_its_row_if_somebody_makes_it_again(
    copy, name
):
    column = "bid_size" if name in ("equity_quotes", "option_nbbo") else "size"
    copy.change(name, 1, lambda table: with_value(table, column, 5, 7_777))
    first = copy.tables(name)[0].num_rows
    error = refusal(copy)
    assert codes(error) == ["TAPE_EVENTS_DIFFER"]
    assert error.loc.startswith(f"{name}.parquet, row group 1, rows {first} to ")
    found = refusal(copy, again=again)
    assert found.loc == f"{name}.parquet, row {first + 5}"
    assert f"{column} is 7777" in found.message


@pytest.mark.parametrize("name", STREAMS)
def test_exchanged_rows_are_found_with_the_row(copy, name):
    rows = copy.tables(name)[0].num_rows
    order = [*range(40), 41, 40, *range(42, rows)]
    copy.change(name, 0, lambda table: taken(table, order))
    error = refusal(copy)
    assert error.code == "TAPE_EVENTS_DIFFER"
    assert error.loc == f"{name}.parquet, row 41"
    assert "TAPE_ORDER_BROKEN" in codes(error)


@pytest.mark.parametrize("name", STREAMS)
def test_a_row_that_is_left_out_is_found_with_the_row(copy, name):
    rows = copy.tables(name)[0].num_rows
    order = [row for row in range(rows) if row != 33]
    copy.change(name, 0, lambda table: taken(table, order))
    error = refusal(copy, again=again)
    assert error.code == "TAPE_COUNT_DIFFERS"
    assert error.loc == f"{name}.parquet, row 33"
    assert f"has {rows - 1} rows, not {rows}" in error.message


@pytest.mark.parametrize("name", STREAMS)
def test_a_row_that_is_there_twice_is_found_with_the_row(copy, name):
    rows = copy.tables(name)[1].num_rows
    order = [*range(12), 11, *range(12, rows)]
    first = copy.tables(name)[0].num_rows
    copy.change(name, 1, lambda table: taken(table, order))
    error = refusal(copy)
    assert error.code == "TAPE_COUNT_DIFFERS"
    assert error.loc == f"{name}.parquet, row {first + 12}"
    assert "TAPE_SEQ_REPEATED" in codes(error)


def test_a_whole_row_group_that_is_left_out_is_found(copy):
    copy.write("option_prints", copy.tables("option_prints")[:1])
    error = refusal(copy)
    assert error.code == "TAPE_COUNT_DIFFERS"
    assert "row group 1" in error.message


@pytest.mark.parametrize("name", STREAMS)
def test_a_column_that_names_the_truth_is_found_by_its_name(copy, name):
    table = pa.concat_tables(copy.tables(name))
    named = [*table.column_names[:-1], "Hidden-Label"]
    copy.write_plain(name, table.rename_columns(named))
    error = refusal(copy)
    assert error.code == "TAPE_LABEL_ON_EVENT"
    assert error.loc == f"{name}.parquet, column Hidden-Label"
    assert "TABLE_COLUMN_MISSING" in codes(error)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda table: table.rename_columns([*table.column_names[:-1], "note"]), "UNKNOWN"),
        (lambda table: table.drop_columns(["seq"]), "MISSING"),
        (lambda table: table.append_column("note", table.column("seq")), "UNKNOWN"),
        (
            lambda table: table.set_column(2, "seq", table.column("seq").cast(pa.int32())),
            "TYPE",
        ),
    ],
)
def test_columns_of_another_layout_are_found_by_their_names(copy, change, code):
    table = pa.concat_tables(copy.tables("option_prints"))
    small = with_value(table, "seq", 0, 1).set_column(
        2, "seq", pa.array(range(table.num_rows), pa.int64())
    )
    copy.write_plain("option_prints", change(small))
    error = refusal(copy)
    assert error.code.startswith("TABLE_COLUMN_")
    assert f"TABLE_COLUMN_{code}" in codes(error)
    assert "option_prints.parquet, column " in error.loc


@pytest.mark.parametrize(("name", "column"), TEXTS)
def test_a_word_of_the_truth_in_a_value_is_found_even_if_the_manifest_was_made_to_fit(
    copy, name, column
):
    copy.change(name, 1, lambda table: with_value(table, column, 9, "x RETAIL-whale 1"))
    first = copy.tables(name)[0].num_rows
    assert "TAPE_LABEL_ON_EVENT" in codes(refusal(copy))
    copy.forge()
    error = refusal(copy)
    assert error.code == "TAPE_LABEL_ON_EVENT"
    assert error.loc == f"{name}.parquet, row {first + 9}"
    assert "retailwhale" in error.message


@pytest.mark.parametrize(("name", "column"), TEXTS)
def test_a_value_that_the_market_does_not_have_is_found_even_if_the_manifest_was_made_to_fit(
    copy, name, column
):
    copy.change(name, 0, lambda table: with_value(table, column, 3, "EVENT_14D"))
    copy.forge()
    error = refusal(copy)
    assert (error.code, error.loc) == ("TAPE_VALUE_UNKNOWN", f"{name}.parquet, row 3")


def test_a_word_in_the_texts_of_a_file_is_found(copy):
    path = copy.path("equity_prints.parquet")
    table = pq.read_table(path)
    texts = {"islandflow.table": "equity_prints", "islandflow.table_version": "1"}
    for extra, code in (("burst_of", "TAPE_LABEL_ON_EVENT"), ("note", "TAPE_VALUE_UNKNOWN")):
        pq.write_table(table.replace_schema_metadata({**texts, extra: "x"}), path)
        assert refusal(copy).code == code


def test_a_file_that_does_not_belong_to_a_tape_is_found(copy):
    (copy.tape / "print_labels.parquet").write_bytes(b"")
    error = refusal(copy)
    assert (error.code, error.loc) == ("TAPE_FILE_UNKNOWN", "print_labels.parquet")


def test_a_table_of_another_version_is_found(copy):
    table = pa.concat_tables(copy.tables("option_prints"))
    path = copy.path("option_prints.parquet")
    texts = {"islandflow.table": "option_prints", "islandflow.table_version": "2"}
    pq.write_table(table.replace_schema_metadata(texts), path)
    assert refusal(copy).code == "TABLE_VERSION_UNKNOWN"


@pytest.mark.parametrize("column", ["ts_ns", "ingest_ns"])
def test_an_order_that_the_manifest_was_made_to_fit_is_found(copy, column):
    """Later by an hour, the event leaves its stretch; received before it happened, it cannot be."""
    value = copy.tables("equity_quotes")[1].column("ts_ns")[4].as_py()
    changed = value + 3_600_000_000_000 if column == "ts_ns" else value - 1
    copy.change("equity_quotes", 1, lambda table: with_value(table, column, 4, changed))
    copy.forge()
    first = copy.tables("equity_quotes")[0].num_rows
    error = refusal(copy)
    assert error.code == "TAPE_ORDER_BROKEN"
    assert error.loc == f"equity_quotes.parquet, row {first + 4}"


def test_a_number_that_two_streams_use_is_found_even_if_the_manifest_was_made_to_fit(copy):
    seq = copy.tables("equity_quotes")[0].column("seq")[60].as_py()
    nbbo = copy.tables("option_nbbo")[0]
    row = next(row for row, other in enumerate(nbbo.column("seq").to_pylist()) if other > seq)
    copy.change("option_nbbo", 0, lambda table: with_value(table, "seq", row, seq))
    copy.forge()
    error = refusal(copy)
    assert error.code == "TAPE_SEQ_REPEATED"
    assert f"seq {seq} is there twice" in error.message
    assert error.loc == f"option_nbbo.parquet, row {row}"


def test_numbers_that_do_not_ascend_with_time_are_found(copy):
    seqs = copy.tables("option_nbbo")[1].column("seq").to_pylist()
    copy.change("option_nbbo", 1, lambda table: with_value(table, "seq", 0, seqs[1] - 1 - 2**40))
    copy.forge()
    assert refusal(copy).code == "TAPE_ORDER_BROKEN"


@pytest.mark.parametrize("name", ["option_contracts", "event_calendar"])
def test_changed_reference_data_is_found_with_the_row(copy, name):
    column = "expiry_ns" if name == "option_contracts" else "event_ns"
    copy.change(name, 0, lambda table: with_value(table, column, 0, 1))
    error = refusal(copy, again=again)
    assert (error.code, error.loc) == ("TAPE_EVENTS_DIFFER", f"{name}.parquet, row 0")


@pytest.mark.parametrize(
    ("column", "value"), [("strike_ticks", 10), ("right", "P"), ("symbol", "QQQ")]
)
def test_a_contract_that_is_not_what_its_id_says_is_found(copy, column, value):
    copy.change("option_contracts", 0, lambda table: with_value(table, column, 0, value))
    copy.forge()
    error = refusal(copy)
    assert (error.code, error.loc) == ("TAPE_VALUE_UNKNOWN", "option_contracts.parquet, row 0")


@pytest.mark.parametrize("name", ["print_labels", "session_states", "burst_labels"])
def test_a_changed_label_is_found_with_the_row(copy, name):
    column, value = {
        "print_labels": ("side", -1),
        "session_states": ("volatility", 0.9),
        "burst_labels": ("direction", "bearish"),
    }[name]
    group = min(1, len(copy.tables(name)) - 1)
    first = sum(table.num_rows for table in copy.tables(name)[:group])
    copy.change(name, group, lambda table: with_value(table, column, 2, value))
    error = refusal(copy, again=again)
    assert codes(error) == ["TAPE_LABELS_DIFFER"]
    assert error.loc == f"{name}.parquet, row {first + 2}"


def test_a_print_without_a_label_is_found_even_if_the_manifest_was_made_to_fit(copy):
    rows = copy.tables("print_labels")[0].num_rows
    order = [row for row in range(rows) if row != 17]
    copy.change("print_labels", 0, lambda table: taken(table, order))
    copy.forge()
    error = refusal(copy)
    assert (error.code, error.loc) == ("TAPE_LABELS_DIFFER", "print_labels.parquet, row 17")


def test_a_tape_in_a_store_without_a_manifest_is_not_found(object_store):
    with pytest.raises(NotFoundError):
        verify_tape(stored_place(object_store, "0" * 16))
