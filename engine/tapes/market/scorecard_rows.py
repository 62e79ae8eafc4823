"""Batches as the rows that a scorecard's kernels take, cut where a session or a block ends.

A batch may be of any length; what is cut here makes it all the same to a scorecard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from contracts.market import Session
from contracts.tape_bands import BLOCK_MINUTES, MINUTE_NS
from engine.arrays import Ints
from engine.tapes.market.events import Columns
from engine.tapes.market.scorecard_layout import EquityRows
from engine.tapes.market.scorecard_options_layout import OptionRows

BLOCK_NS = BLOCK_MINUTES * MINUTE_NS


class Piece(NamedTuple):
    """A stretch of one session that no block ends within.

    Attributes
    ----------
    session : int
        Place in the tape's sessions.
    start_ns, end_ns : int
    """

    session: int
    start_ns: int
    end_ns: int


def pieces(sessions: tuple[Session, ...], start_ns: int, end_ns: int) -> Iterator[Piece]:
    """Cut a stretch of time; what lies outside the sessions is left out."""
    for place, session in enumerate(sessions):
        at_ns, last_ns = max(start_ns, session.open_ns), min(end_ns, session.close_ns)
        while at_ns < last_ns:
            blocks = (at_ns - session.open_ns) // BLOCK_NS + 1
            until_ns = min(session.open_ns + blocks * BLOCK_NS, last_ns)
            yield Piece(place, at_ns, until_ns)
            at_ns = until_ns


def ints(columns: Columns, name: str) -> Ints:
    """A column as int64 in a row."""
    return np.ascontiguousarray(columns[name], dtype=np.int64)


def equity_rows(streams: Mapping[str, Columns]) -> EquityRows:
    """The equity streams of a batch."""
    quotes, prints = streams["equity_quotes"], streams["equity_prints"]
    names = ("ts_ns", "ingest_ns", "seq", "symbol", "price_ticks", "size")
    return EquityRows(
        *(ints(quotes, name) for name in ("ts_ns", "seq", "symbol", "bid_ticks", "ask_ticks")),
        *(ints(prints, name) for name in (*names, "condition", "off_exchange", "ref_seq")),
    )


def option_rows(streams: Mapping[str, Columns]) -> OptionRows:
    """The streams of a batch that option prints are seen against."""
    spots, quotes = streams["equity_quotes"], streams["option_nbbo"]
    prints = streams["option_prints"]
    prices, last = ("bid_ticks", "ask_ticks"), ("price_ticks", "size", "exchange")
    return OptionRows(
        *(ints(spots, name) for name in ("ts_ns", "seq", "symbol", *prices)),
        *(ints(quotes, name) for name in ("ts_ns", "seq", "contract", *prices, "iv_ppm")),
        *(ints(prints, name) for name in ("ts_ns", "seq", "contract", *last)),
    )


def equity_part(rows: EquityRows, start_ns: int, end_ns: int) -> EquityRows:
    """The rows of a stretch of time."""
    quotes = _span(rows.q_ts, start_ns, end_ns)
    prints = _span(rows.p_ts, start_ns, end_ns)
    return EquityRows(*(column[quotes] for column in rows[:5]), *(c[prints] for c in rows[5:]))


def option_part(rows: OptionRows, start_ns: int, end_ns: int) -> OptionRows:
    """The rows of a stretch of time."""
    spots, quotes = _span(rows.e_ts, start_ns, end_ns), _span(rows.n_ts, start_ns, end_ns)
    prints = _span(rows.o_ts, start_ns, end_ns)
    return OptionRows(
        *(column[spots] for column in rows[:5]),
        *(column[quotes] for column in rows[5:11]),
        *(column[prints] for column in rows[11:]),
    )


def _span(times: Ints, start_ns: int, end_ns: int) -> slice:
    first, last = np.searchsorted(times, (start_ns, end_ns))
    return slice(int(first), int(last))
