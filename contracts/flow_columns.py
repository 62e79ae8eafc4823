"""Column layouts of what the detector of smart flow says, from prints up to alerts.

A row is numbered by the sequence number of the first print in it: a packet, a cluster and its
hypothesis each by their first member's. Prices are those of ``tape_columns``, premium is in
dollars of the whole trade, the multiplier of 100 shares included. Words are ``smart_flow``'s.
"""

from __future__ import annotations

from typing import Final

from contracts.columns import Column, TableSchema
from contracts.smart_flow import HYPOTHESES, PROFILES_OF

MULTIPLIER: Final = 100
"""Shares of one option contract."""

FLOW_PRINTS = TableSchema(
    "flow_prints",
    "1",
    (
        Column("seq", "int64", "number of the option print"),
        Column("ts_ns", "int64", "event time, nanoseconds since 1970-01-01 UTC"),
        Column("symbol", "string", "underlying"),
        Column("contract", "string", "OCC id, 21 characters"),
        Column("price_ticks", "int32", "premium per share"),
        Column("size", "int32", "contracts"),
        Column("exchange", "string", "venue"),
        Column("condition", "string", "trade condition"),
        Column("premium_usd", "float64", "premium of the trade, dollars"),
        Column("bid_ticks", "int32", "best bid in force, 0 if there was none"),
        Column("ask_ticks", "int32", "best ask in force, 0 if there was none"),
        Column("quote_age_ns", "int64", "age of that quote, −1 if there was none"),
        Column("nbbo_side", "string", "AA A MID B BB, or STALE or MISSING"),
        Column("aggressor", "int8", "+1 at or through the ask, −1 at or through the bid, 0 else"),
        Column("iv_ppm", "int32", "implied volatility of that quote, 1e-6 a year; 0: none"),
        Column("underlying_mid_ticks", "float64", "mid of the underlying in force, 0 if none"),
        Column("underlying_age_ns", "int64", "age of its quote, −1 if there was none"),
        Column("signal_pass", "bool", "whether it goes on into packets"),
        Column("signal_reason", "string", "why"),
        Column("legs", "int32", "contracts traded together with it, itself included"),
        Column("packet_seq", "int64", "packet that it is a member of, 0 if none"),
        Column("cluster_seq", "int64", "cluster that it is a member of, 0 if none"),
    ),
)

_SUBJECT: Final = (
    Column("symbol", "string", "underlying"),
    Column("contract", "string", "OCC id of the first leg"),
    Column("structure_type", "string", "single, or what the legs make together"),
    Column("legs", "int32", "contracts traded together"),
    Column("start_ns", "int64", "time of the first print"),
    Column("end_ns", "int64", "time of the last print"),
)

FLOW_PACKETS = TableSchema(
    "flow_packets",
    "1",
    (
        Column("packet_seq", "int64", "number of the packet: of its first print"),
        Column("cluster_seq", "int64", "cluster that it is a member of"),
        *_SUBJECT,
        Column("orders", "int32", "prints, those of several legs counted once"),
        Column("prints", "int32", "prints"),
        Column("contracts", "int64", "contracts traded"),
        Column("premium_usd", "float64", "premium, dollars"),
        Column("first_price_ticks", "int32", "price of the first print"),
        Column("last_price_ticks", "int32", "price of the last print"),
        Column("aa_prints", "int32", "prints through the ask"),
        Column("a_prints", "int32", "prints at the ask"),
        Column("mid_prints", "int32", "prints between"),
        Column("b_prints", "int32", "prints at the bid"),
        Column("bb_prints", "int32", "prints through the bid"),
        Column("stale_prints", "int32", "prints whose quote was old"),
        Column("missing_prints", "int32", "prints without a quote"),
        Column("special_prints", "int32", "prints of an auction or a cross"),
        Column("venues", "int32", "venues that it printed on"),
        Column("iv_ppm", "int32", "implied volatility at the last print"),
        Column("iv_shock_ppm", "int32", "greatest less least implied volatility"),
        Column("underlying_move_bps", "float64", "move of the underlying within the packet"),
        Column("spread_bps", "float64", "mean spread of the quotes in force over their mids"),
        Column("underlying_spread_bps", "float64", "widest spread of the underlying over its mid"),
        Column("premium_z", "float64", "log premium against the subject's packets before it"),
        Column("status", "string", "accepted, down_weighted or rejected as evidence"),
        Column("reason_code", "string", "why"),
    ),
)

_Z = tuple(
    Column(f"z_{name}", "float64", f"log-odds that this is {name} rather than anything else")
    for name in HYPOTHESES
)

HYPOTHESIS_ROWS = TableSchema(
    "smart_flow_hypotheses",
    "2",
    (
        Column("cluster_seq", "int64", "number of the cluster: of its first print"),
        *_SUBJECT,
        Column("emitted_ns", "int64", "time at which it was said, nothing later was looked at"),
        Column("packets", "int32", "packets in it"),
        Column("orders", "int32", "orders: prints, those of several legs counted once"),
        Column("prints", "int32", "prints in it"),
        Column("contracts", "int64", "contracts traded"),
        Column("premium_usd", "float64", "premium, dollars"),
        Column("largest_order_usd", "float64", "premium of its largest order"),
        Column("buy_prints", "int32", "prints at or through the ask"),
        Column("sell_prints", "int32", "prints at or through the bid"),
        Column("inside_prints", "int32", "prints between"),
        Column("stale_prints", "int32", "prints whose quote was old"),
        Column("missing_prints", "int32", "prints without a quote"),
        Column("venues", "int32", "venues that it printed on"),
        Column("mean_log_gap", "float64", "mean of the log of the gaps between orders, log ms"),
        Column("days_to_expiry", "float64", "of the first leg"),
        Column("tenors", "int32", "bit i: no quoted expiry is nearer to TENOR_DAYS[i]"),
        Column("out_of_money", "float64", "log strike over spot of the first leg, + outside"),
        Column("right", "string", "C or P of the first leg"),
        Column("days_to_event", "float64", "to the next scheduled event of the symbol, −1: none"),
        Column("spans_event", "bool", "whether the first leg expires after that event"),
        Column("underlying_move_bps", "float64", "of the three minutes before the first print"),
        Column("underlying_move_sigmas", "float64", "the same in usual moves of the quoted iv"),
        Column("iv_ppm", "int32", "implied volatility at the first print"),
        Column("price_drift", "float64", "log of last over first price"),
        Column("spread_bps", "float64", "mean spread of the quotes in force over their mids"),
        Column("spread_bps_max", "float64", "widest of them"),
        Column("activity", "float64", "orders of the contract before it, fading in ten minutes"),
        *_Z,
        Column("quality", "float64", "of the evidence, 0 … 1"),
        Column("status", "string", "accepted, down_weighted or rejected as evidence"),
        Column("reason_code", "string", "why"),
        Column("hypothesis_type", "string", "what it is taken for; unclear if abstained"),
        Column("direction", "string", "bullish, bearish, neutral, mixed or unknown"),
        Column("confidence", "float64", "of the policy, 0 if abstained; not a probability"),
        Column("margin", "float64", "log-odds of the first hypothesis less the second"),
        Column("abstained", "bool", "whether nothing is said"),
        Column("abstention_reasons", "string", "blank between them"),
    ),
)

ALERTS = TableSchema(
    "smart_flow_alerts",
    "1",
    (
        Column("alert_id", "string", "smartflow:alert:hypothesis:cluster:{symbol}:{number}"),
        Column("cluster_seq", "int64", "number of the cluster"),
        Column("symbol", "string", "underlying"),
        Column("emitted_ns", "int64", "time at which it was said"),
        Column("start_ns", "int64", "time of the first print"),
        Column("end_ns", "int64", "time of the last print"),
        Column("hypothesis_type", "string", "what the flow is taken for"),
        Column("profile", "string", "smart-money profile of that"),
        Column("direction", "string", "bullish, bearish, neutral or mixed"),
        Column("confidence", "float64", "of the policy; not a probability"),
        Column("band", "string", "medium or high"),
        Column("premium_usd", "float64", "premium, dollars"),
        Column("contract", "string", "OCC id of the first leg"),
        Column("structure_type", "string", "single, or what the legs make together"),
        Column("policy_digest", "string", "scoring policy that it was said under"),
    ),
)

SMART_MONEY_EVENTS = TableSchema(
    "smart_money_events",
    "1",
    (
        Column("event_id", "string", "smartmoney:{kind}:{number}"),
        Column("cluster_seq", "int64", "number of the cluster"),
        Column("symbol", "string", "underlying"),
        Column("emitted_ns", "int64", "time at which it was said"),
        Column("event_kind", "string", "single_leg_event or multi_leg_event"),
        Column("event_window_ms", "float64", "from the first print to the last"),
        *(
            Column(f"p_{PROFILES_OF[name]}", "float64", "probability of the profile")
            for name in HYPOTHESES
        ),
        Column("primary_profile_id", "string", "likeliest profile, empty if abstained"),
        Column("primary_direction", "string", "bullish, bearish, neutral, mixed or unknown"),
        Column("abstained", "bool", "whether no profile is named"),
        Column("suppressed_reasons", "string", "why, blank between them"),
    ),
)

DARK_EVENT_ROWS = TableSchema(
    "dark_events",
    "1",
    (
        Column("seq", "int64", "number of the equity print that completed it"),
        Column("ts_ns", "int64", "its time"),
        Column("symbol", "string", "underlying"),
        Column("type", "string", "absorbed_block, stealth_accumulation or distribution"),
        Column("confidence", "float64", "0 … 1"),
        Column("prints", "int32", "prints off exchange that it rests on"),
        Column("shares", "int64", "shares of them"),
    ),
)

DETECTIONS: Final[dict[str, TableSchema]] = {
    schema.name: schema
    for schema in (
        FLOW_PRINTS,
        FLOW_PACKETS,
        HYPOTHESIS_ROWS,
        ALERTS,
        SMART_MONEY_EVENTS,
        DARK_EVENT_ROWS,
    )
}
"""Every table of a detection."""
