"""Sizes of the study of the gate, fixed before anything of the gate is tuned.

What they are sizes of is ``gate_worlds``; the study is ``gate_calibration``. Strengths are such
that the best set truly has the ratio that is aimed at; they were found on seeds from 3,000,000
on, which the study does not use.
"""

from __future__ import annotations

from typing import Final

BARS: Final = 4_000
SIGMA_BPS: Final = 30.0
REGIME_BARS: Final = 25

NOISE_CAMPAIGNS: Final = 80
"""For each of the three strategies."""
NOISE_CAMPAIGNS_WITH_COSTS: Final = 40
CAMPAIGNS: Final = {"crossover": 100, "bands": 50, "rsi": 50}
"""At every point of a power curve."""
MEASURING_SEEDS: Final = range(10_000_000, 10_000_200)
"""Datasets on which the true ratios are measured."""

TARGETS: Final = (2.0, 4.0, 6.0, 8.0)
"""Sharpe ratio · √T of the best set, after costs."""
STRENGTHS: Final = {
    "crossover": (4.789, 6.726, 8.473, 10.21),
    "bands": (0.01002, 0.02784, 0.05329, 0.09137),
    "rsi": (0.009471, 0.03546, 0.07965, 0.1724),
}

MOST_LUCK: Final = 0.05
"""Of noise, what may be promoted: the upper end of the interval."""
LEAST_POWER: Final = 0.8
POWER_AT: Final = 6.0
REQUIRED: Final = "crossover"
"""The strategy that this power is required of; the others show what costs power."""
