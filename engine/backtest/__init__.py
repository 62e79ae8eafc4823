"""Backtests: programs on bars under costs become equity, trades and metrics.

Verbs: `run` a batch of evaluations over shared datasets, `audit` what was stored,
`summarise_seeds` over seeds. The language of the
programs is ``engine.dsl``; the documents are ``contracts.backtest``.
"""

from engine.backtest.api import VERSION, Dataset, Evaluation, Outcome, run
from engine.backtest.audit import audit
from engine.backtest.summary import SeedResult, summarise_seeds

__all__ = [
    "VERSION",
    "Dataset",
    "Evaluation",
    "Outcome",
    "SeedResult",
    "audit",
    "run",
    "summarise_seeds",
]
