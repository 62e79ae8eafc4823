"""Searches: which parameter sets of a strategy are tried.

Verbs: `axes` says what may be chosen, `make_search` makes a grid or random draws of it, a `Search`
that is asked for a `Batch` and told its scores. Searches that learn from the scores keep the same
interface in ``islandflow_resources.optuna_search``; the documents are ``contracts.search``.
"""

from engine.search.api import Batch, Search, make_search
from engine.search.axes import Axis, axes

__all__ = ["Axis", "Batch", "Search", "axes", "make_search"]
