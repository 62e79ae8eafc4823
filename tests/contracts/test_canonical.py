"""Canonical JSON against the published examples and an independent writer; the bounded parser."""

import json
import math
import struct
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.canonical import (
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_NUMBER_CHARS,
    canonical_json,
    parse_document,
    pointer,
)
from contracts.errors import ContractError
from tests.oracles.canonical import canonical_text
from tests.properties import documents

FUZZ = settings(derandomize=True, database=None, max_examples=300)

PARSER_CODES = {
    f"DOCUMENT_{reason}"
    for reason in (
        *("TOO_LARGE", "NOT_UTF8", "TOO_DEEP", "NOT_JSON"),
        *("NOT_OBJECT", "DUPLICATE_KEY", "NOT_FINITE"),
    )
}

# RFC 8785, appendix B: bits of a double and its text.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
    ("3e70000000000000", "5.960464477539063e-8"),  # not published: a power of two, 2^-24
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_the_published_numbers_are_written_as_published(bits, text):
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(value) == text.encode()
    assert canonical_text(value) == text


def test_the_published_document_is_written_as_published():
    value = json.loads(
        r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]}"""
    )
    expected = (
        '{"literals":[null,true,false],'
        '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"€$\u000f\nA' + r"'B\"\\\\\"/" + '"}'
    )
    assert canonical_json(value) == expected.encode()
    assert canonical_text(value) == expected


def test_the_published_keys_are_sorted_as_published():
    names = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    written = canonical_json(dict.fromkeys(sorted(names, reverse=True), 0))
    assert list(json.loads(written)) == names


@FUZZ
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_written_as_ecmascript_writes_it(value):
    assert canonical_json(value).decode() == canonical_text(value)


@FUZZ
@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(1 - 2**53, 2**53 - 1),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(),
        ),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
        max_leaves=8,
    )
)
def test_every_value_is_written_as_the_oracle_writes_it_and_reads_back(value):
    written = canonical_json(value)
    assert written == canonical_text(value).encode()
    assert canonical_json(json.loads(written, parse_int=float)) == written


@pytest.mark.parametrize("value", [2**53, -(2**53), 2**63 - 1, math.nan, math.inf, "\ud800"])
def test_what_canonical_json_cannot_hold_is_refused(value):
    documents_with_it: tuple[Any, ...] = (value, {"a": [value]})
    for document in documents_with_it:
        with pytest.raises(ContractError) as caught:
            canonical_json(document)
        assert caught.value.code == "NOT_CANONICAL"
        assert "decimal strings" in caught.value.hints[0]


@pytest.mark.parametrize("value", [{1: 2}, {"a": {1, 2}}, b"bytes", object()])
def test_what_is_not_json_is_refused(value):
    with pytest.raises(ContractError, match="NOT_CANONICAL"):
        canonical_json(value)


def test_a_value_that_holds_itself_is_refused():
    circle: list = []
    circle.append(circle)
    with pytest.raises(ContractError, match="NOT_CANONICAL"):
        canonical_json(circle)


def test_the_largest_integers_are_written():
    assert canonical_json([2**53 - 1, 1 - 2**53]) == b"[9007199254740991,-9007199254740991]"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0", 1),
        ("1e2", 100),
        ("-0.0", 0),
        ("1.5", 1.5),
        ("9007199254740993", 2**53 + 1),
        ("9007199254740993.0", 2**53 + 1),
        ("9.223372036854775807e18", 2**63 - 1),
        ("1e18", 10**18),
        ("9007199254740993.5", 9007199254740994.0),
        ("1e300", 1e300),
        ("1e-400", 0),
    ],
)
def test_a_number_is_read_as_the_integer_it_is_exactly(text, value):
    read = parse_document(f'{{"a": {text}}}')["a"]
    assert (read, type(read)) == (value, type(value))


def test_a_document_may_be_text_or_bytes():
    assert parse_document(b'{"\xc3\xa9": "\\u20ac"}') == parse_document('{"é": "€"}')


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((), ""),
        (("a/b", 0, "~"), "/a~1b/0/~0"),
        (("",), "/"),
        (("x" * 201,), "/" + "x" * 200 + "…"),
        (("\ud800",), "/\\ud800"),
    ],
)
def test_a_pointer_escapes_its_parts(parts, text):
    assert pointer(parts) == text


def test_nesting_is_read_up_to_the_bound_and_no_further():
    for depth, refused in ((MAX_DEPTH, False), (MAX_DEPTH + 1, True)):
        text = '{"a":' * depth + "1" + "}" * depth
        if not refused:
            assert parse_document(text)
            continue
        with pytest.raises(ContractError, match="DOCUMENT_TOO_DEEP"):
            parse_document(text)


def test_brackets_inside_strings_are_no_nesting():
    text = json.dumps({"a": '[{"\\' * 100})
    assert parse_document(text) == json.loads(text)


def test_numbers_are_read_up_to_the_bound_and_no_longer():
    assert parse_document('{"a": ' + "1" * MAX_NUMBER_CHARS + "}")["a"] == int("1" * 64)
    with pytest.raises(ContractError, match="DOCUMENT_NOT_FINITE at /a"):
        parse_document('{"a": ' + "1" * (MAX_NUMBER_CHARS + 1) + "}")


def test_documents_are_read_up_to_the_bound_and_no_larger():
    text = '{"a": "' + "x" * (MAX_DOCUMENT_BYTES - 9) + '"}'
    assert parse_document(text.encode()) == json.loads(text)
    with pytest.raises(ContractError, match="DOCUMENT_TOO_LARGE"):
        parse_document(text.encode() + b" ")


def test_a_repeated_key_that_is_no_character_is_refused_in_words_that_can_be_written():
    with pytest.raises(ContractError, match="DOCUMENT_DUPLICATE_KEY") as caught:
        parse_document('{"\\ud800": 1, "\\ud800": 2}')
    assert str(caught.value).encode("utf-8")


def test_ten_megabytes_are_refused_at_once():
    data = b'{"a": "' + b"x" * 10_000_000 + b'"}'
    started = time.perf_counter()
    with pytest.raises(ContractError, match="at most 1000000 are read") as caught:
        parse_document(data, "scenario")
    assert caught.value.code == "DOCUMENT_TOO_LARGE"
    assert time.perf_counter() - started < 0.5


@FUZZ
@example(b"\xff")
@example(b"")
@given(documents.inputs([{"a": [1, {"b": None}], "c": "x"}]))
def test_any_bytes_are_an_object_or_one_of_seven_errors(data):
    try:
        outcome = parse_document(data)
    except ContractError as error:
        outcome = error
    if isinstance(outcome, dict):
        assert json.dumps(outcome, allow_nan=False)
        return
    assert outcome.code in PARSER_CODES
    assert outcome.message
    assert outcome.hints[0]
