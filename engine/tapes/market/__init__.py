"""Synthetic sessions of equities and options: four streams that one hidden state drives."""

from engine.tapes.market.api import VERSION, MarketTape
from engine.tapes.market.events import Batch, Columns

__all__ = ["VERSION", "Batch", "Columns", "MarketTape"]
