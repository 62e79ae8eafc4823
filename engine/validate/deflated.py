"""How likely a Sharpe ratio is luck: probabilistic and deflated Sharpe ratio, pure formulas.

All per bar, not annualised. Bailey, D. H. and López de Prado, M. (2014), *The deflated Sharpe
ratio: correcting for selection bias, backtest overfitting and non-normality*. The moments come
from the caller; whether the *choice* is overfitted is ``overfitting``.
"""

from __future__ import annotations

import math
from typing import Final

from contracts.errors import ContractError
from engine.mathx import normal_quantile
from engine.stats import normal_cdf

_EULER_GAMMA: Final = 0.5772156649015329
NO_DEVIATION: Final = "the Sharpe ratio's own variance is not positive"
"""Why `probabilistic_sharpe` and `deflated_sharpe` are null."""


def probabilistic_sharpe(
    sharpe: float, benchmark: float, returns: int, skewness: float, kurtosis: float
) -> float | None:
    """Probability that the true Sharpe ratio is above a benchmark.

    Parameters
    ----------
    sharpe, benchmark : float
        Per bar.
    returns : int
        Number of returns that `sharpe` was measured on.
    skewness, kurtosis : float
        Population moments of the returns; the kurtosis of a normal is 3.

    Returns
    -------
    float or None
        None where 1 − γ₃ SR + (γ₄ − 1)/4 SR² is not positive or not a number.

    Raises
    ------
    ContractError
        ``SHARPE_UNDEFINED`` for fewer than two returns.
    """
    _require_returns(returns)
    radicand = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    score = (sharpe - benchmark) * math.sqrt(returns - 1)
    if not radicand > 0.0 or math.isinf(radicand) or math.isnan(score):
        return None
    return normal_cdf(score / math.sqrt(radicand))


def expected_maximum_sharpe(candidates: int, variance: float) -> float:
    """Sharpe ratio that the best of so many candidates without skill is expected to show.

    Parameters
    ----------
    candidates : int
        Those that were really tried; one gives 0.
    variance : float
        Of the candidates' Sharpe ratios; the result is in the same unit as its root.

    Raises
    ------
    ContractError
        ``SHARPE_UNDEFINED`` for no candidate, or a variance that is negative or not a number.
    """
    if candidates < 1:
        raise _undefined(f"the best of {candidates} candidates", "count those that were tried")
    if not 0.0 <= variance < math.inf:
        hint = "give the variance (ddof 1) of the candidates' Sharpe ratios"
        raise _undefined(f"a maximum over a variance of {variance}", hint)
    if candidates == 1:
        return 0.0
    # The quantile is odd, and a small probability is exact where 1 less it is rounded.
    once = -normal_quantile(1.0 / candidates)
    twice = -normal_quantile(1.0 / (candidates * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER_GAMMA) * once + _EULER_GAMMA * twice)


def deflated_sharpe(
    sharpe: float,
    returns: int,
    skewness: float,
    kurtosis: float,
    candidates: int,
    variance: float,
) -> float | None:
    """Probability that the true Sharpe ratio is above what the best of the trials owes to luck.

    Parameters and errors are those of `probabilistic_sharpe` and `expected_maximum_sharpe`; the
    variance is taken as it is: see `null_variance` for the least that a campaign uses.
    """
    benchmark = expected_maximum_sharpe(candidates, variance)
    return probabilistic_sharpe(sharpe, benchmark, returns, skewness, kurtosis)


def null_variance(returns: int) -> float:
    """Variance of the Sharpe ratio of a series without skill: 1 / (T − 1).

    Raises
    ------
    ContractError
        ``SHARPE_UNDEFINED`` for fewer than two returns.
    """
    _require_returns(returns)
    return 1.0 / (returns - 1)


def _require_returns(returns: int) -> None:
    if returns < 2:
        raise _undefined(f"a Sharpe ratio of {returns} returns", "give at least two returns")


def _undefined(message: str, hint: str) -> ContractError:
    return ContractError("SHARPE_UNDEFINED", f"{message} is not defined", hints=(hint,))
