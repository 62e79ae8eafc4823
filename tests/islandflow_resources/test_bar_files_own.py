"""Our own datasets as files: the digest of the manifest, ticks as prices, damage."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.columns import BARS, OHLCV
from contracts.errors import ContractError
from contracts.scenario import scenario_from
from engine import paths
from islandflow_resources import datasets
from islandflow_resources.bar_files import read_bar_file
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.table_digest import content_digest
from islandflow_resources.tables import write_parquet
from tests.islandflow_resources.ohlcv_files import (
    HOUR_NS,
    START_NS,
    bars,
    outcomes_of_damage,
    plain_digest,
    read,
    refused,
    write,
)

SCENARIO = {
    "id": "calm",
    "version": "0.1",
    "timeframe": "15m",
    "duration_bars": 300,
    "seed": 1,
    "family": "trend",
    "params": {"drift": 0.4, "sigma": 5},
    "volume_model": "lognormal",
    "tick_size": 0.05,
}
TEXTS = {"tick_size": "0.5", "timeframe": "1h", "version": "1"}


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def own(store):
    """One of our datasets as published, and its file."""
    spec = scenario_from(SCENARIO)
    ref = datasets.DatasetRef(spec, 3, paths.version(spec))
    dataset = datasets.publish(store, ref, paths.simulate(spec, 3), {})
    return dataset, store.root / ref.dataset_key


def test_our_own_dataset_has_the_digest_of_its_manifest(own):
    dataset, path = own
    spec = dataset.ref.spec
    for timeframe, per_day in ((None, None), (spec.timeframe, 86_400e9 / spec.step_ns)):
        file = read_bar_file(path, timeframe, per_day)
        assert file.content_digest == dataset.manifest.content_digest
        assert (file.timeframe, file.tick_size) == (spec.timeframe, spec.tick_size)
        assert file.bars_per_day == 86_400e9 / spec.step_ns
        told = {name: dataset.table[name].to_numpy() for name in BARS.names}
        assert file.ts_ns.tolist() == told["ts_ns"].tolist()
        assert file.fields["volume"].tolist() == told["volume_lots"].tolist()
        for name in ("open", "high", "low", "close"):
            assert file.fields[name].tolist() == (told[f"{name}_ticks"] * 0.05).tolist()


@pytest.mark.parametrize(
    ("timeframe", "per_day", "code"),
    [("4h", None, "DATA_TIMEFRAME"), (None, 7.5, "DATA_BARS_PER_DAY")],
)
def test_our_own_dataset_is_not_told_otherwise(own, timeframe, per_day, code):
    error = refused(own[1], timeframe, per_day)
    assert error.code == code
    assert str(timeframe or per_day) in error.message


def ticks(**changes):
    table = bars(**changes)
    names = dict(zip(OHLCV.names, BARS.names, strict=True))
    return {names[name]: pa.array([None if v is None else int(v * 4) if name != "ts_ns" else v
                                   for v in values], pa.int64())
            for name, values in table.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "changes", "row", "quoted"),
    [
        ("DATA_GAP", {"ts_ns": {5: START_NS + 9 * HOUR_NS}}, "row 5", "09:00:00Z"),
        ("DATA_NOT_FINITE", {"close": {3: None}}, "row 3", "close is null"),
        ("DATA_PRICE", {"low": {2: 0}}, "row 2", "low 0.0"),
        ("DATA_HIGH_LOW", {"high": {2: 1}}, "row 2", "high 2.0"),
        ("DATA_VOLUME", {"volume": {1: -1}}, "row 1", "volume -4.0"),
    ],
)
def test_the_rules_hold_for_ticks_too(tmp_path, code, changes, row, quoted):
    path = write(tmp_path / "bars.parquet", ticks(**changes), TEXTS)
    error = refused(path, None, None)
    assert (error.code, error.loc) == (code, row)
    assert quoted in error.message


def test_ticks_rewritten_by_another_tool_keep_their_digest(tmp_path):
    table = pa.table(ticks())
    ours = tmp_path / "ours.parquet"
    ours.write_bytes(write_parquet(table, BARS, TEXTS))
    narrow = {name: table[name].cast(pa.int16()) for name in BARS.names[1:]}
    extra = {"ts_ns": table["ts_ns"], "open": bars()["open"], **narrow}
    other = write(tmp_path / "other.parquet", extra, TEXTS)
    digests = {read_bar_file(path, None, None).content_digest for path in (ours, other)}
    assert digests == {content_digest(table, BARS, TEXTS)}


@pytest.mark.parametrize(
    ("texts", "quoted"),
    [
        ({}, "tick_size as None"),
        ({"timeframe": "1h", "tick_size": "-1"}, "tick_size as '-1'"),
        ({"timeframe": "1h", "tick_size": "inf"}, "tick_size as 'inf'"),
        ({"timeframe": "1h", "tick_size": "x"}, "tick_size as 'x'"),
        ({"tick_size": "0.5"}, "timeframe as None"),
        ({"tick_size": "0.5", "timeframe": "2h"}, "timeframe as '2h'"),
    ],
)
def test_ticks_without_their_size_or_timeframe_are_refused(tmp_path, texts, quoted):
    error = refused(write(tmp_path / "bars.parquet", ticks(), texts), None, None)
    assert error.code == "DATA_METADATA"
    assert quoted in error.message


def test_ticks_in_a_csv_are_refused_for_they_lose_their_size(tmp_path):
    columns = {name: values.to_pylist() for name, values in ticks().items()}
    assert refused(write(tmp_path / "bars.csv", columns), None, None).code == "DATA_METADATA"


@pytest.mark.parametrize("name", BARS.names)
def test_a_missing_or_doubled_column_of_ticks_is_named(tmp_path, name):
    columns = ticks()
    twice = pa.Table.from_arrays([*columns.values(), columns[name]], [*columns, name])
    doubled = write(tmp_path / "doubled.parquet", twice, TEXTS)
    assert refused(doubled, None, None).code == "DATA_COLUMN_AMBIGUOUS"
    del columns[name]
    error = refused(write(tmp_path / "bars.parquet", columns, TEXTS), None, None)
    assert (error.code, error.loc) == ("DATA_COLUMN_MISSING", name)


def test_ticks_that_are_no_integers_are_refused(tmp_path):
    columns = ticks() | {"close_ticks": pa.array([1.5] * 6)}
    error = refused(write(tmp_path / "bars.parquet", columns, TEXTS), None, None)
    assert (error.code, error.loc) == ("DATA_COLUMN_TYPE", "close_ticks")


def test_ticks_beside_prices_are_read_as_prices_where_the_size_is_lost(tmp_path):
    path = write(tmp_path / "bars.parquet", ticks() | bars())
    assert read(path).content_digest == plain_digest(bars())


def test_a_damaged_dataset_is_read_or_refused_and_nothing_else(own, tmp_path):
    outcomes = outcomes_of_damage(own[1], tmp_path / "damaged.parquet", None, None)
    assert len(outcomes) >= 2
    assert "DATA_UNREADABLE" in outcomes


def test_a_damaged_page_of_our_own_dataset_is_always_found(own, tmp_path):
    dataset, path = own
    data, damaged = path.read_bytes(), tmp_path / "damaged.parquet"
    draw = random.Random(3)
    body = pq.read_metadata(path).row_group(0).column(5)
    end = body.data_page_offset + body.total_compressed_size
    for _ in range(100):
        place, bit = draw.randrange(4, end), 1 << draw.randrange(8)
        damaged.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
        try:
            digest = read_bar_file(damaged, None, None).content_digest
        except ContractError:
            continue
        # What is left are bits of a page's header that say nothing of its values.
        assert digest == dataset.manifest.content_digest
