"""Does a tape have the statistics of a real session? The short form of mbo_calibration.

The long form, with twenty seeds at three rates, is benchmarks/studies/mbo_calibration.py.
"""

import pytest

from benchmarks.studies.mbo_calibration import MARKETS, market, outcome, rejected

WRONG = {
    "join_share": {"flow": {"join_share": 0.2}},
    "modifies_per_add": {"flow": {"modifies_per_add": 1.5}},
    "touched_share": {"flow": {"market_orders_per_add": 1.5}},
    "size_p90_lots": {"lots": {"median": 1, "p90": 12, "p99": 16}},
    "distance_p75_ticks": {"flow": {"near_share": 0.1}, "depth": {"near_ticks": 80}},
    "depth_first_per_fourth": {"depth": {"first_level": 2.0}},
}
"""Changes of the specification, each with the statistic that must notice it."""


@pytest.mark.parametrize("name", MARKETS)
def test_every_band_holds_in_every_market(name):
    found = outcome(market(name, bars=12), seed=3)
    assert rejected([found]) == []
    assert found.rate == pytest.approx(500, rel=0.1)
    assert found.stray_ticks < 6


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_parameter_leaves_its_band(name):
    right = market("quiet", bars=6, events_per_second=300.0)
    wrong = type(right).model_validate({**right.document(), **WRONG[name]})
    assert name not in rejected([outcome(right, seed=1)])
    assert name in rejected([outcome(wrong, seed=1)])
