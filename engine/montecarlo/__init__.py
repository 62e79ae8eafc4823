"""Monte Carlo: the returns of a backtest resampled in blocks, and what could have come of them.

Verbs: `resample` one series of returns, `resample_many` on several threads. The
definition stands in ``docs/validation.md``, the settings in
``contracts.validation``; walk-forward and overfitting control live elsewhere.
"""

from engine.montecarlo.api import FAN_PERCENTS, VERSION, MonteCarloOutcome, resample, resample_many

__all__ = ["FAN_PERCENTS", "VERSION", "MonteCarloOutcome", "resample", "resample_many"]
