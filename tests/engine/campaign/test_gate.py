"""The gate, criterion by criterion: met, not met, unknown, not asked for, and what it says."""

import re
from dataclasses import replace

import pytest

from contracts.campaign import Gate
from engine.campaign import Evidence, judge

GOOD = Evidence(
    trades=120,
    out_of_sample=0.75,
    efficiency=0.6,
    deflated_sharpe=0.97,
    overfitting=0.12,
    candidates=40,
    ruin=0.01,
    unconverged=0,
    probes=10,
    parity_problem="",
    latency_ms=3.5,
    datasets=6,
    checksum_problem="",
)
ALL = Gate(min_efficiency=0.5)
NOTHING = Gate(
    min_trades=None,
    min_out_of_sample=None,
    min_efficiency=None,
    min_deflated_sharpe=None,
    max_overfitting=None,
    max_ruin=None,
    max_latency_ms=None,
)
NAMES = [
    "trades",
    "out_of_sample",
    "efficiency",
    "deflated_sharpe",
    "overfitting",
    "ruin",
    "parity",
    "latency",
    "checksums",
]
BOUNDS = {
    "trades": ("min_trades", 120, 121),
    "out_of_sample": ("min_out_of_sample", 0.75, 0.76),
    "efficiency": ("min_efficiency", 0.6, 0.61),
    "deflated_sharpe": ("min_deflated_sharpe", 0.97, 0.98),
    "overfitting": ("max_overfitting", 0.12, 0.11),
    "ruin": ("max_ruin", 0.01, 0.005),
    "latency": ("max_latency_ms", 3.5, 3.4),
}
"""Field of the gate, the strictest bound that `GOOD` meets, and one that it does not."""
UNKNOWN = {
    "out_of_sample": "out_of_sample",
    "efficiency": "efficiency",
    "deflated_sharpe": "deflated_sharpe",
    "overfitting": "overfitting",
    "ruin": "ruin",
}
VALUES = {"trades": 120.0, **{name: getattr(GOOD, name) for name in UNKNOWN}}


def judged(gate: Gate, evidence: Evidence) -> dict:
    found = judge(gate, evidence)
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def test_a_good_candidate_meets_every_criterion_in_order():
    found = judge(ALL, GOOD)
    assert [one.name for one in found] == NAMES
    assert all(one.passed for one in found)


def test_parity_and_checksums_are_asked_for_even_if_nothing_else_is():
    found = judged(NOTHING, replace(GOOD, trades=0, deflated_sharpe=None, ruin=None))
    assert list(found) == ["parity", "checksums"]
    assert all(one.passed for one in found.values())


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_that_is_null_asks_for_nothing(name):
    field, _, _ = BOUNDS[name]
    found = judged(ALL.model_copy(update={field: None}), GOOD)
    assert list(found) == [other for other in NAMES if other != name]


@pytest.mark.parametrize("name", BOUNDS)
def test_a_value_at_its_bound_is_enough(name):
    field, bound, _ = BOUNDS[name]
    one = judged(ALL.model_copy(update={field: bound}), GOOD)[name]
    assert one.passed
    assert one.bound == bound


@pytest.mark.parametrize("name", BOUNDS)
def test_a_value_beyond_its_bound_fails_that_criterion_alone(name):
    field, _, bound = BOUNDS[name]
    found = judged(ALL.model_copy(update={field: bound}), GOOD)
    assert [other for other, one in found.items() if not one.passed] == [name]


@pytest.mark.parametrize("met", [True, False])
@pytest.mark.parametrize("name", BOUNDS)
def test_a_sentence_says_the_value_and_the_bound(name, met):
    field, reached, missed = BOUNDS[name]
    bound = reached if met else missed
    one = judged(ALL.model_copy(update={field: bound}), GOOD)[name]
    said = [float(number) for number in re.findall(r"-?[0-9]+(?:\.[0-9]+)?", one.sentence)]
    assert bound in said
    if name == "latency":
        assert one.value is None  # a time differs from run to run, and so would the dossier
    else:
        assert one.value == VALUES[name]
        assert one.value in said


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_not_met(name):
    one = judged(ALL, replace(GOOD, **{UNKNOWN[name]: None}))[name]
    assert not one.passed
    assert one.value is None
    assert "is not known" in one.sentence
    assert f"{one.bound:g}" in one.sentence


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_does_not_matter_where_it_is_not_asked_for(name):
    field, _, _ = BOUNDS[name]
    gate = ALL.model_copy(update={field: None})
    assert all(one.passed for one in judge(gate, replace(GOOD, **{UNKNOWN[name]: None})))


def test_with_one_candidate_nothing_was_chosen_that_could_be_overfitted():
    alone = judged(ALL, replace(GOOD, overfitting=None, candidates=1))["overfitting"]
    assert alone.passed
    assert "one candidate" in alone.sentence
    two = judged(ALL, replace(GOOD, overfitting=None, candidates=2))["overfitting"]
    assert not two.passed


def test_the_deflated_ratio_says_of_how_many_it_is_the_best():
    one = judged(ALL, replace(GOOD, candidates=1234))["deflated_sharpe"]
    assert "best of 1234" in one.sentence


def test_a_summary_that_has_not_converged_fails_the_ruin_whatever_it_is():
    one = judged(ALL, replace(GOOD, ruin=0.0, unconverged=3))["ruin"]
    assert not one.passed
    assert "3 Monte Carlo summaries have not converged" in one.sentence
    assert one.value == 0.0
    assert "ruin" not in judged(ALL.model_copy(update={"max_ruin": None}), replace(
        GOOD, unconverged=3
    ))  # fmt: skip


def test_parity_needs_something_that_was_compared():
    one = judged(ALL, replace(GOOD, probes=0))["parity"]
    assert not one.passed
    assert "long enough" in one.sentence
    assert "10 beginnings" in judged(ALL, GOOD)["parity"].sentence


def test_parity_that_is_broken_says_where():
    where = "a live run differs on bar 17 of trend-0123456789ab, seed 3: equity"
    one = judged(ALL, replace(GOOD, parity_problem=where))["parity"]
    assert (one.passed, one.sentence) == (False, where)


def test_a_dataset_that_does_not_verify_fails_the_checksums_and_says_which():
    what = "the dataset of seed 3 is not what its digest says"
    one = judged(ALL, replace(GOOD, checksum_problem=what))["checksums"]
    assert (one.passed, one.sentence) == (False, what)
    assert "all 6 datasets" in judged(ALL, GOOD)["checksums"].sentence


def test_a_latency_that_is_not_a_number_is_too_long():
    assert not judged(ALL, replace(GOOD, latency_ms=float("nan")))["latency"].passed


def test_bounds_below_zero_and_of_zero_are_bounds():
    gate = ALL.model_copy(update={"min_out_of_sample": -0.5, "max_ruin": 0.0, "min_trades": 0})
    found = judged(gate, replace(GOOD, out_of_sample=-0.4, ruin=0.0, trades=0))
    assert found["out_of_sample"].passed
    assert found["ruin"].passed
    assert found["trades"].passed
    worse = judged(gate, replace(GOOD, out_of_sample=-0.6, ruin=1e-9))
    assert not worse["out_of_sample"].passed
    assert not worse["ruin"].passed


def test_the_same_evidence_gives_the_same_words_whatever_the_latency_was():
    slow, fast = (judge(ALL, replace(GOOD, latency_ms=value)) for value in (99.0, 0.1))
    assert slow == fast


def test_a_value_just_below_its_bound_is_not_said_to_equal_it():
    one = judged(ALL, replace(GOOD, deflated_sharpe=0.9499999999))["deflated_sharpe"]
    assert not one.passed
    assert "only 0.95," not in one.sentence
    counted = judged(ALL.model_copy(update={"min_trades": 1_234_567}), replace(
        GOOD, trades=1_234_566
    ))["trades"]  # fmt: skip
    assert "1234566" in counted.sentence
    assert "1234567" in counted.sentence
