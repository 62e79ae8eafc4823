"""All trials of a campaign, whatever it tries: strategies, or book signals."""

from __future__ import annotations

from islandflow_resources.campaign_tables import CampaignTrials
from islandflow_resources.campaign_trials import Progress, run_trials
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.executors import ChunkExecutor
from islandflow_resources.experiment_trials import run_signal_trials
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.object_store import ObjectStore


def run_campaign(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: AnyCampaign,
    executor: ChunkExecutor,
    run_id: str,
    progress: Progress,
) -> CampaignTrials:
    """Make all trials of a campaign that are not recorded yet, and gather all of them.

    Signals are tried on the threads of this process: a dataset is read once for all of them.
    """
    if isinstance(campaign, ReadyExperiment):
        return run_signal_trials(store, database, runtime, campaign, run_id, progress)
    return run_trials(store, database, runtime, campaign, executor, run_id, progress)
