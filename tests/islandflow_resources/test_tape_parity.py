"""Five minutes of one symbol, made again: the same bytes, or the row that differs."""

import pytest

from contracts.tape_columns import PRINT_LABELS, STREAMS
from islandflow_resources import market_tapes, tape_parity
from islandflow_resources.tape_buckets import buckets_of
from islandflow_resources.tape_files import TABLES, rows_digest
from islandflow_resources.tape_parity import (
    Slice,
    chosen_slice,
    compared,
    made_slice,
    problem_of,
    stored_slice,
)
from islandflow_resources.tape_parity import tape_parity as parity_of
from tests.islandflow_resources.small_markets import (
    RUN,
    SEED,
    OffGridTape,
    empty_market,
    made_market,
)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with made_market(tmp_path_factory.mktemp("parity") / "made") as market:
        yield market


def test_every_symbol_alone_in_every_stretch_is_the_same_as_in_the_tape(market):
    spec = market.ref.tape.spec
    rows = dict.fromkeys((*STREAMS, PRINT_LABELS.name), 0)
    for group, bucket in enumerate(buckets_of(spec)):
        for symbol in spec.symbols:
            part = Slice(symbol, group, *bucket)
            stored, made = stored_slice(market.tape.place, part), made_slice(spec, SEED, part)
            for name, table in stored.items():
                assert rows_digest(table, TABLES[name]) == rows_digest(made[name], TABLES[name])
                rows[name] += table.num_rows
    hashes = market.tape.manifest.event_hashes
    assert {name: rows[name] for name in STREAMS} == {
        name: hashes.of(name).rows for name in STREAMS
    }


def test_slices_are_drawn_from_everything_and_the_same_names_draw_the_same(market):
    spec = market.ref.tape.spec
    drawn = [chosen_slice(spec, "a tape", str(number)) for number in range(60)]
    assert {one.symbol for one in drawn} == set(spec.symbols)
    assert {one.group for one in drawn} == {0, 1}
    assert chosen_slice(spec, "a tape", "7") == drawn[7]


def test_a_slice_is_proved_once_for_a_tape_and_an_engine(market, monkeypatch):
    first = parity_of(market.store, market.database, market.tape, RUN)
    assert problem_of(first.document) is None
    assert sum(first.document["rows"].values()) > 1000
    again = parity_of(market.store, market.database, market.tape, RUN)
    assert (again.used_cache, again.document) == (True, first.document)
    monkeypatch.setattr(tape_parity, "engine_digest", lambda: "ab" * 32)
    other = parity_of(market.store, market.database, market.tape, RUN)
    assert (other.used_cache, problem_of(other.document)) == (False, None)


def test_a_tape_that_the_engine_does_not_make_is_told_by_stream_row_and_column(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(market_tapes, "MarketTape", OffGridTape)
    with empty_market(tmp_path, OffGridTape.BAD_SEED) as market:
        made = market.make()
        assert made.tape is not None, made.problem
        found = compared(made.tape, "ab" * 32)
    problem = problem_of(found)
    assert problem.code == "TAPE_NOT_REPRODUCED"
    assert problem.loc == f"equity_quotes.parquet, row group {found['row_group']}"
    assert "bid_ticks is" in problem.message
    assert found["symbol"] in problem.message
