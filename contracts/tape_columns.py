"""Column layouts of the synthetic tape: four streams of events, their reference data, the truth.

Prices are integers in `PRICE_INT` of a dollar, so that midpoints and sub-penny prints are
exact. Times are nanoseconds UTC. Sequence numbers are unique over a tape and ascend with its
time; a trace id is made of one, see ``contracts.tape.trace_id``. Other layouts are in
``columns``.
"""

from __future__ import annotations

from typing import Final

from contracts.columns import Column, TableSchema

PRICE_INT: Final = 100_000
"""A price tick of a tape in 1e-9 of the quote currency: a hundredth of a cent."""
CENT_TICKS: Final = 100
"""Price ticks in a cent."""
TICKS_PER_DOLLAR: Final = 10_000

_KEY: Final = (
    Column("ts_ns", "int64", "event time, nanoseconds since 1970-01-01 UTC"),
    Column("ingest_ns", "int64", "time of receipt, not before ts_ns"),
    Column("seq", "int64", "number of the event, unique over the tape, ascending with ts_ns"),
)

EQUITY_QUOTES = TableSchema(
    "equity_quotes",
    "1",
    (
        *_KEY,
        Column("symbol", "string", "underlying"),
        Column("bid_ticks", "int32", "best bid, 0 if there is none"),
        Column("ask_ticks", "int32", "best ask, 0 if there is none"),
        Column("bid_size", "int32", "shares at the bid"),
        Column("ask_size", "int32", "shares at the ask"),
    ),
)

EQUITY_PRINTS = TableSchema(
    "equity_prints",
    "1",
    (
        *_KEY,
        Column("symbol", "string", "underlying"),
        Column("price_ticks", "int32", "price of the trade"),
        Column("size", "int32", "shares"),
        Column("exchange", "string", "venue; TRF for trades reported off exchange"),
        Column("condition", "string", "sale condition; CANCEL withdraws the print ref_seq"),
        Column("off_exchange", "bool", "traded away from the exchanges"),
        Column("ref_seq", "int64", "print that a CANCEL or CORRECT is about, else 0"),
    ),
)

OPTION_NBBO = TableSchema(
    "option_nbbo",
    "1",
    (
        *_KEY,
        Column("contract", "string", "OCC id, 21 characters"),
        Column("bid_ticks", "int32", "best bid, 0 if there is none"),
        Column("ask_ticks", "int32", "best ask"),
        Column("bid_size", "int32", "contracts at the bid"),
        Column("ask_size", "int32", "contracts at the ask"),
        Column(
            "iv_ppm",
            "int32",
            "implied volatility, 1e-6 a year, within half a tick of the mid's; 0: none",
        ),
    ),
)

OPTION_PRINTS = TableSchema(
    "option_prints",
    "1",
    (
        *_KEY,
        Column("contract", "string", "OCC id, 21 characters"),
        Column("price_ticks", "int32", "premium per share"),
        Column("size", "int32", "contracts"),
        Column("exchange", "string", "venue"),
        Column("condition", "string", "trade condition"),
    ),
)

CONTRACTS = TableSchema(
    "option_contracts",
    "1",
    (
        Column("contract", "string", "OCC id, 21 characters"),
        Column("symbol", "string", "underlying"),
        Column("expiry_ns", "int64", "close of the last session, nanoseconds UTC"),
        Column("strike_ticks", "int32", "strike"),
        Column("right", "string", "C or P"),
        Column("first_ns", "int64", "open of the session that lists it first"),
    ),
)

EVENT_CALENDAR = TableSchema(
    "event_calendar",
    "1",
    (
        Column("symbol", "string", "underlying"),
        Column("announced_ns", "int64", "time from which the date is known"),
        Column("event_ns", "int64", "time of the event"),
    ),
)

PRINT_LABELS = TableSchema(
    "print_labels",
    "1",
    (
        Column("seq", "int64", "number of the print"),
        Column("stream", "string", "equity_prints or option_prints"),
        Column("actor", "string", "background, burst, decoy, hedge or injection"),
        Column("burst_id", "int64", "burst that it belongs to or hedges, 0 if none"),
        Column("side", "int8", "+1 the aggressor bought, −1 sold, 0 neither"),
        Column("is_open", "bool", "opens a position of the actor"),
        Column("package_id", "int64", "trades of one package share it, 0 if none"),
    ),
)

BURST_LABELS = TableSchema(
    "burst_labels",
    "1",
    (
        Column("burst_id", "int64", "number of the burst, from 1 in order of its scheduled time"),
        Column("actor", "string", "burst, decoy or injection"),
        Column("subtype", "string", "one of contracts.flow.SUBTYPES"),
        Column("family", "string", "one of contracts.control.FAMILIES"),
        Column("symbol", "string", "underlying"),
        Column("scheduled_ns", "int64", "time it was scheduled for"),
        Column("start_ns", "int64", "time of its first print"),
        Column("end_ns", "int64", "time of its last print"),
        Column("prints", "int64", "option prints"),
        Column("contracts", "int64", "contracts traded"),
        Column("notional_usd", "float64", "premium traded, dollars"),
        Column("expected_class", "string", "what a detector should call it; unclear for decoys"),
        Column("direction", "string", "bullish, bearish, neutral or mixed"),
        Column("regime", "string", "regime it was scheduled in"),
        Column("phase", "string", "phase it was scheduled in"),
    ),
)

SESSION_STATES = TableSchema(
    "session_states",
    "1",
    (
        Column("ts_ns", "int64", "start of the minute"),
        Column("regime", "string", "one of contracts.regime.REGIMES"),
        Column("phase", "string", "one of contracts.regime.PHASES"),
        Column("preset", "string", "preset in force"),
        Column("volatility", "float64", "level of volatility"),
        Column("liquidity", "float64", "level of liquidity"),
        Column("cleanliness", "float64", "level of the cleanliness of quotes"),
        Column("focus_symbols", "string", "symbols in focus, blank between them"),
        Column("event_symbols", "string", "symbols with an event, blank between them"),
    ),
)

STREAMS: Final[dict[str, TableSchema]] = {
    schema.name: schema for schema in (EQUITY_QUOTES, EQUITY_PRINTS, OPTION_NBBO, OPTION_PRINTS)
}
"""The four streams of a tape, in the order that ties of no other kind are told."""

TRUTH: Final[dict[str, TableSchema]] = {
    schema.name: schema for schema in (PRINT_LABELS, BURST_LABELS, SESSION_STATES)
}
"""What is hidden: kept apart from the streams."""

INJECTED: Final = 1_000_000
"""Burst ids of injections count on from here, in the order of the specification."""

EQUITY_VENUES: Final = ("NYSE", "NASDAQ", "ARCA", "BATS", "IEX", "MEMX")
OPTION_VENUES: Final = (
    "AMEX",
    "BOX",
    "BZX",
    "C2",
    "CBOE",
    "EDGX",
    "EMLD",
    "GEMX",
    "ISE",
    "MCRY",
    "MIAX",
    "PHLX",
)
OFF_EXCHANGE: Final = "TRF"
EQUITY_CONDITIONS: Final = ("REGULAR", "ODD_LOT", "ISO", "CANCEL", "CORRECT")
OPTION_CONDITIONS: Final = ("AUTO", "ISO", "AUCTION", "CROSS")
