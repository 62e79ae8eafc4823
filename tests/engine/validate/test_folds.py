"""Folds of a walk-forward against the oracle, and what choosing in each of them gave."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.validation import WalkForwardSettings
from engine.validate import Fold, folds, walk_forward
from tests.oracles import validation as oracle

NAN = math.nan


def settings(**changes) -> WalkForwardSettings:
    return WalkForwardSettings.model_validate(changes)


def refused_by_oracle(bars: int, asked: WalkForwardSettings) -> str:
    try:
        oracle.folds(bars, asked)
    except ValueError as refusal:
        return str(refusal)
    return ""


def test_anchored_folds_train_on_all_that_came_before():
    assert folds(100, settings(folds=3, purge_bars=2, embargo_bars=1)) == (
        Fold(0, 23, 26, 50),
        Fold(0, 48, 51, 75),
        Fold(0, 73, 76, 100),
    )


def test_rolling_folds_train_on_the_part_before():
    assert folds(10, settings(folds=2, scheme="rolling")) == (Fold(0, 3, 3, 6), Fold(3, 6, 6, 10))


@given(
    st.integers(0, 400),
    st.integers(1, 20),
    st.sampled_from(["anchored", "rolling"]),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_folds_are_those_of_the_oracle_or_refused_with_it(bars, count, scheme, purge, embargo):
    asked = settings(folds=count, scheme=scheme, purge_bars=purge, embargo_bars=embargo)
    refusal = refused_by_oracle(bars, asked)
    if refusal:
        with pytest.raises(ContractError, match="WALK_FORWARD_TOO_SHORT") as refused:
            folds(bars, asked)
        assert refusal.startswith(f"{refused.value.loc}:")
        return
    wanted = oracle.folds(bars, asked)
    found = [
        ((f.train_start, f.train_stop), (f.test_start, f.test_stop)) for f in folds(bars, asked)
    ]
    assert found == [(fold.train, fold.test) for fold in wanted]


def test_a_part_that_is_too_short_is_named_with_what_would_do():
    with pytest.raises(ContractError) as refused:
        folds(20, settings(folds=9, embargo_bars=1))
    problem = refused.value.problems[0]
    assert (problem.code, problem.loc) == ("WALK_FORWARD_TOO_SHORT", "fold 0")
    assert "20 bars in 9 folds leave fold 0 2 bars to train on and 1 to test on" in problem.message
    assert problem.hints == ("set folds to 6 or fewer, or give more bars",)
    folds(20, settings(folds=6, embargo_bars=1))
    with pytest.raises(ContractError) as refused:
        folds(20, settings(folds=3, purge_bars=19))
    assert "no number of folds does" in refused.value.hints[0]


def test_each_fold_trades_the_first_of_the_best_in_training():
    train = np.array([[1.0, 3.0, 3.0], [NAN, -5.0, NAN], [NAN, NAN, NAN], [-math.inf, NAN, NAN]])
    test = np.array([[9.0, 1.0, 9.0], [9.0, 2.0, 9.0], [6.0, 9.0, 9.0], [3.0, 9.0, 9.0]])
    found = walk_forward(train, test)
    assert found.chosen.tolist() == [1, 1, 0, 0]
    assert found.test.tolist() == [1.0, 2.0, 6.0, 3.0]
    assert (found.mean, found.variance) == (3.0, pytest.approx(14 / 3))
    assert (found.mean_train, found.efficiency) == (None, None)
    said = "the objective is not defined in the training of fold 2, 3"
    assert found.reasons == {"mean_train": said, "efficiency": said}


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32), st.booleans())
def test_it_is_what_the_oracle_finds(count, sets, seed, coarse):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(0.3, 1, (2, count, sets))
    train = np.round(train) if coarse else train
    train[rng.random((count, sets)) < 0.2] = NAN
    train[:, 0] = np.nan_to_num(train[:, 0])
    rows = [[None if math.isnan(x) else x for x in row] for row in train.tolist()]
    found, wanted = walk_forward(train, test), oracle.walk_forward(rows, test.tolist())
    assert [*zip(found.chosen, found.train, found.test, strict=True)] == wanted["folds"]
    for name, other in (
        ("mean", "test_mean"),
        ("variance", "test_variance"),
        ("mean_train", "train_mean"),
        ("efficiency", "efficiency"),
    ):
        value, expected = getattr(found, name), wanted[other]
        assert (value is None) == (expected is None) == (name in found.reasons)
        assert value is None or value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_one_fold_has_no_variance_and_a_losing_training_no_efficiency():
    found = walk_forward(np.array([[-1.0]]), np.array([[2.0]]))
    assert (found.mean, found.variance, found.mean_train, found.efficiency) == (
        2.0,
        None,
        -1.0,
        None,
    )
    assert found.reasons == {
        "variance": "one fold: no variance",
        "efficiency": "the mean objective in training is not positive",
    }


def test_a_fold_whose_test_defines_nothing_is_not_left_out_of_the_mean():
    found = walk_forward(np.ones((2, 1)), np.array([[5.0], [NAN]]))
    assert (found.mean, found.variance, found.efficiency) == (None, None, None)
    said = "the objective is not defined in the test of fold 1"
    assert found.reasons == dict.fromkeys(("mean", "variance", "efficiency"), said)
    assert found.test[0] == 5.0


@pytest.mark.parametrize(
    "shapes", [((2, 3), (3, 2)), ((0, 3), (0, 3)), ((2, 0), (2, 0)), ((3,), (3,))]
)
def test_objectives_of_other_shapes_are_refused(shapes):
    with pytest.raises(ContractError, match="WALK_FORWARD_SHAPE"):
        walk_forward(*(np.ones(shape) for shape in shapes))
