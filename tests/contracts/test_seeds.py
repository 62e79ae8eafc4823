"""Seeds: their range, their one spelling, and the identity of streams."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.seeds import MAX_SEED, checked_seed, parse_seed, parse_seeds, stream_id


def test_a_stream_is_named_by_the_first_eight_bytes_of_its_hash():
    digest = hashlib.sha256(b"paths/trend/close").digest()
    assert stream_id("paths", "trend", "close") == int.from_bytes(digest[:8], "little")


def test_the_streams_of_the_first_release_keep_their_identity():
    assert stream_id("paths", "trend", "close") == 0x4FB81493A59EDDFF


def test_different_names_are_different_streams():
    names = [("a",), ("b",), ("a", "b"), ("ab",), ("",), ("a", "")]
    assert len({stream_id(*name) for name in names}) == len(names)


@pytest.mark.parametrize("seed", [0, 1, 2**53, MAX_SEED])
def test_a_seed_in_range_is_itself_as_number_and_text(seed):
    assert checked_seed(seed) == seed
    assert parse_seed(str(seed)) == seed


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ContractError) as caught:
        checked_seed(seed)
    assert (caught.value.code, caught.value.loc) == ("SEED_OUT_OF_RANGE", "/seed")
    assert str(seed) in caught.value.message


def test_a_text_beyond_the_range_is_refused_as_such():
    with pytest.raises(ContractError, match="SEED_OUT_OF_RANGE"):
        parse_seed(str(MAX_SEED + 1))


@pytest.mark.parametrize(
    "text",
    ["", "01", "00", "-1", "+1", " 1", "1 ", "1\n", "1_0", "0x1", "1.0", "１", "²", "9" * 20],
)
def test_a_seed_has_one_spelling(text):
    with pytest.raises(ContractError) as caught:
        parse_seed(text)
    assert caught.value.code == "SEED_NOT_AN_INTEGER"
    assert caught.value.hints[0]


@settings(derandomize=True, database=None, max_examples=300)
@given(st.one_of(st.text(max_size=25), st.integers().map(str)))
def test_a_text_is_a_seed_exactly_if_it_is_how_one_is_written(text):
    try:
        outcome: object = parse_seed(text)
    except ContractError as error:
        outcome = error.code
    known = ("SEED_NOT_AN_INTEGER", "SEED_OUT_OF_RANGE")
    assert outcome in known or (str(outcome) == text and int(text) in range(MAX_SEED + 1))


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("", []),
        ("7", [7]),
        ("1-5", [1, 2, 3, 4, 5]),
        ("1, 2,7", [1, 2, 7]),
        ("3-4,9,1-2", [3, 4, 9, 1, 2]),
        (f"{MAX_SEED - 1}-{MAX_SEED}", [MAX_SEED - 1, MAX_SEED]),
        ("0-0", [0]),
    ],
)
def test_seeds_are_read_as_lists_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["5-1", "0-100000", "a", "1-2-3", "-3", "3-", "1 2", "１", "+1"])
def test_other_texts_are_no_seeds(text):
    with pytest.raises(ContractError) as caught:
        parse_seeds(text)
    assert caught.value.code.startswith("SEED")


@given(st.lists(st.integers(0, MAX_SEED), max_size=5))
def test_any_seeds_survive_their_text(seeds):
    assert parse_seeds(",".join(map(str, seeds))) == seeds


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text):
    try:
        seeds = parse_seeds(text)
    except ContractError:
        return
    assert all(0 <= seed <= MAX_SEED for seed in seeds)
