"""A detection held against what its tape was made to show: what differs is told, and only that."""

import pytest

from contracts.errors import ContractError
from contracts.labels import (
    EventRef,
    ExpectedOutputs,
    ExpectedPipelineEvent,
    GroundTruthLabels,
    Requirement,
)
from contracts.tape_expectations import ground_truth
from islandflow_resources.flow_expectations import judge_expectations
from tests.islandflow_resources import flow_detections as made

LOUD, SILENT = "institutional-directional-flow", "no-alert-wide-quote-chop"
SWEEP_ALERT = made.alert()["alert_id"]


def ref(seq, role="anchor", stream="option_prints") -> EventRef:
    return EventRef(
        role=role,
        event_kind=stream,
        event_id=f"{stream}:{seq}",
        source_ts_ns=made.OPEN_NS,
        seq=seq,
        description="",
    )


def documents(refs, **changes) -> tuple[GroundTruthLabels, ExpectedOutputs]:
    """Labels and outputs of scenarios; `changes` are made to every output."""
    labels, outputs = ground_truth("run-1", "0123456789abcdef", refs)
    changed = tuple(one.model_copy(update=changes) for one in outputs.outputs)
    return labels, outputs.model_copy(update={"outputs": changed})


EASY = {"required_evidence": (), "forbidden_evidence": ()}
"""What a catalogue asks of its own market is left out."""


def judged(refs, tables=None, **changes):
    """The one expected output of a scenario, judged."""
    (one,) = judge(documents(refs, **changes), tables)
    return one


def judge(labelled, tables=None):
    """Labels and outputs, held against a detection."""
    labels, outputs = labelled
    return judge_expectations(outputs, labels, tables or made.detection())


def kinds(one):
    return [(each.kind, each.subject, each.wanted, each.found) for each in one.mismatches]


SWEEP = {LOUD: [ref(seq) for seq in (101, 102, 103, 104)]}
QUIET = {SILENT: [ref(205), ref(206, "supporting")]}


def test_a_detection_that_is_as_expected_has_no_mismatch():
    one = judged(SWEEP, **EASY)
    assert one.mismatches == ()
    assert (one.cluster_id, one.alert_ids) == ("cluster:SPY:101", (SWEEP_ALERT,))
    assert (one.scenario_id, one.penalty) == (LOUD, 0.0)


def test_the_evidence_of_the_catalogue_is_asked_of_the_features():
    # The sweep is as its scenario wants it, but for one old quote in four.
    assert kinds(judged(SWEEP)) == [
        (
            "missing_required_evidence",
            "quote_quality_nbbo_coverage_ratio_mean",
            "nbbo_coverage_ratio_mean gte 0.8",
            "0.75",
        )
    ]


def test_silence_is_as_expected_where_silence_is_wanted():
    wanted = ("insufficient_evidence", "inside_market_context")
    tables = made.detection([made.sweep_cluster(), made.quiet_cluster()])
    one = judged(QUIET, tables, abstention_reasons=wanted)
    assert one.mismatches == ()
    assert (one.cluster_id, one.alert_ids) == ("cluster:QQQ:205", ())


def test_an_alert_that_does_not_come_is_missed_with_what_was_said_instead():
    told = kinds(judged({LOUD: [ref(205), ref(206)]}, **EASY))
    assert told == [
        (
            "missing_expected_alert",
            "",
            "directional_accumulation",
            "insufficient_evidence inside_market_context",
        ),
        ("unexpected_class", "", "directional_accumulation", "unclear"),
        ("unexpected_direction", "", "bullish", "unknown"),
        ("confidence_out_of_range", "confidence_range", "0.72 to 0.92", "0"),
        ("pipeline_event_presence_mismatch", "flow_hypothesis_event", "present", "0"),
        (
            "missing_abstention_reason",
            "not_abstained",
            "not_abstained",
            "insufficient_evidence inside_market_context",
        ),
    ]


def test_an_alert_where_none_should_be_is_a_false_positive_and_costs_its_penalty():
    one = judged({SILENT: [ref(101)]}, **EASY)
    told = kinds(one)
    assert told[0] == ("false_positive", SWEEP_ALERT, "no_alert", "directional_accumulation")
    assert one.penalty == 0.9
    assert ("pipeline_event_presence_mismatch", "smart_flow_insight", "absent", "1") in told
    assert ("pipeline_event_presence_mismatch", "flow_hypothesis_event", "absent", "1") in told


@pytest.mark.parametrize("expectation", ["no_alert", "abstain", "suppress"])
def test_whatever_is_not_an_alert_forbids_one(expectation):
    one = judged(SWEEP, **EASY, alert_expectation=expectation)
    assert kinds(one) == [("false_positive", SWEEP_ALERT, expectation, "directional_accumulation")]


@pytest.mark.parametrize(
    ("changes", "kind", "wanted", "found"),
    [
        (
            {"hypothesis_type": "hedge_rebalance"},
            "unexpected_class",
            "directional_accumulation",
            "hedge_rebalance",
        ),
        ({"direction": "bearish"}, "unexpected_direction", "bullish", "bearish"),
        ({"confidence": 0.93}, "confidence_out_of_range", "0.72 to 0.92", "0.93"),
    ],
)
def test_what_is_said_otherwise_than_expected_is_told(changes, kind, wanted, found):
    tables = made.detection([made.sweep_cluster(**changes)])
    (told,) = judged(SWEEP, tables, **EASY).mismatches
    assert (told.kind, told.wanted, told.found) == (kind, wanted, found)


def test_the_ends_of_the_range_of_confidence_belong_to_it():
    for confidence in (0.72, 0.92):
        tables = made.detection([made.sweep_cluster(confidence=confidence)])
        assert judged(SWEEP, tables, **EASY).mismatches == ()


def needs(**changes) -> Requirement:
    told = {
        "requirement_id": "calls",
        "fact_kind": "structure_shape",
        "feature_key": "option_type",
        "operator": "eq",
        "value": "call",
        "rationale": "",
    }
    return Requirement.model_validate({**told, **changes})


def test_forbidden_evidence_is_told_where_it_is_there():
    one = judged(SWEEP, required_evidence=(), forbidden_evidence=(needs(), needs(value="put")))
    assert kinds(one) == [
        ("forbidden_evidence_present", "calls", "not option_type eq call", "call")
    ]


def test_a_key_that_no_feature_has_is_absent_and_no_fact_of_its_kind_stands_in():
    asked = needs(feature_key="shape", operator="present", value=None)
    one = judged(SWEEP, required_evidence=(asked,), forbidden_evidence=(asked,))
    assert kinds(one) == [("missing_required_evidence", "calls", "shape present", "nothing")]


def stage(kind, expectation="present", fields=()) -> ExpectedPipelineEvent:
    return ExpectedPipelineEvent(
        event_kind=kind, expectation=expectation, required_fields=fields, notes=""
    )


STAGES = (
    "flow_evidence_candidate",
    "flow_evidence_cluster",
    "flow_hypothesis_event",
    "smart_flow_insight",
)


@pytest.mark.parametrize(
    ("refs", "reached"), [(SWEEP, 4), ({LOUD: [ref(205)]}, 2), ({LOUD: [ref(207)]}, 0)]
)
def test_a_stage_is_there_as_far_as_the_prints_came(refs, reached):
    expected = tuple(stage(kind) for kind in STAGES)
    told = judged(refs, **EASY, expected_pipeline_events=expected).mismatches
    missed = [one.subject for one in told if one.kind == "pipeline_event_presence_mismatch"]
    assert missed == list(STAGES[reached:])
    expected = tuple(stage(kind, "absent") for kind in STAGES)
    told = judged(refs, **EASY, expected_pipeline_events=expected).mismatches
    there = [one.subject for one in told if one.kind == "pipeline_event_presence_mismatch"]
    assert there == list(STAGES[:reached])


def test_a_stage_must_say_the_fields_that_are_asked_of_it():
    def told(*fields):
        wanted = (stage("flow_hypothesis_event", fields=fields),)
        return kinds(judged(SWEEP, **EASY, expected_pipeline_events=wanted))

    assert told("hypothesis_type", "confidence") == []
    assert told("hypothesis_type", "mood") == [
        (
            "pipeline_event_presence_mismatch",
            "flow_hypothesis_event",
            "present with hypothesis_type, mood",
            "1",
        )
    ]


def test_every_reason_to_abstain_that_is_not_given_is_told():
    wanted = ("inside_market_context", "stale_quote_context", "below_policy_threshold")
    one = judged(QUIET, **EASY, abstention_reasons=wanted)
    missed = [each.subject for each in one.mismatches if each.kind == "missing_abstention_reason"]
    assert missed == ["stale_quote_context", "below_policy_threshold"]


@pytest.mark.parametrize("reasons", ["", "not_abstained", "conflicting_evidence"])
def test_what_was_not_abstained_from_says_so_however_it_is_written(reasons):
    tables = made.detection([made.sweep_cluster(abstention_reasons=reasons)])
    assert judged(SWEEP, tables, **EASY).mismatches == ()


@pytest.mark.parametrize(
    "refs",
    [
        [],
        [ref(999)],
        [ref(207)],
        [ref(101, "context")],
        [ref(101, stream="equity_prints")],
    ],
)
def test_prints_that_came_into_no_cluster_are_nothing_said(refs):
    one = judged({SILENT: refs}, **EASY, abstention_reasons=(), expected_pipeline_events=())
    assert (one.cluster_id, one.alert_ids, one.mismatches) == (None, (), ())
    missed = judged({LOUD: refs}, **EASY)
    assert missed.mismatches[0][:1] == ("missing_expected_alert",)
    assert missed.mismatches[0].found == "nothing"


def split(first_alert, second_alert):
    """The sweep as two clusters, its last print apart."""
    prints = made.sweep_prints()
    prints[3] |= {"cluster_seq": 104, "packet_seq": 104}
    packets = made.packets()
    packets[1] |= {"prints": 1, "stale_prints": 0}
    packets.append({**packets[1], "packet_seq": 104, "cluster_seq": 104})
    second = made.sweep_cluster(cluster_seq=104, hypothesis_type=second_alert or "unclear")
    if not second_alert:
        second |= {"abstained": True, "direction": "unknown", "confidence": 0.0}
    first = made.sweep_cluster(hypothesis_type=first_alert or "unclear")
    alerts = [made.alert(hypothesis_type=first_alert)] if first_alert else []
    if second_alert:
        name = "smartflow:alert:hypothesis:cluster:SPY:104"
        alerts.append(made.alert(alert_id=name, cluster_seq=104, hypothesis_type=second_alert))
    return made.detection([first, second], alerts, prints, packets)


DIRECTIONAL = "directional_accumulation"


def test_the_alert_is_judged_even_if_most_prints_are_elsewhere():
    one = judged(SWEEP, split(None, DIRECTIONAL), **EASY)
    assert one.cluster_id == "cluster:SPY:104"
    assert one.mismatches == ()


def test_of_two_alerts_the_one_with_most_prints_is_judged():
    one = judged(SWEEP, split(DIRECTIONAL, DIRECTIONAL), **EASY)
    assert one.cluster_id == "cluster:SPY:101"
    assert one.alert_ids == (SWEEP_ALERT, "smartflow:alert:hypothesis:cluster:SPY:104")
    assert one.mismatches == ()


def test_another_alert_of_another_class_on_the_same_prints_is_a_false_positive():
    one = judged(SWEEP, split(DIRECTIONAL, "hedge_rebalance"), **EASY)
    assert kinds(one) == [
        (
            "false_positive",
            "smartflow:alert:hypothesis:cluster:SPY:104",
            DIRECTIONAL,
            "hedge_rebalance",
        )
    ]
    assert one.penalty == 0.15


def test_alerts_that_no_output_speaks_of_are_listed_and_no_mismatch():
    labels, outputs = documents(QUIET, **EASY, abstention_reasons=())
    judgement = judge((labels, outputs))
    assert judgement.other_alerts == (SWEEP_ALERT,)
    assert judgement.is_as_expected
    both = judge(documents({**SWEEP, **QUIET}))
    assert both.other_alerts == ()
    assert not both.is_as_expected


def test_a_judgement_can_be_written():
    document = judged(SWEEP).document
    assert document["cluster_id"] == "cluster:SPY:101"
    assert document["alert_ids"] == [SWEEP_ALERT]
    assert document["expected_output_id"] == "expected:run-1:institutional-directional-flow"
    assert [set(one) for one in document["mismatches"]] == [{"kind", "subject", "wanted", "found"}]


def test_a_mismatch_is_told_in_a_sentence():
    missed, *_ = judged({LOUD: [ref(205)]}, **EASY).mismatches
    assert str(missed) == (
        "missing_expected_alert: wanted directional_accumulation, "
        "found insufficient_evidence inside_market_context"
    )
    (thin,) = judged(SWEEP).mismatches
    assert str(thin) == (
        "missing_required_evidence of quote_quality_nbbo_coverage_ratio_mean: "
        "wanted nbbo_coverage_ratio_mean gte 0.8, found 0.75"
    )


def test_outputs_of_other_labels_are_refused():
    labels, outputs = documents(SWEEP)
    for wrong in (
        outputs.model_copy(update={"source_labels_hash": "sha256:" + "0" * 64}),
        documents(QUIET)[1].model_copy(update={"source_labels_hash": labels.labels_hash}),
    ):
        with pytest.raises(ContractError) as refused:
            judge((labels, wrong))
        assert refused.value.code == "FLOW_LABELS_DIFFER"


def test_a_tape_without_labels_has_nothing_to_judge():
    judgement = judge(documents({}))
    assert judgement.outputs == ()
    assert judgement.other_alerts == (SWEEP_ALERT,)
