"""A stored tape says, batch by batch, what the engine said."""

import numpy as np
import pytest

from contracts.errors import IntegrityError
from contracts.tape_columns import EQUITY_PRINTS
from engine.tapes.market.api import MarketTape
from islandflow_resources.table_schemas import from_arrays, strings_of
from islandflow_resources.tape_batches import StoredBatches
from tests.islandflow_resources.small_markets import SEED, made_market


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with made_market(tmp_path_factory.mktemp("batches") / "made") as market:
        yield market


@pytest.fixture(scope="module")
def stored(market):
    return StoredBatches(market.tape.place, market.ref.tape.spec)


def same(one, other):
    """Whether two sets of columns have the same names and values."""
    assert one.keys() == other.keys()
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_every_batch_is_that_of_the_engine_to_the_last_code(market, stored):
    source = MarketTape(market.ref.tape.spec, SEED)
    batches = list(stored)
    assert len(batches) == 2
    for found, made in zip(batches, source.batches(), strict=True):
        assert (found.start_ns, found.end_ns) == (made.start_ns, made.end_ns)
        for name, columns in made.streams.items():
            assert same(found.streams[name], columns)
            assert found.rows == made.rows > 0
        assert same(found.print_labels, made.print_labels)
        assert same(found.session_states, made.session_states)
        assert (found.focus, found.events) == (made.focus, made.events)
    assert stored.contract_ids == source.contracts
    assert same(stored.contracts, source.contract_rows())
    assert same(stored.bursts(), source.burst_labels())


def prints(**changed):
    """One equity print as a table."""
    texts = {"symbol": "SPY", "exchange": "NYSE", "condition": "REGULAR", **changed}
    arrays = {
        column.name: strings_of([texts[column.name]]).dictionary_encode()
        if column.kind == "string"
        else np.ones(1, dtype=column.kind if column.kind != "bool" else np.bool_)
        for column in EQUITY_PRINTS.columns
    }
    arrays["off_exchange"] = [True]
    return from_arrays(EQUITY_PRINTS, arrays, keep_codes=True)


def test_truth_values_and_codes_survive_any_slice(stored):
    whole = prints()
    for table in (whole, whole.slice(0, 1), whole.slice(1)):
        columns = stored.columns(table, EQUITY_PRINTS)
        assert columns["off_exchange"].tolist() == [True] * table.num_rows
        assert columns["symbol"].tolist() == [0] * table.num_rows


@pytest.mark.parametrize(("column", "text"), [("symbol", "XYZ"), ("condition", "SECRET")])
def test_a_text_without_a_code_is_refused_with_its_column(stored, column, text):
    with pytest.raises(IntegrityError) as caught:
        stored.columns(prints(**{column: text}), EQUITY_PRINTS)
    assert caught.value.code == "TAPE_VALUE_UNKNOWN"
    assert caught.value.loc == f"equity_prints.parquet, column {column}"
    assert text in caught.value.message
