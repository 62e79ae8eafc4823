"""Events as they leave the engine: columns of integers, texts as codes.

A text column of ``contracts.tape_columns`` holds codes here, the places of its texts in
`VOCABULARIES`; symbols are places in the universe, contracts places in the list of the tape.
Tables are made of them in ``islandflow_resources.tape_tables``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from contracts.control import FAMILIES, PRESETS
from contracts.flow import ACTORS, SUBTYPE_NAMES
from contracts.regime import PHASES, REGIMES
from contracts.tape_columns import (
    EQUITY_CONDITIONS,
    EQUITY_VENUES,
    OFF_EXCHANGE,
    OPTION_CONDITIONS,
    OPTION_VENUES,
    STREAMS,
)

Columns: TypeAlias = "dict[str, np.ndarray[Any, Any]]"
"""Equally long arrays by the names of a layout, in its order; int64, int32, int8 or bool."""

DIRECTIONS: Final = ("bearish", "neutral", "bullish", "mixed")
CLASSES: Final = (
    "directional_accumulation",
    "retail_attention_flow",
    "event_positioning",
    "volatility_supply",
    "structure_arbitrage",
    "hedge_rebalance",
    "unclear",
)

VOCABULARIES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("equity_prints", "exchange"): (*EQUITY_VENUES, OFF_EXCHANGE),
    ("equity_prints", "condition"): EQUITY_CONDITIONS,
    ("option_prints", "exchange"): OPTION_VENUES,
    ("option_prints", "condition"): OPTION_CONDITIONS,
    ("option_contracts", "right"): ("C", "P"),
    ("print_labels", "stream"): ("equity_prints", "option_prints"),
    ("print_labels", "actor"): ACTORS,
    ("burst_labels", "actor"): ACTORS,
    ("burst_labels", "subtype"): SUBTYPE_NAMES,
    ("burst_labels", "family"): FAMILIES,
    ("burst_labels", "expected_class"): CLASSES,
    ("burst_labels", "direction"): DIRECTIONS,
    ("burst_labels", "regime"): REGIMES,
    ("burst_labels", "phase"): PHASES,
    ("session_states", "regime"): REGIMES,
    ("session_states", "phase"): PHASES,
    ("session_states", "preset"): PRESETS,
}
"""Texts of a column by table and name; symbols and contracts belong to a tape."""


class Batch(NamedTuple):
    """All events of a stretch of time, and the truth about them.

    Attributes
    ----------
    start_ns, end_ns : int
        ``start_ns ≤ ts_ns < end_ns``.
    streams : dict of str to Columns
        By the names of ``contracts.tape_columns.STREAMS``, each in order of
        (``ts_ns``, ``ingest_ns``, ``seq``).
    print_labels : Columns
        Of every print of both kinds, in order of ``seq``.
    session_states : Columns
        A row a minute that begins in the stretch; ``focus_symbols`` and ``event_symbols``
        are left out of it and stand in `focus` and `events`.
    focus, events : list of tuple of int
        Symbols in focus and with an event, by row of `session_states`.
    """

    start_ns: int
    end_ns: int
    streams: dict[str, Columns]
    print_labels: Columns
    session_states: Columns
    focus: list[tuple[int, ...]]
    events: list[tuple[int, ...]]

    @property
    def rows(self) -> int:
        """Events of all streams."""
        return sum(len(self.streams[name]["seq"]) for name in STREAMS)
