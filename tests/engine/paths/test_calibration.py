"""Parameters recovered from bars lie in their confidence intervals, wrong ones do not.

The estimators are those of the long study, benchmarks/studies/paths_calibration.py; seeds
are fixed. The law of highs, lows and volumes is tested in test_extremes.py.
"""

from copy import deepcopy
from functools import cache

import pytest

from benchmarks.studies.paths_calibration import STUDIES, estimates, rejected, samples
from engine.paths import Bars

pytestmark = pytest.mark.studies
SEEDS = 40
BARS = 5_000
# what a reader would see wrong: family, where in the parameters, its wrong value, what says so
WRONG = [
    ("trend", ("drift",), 3.0, "log return mean"),
    ("trend", ("drift",), 3.0, "E[P(t+1)/P(t)]"),
    ("trend", ("sigma",), 148.0, "log return sigma"),
    ("mean_revert", ("kappa",), 0.165, "half-life in bars"),
    ("mean_revert", ("theta",), 1.6, "theta"),
    ("mean_revert", ("sigma",), 9.8, "innovation sigma"),
    ("level_revert", ("kappa",), 0.023, "half-life in bars"),
    ("level_revert", ("level",), 121_000.0, "log level"),
    ("level_revert", ("sigma",), 24.6, "innovation sigma"),
    ("vol_cluster", ("beta",), 0.75, "persistence"),
    ("vol_cluster", ("beta",), 0.80, "fitted persistence"),
    ("vol_cluster", ("alpha",), 0.03, "fitted alpha"),
    ("vol_cluster", ("omega",), 2.3, "variance ratio"),
    ("vol_cluster", ("mu",), 0.5, "mu"),
    ("shock_mix", ("p_jump",), 0.022, "jump rate"),
    ("shock_mix", ("jump_mu",), 3.0, "jump mean"),
    ("shock_mix", ("jump_sigma",), 65.0, "jump sigma"),
    ("shock_mix", ("sigma",), 11.8, "diffusion sigma"),
    ("regime_switch", ("transition", 0), [0.965, 0.035], "share of regime 0"),
    ("regime_switch", ("transition", 0), [0.965, 0.035], "duration of regime 0"),
    ("regime_switch", ("transition", 1), [0.07, 0.93], "duration of regime 1"),
    ("regime_switch", ("regimes", 1, "drift"), -3.0, "regime 1 log return mean"),
    ("regime_switch", ("regimes", 0, "sigma"), 20.5, "regime 0 log return sigma"),
]


@cache
def drawn(family: str) -> list[Bars]:
    return samples(family, STUDIES[family], SEEDS, BARS)


@pytest.mark.parametrize("family", STUDIES)
def test_recovered_parameters_lie_in_their_confidence_intervals(family):
    found = estimates(family, STUDIES[family], drawn(family))
    assert rejected(found) == [], found


@pytest.mark.parametrize(("family", "place", "value", "name"), WRONG)
def test_a_wrong_parameter_is_rejected(family, place, value, name):
    claimed = deepcopy(STUDIES[family])
    inner = claimed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert name in rejected(estimates(family, claimed, drawn(family)))
