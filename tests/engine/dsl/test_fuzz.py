"""No document and no text crashes or hangs the compiler: it compiles or is refused by a known code.

More than a thousand cases on every run; ``make fuzz`` runs many more of the same.
"""

import json
import os
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.strategy import load_strategy
from engine.dsl import compile_strategy, compile_sweep
from tests.contracts.fixture_files import document, valid_files
from tests.properties import documents, strategies

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
TABLE = {
    *("DSL_SCHEMA_INVALID", "DSL_PARSE_ERROR", "DSL_UNSUPPORTED_FUN", "DSL_TYPE_ERROR"),
    *("DSL_PARAM_OUT_OF_RANGE", "DSL_STATIC_FAIL"),
}
PARSER = {
    *("DOCUMENT_TOO_LARGE", "DOCUMENT_NOT_UTF8", "DOCUMENT_TOO_DEEP", "DOCUMENT_NOT_JSON"),
    *("DOCUMENT_NOT_OBJECT", "DOCUMENT_DUPLICATE_KEY", "DOCUMENT_NOT_FINITE"),
}
SECONDS = 4.0
LEAVES = {"if": "close < 1", "then": "close"}
FIXTURES = [document(path) for path in valid_files("strategies")]
TEXTS = [rule["if"] for fixture in FIXTURES for rule in fixture["rules"]]
VALID = st.one_of(st.sampled_from(TEXTS), strategies.conditions(1))
FUZZ = hypothesis_settings(
    max_examples=EXAMPLES,
    suppress_health_check=[
        HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much
    ],
)  # fmt: skip


def verdict(data: bytes | str) -> str:
    """``ok``, or the code of the refusal; anything else is a crash of the test."""
    started = time.process_time()
    try:
        spec = load_strategy(data)
        program = compile_strategy(spec)
        sweep = compile_sweep(spec, {})
    except ContractError as error:
        for problem in error.problems:
            judge(problem)
        return error.code
    finally:
        assert time.process_time() - started < SECONDS
    assert program.ir_hash.startswith("sha256:")
    assert len(program.described_columns()) == len(program.lowered.columns)
    assert sweep.size == 1
    return "ok"


def judge(problem) -> None:
    """A problem is classified, says where it is and what to do, and is of bounded length."""
    assert problem.code in TABLE | PARSER
    assert problem.message.strip()
    assert problem.hints[0].strip()
    assert len(str(problem)) < 1500
    assert str(problem).encode("utf-8")
    if problem.code in TABLE - {"DSL_SCHEMA_INVALID"}:
        assert problem.loc.startswith(("/rules", "/params", "/risk"))


def ruled(text: str) -> str:
    return json.dumps(strategies.document([{"if": text, "then": "buy"}, LEAVES]))


def verdicts(cases: st.SearchStrategy[Any]) -> set[str]:
    """What the compiler says of `EXAMPLES` cases, each of which is judged."""
    seen: Counter[str] = Counter()

    @FUZZ
    @given(cases)
    def fuzz(data: bytes | str) -> None:
        seen[verdict(data)] += 1

    fuzz()
    assert sum(seen.values()) >= EXAMPLES
    return set(seen)


@st.composite
def mistyped(draw):
    """A rule of a fixture, some of its pieces cut, doubled, or replaced by tokens."""
    text = draw(VALID)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 12)))
        tokens = st.sampled_from(["", text[start:stop] * 2, *strategies.TOKENS])
        text = text[:start] + draw(tokens) + text[stop:]
    return text


@st.composite
def swapped(draw):
    """A fixture, some values of which stand where others of the fixtures stood."""
    one, other = draw(st.sampled_from(FIXTURES)), draw(st.sampled_from(FIXTURES))
    for _ in range(draw(st.integers(1, 3))):
        source = draw(st.sampled_from(list(documents.places(other))))
        target = draw(st.sampled_from(list(documents.places(one))))
        one = documents.replaced(one, target, documents.value_at(other, source))
    return json.dumps(one)


@st.composite
def huge(draw):
    """A fixture with an extreme number in one place, inside an expression or not."""
    one = draw(st.sampled_from(FIXTURES))
    number = draw(st.one_of(documents.numbers, st.floats(allow_nan=False, allow_infinity=False)))
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(one["params"])))
        text = one["rules"][0]["if"].replace(name, format(number, ".400g"))
        return json.dumps(documents.replaced(one, ("rules", 0, "if"), text))
    paths = [
        path
        for path in documents.places(one)
        if isinstance(documents.value_at(one, path), int | float)
    ]
    return json.dumps(documents.replaced(one, draw(st.sampled_from(paths)), number))


def test_broken_documents_are_refused_by_a_code():
    wanted = {"ok", "DSL_SCHEMA_INVALID", "DOCUMENT_NOT_JSON"}
    assert verdicts(documents.inputs(FIXTURES)) >= wanted


def test_documents_with_values_in_wrong_places_are_refused_by_a_code():
    assert verdicts(swapped()) >= {"ok", "DSL_SCHEMA_INVALID"}


def test_extreme_numbers_are_refused_by_a_code():
    assert verdicts(huge()) >= {"ok", "DSL_SCHEMA_INVALID", "DSL_PARAM_OUT_OF_RANGE"}


def test_rules_with_pieces_cut_doubled_or_replaced_are_refused_by_a_code():
    assert verdicts(mistyped().map(ruled)) >= {"DSL_PARSE_ERROR", "DSL_TYPE_ERROR"}


def test_soups_of_tokens_are_refused_by_a_code():
    assert "DSL_PARSE_ERROR" in verdicts(strategies.token_soup.map(ruled))


def test_any_unicode_text_is_refused_by_a_code():
    assert "DSL_PARSE_ERROR" in verdicts(st.text(min_size=1, max_size=200).map(ruled))


def test_nestings_of_any_depth_are_refused_by_a_code():
    depths = st.integers(1, 40) | st.integers(1, 2000)
    nested = st.builds(strategies.nested, st.sampled_from(strategies.SHAPES), depths)
    assert verdicts(nested.map(ruled)) >= {"ok", "DSL_PARSE_ERROR", "DSL_SCHEMA_INVALID"}


@pytest.mark.parametrize("text", [" ", "\n", "\t \r\n", "()", "((", ",", "#", "\x00", "\ufeff"])
def test_texts_without_content_do_not_parse(text):
    assert verdict(ruled(text)) == "DSL_PARSE_ERROR"
