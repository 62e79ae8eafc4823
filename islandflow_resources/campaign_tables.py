"""What the trials of a campaign and their reports are once they are made, whatever is tried.

Strategies are tried by ``campaign_trials``, book signals by ``experiment_trials``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.errors import Problem
from engine import campaign as ranking
from islandflow_resources.derived import DerivedTable
from islandflow_resources.results import VERSION as BACKTEST_VERSION

VERSION: Final = f"{BACKTEST_VERSION}.{ranking.VERSION}"
CANDIDATE_TABLE: Final = "campaign_candidates"
CHUNK_TABLE: Final = "campaign_chunks"
MONTE_CARLO_TABLE: Final = "campaign_monte_carlo"
WALK_FORWARD_TABLE: Final = "campaign_walk_forward"


@dataclass(frozen=True, slots=True)
class Robust:
    """Monte Carlo and walk-forward of the best trials; None for what was left out."""

    monte_carlo: DerivedTable | None
    walk_forward: DerivedTable | None


@dataclass(frozen=True, slots=True)
class RefusedDataset:
    """A dataset that has no trials, and why."""

    name: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class CampaignTrials:
    """Trials of a campaign, stored and recorded.

    Attributes
    ----------
    candidates, chunks : DerivedTable
        A row for each candidate, and for each chunk of trials.
    trials, made : int
        How many there are, and how many of them were computed now.
    refused : tuple of RefusedDataset
    seconds : float
    """

    candidates: DerivedTable
    chunks: DerivedTable
    trials: int
    made: int
    refused: tuple[RefusedDataset, ...]
    seconds: float
