"""Where the mid knows nothing of the rows, learnt signals earn nothing: the short form.

The long form, with twenty markets of 4 000 bins, is benchmarks/studies/ml_shuffled.py.
"""

from functools import cache

import numpy as np
import pytest

from benchmarks.studies.ml_shuffled import (
    ML_SIGNALS,
    PARAMS,
    earned,
    planted,
    shuffled,
    unpurged,
    worth,
)

Z_OF_SIX = 2.64
"""Six intervals at once, each of 99.2 %, hold with 95 %."""


@cache
def market():
    return planted(1500, 3)


@cache
def null():
    return shuffled(market(), 3)


def test_shuffling_keeps_the_rows_and_the_sizes_of_the_increments():
    assert null().columns is market().columns
    assert (np.isnan(null().mid_price) == np.isnan(market().mid_price)).all()
    sizes = [np.abs(np.diff(one.mid_price[one.mid_price > 0])) for one in (market(), null())]
    assert np.sort(sizes[0]).tolist() == np.sort(sizes[1]).tolist()


@pytest.mark.parametrize("signal", ML_SIGNALS, ids=lambda signal: signal.name)
def test_nothing_is_earned_on_shuffled_labels(signal):
    few = {"rounds": 12} if "rounds" in PARAMS[signal.name] else {}
    found = worth([earned(signal, null(), **few)])
    assert found.trades > 150
    assert found.holds_nothing(Z_OF_SIX)


def test_what_is_planted_is_earned():
    found = worth([earned(next(one for one in ML_SIGNALS if one.name == "knn_cl"), market())])
    assert found.trades > 150
    assert found.earns(Z_OF_SIX)


def test_without_the_purge_the_same_shuffled_market_seems_to_pay():
    found = worth([unpurged(null())])
    assert found.earns(Z_OF_SIX)
