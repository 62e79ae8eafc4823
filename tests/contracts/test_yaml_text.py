"""YAML that people write: the same documents as in JSON, and no text that breaks the reader."""

import json
import time

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.canonical import parse_document
from contracts.errors import ContractError
from contracts.yaml_text import parse_text
from tests.contracts.fixture_files import document, valid_files
from tests.properties import documents

FUZZ = settings(
    derandomize=True,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CODES = {
    "THING_NOT_YAML",
    *(f"DOCUMENT_{word}" for word in ("TOO_LARGE", "TOO_DEEP", "NOT_UTF8", "NOT_JSON")),
    *(f"DOCUMENT_{word}" for word in ("NOT_OBJECT", "NOT_FINITE", "DUPLICATE_KEY")),
}
TOKENS = (
    *("a: ", "b: ", "- ", "? ", ": ", "\n", "\n  ", "\n    ", "\t", "[", "]", "{", "}", ", "),
    *("&a ", "*a ", "!!str ", "!x ", "!", "%YAML 9.9\n", "%TAG ! x:\n", "---\n", "...\n", "<<: "),
    *("|\n", ">-\n", "'", '"', '"\\UFFFFFFFF"', '"\\ud800"', '"\\x41"', "#", "@", "`", "~"),
    *("1", "-0", "1e999", "0x1F", "1_000", ".inf", "NaN", "yes", "true", "null", "9" * 5000),
    *("2024-01-01", "1:30", "=", "\x00", "\ufeff", "\u2028", "é", "а", "\U0001f600", "\r", "\x85"),
)
CAMPAIGNS = [path.read_text("utf-8") for path in valid_files("campaigns")]


def judged(text: bytes | str) -> dict | ContractError:
    """The document of any input, or why it is refused."""
    try:
        return parse_text(text, "thing")
    except ContractError as error:
        return error


def refusal(text) -> ContractError:
    error = judged(text)
    assert isinstance(error, ContractError)
    return error


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-0", 0),
        ("1.50", 1.5),
        ("1e5", 100_000),
        ("1E-2", 0.01),
        ("9007199254740993.0", 9007199254740993),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("text", "text"),
        ("'7'", "7"),
        ('"true"', "true"),
        ("''", ""),
        ("'~'", "~"),
        ("yes", "yes"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("0x1F", "0x1F"),
        ("0o7", "0o7"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.", "1."),
        (".5", ".5"),
        ("+1", "+1"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("NaN", "NaN"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("=", "="),
        ("１２", "１２"),
        ("٣", "٣"),
        ("1-5", "1-5"),
        ("|\n  two\n  lines", "two\nlines"),
        (">\n  one\n  line", "one line"),
        ("[1, a, {b: null}]", [1, "a", {"b": None}]),
        ("[]", []),
        ("{}", {}),
        ("\n- 1\n- - 2\n  - 3", [1, [2, 3]]),
    ],
)
def test_a_scalar_is_what_json_would_read_in_it_and_text_otherwise(text, value):
    found = parse_text(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_a_merge_key_is_a_key_like_any_other():
    assert parse_text("<<: {b: 2}\nb: 1") == {"<<": {"b": 2}, "b": 1}


def quoted(text: str) -> str:
    """A text in double quotes, by YAML's own escapes where it is not plain ASCII."""
    plain = (char.isascii() and char.isprintable() and char not in '"\\' for char in text)
    pairs = zip(text, plain, strict=True)
    return '"' + "".join(char if kept else f"\\U{ord(char):08X}" for char, kept in pairs) + '"'


def in_blocks(value, indent: str) -> str:
    """A value in YAML, lists and mappings line by line."""
    if isinstance(value, dict) and value:
        lines = (
            f"{indent}{quoted(key)}:" + in_blocks(own, f"{indent} ") for key, own in value.items()
        )
        return "\n" + "\n".join(lines)
    if isinstance(value, list) and value:
        return "\n" + "\n".join(f"{indent}-" + in_blocks(own, f"{indent} ") for own in value)
    return " " + (quoted(value) if isinstance(value, str) else json.dumps(value))


@settings(FUZZ, max_examples=150)
@given(st.dictionaries(documents.texts, documents.values, max_size=5))
def test_any_document_reads_the_same_from_yaml_and_from_json(value):
    wanted, found = judged(json.dumps(value)), judged("# a comment" + in_blocks(value, ""))
    if value:
        assert (str(found), type(found)) == (str(wanted), type(wanted))


@pytest.mark.parametrize("path", valid_files("strategies", "scenarios"), ids=lambda path: path.stem)
def test_a_fixture_reads_the_same_from_yaml(path):
    written = document(path)
    assert parse_text(yaml.safe_dump(written)) == parse_document(path.read_bytes())
    assert parse_text("\n" + path.read_text("utf-8")) == parse_document(path.read_bytes())


@pytest.mark.parametrize(
    ("text", "said", "loc"),
    [
        ("a: 1\na: 2", "the key 'a' is given twice", "line 2, column 1"),
        ("x: {c: 1, c: 2}", "the key 'c' is given twice", "line 1, column 11"),
        ("x:\n  a: 1\n  'a': 2", "the key 'a' is given twice", "line 3, column 3"),
        ("a: &x 1", "anchors and aliases", "line 1, column 4"),
        ("&x a: 1", "anchors and aliases", "line 1, column 1"),
        ("a: &x [1]\nb: *x", "anchors and aliases", "line 1, column 4"),
        ("a: *x", "anchors and aliases", "line 1, column 4"),
        ("a: !!int 1", "the tag tag:yaml.org,2002:int", "line 1, column 4"),
        ("a: ! 1", "the tag !", "line 1, column 4"),
        ("!!map {a: 1}", "the tag tag:yaml.org,2002:map", "line 1, column 1"),
        ("a: !!python/name:os.system x", "the tag tag:yaml.org,2002:python", "line 1, column 4"),
        ("1: a", "the key '1' is not text", "line 1, column 1"),
        ("true: a", "the key 'true' is not text", "line 1, column 1"),
        ("~: a", "the key '~' is not text", "line 1, column 1"),
        ("? [a]\n: 1", "a key is a list or a mapping", "line 1, column 3"),
        ("? {a: 1}\n: 1", "a key is a list or a mapping", "line 1, column 3"),
        ("a: 1\n---\nb: 2", "a second document", "line 2, column 1"),
        ("a:\n\t- 1", "cannot read the thing", "line 2, column 1"),
        ("a: [1", "cannot read the thing", "line"),
        ("a: 'x", "cannot read the thing", "line"),
        ("a: b: c", "cannot read the thing", "line 1, column 5"),
        ('a: "\\UFFFFFFFF"', "cannot read the thing", "line 1"),
        ("%YAML 9.9\n---\na: 1", "cannot read the thing", "line 1"),
        ("a: \x00", "cannot read the thing", ""),
    ],
)
def test_what_json_cannot_say_is_refused_with_line_and_column(text, said, loc):
    error = refusal(text)
    assert error.code == "THING_NOT_YAML"
    assert said in error.message
    assert error.loc.startswith(loc)
    assert error.hints[0]


def test_keys_that_only_look_alike_are_two_keys():
    assert len(parse_text("seeds: 1\nѕeeds: 2\nseeds\u200b: 3")) == 3


@pytest.mark.parametrize("text", ["", "# nothing", "---", "a", "- a", "7", "null", "[]"])
def test_a_text_that_is_no_mapping_is_no_document(text):
    assert refusal(text).code == "DOCUMENT_NOT_OBJECT"


@pytest.mark.parametrize(
    ("data", "code", "loc"),
    [
        (b"a: \xff", "DOCUMENT_NOT_UTF8", "byte 3"),
        ("a: 1".encode("utf-16"), "DOCUMENT_NOT_UTF8", "byte 0"),
        ('a: "\ud800"', "THING_NOT_YAML", ""),
        ("a: 1e999", "DOCUMENT_NOT_FINITE", "/a"),
        ("a: {b: [0, -1e999]}", "DOCUMENT_NOT_FINITE", "/a/b/1"),
        ("a: " + "9" * 65, "DOCUMENT_NOT_FINITE", "/a"),
        ("a: " + "9" * 5000, "DOCUMENT_NOT_FINITE", "/a"),
        ("{a: 1}", "DOCUMENT_NOT_JSON", "line 1 column 2"),
        ('{"a": 1, "a": 2}', "DOCUMENT_DUPLICATE_KEY", "/a"),
        ("a: " + "[" * 32 + "]" * 32, "DOCUMENT_TOO_DEEP", ""),
    ],
)
def test_every_other_rule_is_that_of_the_parser_of_json(data, code, loc):
    error = refusal(data)
    assert (error.code, error.loc) == (code, loc)


def test_thirty_two_levels_are_read():
    assert parse_text("a: " + "[" * 31 + "]" * 31)["a"]


def test_a_byte_order_mark_is_read_over():
    assert parse_text("\ufeffa: 1".encode()) == parse_text("\ufeffa: 1") == {"a": 1}


BOMBS = {
    "brackets": "a: " + "[" * 900_000,
    "braces": "a: " + "{x: " * 200_000,
    "dashes": "- " * 450_000,
    "questions": "? " * 450_000,
    "indents": "".join(" " * depth + "a:\n" for depth in range(1300)),
    "numbers": "a:\n" + "- 1\n" * 120_000,
    "keys": "".join(f"k{index}: 1\n" for index in range(40_000)),
    "text": "a: '" + "x" * 900_000 + "'",
    "words": "a: " + "x " * 450_000,
    "a long key": "x" * 900_000 + ": 1",
    "a long tag": "a: !" + "x" * 900_000 + " 1",
    "a long anchor": "a: &" + "x" * 900_000 + " 1",
    "a list as a key": "? [" + "a," * 400_000 + "]\n: 1",
    "laughter": 'a: &a ["x","x"]\n' + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]\n" for i in range(24)
    ),
    "comments": "#" * 900_000,
    "documents": "---\n" * 200_000,
    "a megabyte and more": "a: " + "x" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_or_refused_in_bounded_time_and_few_words(name):
    started = time.process_time()
    error = judged(BOMBS[name])
    assert time.process_time() - started < 6
    if isinstance(error, ContractError):
        assert error.code in CODES
        assert len(str(error)) < 600


def test_no_text_crashes_the_reader():
    outcomes: dict[str, int] = {}
    soup = st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)
    mangled = st.sampled_from(CAMPAIGNS).flatmap(documents.mangled)
    salted = st.tuples(st.sampled_from(CAMPAIGNS), st.integers(0, 1000), soup).map(
        lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] :]
    )

    @settings(FUZZ, max_examples=400)
    @given(st.one_of(soup, mangled, salted, st.text(max_size=60), st.binary(max_size=60)))
    def fuzz(text: str | bytes) -> None:
        found = judged(text)
        outcome = found.code if isinstance(found, ContractError) else "read"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if isinstance(found, ContractError):
            assert found.code in CODES
            assert found.message.strip()
            assert found.hints[0].strip()
            assert len(str(found)) < 1200
            assert str(found).encode("utf-8")

    fuzz()
    assert outcomes["read"] > 10
    assert outcomes["THING_NOT_YAML"] > 50
    assert len(outcomes) > 4
