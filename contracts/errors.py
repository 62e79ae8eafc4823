"""The one error tree of islandflow, on one screen.

Every error carries one or more problems: a stable code, a sentence, a place
(JSON pointer, row or key) and hints that say what to do instead. Whether another
attempt can help is a fact of the class (`retryable`). How these become Dagster
failures lives in ``islandflow_resources.failures``; exit codes in
``islandflow_jobs.cli``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what to do about it.

    Attributes
    ----------
    code : str
        Stable upper-case name, e.g. ``SCENARIO_FIELD_UNKNOWN``.
    message : str
        What was attempted and what is wrong, in one sentence.
    loc : str
        JSON pointer into a document, or a row, key or URI; empty for the whole.
    hints : tuple of str
        What to write or run instead, best first.
    """

    code: str
    message: str
    loc: str = ""
    hints: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f" at {self.loc}" if self.loc else ""
        hint = f" (hint: {self.hints[0]})" if self.hints else ""
        return f"{self.code}{place}: {self.message}{hint}"


class IslandflowError(Exception):
    """Base of every error that islandflow raises on purpose.

    Parameters
    ----------
    code, message, loc : str
        The first problem, see `Problem`.
    hints : sequence of str
        What to do instead.
    others : sequence of Problem
        Further problems found in the same input.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        code: str,
        message: str,
        loc: str = "",
        hints: tuple[str, ...] = (),
        others: tuple[Problem, ...] = (),
    ) -> None:
        self.problems = (Problem(code, message, loc, hints), *others)
        super().__init__("; ".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the problems, so that the error survives process boundaries."""
        first, *others = self.problems
        arguments = (first.code, first.message, first.loc, first.hints, tuple(others))
        return (type(self), arguments)

    @property
    def code(self) -> str:
        """Code of the first problem."""
        return self.problems[0].code

    @property
    def message(self) -> str:
        """Sentence of the first problem."""
        return self.problems[0].message

    @property
    def loc(self) -> str:
        """Place of the first problem."""
        return self.problems[0].loc

    @property
    def hints(self) -> tuple[str, ...]:
        """Hints of the first problem."""
        return self.problems[0].hints


class ContractError(IslandflowError, ValueError):
    """A document or argument breaks its contract; nothing was written."""


class UnrepresentableError(ContractError):
    """A valid spec whose market cannot be stored as integer ticks."""


class ConfigurationError(IslandflowError, ValueError):
    """The environment is incomplete or contradicts itself."""


class NotFoundError(IslandflowError, LookupError):
    """The object or row asked for does not exist."""


class IntegrityError(IslandflowError):
    """Stored bytes are not what their digest says; only a repair may replace them."""


class ComputeError(IslandflowError, ArithmeticError):
    """A kernel stopped with a status that names a broken invariant."""


class UnavailableError(IslandflowError, ConnectionError):
    """A server did not answer or failed for now; another attempt may succeed."""

    retryable: ClassVar[bool] = True


class StoreUnavailableError(UnavailableError):
    """The object store is away, throttled, or broke off."""


class DatabaseUnavailableError(UnavailableError):
    """The database is away, restarting, or locked."""


class ClusterUnavailableError(UnavailableError):
    """The cluster that computes is away, or was lost at work."""
