"""Dossiers and published specs: identity by content, and that nothing of them is left open."""

import copy
import json
import re

import pytest

from contracts.canonical import canonical_json
from contracts.document import load
from contracts.errors import ContractError
from contracts.serving import (
    DOSSIER,
    PUBLISHED,
    PublishedServingSpec,
    PublishedSignal,
    PublishedStrategy,
)
from tests.contracts.fixture_files import document, valid_files
from tests.properties import documents

FILES = {path.stem: path for path in valid_files("published_serving_spec")}
FILE, SIGNAL = FILES["published_two_averages"], FILES["published_derivative"]
FROZEN = "sha256:0261db0fe0419186e2b5790f95b793d5f7818c81d3436792acc162af89a24e94"
OTHERS = {
    "sha256:": "sha256:" + "e" * 64,
    "blake3:": "blake3:" + "e" * 64,
}
WORDS = {"timeframe": "5m", "then": "hold", "if": "close > 1"}
FIXED = {"kind", "version", "type"}
INSTANTS = ("start_ns", "end_ns", "seed")


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


SIGNAL_FROZEN = "sha256:fef367107a9e7ca7d48ff58435da01dc18f5ac538f427a7b87eada73798531a5"


def test_the_id_of_a_published_signal_never_changes():
    assert published(document(SIGNAL)).serving_id == SIGNAL_FROZEN


def test_a_published_signal_writes_every_default_out():
    written = document(SIGNAL)
    whole = published(written).document()
    assert len(canonical_json(whole)) > len(canonical_json(written))
    assert published(whole).serving_id == SIGNAL_FROZEN
    assert whole["settings"]["max_hold_bins"] == 1_200


def test_where_the_configuration_of_a_signal_comes_from_is_no_part_of_it():
    written = copy.deepcopy(document(SIGNAL))
    written["runtime_snapshot"] |= {"run": "a", "generator": {"seed": 1}}
    assert published(written).serving_id == SIGNAL_FROZEN


def test_the_kind_tells_a_strategy_from_a_signal():
    assert isinstance(published(document(FILE)), PublishedStrategy)
    assert isinstance(published(document(SIGNAL)), PublishedSignal)
    with pytest.raises(ContractError) as caught:
        published(document(SIGNAL) | {"kind": "strategy"})
    assert {one.loc for one in caught.value.problems} >= {"/strategy", "/signal"}


def test_every_field_of_a_signal_changes_the_id():
    written = document(SIGNAL)
    seen = {SIGNAL_FROZEN}
    fields = [
        path
        for path in leaves(written)
        if path[-1] not in FIXED and path[0] != "runtime_snapshot" and path[1:] != ("what",)
    ]
    for path in fields:
        value = documents.value_at(written, path)
        other = str(int(value) + 1) if path[-1] in INSTANTS else another(value, path[-1])
        seen.add(published(documents.replaced(written, path, other)).serving_id)
    assert len(seen) == len(fields) + 1
    assert len(fields) > 25


@pytest.mark.parametrize(
    "name", ["runtime_snapshot", "stream", "signal", "settings", "evidence", "source", "name"]
)
def test_a_published_signal_says_everything_that_it_rests_on(name):
    written = {key: value for key, value in document(SIGNAL).items() if key != name}
    with pytest.raises(ContractError) as caught:
        published(written)
    assert (caught.value.code, caught.value.loc) == ("PUBLISHED_SPEC_FIELD_MISSING", f"/{name}")


@pytest.mark.parametrize("name", ["tp_ticks", "sl_ticks", "cooldown_bins"])
def test_a_published_signal_trades_by_one_rule(name):
    written = copy.deepcopy(document(SIGNAL))
    written["settings"][name] = [4, 8]
    with pytest.raises(ContractError, match=f"{name} is not one number") as told:
        published(written)
    assert told.value.loc == f"/settings/{name}"
