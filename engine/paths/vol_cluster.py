"""Family ``vol_cluster``: GARCH(1,1) (Bollerslev 1986, eq. 2).

r = μ + ε, ε = σₜz, σ²ₜ₊₁ = ω + αε² + βσ²ₜ, started at ω/(1 − α − β).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contracts.scenario import VolClusterScenario
from engine.arrays import Floats, Labels
from engine.jit import kernel

VERSION: Final = "1"
DRAWS: Final = ""
BPS: Final = 1e-4


def pack(spec: VolClusterScenario) -> Floats:
    """Parameters for the kernel: ω, α, β, μ and the unconditional variance."""
    p = spec.params
    omega = p.omega * BPS * BPS
    return np.array([omega, p.alpha, p.beta, p.mu * BPS, omega / (1.0 - p.alpha - p.beta)])


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
    """Advance by ``len(z)`` bars, see `engine.paths.kernels`; state[1] is σ²ₜ."""
    omega, alpha, beta, mean = params[0], params[1], params[2], params[3]
    variance = params[4] if first == 0 else state[1]
    for i in range(z.shape[0]):
        sigma[i] = variance
        variance = omega + (alpha * z[i] * z[i] + beta) * variance
    for i in range(z.shape[0]):
        deviation = math.sqrt(sigma[i])
        mu[i] = mean
        sigma[i] = deviation
        r[i] = mean + deviation * z[i]
        gap[i] = 0.0
    state[1] = variance
