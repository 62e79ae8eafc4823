"""Pressure and vacuum around the best prices: one dense grid a bin.

`GridMachine` takes batches of `engine.book.Events` and gives `Bins` as they close. What is
computed is said, to the operation, in ``docs/order-book.md``.
"""

from engine.grid.api import VERSION, Bins, GridMachine

__all__ = ["VERSION", "Bins", "GridMachine"]
