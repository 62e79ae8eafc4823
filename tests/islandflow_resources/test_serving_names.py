"""Names of served specs: aliases, ids, beginnings of ids, and names that are none."""

import pytest

from contracts.errors import ContractError, NotFoundError
from islandflow_resources.registry import Registry
from tests.islandflow_resources.promotions import promotion, serving, serving_id

TWINS = ("sha256:abcdef0123" + "1" * 54, "sha256:abcdef0123" + "2" * 54)


@pytest.fixture
def registry(database):
    made = Registry(database)
    made.promote(promotion(1))
    made.promote(promotion(2))
    for number, twin in enumerate(TWINS, start=10):
        made.promote(
            promotion(number, spec=serving(number, serving_id=twin), alias=f"challenger-{number}")
        )
    return made


def test_a_spec_is_found_by_alias_by_id_and_by_the_beginning_of_its_id(registry):
    expected = {
        "champion": serving_id(2),
        "challenger-10": TWINS[0],
        serving_id(1): serving_id(1),
        serving_id(1).removeprefix("sha256:"): serving_id(1),
        "01000000": serving_id(1),
        "sha256:01000000": serving_id(1),
        "abcdef01232": TWINS[1],
    }
    assert {name: registry.resolve(name).serving_id for name in expected} == expected


def test_an_alias_that_looks_like_the_beginning_of_an_id_is_an_alias(registry):
    registry.promote(promotion(20, spec=serving(2), alias="01000000"))
    assert registry.resolve("01000000").serving_id == serving_id(2)
    assert registry.resolve("010000000").serving_id == serving_id(1)


def test_the_beginning_of_several_ids_names_them_all(registry):
    with pytest.raises(ContractError, match="SERVING_AMBIGUOUS") as caught:
        registry.resolve("abcdef0123")
    assert all(twin in caught.value.message for twin in TWINS)


def test_what_is_no_name_is_not_found(registry):
    patterns = ("%%%%%%%%", "0100000_", "sha256:%", "x" * 999)
    for name in ("", "0100000", "ABCDEF0123", "blake3:01000000", "00000000", *patterns):
        with pytest.raises(NotFoundError, match="SERVING_NOT_FOUND") as caught:
            registry.resolve(name)
        assert "islandflow serving list" in caught.value.hints[-1]


def test_a_misspelt_alias_and_the_name_of_a_spec_are_helped_on(registry):
    with pytest.raises(NotFoundError) as caught:
        registry.resolve("champoin")
    assert caught.value.hints[0] == "did you mean champion?"
    with pytest.raises(NotFoundError) as caught:
        registry.resolve("crossover")
    assert serving_id(1) in caught.value.hints[0]


def test_an_empty_registry_knows_no_name(database):
    with pytest.raises(NotFoundError, match="SERVING_NOT_FOUND"):
        Registry(database).resolve("champion")
