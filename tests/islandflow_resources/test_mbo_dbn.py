"""DBN decoded: against Databento's own decoder, in every version, and damaged."""

import databento_dbn as dbn
import numpy as np
import pyarrow as pa
import pytest

from contracts.errors import ContractError
from islandflow_resources.mbo_files import read_events
from tests.islandflow_resources.mbo_streams import (
    DAY,
    START,
    encoded,
    header,
    joined,
    mapping,
    packed,
    record,
    tape,
    written,
)

POLICIES = list(dbn.VersionUpgradePolicy.variants())

# One record of an index future as a session would have it, told field by field.
TOLD = {
    "publisher_id": 1,
    "instrument_id": 5482,
    "ts_event": 1_609_160_400_000_429_831,
    "order_id": 647_784_973_705,
    "price": 3_722_750_000_000,
    "size": 1,
    "flags": 128,
    "channel_id": 0,
    "ts_recv": 1_609_160_400_000_704_060,
    "ts_in_delta": 22_993,
    "sequence": 1_170_352,
}


def stream(rows):
    events = tape(rows)
    return [
        record(
            ts_event=int(events.ts_ns[n]),
            action=chr(events.action[n]),
            side=chr(events.side[n]),
            order_id=int(events.order_id[n]) % 2**64,
            price=int(events.price_int[n]),
            size=int(events.size[n]),
            flags=int(events.flags[n]),
            sequence=int(events.sequence[n]),
        )
        for n in range(rows)
    ]


def independent(data):
    """Records as Databento's decoder has them."""
    decoder = dbn.DBNDecoder()
    decoder.write(data)
    told = [each for each in decoder.decode() if isinstance(each, dbn.MBOMsg)]
    return [
        (
            each.ts_event,
            ord(str(each.action)),
            ord(str(each.side)),
            int(np.uint64(each.order_id).view(np.int64)),
            each.price,
            each.size,
            int(each.flags),
            each.sequence,
        )
        for each in told
    ]


def refused(path, **selection):
    with pytest.raises(ContractError) as caught:
        list(read_events(path, **selection))
    error = caught.value
    assert str(path) in error.message
    assert all(error.hints)
    return error


@pytest.mark.parametrize("batch_rows", [1, 7, 500, 65_536])
def test_records_are_those_of_the_encodings_own_decoder(tmp_path, batch_rows):
    path = written(tmp_path / "a.dbn", stream(500))
    batches = list(read_events(path, batch_rows=batch_rows))
    assert {0 < batch.rows <= batch_rows for batch in batches} == {True}
    found = list(zip(*(column.tolist() for column in joined(batches)), strict=True))
    assert found == independent(path.read_bytes())


def test_a_record_told_field_by_field_reads_as_told(tmp_path):
    told = dbn.MBOMsg(action=dbn.Action.CANCEL, side=dbn.Side.ASK, **TOLD)
    path = written(tmp_path / "a.dbn.zst", [told])
    (events,) = read_events(path, symbol="ESH1")
    assert [column.tolist() for column in events] == [
        [TOLD["ts_event"]],
        [ord("C")],
        [ord("A")],
        [TOLD["order_id"]],
        [TOLD["price"]],
        [1],
        [128],
        [TOLD["sequence"]],
    ]


@pytest.mark.parametrize(
    ("version", "policy"),
    [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0), (3, 2)],
)
def test_every_version_says_the_same(tmp_path, version, policy):
    records = stream(50)
    path = written(tmp_path / "a.dbn", records, version=version)
    reader = read_events(path, symbol="ESH1")
    found = joined(reader)
    assert reader.summary.version == version
    decoder = dbn.DBNDecoder(upgrade_policy=POLICIES[policy])
    decoder.write(path.read_bytes())
    told = decoder.decode()[1:]
    assert [each.ts_event for each in told] == found.ts_ns.tolist()
    assert [each.price for each in told] == found.price_int.tolist()


def test_packed_files_say_the_same_whatever_their_frames(tmp_path):
    data = encoded(stream(300))
    plain = tmp_path / "plain.dbn"
    plain.write_bytes(data)
    codec = pa.Codec("zstd")
    cut = len(data) // 2 + 3
    frames = [codec.compress(part).to_pybytes() for part in (data[:cut], data[cut:])]
    for name, content in {
        "a.dbn.zst": packed(data),
        "b.dbn.zst": b"".join(frames),
        "c.dbn.gz": pa.compress(data, "gzip").to_pybytes(),
        "misnamed.dbn": packed(data),
    }.items():
        (tmp_path / name).write_bytes(content)
        found, wanted = (joined(read_events(each)) for each in (tmp_path / name, plain))
        assert all(map(np.array_equal, found, wanted))


def test_a_live_capture_has_longer_records_and_brings_its_symbology(tmp_path):
    told = dbn.SymbolMappingMsg(
        publisher_id=1,
        instrument_id=5482,
        ts_event=START,
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_in_symbol="ESH1",
        stype_out=dbn.SType.RAW_SYMBOL,
        stype_out_symbol="ESH1",
        start_ts=START,
        end_ts=START + DAY,
        ts_out=START,
    )
    system = dbn.SystemMsg(ts_event=START, msg="heartbeat", ts_out=START)
    records = [told, system, record(1, ts_out=START), system, record(2, ts_out=START)]
    path = written(tmp_path / "a.dbn", records, mappings=(), schema=None, ts_out=True)
    reader = read_events(path, symbol="ESH1", batch_rows=3)
    assert joined(reader).ts_ns.tolist() == [START + 1, START + 2]
    summary = reader.summary
    assert summary.dropped == {"rtype_symbol_mapping": 1, "rtype_system": 2}
    assert (summary.records, summary.rows, summary.symbols) == (5, 2, ("ESH1",))
    assert summary.is_complete


def test_kinds_mixed_record_by_record_keep_their_order(tmp_path):
    status = dbn.SystemMsg(ts_event=START, msg="beat")
    records = [each for n in range(400) for each in (record(n, order_id=n), status)]
    reader = read_events(written(tmp_path / "a.dbn", records), batch_rows=100)
    assert joined(reader).order_id.tolist() == list(range(400))
    assert reader.summary.dropped == {"rtype_system": 400}


@pytest.mark.parametrize("schema", ["mbp-1", "trades", "definition", "ohlcv-1s"])
def test_another_schema_is_refused_by_its_name(tmp_path, schema):
    path = written(tmp_path / "a.dbn", [], schema=dbn.Schema.from_str(schema))
    error = refused(path)
    assert error.code == "MBO_SCHEMA_WRONG"
    assert schema in error.message


def test_a_file_cut_anywhere_says_after_which_record(tmp_path):
    data = encoded(stream(3))
    size = len(header())
    for kept in range(size, len(data), 3):
        path = tmp_path / "cut.dbn"
        path.write_bytes(data[:kept])
        whole, rest = divmod(kept - size, 56)
        if not rest:
            assert joined(read_events(path)).rows == whole
            continue
        error = refused(path)
        assert error.code == "MBO_FILE_CORRUPT"
        assert error.loc == f"record {whole} at byte {size + 56 * whole}"


def test_a_header_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "cut.dbn"
    for kept in range(0, len(header()), 7):
        path.write_bytes(header()[:kept])
        assert refused(path).code == "MBO_FILE_CORRUPT"


@pytest.mark.parametrize("suffix", ["zst", "gz"])
def test_a_packed_file_cut_or_damaged_is_refused(tmp_path, suffix):
    data = encoded(stream(300))
    whole = packed(data) if suffix == "zst" else pa.compress(data, "gzip").to_pybytes()
    path = tmp_path / f"a.dbn.{suffix}"
    for kept in [5, 30, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:kept])
        assert refused(path).code == "MBO_FILE_CORRUPT"
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0x40
    path.write_bytes(damaged)
    assert refused(path).code == "MBO_FILE_CORRUPT"


@pytest.mark.parametrize(
    ("offset", "byte", "what"),
    [
        (0, 0, "0 bytes, less than the head"),
        (0, 3, "12 bytes, less than the head"),
        (0, 13, "says 52 bytes where an MBO record has 56"),
        (0, 255, "says 1020 bytes where an MBO record has 56"),
        (1, 7, "type 7 is none"),
    ],
)
def test_a_record_with_a_wrong_head_is_named(tmp_path, offset, byte, what):
    data = bytearray(encoded(stream(9)))
    place = len(header()) + 4 * 56
    data[place + offset] = byte
    path = tmp_path / "a.dbn"
    path.write_bytes(data)
    error = refused(path)
    assert (error.code, error.loc) == ("MBO_FILE_CORRUPT", f"record 4 at byte {place}")
    assert what in error.message


@pytest.mark.parametrize(("offset", "column"), [(38, "action"), (39, "side")])
def test_a_letter_that_is_none_is_named(tmp_path, offset, column):
    data = bytearray(encoded(stream(9)))
    place = len(header()) + 4 * 56
    data[place + offset] = ord("x")
    path = tmp_path / "a.dbn"
    path.write_bytes(data)
    error = refused(path, batch_rows=3)
    assert error.code == "MBO_VALUE_INVALID"
    assert error.loc == f"record 4 at byte {place}, column {column}"


def test_bytes_at_random_are_refused_or_counted_never_a_crash(tmp_path):
    random = np.random.default_rng(5)
    whole = encoded(stream(20))
    path = tmp_path / "a.dbn"
    outcomes = set()
    for _ in range(200):
        damaged = bytearray(whole)
        for at in random.integers(0, len(whole), 3):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged)
        try:
            reader = read_events(path)
            rows = joined(reader).rows
        except ContractError as error:
            outcomes.add(error.code)
            continue
        assert reader.summary.records == rows + sum(reader.summary.dropped.values())
    assert {"MBO_FILE_CORRUPT", "MBO_VALUE_INVALID"} <= outcomes


@pytest.mark.parametrize("content", [b"", b"D", b"\x00" * 100, b"ts_event,price\n", b"DBN\xff" * 9])
def test_what_is_no_file_of_events_is_refused(tmp_path, content):
    path = tmp_path / "a.dbn"
    path.write_bytes(content)
    assert refused(path).code == "MBO_FILE_CORRUPT"


def test_a_file_that_is_not_there_is_no_corrupt_one(tmp_path):
    assert refused(tmp_path / "none.dbn").code == "MBO_FILE_UNREADABLE"


def test_a_symbology_that_names_no_ids_is_refused(tmp_path):
    bad = mapping("ESH1", ("abc", 0, 1))
    error = refused(written(tmp_path / "a.dbn", stream(2), mappings=(bad,)))
    assert error.code == "MBO_FILE_CORRUPT"
