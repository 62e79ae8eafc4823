"""Events as tables: texts behind their codes, numbers as they are, wrong codes refused."""

import numpy as np
import pyarrow as pa
import pytest

from contracts.errors import ContractError
from contracts.tape_columns import PRINT_LABELS, STREAMS
from engine.tapes.market.events import VOCABULARIES
from islandflow_resources.tape_tables import (
    burst_table,
    calendar_table,
    contract_table,
    stream_tables,
    tape_texts,
    truth_tables,
)
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec

SPEC = plain_spec(symbols=3, seconds=61, start_s=0)


@pytest.fixture(scope="module")
def source():
    return PlainTape(SPEC, 3)


@pytest.fixture(scope="module")
def batch(source):
    return source.advance(SPEC.end_ns)


@pytest.fixture(scope="module")
def texts(source):
    made = tape_texts(SPEC.symbols)
    made.list_contracts(source.contracts)
    return made


def test_every_column_of_a_stream_is_what_the_batch_says(source, batch, texts):
    own = {"symbol": SPEC.symbols, "contract": source.contracts}
    for name, table in stream_tables(batch, texts).items():
        for column in STREAMS[name].columns:
            values = batch.streams[name][column.name].tolist()
            if column.kind == "string":
                words = own.get(column.name) or VOCABULARIES[name, column.name]
                values = [words[code] for code in values]
            assert table.column(column.name).to_pylist() == values


def test_states_name_the_symbols_in_focus(batch, texts):
    shown = batch._replace(focus=[(0, 2), ()], events=[(), (1,)])
    states = truth_tables(shown, texts)["session_states"]
    assert states.column("focus_symbols").to_pylist() == ["SPY IWM", ""]
    assert states.column("event_symbols").to_pylist() == ["", "QQQ"]


def test_labels_bursts_contracts_and_events_are_tables(source, batch, texts):
    labels = truth_tables(batch, texts)[PRINT_LABELS.name]
    assert labels.column("is_open").to_pylist() == batch.print_labels["is_open"].tolist()
    assert labels.column("stream").to_pylist()[:2] == [
        ("equity_prints", "option_prints")[code] for code in batch.print_labels["stream"][:2]
    ]
    bursts = burst_table(source.burst_labels(), texts)
    assert bursts.column("burst_id").to_pylist() == [1, 2]
    assert bursts.column("notional_usd").to_pylist() == [1234.5, 1234.5]
    contracts = contract_table(source.contract_rows(), texts)
    assert contracts.column("contract").to_pylist() == source.contracts
    assert calendar_table(source.event_calendar(), texts).column("symbol").to_pylist() == ["SPY"]


def test_numbers_of_another_width_are_refused(batch, texts):
    wide = {**batch.streams["option_nbbo"]}
    wide["bid_size"] = wide["bid_size"].astype(np.int64)
    other = batch._replace(streams={**batch.streams, "option_nbbo": wide})
    with pytest.raises(ContractError, match="bid_size is int64, not int32"):
        stream_tables(other, texts)


def test_texts_stay_dictionaries_and_numbers_are_not_copied(batch, texts):
    table = stream_tables(batch, texts)["option_nbbo"]
    assert pa.types.is_dictionary(table.schema.field("contract").type)
    buffer = table.column("seq").chunk(0).buffers()[1]
    assert buffer is not None
    assert buffer.address == batch.streams["option_nbbo"]["seq"].ctypes.data
