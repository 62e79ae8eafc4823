"""The base of every document: what fields accept, what is hashed, and that nothing crashes it."""

import json
import time
from typing import Annotated

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import Field, TypeAdapter, ValidationError

from contracts.document import Embedded, Integer, Model, Number, Seed, Slug, load, validate
from contracts.errors import ContractError
from contracts.problems import CODES, MAX_PROBLEMS
from tests.contracts.fixture_files import KINDS, document, kind_of, valid_files
from tests.properties import documents

PARSER_CODES = {
    f"DOCUMENT_{reason}"
    for reason in (
        *("TOO_LARGE", "NOT_UTF8", "TOO_DEEP", "NOT_JSON"),
        *("NOT_OBJECT", "DUPLICATE_KEY", "NOT_FINITE"),
    )
}


class Part(Model):
    """A part with a default of its own."""

    size: Number = 1.0


class Thing(Model):
    """One field of every type that documents share."""

    id: Slug = "thing"
    count: Integer = 1
    share: Annotated[Number, Field(ge=0, le=1)] = 0.5
    seed: Seed = 0
    part: Part = Part()
    inner: Embedded = {}  # noqa: RUF012


THING = TypeAdapter(Thing)


def thing(text: str) -> Thing:
    return load(THING, text, "thing")


def test_a_document_holds_only_what_differs_from_its_defaults():
    assert thing("{}").document() == {}
    assert thing('{"count": 1.0, "part": {"size": 1}, "seed": "0"}').document() == {}
    assert thing('{"count": 2, "part": {"size": 2}}').document() == {
        "count": 2,
        "part": {"size": 2},
    }


@pytest.mark.parametrize("seed", [2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1])
def test_a_seed_is_read_as_number_or_text_and_written_as_text(seed):
    for written in (str(seed), f'"{seed}"', f"{seed}.0"):
        read = thing(f'{{"seed": {written}}}')
        assert read.seed == seed
        assert read.document() == {"seed": str(seed)}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("seed", '"01"'),
        ("seed", '"9223372036854775808"'),
        ("seed", "9223372036854775808"),
        ("seed", "9007199254740993.5"),
        ("seed", "true"),
        ("count", '"1"'),
        ("count", "true"),
        ("count", "1.5"),
        ("count", "9007199254740992"),
        ("share", '"0.5"'),
        ("share", "true"),
        ("share", "1.0000001"),
        ("id", "1"),
        ("id", '"A"'),
        ("part", "null"),
        ("inner", "[]"),
    ],
)
def test_a_value_of_another_type_or_size_is_refused_where_it_stands(field, text):
    with pytest.raises(ContractError) as caught:
        thing(f'{{"{field}": {text}}}')
    assert caught.value.loc == f"/{field}"
    assert caught.value.code in ("THING_VALUE_INVALID", "THING_VALUE_OUT_OF_RANGE")


def test_a_document_cannot_be_changed_after_it_was_read():
    with pytest.raises(ValidationError, match="frozen"):
        thing("{}").count = 3


def test_a_document_inside_another_keeps_its_bytes():
    text = '{"inner": {"big": 1000000000000000000, "small": 7, "list": [true, 9007199254740992]}}'
    inner = dict(thing(text).inner)
    assert thing(text).document() == {"inner": inner}
    assert inner == {"big": 1e18, "small": 7, "list": [True, 2.0**53]}
    assert [type(inner["big"]), type(inner["small"])] == [float, int]


def test_many_problems_are_listed_up_to_a_bound_and_the_rest_counted():
    text = json.dumps({f"k{index:05}": 1 for index in range(1000)})
    with pytest.raises(ContractError) as caught:
        thing(text)
    *listed, last = caught.value.problems
    assert [problem.loc for problem in listed] == [f"/k{i:05}" for i in range(MAX_PROBLEMS)]
    assert (last.code, last.message) == (
        "THING_PROBLEMS_OMITTED",
        f"{1000 - MAX_PROBLEMS} more problems are not listed",
    )


def test_a_document_that_is_already_parsed_is_judged_alike():
    assert validate(THING, {"count": 3}, "thing") == thing('{"count": 3}')
    with pytest.raises(ContractError, match="THING_FIELD_UNKNOWN at /extra"):
        validate(THING, {"extra": 1}, "thing")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({f"k{index}": 1 for index in range(70_000)}),
        "{" + ",".join(f'"k{index}": 1' for index in range(70_000)) + ',"k69999": 1}',
        json.dumps({"inner": {"a": list(range(130_000))}}),
        json.dumps({"id": "x" * 990_000}),
        json.dumps({"x" * 990_000: 1}),
        json.dumps({"inner": {"a": ["\U0001f600" * 20] * 11_000}}, ensure_ascii=False),
        '{"inner":' + "{" * 990_000,
        '{"inner": ["' + '\\"' * 490_000 + '"]}',
        '{"count": ' + "9" * 990_000 + "}",
        '{"inner": [' + "1e5," * 240_000 + "1]}",
    ],
    ids=(
        *("many-unknown-keys", "a-repeated-key-at-the-end", "a-long-list", "a-long-string"),
        *("a-long-key", "wide-characters", "endless-nesting", "endless-escapes"),
        *("a-long-number", "many-numbers"),
    ),
)
def test_a_document_as_large_as_is_read_is_judged_in_bounded_time(text):
    assert 500_000 < len(text.encode()) <= 1_000_000
    started = time.process_time()
    try:
        judged = len(thing(text).document())
    except ContractError as error:
        judged = len(str(error))
    assert judged < 20_000
    assert time.process_time() - started < 4


FIXTURES = {
    name: [document(path) for path in valid_files(name)] for name in ("scenarios", "strategies")
}


@pytest.mark.parametrize("name", FIXTURES)
def test_any_document_is_read_or_refused_with_a_known_code(name):
    kind = KINDS[name]
    known = PARSER_CODES | {f"SCENARIO_{code}" for code in CODES}
    if name == "strategies":
        known = PARSER_CODES | {"DSL_SCHEMA_INVALID", "DSL_STATIC_FAIL"}
    outcomes = {"read": 0, "parsed": 0, "refused": 0}

    @settings(
        derandomize=True,
        database=None,
        max_examples=500,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(documents.inputs(FIXTURES[name]))
    def fuzz(data: bytes) -> None:
        try:
            kind.load(data)
        except ContractError as error:
            outcomes["parsed" if error.code in PARSER_CODES else "refused"] += 1
            for problem in error.problems:
                assert problem.code in known
                assert problem.message.strip()
                assert problem.hints[0].strip()
                assert len(str(problem)) < 1200
                assert str(problem).encode("utf-8")
        else:
            outcomes["read"] += 1

    fuzz()
    assert sum(outcomes.values()) >= 500
    assert min(outcomes.values()) > 10, outcomes


@pytest.mark.parametrize("path", valid_files(), ids=lambda path: path.stem)
def test_a_valid_fixture_reads_back_from_what_is_hashed(path):
    kind = kind_of(path)
    read = kind.load(path.read_bytes())
    again = kind.load(json.dumps(read.document()))
    assert again == read
    assert again.document() == read.document()
