"""Order and texts of events against the plain words of the rules, row by row."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import IntegrityError
from contracts.tape import spec_from
from contracts.tape_columns import OPTION_PRINTS, PRINT_LABELS
from islandflow_resources.tape_buckets import Bucket
from islandflow_resources.tape_checks import (
    EVENTS,
    ORDER,
    WORD,
    OrderCheck,
    Rows,
    ValueCheck,
    finding,
    labelled,
    raise_findings,
)
from islandflow_resources.tape_words import ForbiddenWords
from tests.islandflow_resources.plain_tape import plain_spec

SPAN = Bucket(0, 100)
KEYS = st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 40))


def rows(name, keys, first_row=0):
    """Rows with nothing but their keys: time, delay of receipt, number."""
    ts, delay, seq = (np.array(values, np.int64) for values in zip(*keys, strict=True))
    table = pa.table({"ts_ns": ts, "ingest_ns": ts + delay, "seq": seq})
    return Rows(name, 0, first_row, table)


def sound(streams):
    """Whether streams obey the rules, in the plainest words."""
    everything = [key for keys in streams.values() for key in keys]
    numbers = [seq for _, _, seq in everything]
    in_order = all(
        [(ts, ts + delay, seq) for ts, delay, seq in keys]
        == sorted({(ts, ts + delay, seq) for ts, delay, seq in keys})
        for keys in streams.values()
    )
    by_number = [ts for _, ts in sorted((seq, ts) for ts, _, seq in everything)]
    return in_order and len(set(numbers)) == len(numbers) and by_number == sorted(by_number)


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(KEYS, min_size=1, max_size=6)))
def test_an_order_is_found_broken_if_and_only_if_it_is(streams):
    made = {name: rows(name, keys) for name, keys in streams.items()}
    assert bool(OrderCheck().findings(SPAN, made)) == (not sound(streams))


@given(st.lists(st.integers(1, 3), min_size=3, max_size=8), st.integers(0, 7))
def test_what_was_last_in_one_stretch_is_before_the_first_of_the_next(steps, at):
    seqs = np.cumsum(steps).tolist()
    cut = min(at, len(seqs) - 1)
    check = OrderCheck()
    keys = [(seq, 0, seq) for seq in seqs]
    halves = [part for part in (keys[:cut], keys[cut:]) if part]
    for part in halves:
        assert check.findings(SPAN, {"a": rows("a", part)}) == []
    again = check.findings(SPAN, {"a": rows("a", keys[-1:])})
    assert {one.problem.code for one in again} == {"TAPE_SEQ_REPEATED"}


def test_a_row_is_counted_from_the_start_of_its_table():
    [one] = OrderCheck().findings(SPAN, {"a": rows("a", [(1, 0, 1), (200, 0, 2)], first_row=70)})
    assert (one.rank, one.row, one.problem.loc) == (ORDER, 71, "a.parquet, row 71")


def test_findings_are_told_in_the_order_of_their_ranks():
    found = [
        finding(ORDER, "C", "third", "c"),
        finding(WORD, "A", "first", "a"),
        finding(EVENTS, "B", "second", "b"),
    ]
    with pytest.raises(IntegrityError) as caught:
        raise_findings(found)
    assert [problem.code for problem in caught.value.problems] == ["A", "B", "C"]
    raise_findings([])


def prints(**texts):
    columns = {"contract": "SPY   260116C00500000", "exchange": "CBOE", "condition": "AUTO"}
    coded = {name: pa.array([text]).dictionary_encode() for name, text in (columns | texts).items()}
    return Rows(OPTION_PRINTS.name, 2, 10, pa.table(coded | {"seq": pa.array([5])}))


def check(spec):
    return ValueCheck(ForbiddenWords(["unusual-name"]), spec)


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("exchange", "NYSE", "TAPE_VALUE_UNKNOWN"),
        ("condition", "decoy", "TAPE_LABEL_ON_EVENT"),
        ("condition", "Unusual Name", "TAPE_LABEL_ON_EVENT"),
        ("contract", "BURST 260116C00500000", "TAPE_LABEL_ON_EVENT"),
        ("contract", "AAPL  260116C00500000", "TAPE_VALUE_UNKNOWN"),
        ("condition", "", "TAPE_VALUE_UNKNOWN"),
    ],
)
def test_texts_are_told_with_the_row(column, text, code):
    found = check(plain_spec(symbols=1)).findings(prints(**{column: text}))
    assert [(one.problem.code, one.row) for one in found] == [(code, 10)]


def test_a_market_may_have_a_symbol_that_is_a_word_of_the_truth():
    document = plain_spec(symbols=1).model_dump(mode="json")
    document["universe"][0]["symbol"] = "BURST"
    named = check(spec_from(document))
    assert named.findings(prints(contract="BURST 260116C00500000")) == []
    assert named.findings(prints(contract="DECOY 260116C00500000")) != []


def test_without_a_spec_symbols_are_looked_at_for_words_alone():
    unknown = check(None)
    assert unknown.findings(prints(contract="AAPL  260116C00500000")) == []
    assert unknown.findings(prints(contract="DECOY 260116C00500000")) != []


def labels(seqs):
    table = pa.table({"seq": pa.array(seqs, pa.int64())})
    return Rows(PRINT_LABELS.name, 0, 100, table)


@pytest.mark.parametrize(
    ("seqs", "row"),
    [([1, 2, 3, 4], None), ([1, 2, 4], 102), ([1, 2, 3], 103), ([1, 2, 2, 3, 4], 102), ([], 100)],
)
def test_every_print_has_one_label(seqs, row):
    streams = [rows("a", [(0, 0, 1), (0, 0, 4)]), rows("b", [(0, 0, 2), (0, 0, 3)])]
    found = labelled(streams, labels(seqs))
    assert [one.row for one in found] == ([] if row is None else [row])
