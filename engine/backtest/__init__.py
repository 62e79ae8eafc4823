"""Backtests: programs on bars under costs become equity, trades and metrics.

Verbs: `run` a batch of evaluations over shared datasets, `run_sweep` many parameter
sets of one strategy, `run_windows` the same on parts of the bars, `audit` what was
stored, `summarise_seeds` over seeds, `rank_strategies` over all. The language of the
programs is ``engine.dsl``; the documents are ``contracts.backtest``.
"""

from engine.backtest.api import VERSION, Evaluation, Outcome, run
from engine.backtest.audit import audit
from engine.backtest.dataset import Dataset
from engine.backtest.moments import Moments
from engine.backtest.summary import SeedResult, rank_strategies, summarise_seeds
from engine.backtest.sweeps import SweepResult, run_sweep, run_windows
from engine.backtest.workers import Curves

__all__ = [
    "VERSION",
    "Curves",
    "Dataset",
    "Evaluation",
    "Moments",
    "Outcome",
    "SeedResult",
    "SweepResult",
    "audit",
    "rank_strategies",
    "run",
    "run_sweep",
    "run_windows",
    "summarise_seeds",
]
