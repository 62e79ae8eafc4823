"""Settings of Monte Carlo, walk-forward and overfitting control, as documents.

What the numbers mean is fixed in ``docs/validation.md``; the computation lives in
``engine.montecarlo`` and ``engine.validate``. The thresholds that a candidate must
pass are ``contracts.campaign.Gate``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from contracts.document import Integer, Model, Number, Seed
from contracts.problems import broken_rule

BLOCKS: Final = 16
"""Blocks that the returns of every trial are summed in."""
MONTE_CARLO_STATISTICS: Final[tuple[str, ...]] = (
    "sharpe_p5",
    "sharpe_p50",
    "sharpe_p95",
    "max_drawdown_p95",
    "profit_factor_p5",
    "total_return_p5",
    "total_return_p50",
    "probability_of_loss",
    "probability_of_ruin",
)
"""What a Monte Carlo summary reports, in the order of its columns."""


class MonteCarloSettings(Model):
    """How the returns of a backtest are resampled, and how often.

    Either ``paths`` are made, or as many as ``precision`` asks for: the largest standard error
    that any reported percentile may have, as a share of the statistic's own deviation.
    """

    method: Literal["circular", "stationary"] = "circular"
    block_bars: Annotated[Integer, Field(ge=1, le=100_000)] = 40
    paths: Annotated[Integer, Field(ge=20, le=10_000_000)] | None = None
    precision: Annotated[Number, Field(gt=0, le=0.5)] | None = None
    max_paths: Annotated[Integer, Field(ge=2_000, le=10_000_000)] = 200_000
    ruin_drawdown: Annotated[Number, Field(gt=0, le=1)] = 0.5
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.paths is not None and self.precision is not None:
            raise broken_rule(
                "paths and precision both say how many paths are made",
                'remove "precision", or "paths"',
                "precision",
            )
        return self

    @property
    def fixed_paths(self) -> int | None:
        """Number of paths; None if `precision` decides."""
        return None if self.precision is not None else (self.paths or 1_000)


class WalkForwardSettings(Model):
    """How bars are split into folds of training and test."""

    folds: Annotated[Integer, Field(ge=1, le=100)] = 5
    scheme: Literal["anchored", "rolling"] = "anchored"
    purge_bars: Annotated[Integer, Field(ge=0, le=1_000_000)] = 0
    embargo_bars: Annotated[Integer, Field(ge=0, le=1_000_000)] = 0


class OverfittingSettings(Model):
    """How the trials are split to see whether choosing among them means anything."""

    blocks: Literal[2, 4, 8, 16] = 16
    purge_bars: Annotated[Integer, Field(ge=0, le=1_000_000)] = 0
    embargo_bars: Annotated[Integer, Field(ge=0, le=1_000_000)] = 0
    probes: Annotated[Integer, Field(ge=1, le=100)] = 5

    @property
    def gap_bars(self) -> int:
        """Bars left out at the beginning of every block but the first."""
        return self.purge_bars + self.embargo_bars


MONTE_CARLO: Final[TypeAdapter[MonteCarloSettings]] = TypeAdapter(MonteCarloSettings)
WALK_FORWARD: Final[TypeAdapter[WalkForwardSettings]] = TypeAdapter(WalkForwardSettings)
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "paths or precision, not both",
    "seed as a string: at most 2^63 - 1",
)
"""Rules of the Monte Carlo settings that their JSON Schema cannot express."""
