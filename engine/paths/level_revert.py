"""Family ``level_revert``: an exact Ornstein–Uhlenbeck process on the log price.

x′ = m + (x − m)e^(−κ) + σ√((1 − e^(−2κ))/2κ) z with m = log(level), from the
start price (Uhlenbeck and Ornstein 1930).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contracts.scenario import LevelRevertScenario
from engine.arrays import Floats, Labels
from engine.jit import kernel
from engine.mathx import expm1, log

VERSION: Final = "1"
DRAWS: Final = ""
BPS: Final = 1e-4


def pack(spec: LevelRevertScenario) -> Floats:
    """Parameters for the kernel: log level, 1 − e^(−κ), conditional deviation."""
    p = spec.params
    deviation = p.sigma * BPS * math.sqrt(-expm1(-2.0 * p.kappa) / (2.0 * p.kappa))
    return np.array([log(p.level), -expm1(-p.kappa), deviation])


@kernel
def step(
    first: int,
    z: Floats,
    u: Floats,
    v: Floats,
    params: Floats,
    state: Floats,
    r: Floats,
    mu: Floats,
    sigma: Floats,
    gap: Floats,
    label: Labels,
) -> None:
    """Advance by ``len(z)`` bars, see `engine.paths.kernels`; state[0] is log price."""
    level, pull, deviation = params[0], params[1], params[2]
    x = state[0]
    for i in range(z.shape[0]):
        mean = (level - x) * pull
        step_ = mean + deviation * z[i]
        x = x + step_
        mu[i] = mean
        sigma[i] = deviation
        r[i] = step_
        gap[i] = 0.0
