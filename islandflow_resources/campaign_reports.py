"""What a campaign's trials say: the leaderboard, and what all reports of a campaign share.

Each is derived once from the table of candidates and stored under its recipe. The other reports
are ``campaign_robustness`` and ``overfit_reports``; the trials, ``campaign_trials``; whether the
winner passes its gate, ``dossiers``.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.canonical import Document
from contracts.columns import CAMPAIGN_LEADERBOARD, CANDIDATES
from contracts.digest import document_digest, recipe_digest
from contracts.errors import NotFoundError
from engine import campaign as ranking
from islandflow_resources.campaign_index import CampaignIndex
from islandflow_resources.campaign_tables import CANDIDATE_TABLE, VERSION
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import (
    DerivedTable,
    Recipe,
    made_table,
    read_table,
)
from islandflow_resources.models import Artefact, CampaignCandidate
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.robustness import Row
from islandflow_resources.table_schemas import array_of, doubles_of, from_arrays

LEADERBOARD_TABLE = "campaign_leaderboard"
INDEXED = 1_000
"""Ranks that the database's index holds; the table holds all."""


def newest(
    database: Database, campaign: AnyCampaign, what: str, version: str = VERSION
) -> Artefact:
    """The newest recorded artefact of a kind that a campaign derived at a version.

    Parameters
    ----------
    version : str
        Of trials and leaderboards unless given.

    Raises
    ------
    NotFoundError
        ``CAMPAIGN_INCOMPLETE``.
    """
    own = database.artefacts(what=what, scenario_key=campaign.key)
    rows = [row for row in own if row.version == version]
    if rows:
        return max(rows, key=lambda row: (row.created_at, row.recipe_digest))
    raise NotFoundError(
        "CAMPAIGN_INCOMPLETE",
        f"the campaign {campaign.key} has no {what} yet",
        campaign.key,
        (f"run: islandflow campaign resume {campaign.key}",),
    )


def candidates_of(store: ObjectStore, database: Database, campaign: AnyCampaign) -> DerivedTable:
    """Candidates of a campaign's newest trials, verified."""
    row = newest(database, campaign, CANDIDATE_TABLE)
    table = read_table(store, row, CANDIDATES)
    return DerivedTable(row.recipe_digest, row.object_key, row.content_digest, True, table)


def make_leaderboard(
    store: ObjectStore, database: Database, campaign: AnyCampaign, run_id: str
) -> DerivedTable:
    """Rank the candidates; the first thousand enter the database's index."""
    source = candidates_of(store, database, campaign)
    recipe = campaign_recipe(
        campaign, LEADERBOARD_TABLE, VERSION, {"candidates": source.content_digest}
    )
    board = made_table(
        store, database, recipe, CAMPAIGN_LEADERBOARD, lambda: _ranked(source.table), run_id
    )
    best = board.table.slice(0, INDEXED).to_pylist()
    own, objective = campaign.spec.campaign_hash, campaign.spec.objective
    rows = [_index_row(own, objective, board.content_digest, row) for row in best]
    CampaignIndex(database).record_candidates(rows)
    return board


def indexed(
    database: Database, campaign: AnyCampaign, top: int | None = None
) -> list[CampaignCandidate]:
    """The index's rows of a campaign's newest leaderboard, best first; none without one.

    Earlier leaderboards, of other versions or of fewer datasets, stay in the index.

    Parameters
    ----------
    top : int or None
        How many of the best; all that are indexed unless given.
    """
    try:
        board = newest(database, campaign, LEADERBOARD_TABLE).content_digest
    except NotFoundError:
        return []
    own = campaign.spec.campaign_hash
    return [
        row
        for row in CampaignIndex(database).candidates(own, top)
        if row.candidate_key == _key(own, board, row.rank, str(row.metrics["set_id"]))
    ]


def campaign_recipe(
    campaign: AnyCampaign,
    what: str,
    version: str,
    inputs: dict[str, str],
    specs: Document | None = None,
) -> Recipe:
    """Recipe of what a campaign derives, in a folder of its own.

    The campaign is part of it: what says the same of two campaigns lies in the folders of both.
    """
    own: Document = {**(specs or {}), "campaign": campaign.spec.campaign_hash}
    digest = recipe_digest(what, version=version, specs=own, inputs=inputs)
    return Recipe(what, digest, f"{campaign.folder}/{what}", version, campaign.key)


def _ranked(candidates: pa.Table) -> pa.Table:
    order = ranking.rank(doubles_of(candidates["score"]), doubles_of(candidates["pooled_sharpe"]))
    ordered = candidates.take(pa.array(order))
    names = [name for name in CAMPAIGN_LEADERBOARD.names if name != "rank"]
    columns: dict[str, Any] = {name: ordered[name] for name in names}
    columns["rank"] = array_of(np.arange(1, ordered.num_rows + 1, dtype=np.int64))
    return from_arrays(CAMPAIGN_LEADERBOARD, columns)


def _key(campaign_hash: str, board: str, rank: int, set_id: str) -> str:
    return document_digest([campaign_hash, board, str(rank), set_id])


def _index_row(campaign_hash: str, objective: str, board: str, row: Row) -> CampaignCandidate:
    metrics = {
        name: row[name]
        for name in CAMPAIGN_LEADERBOARD.names
        if name not in ("rank", "strategy_id", "strategy_hash", "params", "score")
    }
    return CampaignCandidate(
        candidate_key=_key(campaign_hash, board, row["rank"], row["set_id"]),
        campaign_hash=campaign_hash,
        rank=row["rank"],
        strategy_id=row["strategy_id"],
        strategy_hash=row["strategy_hash"],
        params=json.loads(row["params"]),
        trials=row["datasets"],
        objective=objective,
        score=row["score"],
        metrics=metrics,
    )
