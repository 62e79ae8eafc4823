"""Walk-forward and overfitting control of docs/validation.md, on returns and by enumeration.

Written from that page alone: no sums of blocks, every union of blocks is put together bar by bar.
Nothing is imported from the engine. Monte Carlo has its oracle in tests/oracles/montecarlo.py.

A candidate is a list of datasets, a dataset the list of its returns.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from contracts.validation import WalkForwardSettings
from tests.oracles.montecarlo import percentile

BLOCKS = 16
TESTED = 2
EULER = 0.5772156649015328606
STILL = 1e-12
ONE_CANDIDATE = "one candidate: nothing was chosen"

Candidate = Sequence[Sequence[float]]
Span = tuple[int, int]


@dataclass
class Fold:
    """First bar and the bar after the last, of training and test."""

    train: Span
    test: Span


def folds(bars: int, settings: WalkForwardSettings) -> list[Fold]:
    """Every fold; ValueError if a part is shorter than 2 bars."""
    parts = settings.folds + 1
    e = [k * bars // parts for k in range(parts + 1)]
    found = []
    for k in range(settings.folds):
        begin = 0 if settings.scheme == "anchored" else e[k]
        train = (begin, e[k + 1] - settings.purge_bars)
        test = (e[k + 1] + settings.embargo_bars, e[k + 2])
        if min(train[1] - train[0], test[1] - test[0]) < 2:
            raise ValueError(f"fold {k}: training {train} or test {test} is shorter than 2 bars")
        found.append(Fold(train, test))
    return found


def best(objectives: Sequence[float | None]) -> int:
    """First of the highest; what is undefined comes last."""
    ranked = [-math.inf if value is None else value for value in objectives]
    return ranked.index(max(ranked))


def walk_forward(
    train: Sequence[Sequence[float | None]], test: Sequence[Sequence[float | None]]
) -> dict:
    """Choice of every fold and what the folds come to.

    ``train`` and ``test`` hold the objective by fold and parameter set. A mean is taken over the
    folds where the objective is defined.
    """
    chosen = [best(objectives) for objectives in train]
    trained = [train[k][s] for k, s in enumerate(chosen)]
    tested = [test[k][s] for k, s in enumerate(chosen)]
    train_mean, test_mean = _mean(trained), _mean(tested)
    defined = [value for value in tested if value is not None]
    efficiency = None
    if train_mean is not None and test_mean is not None and train_mean > 0:
        efficiency = test_mean / train_mean
    return {
        "folds": list(zip(chosen, trained, tested, strict=True)),
        "test_mean": test_mean,
        "test_variance": statistics.variance(defined) if len(defined) > 1 else None,
        "train_mean": train_mean,
        "efficiency": efficiency,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if defined else None


def block_spans(bars: int, gap_bars: int) -> list[Span]:
    """First and one after the last bar of each of the 16 blocks; a gap may leave none."""
    e = [b * bars // BLOCKS for b in range(BLOCKS + 1)]
    starts = [e[b] + (gap_bars if b > 0 else 0) for b in range(BLOCKS)]
    return [(min(start, e[b + 1]), e[b + 1]) for b, start in enumerate(starts)]


def moments(returns: Sequence[float], gap_bars: int) -> dict:
    """What a trial keeps: number, Σr and Σr² of each block, and Σr … Σr⁴ of the whole series."""
    spans = block_spans(len(returns), gap_bars)
    pieces = [returns[first:stop] for first, stop in spans]
    return {
        "bars": [len(piece) for piece in pieces],
        "sums": [math.fsum(piece) for piece in pieces],
        "squares": [math.fsum(r**2 for r in piece) for piece in pieces],
        "powers": [math.fsum(r**k for r in returns) for k in (1, 2, 3, 4)],
    }


def groups(candidate: Candidate, count: int, gap_bars: int) -> list[np.ndarray]:
    """Returns of each of `count` groups of adjacent blocks, over all datasets of the candidate."""
    width = BLOCKS // count
    found = []
    for group in range(count):
        pieces = [np.zeros(0)]
        for returns in candidate:
            spans = block_spans(len(returns), gap_bars)
            for first, stop in spans[group * width : (group + 1) * width]:
                pieces.append(np.asarray(returns[first:stop], dtype=np.float64))
        found.append(np.concatenate(pieces))
    return found


def variance(returns: np.ndarray) -> float:
    """Sample variance; 0 if it is nothing beside the mean square, or of fewer than two."""
    n = len(returns)
    if n < 2:
        return 0.0
    squares = float(np.sum((returns - np.sum(returns) / n) ** 2))
    found = squares / (n - 1)
    return 0.0 if found <= STILL * float(np.sum(returns**2)) / n else found


def sharpe(returns: np.ndarray) -> float:
    """Sharpe ratio per bar; 0 if the returns do not vary, or are fewer than two."""
    spread = variance(returns)
    return float(np.sum(returns)) / len(returns) / math.sqrt(spread) if spread > 0 else 0.0


def whole(candidate: Candidate) -> np.ndarray:
    """Put the returns of all datasets one behind the other, gaps and all."""
    return np.concatenate([np.asarray(returns, dtype=np.float64) for returns in candidate])


def _union(pieces: list[np.ndarray], chosen: Sequence[int]) -> np.ndarray:
    return np.concatenate([pieces[g] for g in chosen] or [np.zeros(0)])


def _rest(count: int, chosen: Sequence[int]) -> list[int]:
    return [g for g in range(count) if g not in chosen]


@dataclass
class Choice:
    """One choice of in-sample groups: who was best in it, and what became of that candidate."""

    in_groups: tuple[int, ...]
    candidate: int
    in_sharpe: float
    out_sharpe: float
    rank: float
    logit: float


def choices(candidates: Sequence[Candidate], count: int, gap_bars: int) -> list[Choice]:
    """Every choice of half of the groups, in lexicographic order."""
    pieces = [groups(candidate, count, gap_bars) for candidate in candidates]
    found = []
    for chosen in itertools.combinations(range(count), count // 2):
        rest = _rest(count, chosen)
        inside = [sharpe(_union(piece, chosen)) for piece in pieces]
        outside = [sharpe(_union(piece, rest)) for piece in pieces]
        n = inside.index(max(inside))
        lower = sum(value < outside[n] for value in outside)
        equal = sum(value == outside[n] for value in outside) - 1
        rank = 1 + lower + equal / 2
        omega = rank / (len(candidates) + 1)
        logit = math.log(omega / (1 - omega))
        found.append(Choice(chosen, n, inside[n], outside[n], rank, logit))
    return found


def overfitting(candidates: Sequence[Candidate], count: int, gap_bars: int = 0) -> dict:
    """Probability of backtest overfitting, the line of degradation, probability of loss."""
    found = choices(candidates, count, gap_bars)
    total = len(found)
    below = sum(choice.logit < 0 for choice in found)
    level = sum(choice.logit == 0 for choice in found)
    x = [choice.in_sharpe for choice in found]
    y = [choice.out_sharpe for choice in found]
    line = statistics.linear_regression(x, y) if min(x) < max(x) else (None, None)
    alone = len(candidates) == 1
    return {
        "pbo": None if alone else (below + level / 2) / total,
        "reason": ONE_CANDIDATE if alone else None,
        "degradation_slope": line[0],
        "degradation_intercept": line[1],
        "probability_of_loss": sum(value < 0 for value in y) / total,
    }


def shape(returns: np.ndarray) -> tuple[float, float]:
    """Skewness and kurtosis by population moments; those of a normal if nothing varies."""
    if variance(returns) == 0:
        return 0.0, 3.0
    centred = returns - np.mean(returns)
    second = float(np.mean(centred**2))
    return float(np.mean(centred**3)) / second**1.5, float(np.mean(centred**4)) / second**2


def probabilistic_sharpe(
    ratio: float, benchmark: float, bars: int, skewness: float, kurtosis: float
) -> float:
    """PSR(benchmark) of a Sharpe ratio per bar."""
    spread = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    return float(norm.cdf((ratio - benchmark) * math.sqrt(bars - 1) / math.sqrt(spread)))


def expected_best(spread: float, tried: int) -> float:
    """SR₀: what the best of `tried` candidates without skill is expected to show."""
    if tried == 1:
        return 0.0
    normal = (1 - EULER) * norm.ppf(1 - 1 / tried) + EULER * norm.ppf(1 - 1 / (tried * math.e))
    return math.sqrt(spread) * float(normal)


def deflated_sharpe(candidates: Sequence[Candidate], tried: int | None = None) -> list[dict]:
    """DSR of every candidate; `tried` counts those without returns too."""
    series = [whole(candidate) for candidate in candidates]
    ratios = [sharpe(returns) for returns in series]
    spread = statistics.variance(ratios) if len(ratios) > 1 else 0.0
    found = []
    for returns, ratio in zip(series, ratios, strict=True):
        bars = len(returns)
        start = expected_best(max(spread, 1 / (bars - 1)), tried or len(candidates))
        skewness, kurtosis = shape(returns)
        found.append(
            {
                "sharpe": ratio,
                "skewness": skewness,
                "kurtosis": kurtosis,
                "sr0": start,
                "psr": probabilistic_sharpe(ratio, 0.0, bars, skewness, kurtosis),
                "dsr": probabilistic_sharpe(ratio, start, bars, skewness, kurtosis),
            }
        )
    return found


def cross_validated_paths(
    candidates: Sequence[Candidate], count: int, gap_bars: int = 0
) -> list[list[int]]:
    """For every path, the candidate whose returns it has in each group."""
    pieces = [groups(candidate, count, gap_bars) for candidate in candidates]
    given: list[list[int]] = [[] for _ in range(count)]
    for tested in itertools.combinations(range(count), TESTED):
        rest = _rest(count, tested)
        ratios = [sharpe(_union(piece, rest)) for piece in pieces]
        for group in tested:
            given[group].append(ratios.index(max(ratios)))
    return [list(path) for path in zip(*given, strict=True)]


def cross_validation(candidates: Sequence[Candidate], count: int, gap_bars: int = 0) -> dict:
    """Sharpe ratio of every path of combinatorial purged cross-validation, and its summary."""
    pieces = [groups(candidate, count, gap_bars) for candidate in candidates]
    ratios = [
        sharpe(np.concatenate([pieces[n][g] for g, n in enumerate(path)]))
        for path in cross_validated_paths(candidates, count, gap_bars)
    ]
    return {
        "sharpes": ratios,
        "median": percentile(ratios, 50),
        "p5": percentile(ratios, 5),
        "probability_of_loss": sum(ratio < 0 for ratio in ratios) / len(ratios),
    }


def probe_places(bars: int, probes: int) -> list[int]:
    """Number of bars of each beginning that the look-ahead probe runs."""
    return [(i + 1) * bars // (probes + 1) for i in range(probes)]
