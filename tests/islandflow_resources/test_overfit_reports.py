"""The overfitting report against the oracle, on the returns of every trial run singly."""

import math

import numpy as np
import pytest

from islandflow_resources.overfit_reports import make_overfit_report, shape_of
from tests.islandflow_resources.campaigning import (
    BUSTED,
    ROBUSTNESS,
    Home,
    damage,
    empty_home,
    entrant,
    finished_copy,
    finished_folder,
    returns_of,
    trials_alone,
)
from tests.oracles import validation

GAP = 2


def report_of(home, campaign):
    return make_overfit_report(home.store, home.database, campaign, "run")


def returns_by_candidate(home, campaign):
    settings = campaign.spec.settings
    cells = [outcomes for _, _, _, outcomes in trials_alone(home, campaign)]
    return [
        [returns_of(outcome, settings) for outcome in candidate]
        for candidate in zip(*cells, strict=True)
    ]


def close(found, wanted):
    return math.isclose(found, wanted, rel_tol=1e-7, abs_tol=1e-10)


@pytest.fixture(scope="module")
def home():
    return Home.embedded(finished_folder())


@pytest.fixture(scope="module")
def report(home):
    return report_of(home, home.ready()).document


@pytest.fixture(scope="module")
def returns(home):
    return returns_by_candidate(home, home.ready())


def test_the_probability_of_overfitting_is_that_of_all_choices(report, returns):
    wanted = validation.overfitting(returns, 4, GAP)
    assert (report["candidates"], report["without_returns"], report["splits"]) == (6, 0, 6)
    assert report["pbo"] == wanted["pbo"]
    for name in ("degradation_slope", "degradation_intercept", "probability_of_loss"):
        assert close(report[name], wanted[name])
    assert report["reasons"] == {}


def test_the_histogram_counts_every_choice(report, returns):
    logits = [one.logit for one in validation.choices(returns, 4, GAP)]
    counts = report["logits"]["counts"]
    assert (len(counts), sum(counts)) == (41, 6)
    width = 12 / 41
    for logit in logits:
        assert counts[min(int((logit + 6) / width), 40)] > 0


def test_the_winners_ratio_is_deflated_by_all_that_were_tried(home, report, returns):
    winner = home.judged(home.ready()).dossier.winner.candidate
    wanted = validation.deflated_sharpe(returns)[winner]
    found = report["deflated"]
    names = {"deflated_sharpe": "dsr", "probabilistic_sharpe": "psr", "sharpe": "sharpe",
             "expected_maximum_sharpe": "sr0", "skewness": "skewness",
             "kurtosis": "kurtosis"}  # fmt: skip
    for name, key in names.items():
        assert close(found[name], wanted[key])
    assert (found["returns"], found["candidates"]) == (2 * (480 + 560), 6)
    ratios = [validation.sharpe(validation.whole(one)) for one in returns]
    assert close(found["variance_of_candidates"], float(np.var(ratios, ddof=1)))
    assert found["variance"] == max(found["variance_of_candidates"], 1 / (found["returns"] - 1))


def test_paths_of_combinatorial_cross_validation_are_the_oracles(report, returns):
    wanted = validation.cross_validation(returns, 4, GAP)
    found = report["combinatorial"]
    assert (found["splits"], found["paths"]) == (6, 3)
    for one, other in zip(found["path_sharpes"], wanted["sharpes"], strict=True):
        assert close(one, other)
    assert close(found["median_sharpe"], wanted["median"])
    assert close(found["p5_sharpe"], wanted["p5"])
    assert found["share_below_zero"] == wanted["probability_of_loss"]


def test_a_report_is_made_once_and_again_if_it_is_damaged(home):
    with finished_copy() as own:
        campaign = own.ready()
        first = report_of(own, campaign)
        assert first.used_cache
        damage(own.store, first.key, b'{"pbo":0}\n')
        again = report_of(own, campaign)
        assert (again.used_cache, again.content_digest) == (False, first.content_digest)


def test_other_blocks_are_another_report_of_the_same_trials(report):
    blocks = {"overfitting": {"blocks": 2, "purge_bars": 1, "embargo_bars": 1}}
    with finished_copy() as own:
        campaign = own.ready(robustness=ROBUSTNESS | blocks)
        assert own.trials(campaign).made == 0
        found = report_of(own, campaign).document
        wanted = validation.overfitting(returns_by_candidate(own, campaign), 2, GAP)
        assert found["pbo"] == wanted["pbo"]
        assert found["splits"] == 2
        assert "combinatorial" not in found
        assert found["deflated"] == report["deflated"]


def test_one_candidate_was_not_chosen():
    with empty_home() as own:
        campaign = own.ready(strategies=[entrant(params={"fast": 3, "slow": 9})])
        own.trials(campaign)
        found = report_of(own, campaign).document
        assert found["pbo"] is None
        assert found["reasons"]["pbo"] == validation.ONE_CANDIDATE
        assert found["deflated"]["expected_maximum_sharpe"] == 0.0
        assert found["deflated"]["deflated_sharpe"] == found["deflated"]["probabilistic_sharpe"]


def test_a_candidate_that_lost_its_equity_is_left_out_and_counted_as_tried():
    with empty_home() as own:
        campaign = own.ready(strategies=[{"strategy": BUSTED}, entrant()], seeds="1")
        own.trials(campaign)
        found = report_of(own, campaign).document
        returns = returns_by_candidate(own, campaign)[1:]
        wanted = validation.deflated_sharpe(returns, tried=7)
        assert (found["candidates"], found["without_returns"]) == (7, 1)
        assert found["pbo"] == validation.overfitting(returns, 4, GAP)["pbo"]
        assert found["deflated"]["candidates"] == 7
        assert min(abs(found["deflated"]["deflated_sharpe"] - one["dsr"]) for one in wanted) < 1e-9


def test_if_every_candidate_lost_its_equity_nothing_is_known():
    with empty_home() as own:
        campaign = own.ready(strategies=[{"strategy": BUSTED}], seeds="1")
        own.trials(campaign)
        found = report_of(own, campaign).document
        assert (found["candidates"], found["without_returns"], found["pbo"]) == (1, 1, None)
        assert found["reason"] == "every candidate lost its equity"


def test_a_best_candidate_without_equity_has_no_ratio_to_deflate():
    """Its return may be the highest of all, where the price came back."""
    with empty_home() as own:
        campaign = own.ready(
            strategies=[entrant(), {"strategy": BUSTED}], seeds="1", objective="total_return"
        )
        home_trials = own.trials(campaign)
        assert home_trials.candidates.table["score"][6].as_py() > 1.0
        found = report_of(own, campaign).document
        assert found["pbo"] is not None
        assert found["deflated"] == {
            "deflated_sharpe": None,
            "reason": "the best candidate lost its equity",
        }


def test_shape_follows_from_sums_of_powers():
    returns = np.random.default_rng(3).gamma(2.0, 0.01, 400)
    powers = [math.fsum(returns**k) for k in (1, 2, 3, 4)]
    wanted = validation.shape(returns)
    assert np.allclose(shape_of(powers, 400), wanted, rtol=1e-8)
    assert shape_of([0.4, 0.0004, 4e-7, 4e-10], 400) == (0.0, 3.0)
