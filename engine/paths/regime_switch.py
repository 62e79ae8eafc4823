"""Family ``regime_switch``: Markov switching between trends (Hamilton 1989).

The regime of a bar is drawn before the bar, the first from the stationary law;
it is a hidden label, stored apart from the bars.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from contracts.scenario import RegimeSwitchScenario
from engine.arrays import Floats, Labels
from engine.jit import kernel

VERSION: Final = "1"
DRAWS: Final = "regime"
BPS: Final = 1e-4
MAX_SQUARINGS: Final = 1100
AGREEMENT: Final = 1e-15


def stationary_law(transition: Floats) -> Floats:
    """Stationary law of a chain with one closed class, shape (n,).

    The lazy chain (I + P)/2 has the same law and no period; squared often enough it
    has the law in every row. Plain loops keep the sums in one order on every machine.
    """
    n = transition.shape[0]
    power = 0.5 * (np.eye(n) + transition)
    for _ in range(MAX_SQUARINGS):
        if np.ptp(power, axis=0).max() <= AGREEMENT:
            break
        squared = np.zeros_like(power)
        for k in range(n):
            squared = squared + np.outer(power[:, k], power[k, :])
        total = np.zeros(n)
        for k in range(n):
            total = total + squared[:, k]
        power = squared / total[:, None]
    return power[0]


def _cumulated(rows: Floats) -> Floats:
    """Running sums along the last axis, added from the left."""
    sums = rows.copy()
    for k in range(1, rows.shape[-1]):
        sums[..., k] = sums[..., k - 1] + rows[..., k]
    return sums


def pack(spec: RegimeSwitchScenario) -> Floats:
    """Parameters for the kernel: n, n means, n sigmas, cumulated law and rows."""
    sigma = np.array([regime.sigma for regime in spec.params.regimes]) * BPS
    drift = np.array([regime.drift for regime in spec.params.regimes]) * BPS
    transition = np.array(spec.params.transition, dtype=np.float64)
    law = _cumulated(stationary_law(transition))
    rows = _cumulated(transition)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = drift - 0.5 * sigma * sigma
    parts = (np.array([float(sigma.size)]), mean, sigma, law, rows.ravel())
    return np.concatenate(parts)


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
    """Advance by ``len(z)`` bars, see `engine.paths.kernels`; state[1] is the regime."""
    n = int(params[0])
    regime = int(state[1])
    for i in range(z.shape[0]):
        row = 1 + 2 * n if first + i == 0 else 1 + 3 * n + regime * n
        regime = 0
        while regime < n - 1 and u[i] >= params[row + regime]:
            regime += 1
        mu[i] = params[1 + regime]
        sigma[i] = params[1 + n + regime]
        r[i] = mu[i] + sigma[i] * z[i]
        gap[i] = 0.0
        label[i] = regime
    state[1] = regime
