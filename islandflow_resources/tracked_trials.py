"""Trials of a campaign told to the tracking server of the environment, if there is one.

Which trials are told is decided here: those of the best candidates first, at most as many as the
campaign says. How they are sent is ``tracking``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.backtest import METRICS
from contracts.columns import TRIAL_CHUNKS, TRIALS
from islandflow_resources.campaign_reports import newest
from islandflow_resources.campaign_trials import CHUNK_TABLE
from islandflow_resources.campaigns import ReadyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedTable, read_table
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.settings import load_settings
from islandflow_resources.tables import read_verified
from islandflow_resources.tracking import TrackedRun, experiment_name, track, tracked_trial


@dataclass(frozen=True, slots=True)
class Told:
    """What the tracking server was told.

    Attributes
    ----------
    kept : int
        Runs that it has.
    sentence : str
    problem : str or None
    """

    kept: int
    sentence: str
    problem: str | None


def track_trials(
    store: ObjectStore, database: Database, campaign: ReadyCampaign, board: DerivedTable
) -> Told | None:
    """Tell the server of the best trials; None if the environment names no server.

    Nothing that goes wrong there is raised: no result depends on it.
    """
    uri = load_settings().tracking_uri
    if not uri:
        return None
    spec = campaign.spec
    wanted = min(spec.tracking.max_runs, campaign.trials)
    report = track(
        uri,
        experiment_name(spec.id, spec.tracking.experiment),
        _runs(store, database, campaign, board, wanted),
        spec.tracking.tags,
    )
    kept = report.sent + report.known
    sentence = f"{kept} of {wanted} trials are known to the tracking server"
    return Told(
        kept, f"{sentence}: {report.problem}" if report.problem else sentence, report.problem
    )


def _runs(
    store: ObjectStore,
    database: Database,
    campaign: ReadyCampaign,
    board: DerivedTable,
    wanted: int,
) -> Iterator[TrackedRun]:
    """The best trials, chunk by chunk, each chunk read once."""
    spec = campaign.spec
    candidates = -(-wanted // len(campaign.cells))
    ranks = {row["candidate"]: row for row in board.table.slice(0, candidates).to_pylist()}
    left = wanted
    for chunk in read_table(
        store, newest(database, campaign, CHUNK_TABLE), TRIAL_CHUNKS
    ).to_pylist():
        first = chunk["first_candidate"]
        own = [one for one in ranks if first <= one < first + chunk["trials"]][:left]
        if not own:
            continue
        left -= len(own)
        table = read_verified(store, chunk["object_key"], TRIALS, chunk["content_digest"])
        for candidate in own:
            row = table.slice(candidate - first, 1).to_pylist()[0]
            yield tracked_trial(
                campaign=spec.id,
                config_hash=spec.campaign_hash,
                local_run_id=row["run_id"],
                strategy_id=chunk["strategy_id"],
                dataset_id=f"{chunk['scenario_key']}|{chunk['seed']}",
                params=json.loads(ranks[candidate]["params"]),
                settings=spec.settings,
                metrics={name: row[name] for name in METRICS},
                elapsed_s=0.0,
                run_name_prefix=spec.tracking.run_name_prefix,
            )
