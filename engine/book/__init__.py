"""Order books from market-by-order events: apply, check, read levels.

An event is a row of `Events`; `Book` takes batches of them. The forces that books exert are
``engine.grid``.
"""

from engine.book.api import VERSION, Book
from engine.book.events import Events

__all__ = ["VERSION", "Book", "Events"]
