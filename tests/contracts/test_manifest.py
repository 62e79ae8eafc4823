"""Manifests: byte-stable, and read back to the same bytes whatever the spec holds."""

import json

import pytest

from contracts.canonical import canonical_json
from contracts.document import load
from contracts.manifest import MANIFEST
from contracts.scenario import scenario_from
from tests.contracts.fixture_files import document, valid_files

(FILE,) = valid_files("manifest")


def read(data):
    return load(MANIFEST, data, "manifest")


def test_a_manifest_is_canonical_json_and_a_line_feed():
    manifest = read(FILE.read_bytes())
    assert manifest.to_bytes() == canonical_json(document(FILE)) + b"\n"


def test_a_manifest_reads_back_to_the_same_bytes():
    data = read(FILE.read_bytes()).to_bytes()
    assert read(data).to_bytes() == data


def test_the_order_of_keys_changes_no_byte():
    turned = dict(reversed(document(FILE).items()))
    turned["columns"] = dict(reversed(turned["columns"].items()))
    assert read(json.dumps(turned)).to_bytes() == read(FILE.read_bytes()).to_bytes()


@pytest.mark.parametrize("number", [1e15, 2.0**53, 1e18, 1e20, 1e21, 1e308, 5e-324, 0.1])
def test_a_spec_with_any_number_survives_in_a_manifest(number):
    trend = {**document(FILE)["spec"], "family": "trend"}
    spec = scenario_from({**trend, "params": {"drift": number, "sigma": 1}})
    data = read(json.dumps({**document(FILE), "spec": spec.document()})).to_bytes()
    again = read(data)
    assert again.to_bytes() == data
    assert scenario_from(again.spec).scenario_hash == spec.scenario_hash


@pytest.mark.parametrize("seed", [2**53, 2**63 - 1])
def test_a_large_seed_is_text_in_a_manifest(seed):
    data = read(json.dumps({**document(FILE), "seed": seed})).to_bytes()
    assert json.loads(data)["seed"] == str(seed)
    assert read(data).seed == seed


def test_the_manifest_of_the_fixture_describes_the_fixture():
    manifest = read(FILE.read_bytes())
    spec = scenario_from(manifest.spec)
    assert (manifest.scenario_hash, manifest.partition_key, manifest.scenario_id) == (
        spec.scenario_hash,
        spec.partition_key,
        spec.id,
    )
