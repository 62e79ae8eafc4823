"""Thresholds of signals: their own, by percentiles, by spread, or refused.

Those of the golden series are in test_against_oracle.py.
"""

import numpy as np
import pytest

from contracts.errors import ContractError
from engine.signals.registry import STATISTICAL, signal
from engine.signals.thresholds import thresholds

NOTHING = np.zeros(0)
VALUES = np.random.default_rng(5).normal(0.1, 2.0, 500)
ADAPTIVE = {"pfp", "spg", "msd", "ads_pfp_svac"}


def test_only_these_signals_calibrate():
    assert {name for name, one in STATISTICAL.items() if one.threshold_rule != "fixed"} == ADAPTIVE
    assert {name for name, one in STATISTICAL.items() if not one.thresholds} == ADAPTIVE


@pytest.mark.parametrize("name", sorted(STATISTICAL.keys() - ADAPTIVE))
def test_a_fixed_rule_does_not_look_at_values(name):
    one = signal(name)
    assert thresholds(one, NOTHING) == thresholds(one, VALUES) == one.thresholds


@pytest.mark.parametrize("name", ["msd", "pfp", "ads_pfp_svac"])
def test_percentiles_are_those_of_the_absolute_values(name):
    ordered, found = np.sort(np.abs(VALUES)), thresholds(signal(name), VALUES)
    assert len(found) == 6
    for level, percent in zip(found, (50, 70, 80, 90, 95, 99), strict=True):
        place = (len(ordered) - 1) * percent / 100
        low = int(place)
        between = ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])
        assert level == round(float(between), 6)


def test_a_spread_is_that_of_the_quartiles_and_of_the_tails():
    p5, p25, p75, p95 = np.percentile(VALUES, [5, 25, 75, 95])
    near, far = max(abs(p25), abs(p75)), max(abs(p5), abs(p95))
    wanted = {0.5 * (p75 - p25), p75 - p25, near, 0.5 * (near + far), far}
    assert thresholds(signal("spg"), VALUES) == tuple(sorted(round(float(x), 6) for x in wanted))


def test_equal_levels_count_once_and_those_that_round_to_0_not_at_all():
    mostly_nothing = np.concatenate([np.zeros(60), np.full(40, 0.25)])
    assert thresholds(signal("msd"), mostly_nothing) == (0.25,)
    assert thresholds(signal("msd"), np.array([1e-8] * 50 + [3.0] * 50))[-1] == 3.0
    assert thresholds(signal("spg"), np.full(7, -1.5)) == (1.5,)


@pytest.mark.parametrize("values", [NOTHING, np.zeros(40), np.full(40, 1e-9)])
@pytest.mark.parametrize("name", sorted(ADAPTIVE))
def test_values_that_give_no_threshold_are_refused(name, values):
    with pytest.raises(ContractError, match=f"no threshold of {name} follows from the") as raised:
        thresholds(signal(name), values)
    assert raised.value.code == "CALIBRATION_EMPTY"
    assert raised.value.loc == "/eval/calibration_share"
    assert f"{values.size} values" in raised.value.message
