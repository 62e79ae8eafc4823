"""Market-by-order records for tests, encoded by Databento's own library, not by ours."""

import datetime
import io
from types import SimpleNamespace

import databento_dbn as dbn
import numpy as np

from engine.book.events import Events

START = 1_609_160_400_000_000_000
DAY = 86_400_000_000_000
NAMES = ("ts_ns", "action", "side", "order_id", "price_int", "size", "flags", "sequence")
TYPES = (np.int64, np.uint8, np.uint8, np.int64, np.int64, np.int64, np.int32, np.int64)
ACTIONS = {
    "A": dbn.Action.ADD,
    "C": dbn.Action.CANCEL,
    "M": dbn.Action.MODIFY,
    "F": dbn.Action.FILL,
    "T": dbn.Action.TRADE,
    "R": dbn.Action.CLEAR,
    "N": dbn.Action.NONE,
}
SIDES = {"A": dbn.Side.ASK, "B": dbn.Side.BID, "N": dbn.Side.NONE}


def record(
    at=0, action="A", side="B", order_id=1, price=100_000_000_000, size=1, flags=128, **more
):
    """A record at `at` ns after `START`; an absolute time as `ts_event`."""
    ts_event = more.pop("ts_event", START + at)
    fields = {"publisher_id": 1, "instrument_id": 5482, "ts_recv": START + at, **more}
    return dbn.MBOMsg(
        ts_event=ts_event,
        action=ACTIONS[action],
        side=SIDES[side],
        order_id=order_id,
        price=price,
        size=size,
        flags=flags,
        **fields,
    )


def mapping(symbol, *intervals):
    """One symbol's ids: (id, first day, day after the last), days from that of `START`."""
    origin = datetime.date(2020, 12, 28)
    return SimpleNamespace(
        raw_symbol=symbol,
        intervals=[
            SimpleNamespace(
                symbol=str(identity),
                start_date=origin + datetime.timedelta(first),
                end_date=origin + datetime.timedelta(end),
            )
            for identity, first, end in intervals
        ],
    )


ESH1 = mapping("ESH1", (5482, 0, 1))


def header(mappings=(ESH1,), **changes):
    fields = {
        "dataset": "GLBX.MDP3",
        "start": START,
        "end": START + DAY,
        "stype_in": dbn.SType.RAW_SYMBOL,
        "stype_out": dbn.SType.INSTRUMENT_ID,
        "schema": dbn.Schema.MBO,
        "symbols": [each.raw_symbol for each in mappings],
        "mappings": list(mappings),
        "version": 3,
    } | changes
    return bytes(dbn.Metadata(**fields))


def encoded(records, **changes):
    """Bytes of a DBN file."""
    return header(**changes) + b"".join(map(bytes, records))


def packed(data):
    """`data`, a DBN file, in zstd."""
    sink = io.BytesIO()
    coder = dbn.Transcoder(sink, dbn.Encoding.DBN, dbn.Compression.ZSTD)
    coder.write(data)
    coder.finish()
    return sink.getvalue()


def written(path, records, **changes):
    """A DBN file at `path`, packed if its name says so."""
    data = encoded(records, **changes)
    path.write_bytes(packed(data) if path.suffix == ".zst" else data)
    return path


def joined(batches):
    """All events of `batches`."""
    batches = list(batches)
    if not batches:
        return Events(*(np.empty(0, kind) for kind in TYPES))
    return Events(*(np.concatenate(columns) for columns in zip(*batches, strict=True)))


def assert_equal(found, wanted):
    for name, left, right, kind in zip(NAMES, found, wanted, TYPES, strict=True):
        assert left.dtype == kind, name
        np.testing.assert_array_equal(left, right, name)


def tape(rows, seed=1):
    """Random events that obey the rules of ingestion, with the widest values there are."""
    random = np.random.default_rng(seed)
    letters = np.frombuffer(b"ACMFTRN", np.uint8)
    return Events(
        START + np.sort(random.integers(0, 10**12, rows)),
        random.choice(letters, rows),
        random.choice(np.frombuffer(b"ABN", np.uint8), rows),
        random.integers(-(2**63), 2**63, rows, np.int64),
        random.integers(-(2**62), 2**62, rows),
        random.integers(0, 2**32, rows),
        random.choice(np.array([0, 128, 130, 8], np.int32), rows),
        random.integers(0, 2**32, rows),
    )
