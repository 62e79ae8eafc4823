"""The one interface of all searches: asked for a batch of sets, told its scores, until it ends.

Here are also the searches that know all their sets beforehand, `make_search`. Those that learn
from the scores are ``islandflow_resources.optuna_search``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from contracts.errors import ContractError
from contracts.search import GridSearch, RandomSearch
from contracts.strategy import StrategySpec
from engine.arrays import Floats
from engine.search.axes import axes
from engine.search.draws import Draws
from engine.search.grid import Grid

MAX_BATCH: Final = 100_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Parameter sets to try.

    Attributes
    ----------
    values : dict of str to ndarray, shape (size,), float64
        Values by axis; empty for a strategy without axes, whose parameters keep their defaults.
    size : int
        Number of sets.
    """

    values: dict[str, Floats]
    size: int


class Search(Protocol):
    """Parameter sets, batch by batch.

    A search that is made anew and told the same scores asks for the same sets, which is how an
    interrupted one is resumed.
    """

    @property
    def size(self) -> int:
        """Number of sets of all batches."""
        ...

    def ask(self) -> Batch | None:
        """Return the next batch, None after the last; its scores must be told before the next."""
        ...

    def tell(self, scores: Floats) -> None:
        """Take the scores of the batch that was asked for last.

        Parameters
        ----------
        scores : ndarray, shape (size of the batch,), float64
            Larger is better, NaN where it is undefined; in the order of the sets.
        """
        ...


class Turns:
    """Refuses to be asked twice, or told what was not asked for."""

    def __init__(self) -> None:
        self._pending: int | None = None

    def asked(self, size: int) -> None:
        """Note a batch; an empty one ends the search and has no scores.

        Raises
        ------
        ContractError
            ``SEARCH_OUT_OF_TURN``.
        """
        if self._pending is not None:
            message = f"a batch was asked for before the {self._pending} scores of the last"
            raise ContractError("SEARCH_OUT_OF_TURN", message, "", ("tell the scores first",))
        self._pending = size or None

    def told(self, scores: Floats) -> None:
        """Note its scores.

        Raises
        ------
        ContractError
            ``SEARCH_OUT_OF_TURN``.
        """
        if scores.shape != (self._pending,):
            wanted = "none" if self._pending is None else f"{self._pending}"
            message = f"scores of the shape {scores.shape} were told, wanted: {wanted}"
            hint = "tell one score for each set of the batch that was asked for"
            raise ContractError("SEARCH_OUT_OF_TURN", message, "", (hint,))
        self._pending = None


class ListedSearch:
    """A search whose sets do not depend on scores."""

    def __init__(self, sets: Grid | Draws) -> None:
        self._sets, self._start, self._turns = sets, 0, Turns()

    @property
    def size(self) -> int:
        """Number of sets."""
        return self._sets.size

    def ask(self) -> Batch | None:
        """Return the next batch, see `Search.ask`."""
        start, stop = self._start, min(self._start + MAX_BATCH, self.size)
        self._turns.asked(stop - start)
        if start == stop:
            return None
        self._start = stop
        return Batch(self._sets.part(start, stop), stop - start)

    def tell(self, scores: Floats) -> None:
        """Take its scores, which change nothing here."""
        self._turns.told(scores)


def make_search(spec: StrategySpec, search: GridSearch | RandomSearch) -> Search:
    """Search of a strategy's ranges.

    Raises
    ------
    ContractError
        ``SEARCH_TOO_LARGE`` for a grid beyond `contracts.search.MAX_SETS`, else as `axes`.

    Examples
    --------
    >>> from contracts.strategy import STRATEGY
    >>> spec = STRATEGY.validate_python({
    ...     "id": "x", "name": "x", "version": "0.1", "timeframe": "1m",
    ...     "rules": [{"if": "close > ma(close, n)", "then": "buy"},
    ...               {"if": "close < ma(close, n)", "then": "close"}],
    ...     "params": {"n": {"default": 20, "min": 10, "max": 30, "step": 10}},
    ...     "risk": {"sizing": {"type": "percent_equity", "percent": 100}}})
    >>> make_search(spec, GridSearch(method="grid")).ask()
    Batch(values={'n': array([10., 20., 30.])}, size=3)
    """
    if search.method == "grid":
        return ListedSearch(Grid(axes(spec), search.points))
    return ListedSearch(Draws(axes(spec), search.trials, search.seed))
