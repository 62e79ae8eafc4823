"""Campaigns: which candidate is best, and whether its evidence passes the gate.

Verbs: `summarise` the metrics of candidates over datasets, `rank` them, `judge` the best by a gate.
Trials are ``engine.backtest.run_sweep``, what may be chosen is ``engine.search``, how much is luck
``engine.montecarlo`` and ``engine.validate``; the loop over all of it reads and writes the store,
and is ``islandflow_resources.campaign_trials``.
"""

from typing import Final

from engine.campaign.gate import Evidence, judge
from engine.campaign.ranking import CandidateSummary, rank, summarise

VERSION: Final = "1"

__all__ = ["VERSION", "CandidateSummary", "Evidence", "judge", "rank", "summarise"]
