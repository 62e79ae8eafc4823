"""Words of the truth are found in any spelling; the words of a market are none of them."""

import pytest

from contracts.control import DEMO_SCENARIOS
from contracts.flow import ACTORS, SUBTYPE_NAMES
from contracts.tape import spec_from
from contracts.tape_columns import STREAMS
from engine.tapes.market.events import VOCABULARIES
from islandflow_resources.tape_words import ForbiddenWords, words_of
from tests.islandflow_resources.plain_tape import plain_spec

WORDS = ForbiddenWords()


@pytest.mark.parametrize(
    "word",
    [
        *SUBTYPE_NAMES,
        *ACTORS,
        *DEMO_SCENARIOS["stress-tape"],
        "structure_arbitrage",
        "retail_whale",
        "bullish",
        "expected_outputs",
        "hidden_label",
        "hidden_labels",
        "label",
        "labels",
        "scenario_id",
        "source_kind",
    ],
)
def test_a_word_is_found_in_any_case_and_with_any_signs_between(word):
    for text in (word, word.upper(), f"x-{word.replace('_', ' ')}!", word.replace("-", "")):
        assert WORDS.found_in(text) is not None, text


def test_no_name_of_a_market_event_is_a_word_of_the_truth():
    for name, schema in STREAMS.items():
        assert WORDS.found_in(name) is None
        assert [column for column in schema.names if WORDS.found_in(column)] == []
        for column in schema.names:
            words = VOCABULARIES.get((name, column), ())
            assert [word for word in words if WORDS.found_in(word)] == []


def test_the_names_of_a_tape_are_words_of_its_own():
    document = plain_spec(symbols=1).model_dump(mode="json")
    document["injections"] = [
        {
            "id": "monday-surprise",
            "subtype": SUBTYPE_NAMES[0],
            "symbol": "SPY",
            "at_s": 60,
            "notional_usd": 1e5,
            "is_decoy": False,
        }
    ]
    words = words_of(spec_from(document), "the great run", None)
    assert words.found_in("MONDAY_SURPRISE_1") == "mondaysurprise"
    assert words.found_in("thegreatrun") == "thegreatrun"
    assert WORDS.found_in("MONDAY_SURPRISE_1") is None


def test_a_name_too_short_to_mean_anything_is_no_word():
    assert ForbiddenWords(["iso"]).found_in("ISO") is None
