"""Synthetic streams of market-by-order events, and the scorecard of any stream."""

from engine.tapes.mbo.api import VERSION, MboTape, version
from engine.tapes.mbo.scorecard import Scorecard, Statistic, scorecard

__all__ = ["VERSION", "MboTape", "Scorecard", "Statistic", "scorecard", "version"]
