"""Events as tables: texts behind their codes, numbers as they are, wrong codes refused."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import Column, TableSchema
from contracts.errors import ContractError
from contracts.tape_columns import PRINT_LABELS, STREAMS
from engine.tapes.market.events import VOCABULARIES
from islandflow_resources.table_schemas import strings_of
from islandflow_resources.tape_tables import (
    TapeTexts,
    burst_table,
    calendar_table,
    contract_table,
    dictionary_of,
    stream_tables,
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
    made = TapeTexts(SPEC.symbols)
    made.list_contracts(source.contracts)
    return made


@given(st.lists(st.text(max_size=5), min_size=1, max_size=8, unique=True), st.data())
def test_codes_say_their_texts_and_keep_no_other(words, data):
    codes = data.draw(st.lists(st.integers(0, len(words) - 1), max_size=20))
    made = dictionary_of(np.array(codes, np.int16), strings_of(words))
    assert made.to_pylist() == [words[code] for code in codes]
    assert made.dictionary.to_pylist() == [words[code] for code in sorted(set(codes))]


@pytest.mark.parametrize("codes", [[0, 3], [0, -1]])
def test_a_code_without_a_text_is_refused_with_its_row(codes):
    with pytest.raises(ContractError, match="TAPE_CODE_UNKNOWN") as caught:
        dictionary_of(np.array(codes), strings_of(["a", "b"]))
    assert caught.value.loc == "row 1"


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


def test_contracts_that_are_listed_later_leave_the_codes_of_the_earlier_ones():
    texts = TapeTexts(["SPY"])
    schema = STREAMS["option_prints"]
    texts.list_contracts(["a", "b"])
    texts.list_contracts(["a", "b", "c"])
    texts.list_contracts(["a", "b", "c"])
    assert texts.of(schema, "contract").to_pylist() == ["a", "b", "c"]


def test_a_text_column_that_nobody_knows_the_words_of_is_refused():
    schema = TableSchema("any", "1", (Column("colour", "string", "any"),))
    with pytest.raises(ContractError, match="TAPE_VOCABULARY_MISSING"):
        TapeTexts([]).of(schema, "colour")


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
