"""What the DuckDB catalogue has views of: which keys of the store hold which table or document.

The layouts are ``contracts.columns`` and its neighbours, the SQL of a view is ``catalog_views``,
tables of the database ``catalog_rows``. Not here: the engine's checkpoints and the evidence of
published specs, which only programs read.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from contracts.columns import (
    BARS,
    CAMPAIGN_LEADERBOARD,
    CANDIDATES,
    EQUITY,
    GRID_BINS,
    GRID_ROWS,
    LABELS,
    LEADERBOARD,
    MBO_EVENTS,
    MONTE_CARLO,
    SUMMARY,
    TRADES,
    TRIAL_CHUNKS,
    TRIALS,
    WALK_FORWARD,
    TableSchema,
)
from contracts.flow_columns import DETECTIONS
from contracts.signal_columns import SIGNAL_TRADES, SIGNAL_TRIALS
from contracts.tape_columns import CONTRACTS, EVENT_CALENDAR, STREAMS, TRUTH

MAIN: Final = "main"
HIDDEN: Final = "labels"
"""Schema of the truth about tapes: a query that reads it has to say so."""

_SCENARIO: Final = (
    r"scenarios/(?P<scenario_id>[^/]+)/(?P<scenario_hash>[^/]+)/"
    r"seed=(?P<seed>\d+)/v(?P<version>[^/]+)/"
)
_TRIALS: Final = (
    r"trials/scenario=(?P<scenario_key>[^/]+)/seed=(?P<seed>\d+)/"
    r"strategy=(?P<strategy_id>[^/]+)/"
)
_BY_SIGNAL: Final = r"dataset=(?P<dataset_id>[^/]+)/signal=(?P<signal>[^/]+)/"
_CAMPAIGN: Final = r"campaigns/(?P<campaign_key>[^/]+)/"
_BACKTEST: Final = r"backtests/(?P<cache_key>[^/]+)/"
_SUMMARY: Final = r"summaries/(?P<recipe>[^/]+)/"
_BOOK: Final = (
    r"tapes/mbo/(?P<tape_id>[^/]+)/(?P<tape_hash>[^/]+)/"
    r"seed=(?P<seed>\d+)/v(?P<version>[^/]+)/"
)
_GRID: Final = r"datasets/(?P<dataset_id>[^/]+)/"
_DATASET: Final = r"scenario=[^/]+/seed=\d+/(?P<recipe>[0-9a-f]+)\.parquet"
_TAPE: Final = r"tapes/(?P<tape_id>[^/]+)/"
_TRUTH: Final = r"labels/(?P<tape_id>[^/]+)/"
_DETECTION: Final = r"detections/(?P<detection_id>[^/]+)/"
_HASHED: Final = r"[0-9a-f]+\.parquet"


class Location(NamedTuple):
    """A table as views know it.

    Attributes
    ----------
    schema : TableSchema
    pattern : str
        Regular expression of the keys; its named groups become columns of the view.
    named : str
        Name of the view; the schema's by default.
    place : str
        `MAIN` or `HIDDEN`.
    """

    schema: TableSchema
    pattern: str
    named: str = ""
    place: str = MAIN

    @property
    def name(self) -> str:
        """Name of the view."""
        return self.named or self.schema.name


class DocumentView(NamedTuple):
    """Stored JSON documents as a view.

    Attributes
    ----------
    name : str
    pattern : str
        As of `Location`.
    columns : tuple of (str, str, str)
        Name, type in SQL, and expression over ``one``.
    each : str
        Path of a list, whose elements are the rows; empty where a document is a row.
    place : str
    doc : str
        What a row is.
    """

    name: str
    pattern: str
    columns: tuple[tuple[str, str, str], ...]
    doc: str
    each: str = ""
    place: str = MAIN


LOCATIONS: Final[tuple[Location, ...]] = (
    Location(BARS, _SCENARIO + r"dataset\.parquet"),
    Location(LABELS, r"labels/" + _SCENARIO + r"labels\.parquet"),
    Location(EQUITY, _BACKTEST + r"equity\.parquet"),
    Location(TRADES, _BACKTEST + r"trades\.parquet"),
    Location(SUMMARY, _SUMMARY + r"summary\.parquet"),
    Location(LEADERBOARD, _SUMMARY + r"leaderboard\.parquet"),
    Location(TRIALS, _TRIALS + _HASHED),
    Location(CANDIDATES, _CAMPAIGN + "campaign_candidates/" + _HASHED),
    Location(TRIAL_CHUNKS, _CAMPAIGN + "campaign_chunks/" + _HASHED),
    Location(CAMPAIGN_LEADERBOARD, _CAMPAIGN + "campaign_leaderboard/" + _HASHED),
    Location(MONTE_CARLO, _CAMPAIGN + "campaign_monte_carlo/" + _HASHED),
    Location(WALK_FORWARD, _CAMPAIGN + "campaign_walk_forward/" + _HASHED),
    Location(MONTE_CARLO, "validations/monte_carlo_summary/" + _DATASET, "monte_carlo_summary"),
    Location(WALK_FORWARD, "validations/walk_forward_summary/" + _DATASET, "walk_forward_summary"),
    Location(MBO_EVENTS, _BOOK + r"events\.parquet"),
    Location(GRID_BINS, _GRID + r"bins\.parquet"),
    Location(GRID_ROWS, _GRID + r"grid\.parquet"),
    Location(SIGNAL_TRIALS, "trials/" + _BY_SIGNAL + _HASHED),
    Location(SIGNAL_TRADES, "trades/" + _BY_SIGNAL + _HASHED),
    *(
        Location(schema, f"{_TAPE}{schema.name}\\.parquet")
        for schema in (*STREAMS.values(), CONTRACTS, EVENT_CALENDAR)
    ),
    *(
        Location(schema, f"{_DETECTION}{schema.name}\\.parquet") for schema in DETECTIONS.values()
    ),
    *(
        Location(schema, f"{_TRUTH}{schema.name}\\.parquet", place=HIDDEN)
        for schema in TRUTH.values()
    ),
)  # fmt: skip
"""Every table, in the order in which they are listed."""

_TEXT: Final = "VARCHAR"
_WHOLE: Final = "BIGINT"
_REAL: Final = "DOUBLE"
_YES: Final = "BOOLEAN"
_JSON: Final = "JSON"

DOCUMENTS: Final[tuple[DocumentView, ...]] = (
    DocumentView(
        "tapes",
        _TAPE + r"manifest\.json",
        (
            ("profile_id", _TEXT, "one->>'$.profile_identity.id'"),
            ("seed", _WHOLE, "one->>'$.seed_bundle.seed'"),
            ("run_id", _TEXT, "one->>'$.run.run_id'"),
            ("run_name", _TEXT, "one->>'$.run.run_name'"),
            ("scenario_id", _TEXT, "one->>'$.run.scenario_id'"),
            ("events", _WHOLE, "one->>'$.replay_plan.event_count'"),
            ("first_ts_ns", _WHOLE, "one->>'$.replay_plan.first_ts_ns'"),
            ("last_ts_ns", _WHOLE, "one->>'$.replay_plan.last_ts_ns'"),
            ("tape_digest", _TEXT, "one->>'$.event_hashes.tape'"),
        ),
        "a synthetic tape, of its manifest",
    ),
    DocumentView(
        "tape_figures",
        r"reports/market/(?P<tape_id>[^/]+)/(?P<report>[0-9a-f]+)\.json",
        (
            ("section", _TEXT, "one->>'$.section'"),
            ("name", _TEXT, "one->>'$.name'"),
            ("value", _REAL, "one->>'$.value'"),
            ("low", _REAL, "one->>'$.low'"),
            ("high", _REAL, "one->>'$.high'"),
            ("ok", _YES, "one->>'$.ok'"),
            ("detail", _TEXT, "one->>'$.detail'"),
        ),
        "a figure that a tape was judged by, with its band",
        each="$.figures",
    ),
    DocumentView(
        "detections",
        _DETECTION + r"detection\.json",
        (
            ("tape_id", _TEXT, "one->>'$.tape_id'"),
            ("detector_version", _TEXT, "one->>'$.detector_version'"),
            ("policy_digest", _TEXT, "one->>'$.policy_digest'"),
            ("lateness_ns", _WHOLE, "one->>'$.lateness_ns'"),
            ("events", _WHOLE, "one->>'$.events'"),
            ("late", _WHOLE, "one->>'$.late'"),
            ("repeated", _WHOLE, "one->>'$.repeated'"),
        ),
        "a detection of smart flow, of its manifest",
    ),
    DocumentView(
        "detection_reports",
        r"reports/flow/(?P<detection_id>[^/]+)/(?P<report>[0-9a-f]+)\.json",
        (("score", _JSON, "one"),),
        "how a detection stands against the truth: counts, as JSON",
    ),
    DocumentView(
        "overfit_reports",
        _CAMPAIGN + r"overfit_report/(?P<report>[0-9a-f]+)\.json",
        (
            ("candidates", _WHOLE, "one->>'$.candidates'"),
            ("pbo", _REAL, "one->>'$.pbo'"),
            ("deflated_sharpe", _REAL, "one->>'$.deflated.deflated_sharpe'"),
            ("document", _JSON, "one"),
        ),
        "how likely the best candidate of a campaign was best by luck",
    ),
    DocumentView(
        "dossiers",
        _CAMPAIGN + r"promotion_dossier/(?P<report>[0-9a-f]+)\.json",
        (
            ("passed", _YES, "one->>'$.passed'"),
            ("strategy_id", _TEXT, "one->>'$.winner.strategy_id'"),
            ("score", _REAL, "one->>'$.winner.score'"),
            ("document", _JSON, "one"),
        ),
        "the judgement of a campaign's gate",
    ),
    DocumentView(
        "injections",
        _TRUTH + r"labels\.json",
        (("label", _JSON, "one"),),
        "an injected scenario, as JSON",
        each="$.labels",
        place=HIDDEN,
    ),
    DocumentView(
        "expected_outputs",
        _TRUTH + r"expected_outputs\.json",
        (("output", _JSON, "one"),),
        "what a detector should make of an injected scenario, as JSON",
        each="$.outputs",
        place=HIDDEN,
    ),
)
"""Every kind of document, see `LOCATIONS`."""


def view_names() -> list[str]:
    """Names of all views as queries say them."""
    return [
        one.name if one.place == MAIN else f"{one.place}.{one.name}"
        for one in (*LOCATIONS, *DOCUMENTS)
    ]
