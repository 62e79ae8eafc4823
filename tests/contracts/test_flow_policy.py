"""Scoring policies: what is refused and where, the seeds that judge nothing, the digest.

Single broken documents are in contracts/fixtures/invalid/scoring_policies.
"""

import copy
import json

import pytest

from contracts.errors import ContractError
from contracts.flow_features import FEATURE_NAMES
from contracts.flow_policy import load_policy
from contracts.smart_flow import HYPOTHESES

FIRST = HYPOTHESES[0]


def given_policy(**changes):
    """A document with a weight for every feature of every hypothesis."""
    pattern = {
        "intercept": -2.0,
        "weights": {name: place / 100 for place, name in enumerate(FEATURE_NAMES)},
    }
    hypothesis = {
        "patterns": {"plain": pattern},
        "alert_z": 0.5,
        "high_z": 2.0,
        "ceiling": 0.9,
    }
    document = {
        "id": "for-tests",
        "version": "1.0",
        "policy_version": "smart-flow.hypothesis-score.policy.v1",
        "model_version": "smart-flow.hypothesis-score.rules.v2",
        "grouping": {
            "min_print_usd": 1000.0,
            "leg_gap_ms": 5.0,
            "packet_ms": 500.0,
            "quiet_s": 10.0,
            "longest_s": 180.0,
            "stale_ms": 1000.0,
        },
        "rules": {
            "min_premium_usd": 10_000.0,
            "min_orders": 2,
            "min_coverage": 0.35,
            "max_stale": 0.5,
            "wide_spread_bps": 800.0,
            "wide_underlying_bps": 150.0,
            "min_margin": 0.5,
        },
        "hypotheses": {name: copy.deepcopy(hypothesis) for name in HYPOTHESES},
        "tuning": {"seeds": [7, 11], "markets": ["five-quiet"]},
    }
    return {**document, **changes}


def problem_of(document):
    """The one problem that a document is refused for."""
    with pytest.raises(ContractError) as refused:
        load_policy(json.dumps(document))
    (problem,) = refused.value.problems
    return problem


def test_a_whole_document_is_a_policy():
    policy = load_policy(json.dumps(given_policy()))
    assert policy.hypotheses[FIRST].patterns["plain"].weights[FEATURE_NAMES[3]] == 0.03
    assert policy.tuning.seeds == (7, 11)
    assert load_policy(policy.model_dump_json()) == policy


def test_a_missing_feature_is_refused_by_name():
    document = given_policy()
    del document["hypotheses"][FIRST]["patterns"]["plain"]["weights"]["dominance"]
    problem = problem_of(document)
    assert "there is no weight for dominance" in problem.message
    assert problem.loc == f"/hypotheses/{FIRST}/patterns/plain/weights"


def test_an_unknown_feature_is_refused_where_it_stands():
    document = given_policy()
    document["hypotheses"][FIRST]["patterns"]["plain"]["weights"]["burst_id"] = 1.0
    problem = problem_of(document)
    assert "'burst_id' is no feature" in problem.message
    assert problem.loc == f"/hypotheses/{FIRST}/patterns/plain/weights/burst_id"


@pytest.mark.parametrize("name", HYPOTHESES)
def test_a_missing_hypothesis_is_refused_by_name(name):
    document = given_policy()
    del document["hypotheses"][name]
    problem = problem_of(document)
    assert f"{name} has no score" in problem.message
    assert problem.loc == "/hypotheses"


def test_a_score_of_unclear_or_anything_else_is_refused():
    document = given_policy()
    document["hypotheses"]["unclear"] = document["hypotheses"][FIRST]
    assert "'unclear' is no hypothesis" in problem_of(document).message


@pytest.mark.parametrize("high", [0.5, 0.25])
def test_high_z_not_above_alert_z_is_refused(high):
    document = given_policy()
    document["hypotheses"][FIRST]["high_z"] = high
    problem = problem_of(document)
    assert f"high_z = {high:g} is not above alert_z = 0.5" in problem.message
    assert problem.loc == f"/hypotheses/{FIRST}/high_z"


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("grouping", "leg_gap_ms", -1.0),
        ("grouping", "quiet_s", 0.0),
        ("rules", "min_orders", 0),
        ("rules", "min_orders", 1.5),
        ("rules", "max_stale", 1.1),
        ("rules", "min_margin", True),
    ],
)
def test_a_level_out_of_its_range_is_refused_where_it_stands(part, key, value):
    document = given_policy()
    document[part][key] = value
    assert problem_of(document).loc == f"/{part}/{key}"


def test_a_seed_that_it_was_tuned_on_judges_nothing():
    policy = load_policy(json.dumps(given_policy()))
    with pytest.raises(ContractError) as refused:
        policy.refuse_tuned(11)
    assert refused.value.code == "FLOW_SEED_TUNED"
    assert "for-tests 1.0" in str(refused.value)
    assert policy.refuse_tuned(12) is None


def test_the_digest_is_that_of_what_is_said_and_not_of_how_it_is_written():
    document = given_policy()
    digest = load_policy(json.dumps(document)).policy_digest
    turned = json.dumps(dict(reversed(document.items())), indent=4)
    assert load_policy(turned).policy_digest == digest
    document["hypotheses"][FIRST]["patterns"]["plain"]["weights"]["dominance"] += 0.5
    assert load_policy(json.dumps(document)).policy_digest != digest


def test_the_digest_is_the_same_as_ever():
    found = load_policy(json.dumps(given_policy())).policy_digest
    assert found == "sha256:c33da9b5ce72013eb0b37828930b3963acb083fe4ea7a1989da272a595c76a7f"
