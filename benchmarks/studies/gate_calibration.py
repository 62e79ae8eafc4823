"""Does the promotion gate keep luck out and let skill in? Many whole campaigns on our markets.

Every campaign goes the way of a user's, from its document to the dossier of its winner.
``python -m benchmarks.studies.gate_calibration`` prints the long study as markdown (docs/gate.md).
Its markets and strategies are ``gate_worlds``, its sizes ``gate_sizes``, its short form is
tests/islandflow_resources/test_gate_calibration.py; the gate itself is ``engine.campaign``.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.stats import beta

from benchmarks.studies import gate_sizes as sizes
from benchmarks.studies.gate_worlds import (
    COSTLY,
    FREE,
    STRATEGIES,
    Document,
    Floats,
    campaign,
    judged,
    noise_market,
    skill_market,
    temporary_resources,
    true_ratios,
)
from contracts.campaign import Gate
from contracts.serving import Dossier
from islandflow_resources.resource_set import ResourceSet

Span: TypeAlias = tuple[float, float]
REASONS = ("trades", "out_of_sample", "deflated_sharpe", "overfitting")
"""Criteria that have columns of their own; the others share one."""
PREFACE = """# Does the gate keep luck out and let skill in?

Written by `make studies`; the short form is `tests/islandflow_resources/test_gate_calibration.py`,
the sizes, fixed beforehand, are `benchmarks/studies/gate_sizes.py`. Every campaign goes from its
document to the dossier of its winner: 100 parameter sets of one strategy on one dataset of
T = {bars:,} bars. The gate is the default one:
{gate}.

- `crossover`: long while a fast average is above a slow one, else short. Its skill lies in two
  regimes that trend up and down, {regime} bars long on average.
- `bands`, `rsi`: long below a band or where the RSI is low, short where it is high. Their skill
  lies in a price that reverts to a level.

Planted is the true Sharpe ratio · √T of the best set, after costs of 1 bp fee and 0.5 bp slippage
a fill; what the sets truly have is measured on datasets of other seeds. Intervals are Clopper and
Pearson's, two-sided. Columns of criteria: campaigns that fail it (that fail nothing else).

Power is required of `{required}`. The others show what costs power. The sets of `bands` are much
alike: the best of some blocks is often below the median in the rest, so that the probability of
overfitting is large although all of them are good. Of `rsi` few sets are good and most are not:
the variance of their ratios raises what the deflated Sharpe ratio asks of the best."""


@dataclass(frozen=True)
class Group:
    """Dossiers of campaigns that differ in their seeds, and perhaps in their strategies."""

    name: str
    dossiers: Sequence[Dossier]

    @property
    def size(self) -> int:
        """Number of campaigns."""
        return len(self.dossiers)

    @property
    def promoted(self) -> int:
        """Campaigns whose winner passes the gate."""
        return sum(one.passed for one in self.dossiers)

    @property
    def span(self) -> Span:
        """95 % interval of the share that is promoted."""
        return clopper_pearson(self.promoted, self.size)

    @property
    def failures(self) -> Counter[str]:
        """How many campaigns fail each criterion."""
        return Counter(name for one in self.dossiers for name in failed(one))

    @property
    def sole_failures(self) -> Counter[str]:
        """How many campaigns fail a criterion and no other."""
        lists = [failed(one) for one in self.dossiers]
        return Counter(names[0] for names in lists if len(names) == 1)


@dataclass(frozen=True)
class Point:
    """A point of a power curve.

    Attributes
    ----------
    target, strength : float
        Best true Sharpe ratio · √T that is meant, and what the market is given for it.
    ratios : ndarray, shape (sets,), float64
        Those of all sets, as measured.
    group : Group
    """

    target: float
    strength: float
    ratios: Floats
    group: Group


def failed(dossier: Dossier) -> list[str]:
    """Criteria that a winner does not meet."""
    return [one.name for one in dossier.criteria if not one.passed]


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> Span:
    """Two-sided exact interval of a share (Clopper, Pearson 1934)."""
    tail = (1.0 - level) / 2.0
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1.0 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def group(
    resources: ResourceSet,
    strategy: str,
    market: Document,
    settings: Document,
    seeds: Iterable[int],
) -> Group:
    """One campaign for each seed."""
    specs = [campaign(strategy, market, settings, seed) for seed in seeds]
    return Group(strategy, [judged(resources, spec) for spec in specs])


def noise_study(resources: ResourceSet, settings: Document, each: int) -> list[Group]:
    """A group for each strategy, and all of them as one; no two campaigns share a seed."""
    market = noise_market(sizes.BARS)
    groups = [
        group(resources, name, market, settings, range(1 + k * each, 1 + (k + 1) * each))
        for k, name in enumerate(STRATEGIES)
    ]
    return [*groups, Group("all", [one for part in groups for one in part.dossiers])]


def power_study(resources: ResourceSet, strategy: str) -> list[Point]:
    """Campaigns at every planted ratio, after the default costs."""
    points: list[Point] = []
    for target, strength in zip(sizes.TARGETS, sizes.STRENGTHS[strategy], strict=True):
        market = skill_market(strategy, strength, sizes.BARS)
        seeds = range(1, 1 + sizes.CAMPAIGNS[strategy])
        ratios = true_ratios(strategy, market, COSTLY, sizes.MEASURING_SEEDS)
        found = group(resources, strategy, market, COSTLY, seeds)
        points.append(Point(target, strength, ratios, found))
    return points


def luck_is_kept_out(noise: Group) -> bool:
    """The share of noise that is promoted is small, surely."""
    return noise.span[1] <= sizes.MOST_LUCK


def skill_is_let_in(points: Sequence[Point]) -> bool:
    """Where skill is large, most of it is promoted."""
    return all(
        one.group.promoted >= sizes.LEAST_POWER * one.group.size
        for one in points
        if one.target >= sizes.POWER_AT
    )


def _cells(found: Group) -> str:
    failures, sole = found.failures, found.sole_failures
    others = sum(bool({*failed(one)} - {*REASONS}) for one in found.dossiers)
    low, high = found.span
    shares = " | ".join(
        f"{failures[name] / found.size:.0%} ({sole[name] / found.size:.0%})" for name in REASONS
    )
    return (
        f"{found.size} | {found.promoted} | {found.promoted / found.size:.1%} "
        f"| {low:.1%} … {high:.1%} | {shares} | {others / found.size:.0%} |"
    )


def _print_head(*names: str) -> None:
    columns = [*names, "campaigns", "promoted", "share", "95 % interval"]
    columns += ["trades", "out of sample", "deflated Sharpe", "overfitting", "others"]
    print("\n| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))


def _print_preface() -> None:
    bounds = Gate().model_dump().items()
    gate = ", ".join(f"`{name}` {bound:g}" for name, bound in bounds if bound is not None)
    texts = {"gate": gate, "required": sizes.REQUIRED, "bars": sizes.BARS}
    print(PREFACE.format(**texts, regime=sizes.REGIME_BARS))


def _print_noise(title: str, groups: Sequence[Group]) -> None:
    print(f"\n## {title}")
    _print_head("strategy")
    for found in groups:
        print(f"| {found.name} | {_cells(found)}")


def _print_power(strategy: str, points: Sequence[Point]) -> None:
    print(f"\n## Skill, after costs: {strategy}")
    _print_head("planted", "strength", "best set", "median set", "deviation of the sets")
    for one in points:
        best, middle = float(one.ratios.max()), float(np.median(one.ratios))
        print(
            f"| {one.target:g} | {one.strength:g} | {best:.2f} | {middle:.2f} "
            f"| {float(one.ratios.std(ddof=1)):.2f} | {_cells(one.group)}"
        )


def _print_verdicts(noise: Group, curves: Mapping[str, Sequence[Point]]) -> int:
    """Say what holds; returns how much of what is required does not."""
    kept = luck_is_kept_out(noise)
    print("\n## What holds\n")
    print(f"- Of noise at most {sizes.MOST_LUCK:.0%} is promoted (required): {_word(kept)}")
    missing = int(not kept)
    for name, points in curves.items():
        let_in, required = skill_is_let_in(points), name == sizes.REQUIRED
        missing += required and not let_in
        said = f"- Of `{name}` at least {sizes.LEAST_POWER:.0%} from {sizes.POWER_AT:g} on"
        print(f"{said}{' (required)' if required else ''}: {_word(let_in)}")
    return missing


def _word(holds: bool) -> str:
    return "holds" if holds else "does not hold"


def main() -> int:
    """Print the long study; the exit code counts what is required and does not hold."""
    _print_preface()
    with temporary_resources() as resources:
        free = noise_study(resources, FREE, sizes.NOISE_CAMPAIGNS)
        _print_noise("Noise without costs", free)
        costly = noise_study(resources, COSTLY, sizes.NOISE_CAMPAIGNS_WITH_COSTS)
        _print_noise("Noise with costs", costly)
        curves = {name: power_study(resources, name) for name in sizes.CAMPAIGNS}
    for name, points in curves.items():
        _print_power(name, points)
    return _print_verdicts(free[-1], curves)


if __name__ == "__main__":
    sys.exit(main())
