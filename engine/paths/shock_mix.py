"""Family ``shock_mix``: a diffusion with Bernoulli jumps between bars.

r = −σ²/2 + σz inside the bar; with probability p a normal jump stands between a
close and the next open (Merton 1976, in discrete time). No jump in bar 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from contracts.scenario import ShockMixScenario
from engine.arrays import Floats, Labels
from engine.jit import kernel
from engine.mathx import normal_quantile

VERSION: Final = "1"
DRAWS: Final = "jump"
BPS: Final = 1e-4


def pack(spec: ShockMixScenario) -> Floats:
    """Parameters for the kernel: mean, σ, jump probability, mean and deviation."""
    p = spec.params
    sigma = p.sigma * BPS
    return np.array([-0.5 * sigma * sigma, sigma, p.p_jump, p.jump_mu * BPS, p.jump_sigma * BPS])


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
    mean, deviation, p_jump, jump_mu, jump_sigma = (
        params[0],
        params[1],
        params[2],
        params[3],
        params[4],
    )
    for i in range(z.shape[0]):
        mu[i] = mean
        sigma[i] = deviation
        r[i] = mean + deviation * z[i]
        jumps = u[i] < p_jump and first + i > 0
        gap[i] = jump_mu + jump_sigma * normal_quantile(v[i]) if jumps else 0.0
        label[i] = 1 if jumps else 0
