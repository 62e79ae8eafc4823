"""What the detector says as Arrow tables; alerts and events are made of hypotheses here.

Columns are ``engine.flow.rows``, layouts ``contracts.flow_columns``, files ``flow_folder``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from contracts.flow_columns import (
    ALERTS,
    DARK_EVENT_ROWS,
    FLOW_PACKETS,
    FLOW_PRINTS,
    HYPOTHESIS_ROWS,
    SMART_MONEY_EVENTS,
)
from contracts.flow_evidence import alert_id, cluster_id
from contracts.flow_policy import ScoringPolicy
from contracts.smart_flow import (
    DIRECTIONS,
    HYPOTHESES,
    HYPOTHESIS_NAMES,
    PROFILES_OF,
    STATUSES,
    STRUCTURES,
    UNCLEAR,
    band_of,
)
from engine.flow.rows import WORDS, Columns, Detections
from engine.flow.scoring import REASONS
from islandflow_resources.coded_tables import TapeTexts, coded_table
from islandflow_resources.table_schemas import strings_of

_PROFILES: Final = (*(PROFILES_OF[name] for name in HYPOTHESES), "")
_REJECTED: Final = STATUSES.index("rejected")


def detection_texts(symbols: Sequence[str], contracts: Sequence[str]) -> TapeTexts:
    """Texts behind the codes of a detection."""
    texts = TapeTexts(symbols, WORDS)
    texts.list_contracts(contracts)
    return texts


def detection_tables(
    found: Detections, texts: TapeTexts, symbols: Sequence[str], policy: ScoringPolicy
) -> dict[str, pa.Table]:
    """All tables of a detection, or of what was said in one go, by name."""
    rows = found.hypotheses
    return {
        FLOW_PRINTS.name: coded_table(FLOW_PRINTS, found.prints, texts),
        FLOW_PACKETS.name: coded_table(FLOW_PACKETS, found.packets, texts),
        HYPOTHESIS_ROWS.name: coded_table(HYPOTHESIS_ROWS, rows, texts),
        ALERTS.name: _alerts(rows, texts, symbols, policy),
        SMART_MONEY_EVENTS.name: _events(rows, texts),
        DARK_EVENT_ROWS.name: coded_table(DARK_EVENT_ROWS, found.dark, texts),
    }


def _alerts(
    rows: Columns, texts: TapeTexts, symbols: Sequence[str], policy: ScoringPolicy
) -> pa.Table:
    """An alert for each hypothesis that is said."""
    said = ~rows["abstained"]
    mine = {name: values[said] for name, values in rows.items()}
    numbers: list[int] = mine["cluster_seq"].tolist()
    places: list[int] = mine["symbol"].tolist()
    names = [
        alert_id(cluster_id(symbols[place], number))
        for place, number in zip(places, numbers, strict=True)
    ]
    bands = [band_of(confidence) for confidence in mine["confidence"].tolist()]
    given = {
        "alert_id": _texts(names),
        "profile": _words(mine["hypothesis_type"], _PROFILES),
        "hypothesis_type": _words(mine["hypothesis_type"], HYPOTHESIS_NAMES),
        "direction": _words(mine["direction"], DIRECTIONS),
        "structure_type": _words(mine["structure_type"], STRUCTURES),
        "band": _texts(bands),
        "policy_digest": _texts([policy.policy_digest] * len(names)),
    }
    return coded_table(ALERTS, mine, texts, given)


def _events(rows: Columns, texts: TapeTexts) -> pa.Table:
    """A smart-money event for each cluster that is evidence at all."""
    kept = rows["status"] != _REJECTED
    mine = {name: values[kept] for name, values in rows.items()}
    is_single = mine["legs"] == 1
    kinds = np.where(is_single, "single_leg_event", "multi_leg_event").tolist()
    numbers = mine["cluster_seq"].tolist()
    abstained = mine["abstained"]
    primary = np.where(abstained, UNCLEAR, mine["hypothesis_type"])
    chances = {
        f"p_{PROFILES_OF[name]}": 1.0 / (1.0 + np.exp(-mine[f"z_{name}"])) for name in HYPOTHESES
    }
    given = {
        "event_id": _texts(
            [f"smartmoney:{kind}:{number}" for kind, number in zip(kinds, numbers, strict=True)]
        ),
        "event_kind": _texts(kinds),
        "primary_profile_id": _words(primary, _PROFILES),
        "primary_direction": _words(mine["direction"], DIRECTIONS),
        "suppressed_reasons": _words(mine["abstention_reasons"], REASONS),
    }
    lasting = {"event_window_ms": (mine["end_ns"] - mine["start_ns"]) * 1e-6}
    return coded_table(SMART_MONEY_EVENTS, {**mine, **chances, **lasting}, texts, given)


def _words(codes: np.ndarray[tuple[int], np.dtype[np.int64]], words: Sequence[str]) -> pa.Array:
    return _texts([words[code] for code in codes.tolist()])


def _texts(texts: list[str]) -> pa.Array:
    return strings_of(texts).dictionary_encode()
