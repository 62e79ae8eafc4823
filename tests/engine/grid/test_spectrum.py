"""The cascade of differences and the clip, where whole streams hardly ever come.

Scores of streams are compared with the oracle in test_against_oracle.py.
"""

import math

import numpy as np
import pytest

from engine.grid.spectrum import clipped, difference


def test_differences_are_over_those_of_the_bin_before_and_zero_in_the_first():
    trace = np.full(6, 7.0)
    difference(trace, 1, 3.0, 0.5, 0)
    assert trace.tolist() == [7.0, 3.0, 0.0, 0.0, 0.0, 7.0]
    difference(trace, 1, 4.0, 0.5, 1)
    assert trace.tolist() == [7.0, 4.0, 2.0, 4.0, 8.0, 7.0]
    difference(trace, 1, 4.0, 0.5, 2)
    assert trace.tolist() == [7.0, 4.0, 0.0, -4.0, -16.0, 7.0]


def test_no_difference_is_minus_zero():
    trace = np.zeros(4)
    difference(trace, 0, -5e-324, 86_400.0, 1)
    assert trace[1:].tolist() == [0.0, 0.0, 0.0]
    assert not np.signbit(trace[1:]).any()


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0.25, 0.25), (1.5, 1.0), (-1.5, -1.0), (math.inf, 1.0), (-math.inf, -1.0), (math.nan, 0.0)],
)
def test_a_score_is_clipped_and_not_a_number_is_zero(value, wanted):
    assert clipped(value) == wanted
