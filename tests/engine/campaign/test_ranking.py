"""Order statistics of candidates equal those of numpy and statistics, one row at a time."""

import functools
import math
import statistics
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.campaign import rank, summarise
from engine.campaign.ranking import percentile_of_defined

UNDEFINED = (math.nan, math.inf, -math.inf)
NAMES = ("sharpe", "total_return", "max_drawdown", "trades")
numbers = st.one_of(
    st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 1.0, 1.0, *UNDEFINED, math.nan, math.nan])
)
matrices = st.tuples(st.integers(1, 6), st.integers(1, 7)).flatmap(
    lambda shape: st.lists(
        st.lists(numbers, min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)


def random_matrix(seed: int, shape=(40, 9), share=0.3) -> np.ndarray:
    """Normal numbers with ties, a share of which is not a number or infinite."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=shape), 1)
    return np.where(rng.random(shape) < share, rng.choice(UNDEFINED, shape), values)


def of(seed: int, share=0.3):
    """An objective and metrics at random, with what `summarise` makes of them."""
    objective = random_matrix(seed, share=share)
    metrics = {name: random_matrix(100 * seed + i, share=share) for i, name in enumerate(NAMES)}
    metrics["trades"] = np.abs(np.round(10 * metrics["trades"]))
    return objective, metrics, summarise(objective, metrics)


def defined(row) -> list[float]:
    return [value for value in row if math.isfinite(value)]


def equal(found: float, wanted: float | None) -> bool:
    return math.isnan(found) if wanted is None else found == pytest.approx(wanted, abs=1e-12)


@settings(derandomize=True, database=None, max_examples=300)
@given(matrices, st.sampled_from([0.0, 5.0, 25.0, 50.0, 95.0, 100.0]))
def test_a_percentile_is_numpys_over_what_is_defined(rows, percent):
    found = percentile_of_defined(np.array(rows), percent)
    for value, row in zip(found.tolist(), rows, strict=True):
        kept = defined(row)
        wanted = float(np.percentile(kept, percent)) if kept else None
        assert math.isnan(value) if wanted is None else value == pytest.approx(wanted, abs=1e-9)


def test_a_row_without_numbers_has_no_percentile_and_warns_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = percentile_of_defined(np.array([UNDEFINED, (1.0, math.nan, 3.0)]), 50.0)
    assert math.isnan(found[0])
    assert found[1] == 2.0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_a_summary_is_what_statistics_says_of_every_row(seed, share):
    objective, metrics, found = of(seed, share)
    for k, row in enumerate(objective.tolist()):
        kept = defined(row)
        enough = 2 * len(kept) >= len(row)
        assert found.defined[k] == len(kept)
        assert equal(found.score[k], statistics.median(kept) if enough and kept else None)
        own = {name: defined(metrics[name][k].tolist()) for name in NAMES}
        medians = {"median_sharpe": "sharpe", "median_total_return": "total_return"}
        for name, metric in medians.items():
            wanted = statistics.median(own[metric]) if own[metric] else None
            assert equal(getattr(found, name)[k], wanted), name
        lowest = min(own["max_drawdown"], default=None)
        assert equal(found.worst_max_drawdown[k], lowest)
        returns = own["total_return"]
        p5 = float(np.percentile(returns, 5)) if returns else None
        assert equal(found.p5_total_return[k], p5)
        assert found.trades[k] == sum(own["trades"])
        profits = sum(value > 0 for value in metrics["total_return"][k].tolist())
        assert found.share_profitable[k] == pytest.approx(profits / len(row))


@pytest.mark.parametrize(
    ("row", "score"),
    [
        ([1.0, 3.0, math.nan, math.nan], 2.0),
        ([1.0, math.nan, math.nan], math.nan),
        ([1.0, 5.0, math.nan], 3.0),
        ([1.0, math.inf, -math.inf, math.nan], math.nan),
        ([4.0], 4.0),
        ([math.nan], math.nan),
    ],
)
def test_a_score_needs_half_of_the_datasets(row, score):
    values = np.array([row])
    found = summarise(values, dict.fromkeys(NAMES, values)).score.tolist()
    assert found == pytest.approx([score], nan_ok=True)


def test_summarising_leaves_what_it_reads_alone_and_counts_in_integers():
    objective, metrics, found = of(3)
    again_objective, again_metrics, _ = of(3)
    assert objective.tobytes() == again_objective.tobytes()
    assert all(metrics[name].tobytes() == again_metrics[name].tobytes() for name in NAMES)
    assert (found.trades.dtype, found.defined.dtype) == (np.int64, np.int64)
    assert all(getattr(found, name).shape == (40,) for name in found.__slots__)


def test_the_order_of_datasets_does_not_matter():
    objective, metrics, found = of(5)
    order = np.random.default_rng(0).permutation(objective.shape[1])
    turned = summarise(
        objective[:, order], {name: values[:, order] for name, values in metrics.items()}
    )
    for name in found.__slots__:
        np.testing.assert_array_equal(getattr(turned, name), getattr(found, name))


def comes_before(one, other) -> int:
    """−1 if a candidate (score, sharpe, number) is better than another, told case by case."""
    for mine, yours in zip(one[:2], other[:2], strict=True):
        if math.isnan(mine) and math.isnan(yours):
            continue
        if math.isnan(yours) or mine > yours:
            return -1
        if math.isnan(mine) or mine < yours:
            return 1
    return -1 if one[2] < other[2] else 1


@settings(derandomize=True, database=None, max_examples=400)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=25))
def test_candidates_are_ordered_by_score_then_sharpe_then_number(pairs):
    found = rank(*(np.array(column) for column in zip(*pairs, strict=True))).tolist()
    candidates = [(*pair, number) for number, pair in enumerate(pairs)]
    wanted = sorted(candidates, key=functools.cmp_to_key(comes_before))
    assert found == [number for _, _, number in wanted]


def test_equal_candidates_keep_the_order_of_their_numbers():
    score = np.array([1.0, math.nan, 1.0, math.nan, 1.0, 2.0])
    assert rank(score, np.zeros(6)).tolist() == [5, 0, 2, 4, 1, 3]
    assert rank(np.zeros(3), np.full(3, math.nan)).tolist() == [0, 1, 2]
    assert rank(np.zeros(0), np.zeros(0)).tolist() == []


def test_no_sharpe_ratio_makes_up_for_a_score_and_undefined_ones_come_last():
    score = np.array([-1e300, math.nan, 0.5, 0.5, 0.5])
    sharpe = np.array([1e300, 1e300, math.nan, -3.0, math.inf])
    assert rank(score, sharpe).tolist() == [4, 3, 2, 0, 1]
