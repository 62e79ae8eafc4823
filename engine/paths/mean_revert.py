"""Family ``mean_revert``: an Ornstein–Uhlenbeck process on returns, exact.

r′ = θ + (r − θ)e^(−κ) + σ√((1 − e^(−2κ))/2κ) z (Uhlenbeck and Ornstein 1930), the
first return from the stationary law N(θ, σ²/2κ), clamped to θ ± 8 of its
deviations.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contracts.scenario import MeanRevertScenario
from engine.arrays import Floats, Labels
from engine.jit import kernel
from engine.mathx import exp, expm1

VERSION: Final = "1"
DRAWS: Final = ""
BPS: Final = 1e-4


def pack(spec: MeanRevertScenario) -> Floats:
    """Parameters for the kernel: θ, e^(−κ), conditional and stationary deviation."""
    p = spec.params
    sigma, theta = p.sigma * BPS, p.theta * BPS
    conditional = sigma * math.sqrt(-expm1(-2.0 * p.kappa) / (2.0 * p.kappa))
    return np.array([theta, exp(-p.kappa), conditional, sigma / math.sqrt(2.0 * p.kappa)])


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
    """Advance by ``len(z)`` bars, see `engine.paths.kernels`; state[1] is the return."""
    theta, decay, conditional, stationary = params[0], params[1], params[2], params[3]
    last = state[1]
    low, high = theta - 8.0 * stationary, theta + 8.0 * stationary
    for i in range(z.shape[0]):
        fresh = first + i == 0
        mean = theta if fresh else theta + (last - theta) * decay
        deviation = stationary if fresh else conditional
        last = min(max(mean + deviation * z[i], low), high)
        mu[i] = mean
        sigma[i] = deviation
        r[i] = last
        gap[i] = 0.0
    state[1] = last
