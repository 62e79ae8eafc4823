"""Explanations: an alert comes out as a document that holds, and contradictions are refused."""

import json
import math

import pytest

from contracts.errors import ContractError
from contracts.flow_features import AXES
from contracts.flow_projection import load_alert
from contracts.smart_flow import HYPOTHESES
from islandflow_resources.flow_explain import explain, leading, prints_of
from tests.islandflow_resources import flow_detections as made

ALERT = made.alert()["alert_id"]


def explained(name=ALERT, tables=None, policy=None, contributions=made.contributions):
    return explain(
        tables or made.detection(),
        name,
        policy or made.policy(),
        contributions=contributions,
    )


def test_an_alert_is_explained_as_a_document_that_reads_back():
    alert = explained().alert
    assert load_alert(json.dumps(alert.document())) == alert
    assert (alert.symbol, alert.direction, alert.band) == ("SPY", "bullish", "high")
    assert alert.profile == "institutional_directional"
    assert alert.evidence_refs == (
        "flowpacket:SPY:101",
        "flowpacket:SPY:103",
        *(f"option_prints:{seq}" for seq in (101, 102, 103, 104)),
    )


def test_the_score_is_taken_apart_by_axis():
    score = explained().projection.hypothesis.score
    assert score.hypothesis_type == "directional_accumulation"
    assert score.z == pytest.approx(-2.0 + 3.5 + 2.25 - 0.5)
    assert score.intercept == -2.0
    told = {axis: value for axis, value in score.contributions.items() if value}
    assert told == {"aggression": 3.5, "size": 2.25, "event": -0.5}
    assert set(score.contributions) == set(AXES)
    assert [(one.axis, one.score) for one in score.penalties] == [("event", 0.5)]
    assert score.policy_digest == made.policy().policy_digest
    assert score.confidence.conviction == pytest.approx(1 / (1 + math.exp(-3.25)))


def test_alternatives_are_the_next_three_with_what_the_first_has_over_them():
    alternatives = explained().projection.hypothesis.alternatives
    assert [(one.hypothesis_type, one.z, one.behind) for one in alternatives] == [
        ("retail_attention_flow", -0.5, 3.75),
        ("hedge_rebalance", -1.25, 4.5),
        ("event_positioning", -5.0, 8.25),
    ]
    assert alternatives[0].reasons == ("size +3.75", "aggression +1.50")
    assert {one.direction for one in alternatives} == {"unknown"}


def test_what_has_no_direction_by_its_nature_is_neutral_as_an_alternative():
    near = {**made.PARTS, "volatility_supply": {"intercept": 2.0}}

    def parts(_row, _policy):
        flat = dict.fromkeys(AXES, 0.0)
        return {name: {**flat, **given} for name, given in near.items()}

    tables = made.detection([made.sweep_cluster(z_volatility_supply=2.0)])
    first = explained(tables=tables, contributions=parts).projection.hypothesis.alternatives[0]
    assert (first.hypothesis_type, first.direction) == ("volatility_supply", "neutral")


def test_what_nothing_was_said_of_is_explained_by_what_came_closest():
    silent = explained("cluster:QQQ:205")
    event = silent.projection.hypothesis
    assert silent.alert is None
    assert (event.hypothesis_type, event.direction) == ("unclear", "unknown")
    assert event.score.hypothesis_type == "directional_accumulation"
    assert event.score.confidence.conviction == 0.0
    assert event.abstention.reasons == ("insufficient_evidence", "inside_market_context")
    assert event.abstention.source_reasons == ("insufficient_premium", "inside_market_context")
    assert silent.projection.insight.band == "low"


def test_the_summary_says_what_happened():
    assert explained().projection.insight.summary == (
        "4 prints of SPY260116C00500000 in 0.6 s: 1,000 contracts for 123,000 dollars, "
        "75% at the ask, 0% at the bid"
    )
    straddle = made.sweep_cluster(legs=2, structure_type="straddle")
    summary = explained(tables=made.detection([straddle])).projection.insight.summary
    assert summary.startswith("4 prints of a straddle from SPY260116C00500000")
    assert [prints_of({"prints": count}) for count in (1, 2, 1_234)] == [
        "1 print",
        "2 prints",
        "1,234 prints",
    ]


def test_another_policy_than_that_of_the_alert_is_refused():
    other = made.policy().model_copy(update={"version": "1.1"})
    with pytest.raises(ContractError) as refused:
        explained(policy=other)
    assert refused.value.code == "FLOW_POLICY_DIFFERS"
    assert made.policy().policy_digest in refused.value.message


@pytest.mark.parametrize("name", HYPOTHESES)
def test_a_policy_that_scores_otherwise_is_refused_even_without_an_alert(name):
    tables = made.detection([made.quiet_cluster(**{f"z_{name}": made.Z[f"z_{name}"] + 1e-4})])
    with pytest.raises(ContractError) as refused:
        explained("cluster:QQQ:205", tables)
    assert refused.value.code == "FLOW_POLICY_DIFFERS"
    assert name in refused.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"direction": "bearish"},
        {"confidence": 0.74},
        {"band": "medium"},
        {"profile": "arbitrage"},
        {"hypothesis_type": "hedge_rebalance"},
        {"emitted_ns": made.OPEN_NS},
        {"symbol": "QQQ"},
        {"alert_id": "smartflow:alert:hypothesis:cluster:SPY:102"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_alert_that_says_otherwise_than_its_hypothesis_is_refused(changes):
    tables = made.detection(alerts=[made.alert(**changes)])
    with pytest.raises(ContractError) as refused:
        explained("cluster:SPY:101", tables)
    assert refused.value.code == "SMART_FLOW_ALERT_RULE_BROKEN"
    assert refused.value.loc == f"/{next(iter(changes)).replace('confidence', 'policy_confidence')}"


def test_an_alert_on_what_was_abstained_from_is_refused():
    silent = made.sweep_cluster(
        abstained=True,
        hypothesis_type="unclear",
        direction="unknown",
        confidence=0.0,
        abstention_reasons="conflicting_evidence",
    )
    with pytest.raises(ContractError) as refused:
        explained(tables=made.detection([silent]))
    assert refused.value.loc == "/projection/hypothesis/abstention"


def test_what_was_said_leads_and_otherwise_the_highest_score():
    said = made.sweep_cluster(hypothesis_type="hedge_rebalance")
    assert leading(said) == "hedge_rebalance"
    assert leading({**said, "abstained": True}) == "directional_accumulation"
