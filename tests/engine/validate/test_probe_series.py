"""The probe of series passes what follows from earlier bins alone, and catches what does not.

That of strategies is in test_lookahead.py, signals are probed in tests/engine/signals/test_live.py.
"""

import numpy as np
import pytest

from engine.validate.lookahead import LookaheadProbe, probe_series

SERIES = np.random.default_rng(1).normal(0, 1, 90)


def causal(bins):
    return np.cumsum(SERIES[:bins])


def test_a_causal_series_passes_and_the_number_of_probes_is_told():
    assert probe_series(90, 2, 8, causal) == LookaheadProbe(
        8, identical=True, first_difference=None
    )


@pytest.mark.parametrize(
    "peeking",
    [
        lambda bins: SERIES[:bins] - SERIES[:bins].mean(),
        lambda bins: np.append(SERIES[1:bins], 0.0),
        lambda bins: causal(bins) * np.where(bins == 90, 1.0, 1.0 + 1e-15),
        lambda bins: np.where(np.arange(bins) == bins - 1, np.nan, SERIES[:bins]),
    ],
    ids=["mean", "shifted", "one bit", "last bin"],
)
def test_a_peeking_series_is_caught_with_the_first_place(peeking):
    found = probe_series(90, 2, 4, peeking)
    assert (found.probes, found.identical) == (4, False)
    assert found.first_difference.startswith("value ")
    assert "on the first " in found.first_difference


def test_the_first_difference_of_the_shortest_beginning_is_told():
    found = probe_series(100, 2, 3, lambda bins: np.append(np.arange(bins - 1.0), bins * 1.0))
    assert found.first_difference == "value 24 is 25.0 on the first 25 alone and 24.0 on all"


def test_not_a_number_equals_itself_and_nought_is_not_minus_nought():
    holes = np.where(np.arange(90) % 7, SERIES, np.nan)
    assert probe_series(90, 2, 5, lambda bins: holes[:bins].copy()).identical
    signed = probe_series(90, 2, 5, lambda bins: np.full(bins, 0.0 if bins == 90 else -0.0))
    assert not signed.identical


def test_beginnings_that_are_too_short_are_left_out_and_counted():
    assert probe_series(90, 50, 8, causal).probes == 4
    found = probe_series(10, 20, 3, causal)
    assert (found.probes, found.identical) == (0, False)
    assert found.first_difference == "no beginning of 10 values has the 20 that a probe needs"
    assert probe_series(0, 0, 3, causal).probes == 0
