"""Labels and expected outputs of scenarios: what the predecessor's tables say, as documents."""

import pytest

from contracts.canonical import canonical_json
from contracts.labels import EventRef, load_expected_outputs, load_labels, no_labels
from contracts.tape_catalogue import SCENARIO_IDS
from contracts.tape_expectations import EXPECTATIONS, ground_truth

RUN, TAPE = "run-1", "0123456789abcdef"
TABLE = {
    "institutional-directional-flow": ("alert", "bullish", "high", 0.72, 0.92, 0.15, "low"),
    "retail-attention-call-chase": ("alert", "bullish", "medium", 0.52, 0.76, 0.35, "medium"),
    "event-noise-positioning": ("alert", "mixed", "medium", 0.48, 0.72, 0.45, "medium"),
    "volatility-seller-supply": ("alert", "neutral", "medium", 0.5, 0.74, 0.4, "medium"),
    "hedge-reactive-put-flow": ("alert", "bearish", "medium", 0.5, 0.78, 0.35, "medium"),
    "structure-arbitrage-calm": ("alert", "neutral", "medium", 0.5, 0.76, 0.3, "medium"),
    "no-alert-wide-quote-chop": ("no_alert", "unknown", "low", 0.0, 0.35, 0.9, "high"),
}
"""Expectation, direction, band, range, penalty: the predecessor's table, typed again."""


def ref(seq: int) -> EventRef:
    return EventRef.model_validate(
        {
            "role": "anchor",
            "event_kind": "option_prints",
            "event_id": f"option_prints:{seq}",
            "source_ts_ns": 5,
            "seq": seq,
            "description": "",
        }
    )


@pytest.fixture(scope="module")
def documents():
    return ground_truth(RUN, TAPE, {name: [ref(7)] for name in SCENARIO_IDS})


def test_every_scenario_says_what_the_table_says(documents):
    labels, outputs = documents
    assert tuple(one.scenario_id for one in labels.labels) == SCENARIO_IDS
    for label, output in zip(labels.labels, outputs.outputs, strict=True):
        alert, direction, band, low, high, score, severity = TABLE[label.scenario_id]
        assert output.alert_expectation == alert
        assert {label.expected_direction, output.expected_direction} == {direction}
        assert {label.confidence_band, output.confidence_band} == {band}
        assert (output.confidence_range.low, output.confidence_range.high) == (low, high)
        penalty = label.false_positive_penalty
        assert (penalty.score, penalty.severity) == (score, severity)
        assert output.false_positive_penalty == penalty
        assert label.expected_class == output.expected_class
        assert label.required_evidence == output.required_evidence
        assert label.forbidden_evidence == output.forbidden_evidence


def test_ids_are_made_of_run_and_scenario_and_outputs_name_their_labels(documents):
    labels, outputs = documents
    for label, output in zip(labels.labels, outputs.outputs, strict=True):
        assert label.label_id == f"label:{RUN}:{label.scenario_id}" == output.label_id
        assert output.expected_output_id == f"expected:{RUN}:{label.scenario_id}"
    assert outputs.source_labels_hash == labels.labels_hash


def test_stages_speak_of_what_deserves_it(documents):
    for output in documents[1].outputs:
        stages = {one.event_kind: one.expectation for one in output.expected_pipeline_events}
        assert stages["flow_evidence_candidate"] == "present"
        wanted = "present" if output.alert_expectation == "alert" else "absent"
        assert stages["flow_hypothesis_event"] == wanted
        abstained = output.abstention_reasons != ("not_abstained",)
        assert abstained == (output.alert_expectation == "no_alert")


def test_ids_of_requirements_are_unique_within_a_label(documents):
    for label in documents[0].labels:
        ids = [one.requirement_id for one in (*label.required_evidence, *label.forbidden_evidence)]
        assert len(ids) == len(set(ids)) >= 4


def test_the_documents_read_back(documents):
    labels, outputs = documents
    assert load_labels(canonical_json(labels.document())) == labels
    assert load_expected_outputs(canonical_json(outputs.document())) == outputs


def test_without_scenarios_they_are_the_empty_ones():
    assert ground_truth(RUN, TAPE, {}) == no_labels(RUN, TAPE)


def test_every_expectation_has_a_note_and_every_fact_a_rationale():
    for one in EXPECTATIONS.values():
        assert one.note
        assert all(fact.rationale for fact in (*one.required, *one.forbidden))
