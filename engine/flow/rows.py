"""What the detector says, as columns: rows of the kernels under the names of ``flow_columns``.

Texts are codes, the places of their words in `WORDS`; symbols are places in the universe,
contracts places in the list of the tape. Tables are made of them in ``islandflow_resources``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from contracts.flow_columns import DETECTIONS
from contracts.flow_policy import ScoringPolicy
from contracts.smart_flow import (
    DARK_EVENTS,
    DIRECTIONS,
    ELIGIBILITY_REASONS,
    HYPOTHESES,
    HYPOTHESIS_NAMES,
    NBBO_SIDES,
    SIGNAL_REASONS,
    STATUSES,
    STRUCTURES,
)
from contracts.tape_columns import OPTION_CONDITIONS, OPTION_VENUES
from engine.arrays import Floats, Ints
from engine.flow import layout as at
from engine.flow.layout import Said
from engine.flow.scoring import REASONS, packet_eligibility, scored
from engine.mathx import log

Columns: TypeAlias = "dict[str, np.ndarray[Any, Any]]"
"""Equally long arrays by the names of a layout, in its order."""

WORDS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("flow_prints", "exchange"): OPTION_VENUES,
    ("flow_prints", "condition"): OPTION_CONDITIONS,
    ("flow_prints", "nbbo_side"): NBBO_SIDES,
    ("flow_prints", "signal_reason"): SIGNAL_REASONS,
    ("flow_packets", "structure_type"): STRUCTURES,
    ("flow_packets", "status"): STATUSES,
    ("flow_packets", "reason_code"): ELIGIBILITY_REASONS,
    ("smart_flow_hypotheses", "structure_type"): STRUCTURES,
    ("smart_flow_hypotheses", "right"): ("C", "P"),
    ("smart_flow_hypotheses", "status"): STATUSES,
    ("smart_flow_hypotheses", "reason_code"): ELIGIBILITY_REASONS,
    ("smart_flow_hypotheses", "hypothesis_type"): HYPOTHESIS_NAMES,
    ("smart_flow_hypotheses", "direction"): DIRECTIONS,
    ("smart_flow_hypotheses", "abstention_reasons"): REASONS,
    ("dark_events", "type"): DARK_EVENTS,
}
"""Words of a column by table and name; symbols and contracts belong to a tape."""

_DOLLAR_LOT: Final = 100.0 / 10_000.0
_AA, _A, _MID, _B, _BB, _MISSING, _STALE = range(len(NBBO_SIDES))


class Detections(NamedTuple):
    """What has been said in one go; alerts and events are made of the hypotheses.

    Attributes
    ----------
    prints, packets, hypotheses, dark : Columns
        Of ``FLOW_PRINTS``, ``FLOW_PACKETS``, ``HYPOTHESIS_ROWS`` and ``DARK_EVENT_ROWS``, in the
        order in which they were said.
    """

    prints: Columns
    packets: Columns
    hypotheses: Columns
    dark: Columns


def detections_of(said: Said, contracts: Ints, policy: ScoringPolicy) -> Detections:
    """Columns of what the kernels have written."""
    prints, packets, clusters, dark = (int(count) for count in said.counts)
    return Detections(
        _prints(said.prints[:prints], contracts, policy),
        _packets(said.packet_ints[:packets], said.packet_reals[:packets], policy),
        _hypotheses(said.cluster_ints[:clusters], said.cluster_reals[:clusters], policy),
        _dark(said.dark[:dark], said.dark_reals[:dark]),
    )


def _prints(rows: Ints, contracts: Ints, policy: ScoringPolicy) -> Columns:
    price, bid, ask = rows[:, at.P_PRICE], rows[:, at.P_BID], rows[:, at.P_ASK]
    quoted, ts = rows[:, at.P_QUOTE_NS], rows[:, at.P_NS]
    mid2 = rows[:, at.P_U_BID] + rows[:, at.P_U_ASK]
    is_missing = ask <= 0
    buys, sells = ~(ask <= 0) & (price >= ask), ~(ask <= 0) & (price < ask) & (price <= bid)
    side = np.where(buys, np.where(price > ask, _AA, _A), _MID)
    side = np.where(sells, np.where(price < bid, _BB, _B), side)
    side = np.where(ts - quoted > policy.grouping.stale_ms * 1e6, _STALE, side)
    passes = rows[:, at.P_PASSES]
    return {
        "seq": rows[:, at.P_SEQ],
        "ts_ns": ts,
        "contract": rows[:, at.P_CONTRACT],
        "price_ticks": price.astype(np.int32),
        "size": rows[:, at.P_SIZE].astype(np.int32),
        "premium_usd": price * rows[:, at.P_SIZE] * _DOLLAR_LOT,
        "bid_ticks": bid.astype(np.int32),
        "ask_ticks": ask.astype(np.int32),
        "quote_age_ns": np.where(quoted > 0, ts - quoted, -1),
        "nbbo_side": np.where(is_missing, _MISSING, side),
        "aggressor": (buys.astype(np.int8) - sells.astype(np.int8)),
        "iv_ppm": rows[:, at.P_IV].astype(np.int32),
        "underlying_mid_ticks": mid2 * 0.5,
        "underlying_age_ns": np.where(rows[:, at.P_U_NS] > 0, ts - rows[:, at.P_U_NS], -1),
        "exchange": rows[:, at.P_VENUE],
        "condition": rows[:, at.P_CONDITION],
        "symbol": contracts[rows[:, at.P_CONTRACT], at.SYMBOL],
        "signal_pass": passes == 1,
        "signal_reason": 1 - passes,
        "legs": rows[:, at.P_LEGS].astype(np.int32),
        "packet_seq": rows[:, at.P_PACKET],
        "cluster_seq": rows[:, at.P_CLUSTER],
    }


def _subject(ints: Ints, start: int, end: int) -> Columns:
    return {
        "symbol": ints[:, at.C_SYMBOL],
        "contract": ints[:, at.C_CONTRACT],
        "structure_type": ints[:, at.C_STRUCTURE],
        "legs": ints[:, at.C_LEGS].astype(np.int32),
        "start_ns": ints[:, start],
        "end_ns": ints[:, end],
    }


def _packets(ints: Ints, reals: Floats, policy: ScoringPolicy) -> Columns:
    status, reason = packet_eligibility(ints, reals, policy)
    sides = ("aa", "a", "mid", "b", "bb")
    counts = {
        "orders": at.K_ORDERS,
        "prints": at.K_PRINTS,
        "first_price_ticks": at.K_FIRST_PRICE,
        "last_price_ticks": at.K_LAST_PRICE,
        **{f"{side}_prints": at.K_SIDES + place for place, side in enumerate(sides)},
        "stale_prints": at.K_STALE,
        "missing_prints": at.K_MISSING,
        "special_prints": at.K_SPECIAL,
        "iv_ppm": at.K_IV,
    }
    quoted = np.maximum(ints[:, at.K_PRINTS] - ints[:, at.K_MISSING], 1)
    shock = ints[:, at.K_MOST_IV] - ints[:, at.K_LEAST_IV]
    return {
        "packet_seq": ints[:, at.K_SEQ],
        "cluster_seq": ints[:, at.C_SEQ],
        **_subject(ints, at.K_START, at.K_END),
        **{name: ints[:, column].astype(np.int32) for name, column in counts.items()},
        "contracts": ints[:, at.K_LOTS],
        "premium_usd": reals[:, at.R_K_USD],
        "venues": _bits(ints[:, at.K_VENUES]),
        "iv_shock_ppm": shock.astype(np.int32),
        "underlying_move_bps": reals[:, at.R_K_MOVE],
        "spread_bps": reals[:, at.R_K_SPREADS] / quoted,
        "underlying_spread_bps": reals[:, at.R_K_MOST_U_SPREAD],
        "premium_z": reals[:, at.R_K_Z],
        "status": status,
        "reason_code": reason,
    }


def _hypotheses(ints: Ints, reals: Floats, policy: ScoringPolicy) -> Columns:
    scores = scored(ints, reals, policy)
    counts = {
        "packets": at.C_PACKETS,
        "orders": at.C_ORDERS,
        "prints": at.C_PRINTS,
        "buy_prints": at.C_BUYS,
        "sell_prints": at.C_SELLS,
        "inside_prints": at.C_INSIDE,
        "stale_prints": at.C_STALE,
        "missing_prints": at.C_MISSING,
        "iv_ppm": at.C_IV,
    }
    measured = {
        "premium_usd": at.R_USD,
        "largest_order_usd": at.R_MOST_USD,
        "days_to_expiry": at.R_DAYS,
        "out_of_money": at.R_OUT,
        "days_to_event": at.R_EVENT_DAYS,
        "underlying_move_bps": at.R_MOVE_BPS,
        "underlying_move_sigmas": at.R_MOVE_SIGMAS,
        "spread_bps_max": at.R_MOST_SPREAD,
        "activity": at.R_ACTIVITY,
    }
    drift = [
        log(last / first) for first, last in ints[:, [at.C_FIRST_PRICE, at.C_LAST_PRICE]].tolist()
    ]
    quoted = np.maximum(ints[:, at.C_PRINTS] - ints[:, at.C_MISSING], 1)
    gaps = np.maximum(ints[:, at.C_ORDERS] - 1, 1)
    return {
        "cluster_seq": ints[:, at.C_SEQ],
        **_subject(ints, at.C_START, at.C_LAST_NS),
        "emitted_ns": ints[:, at.C_EMITTED],
        **{name: ints[:, column].astype(np.int32) for name, column in counts.items()},
        "contracts": ints[:, at.C_LOTS],
        **{name: reals[:, column] for name, column in measured.items()},
        "venues": _bits(ints[:, at.C_VENUES]),
        "mean_log_gap": reals[:, at.R_LOG_GAPS] / gaps,
        "tenors": ints[:, at.C_TENORS].astype(np.int32),
        "right": ints[:, at.C_IS_PUT],
        "spans_event": ints[:, at.C_SPANS] == 1,
        "price_drift": np.array(drift, dtype=np.float64),
        "spread_bps": reals[:, at.R_SPREADS] / quoted,
        **{f"z_{name}": scores.z[:, place] for place, name in enumerate(HYPOTHESES)},
        "quality": scores.quality,
        "status": scores.status,
        "reason_code": scores.reason,
        "hypothesis_type": scores.hypothesis,
        "direction": scores.direction,
        "confidence": scores.confidence,
        "margin": scores.margin,
        "abstained": scores.abstained,
        "abstention_reasons": scores.reasons,
    }


def _dark(rows: Ints, confidence: Floats) -> Columns:
    return {
        "seq": rows[:, at.E_SEQ],
        "ts_ns": rows[:, at.E_NS],
        "symbol": rows[:, at.E_SYMBOL],
        "type": rows[:, at.E_TYPE],
        "confidence": confidence,
        "prints": rows[:, at.E_PRINTS].astype(np.int32),
        "shares": rows[:, at.E_SHARES],
    }


def _bits(sets: Ints) -> np.ndarray[Any, np.dtype[np.int32]]:
    """How many members each set of bits has."""
    return np.bitwise_count(sets).astype(np.int32)


COLUMNS: Final = {name: schema.names for name, schema in DETECTIONS.items()}
"""Names of every table's columns, in order."""
