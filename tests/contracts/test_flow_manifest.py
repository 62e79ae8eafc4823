"""The manifest of a detection: its id follows from its inputs, and nothing else passes for one."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.canonical import canonical_json
from contracts.errors import ContractError
from contracts.flow_columns import DETECTIONS
from contracts.flow_manifest import (
    CONTRACT,
    FILES,
    MAX_BYTES,
    VERSION,
    detection_id,
    detection_key,
    detection_recipe,
    load_detection,
    sealed_detection,
)
from tests.properties.documents import places, removed, replaced

TAPE, POLICY = "sha256:" + "1" * 64, "sha256:" + "2" * 64
BLAKE = "blake3:" + "3" * 64
ID = detection_id(detection_recipe(TAPE, POLICY, "1", 0))
TABLE = {"rows": 2, "digest": BLAKE, "row_groups": [{"rows": 2, "digest": BLAKE}]}
BODY: dict[str, Any] = {
    "detection_version": VERSION,
    "contract_version": CONTRACT,
    "detection_id": ID,
    "tape_id": "0123456789abcdef",
    "tape_digest": TAPE,
    "detector_version": "1",
    "policy_digest": POLICY,
    "lateness_ns": 0,
    "events": 10,
    "late": 1,
    "repeated": 2,
    "tables": dict.fromkeys(DETECTIONS, TABLE),
    "files": [{"name": name, "digest": BLAKE, "size_bytes": 100} for name in FILES],
}
DOCUMENT: dict[str, Any] = {**sealed_detection(BODY).document()}
PLACES = list(places(DOCUMENT))
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.just([]),
    st.just({}),
    st.just(BLAKE),
    st.just(2**60),
)


def loaded(document):
    return load_detection(json.dumps(document))


def test_a_manifest_is_read_and_written_to_the_byte():
    manifest = load_detection(canonical_json(DOCUMENT) + b"\n")
    assert manifest.to_bytes() == canonical_json(DOCUMENT) + b"\n"
    assert manifest.recipe == {
        "detector": "1",
        "lateness_ns": 0,
        "policy": POLICY,
        "tape": TAPE,
    }
    assert detection_key(ID, "policy.json") == f"detections/{ID}/policy.json"


@pytest.mark.parametrize(
    "other",
    [
        (POLICY, POLICY, "1", 0),
        (TAPE, TAPE, "1", 0),
        (TAPE, POLICY, "2", 0),
        (TAPE, POLICY, "1", 1),
    ],
)
def test_another_tape_policy_detector_or_lateness_gives_another_id(other):
    assert detection_id(detection_recipe(*other)) != ID
    tape, policy, version, lateness_ns = other
    changed = {
        "tape_digest": tape,
        "policy_digest": policy,
        "detector_version": version,
        "lateness_ns": lateness_ns,
    }
    with pytest.raises(ContractError) as caught:
        loaded(DOCUMENT | changed)
    assert (caught.value.code, caught.value.loc) == (
        "DETECTION_MANIFEST_RULE_BROKEN",
        "/detection_id",
    )
    assert detection_id(detection_recipe(*other)) in str(caught.value.hints)


def test_what_the_tables_say_is_one_digest_that_no_file_is_part_of():
    manifest = loaded(DOCUMENT)
    files = [{**one, "size_bytes": 7} for one in DOCUMENT["files"]]
    assert loaded(DOCUMENT | {"files": files}).content_digest == manifest.content_digest
    name = next(iter(DETECTIONS))
    other = {**DOCUMENT["tables"], name: {**TABLE, "digest": "blake3:" + "4" * 64}}
    assert loaded(DOCUMENT | {"tables": other}).content_digest != manifest.content_digest


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("detection_version",), "smart-flow-detection-v2", "VERSION_UNSUPPORTED"),
        (("contract_version",), "smart-flow.contracts.v9", "VERSION_UNSUPPORTED"),
        (("tape_digest",), "1" * 64, "VALUE_INVALID"),
        (("late",), -1, "VALUE_OUT_OF_RANGE"),
        (("events",), "10", "VALUE_INVALID"),
        (("tables",), {}, "RULE_BROKEN"),
        (("tables",), {**BODY["tables"], "dark": TABLE}, "RULE_BROKEN"),
        (("files",), [], "RULE_BROKEN"),
        (("files",), DOCUMENT["files"][::-1], "RULE_BROKEN"),
        (("files", 0, "name"), "../x", "RULE_BROKEN"),
    ],
)
def test_what_is_wrong_is_named_by_its_pointer(path, value, code):
    with pytest.raises(ContractError) as caught:
        loaded(replaced(DOCUMENT, path, value))
    assert caught.value.code.endswith(code)
    assert caught.value.loc.startswith(f"/{path[0]}")
    assert caught.value.hints


@pytest.mark.parametrize("path", PLACES)
def test_a_field_that_is_gone_is_refused(path):
    with pytest.raises(ContractError) as caught:
        loaded(removed(DOCUMENT, path))
    assert all(problem.loc for problem in caught.value.problems)


def test_tables_may_be_named_in_any_order():
    turned = {**DOCUMENT, "tables": dict.fromkeys(reversed(DETECTIONS), TABLE)}
    assert loaded(turned).to_bytes() == loaded(DOCUMENT).to_bytes()


def test_a_manifest_says_whether_it_is_the_one_that_was_sealed():
    assert loaded(DOCUMENT).is_sealed
    assert not loaded(DOCUMENT | {"late": 3}).is_sealed


@given(st.sampled_from(PLACES), ODD)
def test_any_value_anywhere_is_taken_or_refused(path, value):
    try:
        manifest = loaded(replaced(DOCUMENT, path, value))
    except ContractError:
        return
    assert load_detection(manifest.to_bytes()) == manifest
    is_same = manifest.document() == DOCUMENT
    assert manifest.is_sealed == is_same


@given(st.binary(max_size=60), st.integers(0, 2_000))
def test_any_bytes_anywhere_are_taken_or_refused(junk, at):
    whole = canonical_json(DOCUMENT)
    for data in (junk, whole[:at] + junk, whole[:at] + junk + whole[at + len(junk) :]):
        with suppress(ContractError):
            assert load_detection(data).to_bytes()


def test_a_manifest_that_is_too_long_is_refused_unread():
    with pytest.raises(ContractError, match="DOCUMENT_TOO_LARGE"):
        load_detection(b" " * (MAX_BYTES + 1))
