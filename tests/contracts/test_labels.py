"""Labels and expected outputs: written and read back, hashed, and refused by pointer."""

import json

import pytest
from hypothesis import HealthCheck, given, settings

from contracts.digest import document_digest
from contracts.errors import IslandflowError
from contracts.labels import load_expected_outputs, load_labels, no_labels
from tests.contracts.fixture_files import FOLDER
from tests.properties import documents


def attempt(load, data):
    """What a document is read as, and the problems that it is refused for."""
    try:
        return load(data), ()
    except IslandflowError as error:
        return None, error.problems


ONE = (FOLDER / "ground_truth_labels" / "labels_one.json").read_text("utf-8")
OUTPUTS = (FOLDER / "expected_outputs" / "expected_outputs_one.json").read_text("utf-8")


def test_a_hash_is_that_of_the_canonical_document():
    labels = load_labels(ONE)
    assert labels.labels_hash == document_digest(json.loads(ONE))
    outputs = load_expected_outputs(OUTPUTS)
    assert outputs.outputs_hash == document_digest(json.loads(OUTPUTS))
    assert outputs.source_labels_hash == labels.labels_hash


def test_a_tape_without_a_catalogue_has_no_labels():
    labels, outputs = no_labels("run-1", "0" * 16)
    assert (labels.labels, outputs.outputs) == ((), ())
    assert outputs.source_labels_hash == labels.labels_hash
    assert load_labels(json.dumps(labels.document())) == labels


@pytest.mark.parametrize("value", [True, "text", None, 3])
def test_any_plain_value_may_be_equalled_or_present(value):
    document = json.loads(ONE)
    requirement = document["labels"][0]["required_evidence"][0]
    requirement |= {"operator": "present", "value": value}
    found = load_labels(json.dumps(document)).labels[0].required_evidence[0].value
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


@settings(
    derandomize=True,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(documents.inputs([json.loads(ONE), json.loads(OUTPUTS)]))
def test_whatever_is_written_is_read_or_refused(data):
    for load in (load_labels, load_expected_outputs):
        read, refusal = attempt(load, data)
        assert (read is None) == bool(refusal)
        assert all(problem.hints for problem in refusal)
        assert read is None or load(json.dumps(read.document())) == read
