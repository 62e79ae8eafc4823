"""Codes and the texts behind them: said as they are, and refused where there is no text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import Column, TableSchema
from contracts.errors import ContractError
from contracts.tape_columns import STREAMS
from islandflow_resources.coded_tables import TapeTexts, coded_table, dictionary_of
from islandflow_resources.table_schemas import strings_of

WORDS = TableSchema(
    "any",
    "1",
    (
        Column("colour", "string", "any"),
        Column("symbol", "string", "any"),
        Column("is_new", "bool", "any"),
        Column("size", "int32", "any"),
        Column("said", "string", "any"),
    ),
)


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


def test_contracts_that_are_listed_later_leave_the_codes_of_the_earlier_ones():
    texts = TapeTexts(["SPY"], {})
    schema = STREAMS["option_prints"]
    texts.list_contracts(["a", "b"])
    texts.list_contracts(["a", "b", "c"])
    texts.list_contracts(["a", "b", "c"])
    assert texts.of(schema, "contract").to_pylist() == ["a", "b", "c"]


def test_a_text_column_that_nobody_knows_the_words_of_is_refused():
    schema = TableSchema("any", "1", (Column("colour", "string", "any"),))
    with pytest.raises(ContractError, match="TAPE_VOCABULARY_MISSING"):
        TapeTexts([], {}).of(schema, "colour")


def test_a_table_says_texts_numbers_and_what_is_given_ready():
    texts = TapeTexts(["SPY", "QQQ"], {("any", "colour"): ("red", "green")})
    columns = {
        "colour": np.array([1, 0, 1], np.int8),
        "symbol": np.array([0, 1, 1], np.int32),
        "is_new": np.array([True, False, True]),
        "size": np.array([3, 4, 5], np.int32),
    }
    table = coded_table(WORDS, columns, texts, {"said": strings_of(["a", "b", "a"])})
    assert table.to_pydict() == {
        "colour": ["green", "red", "green"],
        "symbol": ["SPY", "QQQ", "QQQ"],
        "is_new": [True, False, True],
        "size": [3, 4, 5],
        "said": ["a", "b", "a"],
    }


def test_places_are_named_with_blanks_between():
    texts = TapeTexts(["SPY", "QQQ"], {})
    assert texts.names([(0, 1), (), (1,)]).to_pylist() == ["SPY QQQ", "", "QQQ"]
