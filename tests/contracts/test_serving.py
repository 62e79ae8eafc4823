"""Dossiers and published specs: identity by content, and that nothing of them is left open."""

import copy
import json
import re

import pytest

from contracts.canonical import canonical_json
from contracts.document import load
from contracts.errors import ContractError
from contracts.serving import DOSSIER, PUBLISHED, PublishedServingSpec
from tests.contracts.fixture_files import document, valid_files
from tests.properties import documents

(FILE,) = valid_files("published_serving_spec")
FROZEN = "sha256:0261db0fe0419186e2b5790f95b793d5f7818c81d3436792acc162af89a24e94"
OTHERS = {
    "sha256:": "sha256:" + "e" * 64,
    "blake3:": "blake3:" + "e" * 64,
}
WORDS = {"timeframe": "5m", "then": "hold", "if": "close > 1"}
FIXED = {"kind", "version", "type"}


def published(written: dict) -> PublishedServingSpec:
    return load(PUBLISHED, json.dumps(written), "published spec")


def another(value, key):
    """A valid value that differs from one of the fixture's."""
    if key in WORDS:
        return WORDS[key]
    if isinstance(value, str):
        return next((new for start, new in OTHERS.items() if value.startswith(start)), value + "x")
    return value / 2 if key == "percent" else value + 1


def leaves(written):
    return [
        path
        for path in documents.places(written)
        if not isinstance(documents.value_at(written, path), dict | list)
    ]


def test_the_id_of_a_published_spec_never_changes():
    assert published(document(FILE)).serving_id == FROZEN


def test_neither_the_order_of_keys_nor_written_defaults_change_the_id():
    written = document(FILE)
    turned = dict(reversed(written.items()))
    whole = json.loads(published(written).model_dump_json(by_alias=True))
    assert len(canonical_json(whole)) > len(canonical_json(written))
    for other in (turned, whole, published(written).document()):
        assert published(other) == published(written)
        assert published(other).serving_id == FROZEN


def test_every_field_changes_the_id():
    written = document(FILE)
    seen = {FROZEN}
    fields = [path for path in leaves(written) if path[-1] not in FIXED]
    for path in fields:
        value = documents.value_at(written, path)
        changed = documents.replaced(written, path, another(value, path[-1]))
        seen.add(published(changed).serving_id)
    assert len(seen) == len(fields) + 1
    assert len(fields) > 20


@pytest.mark.parametrize("name", ["settings", "strategy", "evidence", "source", "kind", "name"])
def test_a_published_spec_says_everything_that_it_rests_on(name):
    written = {key: value for key, value in document(FILE).items() if key != name}
    with pytest.raises(ContractError) as caught:
        published(written)
    assert (caught.value.code, caught.value.loc) == ("PUBLISHED_SPEC_FIELD_MISSING", f"/{name}")


def test_the_name_of_an_alias_or_a_time_is_no_part_of_it():
    for name in ("alias", "published_at", "actor", "serving_id"):
        with pytest.raises(ContractError, match="PUBLISHED_SPEC_FIELD_UNKNOWN"):
            published(document(FILE) | {name: "x"})


def test_a_parameter_that_is_still_a_range_is_refused_and_told_what_to_write():
    written = copy.deepcopy(document(FILE))
    written["strategy"]["params"]["slow"] = {"default": 60, "min": 40, "max": 80}
    with pytest.raises(ContractError, match=r"the number that was evaluated, e\.g\. 60") as told:
        published(written)
    assert (told.value.code, told.value.loc) == (
        "PUBLISHED_SPEC_RULE_BROKEN",
        "/strategy/params/slow",
    )


@pytest.mark.parametrize("path", valid_files("dossier"), ids=lambda path: path.stem)
def test_a_dossier_reads_back_and_says_why_of_every_criterion(path):
    read = load(DOSSIER, path.read_bytes(), "dossier")
    assert read.document() == document(path)
    assert read.passed == all(one.passed for one in read.criteria)
    assert all(re.search("[a-z]", one.sentence) for one in read.criteria)


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity"])
@pytest.mark.parametrize("field", ["value", "bound"])
def test_a_number_of_a_criterion_is_finite_or_left_out(field, number):
    written = document(valid_files("dossier")[0])
    written["criteria"][0][field] = "HERE"
    with pytest.raises(ContractError) as caught:
        load(DOSSIER, json.dumps(written).replace('"HERE"', number), "dossier")
    assert (caught.value.code, caught.value.loc) == (
        "DOCUMENT_NOT_FINITE",
        f"/criteria/0/{field}",
    )
