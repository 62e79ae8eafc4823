"""Where there is nothing to learn: PBO is one half, and the deflated Sharpe ratio seldom high.

The seeds are fixed, so these hold or do not; the intervals say what chance would allow.
"""

import math

import numpy as np
import pytest
from scipy.stats import beta, norm

from engine.validate import BlockMoments, deflated_sharpe, null_variance, overfitting

pytestmark = pytest.mark.studies

SEEDS = 400
TRIALS = 1500
RETURNS = 120


@pytest.mark.parametrize("candidates", [2, 3, 10, 25])
@pytest.mark.parametrize("blocks", [4, 8])
def test_choosing_among_noise_is_overfitted_half_of_the_time(candidates, blocks):
    counts = np.full(16, 12, dtype=np.int64)
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng([seed, candidates, blocks])
        returns = rng.standard_normal((candidates, 16, 12))
        moments = BlockMoments(counts, returns.sum(axis=2), (returns**2).sum(axis=2))
        found.append(overfitting(moments, blocks).pbo)
    error = float(np.std(found, ddof=1)) / math.sqrt(SEEDS)
    assert abs(float(np.mean(found)) - 0.5) <= norm.ppf(0.995) * error


@pytest.mark.parametrize("candidates", [2, 10, 100])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_best_of_noise_is_hardly_ever_called_skill(candidates, correlation):
    high = 0
    for seed in range(TRIALS):
        rng = np.random.default_rng([seed, candidates, int(100 * correlation)])
        own = rng.standard_normal((candidates, RETURNS))
        shared = rng.standard_normal(RETURNS) if correlation else 0.0
        returns = math.sqrt(1 - correlation) * own + math.sqrt(correlation) * shared
        high += deflated_best(returns) > 0.95
    assert beta.ppf(0.99, high + 1, TRIALS - high) <= 0.05


def test_skill_that_is_large_is_called_skill():
    high = 0
    for seed in range(100):
        returns = np.random.default_rng(seed).standard_normal((10, RETURNS))
        returns[3] += 6.0 / math.sqrt(RETURNS)
        high += deflated_best(returns) > 0.95
    assert high >= 80


def deflated_best(returns: np.ndarray) -> float:
    """Deflated Sharpe ratio of the best candidate, its variance floored as the page says."""
    ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    best = int(np.argmax(ratios))
    centred = returns[best] - returns[best].mean()
    second = float((centred**2).mean())
    variance = max(float(ratios.var(ddof=1)), null_variance(RETURNS))
    found = deflated_sharpe(
        float(ratios[best]),
        RETURNS,
        float((centred**3).mean()) / second**1.5,
        float((centred**4).mean()) / second**2,
        len(ratios),
        variance,
    )
    assert found is not None
    return found
