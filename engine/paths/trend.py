"""Family ``trend``: geometric Brownian motion, r = μ − σ²/2 + σz."""

from __future__ import annotations

from typing import Final

import numpy as np

from contracts.scenario import TrendScenario
from engine.arrays import Floats, Labels
from engine.jit import kernel

VERSION: Final = "1"
DRAWS: Final = ""
BPS: Final = 1e-4


def pack(spec: TrendScenario) -> Floats:
    """Parameters for the kernel: mean log return and sigma per bar."""
    sigma = spec.params.sigma * BPS
    return np.array([spec.params.drift * BPS - 0.5 * sigma * sigma, sigma])


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
    """Advance by ``len(z)`` bars, see `engine.paths.kernels`."""
    mean, deviation = params[0], params[1]
    for i in range(z.shape[0]):
        mu[i] = mean
        sigma[i] = deviation
        r[i] = mean + deviation * z[i]
        gap[i] = 0.0
