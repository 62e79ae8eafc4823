"""Pictures of a campaign: parameter heat map, equity fan, drawdowns, stability over the folds.

How they are drawn is ``charts``; what is drawn, ``islandflow_resources``.
"""

import json
import math
from typing import Any

import dagster as dg

from islandflow_assets import charts
from islandflow_resources.campaign_robustness import Robust, drawn
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedTable
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.robustness import Row


def heat_map(campaign: AnyCampaign, board: DerivedTable) -> dg.MarkdownMetadataValue:
    """Scores of the best strategy over its two parameters that vary most."""
    rows = board.table.to_pylist()
    best = rows[0]["strategy_hash"]
    own = [row for row in rows if row["strategy_hash"] == best]
    sets = [json.loads(row["params"]) for row in own]
    values = {name: [one[name] for one in sets] for name in sets[0]}
    varied = {name: len(set(column)) for name, column in values.items() if len(set(column)) > 1}
    names = sorted(varied, key=lambda name: (-varied[name], name))
    x_name, y_name = (*names, "", "")[:2]
    scores = [math.nan if row["score"] is None else row["score"] for row in own]
    title = f"{campaign.key} · {campaign.spec.objective} of {rows[0]['strategy_id']}"
    x, y = values.get(x_name, [0.0] * len(sets)), values.get(y_name, [])
    return charts.heat_map(title, x, y, scores, x_name, y_name)


def pictures_of(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: AnyCampaign,
    board: DerivedTable,
    robust: Robust,
) -> dict[str, Any]:
    """Equity fan and drawdowns of the winner's first dataset, stability over the folds."""
    pictures: dict[str, Any] = {}
    seen = drawn(store, database, runtime, campaign, board)
    if seen is not None:
        name, outcome = seen
        pictures["equity_fan"] = charts.equity_fan(f"{name} · growth over the paths", outcome.fan)
        pictures["drawdowns"] = charts.distribution(
            f"{name} · deepest fall of every path",
            outcome.max_drawdowns,
            outcome.values["max_drawdown_p95"],
            "percent",
        )
    if robust.walk_forward is not None:
        rows = robust.walk_forward.table.to_pylist()
        if not rows:
            return pictures  # no candidate has a score
        title = f"{campaign.key} · {campaign.spec.objective} by fold"
        folds = max(row["fold"] for row in rows) + 1
        pictures["fold_stability"] = charts.fold_stability(
            title,
            [_objectives(rows, k, "train_objective") for k in range(folds)],
            [_objectives(rows, k, "test_objective") for k in range(folds)],
        )
    return pictures


def _objectives(rows: list[Row], fold: int, name: str) -> list[float]:
    return [row[name] for row in rows if row["fold"] == fold and row[name] is not None]
