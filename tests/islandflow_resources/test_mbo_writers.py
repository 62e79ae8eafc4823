"""Files of events written: read back equal, by Databento's decoder too, whole or not at all."""

import databento_dbn as dbn
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.columns import MBO_EVENTS
from contracts.errors import ContractError
from engine.book.events import NO_PRICE, Events
from islandflow_resources.mbo_files import file_digest, read_events
from islandflow_resources.mbo_writers import ROW_GROUP_ROWS, write_events
from tests.islandflow_resources.mbo_streams import DAY, START, TYPES, assert_equal, joined, tape

FORMS = ("parquet", "dbn", "dbn.zst")
INT64 = (-(2**63), 2**63 - 1)


@st.composite
def tapes(draw):
    """Events at their extremes, as ingestion may leave them."""
    row = st.tuples(
        st.integers(0, 2**63 - 2),
        st.sampled_from(b"ACFMNRT"),
        st.sampled_from(b"ABN"),
        st.integers(*INT64),
        st.integers(INT64[0], NO_PRICE - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 255).map(lambda flags: flags & ~32),
        st.integers(0, 2**32 - 1),
    )
    rows = draw(st.lists(row, max_size=30))
    columns = zip(*rows, strict=True) if rows else [()] * 8
    return Events(*(np.array(each, kind) for each, kind in zip(columns, TYPES, strict=True)))


def cut(events, *sizes):
    """`events` in batches of these sizes, the last as long as need be."""
    start = 0
    for size in sizes:
        yield events.part(start, start + size)
        start += size
    yield events.part(start, events.rows)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30)
@given(events=tapes(), batch_rows=st.integers(1, 40))
def test_events_read_back_as_written(tmp_path_factory, form, events, batch_rows):
    path = tmp_path_factory.mktemp("written") / f"a.{form}"
    written = write_events(path, cut(events, 0, 3), symbol="MNQH6")
    reader = read_events(path, batch_rows=batch_rows, symbol="MNQH6")
    assert_equal(joined(reader), events)
    assert (reader.summary.dropped, reader.summary.changed) == ({}, {})
    assert written.rows == reader.summary.rows == events.rows
    assert written.digest == reader.summary.digest == file_digest(path)


@pytest.mark.parametrize("form", FORMS)
def test_bytes_do_not_depend_on_how_the_events_are_cut(tmp_path, form):
    events = tape(ROW_GROUP_ROWS + 5000)
    digests = {
        write_events(tmp_path / f"{n}.{form}", cut(events, *sizes), symbol="MNQH6").digest
        for n, sizes in enumerate([(), (1, 0, 700, 66_000)])
    }
    assert len(digests) == 1
    assert_equal(joined(read_events(tmp_path / f"1.{form}")), events)


@pytest.mark.parametrize("form", ["dbn", "dbn.zst"])
def test_databentos_decoder_reads_the_same(tmp_path, form):
    events = tape(200)
    path = tmp_path / f"a.{form}"
    write_events(path, [events], symbol="MNQH6", dataset="TEST.SET")
    kind = dbn.Compression.ZSTD if form.endswith("zst") else dbn.Compression.NONE
    decoder = dbn.DBNDecoder(compression=kind)
    decoder.write(path.read_bytes())
    told, *records = decoder.decode()
    assert (told.dataset, told.schema, told.symbols) == ("TEST.SET", "mbo", ["MNQH6"])
    assert (told.start, told.end) == (events.ts_ns.min(), events.ts_ns.max() + 1)
    (interval,) = told.mappings["MNQH6"]
    assert interval["symbol"] == "1" == str(records[0].instrument_id)
    midnight = np.datetime64(START - START % DAY, "ns").astype("datetime64[D]")
    assert interval["start_date"] == midnight.astype(object)
    found = [
        (each.ts_event, each.ts_recv, each.order_id, each.price, each.size, each.sequence)
        for each in records
    ]
    columns = [events.ts_ns, events.ts_ns, events.order_id.view(np.uint64), events.price_int]
    columns += [events.size, events.sequence]
    assert found == list(zip(*(column.tolist() for column in columns), strict=True))
    assert [str(each.action) for each in records] == list(events.action.tobytes().decode())
    assert [str(each.side) for each in records] == list(events.side.tobytes().decode())
    assert [int(each.flags) for each in records] == events.flags.tolist()


def test_parquet_has_the_stored_layout_in_row_groups_and_says_its_symbol(tmp_path):
    path = tmp_path / "a.parquet"
    write_events(path, [tape(ROW_GROUP_ROWS + 1)], symbol="MNQH6", product_type="future_mbo")
    told = pq.ParquetFile(path)
    assert told.metadata.num_row_groups == 2
    assert tuple(told.schema_arrow.names) == MBO_EVENTS.names
    texts = told.schema_arrow.metadata
    assert (texts[b"symbol"], texts[b"product_type"]) == (b"MNQH6", b"future_mbo")
    assert texts[b"islandflow.table"] == b"mbo_events"
    with pytest.raises(ContractError, match="it has no ESH6; it has: MNQH6"):
        read_events(path, symbol="ESH6")


def test_a_file_that_exists_is_left_as_it_is(tmp_path):
    path = tmp_path / "a.dbn"
    path.write_bytes(b"mine")
    with pytest.raises(ContractError, match="nothing is overwritten") as caught:
        write_events(path, [tape(3)], symbol="MNQH6")
    assert caught.value.code == "MBO_FILE_EXISTS"
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_made_by_another_in_the_meantime_is_left_as_it_is(tmp_path):
    path = tmp_path / "a.parquet"

    def batches():
        yield tape(3)
        path.write_bytes(b"theirs")

    with pytest.raises(ContractError) as caught:
        write_events(path, batches(), symbol="MNQH6")
    assert caught.value.code == "MBO_FILE_EXISTS"
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("column", "value"),
    [("action", ord("x")), ("side", 0), ("size", -1), ("size", 2**32), ("ts_ns", -1)],
)
def test_an_event_no_file_can_say_is_named_and_no_file_is_left(tmp_path, form, column, value):
    events = tape(9)
    getattr(events, column)[4] = value
    with pytest.raises(ContractError) as caught:
        write_events(tmp_path / f"a.{form}", cut(events, 2), symbol="MNQH6")
    assert caught.value.code == "MBO_VALUE_INVALID"
    assert caught.value.loc == f"event 4, column {column}"
    assert list(tmp_path.iterdir()) == []


def test_what_only_dbn_cannot_say_goes_into_parquet(tmp_path):
    events = tape(2)
    events = events._replace(sequence=np.array([1, 2**40]))
    with pytest.raises(ContractError, match="its sequence is 1099511627776"):
        write_events(tmp_path / "a.dbn", [events], symbol="MNQH6")
    write_events(tmp_path / "a.parquet", [events], symbol="MNQH6")
    assert_equal(joined(read_events(tmp_path / "a.parquet")), events)


@pytest.mark.parametrize("name", ["a.csv", "a", "a.zst", "dbn"])
def test_a_name_that_says_no_form_is_refused(tmp_path, name):
    with pytest.raises(ContractError) as caught:
        write_events(tmp_path / name, [tape(2)], symbol="MNQH6")
    assert caught.value.code == "MBO_FORM_UNKNOWN"


@pytest.mark.parametrize("symbol", ["", " a", "é", "x" * 71, "a\n"])
def test_a_symbol_that_is_none_is_refused(tmp_path, symbol):
    with pytest.raises(ContractError) as caught:
        write_events(tmp_path / "a.dbn", [tape(2)], symbol=symbol)
    assert caught.value.code == "MBO_SYMBOL_INVALID"


@pytest.mark.parametrize("form", FORMS)
def test_no_events_make_a_file_without_any(tmp_path, form):
    path = tmp_path / f"a.{form}"
    written = write_events(path, [], symbol="MNQH6")
    assert (written.rows, written.first_ns, written.last_ns) == (0, 0, 0)
    assert list(read_events(path, symbol="MNQH6")) == []
