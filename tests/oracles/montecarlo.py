"""Monte Carlo of docs/validation.md, path by path and bar by bar.

Written from that page alone; nothing is imported from the engine, and speed is of no concern.
Uniforms come from tests/oracles/philox.py. Walk-forward and overfitting control have their oracle
in tests/oracles/validation.py.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from contracts.validation import MonteCarloSettings
from tests.oracles.philox import stream, uniform

YEAR_DAYS = 252
FIRST_PATHS = 2_000
STEP_PATHS = 1_000
MOST_GROWTH = 4
MARGIN = 1.1
Z = 1.96
BELOW_ONE = 1 - 2.0**-53
PERCENTILES = {
    "sharpe_p5": ("sharpe", 5),
    "sharpe_p50": ("sharpe", 50),
    "sharpe_p95": ("sharpe", 95),
    "max_drawdown_p95": ("max_drawdown", 5),
    "profit_factor_p5": ("profit_factor", 5),
    "total_return_p5": ("total_return", 5),
    "total_return_p50": ("total_return", 50),
}
NO_PATH = "no path defines it"
NO_LOSS = "no losing bar"


@dataclass
class Path:
    """What is said of one path; ``profit_factor`` is None if the path never moves."""

    sharpe: float
    max_drawdown: float
    profit_factor: float | None
    total_return: float


@dataclass
class Summary:
    """Reported statistics, why one is None, and how sure they are.

    ``errors`` are standard errors, ``allowed`` what `precision` lets them be; a statistic without
    deviation has neither. ``rounds`` lists the numbers of paths after which it was looked.
    """

    values: dict[str, float | None]
    reasons: dict[str, str]
    paths: list[Path]
    converged: bool = True
    errors: dict[str, float] = field(default_factory=dict)
    allowed: dict[str, float] = field(default_factory=dict)
    rounds: list[int] = field(default_factory=list)


def returns_of(equity: Sequence[float], initial_cash: float) -> list[float] | None:
    """Return of every bar; None for a curve that falls to zero or below."""
    if min(equity) <= 0:
        return None
    return [after / before - 1 for before, after in itertools.pairwise([initial_cash, *equity])]


def blocks(settings: MonteCarloSettings, path: int, bars: int) -> Iterator[tuple[int, int]]:
    """First bar and length of each block of a path, without end."""
    number = stream(f"montecarlo/{settings.method}")
    for j in itertools.count():
        index = path * 2**32 + j
        u = min(uniform(settings.seed, number, index, 0), BELOW_ONE)
        yield math.floor(u * bars), _length(settings, number, index)


def _length(settings: MonteCarloSettings, number: int, index: int) -> int:
    mean = settings.block_bars
    if settings.method == "circular":
        return mean
    v = min(uniform(settings.seed, number, index, 1), BELOW_ONE)
    return 1 if mean == 1 else 1 + math.floor(math.log(v) / math.log(1 - 1 / mean))


def resample(returns: Sequence[float], settings: MonteCarloSettings, path: int) -> list[float]:
    """Put the returns of a path together, one bar after the other."""
    bars = len(returns)
    made: list[float] = []
    for start, length in blocks(settings, path, bars):
        for i in range(length):
            if len(made) == bars:
                return made
            made.append(returns[(start + i) % bars])
    raise AssertionError("blocks never end")


def sharpe(returns: Sequence[float], bars_per_day: float) -> float:
    """Annual Sharpe ratio; 0 if all returns are equal."""
    if min(returns) == max(returns):
        return 0.0
    mean = math.fsum(returns) / len(returns)
    variance = math.fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1)
    return mean / math.sqrt(variance) * math.sqrt(YEAR_DAYS * bars_per_day)


def measure(returns: Sequence[float], bars_per_day: float) -> Path:
    """Walk the equity of a path and say what became of it."""
    equity, peak, drawdown = 1.0, 1.0, 0.0
    for r in returns:
        equity *= 1 + r
        peak = max(peak, equity)
        drawdown = min(drawdown, equity / peak - 1)
    gains = math.fsum(r for r in returns if r > 0)
    losses = -math.fsum(r for r in returns if r < 0)
    factor = None if gains == losses == 0 else math.inf if losses == 0 else gains / losses
    return Path(sharpe(returns, bars_per_day), drawdown, factor, equity - 1)


def percentile(values: Sequence[float], q: float) -> float:
    """Linear interpolation at (N − 1) q / 100; infinite if a value it takes part of is."""
    ranked = sorted(values)
    place = (len(ranked) - 1) * q / 100
    low, part = math.floor(place), place - math.floor(place)
    if part == 0:
        return ranked[low]
    if math.isinf(ranked[low + 1]):
        return ranked[low + 1]
    return ranked[low] + part * (ranked[low + 1] - ranked[low])


def places(n: int, q: float) -> tuple[int, int]:
    """Places, counted from 0, of the 95 % interval of percentile q among n sorted values."""
    share = q / 100
    d = Z * math.sqrt(n * share * (1 - share))
    return max(math.floor(n * share - d), 0), min(math.ceil(n * share + d), n - 1)


def standard_error(values: Sequence[float], q: float) -> float:
    """Of percentile q: its 95 % interval over twice 1.96."""
    ranked = sorted(values)
    low, high = places(len(ranked), q)
    return (ranked[high] - ranked[low]) / (2 * Z)


def summarise(paths: list[Path], settings: MonteCarloSettings) -> Summary:
    """Percentiles and shares of the paths."""
    found = Summary({}, {}, paths)
    for name, (statistic, q) in PERCENTILES.items():
        values = _defined(paths, statistic)
        value = percentile(values, q) if values else None
        if value is None or math.isinf(value):
            found.reasons[name] = NO_PATH if value is None else NO_LOSS
            value = None
        found.values[name] = value
    found.values |= _shares(paths, settings.ruin_drawdown)
    return found


def _shares(paths: list[Path], ruin_drawdown: float) -> dict[str, float]:
    return {
        "probability_of_loss": sum(path.total_return < 0 for path in paths) / len(paths),
        "probability_of_ruin": sum(path.max_drawdown <= -ruin_drawdown for path in paths)
        / len(paths),
    }


def _defined(paths: list[Path], statistic: str) -> list[float]:
    values = (getattr(path, statistic) for path in paths)
    return [value for value in values if value is not None]


def _deviation(values: Sequence[float]) -> float | None:
    """Deviation over the paths; None where all are equal, one is infinite, or fewer than two."""
    if len(values) < 2 or any(math.isinf(value) for value in values):
        return None
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1)) if min(values) < max(values) else None


def _judge(found: Summary, epsilon: float, ruin_drawdown: float) -> float:
    """Write down standard errors and what they may be; return the largest ratio of the two."""
    for name, (statistic, q) in PERCENTILES.items():
        values = _defined(found.paths, statistic)
        deviation = _deviation(values)
        if deviation is not None:
            found.errors[name] = standard_error(values, q)
            found.allowed[name] = epsilon * deviation
    for name, p in _shares(found.paths, ruin_drawdown).items():
        found.errors[name] = math.sqrt(p * (1 - p) / len(found.paths))
        found.allowed[name] = epsilon
    return max(found.errors[name] / found.allowed[name] for name in found.errors)


def next_count(paths: int, ratio: float, max_paths: int) -> int:
    """Number of paths after `paths`, whose largest error is `ratio` of what is allowed."""
    wanted = min(math.ceil(MARGIN * paths * ratio**2), MOST_GROWTH * paths)
    return min(math.ceil(wanted / STEP_PATHS) * STEP_PATHS, max_paths)


def fixed(returns: Sequence[float], settings: MonteCarloSettings, bars_per_day: float) -> Summary:
    """Exactly as many paths as asked for."""
    count = settings.fixed_paths
    assert count is not None
    return summarise(_paths(returns, settings, bars_per_day, range(count)), settings)


def precision(
    returns: Sequence[float], settings: MonteCarloSettings, bars_per_day: float
) -> Summary:
    """As many paths as the standard errors ask for, but `max_paths` at most."""
    assert settings.precision is not None
    paths: list[Path] = []
    rounds: list[int] = []
    count = min(FIRST_PATHS, settings.max_paths)
    while True:
        paths += _paths(returns, settings, bars_per_day, range(len(paths), count))
        rounds.append(count)
        found = summarise(paths, settings)
        ratio = _judge(found, settings.precision, settings.ruin_drawdown)
        found.rounds, found.converged = rounds, ratio <= 1
        if found.converged or count == settings.max_paths:
            return found
        count = next_count(count, ratio, settings.max_paths)


def _paths(
    returns: Sequence[float], settings: MonteCarloSettings, bars_per_day: float, numbers: range
) -> list[Path]:
    return [measure(resample(returns, settings, number), bars_per_day) for number in numbers]


def simulate(
    returns: Sequence[float], settings: MonteCarloSettings, bars_per_day: float
) -> Summary:
    """`fixed` or `precision`, as the settings say."""
    make = fixed if settings.precision is None else precision
    return make(returns, settings, bars_per_day)
