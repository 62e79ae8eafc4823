"""Events of the market as Arrow tables, the hidden ones too.

No text is written out on the way from the engine to a file, see ``coded_tables``. Events are
``engine.tapes.market.events``, layouts ``contracts.tape_columns``, files ``tape_files``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from contracts.tape_columns import (
    BURST_LABELS,
    CONTRACTS,
    EVENT_CALENDAR,
    PRINT_LABELS,
    SESSION_STATES,
    STREAMS,
)
from engine.tapes.market.events import VOCABULARIES, Batch, Columns
from islandflow_resources.coded_tables import TapeTexts, coded_table


def tape_texts(symbols: Sequence[str]) -> TapeTexts:
    """Texts behind the codes of a tape, no contract listed yet.

    Parameters
    ----------
    symbols : sequence of str
        In the order of the universe.
    """
    return TapeTexts(symbols, VOCABULARIES)


def stream_tables(batch: Batch, texts: TapeTexts) -> dict[str, pa.Table]:
    """Tables of the four streams, by name."""
    return {name: coded_table(STREAMS[name], batch.streams[name], texts) for name in STREAMS}


def truth_tables(batch: Batch, texts: TapeTexts) -> dict[str, pa.Table]:
    """Tables of the labels of prints and of the states, by name."""
    names = {"focus_symbols": batch.focus, "event_symbols": batch.events}
    states = {name: _encoded(texts.names(rows)) for name, rows in names.items()}
    return {
        PRINT_LABELS.name: coded_table(PRINT_LABELS, batch.print_labels, texts),
        SESSION_STATES.name: coded_table(SESSION_STATES, batch.session_states, texts, states),
    }


def burst_table(bursts: Columns, texts: TapeTexts) -> pa.Table:
    """Table of the labels of bursts."""
    return coded_table(BURST_LABELS, bursts, texts)


def contract_table(rows: Columns, texts: TapeTexts) -> pa.Table:
    """Table of option contracts, those that `texts` has been told of."""
    return coded_table(CONTRACTS, rows, texts)


def calendar_table(rows: Columns, texts: TapeTexts) -> pa.Table:
    """Table of scheduled events."""
    return coded_table(EVENT_CALENDAR, rows, texts)


def _encoded(texts: pa.Array) -> pa.DictionaryArray:
    return texts.dictionary_encode()
