"""Facts that hold of every row of a market tape, without any tolerance.

Each function looks at a batch and says how many rows break a fact, and which is the first.
What needs the rows before it, as the quote that holds when something prints, is kept by
`Audit`. Statistics, which may stray, are ``scorecard``; whether labels can be learned from the
rows is ``leaks``; arbitrage among quotes is ``arbitrage``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from contracts.control import DEMO_SCENARIOS, FAMILIES, PRESETS
from contracts.flow import ACTORS, SUBTYPE_NAMES
from contracts.regime import REGIMES
from contracts.tape import TapeSpec
from contracts.tape_columns import CENT_TICKS, EQUITY_CONDITIONS, STREAMS, TICKS_PER_DOLLAR
from engine.arrays import Ints
from engine.tapes.market import scorecard_options_layout as at
from engine.tapes.market.events import CLASSES, VOCABULARIES, Batch, Columns
from engine.tapes.market.kernels_scorecard_context import see_equity_context
from engine.tapes.market.scorecard_context import OptionContext
from engine.tapes.market.scorecard_rows import equity_rows, ints, option_rows, pieces

Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

TRADES: Final = EQUITY_CONDITIONS.index("CANCEL")
"""Conditions before it are those of trades."""
_HINTS: Final = ("label", "scenario", "synthetic", "inject", "actor", "regime")
_TELLING: Final = frozenset(
    word.replace("-", "_")
    for word in (
        *(ACTORS + SUBTYPE_NAMES + FAMILIES + CLASSES + REGIMES + PRESETS + _HINTS),
        *(name for names in DEMO_SCENARIOS.values() for name in names),
    )
)


class Finding(NamedTuple):
    """What was found of one fact.

    Attributes
    ----------
    fact : str
    stream : str
        Table it is about; ``streams`` for all of them together.
    rows : int
        Looked at.
    violations : int
    first_row : int
        Row of the first one in its table, −1 if there is none.
    first_seq : int
        Its number, −1 if there is none.
    """

    fact: str
    stream: str
    rows: int
    violations: int
    first_row: int
    first_seq: int


def found(fact: str, stream: str, broken: Mask, numbers: Ints) -> Finding:
    """Count the rows that are marked as breaking a fact."""
    rows = np.flatnonzero(broken)
    first = int(rows[0]) if rows.size else -1
    seq = int(numbers[first]) if rows.size else -1
    return Finding(fact, stream, int(broken.size), int(rows.size), first, seq)


def rows_ordered(stream: str, columns: Columns) -> Finding:
    """Rows ascend strictly in (``ts_ns``, ``ingest_ns``, ``seq``)."""
    keys = [ints(columns, name) for name in ("ts_ns", "ingest_ns", "seq")]
    broken = np.zeros(keys[0].size, dtype=np.bool_)
    if keys[0].size > 1:
        ts, ingest, seq = (np.diff(key) for key in keys)
        broken[1:] = (ts < 0) | ((ts == 0) & ((ingest < 0) | ((ingest == 0) & (seq <= 0))))
    return found("rows_ordered", stream, broken, keys[2])


def rows_inside(stream: str, columns: Columns, start_ns: int, end_ns: int) -> Finding:
    """Event times lie in the stretch of the batch."""
    ts = ints(columns, "ts_ns")
    broken = (ts < start_ns) | (ts >= end_ns)
    return found("rows_inside", stream, broken, ints(columns, "seq"))


def received_after(stream: str, columns: Columns) -> Finding:
    """No event is received before it happens."""
    broken = ints(columns, "ingest_ns") < ints(columns, "ts_ns")
    return found("received_after", stream, broken, ints(columns, "seq"))


def numbers_ascend(streams: Mapping[str, Columns], last: tuple[int, int]) -> Finding:
    """Numbers are unique over all streams, and ascend with time.

    Parameters
    ----------
    last : tuple of int
        Greatest number and time before the batch, −1 if there is none. A row of the finding
        is a place in the order of the numbers.
    """
    seq = np.concatenate([ints(streams[name], "seq") for name in STREAMS])
    ts = np.concatenate([ints(streams[name], "ts_ns") for name in STREAMS])
    order = np.argsort(seq, kind="stable")
    seq, ts = seq[order], ts[order]
    broken = (np.diff(seq, prepend=last[0]) <= 0) | (np.diff(ts, prepend=last[1]) < 0)
    return found("numbers_ascend", "streams", broken, seq)


def columns_laid_out(streams: Mapping[str, Columns]) -> Finding:
    """The streams and their columns are those of their layout, in its order, and none besides."""
    names = [*STREAMS, *(name for name in streams if name not in STREAMS)]
    broken = np.array(
        [
            name not in streams
            or name not in STREAMS
            or tuple(streams[name]) != STREAMS[name].names
            or len({len(column) for column in streams[name].values()}) > 1
            for name in names
        ]
    )
    return found("columns_laid_out", "streams", broken, np.arange(len(names)))


def codes_known(stream: str, columns: Columns, symbols: int, contracts: int) -> Finding:
    """Codes of texts have a text, those of symbols and contracts a symbol or a contract."""
    counts = {"symbol": symbols, "contract": contracts}
    counts |= {name: len(texts) for (table, name), texts in VOCABULARIES.items() if table == stream}
    broken = np.zeros(len(columns["seq"]), dtype=np.bool_)
    for name, count in counts.items():
        if name in columns:
            codes = ints(columns, name)
            broken |= (codes < 0) | (codes >= count)
    return found("codes_known", stream, broken, ints(columns, "seq"))


def equities_on_grid(stream: str, columns: Columns) -> Finding:
    """Quotes of equities and prints on exchanges are in whole cents, prints above nothing."""
    if stream == "equity_quotes":
        bid, ask = ints(columns, "bid_ticks"), ints(columns, "ask_ticks")
        broken = (bid % CENT_TICKS != 0) | (ask % CENT_TICKS != 0) | (bid < 0) | (ask < 0)
    else:
        price, is_off = ints(columns, "price_ticks"), ints(columns, "off_exchange") != 0
        broken = (price <= 0) | (~is_off & (price % CENT_TICKS != 0))
    return found("on_grid", stream, broken, ints(columns, "seq"))


def options_on_grid(stream: str, columns: Columns, kinds: Ints) -> Finding:
    """Quotes and prints of options are multiples of their minimum variation.

    Parameters
    ----------
    kinds : ndarray, int64
        Place of the symbol's ``option_tick`` in ``scorecard_options_layout.OPTION_TICKS``, by
        contract.
    """
    kind = kinds[ints(columns, "contract")]
    names = ("bid_ticks", "ask_ticks") if stream == "option_nbbo" else ("price_ticks",)
    broken = np.zeros(kind.size, dtype=np.bool_)
    for name in names:
        price = ints(columns, name)
        broken |= (price % variations(kind, price) != 0) | (price < 0)
        broken |= (price == 0) & (name != "bid_ticks")
    return found("on_grid", stream, broken, ints(columns, "seq"))


def variations(kinds: Ints, prices: Ints) -> Ints:
    """Minimum variation of options at their prices, ticks."""
    is_low = prices < 3 * TICKS_PER_DOLLAR
    below_3 = np.where(is_low, CENT_TICKS, 5 * CENT_TICKS)
    nickel = np.where(is_low, 5 * CENT_TICKS, 10 * CENT_TICKS)
    return np.where(kinds == at.PENNY, CENT_TICKS, np.where(kinds == at.BELOW_3, below_3, nickel))


def options_near_quotes(columns: Columns, kinds: Ints, held: Ints) -> Finding:
    """An option prints in its quote, or one minimum variation through, unless that is stale.

    A quote is stale if the clean mid of its underlying has changed since.

    Parameters
    ----------
    kinds : ndarray, int64
        As for `options_on_grid`.
    held : ndarray, shape (prints, HELD), int64
        What held at each print, see ``scorecard_context``.
    """
    price = ints(columns, "price_ticks")
    step = variations(kinds[ints(columns, "contract")], price)
    is_known = held[:, at.HELD_NS] > 0
    is_stale = is_known & (held[:, at.HELD_MOVED_NS] > held[:, at.HELD_NS])
    outside = (price < held[:, at.HELD_BID] - step) | (price > held[:, at.HELD_ASK] + step)
    broken = ~is_stale & (outside | ~is_known)
    return found("near_quote", "option_prints", broken, ints(columns, "seq"))


def equities_near_quotes(columns: Columns, held: Ints) -> Finding:
    """A trade in an equity is in the last uncrossed quote, or at most a cent through it.

    Parameters
    ----------
    held : ndarray, shape (prints, 2), int64
        Bid and ask of that quote.
    """
    price = ints(columns, "price_ticks")
    is_trade = ints(columns, "condition") < TRADES
    outside = (price < held[:, 0] - CENT_TICKS) | (price > held[:, 1] + CENT_TICKS)
    return found("near_quote", "equity_prints", is_trade & outside, ints(columns, "seq"))


def labels_complete(batch: Batch) -> Finding:
    """Every print has one label, and every label a print of its stream."""
    prints = [ints(batch.streams[name], "seq") for name in ("equity_prints", "option_prints")]
    wanted = np.concatenate([2 * numbers + place for place, numbers in enumerate(prints)])
    seq = ints(batch.print_labels, "seq")
    given = np.sort(2 * seq + ints(batch.print_labels, "stream"))
    wanted = np.sort(wanted)
    both = np.concatenate([np.setxor1d(wanted, given), given[1:][np.diff(given) == 0]])
    count = max(wanted.size, given.size, both.size)
    broken = np.zeros(count, dtype=np.bool_)
    broken[: both.size] = True
    numbers = np.zeros(count, dtype=np.int64)
    numbers[: both.size] = np.sort(both) // 2
    return found("labels_complete", "print_labels", broken, numbers)


def telling(texts: Iterable[str]) -> list[str]:
    """Those of some texts, names of columns or values, that say what only labels may say.

    Examples
    --------
    >>> telling(["ISO", "EVENT_14D", "call-sweep"])
    ['call-sweep']
    """
    plain = ((text, text.casefold().replace("-", "_").replace(" ", "_")) for text in texts)
    return [text for text, folded in plain if any(word in folded for word in _TELLING)]


def texts_silent() -> Finding:
    """No name of a column and no text of a stream says what only labels may say."""
    names = [name for schema in STREAMS.values() for name in schema.names]
    texts = [
        text for (table, _), known in VOCABULARIES.items() if table in STREAMS for text in known
    ]
    said = [*names, *texts]
    broken = np.isin(np.arange(len(said)), [said.index(text) for text in telling(said)])
    return found("texts_silent", "streams", broken, np.arange(len(said)))


class Audit:
    """All facts of a tape, batch by batch.

    Parameters
    ----------
    spec : TapeSpec
    """

    def __init__(self, spec: TapeSpec) -> None:
        self._spec = spec
        self._context = OptionContext(spec)
        self._session = -1
        self._last = (-1, -1)
        self._quotes: Ints = np.zeros((len(spec.universe), 2), dtype=np.int64)
        self._rows: dict[str, int] = {}
        self._found: dict[tuple[str, str], Finding] = {}

    def add(self, batch: Batch, contracts: Columns) -> list[Finding]:
        """Look at a batch; batches come in order of time.

        Parameters
        ----------
        contracts : Columns
            The tape's list of contracts so far, as for ``scorecard.Scorecard.add``.

        Returns
        -------
        list of Finding
            One for each fact and stream; nothing else is looked at where the layout or a code
            is broken, for rows would not mean anything.
        """
        listed = len(contracts["symbol"])
        shape = columns_laid_out(batch.streams)
        firm = [shape, texts_silent()]
        if not shape.violations:
            symbols = len(self._spec.universe)
            firm += [codes_known(s, batch.streams[s], symbols, listed) for s in STREAMS]
        if not any(one.violations for one in firm):
            firm += self._facts(batch, contracts)
        for one in firm:
            self._keep(one)
        for name in STREAMS:
            columns = batch.streams.get(name, {})
            self._rows[name] = self._rows.get(name, 0) + len(columns.get("seq", ()))
        return firm

    def findings(self) -> list[Finding]:
        """Totals of the tape so far; a row is one of the tape's own table."""
        return list(self._found.values())

    def _facts(self, batch: Batch, contracts: Columns) -> list[Finding]:
        """All facts of rows whose columns and codes are sound."""
        streams, (start_ns, end_ns) = batch.streams, (batch.start_ns, batch.end_ns)
        facts = [numbers_ascend(streams, self._last), labels_complete(batch)]
        for name in STREAMS:
            columns = streams[name]
            facts += [rows_ordered(name, columns), rows_inside(name, columns, start_ns, end_ns)]
            facts.append(received_after(name, columns))
            numbers, times = ints(columns, "seq"), ints(columns, "ts_ns")
            greatest = (int(numbers.max(initial=-1)), int(times.max(initial=-1)))
            self._last = (max(self._last[0], greatest[0]), max(self._last[1], greatest[1]))
        self._context.see_list(contracts, start_ns)
        self._enter(start_ns, end_ns)
        symbols = self._context.state.contracts[:, at.SYMBOL]
        kinds: Ints = self._context.state.ticks[symbols]
        facts += [equities_on_grid(s, streams[s]) for s in ("equity_quotes", "equity_prints")]
        facts += [options_on_grid(s, streams[s], kinds) for s in ("option_nbbo", "option_prints")]
        held = self._context.see(option_rows(streams))
        facts.append(options_near_quotes(streams["option_prints"], kinds, held))
        rows = equity_rows(streams)
        held = np.empty((rows.p_seq.size, 2), dtype=np.int64)
        see_equity_context(rows, self._quotes, held)
        facts.append(equities_near_quotes(streams["equity_prints"], held))
        return facts

    def _enter(self, start_ns: int, end_ns: int) -> None:
        """Forget quotes when a session begins."""
        for piece in pieces(self._spec.sessions, start_ns, end_ns):
            if piece.session != self._session:
                self._session = piece.session
                self._context.begin_session(self._spec.sessions[piece.session].open_ns)
                self._quotes[:] = 0

    def _keep(self, one: Finding) -> None:
        key = (one.fact, one.stream)
        before = self._found.get(key, Finding(one.fact, one.stream, 0, 0, -1, -1))
        is_first = before.first_row < 0 <= one.first_row
        offset = self._rows.get(one.stream, 0)
        self._found[key] = Finding(
            one.fact,
            one.stream,
            before.rows + one.rows,
            before.violations + one.violations,
            one.first_row + offset if is_first else before.first_row,
            one.first_seq if is_first else before.first_seq,
        )
