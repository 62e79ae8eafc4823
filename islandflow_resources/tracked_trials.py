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
from contracts.signal_columns import SIGNAL_TRIALS
from islandflow_resources.campaign_reports import newest
from islandflow_resources.campaign_tables import CHUNK_TABLE
from islandflow_resources.campaigns import AnyCampaign, ReadyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedTable, read_table
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.robustness import Row
from islandflow_resources.settings import load_settings
from islandflow_resources.tables import read_verified
from islandflow_resources.tracking import (
    TrackedRun,
    experiment_name,
    settings_told,
    track,
    tracked_trial,
)

_SIGNAL_METRICS = (
    "tp_rate", "sl_rate", "timeout_rate", "mean_pnl_ticks", "events_per_hour", "n_signals",
    "threshold", "cooldown_bins", "median_time_to_outcome_ms", "sharpe",
)  # fmt: skip


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
    store: ObjectStore, database: Database, campaign: AnyCampaign, board: DerivedTable
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
        tracked_runs(store, database, campaign, board, wanted),
        spec.tracking.tags,
    )
    kept = report.sent + report.known
    sentence = f"{kept} of {wanted} trials are known to the tracking server"
    return Told(
        kept, f"{sentence}: {report.problem}" if report.problem else sentence, report.problem
    )


def tracked_runs(
    store: ObjectStore,
    database: Database,
    campaign: AnyCampaign,
    board: DerivedTable,
    wanted: int,
) -> Iterator[TrackedRun]:
    """The best trials, chunk by chunk, each chunk read once."""
    is_signals = isinstance(campaign, ReadyExperiment)
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
        layout = SIGNAL_TRIALS if is_signals else TRIALS
        table = read_verified(store, chunk["object_key"], layout, chunk["content_digest"])
        for candidate in own:
            row = table.slice(candidate - first, 1).to_pylist()[0]
            params = json.loads(ranks[candidate]["params"])
            if isinstance(campaign, ReadyExperiment):
                yield _signal_run(campaign, chunk, row, params)
            else:
                yield _strategy_run(campaign, chunk, row, params)


def _strategy_run(
    campaign: ReadyCampaign, chunk: Row, row: Row, params: dict[str, float]
) -> TrackedRun:
    spec = campaign.spec
    return tracked_trial(
        campaign=spec.id,
        config_hash=spec.campaign_hash,
        local_run_id=row["run_id"],
        strategy_id=chunk["strategy_id"],
        dataset_id=f"{chunk['scenario_key']}|{chunk['seed']}",
        params=params,
        settings=settings_told(spec.settings),
        metrics={name: row[name] for name in METRICS},
        elapsed_s=0.0,
        run_name_prefix=spec.tracking.run_name_prefix,
    )


def _signal_run(
    experiment: ReadyExperiment, chunk: Row, row: Row, params: dict[str, float]
) -> TrackedRun:
    """One threshold of a run: the best of its candidate's, or another of the best."""
    spec = experiment.spec
    return tracked_trial(
        campaign=spec.id,
        config_hash=spec.campaign_hash,
        local_run_id=f"{row['run_id']}-{row['set_id'][:8]}",
        strategy_id=chunk["strategy_id"],
        dataset_id=chunk["scenario_key"],
        params=params,
        settings={
            "eval_tp_ticks": str(row["tp_ticks"]),
            "eval_sl_ticks": str(row["sl_ticks"]),
            "eval_max_hold_bins": str(spec.settings.max_hold_bins),
        },
        metrics={name: row[name] for name in _SIGNAL_METRICS},
        elapsed_s=0.0,
        run_name_prefix=spec.tracking.run_name_prefix,
        variant=str(int(params["variant"])),
    )
