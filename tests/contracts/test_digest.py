"""Digests: known values, their written form, and that a recipe is sensitive to all it names."""

import hashlib

import pytest

from contracts.digest import bare, checked_digest, document_digest, recipe_digest
from contracts.errors import ContractError

INPUT = "blake3:" + "a" * 64
RECIPE = {
    "what": "scenario_dataset",
    "version": "1.1",
    "specs": {"scenario": {"id": "up"}},
    "inputs": {"bars": INPUT},
    "seed": 7,
}


def digest_of(**changes):
    recipe = {**RECIPE, **changes}
    return recipe_digest(recipe.pop("what"), **recipe)


def test_a_document_digest_is_sha256_of_its_canonical_bytes():
    expected = hashlib.sha256('{"a":1,"b":"é"}'.encode()).hexdigest()
    assert document_digest({"b": "é", "a": 1.0}) == f"sha256:{expected}"


def test_the_order_of_keys_and_the_spelling_of_a_number_change_no_digest():
    assert document_digest({"a": 1, "b": 2.5}) == document_digest({"b": 2.50, "a": 1.0})


def test_a_recipe_is_the_digest_of_what_it_names():
    expected = document_digest(
        {
            "what": "scenario_dataset",
            "version": "1.1",
            "specs": {"scenario": {"id": "up"}},
            "inputs": {"bars": INPUT},
            "seed": "7",
        }
    )
    assert digest_of() == expected


@pytest.mark.parametrize(
    "change",
    [
        {"what": "backtest_result"},
        {"version": "1.2"},
        {"specs": {"scenario": {"id": "down"}}},
        {"specs": {"strategy": {"id": "up"}}},
        {"specs": {"scenario": {"id": "up"}, "costs": {}}},
        {"specs": None},
        {"inputs": {"bars": "blake3:" + "b" * 64}},
        {"inputs": {"bars": "sha256:" + "a" * 64}},
        {"inputs": {"labels": INPUT}},
        {"inputs": None},
        {"seed": 8},
        {"seed": 0},
        {"seed": None},
    ],
)
def test_every_part_of_a_recipe_changes_it(change):
    assert digest_of(**change) != digest_of()


def test_seeds_beyond_the_integers_of_json_have_recipes_of_their_own():
    seeds = [0, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1]
    assert len({digest_of(seed=seed) for seed in seeds}) == len(seeds)


def test_seed_zero_is_not_no_seed():
    assert digest_of(seed=0) != digest_of(seed=None)


def test_the_order_in_which_roles_are_given_changes_no_recipe():
    roles = {"a": INPUT, "b": "sha256:" + "0" * 64}
    assert digest_of(inputs=roles) == digest_of(inputs=dict(reversed(roles.items())))


def test_a_recipe_refuses_an_input_that_is_no_digest():
    with pytest.raises(ContractError, match="DIGEST_INVALID"):
        digest_of(inputs={"bars": "a" * 64})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "md5:" + "a" * 64,
        INPUT + "\n",
        " " + INPUT,
    ],
)
def test_what_is_not_written_like_a_digest_is_refused(text):
    for function in (checked_digest, bare):
        with pytest.raises(ContractError) as caught:
            function(text)
        assert caught.value.code == "DIGEST_INVALID"
        assert "64 lower-case" in caught.value.hints[0]


def test_the_bare_form_is_the_hex_part():
    assert bare(checked_digest(INPUT)) == "a" * 64
