"""Do bars have the parameters of their scenario? Estimates over many seeds.

Every estimate is a value from stored columns beside the value the document claims and
the deviation sampling gives it; `rejected` judges all of them at one level with
Bonferroni's correction. ``python -m benchmarks.studies.paths_calibration`` prints the long
study as a markdown table; its short form is tests/engine/paths/test_calibration.py.
"""

import json
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from contracts.scenario import load_scenario
from engine.paths import Bars, simulate

BPS = 1e-4
LEVEL = 0.01
SEEDS = 100
BARS = 20_000
Document = dict[str, Any]
Floats = np.ndarray


@dataclass(frozen=True)
class Estimate:
    """One parameter: what the document claims, what the bars say, and how surely."""

    name: str
    claimed: float
    found: float
    deviation: float

    @property
    def score(self) -> float:
        """Distance from the claim in deviations."""
        return (self.found - self.claimed) / self.deviation


STUDIES: dict[str, Document] = {
    "trend": {"drift": 1.5, "sigma": 150.0},
    "mean_revert": {"kappa": 0.15, "theta": 0.4, "sigma": 10.0},
    "level_revert": {"kappa": 0.02, "sigma": 25.0, "level": 120_000.0},
    "vol_cluster": {"omega": 2.0, "alpha": 0.06, "beta": 0.88, "mu": 0.3},
    "shock_mix": {"p_jump": 0.02, "jump_mu": -3.0, "jump_sigma": 60.0, "sigma": 12.0},
    "regime_switch": {
        "regimes": [{"drift": 4.0, "sigma": 20.0}, {"drift": -6.0, "sigma": 60.0}],
        "transition": [[0.97, 0.03], [0.08, 0.92]],
    },
}
"""Parameters of the study, on a grid so fine that rounding does not show."""


def scenario(family: str, params: Document, bars: int) -> Document:
    """Return a whole document with a fine grid around the parameters."""
    return {
        "id": family,
        "version": "0.1",
        "timeframe": "1m",
        "duration_bars": bars,
        "seed": 0,
        "family": family,
        "volume_model": "const",
        "start_price": 100_000.0,
        "tick_size": 0.001,
        "params": params,
    }


def samples(family: str, params: Document, seeds: int, bars: int) -> list[Bars]:
    """Make the bars of seeds 0 … seeds − 1."""
    spec = load_scenario(json.dumps(scenario(family, params, bars)))
    return [simulate(spec, seed) for seed in range(seeds)]


def estimates(family: str, claimed: Document, bars: Sequence[Bars]) -> list[Estimate]:
    """Estimate every parameter of the family and set it beside the claim."""
    return FAMILIES[family](claimed, bars)


def rejected(found: Sequence[Estimate], level: float = LEVEL) -> list[str]:
    """Names of the estimates that contradict their claim at the family-wise level."""
    limit = norm.isf(level / (2 * len(found)))
    return [estimate.name for estimate in found if not abs(estimate.score) <= limit]


def returns(bars: Bars) -> Floats:
    """Log return inside each bar."""
    return np.log(bars.close_ticks / bars.open_ticks)


def _normal(name: str, values: Floats, mean: float, deviation: float) -> list[Estimate]:
    n = values.size
    return [
        Estimate(f"{name} mean", mean, float(values.mean()), deviation / math.sqrt(n)),
        Estimate(
            f"{name} sigma",
            deviation,
            float(np.sqrt(np.mean((values - mean) ** 2))),
            deviation / math.sqrt(2 * n),
        ),
    ]


def _trend(p: Document, bars: Sequence[Bars]) -> list[Estimate]:
    drift, sigma = p["drift"] * BPS, p["sigma"] * BPS
    r = np.concatenate([returns(b) for b in bars])
    growth = math.exp(drift)
    spread = growth * math.sqrt(math.expm1(sigma**2) / r.size)
    mean = float(np.exp(r).mean())
    return [
        *_normal("log return", r, drift - sigma**2 / 2, sigma),
        Estimate("E[P(t+1)/P(t)]", growth, mean, spread),
    ]


def _persistence(paths: Sequence[Floats], noise: float) -> tuple[float, float]:
    """Least squares of x′ on x around a known mean, and its deviation."""
    squares = sum(float((x[:-1] ** 2).sum()) for x in paths)
    products = sum(float((x[:-1] * x[1:]).sum()) for x in paths)
    return products / squares, noise / math.sqrt(squares)


def _half_life(kappa: float, paths: Sequence[Floats], noise: float) -> Estimate:
    found, deviation = _persistence(paths, noise)
    half_life = -math.log(2) / math.log(max(found, 1e-9))
    slope = half_life / (found * abs(math.log(max(found, 1e-9))))
    return Estimate("half-life in bars", math.log(2) / kappa, half_life, slope * deviation)


def _conditional(kappa: float, sigma: float) -> float:
    return sigma * math.sqrt(-math.expm1(-2 * kappa) / (2 * kappa))


def _mean_revert(p: Document, bars: Sequence[Bars]) -> list[Estimate]:
    kappa, theta, sigma = p["kappa"], p["theta"] * BPS, p["sigma"] * BPS
    noise, decay = _conditional(kappa, sigma), math.exp(-kappa)
    stationary = sigma / math.sqrt(2 * kappa)
    paths = [returns(b) - theta for b in bars]
    everything = np.concatenate(paths)
    rest = np.concatenate([x[1:] - decay * x[:-1] for x in paths])
    first = np.array([x[0] for x in paths])
    spread = stationary * math.sqrt((1 + decay) / (1 - decay) / everything.size)
    return [
        _half_life(kappa, paths, noise),
        Estimate("theta", theta, theta + float(everything.mean()), spread),
        *_normal("innovation", rest, 0.0, noise),
        *_normal("first return", first, 0.0, stationary),
    ]


def _level_revert(p: Document, bars: Sequence[Bars]) -> list[Estimate]:
    kappa, sigma = p["kappa"], p["sigma"] * BPS
    noise, decay = _conditional(kappa, sigma), math.exp(-kappa)
    level = math.log(p["level"] * 1000)
    paths = [np.log(b.close_ticks) - level for b in bars]
    rest = np.concatenate([x[1:] - decay * x[:-1] for x in paths])
    settled = np.concatenate([x[int(20 / kappa) :] for x in paths])
    stationary = sigma / math.sqrt(2 * kappa)
    spread = stationary * math.sqrt((1 + decay) / (1 - decay) / settled.size)
    return [
        _half_life(kappa, paths, noise),
        Estimate("log level", level, level + float(settled.mean()), spread),
        *_normal("innovation", rest, 0.0, noise),
    ]


def _over_seeds(name: str, claimed: float, per_seed: Floats) -> Estimate:
    """Take seeds as independent repetitions."""
    deviation = float(per_seed.std(ddof=1)) / math.sqrt(per_seed.size)
    return Estimate(name, claimed, float(per_seed.mean()), deviation)


def _vol_cluster(p: Document, bars: Sequence[Bars]) -> list[Estimate]:
    persistence, mu = p["alpha"] + p["beta"], p["mu"] * BPS
    variance = p["omega"] * BPS**2 / (1 - persistence)
    squares = np.stack([((returns(b) - mu) ** 2 - variance) / variance for b in bars])
    one = (squares[:, 1:-1] * squares[:, :-2]).mean(axis=1)
    two = (squares[:, 2:] * squares[:, :-2]).mean(axis=1)
    # cov₂ = (α + β) cov₁ exactly, so their difference at the claim has mean zero
    gap = _over_seeds("", 0.0, two - persistence * one)
    found = float(two.mean() / one.mean())
    means = np.array([returns(b).mean() for b in bars])
    return [
        Estimate("persistence", persistence, found, gap.deviation / abs(float(one.mean()))),
        _over_seeds("variance ratio", 1.0, squares.mean(axis=1) + 1),
        _over_seeds("mu", mu, means),
        *_fitted(p, bars),
    ]


def _fitted(p: Document, bars: Sequence[Bars], fits: int = 6) -> list[Estimate]:
    """Fit GARCH(1,1) by maximum likelihood to some of the seeds; in bps.

    The likelihood estimate is biased by O(1/n): beside a deviation of O(1/√n) that is
    small for the few fits here, not for many.
    """
    from arch import arch_model

    rows = []
    for b in bars[:fits]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # arch on numpy's and pandas' newer ways
            fit = arch_model(returns(b) / BPS, p=1, q=1, rescale=False).fit(disp="off")
        values, cov = fit.params, fit.param_cov
        alpha, beta = values["alpha[1]"], values["beta[1]"]
        both = cov.loc["alpha[1]", "alpha[1]"], cov.loc["beta[1]", "beta[1]"]
        rows.append((alpha, both[0], alpha + beta, sum(both) + 2 * cov.loc["alpha[1]", "beta[1]"]))
    alpha, alpha_var, total, total_var = np.array(rows).T
    n = len(rows)
    return [
        Estimate("fitted alpha", p["alpha"], alpha.mean(), math.sqrt(alpha_var.sum()) / n),
        Estimate(
            "fitted persistence",
            p["alpha"] + p["beta"],
            total.mean(),
            math.sqrt(total_var.sum()) / n,
        ),
    ]


def _shock_mix(p: Document, bars: Sequence[Bars]) -> list[Estimate]:
    rate, sigma = p["p_jump"], p["sigma"] * BPS
    gaps = np.concatenate([np.log(b.open_ticks[1:] / b.close_ticks[:-1]) for b in bars])
    jumps = gaps[gaps != 0]
    spread = math.sqrt(rate * (1 - rate) / gaps.size)
    return [
        Estimate("jump rate", rate, jumps.size / gaps.size, spread),
        *_normal("jump", jumps, p["jump_mu"] * BPS, p["jump_sigma"] * BPS),
        *_normal("diffusion", np.concatenate([returns(b) for b in bars]), -(sigma**2) / 2, sigma),
    ]


def _regime_switch(p: Document, bars: Sequence[Bars]) -> list[Estimate]:
    transition = np.array(p["transition"])
    n = len(transition)
    system = np.vstack([transition.T - np.eye(n), np.ones(n)])
    law = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0]
    found = []
    for k, regime in enumerate(p["regimes"]):
        shares = np.array([(b.label == k).mean() for b in bars])
        found.append(_over_seeds(f"share of regime {k}", float(law[k]), shares))
        stays = np.concatenate([b.label[1:][b.label[:-1] == k] == k for b in bars])
        leave = 1 - transition[k, k]
        duration = 1 / max(1e-9, 1 - stays.mean())
        spread = math.sqrt(leave * (1 - leave) / stays.size) / leave**2
        found.append(Estimate(f"duration of regime {k}", 1 / leave, duration, spread))
        sigma = regime["sigma"] * BPS
        inside = np.concatenate([returns(b)[b.label == k] for b in bars])
        mean = regime["drift"] * BPS - sigma**2 / 2
        found.extend(_normal(f"regime {k} log return", inside, mean, sigma))
    return found


FAMILIES: dict[str, Callable[[Document, Sequence[Bars]], list[Estimate]]] = {
    "trend": _trend,
    "mean_revert": _mean_revert,
    "level_revert": _level_revert,
    "vol_cluster": _vol_cluster,
    "shock_mix": _shock_mix,
    "regime_switch": _regime_switch,
}


def main() -> int:
    """Print the long study; the exit code counts the families with a rejected claim."""
    failed = 0
    print("# Do bars have the parameters of their scenario?\n")
    print("Written by `make studies`, the long form of `tests/engine/paths/test_calibration.py`.")
    print(f"{SEEDS} seeds of {BARS:,} bars, level {LEVEL:g} a family (Bonferroni).\n")
    print("| family | parameter | claimed | found | deviation | score | |")
    print("|---|---|---|---|---|---|---|")
    for family, params in STUDIES.items():
        found = estimates(family, params, samples(family, params, SEEDS, BARS))
        bad = rejected(found)
        failed += bool(bad)
        for e in found:
            verdict = "rejected" if e.name in bad else "holds"
            print(
                f"| {family} | {e.name} | {e.claimed:.6g} | {e.found:.6g} "
                f"| {e.deviation:.2g} | {e.score:+.2f} | {verdict} |"
            )
    return failed


if __name__ == "__main__":
    sys.exit(main())
