"""The oracle of walk-forward and overfitting control gives hand-worked and published numbers.

The oracle under test is tests/oracles/validation.py, written from docs/validation.md; the engine
is compared with it in tests/engine/validate.
"""

import itertools
import math
import statistics

import numpy as np
import pytest
from scipy.stats import norm

from contracts.validation import WalkForwardSettings
from tests.oracles import validation as oracle


def pulses(*means):
    """One dataset: for each mean a group of four bars, one above and one below it in turn."""
    return [[m + d for m in means for d in (1.0, -1.0, 1.0, -1.0)]]


# Two groups of means m, n have mean (m + n)/2 and squares 8 + 2 (m − n)² about it, over 7.
# Sharpe ratios of pairs of groups:  01       23       02       13       03       12
#                              A   1.5√0.7 −0.5√0.7  √(7/16)   0    0.5√(7/26)  0.5√0.7
#                              B     0      √(7/8)  0.5√0.7 0.5√0.7   0.5√0.7   0.5√0.7
A, B = pulses(2.0, 1.0, 0.0, -1.0), pulses(0.0, 0.0, 1.0, 1.0)
TIE = 0.5 * math.sqrt(0.7)


def noise(seed, candidates, bars):
    draws = np.random.default_rng(seed).normal(0, 0.01, (candidates, bars))
    return [[row.tolist()] for row in draws]


def test_folds_are_cut_at_whole_bars():
    anchored = WalkForwardSettings(folds=4, purge_bars=3, embargo_bars=2)
    rolling = WalkForwardSettings(folds=4, scheme="rolling", purge_bars=3, embargo_bars=2)
    # Edges 0, 20, 40, 60, 80, 100.
    wanted = [((0, 17), (22, 40)), ((0, 37), (42, 60)), ((0, 57), (62, 80)), ((0, 77), (82, 100))]
    assert [(fold.train, fold.test) for fold in oracle.folds(100, anchored)] == wanted
    assert [fold.train for fold in oracle.folds(100, rolling)] == [
        (0, 17),
        (20, 37),
        (40, 57),
        (60, 77),
    ]
    # Edges 0, 2.5, 5, 7.5, 10, rounded down.
    tests = [fold.test for fold in oracle.folds(10, WalkForwardSettings(folds=3))]
    assert tests == [(2, 5), (5, 7), (7, 10)]


@pytest.mark.parametrize(
    "changes", [{"folds": 9}, {"folds": 4, "purge_bars": 3}, {"folds": 4, "embargo_bars": 3}]
)
def test_a_part_of_one_bar_is_refused(changes):
    # Parts of 2 bars, or of 4 of which 3 are dropped.
    with pytest.raises(ValueError, match="shorter than 2 bars"):
        oracle.folds(19 if changes["folds"] == 9 else 20, WalkForwardSettings(**changes))


def test_a_fold_takes_the_first_of_the_best_that_is_defined():
    found = oracle.walk_forward(
        [[1.0, 2.0, 2.0], [None, -0.5, -0.75], [None, None, None]],
        [[9.0, 3.0, 9.0], [9.0, 1.0, 9.0], [None, 9.0, 9.0]],
    )
    assert found["folds"] == [(1, 2.0, 3.0), (1, -0.5, 1.0), (0, None, None)]
    assert (found["test_mean"], found["test_variance"]) == (2.0, 2.0)
    assert found["train_mean"] == 0.75
    assert found["efficiency"] == pytest.approx(8 / 3)


def test_one_fold_has_no_variance_and_a_poor_training_no_efficiency():
    found = oracle.walk_forward([[0.0]], [[1.0]])
    assert (found["test_variance"], found["efficiency"]) == (None, None)


def test_blocks_lose_their_gaps_at_the_beginning():
    # 40 bars: edges 0, 2, 5, 7, 10, … Every block but the first begins one bar later.
    spans = oracle.block_spans(40, 1)
    assert spans[:4] == [(0, 2), (3, 5), (6, 7), (8, 10)]
    assert spans[-1] == (38, 40)
    assert oracle.block_spans(40, 3)[1:3] == [(5, 5), (7, 7)]


def test_a_trial_keeps_gaps_in_its_whole_series_only():
    returns = [float(t) for t in range(32)]
    kept = oracle.moments(returns, 1)
    assert kept["bars"] == [2] + [1] * 15
    assert kept["sums"] == [1.0] + [float(t) for t in range(3, 32, 2)]
    assert kept["squares"][:3] == [1.0, 9.0, 25.0]
    # Σt = n(n − 1)/2, Σt² = (n − 1)n(2n − 1)/6, Σt³ = (Σt)².
    assert kept["powers"][:3] == [496.0, 10416.0, 246016.0]
    assert kept["powers"][3] == sum(t**4 for t in range(32))


def test_sums_give_the_sharpe_ratio_of_a_union():
    candidate = [noise(3, 1, 333)[0][0], noise(4, 1, 517)[0][0]]
    kept = [oracle.moments(returns, 2) for returns in candidate]
    pieces = oracle.groups(candidate, 8, 2)
    chosen = (0, 3, 7)
    blocks = [b for g in chosen for b in (2 * g, 2 * g + 1)]
    n, s, q = (
        sum(trial[name][b] for trial in kept for b in blocks)
        for name in ("bars", "sums", "squares")
    )
    found = oracle.sharpe(np.concatenate([pieces[g] for g in chosen]))
    assert found == pytest.approx(s / n / math.sqrt((q - s * s / n) / (n - 1)), abs=1e-9)


def test_a_group_is_the_union_of_a_block_of_every_dataset():
    short, long = [float(t) for t in range(16)], [100.0 + t for t in range(32)]
    pieces = oracle.groups([short, long], 8, 0)
    assert pieces[1].tolist() == [2, 3, 104, 105, 106, 107]
    # With a gap of one, blocks of one bar are empty, and each of two keeps its second.
    gapped = oracle.groups([short, long], 8, 1)
    assert (gapped[0].tolist(), gapped[1].tolist()) == ([0, 100, 101, 103], [105, 107])


def test_what_does_not_vary_has_no_sharpe_ratio():
    assert oracle.sharpe(np.full(100, 0.1)) == 0
    assert oracle.sharpe(np.array([0.1])) == 0
    assert oracle.sharpe(np.zeros(0)) == 0
    # (0.3 + 0.1)/2 over √(2 · 0.01).
    assert oracle.sharpe(np.array([0.3, 0.1])) == pytest.approx(math.sqrt(2))
    # A deviation of 10⁻⁷ of the mean is still; one of 10⁻⁵ is not.
    assert oracle.sharpe(1 + 1e-7 * np.array([1, -1, 1, -1])) == 0
    assert oracle.sharpe(1 + 1e-5 * np.array([1, -1, 1, -1])) > 8e4


def test_every_choice_is_as_worked_out():
    found = oracle.choices([A, B], 4, 0)
    assert [choice.in_groups for choice in found] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 2),
        (1, 3),
        (2, 3),
    ]
    # On (1, 2) both are equal, so that the first is taken; on (0, 3) both are equal out of sample.
    assert [choice.candidate for choice in found] == [0, 0, 1, 0, 1, 1]
    assert [choice.rank for choice in found] == [1, 1, 1.5, 1, 1, 1]
    half = math.log(0.5)
    assert [choice.logit for choice in found] == pytest.approx([half, half, 0, half, half, half])
    inside = [3 * TIE, math.sqrt(7 / 16), TIE, TIE, TIE, math.sqrt(7 / 8)]
    outside = [-TIE, 0, TIE, 0.5 * math.sqrt(7 / 26), TIE, 0]
    assert [choice.in_sharpe for choice in found] == pytest.approx(inside)
    assert [choice.out_sharpe for choice in found] == pytest.approx(outside)


def test_overfitting_is_as_worked_out():
    # Five of six choices end last, one in the middle; one loses.
    found = oracle.overfitting([A, B], 4)
    assert found["pbo"] == pytest.approx(5.5 / 6)
    assert found["probability_of_loss"] == pytest.approx(1 / 6)
    inside = [3 * TIE, math.sqrt(7 / 16), TIE, TIE, TIE, math.sqrt(7 / 8)]
    outside = [-TIE, 0, TIE, 0.5 * math.sqrt(7 / 26), TIE, 0]
    slope, intercept = np.polyfit(inside, outside, 1)
    assert found["degradation_slope"] == pytest.approx(slope)
    assert found["degradation_intercept"] == pytest.approx(intercept)


def test_halves_that_swap_are_overfitted_and_a_lasting_lead_is_not():
    up, down = pulses(1.0, 1.0, -1.0, -1.0), pulses(-1.0, -1.0, 1.0, 1.0)
    swapped = oracle.overfitting([up, down], 2)
    # Both ways the best has √(7/8) in sample, and its negative outside.
    assert (swapped["pbo"], swapped["probability_of_loss"]) == (1, 1)
    assert (swapped["degradation_slope"], swapped["degradation_intercept"]) == (None, None)
    leader = pulses(1.0, 2.0, 1.0, 2.0)
    assert oracle.overfitting([down, leader, up], 4)["pbo"] == 0
    assert oracle.overfitting([up, up], 2)["pbo"] == 0.5


def test_one_candidate_was_not_chosen():
    found = oracle.overfitting([A], 4)
    assert (found["pbo"], found["reason"]) == (None, "one candidate: nothing was chosen")


def test_choosing_among_noise_means_nothing():
    found = [oracle.overfitting(noise(seed, 5, 64), 4)["pbo"] for seed in range(120)]
    error = statistics.stdev(found) / math.sqrt(120)
    assert 0 < error < 0.05
    assert statistics.fmean(found) == pytest.approx(0.5, abs=2.6 * error)


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "tried", "wanted"),
    [(-3, 10, 100, 0.9004), (-3, 10, 46, 0.9505), (0, 3, 88, 0.9505)],
)
def test_the_deflated_ratio_is_that_of_the_paper(skewness, kurtosis, tried, wanted):
    # Bailey, López de Prado (2014), the numerical example: an annual ratio of 2.5 over five years
    # of 250 days, the ratios of the trials with an annual variance of 1/2.
    start = oracle.expected_best(0.5 / 250, tried)
    assert tried != 100 or start == pytest.approx(0.1132, abs=5e-5)
    found = oracle.probabilistic_sharpe(2.5 / math.sqrt(250), start, 1250, skewness, kurtosis)
    assert found == pytest.approx(wanted, abs=5e-5)


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "wanted"), [(0, 3, 0.982), (-2.448, 10.164, 0.913)]
)
def test_the_probabilistic_ratio_is_that_of_the_paper(skewness, kurtosis, wanted):
    # Bailey, López de Prado (2012), The Sharpe ratio efficient frontier: 0.458 a month, 24 months.
    found = oracle.probabilistic_sharpe(0.458, 0.0, 24, skewness, kurtosis)
    assert found == pytest.approx(wanted, abs=5e-4)


def test_the_expected_best_is_near_the_mean_of_the_best():
    best = np.random.default_rng(5).normal(size=(20_000, 50)).max(axis=1)
    # The formula is an approximation for many candidates, 1 % high at 50.
    assert oracle.expected_best(1.0, 50) == pytest.approx(best.mean(), rel=0.02)
    assert oracle.expected_best(4.0, 50) == pytest.approx(2 * oracle.expected_best(1.0, 50))
    assert oracle.expected_best(1.0, 1) == 0


def test_candidates_that_agree_are_deflated_by_the_least_variance():
    # One in four bars wins: mean 1/4, variance (16 · 3/16)/15 = 1/5; p = 1/4, q = 3/4 give the
    # skewness (q − p)/√(pq) = 2/√3 and the kurtosis 3 + (1 − 6pq)/(pq) = 7/3.
    same = [[0.0, 0.0, 0.0, 1.0] * 4]
    (found, other) = oracle.deflated_sharpe([same, same])
    assert found == other
    ratio = 0.25 / math.sqrt(0.2)
    assert found["sharpe"] == pytest.approx(ratio)
    assert found["skewness"] == pytest.approx(2 / math.sqrt(3))
    assert found["kurtosis"] == pytest.approx(7 / 3)
    # Φ⁻¹(1/2) = 0, and V is 1/15.
    start = math.sqrt(1 / 15) * 0.5772156649015329 * norm.ppf(1 - 0.5 / math.e)
    assert found["sr0"] == pytest.approx(start)
    spread = 1 - 2 / math.sqrt(3) * ratio + ratio**2 / 3
    assert found["dsr"] == pytest.approx(norm.cdf((ratio - start) * math.sqrt(15 / spread)))
    assert found["psr"] == pytest.approx(norm.cdf(ratio * math.sqrt(15 / spread)))


def test_the_spread_of_the_candidates_and_their_number_deflate():
    candidates = [A, B, pulses(-1.0, -1.0, -1.0, -1.0)]
    found = oracle.deflated_sharpe(candidates)
    ratios = [trial["sharpe"] for trial in found]
    # A: mean 1/2, squares 16 + 20; B: 1/2, 16 + 4; the third: −1, 16; each over 15.
    wanted = [0.5 / math.sqrt(36 / 15), 0.5 / math.sqrt(20 / 15), -1 / math.sqrt(16 / 15)]
    assert ratios == pytest.approx(wanted)
    spread = statistics.variance(wanted)
    assert spread > 1 / 15
    assert found[0]["sr0"] == pytest.approx(oracle.expected_best(spread, 3))
    more = oracle.deflated_sharpe(candidates, tried=50)
    assert all(b["dsr"] < a["dsr"] for a, b in zip(found, more, strict=True))


def test_a_candidate_that_stands_still_has_the_shape_of_a_normal():
    (found,) = oracle.deflated_sharpe([[[0.0] * 20]])
    assert (found["sharpe"], found["psr"], found["dsr"]) == (0, 0.5, 0.5)


def test_paths_of_cross_validation_are_as_worked_out():
    # Trained on 23: B, on 13: B, on 12: both, so A; on 03: B, on 02: A, on 01: A.
    assert oracle.cross_validated_paths([A, B], 4) == [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    found = oracle.cross_validation([A, B], 4)
    # Means 0, 0, 1, −1 make 0; A as a whole has mean 1/2 and squares 36 over 15.
    last = 0.5 / math.sqrt(36 / 15)
    assert found["sharpes"] == pytest.approx([0, 0, last])
    assert (found["median"], found["p5"], found["probability_of_loss"]) == (0, 0, 0)


def test_sixteen_groups_give_fifteen_paths():
    # The second is the first upside down, so that either may be the best of a split.
    first = [0.01 * math.sin(t * t) for t in range(160)]
    candidates = [[first], [[-r for r in first]]]
    paths = oracle.cross_validated_paths(candidates, 16)
    assert (len(paths), {len(path) for path in paths}) == (15, {16})
    assert {n for path in paths for n in path} == {0, 1}
    # 120 splits, of which each gives two groups away.
    assert sum(len(path) for path in paths) == 2 * math.comb(16, 2)


def test_a_path_uses_no_bar_of_a_gap():
    candidates = noise(6, 2, 96)
    spoiled = [[list(candidate[0])] for candidate in candidates]
    # Blocks of six bars: the first two of each but the first lie in the gap.
    for candidate, block in itertools.product(spoiled, range(1, 16)):
        candidate[0][6 * block : 6 * block + 2] = [1e3, -1e3]
    assert oracle.cross_validation(spoiled, 8, 2) == oracle.cross_validation(candidates, 8, 2)
    assert oracle.overfitting(spoiled, 8, 2) == oracle.overfitting(candidates, 8, 2)
    assert oracle.cross_validation(spoiled, 8, 1) != oracle.cross_validation(candidates, 8, 1)


def test_probes_lie_evenly_inside_the_series():
    assert oracle.probe_places(100, 4) == [20, 40, 60, 80]
    assert oracle.probe_places(10, 3) == [2, 5, 7]
