"""A detection made by hand: a sweep of calls that is an alert, and puts that nothing is said of.

Numbers are chosen so that ratios and sums are plain; a policy of ones and noughts belongs to it.
"""

import pyarrow as pa

from contracts.columns import TableSchema
from contracts.flow_columns import (
    ALERTS,
    DARK_EVENT_ROWS,
    FLOW_PACKETS,
    FLOW_PRINTS,
    HYPOTHESIS_ROWS,
    SMART_MONEY_EVENTS,
)
from contracts.flow_evidence import alert_id, cluster_id
from contracts.flow_features import AXES, FEATURE_NAMES
from contracts.flow_policy import ScoringPolicy
from contracts.smart_flow import HYPOTHESES
from islandflow_resources.table_schemas import ARROW_TYPES

OPEN_NS = 1_767_882_600_000_000_000
"""2026-01-08T14:30:00Z."""
MS = 1_000_000
CALL, PUT = "SPY   260116C00500000", "QQQ   260109P00430000"
SWEEP, QUIET = 101, 205
EMPTY = {"string": "", "bool": False}


def row(schema: TableSchema, **values):
    """A row of a layout, empty where nothing is said."""
    empty = {one.name: EMPTY.get(one.kind, 0) for one in schema.columns}
    return {**empty, **values}


def table(schema: TableSchema, rows) -> pa.Table:
    """Rows as a table of a layout; what they have beyond it is text."""
    kinds = {one.name: ARROW_TYPES[one.kind] for one in schema.columns}
    extra = {name: pa.string() for one in rows for name in one if name not in kinds}
    return pa.Table.from_pylist(rows, pa.schema(list({**kinds, **extra}.items())))


def policy() -> ScoringPolicy:
    """Every weight 0: what adds up is said by `contributions`."""
    scored = {
        "patterns": {
            "plain": {"intercept": 0.0, "weights": dict.fromkeys(FEATURE_NAMES, 0.0)},
        },
        "alert_z": 1.0,
        "high_z": 3.0,
        "ceiling": 0.9,
    }
    return ScoringPolicy.model_validate(
        {
            "id": "by-hand",
            "version": "1.0",
            "policy_version": "smart-flow.hypothesis-score.policy.v1",
            "model_version": "smart-flow.hypothesis-score.rules.v2",
            "grouping": {
                "min_print_usd": 1_000,
                "leg_gap_ms": 5,
                "packet_ms": 500,
                "quiet_s": 10,
                "longest_s": 180,
                "stale_ms": 1_000,
            },
            "rules": {
                "min_premium_usd": 10_000,
                "min_orders": 2,
                "min_coverage": 0.35,
                "max_stale": 0.5,
                "wide_spread_bps": 800,
                "wide_underlying_bps": 150,
                "min_margin": 0.5,
            },
            "hypotheses": dict.fromkeys(HYPOTHESES, scored),
            "tuning": {"seeds": [11, 12], "markets": ["balanced"]},
        }
    )


PARTS = {
    "directional_accumulation": {"intercept": -2.0, "aggression": 3.5, "size": 2.25, "event": -0.5},
    "retail_attention_flow": {"intercept": -1.0, "aggression": 2.0, "size": -1.5},
    "event_positioning": {"intercept": -4.0, "event": -1.0},
    "volatility_supply": {"intercept": -3.0, "aggression": -2.0},
    "structure_arbitrage": {"intercept": -3.0, "structure": -6.0},
    "hedge_rebalance": {"intercept": -2.5, "underlying": 1.25},
}
"""Log-odds by axis; 0 for those left out."""


def contributions(_row, _policy):
    """The same for every cluster."""
    axes = dict.fromkeys(AXES, 0.0)
    return {name: {**axes, **parts} for name, parts in PARTS.items()}


Z = {f"z_{name}": sum(parts.values()) for name, parts in PARTS.items()}


def sweep_prints():
    """Four calls: two at the ask, one through it, one between; one of their quotes is old."""
    shared = {
        "contract": CALL,
        "exchange": "CBOE",
        "underlying_mid_ticks": 5_020_050.0,
        "signal_pass": True,
        "signal_reason": "keep:premium",
        "legs": 1,
        "cluster_seq": SWEEP,
        "bid_ticks": 12_000,
        "ask_ticks": 12_300,
        "iv_ppm": 250_000,
    }
    told = (
        (101, 0, 12_300, 200, "A", 1, 5, 101),
        (102, 20, 12_300, 300, "A", 1, 25, 101),
        (103, 600, 12_400, 300, "AA", 1, 40, 103),
        (104, 640, 12_150, 200, "STALE", 0, 2_000, 103),
    )
    return [
        row(
            FLOW_PRINTS,
            **shared,
            seq=seq,
            ts_ns=OPEN_NS + at * MS,
            price_ticks=price,
            size=size,
            premium_usd=price * size / 100,
            nbbo_side=side,
            aggressor=aggressor,
            quote_age_ns=age * MS,
            underlying_age_ns=age * MS,
            packet_seq=packet,
        )
        for seq, at, price, size, side, aggressor, age, packet in told
    ]


def quiet_prints():
    """Two puts between the quotes, one without any."""
    shared = {"contract": PUT, "exchange": "BOX", "size": 10, "cluster_seq": QUIET}
    seen = {
        "bid_ticks": 4_000,
        "ask_ticks": 5_000,
        "price_ticks": 4_500,
        "premium_usd": 450.0,
        "underlying_mid_ticks": 4_300_000.0,
    }
    return [
        row(
            FLOW_PRINTS,
            **shared,
            **seen,
            seq=205,
            ts_ns=OPEN_NS + 5_000 * MS,
            nbbo_side="MID",
            iv_ppm=180_000,
            packet_seq=205,
        ),
        row(
            FLOW_PRINTS,
            **{**shared, **seen, "bid_ticks": 0, "ask_ticks": 0},
            seq=206,
            ts_ns=OPEN_NS + 5_100 * MS,
            nbbo_side="MISSING",
            quote_age_ns=-1,
            underlying_age_ns=-1,
            packet_seq=205,
        ),
        row(
            FLOW_PRINTS, **{**shared, **seen, "cluster_seq": 0}, seq=207, ts_ns=OPEN_NS + 6_000 * MS
        ),
    ]


def packets():
    """Two packets of the sweep, one of the puts."""
    sweep = {"symbol": "SPY", "contract": CALL, "structure_type": "single", "legs": 1}
    quiet = {**sweep, "symbol": "QQQ", "contract": PUT, "cluster_seq": QUIET}
    usable = {"cluster_seq": SWEEP, "status": "accepted", "reason_code": "evidence_context_usable"}
    stale = {**usable, "status": "down_weighted", "reason_code": "stale_quote_context"}
    wide = {"status": "down_weighted", "reason_code": "inside_market_context"}
    return [
        row(
            FLOW_PACKETS,
            **{**sweep, **usable},
            packet_seq=101,
            start_ns=OPEN_NS,
            end_ns=OPEN_NS + 20 * MS,
            orders=2,
            prints=2,
            contracts=500,
            premium_usd=61_500.0,
            a_prints=2,
        ),
        row(
            FLOW_PACKETS,
            **{**sweep, **stale},
            packet_seq=103,
            start_ns=OPEN_NS + 600 * MS,
            end_ns=OPEN_NS + 640 * MS,
            orders=2,
            prints=2,
            contracts=500,
            premium_usd=61_500.0,
            aa_prints=1,
            stale_prints=1,
        ),
        row(
            FLOW_PACKETS,
            **{**quiet, **wide},
            packet_seq=205,
            start_ns=OPEN_NS + 5_000 * MS,
            end_ns=OPEN_NS + 5_100 * MS,
            orders=2,
            prints=2,
            contracts=20,
            premium_usd=900.0,
            mid_prints=1,
            missing_prints=1,
        ),
    ]


def sweep_cluster(**changes):
    """The cluster that is an alert."""
    told = {
        "cluster_seq": SWEEP,
        "symbol": "SPY",
        "contract": CALL,
        "structure_type": "single",
        "legs": 1,
        "start_ns": OPEN_NS,
        "end_ns": OPEN_NS + 640 * MS,
        "emitted_ns": OPEN_NS + 10_640 * MS,
        "packets": 2,
        "orders": 4,
        "prints": 4,
        "contracts": 1_000,
        "premium_usd": 123_000.0,
        "buy_prints": 3,
        "stale_prints": 1,
        "right": "C",
        "days_to_event": -1.0,
        "underlying_move_bps": 4.5,
        "iv_ppm": 250_000,
        "spread_bps": 246.9,
        "spread_bps_max": 246.9,
        "quality": 0.85,
        "status": "down_weighted",
        "reason_code": "stale_quote_context",
        "hypothesis_type": "directional_accumulation",
        "direction": "bullish",
        "confidence": 0.75,
        "margin": 3.75,
        "abstention_reasons": "not_abstained",
    }
    return row(HYPOTHESIS_ROWS, **{**Z, **told, **changes})


def quiet_cluster(**changes):
    """The cluster that nothing is said of."""
    told = {
        "cluster_seq": QUIET,
        "symbol": "QQQ",
        "contract": PUT,
        "structure_type": "single",
        "legs": 1,
        "start_ns": OPEN_NS + 5_000 * MS,
        "end_ns": OPEN_NS + 5_100 * MS,
        "emitted_ns": OPEN_NS + 15_100 * MS,
        "packets": 1,
        "orders": 2,
        "prints": 2,
        "contracts": 20,
        "premium_usd": 900.0,
        "inside_prints": 1,
        "missing_prints": 1,
        "right": "P",
        "days_to_event": 1.5,
        "spans_event": True,
        "underlying_move_bps": -12.0,
        "iv_ppm": 180_000,
        "spread_bps": 2_222.0,
        "spread_bps_max": 2_222.0,
        "quality": 0.5,
        "status": "rejected",
        "reason_code": "insufficient_premium",
        "hypothesis_type": "unclear",
        "direction": "unknown",
        "margin": 3.75,
        "abstained": True,
        "abstention_reasons": "insufficient_evidence inside_market_context",
    }
    return row(HYPOTHESIS_ROWS, **{**Z, **told, **changes})


def alert(**changes):
    """What is said aloud of the sweep."""
    told = {
        "alert_id": alert_id(cluster_id("SPY", SWEEP)),
        "cluster_seq": SWEEP,
        "symbol": "SPY",
        "emitted_ns": OPEN_NS + 10_640 * MS,
        "start_ns": OPEN_NS,
        "end_ns": OPEN_NS + 640 * MS,
        "hypothesis_type": "directional_accumulation",
        "profile": "institutional_directional",
        "direction": "bullish",
        "confidence": 0.75,
        "band": "high",
        "premium_usd": 123_000.0,
        "contract": CALL,
        "structure_type": "single",
        "policy_digest": policy().policy_digest,
    }
    return row(ALERTS, **{**told, **changes})


def detection(clusters=None, alerts=None, prints=None, packet_rows=None) -> dict[str, pa.Table]:
    """All tables; any may be given instead."""
    usual = [sweep_cluster(), quiet_cluster()]
    return {
        FLOW_PRINTS.name: table(FLOW_PRINTS, prints or [*sweep_prints(), *quiet_prints()]),
        FLOW_PACKETS.name: table(FLOW_PACKETS, packet_rows or packets()),
        HYPOTHESIS_ROWS.name: table(HYPOTHESIS_ROWS, usual if clusters is None else clusters),
        ALERTS.name: table(ALERTS, [alert()] if alerts is None else alerts),
        SMART_MONEY_EVENTS.name: table(SMART_MONEY_EVENTS, []),
        DARK_EVENT_ROWS.name: table(DARK_EVENT_ROWS, []),
    }
