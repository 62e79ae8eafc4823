"""How the UI presents the assets: who answers for a group, which columns, how old is too old.

One table each over the whole graph, applied by `presented`; what an asset is and does stands with
the asset, in its own module. An asset that tells its columns itself keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, cast

import dagster as dg

from contracts.columns import EQUITY, GRID_BINS, GRID_ROWS, TRADES, TRIALS, TableSchema
from contracts.tape_columns import (
    BURST_LABELS,
    EQUITY_PRINTS,
    EQUITY_QUOTES,
    OPTION_NBBO,
    OPTION_PRINTS,
    PRINT_LABELS,
)
from islandflow_assets import keys
from islandflow_assets.previews import column_schema

STALE_HOURS: Final = 24
"""After so long somebody is to be told: of results nobody gathered, of campaigns without end."""
_FORGOTTEN: Final = timedelta(days=7)
_COLUMNS: Final = "dagster/column_schema"

OWNERS: Final = {
    "analysis": "team:analysis",
    "backtests": "team:research",
    "books": "team:market-data",
    "campaigns": "team:research",
    "market": "team:market-data",
    "scenarios": "team:research",
    "serving": "team:serving",
    "smart_flow": "team:flow",
    "strategies": "team:research",
    "validations": "team:research",
}
"""Who answers for the assets of a group."""

TABLES: Final[dict[str, tuple[tuple[str, TableSchema], ...]]] = {
    keys.BACKTEST_RESULT: (("equity", EQUITY), ("trades", TRADES)),
    keys.SCREENING_RESULT: (("equity", EQUITY), ("trades", TRADES)),
    keys.TRIAL_SHARES: (("trials", TRIALS),),
    keys.DATASET_CAMPAIGN: (("rows", GRID_ROWS), ("bins", GRID_BINS)),
    keys.TAPE: (
        ("option_prints", OPTION_PRINTS),
        ("option_nbbo", OPTION_NBBO),
        ("equity_prints", EQUITY_PRINTS),
        ("equity_quotes", EQUITY_QUOTES),
    ),
    keys.TAPE_LABELS: (("print_labels", PRINT_LABELS), ("burst_labels", BURST_LABELS)),
}
"""Tables of assets that store several at once; the first is what the section of columns shows."""

FRESHNESS: Final = {
    name: dg.FreshnessPolicy.time_window(
        fail_window=_FORGOTTEN, warn_window=timedelta(hours=STALE_HOURS)
    )
    for name in (keys.BACKTEST_SUMMARY, keys.LEADERBOARD)
}
"""Gathered over everything there is, by each run of `research`: only there is age a question.

What a digest names does not age. Campaigns age one by one, which a policy over a whole asset
cannot say: the sensor ``alert_staleness`` does.
"""


def presented(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets with owners, columns and freshness added to what they say themselves."""
    mapped = dg.map_asset_specs(_presented, assets)
    return cast("list[dg.AssetsDefinition]", list(mapped))


def _presented(spec: dg.AssetSpec) -> dg.AssetSpec:
    name = spec.key.to_user_string()
    shown: dict[str, Any] = {"owners": [OWNERS[str(spec.group_name)]]}
    tables = TABLES.get(name, ())
    if tables and _COLUMNS not in spec.metadata:
        told = {f"columns of {table}": column_schema(schema) for table, schema in tables}
        shown["metadata"] = {**spec.metadata, _COLUMNS: column_schema(tables[0][1]), **told}
    if name in FRESHNESS:
        shown["freshness_policy"] = FRESHNESS[name]
    return spec.replace_attributes(**shown)
