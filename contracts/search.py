"""How a search chooses parameter sets within a strategy's ranges, as documents.

The searches are ``engine.search``; those that learn are Optuna's, adapted in
``islandflow_resources.optuna_search``. What a trial is worth is the campaign's objective.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from contracts.document import Integer, Model, Seed

MAX_SETS: Final = 1_000_000
Trials = Annotated[Integer, Field(ge=1, le=MAX_SETS)]


class GridSearch(Model):
    """Every combination of the values of all ranges; ``points`` for a range without a step."""

    method: Literal["grid"]
    points: Annotated[Integer, Field(ge=1, le=10_000)] = 5


class RandomSearch(Model):
    """So many sets drawn uniformly and independently; equal sets are tried once."""

    method: Literal["random"]
    trials: Trials
    seed: Seed = 0


class LearningSearch(Model):
    """One of Optuna's samplers, asked for ``batch`` sets at a time and told in their order."""

    method: Literal["optuna"]
    sampler: Literal["tpe", "nsgaii"] = "tpe"
    trials: Annotated[Integer, Field(ge=1, le=10_000)]
    batch: Annotated[Integer, Field(ge=1, le=1_000)] = 16
    seed: Seed = 0


Search: TypeAlias = Annotated[
    GridSearch | RandomSearch | LearningSearch, Field(discriminator="method")
]
SEARCH: Final[TypeAdapter[Search]] = TypeAdapter(Search)
