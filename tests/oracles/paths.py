"""A scenario document and a seed made into bars the slow, obvious way.

Written from docs/scenarios.md alone, one loop over plain floats per market; it shares no
line with the engine. Random numbers come from tests/oracles/philox.py, the guards on
stored bars are in tests/oracles/guards.py.
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from tests.oracles.philox import HALVES, halves, normal, stream, uniform

BPS = 1e-4
MIN_TICKS = 100
MAX_TICKS = 10**12
STEP_NS = {
    "1m": 60 * 10**9,
    "5m": 300 * 10**9,
    "15m": 900 * 10**9,
    "1h": 3600 * 10**9,
    "4h": 4 * 3600 * 10**9,
    "1d": 24 * 3600 * 10**9,
}
VOLUME = {"mean_lots": 1000.0, "sigma": 0.5, "response": 0.3}


@dataclass
class Market:
    """Bars of a market, and what a bar is made of.

    ``prices`` holds (open, high, low, close) in ticks before rounding. ``broken`` is the
    first bar with a price outside the representable range; nothing follows it.
    """

    ts_ns: list[int] = field(default_factory=list)
    open_ticks: list[int] = field(default_factory=list)
    high_ticks: list[int] = field(default_factory=list)
    low_ticks: list[int] = field(default_factory=list)
    close_ticks: list[int] = field(default_factory=list)
    volume_lots: list[int] = field(default_factory=list)
    mu: list[float] = field(default_factory=list)
    sigma: list[float] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    prices: list[tuple[float, float, float, float]] = field(default_factory=list)
    volume: list[float] = field(default_factory=list)
    broken: int | None = None


@dataclass
class Step:
    """One bar in log prices: opens ``gap`` above the close before, returns ``r``."""

    mu: float
    sigma: float
    r: float
    gap: float = 0.0
    label: int = 0


def realise(document: dict, seed: int) -> Market:
    """Make every bar of the scenario document under the seed."""
    market = Market()
    family = document["family"]
    ranges = stream(f"paths/{family}/range")
    closes = stream(f"paths/{family}/close")
    per_tick = 1.0 / document.get("tick_size", 0.01)
    first_ns = start_ns(document.get("start_time", "2024-01-01T00:00:00Z"))
    x = math.log(document.get("start_price", 100.0))
    steps = PROCESSES[family](document["params"], _Draws(document, seed))
    for t in range(document["duration_bars"]):
        step = next(steps) if t == 0 else steps.send(x)
        a = x + step.gap
        b = a + step.r
        x = b
        high, low = _extremes(
            a, b, step.sigma, uniform(seed, ranges, t, 0), uniform(seed, ranges, t, 1)
        )
        prices = tuple(_exp(value) * per_tick for value in (a, high, low, b))
        if not all(MIN_TICKS <= price + 0.5 < MAX_TICKS + 1 for price in prices):
            market.broken = t
            return market
        opened, top, bottom, closed = (math.floor(price + 0.5) for price in prices)
        volume = _volume(document, step, normal(seed, closes, t, 1))
        market.ts_ns.append(first_ns + t * STEP_NS[document["timeframe"]])
        market.open_ticks.append(opened)
        market.high_ticks.append(max(opened, top, closed))
        market.low_ticks.append(min(opened, bottom, closed))
        market.close_ticks.append(closed)
        market.volume_lots.append(max(1, math.floor(volume + 0.5)))
        market.mu.append(step.mu)
        market.sigma.append(step.sigma)
        market.label.append(step.label)
        market.prices.append(prices)
        market.volume.append(volume)
    return market


@dataclass
class _Draws:
    document: dict
    seed: int

    def __post_init__(self) -> None:
        self.family = self.document["family"]
        self.closes = stream(f"paths/{self.family}/close")

    def z(self, t: int) -> float:
        return normal(self.seed, self.closes, t, 0)

    def normal(self, name: str, t: int, lane: int) -> float:
        return normal(self.seed, stream(f"paths/{self.family}/{name}"), t, lane)

    def below(self, name: str, t: int, p: float) -> bool:
        """Compare without rounding: an integer with an exactly scaled double."""
        return halves(self.seed, stream(f"paths/{self.family}/{name}"), t, 0) < p * HALVES

    @property
    def start(self) -> float:
        return math.log(self.document.get("start_price", 100.0))


Steps = Generator[Step, float, None]


def _trend(params: dict, draws: _Draws) -> Steps:
    drift = params["drift"] * BPS
    sigma = params["sigma"] * BPS
    mu = drift - sigma * sigma / 2
    t = 0
    while True:
        yield Step(mu, sigma, mu + sigma * draws.z(t))
        t += 1


def _conditional(kappa: float, sigma: float) -> float:
    if math.isinf(2 * kappa):
        return 0.0
    return sigma * math.sqrt(-math.expm1(-2 * kappa) / (2 * kappa))


def _mean_revert(params: dict, draws: _Draws) -> Steps:
    kappa = params["kappa"]
    theta = params["theta"] * BPS
    stationary = params["sigma"] * BPS / math.sqrt(2 * kappa)
    conditional = _conditional(kappa, params["sigma"] * BPS)
    r = theta
    t = 0
    while True:
        mu = theta if t == 0 else theta + (r - theta) * math.exp(-kappa)
        sigma = stationary if t == 0 else conditional
        r = mu + sigma * draws.z(t)
        r = min(max(r, theta - 8 * stationary), theta + 8 * stationary)
        yield Step(mu, sigma, r)
        t += 1


def _level_revert(params: dict, draws: _Draws) -> Steps:
    kappa = params["kappa"]
    level = math.log(params["level"])
    sigma = _conditional(kappa, params["sigma"] * BPS)
    x = draws.start
    t = 0
    while True:
        mu = (level - x) * -math.expm1(-kappa)
        x = yield Step(mu, sigma, mu + sigma * draws.z(t))
        t += 1


def _vol_cluster(params: dict, draws: _Draws) -> Steps:
    omega = params["omega"] * BPS * BPS
    alpha, beta = params["alpha"], params["beta"]
    mu = params["mu"] * BPS
    free = 1 - alpha - beta
    variance = omega / free if free > 0 else math.inf
    t = 0
    while True:
        z = draws.z(t)
        sigma = math.sqrt(variance)
        yield Step(mu, sigma, mu + sigma * z)
        variance = omega + (alpha * z * z + beta) * variance
        t += 1


def _shock_mix(params: dict, draws: _Draws) -> Steps:
    sigma = params.get("sigma", 10.0) * BPS
    mu = -sigma * sigma / 2
    t = 0
    while True:
        jumps = t > 0 and draws.below("jump", t, params["p_jump"])
        size = params["jump_mu"] * BPS + params["jump_sigma"] * BPS * draws.normal("jump", t, 1)
        yield Step(mu, sigma, mu + sigma * draws.z(t), size if jumps else 0.0, int(jumps))
        t += 1


def _regime_switch(params: dict, draws: _Draws) -> Steps:
    regimes = params["regimes"]
    law = stationary_law(params["transition"])
    t = 0
    while True:
        total = 0.0
        k = len(regimes) - 1
        for index, probability in enumerate(law):
            total += probability
            if draws.below("regime", t, total):
                k = index
                break
        sigma = regimes[k]["sigma"] * BPS
        mu = regimes[k]["drift"] * BPS - sigma * sigma / 2
        yield Step(mu, sigma, mu + sigma * draws.z(t), 0.0, k)
        law = params["transition"][k]
        t += 1


PROCESSES: dict[str, Callable[[dict, _Draws], Steps]] = {
    "trend": _trend,
    "mean_revert": _mean_revert,
    "level_revert": _level_revert,
    "vol_cluster": _vol_cluster,
    "shock_mix": _shock_mix,
    "regime_switch": _regime_switch,
}


def stationary_law(transition: list[list[float]]) -> list[float]:
    """Solve πP = π, Σπ = 1 exactly, by elimination over fractions."""
    n = len(transition)
    exact = [[Fraction(value) for value in row] for row in transition]
    exact = [[value / sum(row) for value in row] for row in exact]
    rows = [[exact[i][j] - (i == j) for i in range(n)] + [Fraction(0)] for j in range(n)]
    rows[-1] = [Fraction(1)] * (n + 1)
    for column in range(n):
        pivot = next(i for i in range(column, n) if rows[i][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(n):
            if i != column:
                factor = rows[i][column]
                pairs = zip(rows[i], rows[column], strict=True)
                rows[i] = [value - factor * other for value, other in pairs]
    return [float(row[-1]) for row in rows]


def _extremes(a: float, b: float, sigma: float, u: float, v: float) -> tuple[float, float]:
    square = (b - a) * (b - a)
    high = (a + b + math.sqrt(square - 2 * sigma * sigma * math.log(u))) / 2
    low = (a + b - math.sqrt(square - 2 * sigma * sigma * math.log(v))) / 2
    return high, low


def _volume(document: dict, step: Step, deviate: float) -> float:
    volume = {**VOLUME, **document.get("volume", {})}
    if document["volume_model"] == "const":
        return volume["mean_lots"]
    rise = 0.0 if step.sigma == 0 else min(abs(step.r + step.gap) / step.sigma, 10)
    return _exp(
        math.log(volume["mean_lots"]) + volume["response"] * rise + volume["sigma"] * deviate
    )


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def start_ns(text: str) -> int:
    """Read an instant such as 2024-01-01T00:00:00Z."""
    return int(datetime.fromisoformat(text).timestamp()) * 10**9
