"""Sums over blocks: merging, uniting, and the Sharpe ratios that follow from them."""

import numpy as np
import pytest

from contracts.errors import ContractError
from engine.validate import BlockMoments, united
from tests.oracles import validation as oracle


def of(returns, gap_bars=0) -> BlockMoments:
    own = [oracle.moments(list(row), gap_bars) for row in returns]
    sums, squares = (np.array([one[name] for one in own]) for name in ("sums", "squares"))
    return BlockMoments(np.array(own[0]["bars"], dtype=np.int64), sums, squares)


RETURNS = np.random.default_rng(5).normal(0.001, 0.02, (4, 203))


@pytest.mark.parametrize("gap_bars", [0, 2, 12, 50])
@pytest.mark.parametrize("blocks", [1, 2, 4, 8, 16])
def test_sharpe_ratios_of_unions_are_those_of_the_returns(blocks, gap_bars):
    merged = of(RETURNS, gap_bars).merged(blocks)
    pieces = [oracle.groups([row], blocks, gap_bars) for row in RETURNS]
    rng = np.random.default_rng(blocks)
    for _ in range(5):
        mask = rng.random(blocks) < 0.5
        chosen = np.flatnonzero(mask)
        parts = [np.concatenate([np.zeros(0), *(row[b] for b in chosen)]) for row in pieces]
        wanted = [oracle.sharpe(part) for part in parts]
        assert merged.sharpes(mask) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
        assert int(merged.counts[mask].sum()) == len(parts[0])


def test_the_union_of_datasets_is_the_union_of_each_block():
    other = np.random.default_rng(6).normal(0, 0.01, (4, 77))
    both = united([of(RETURNS), of(other)])
    everything = np.ones(16, dtype=np.bool_)
    wanted = [oracle.sharpe(oracle.whole(pair)) for pair in zip(RETURNS, other, strict=True)]
    assert both.sharpes(everything) == pytest.approx(wanted, rel=1e-9)
    assert both.counts.tolist() == (of(RETURNS).counts + of(other).counts).tolist()
    assert united([both]).sums.tobytes() == both.sums.tobytes()


def test_merging_leaves_what_it_merges_alone():
    moments = of(RETURNS)
    before = moments.sums.copy()
    moments.merged(1)
    moments.merged(16).sums[:] = 0.0
    assert moments.sums.tobytes() == before.tobytes()
    assert (moments.candidates, moments.blocks) == (4, 16)


@pytest.mark.parametrize("bars", [0, 1])
def test_fewer_than_two_returns_have_no_sharpe_ratio(bars):
    one = BlockMoments(np.array([bars]), np.full((1, 1), bars * 0.5), np.full((1, 1), bars * 0.25))
    assert one.sharpes(np.array([True])).tolist() == [0.0]


def test_returns_that_never_move_have_none_either():
    one = BlockMoments(np.array([12]), np.array([[3.0], [0.0]]), np.array([[0.75], [0.0]]))
    assert one.sharpes(np.array([True])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("counts", "sums", "said"),
    [
        ([1, 1], [[0.0]], "shapes"),
        ([1], [0.0], "shapes"),
        ([], [[]], "no candidate"),
        ([-1], [[0.0]], "negative"),
        ([1, 1], [[0.0, 0.0], [0.0, np.nan]], "candidate 1"),
        ([1, 1], [[np.inf, 0.0], [0.0, 0.0]], "candidate 0"),
    ],
)
def test_sums_that_cannot_be_are_refused(counts, sums, said):
    values = np.array(sums, dtype=np.float64)
    with pytest.raises(ContractError, match=said) as refused:
        BlockMoments(np.array(counts, dtype=np.int64), values, values**2)
    assert refused.value.code == "BLOCK_MOMENTS_INVALID"


def test_datasets_of_different_candidates_cannot_be_united():
    for parts in ([], [of(RETURNS), of(RETURNS[:2])]):
        with pytest.raises(ContractError, match="BLOCK_MOMENTS_INVALID"):
            united(parts)
