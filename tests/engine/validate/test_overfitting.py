"""Probability of backtest overfitting: by hand, against the oracle, and what may not change it.

That it is one half where nothing can be learnt is in test_calibration.py.
"""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from engine.validate import BlockMoments, Overfitting, overfitting, united
from tests.oracles import validation as oracle

KINDS = ("fresh", "copy", "double", "mirror", "zero", "constant", "late")


def moments_of(candidates, gap_bars=0) -> BlockMoments:
    """Sums of every candidate over the union of its datasets, as the page defines them."""
    parts = []
    for place in range(len(candidates[0])):
        own = [oracle.moments(list(candidate[place]), gap_bars) for candidate in candidates]
        parts.append(
            BlockMoments(
                np.array(own[0]["bars"], dtype=np.int64),
                np.array([one["sums"] for one in own]),
                np.array([one["squares"] for one in own]),
            )
        )
    return united(parts)


def returns_of(kinds, lengths, seed):
    """Candidates of several kinds, each a list of datasets; equal ones are equal in every bit."""
    rng = np.random.default_rng(seed)
    found: list[list[np.ndarray]] = []
    for kind in kinds:
        base = found[int(rng.integers(len(found)))] if found else None
        fresh = [rng.normal(0.001, 0.01, length) for length in lengths]
        made = {
            "fresh": fresh,
            "copy": base or fresh,
            "double": [2 * part for part in base or fresh],
            "mirror": [-part for part in base or fresh],
            "zero": [np.zeros(length) for length in lengths],
            "constant": [np.full(length, 0.25) for length in lengths],
            "late": [np.where(np.arange(part.size) < part.size // 2, 0, part) for part in fresh],
        }
        found.append(made[kind])
    return found


def random_moments(candidates, seed, blocks=16) -> BlockMoments:
    returns = np.random.default_rng(seed).normal(0, 0.01, (candidates, blocks, 20))
    counts = np.full(blocks, 20, dtype=np.int64)
    return BlockMoments(counts, returns.sum(axis=2), (returns**2).sum(axis=2))


def figures(found: Overfitting) -> dict:
    names = ("pbo", "degradation_slope", "degradation_intercept", "probability_of_loss")
    return {name: getattr(found, name) for name in names}


def test_a_small_matrix_gives_what_a_hand_works_out():
    # One bar a block: the Sharpe ratio of two blocks is (a + b) / (√2 |a − b|), 0 where a = b.
    returns = np.array([[3.0, 1.0, 1.0, -3.0], [1.0, 2.0, 3.0, 5.0], [-1.0, 3.0, 2.0, -2.0]])
    found = overfitting(BlockMoments(np.ones(4, dtype=np.int64), returns, returns**2), 4)
    up, tied = math.log(3), math.log(5 / 3)
    assert found.chosen.tolist() == [1, 0, 1, 1, 1, 1]
    assert found.logits == pytest.approx([up, -up, tied, up, tied, up], abs=1e-15)
    assert found.in_sample * math.sqrt(2) == pytest.approx([3, 2, 1.5, 5, 7 / 3, 4], rel=1e-14)
    assert found.out_of_sample * math.sqrt(2) == pytest.approx([4, -0.5, 5, 1.5, 2, 3], rel=1e-14)
    assert (found.pbo, found.probability_of_loss) == (1 / 6, 1 / 6)
    assert (found.splits, found.candidates, found.reasons) == (6, 3, {})
    line = np.polyfit(found.in_sample, found.out_of_sample, 1)
    assert [found.degradation_slope, found.degradation_intercept] == pytest.approx(line, rel=1e-9)


def test_candidates_that_are_all_equal_are_neither_overfitted_nor_not():
    found = overfitting(BlockMoments(np.full(4, 9), np.zeros((3, 4)), np.zeros((3, 4))), 4)
    assert (found.pbo, found.probability_of_loss) == (0.5, 0.0)
    assert (found.logits == 0.0).all()
    assert (found.chosen == 0).all()
    assert found.degradation_slope is None
    assert set(found.reasons) == {"degradation_slope", "degradation_intercept"}


def test_one_candidate_has_no_probability_but_all_else():
    found = overfitting(random_moments(1, 3), 8)
    assert found.pbo is None
    assert found.reasons == {"pbo": "one candidate: nothing was chosen"}
    assert found.degradation_slope is not None
    assert 0.0 <= found.probability_of_loss <= 1.0


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=7),
    st.lists(st.integers(16, 70), min_size=1, max_size=2),
    st.sampled_from([2, 4, 8]),
    st.integers(0, 3),
    st.integers(0, 2**32),
)
@example(["constant", "zero", "copy"], [16], 8, 2, 0)
@example(["fresh", "copy", "double", "mirror"], [40], 4, 0, 1)
def test_it_is_what_the_oracle_finds_bar_by_bar(kinds, lengths, blocks, gap_bars, seed):
    # Of several bars only one of which is not 0, the ratio is the same whatever that one is: a tie
    # that rounding breaks at will. Long blocks have no such bar.
    longer = [length + 64 if "late" in kinds else length for length in lengths]
    candidates = returns_of(kinds, longer, seed)
    assert_as_the_oracle(candidates, blocks, gap_bars)


@pytest.mark.studies
def test_it_is_what_the_oracle_finds_over_all_sixteen_blocks():
    assert_as_the_oracle(returns_of(("fresh", "late"), (90,), 5), 16, 1)


def assert_as_the_oracle(candidates, blocks, gap_bars):
    found = overfitting(moments_of(candidates, gap_bars), blocks)
    wanted = oracle.overfitting(candidates, blocks, gap_bars)
    splits = oracle.choices(candidates, blocks, gap_bars)
    assert found.chosen.tolist() == [split.candidate for split in splits]
    close = {"rel": 1e-9, "abs": 1e-9}
    assert found.logits == pytest.approx([split.logit for split in splits], **close)
    assert found.in_sample == pytest.approx([split.in_sharpe for split in splits], **close)
    assert found.out_of_sample == pytest.approx([split.out_sharpe for split in splits], **close)
    assert found.reasons.get("pbo") == wanted.pop("reason")
    # A line through values that differ in their last digits only has no slope to agree on.
    if np.ptp(found.in_sample) < 1e-6:
        wanted |= {name: value for name, value in figures(found).items() if "degrad" in name}
    for name, value in figures(found).items():
        assert value == (None if wanted[name] is None else pytest.approx(wanted[name], **close))


@pytest.mark.parametrize("blocks", [2, 4, 8, 16])
def test_every_split_has_the_bytes_of_its_own_blocks_added_up(blocks):
    moments = random_moments(5, blocks)
    found, merged = overfitting(moments, blocks), moments.merged(blocks)
    parts = list(combinations(range(blocks), blocks // 2))
    assert found.splits == len(parts)
    for place in range(0, len(parts), 1 if blocks < 16 else 13):
        part = parts[place]
        mask = np.isin(np.arange(blocks), part)
        inside, outside = merged.sharpes(mask), merged.sharpes(~mask)
        choice = int(np.argmax(inside))
        assert found.chosen[place] == choice
        assert found.in_sample[place] == inside[choice]
        assert found.out_of_sample[place] == outside[choice]


@given(st.integers(2, 30), st.integers(0, 2**32))
def test_the_order_of_the_candidates_changes_nothing_without_ties(candidates, seed):
    moments = random_moments(candidates, seed)
    order = np.random.default_rng(seed).permutation(candidates)
    mixed = BlockMoments(moments.counts, moments.sums[order], moments.squares[order])
    before, after = overfitting(moments, 8), overfitting(mixed, 8)
    assert figures(before) == figures(after)
    assert before.logits.tobytes() == after.logits.tobytes()
    assert order[after.chosen].tolist() == before.chosen.tolist()


@given(st.integers(2, 30), st.integers(0, 2**32), st.sampled_from([2.0**-40, 1e-3, 3.7, 2.0**30]))
def test_the_scale_of_the_returns_changes_nothing(candidates, seed, scale):
    moments = random_moments(candidates, seed)
    other = BlockMoments(moments.counts, moments.sums * scale, moments.squares * scale**2)
    before, after = overfitting(moments, 8), overfitting(other, 8)
    assert before.chosen.tolist() == after.chosen.tolist()
    assert before.logits.tobytes() == after.logits.tobytes()
    assert figures(after) == pytest.approx(figures(before), rel=1e-9, abs=1e-12)


def test_a_candidate_that_is_flat_out_of_sample_is_exactly_zero_there():
    moments = random_moments(3, 9)
    sums, squares = moments.sums.copy(), moments.squares.copy()
    # It would be best in sample wherever it trades, and rounding must not make it trade elsewhere.
    sums[1, :8], squares[1, :8] = 0.7, 0.1
    sums[1, 8:], squares[1, 8:] = 0.0, 0.0
    found = overfitting(BlockMoments(moments.counts, sums, squares), 16)
    whole = [place for place, value in enumerate(found.out_of_sample) if value == 0.0]
    assert whole == [0]
    assert found.chosen[0] == 1


@pytest.mark.parametrize("blocks", [0, 3, 5, 6, 32])
def test_blocks_that_do_not_follow_from_those_there_are_are_refused(blocks):
    with pytest.raises(ContractError, match="BLOCKS_INDIVISIBLE"):
        overfitting(random_moments(2, 1), blocks)
