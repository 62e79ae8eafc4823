"""Scores of hypotheses: contributions add up, penalties are the negative ones, reasons given."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.flow_features import AXES
from contracts.flow_scores import Abstention, HypothesisScore

CONFIDENCE = {
    "policy_confidence": 0.6,
    "evidence_quality": 0.9,
    "hypothesis_margin": 2.0,
    "conviction": 0.7,
    "calibration_version": None,
}


def written(contributions, intercept=-1.0, **changes):
    """A score that adds up, unless something else is said."""
    document = {
        "contract_version": "smart-flow.contracts.v1",
        "policy_version": "smart-flow.hypothesis-score.policy.v1",
        "model_version": "smart-flow.hypothesis-score.rules.v2",
        "policy_digest": "sha256:" + "0" * 64,
        "hypothesis_type": "hedge_rebalance",
        "z": intercept + sum(contributions.values()),
        "intercept": intercept,
        "contributions": contributions,
        "penalties": [
            {"penalty_id": f"penalty:{axis}", "axis": axis, "score": -value, "reason": "against"}
            for axis, value in contributions.items()
            if value < 0
        ],
        "confidence": CONFIDENCE,
    }
    return {**document, **changes}


FLAT = dict.fromkeys(AXES, 0.25)


@given(st.lists(st.floats(-50, 50), min_size=len(AXES), max_size=len(AXES)), st.floats(-9, 9))
def test_what_adds_up_is_a_score_whatever_it_is_made_of(values, intercept):
    document = written(dict(zip(AXES, values, strict=True)), intercept)
    score = HypothesisScore.model_validate(document)
    assert sum(one.score for one in score.penalties) == pytest.approx(
        -sum(value for value in values if value < 0)
    )


@given(st.sampled_from(AXES), st.floats(1e-3, 10))
def test_a_contribution_that_is_not_what_it_was_is_noticed(axis, more):
    document = written(FLAT)
    changed = copy.deepcopy(document)
    changed["contributions"][axis] += more
    with pytest.raises(ValidationError, match="add up"):
        HypothesisScore.model_validate(changed)


@pytest.mark.parametrize(
    "penalties",
    [
        [],
        [("pace", 0.5), ("pace", 0.5)],
        [("pace", 0.4)],
        [("pace", 0.5), ("tenor", 0.25)],
    ],
)
def test_penalties_are_the_negative_contributions_and_no_others(penalties):
    listed = [
        {"penalty_id": f"penalty:{axis}", "axis": axis, "score": score, "reason": "against"}
        for axis, score in penalties
    ]
    with pytest.raises(ValidationError, match="penalties"):
        HypothesisScore.model_validate(written({**FLAT, "pace": -0.5}, penalties=listed))


def test_unclear_is_no_hypothesis_that_is_scored():
    with pytest.raises(ValidationError, match="unclear has no score"):
        HypothesisScore.model_validate(written(FLAT, hypothesis_type="unclear"))


@pytest.mark.parametrize(
    ("abstained", "reasons", "valid"),
    [
        (False, ["not_abstained"], True),
        (True, ["insufficient_evidence", "stale_quote_context"], True),
        (True, ["not_abstained"], False),
        (True, ["insufficient_evidence", "not_abstained"], False),
        (False, ["insufficient_evidence"], False),
        (False, ["not_abstained", "other"], False),
        (True, [], False),
    ],
)
def test_there_are_reasons_to_abstain_exactly_where_it_is_abstained(abstained, reasons, valid):
    document = {"abstained": abstained, "reasons": reasons, "source_reasons": []}
    try:
        Abstention.model_validate(document)
    except ValidationError:
        assert not valid
    else:
        assert valid
