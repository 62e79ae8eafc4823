"""Requirements: each looks at the one feature it names, and absence is not mended."""

import pytest

from contracts.labels import Requirement
from contracts.tape_expectations import EXPECTATIONS
from islandflow_resources.flow_chains import chain_of
from islandflow_resources.flow_requirements import FEATURES, is_met, told, values_of
from tests.islandflow_resources import flow_detections as made

SWEEP = chain_of(made.detection(), "cluster:SPY:101")
QUIET = chain_of(made.detection(), "cluster:QQQ:205")


def requirement(operator, value=None, kind="other", key="confidence_band") -> Requirement:
    return Requirement(
        requirement_id="one",
        fact_kind=kind,
        feature_key=key,
        operator=operator,
        value=value,
        rationale="",
    )


def named(chain):
    """Every feature of a cluster by its key."""
    return {key: read(chain) for (_, key), read in FEATURES.items()}


def test_a_sweep_has_these_features():
    assert named(SWEEP) == {
        "nbbo_aggression_ratio_max": 1.0,
        "execution_iv": 0.25,
        "total_premium": 123_000.0,
        "structure_context": None,
        "option_type": "call",
        "nbbo_coverage_ratio_mean": 0.75,
        "nbbo_stale_ratio_mean": 0.25,
        "option_spread_bps_max": 246.9,
        "candidate_count": 2.0,
        "retail_burst": False,
        "net_directional_bias": 0.75,
        "underlying_move_bps": 4.5,
        "expected_direction": "bullish",
        "days_to_event": None,
        "reason_code": "stale_quote_context",
        "alert_expectation": "alert",
        "confidence_band": "high",
    }


def test_puts_that_nothing_is_said_of_have_these():
    told_of = named(QUIET)
    assert told_of["nbbo_aggression_ratio_max"] == 0.0
    assert (told_of["option_type"], told_of["days_to_event"]) == ("put", 1.5)
    assert (told_of["alert_expectation"], told_of["confidence_band"]) == ("no_alert", "low")
    assert told_of["net_directional_bias"] == 0.0


@pytest.mark.parametrize("side", [1, -1])
def test_a_bias_is_as_great_whichever_way_it_goes(side):
    prints = [{**one, "aggressor": side} for one in made.sweep_prints()]
    chain = chain_of(made.detection(prints=prints), "cluster:SPY:101")
    assert named(chain)["net_directional_bias"] == 1.0


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({"structure_type": "box"}, "structure_context", "complex_or_spread_context"),
        ({"hypothesis_type": "retail_attention_flow"}, "retail_burst", True),
        ({"reason_code": "evidence_context_usable"}, "reason_code", None),
        ({"iv_ppm": 0}, "execution_iv", None),
        ({"confidence": 0.6}, "confidence_band", "medium"),
        ({"days_to_event": 0.0}, "days_to_event", 0.0),
    ],
)
def test_a_feature_follows_its_column(changes, key, value):
    chain = chain_of(made.detection([made.sweep_cluster(**changes)]), "cluster:SPY:101")
    assert named(chain)[key] == value


def test_every_fact_that_a_catalogue_asks_for_is_a_feature_but_the_one_that_never_is():
    asked = {
        (fact.kind, fact.key)
        for one in EXPECTATIONS.values()
        for fact in (*one.required, *one.forbidden)
    }
    assert asked - FEATURES.keys() == {("other", "legacy_certainty_language")}
    assert FEATURES.keys() <= asked


@pytest.mark.parametrize(
    ("operator", "wanted", "values", "met"),
    [
        ("gte", 5, [5.0], True),
        ("gte", 5, [4.999], False),
        ("gte", 5, [], False),
        ("gte", 5, ["9"], False),
        ("gte", 0, [True], False),
        ("lte", -10, [-10.0], True),
        ("lte", -10, [-9.0], False),
        ("lte", 2, [], False),
        ("lte", 1, [False], False),
        ("eq", "put", ["put"], True),
        ("eq", "put", ["call"], False),
        ("eq", "put", [], False),
        ("eq", True, [True], True),
        ("eq", True, [1.0], False),
        ("eq", 1, [True], False),
        ("eq", 1, [1.0], True),
        ("present", True, ["wide_quote_context"], True),
        ("present", None, [0.0], True),
        ("present", None, [False], True),
        ("present", True, [], False),
        ("present", "put", ["call"], False),
        ("present", "put", ["put"], True),
        ("absent", None, [], True),
        ("absent", None, [0.0], False),
        ("absent", True, ["anything"], False),
        ("absent", "put", ["call"], True),
        ("absent", "put", ["put"], False),
        ("gte", 5, [1.0, 6.0], True),
        ("absent", "put", ["call", "put"], False),
    ],
)
def test_a_requirement_is_met_by_a_value_and_by_nothing_else(operator, wanted, values, met):
    assert is_met(requirement(operator, wanted), values) is met


def test_a_key_is_looked_up_in_its_own_kind_only():
    assert values_of(SWEEP, requirement("present", kind="premium_size", key="total_premium")) == [
        123_000.0
    ]
    assert values_of(SWEEP, requirement("present", kind="other", key="total_premium")) == []
    assert values_of(SWEEP, requirement("present", kind="premium_size", key="premium")) == []


def test_without_a_key_every_feature_of_the_kind_is_spoken_of():
    asked = requirement("present", kind="structure_shape", key=None)
    assert values_of(SWEEP, asked) == ["call"]
    assert values_of(None, asked) == []
    assert told(asked) == "structure_shape present"


def test_a_requirement_is_told_in_words():
    asked = requirement("gte", 50_000, kind="premium_size", key="total_premium")
    assert told(asked) == "total_premium gte 50000"
    assert told(requirement("eq", True)) == "confidence_band eq True"
