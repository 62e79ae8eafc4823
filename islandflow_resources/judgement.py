"""The dossier of a campaign whose trials stand: each report found or made, then judged.

The one chain of reports, for the graph, the command line and promotions alike.
"""

from __future__ import annotations

from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.campaign_robustness import make_robust
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.dossiers import Judged, make_dossier
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.overfit_reports import make_overfit_report


def judged_now(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: AnyCampaign,
    run_id: str,
) -> Judged:
    """Judge the winner of a campaign.

    Raises
    ------
    NotFoundError
        ``CAMPAIGN_INCOMPLETE`` if its trials are not there.
    """
    board = make_leaderboard(store, database, campaign, run_id)
    robust = make_robust(store, database, runtime, campaign, board, run_id)
    report = make_overfit_report(store, database, campaign, run_id)
    return make_dossier(store, database, runtime, campaign, board, robust, report, run_id)
