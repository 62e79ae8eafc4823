"""Manifests of tapes: sealed, byte-stable, and whatever else is refused."""

import json

import pytest
from hypothesis import HealthCheck, given, settings

from contracts.canonical import canonical_json
from contracts.digest import document_digest
from contracts.errors import ContractError
from contracts.tape import ORDER_BY
from contracts.tape_manifest import (
    LABEL_FILES,
    TAPE_FILES,
    load_manifest,
    load_snapshot,
    sealed_manifest,
    tape_digest,
)
from tests.contracts.fixture_files import FOLDER, document
from tests.properties import documents

PATHS = sorted((FOLDER / "tape_manifests").iterdir())
FUZZ = settings(
    derandomize=True,
    database=None,
    max_examples=250,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SPEC = document(FOLDER / "tape_specs" / "tape_spec_one_symbol.json")
SNAPSHOT = {
    "snapshot_version": "market-tape-parameters-v1",
    "generator": {"name": "islandflow-market-tape", "version": "1"},
    "seed_bundle": {"seed": "7", "namespace": "default", "partition": "market"},
    "spec": SPEC,
}


def attempt(load, data):
    """What a document is read as, and the problems that it is refused for."""
    try:
        return load(data), ()
    except ContractError as error:
        return None, error.problems


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_manifest_is_sealed_and_written_canonically(path):
    manifest = load_manifest(path.read_bytes())
    assert manifest.is_sealed
    assert manifest.to_bytes() == canonical_json(json.loads(path.read_bytes())) + b"\n"
    assert manifest.replay_plan.order_by == ORDER_BY
    body = {key: value for key, value in document(path).items() if key != "manifest_hash"}
    assert sealed_manifest(body) == manifest
    assert manifest.manifest_hash == document_digest(body)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_any_other_field_breaks_the_seal(path):
    changed = document(path)
    changed["run"]["run_name"] = "another"
    assert not load_manifest(json.dumps(changed)).is_sealed


def test_a_manifest_lists_every_file_of_the_layout():
    manifest = load_manifest(PATHS[0].read_bytes())
    named = manifest.tape_id
    assert [one.path for one in manifest.artifacts] == [f"tapes/{named}/{n}" for n in TAPE_FILES]
    found = [one.path for one in manifest.expected_output_contract.artifacts]
    assert found == [f"labels/{named}/{name}" for name in LABEL_FILES]


def test_a_manifest_longer_than_a_document_of_a_person_is_read():
    manifest = document(PATHS[-1])
    group = {"rows": 0, "digest": "blake3:" + "0" * 64}
    count = 4_000
    manifest["event_hashes"]["row_group_starts_ns"] = [str(ns) for ns in range(count)]
    for name in ("equity_quotes", "equity_prints", "option_nbbo", "option_prints"):
        hashes = manifest["event_hashes"][name]
        hashes |= {"row_groups": [group] * count, "rows": 0}
        manifest["run"]["counts"][name] = manifest["replay_plan"]["counts"][name] = 0
    manifest["run"]["first_ts_ns"] = None
    manifest["replay_plan"] |= {"event_count": 0, "first_ts_ns": None, "last_ts_ns": None}
    data = json.dumps(manifest)
    assert len(data) > 1_000_000
    assert len(load_manifest(data).event_hashes.row_group_starts_ns) == count


def test_the_digest_of_a_tape_is_over_every_table():
    one = {"a": "blake3:" + "0" * 64, "b": "blake3:" + "1" * 64}
    assert tape_digest(one) != tape_digest({**one, "b": one["a"]})
    assert tape_digest(one).startswith("sha256:")


def test_a_snapshot_names_the_recipe_of_its_tape():
    snapshot = load_snapshot(json.dumps(SNAPSHOT))
    assert snapshot.snapshot_hash == document_digest(SNAPSHOT)
    other = load_snapshot(
        json.dumps(SNAPSHOT | {"generator": SNAPSHOT["generator"] | {"version": "2"}})
    )
    assert other.recipe_digest != snapshot.recipe_digest


@FUZZ
@given(documents.inputs([document(path) for path in PATHS]))
def test_whatever_is_written_is_a_manifest_or_refused(data):
    manifest, refusal = attempt(load_manifest, data)
    assert (manifest is None) == bool(refusal)
    assert all(problem.hints for problem in refusal)
    if manifest is not None:
        assert load_manifest(json.dumps(manifest.document())) == manifest
        assert manifest.is_sealed in (True, False)


@FUZZ
@given(documents.inputs([SNAPSHOT]))
def test_whatever_is_written_is_a_snapshot_or_refused(data):
    snapshot, refusal = attempt(load_snapshot, data)
    assert (snapshot is None) == bool(refusal)
    assert all(problem.hints for problem in refusal)
    assert snapshot is None or snapshot.recipe_digest.startswith("sha256:")
