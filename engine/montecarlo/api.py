"""Series of returns in, Monte Carlo summaries out: checks, numbers of paths, threads.

The interface is a batch of series under one setting; nothing that is found
depends on the number of threads. Paths are ``blocks``, statistics ``percentiles``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local
from typing import Final

import numpy as np

from contracts.errors import ContractError
from contracts.validation import MONTE_CARLO_STATISTICS, MonteCarloSettings
from engine.arrays import Floats
from engine.montecarlo import kernels as k
from engine.montecarlo.blocks import Resampler, Room
from engine.montecarlo.percentiles import GONE, Estimate, estimates, more_paths

VERSION: Final = "1"
FAN_PERCENTS: Final = (5, 25, 50, 75, 95)
"""Percentiles of an equity fan, in the order of its columns."""
_FIRST_PATHS: Final = 2_000


@dataclass(frozen=True, slots=True)
class MonteCarloOutcome:
    """What the resampled paths of one series say.

    Attributes
    ----------
    values : dict of str to float or None
        Statistics in the order of `contracts.validation.MONTE_CARLO_STATISTICS`.
    reasons : dict of str to str
        For each value that is None, why.
    standard_errors : dict of str to float or None
        Of every value; None where the value is, or where the error is infinite.
    paths : int
        How many were made; 0 for a curve that cannot be resampled.
    converged : bool
        False if `precision` was not met by `max_paths`.
    max_drawdowns : ndarray, shape (paths,), float64
        Of each path, ≤ 0.
    fan : ndarray, shape (fan_points, 5), float64
        Percentiles 5, 25, 50, 75, 95 of growth (equity / initial) over the first 1,000 paths, at
        evenly spaced points of which the last is the end; a point inside a block may have the
        growth at the block's end. NaN without paths.
    """

    values: dict[str, float | None]
    reasons: dict[str, str]
    standard_errors: dict[str, float | None]
    paths: int
    converged: bool
    max_drawdowns: Floats
    fan: Floats


def resample(
    returns: Floats, settings: MonteCarloSettings, bars_per_year: float, fan_points: int = 0
) -> MonteCarloOutcome:
    """Resample one series of returns.

    Parameters
    ----------
    returns : ndarray, shape (T,), float64
        Return of every bar, two or more. One that is not finite, or −1 or below, makes all
        statistics null.
    settings : MonteCarloSettings
    bars_per_year : float
        Annual Sharpe ratios are those per bar × √bars_per_year.
    fan_points : int
        Points of the equity fan.

    Raises
    ------
    ContractError
        ``MONTE_CARLO_RETURNS_INVALID`` for what is no series of two or more.
    """
    return _resampled(_checked(returns, ""), settings, bars_per_year, fan_points, Room())


def resample_many(
    series: Sequence[Floats],
    settings: MonteCarloSettings,
    bars_per_year: float,
    threads: int = 1,
    fan_points: int = 0,
) -> list[MonteCarloOutcome]:
    """Resample many series, in their order; see `resample`.

    Parameters
    ----------
    threads : int
        Workers, each with buffers for one series; any number gives the same bytes.

    Raises
    ------
    ContractError
        ``MONTE_CARLO_RETURNS_INVALID`` with the number of the series, before any is resampled.
    """
    for index, returns in enumerate(series):
        _checked(returns, f"series {index}")
    own = local()

    def one(returns: Floats) -> MonteCarloOutcome:
        room: Room | None = getattr(own, "room", None)
        if room is None:
            room = own.room = Room()
        return _resampled(_checked(returns, ""), settings, bars_per_year, fan_points, room)

    if threads == 1 or len(series) < 2:
        return [one(returns) for returns in series]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, series))


def _checked(returns: Floats, place: str) -> Floats:
    if returns.ndim == 1 and returns.shape[0] >= 2:
        return np.ascontiguousarray(returns, dtype=np.float64)
    raise ContractError(
        "MONTE_CARLO_RETURNS_INVALID",
        f"an array of shape {returns.shape} cannot be resampled: it is no series of 2 returns",
        place,
        ("pass the returns of one backtest of 2 or more bars",),
    )


def _resampled(
    returns: Floats,
    settings: MonteCarloSettings,
    bars_per_year: float,
    fan_points: int,
    room: Room,
) -> MonteCarloOutcome:
    if not bool(np.all(np.isfinite(returns) & (returns > -1.0))):
        return _not_resampled(fan_points)
    made = Resampler(returns, settings, bars_per_year, room)
    wanted = settings.fixed_paths or min(_FIRST_PATHS, settings.max_paths)
    paths, fan = made.walk(0, wanted, fan_points)
    found = estimates(paths, settings.ruin_drawdown)
    converged = True
    while settings.precision is not None:
        excess = max(one.excess(settings.precision) for one in found.values())
        converged = excess <= 1.0
        if converged or wanted == settings.max_paths:
            break
        done, wanted = wanted, more_paths(wanted, excess, settings.max_paths)
        paths = np.concatenate([paths, made.walk(done, wanted - done)[0]], axis=1)
        found = estimates(paths, settings.ruin_drawdown)
    return _outcome(found, paths, converged, fan)


def _outcome(
    found: dict[str, Estimate], paths: Floats, converged: bool, fan: Floats
) -> MonteCarloOutcome:
    spread = np.empty((fan.shape[1], len(FAN_PERCENTS)))
    if fan.size:
        with np.errstate(invalid="ignore"):  # between infinite growths
            spread = np.ascontiguousarray(np.percentile(fan, FAN_PERCENTS, axis=0).T)
    return MonteCarloOutcome(
        {name: one.value for name, one in found.items()},
        {name: one.reason for name, one in found.items() if one.value is None},
        {name: one.error for name, one in found.items()},
        int(paths.shape[1]),
        converged,
        paths[k.MAX_DRAWDOWN].copy(),
        spread,
    )


def _not_resampled(fan_points: int) -> MonteCarloOutcome:
    return MonteCarloOutcome(
        dict.fromkeys(MONTE_CARLO_STATISTICS),
        dict.fromkeys(MONTE_CARLO_STATISTICS, GONE),
        dict.fromkeys(MONTE_CARLO_STATISTICS),
        paths=0,
        converged=True,
        max_drawdowns=np.empty(0),
        fan=np.full((fan_points, len(FAN_PERCENTS)), np.nan),
    )
