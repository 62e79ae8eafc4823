"""Combinatorial purged cross-validation against the oracle, and what its paths are made of."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from engine.validate import BlockMoments, combinatorial
from tests.oracles import validation as oracle


def of(candidates, gap_bars) -> BlockMoments:
    own = [oracle.moments(list(one[0]), gap_bars) for one in candidates]
    sums, squares = (np.array([one[name] for one in own]) for name in ("sums", "squares"))
    return BlockMoments(np.array(own[0]["bars"], dtype=np.int64), sums, squares)


@settings(max_examples=40)
@given(
    st.integers(1, 6),
    st.integers(16, 90),
    st.sampled_from([4, 8, 16]),
    st.integers(0, 3),
    st.integers(0, 2**32),
)
def test_its_paths_are_those_of_the_oracle(count, bars, groups, gap_bars, seed):
    rng = np.random.default_rng(seed)
    candidates = [[rng.normal(0, 0.01, bars)] for _ in range(count)]
    candidates.append(candidates[0])
    found = combinatorial(of(candidates, gap_bars), groups)
    wanted = oracle.cross_validation(candidates, groups, gap_bars)
    assert found.path_sharpes == pytest.approx(wanted["sharpes"], rel=1e-9, abs=1e-12)
    assert found.median == pytest.approx(wanted["median"], rel=1e-9, abs=1e-12)
    assert found.p5 == pytest.approx(wanted["p5"], rel=1e-9, abs=1e-12)
    assert found.share_below_zero == wanted["probability_of_loss"]


@pytest.mark.parametrize(("groups", "tested"), [(2, 1), (4, 1), (4, 3), (8, 2), (16, 2), (8, 4)])
def test_there_are_as_many_splits_and_paths_as_the_book_says(groups, tested):
    rng = np.random.default_rng(1)
    found = combinatorial(of([[rng.normal(0, 1, 64)] for _ in range(3)], 0), groups, tested)
    assert found.splits == math.comb(groups, tested)
    assert found.path_sharpes.size == math.comb(groups - 1, tested - 1)


def test_one_candidate_has_the_same_path_every_time():
    candidates = [[np.random.default_rng(2).normal(0.1, 1, 200)]]
    found = combinatorial(of(candidates, 0), 16)
    assert set(found.path_sharpes.tolist()) == {found.median}
    assert found.median == pytest.approx(oracle.sharpe(candidates[0][0]), rel=1e-12)


def test_a_candidate_that_is_good_only_where_it_is_tested_is_not_chosen_there():
    # Each is best in one group and loses in all others, so what wins elsewhere loses here.
    rng = np.random.default_rng(3)
    returns = rng.normal(-0.5, 1, (4, 4, 40))
    returns[np.arange(4), np.arange(4)] += 6.0
    found = combinatorial(of([[one.ravel()] for one in returns], 0), 4, 1)
    assert found.share_below_zero == 1.0


@pytest.mark.parametrize(("groups", "tested"), [(4, 0), (4, 4), (1, 1), (3, 1), (32, 2)])
def test_groups_that_leave_nothing_to_train_on_or_do_not_follow_are_refused(groups, tested):
    moments = of([[np.random.default_rng(2).normal(0, 1, 64)]], 0)
    with pytest.raises(ContractError, match="BLOCKS_INDIVISIBLE"):
        combinatorial(moments, groups, tested)
