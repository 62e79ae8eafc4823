"""The audit of static arbitrage: whether anybody could earn without risk at the quotes of a tape.

Batches of two streams in, a report out; memory is that of the contracts. What is compared are
quotes no older than the last change of the underlying's quoted mid: right before its next
change, when the chain has been quoted anew, bids are sold and asks bought. Interest and
dividends are zero. The passes are ``kernels_arbitrage``; prices and the conditions under which
a surface has no arbitrage are in ``surface``.

=========== ==========================================================================
vertical    call bid(K₂) > call ask(K₁), put bid(K₁) > put ask(K₂), where K₁ < K₂
width       call bid(K₁) − ask(K₂) > K₂ − K₁, put bid(K₂) − ask(K₁) > K₂ − K₁
butterfly   bid(K₂) > the line between ask(K₁) and ask(K₃) at K₂, where K₁ < K₂ < K₃
calendar    bid(T₁) > ask(T₂) at one strike and right, where T₁ < T₂
parity      call bid − put ask > underlying ask − K, call ask − put bid < underlying bid − K
bounds      call ask < underlying bid − K, put ask < K − underlying ask, call bid >
            underlying ask, put bid > K
=========== ==========================================================================

The first four are of one expiry and right (calendar: of one strike and right), and over all
strikes, not only neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Ints
from engine.tapes.market import kernels_arbitrage as at
from engine.tapes.market.events import Batch, Columns
from engine.tapes.market.kernels_arbitrage import Audit, Rows

KINDS: Final = ("vertical", "width", "butterfly", "calendar", "parity", "bounds")
"""Kinds of static arbitrage, in the order in which the kernels number them."""
_PUT: Final = 1


@dataclass(frozen=True, slots=True)
class Violation:
    """An arbitrage that could be executed, and the rows it is made of.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    symbol : int
        Code of the underlying.
    since_ns : int
        Time from which the underlying's mid was what it is.
    equity_seq : int
        Number of the underlying's quote in force.
    contracts : tuple of int
        Codes: what is sold, then what is bought; butterfly: lower wing, body, upper wing;
        parity: call, then put; bounds: the contract alone.
    seqs : tuple of int
        Numbers of their quotes.
    excess_ticks : float
        What it earns for one share of the leg that counts once, in price ticks.
    """

    kind: str
    symbol: int
    since_ns: int
    equity_seq: int
    contracts: tuple[int, ...]
    seqs: tuple[int, ...]
    excess_ticks: float


@dataclass(frozen=True, slots=True)
class ArbitrageReport:
    """What the audit of a tape found.

    Attributes
    ----------
    checked, violated : dict of str to int
        By kind. Each counts a quote once a snapshot: for vertical and width one that has
        lower strikes beside it, for butterfly a bid with strikes on both sides, for calendar
        one with an earlier expiry; for parity a pair; for bounds every quote.
    first : dict of str to Violation
        The first of each kind that was violated.
    snapshots : int
        Times that a chain was checked.
    option_quotes, equity_quotes : int
        Rows that were read.
    unclean_options, unclean_equities : int
        Rows among them that nobody trades at.
    """

    checked: dict[str, int]
    violated: dict[str, int]
    first: dict[str, Violation]
    snapshots: int
    option_quotes: int
    equity_quotes: int
    unclean_options: int
    unclean_equities: int

    @property
    def ok(self) -> bool:
        """Whether nothing was violated."""
        return not any(self.violated.values())


class ArbitrageAudit:
    """Static arbitrage in a tape, looked for as its quotes come; the size of batches is no matter.

    An option's quote is clean if 0 ≤ bid < ask, so that one that nobody bids for is; an
    unclean one stands in the contract's place until the next, and is compared with nothing.
    An equity's quote is clean if 0 < bid < ask and its spread is at most `MOST_SPREADS` times
    the usual one, the moving mean of the symbol's last 64 or so; an unclean one is passed over.
    Quotes from before an underlying's first clean one are not compared.

    Parameters
    ----------
    contracts : Columns
        Layout ``option_contracts`` without its ids, a row a code: ``symbol`` (code),
        ``expiry_ns``, ``strike_ticks``, ``right`` (0 call, 1 put).
    symbols : int
        Underlyings, whose codes are below it.

    Raises
    ------
    ContractError
        ``ARBITRAGE_CONTRACT_INVALID`` if a contract has an unknown symbol, or is there twice.
    """

    def __init__(self, contracts: Columns, symbols: int) -> None:
        self._symbols = symbols
        self._contracts = len(contracts["strike_ticks"])
        self._audit = _empty_audit(contracts, symbols)
        self._last_ns = -(2**63)

    def add(self, equity_quotes: Columns, option_nbbo: Columns) -> None:
        """Take a stretch of both streams, which begins where the one before ended.

        Parameters
        ----------
        equity_quotes, option_nbbo : Columns
            Layouts of those names, in order of ``ts_ns``; ``symbol`` and ``contract`` are
            codes. Quotes of both streams at one time follow each other by ``seq``.

        Raises
        ------
        ContractError
            ``ARBITRAGE_ROWS_UNORDERED`` or ``ARBITRAGE_CODE_UNKNOWN``, with the row.
        """
        equities = _rows("equity_quotes", equity_quotes, "symbol", self._symbols)
        options = _rows("option_nbbo", option_nbbo, "contract", self._contracts)
        times = [rows.ts_ns for rows in (equities, options) if len(rows.ts_ns)]
        if any(int(column[0]) < self._last_ns for column in times):
            raise ContractError(
                "ARBITRAGE_ROWS_UNORDERED",
                "a batch begins before the one that was audited last ends",
                hints=("pass the batches of a tape in their order",),
            )
        self._last_ns = max([self._last_ns, *(int(column[-1]) for column in times)])
        at.take(self._audit, equities, options)

    def finish(self) -> ArbitrageReport:
        """Check what is still fresh, and report; quotes taken later are not compared with it."""
        for symbol in range(self._symbols):
            if self._audit.markets[symbol, at.M_EPOCH] > 0:
                at.close_snapshot(self._audit, symbol)
        counts, tallies = self._audit.counts, self._audit.tallies
        violations = (
            self._first(kind) for kind in range(at.KINDS) if counts[kind, at.VIOLATED] > 0
        )
        return ArbitrageReport(
            checked={name: int(counts[kind, at.CHECKED]) for kind, name in enumerate(KINDS)},
            violated={name: int(counts[kind, at.VIOLATED]) for kind, name in enumerate(KINDS)},
            first={violation.kind: violation for violation in violations},
            snapshots=int(tallies[at.SNAPSHOTS]),
            option_quotes=int(tallies[at.OPTION_QUOTES]),
            equity_quotes=int(tallies[at.EQUITY_QUOTES]),
            unclean_options=int(tallies[at.UNCLEAN_OPTIONS]),
            unclean_equities=int(tallies[at.UNCLEAN_EQUITIES]),
        )

    def _first(self, kind: int) -> Violation:
        row = [int(value) for value in self._audit.first[kind]]
        slots = [slot for slot in row[at.F_SLOTS : at.F_SEQS] if slot >= 0]
        return Violation(
            KINDS[kind],
            row[at.F_SYMBOL],
            row[at.F_SINCE_NS],
            row[at.F_EQUITY_SEQ],
            tuple(int(self._audit.slots[slot, at.CODE]) for slot in slots),
            tuple(row[at.F_SEQS : at.F_SEQS + len(slots)]),
            float(self._audit.excess[kind]),
        )


def audit_arbitrage(contracts: Columns, symbols: int, batches: Iterable[Batch]) -> ArbitrageReport:
    """Audit a whole tape; see `ArbitrageAudit` for the arguments and errors."""
    audit = ArbitrageAudit(contracts, symbols)
    for batch in batches:
        audit.add(batch.streams["equity_quotes"], batch.streams["option_nbbo"])
    return audit.finish()


def _rows(name: str, columns: Columns, code: str, codes: int) -> Rows:
    """Columns that the kernels take, checked for what would make them read amiss."""
    ts_ns = np.ascontiguousarray(columns["ts_ns"], np.int64)
    numbers = np.ascontiguousarray(columns[code], np.int32)
    back = np.flatnonzero(ts_ns[1:] < ts_ns[:-1])
    if back.size:
        raise ContractError(
            "ARBITRAGE_ROWS_UNORDERED",
            f"a quote of {name} is older than the one before",
            f"row {int(back[0]) + 1}",
            ("sort the stream by ts_ns",),
        )
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) >= codes):
        row = int(np.flatnonzero((numbers < 0) | (numbers >= codes))[0])
        raise ContractError(
            "ARBITRAGE_CODE_UNKNOWN",
            f"{code} {int(numbers[row])} of {name} is none of the {codes} that are known",
            f"row {row}",
            ("pass the contracts and symbols of the same tape",),
        )
    return Rows(
        ts_ns,
        np.ascontiguousarray(columns["seq"], np.int64),
        numbers,
        np.ascontiguousarray(columns["bid_ticks"], np.int32),
        np.ascontiguousarray(columns["ask_ticks"], np.int32),
    )


def _empty_audit(contracts: Columns, symbols: int) -> Audit:
    """Order the contracts into slots, link them, and know no quote yet."""
    names = ("symbol", "expiry_ns", "right", "strike_ticks")
    keys = [np.asarray(contracts[name], np.int64) for name in names]
    codes = np.lexsort(keys[::-1])
    symbol, expiry, right, strike = (key[codes] for key in keys)
    count = len(codes)
    lower = _one_before((symbol, expiry, right), strike)
    is_twice = (lower >= 0) & (strike[lower] == strike)
    is_foreign = (symbol < 0) | (symbol >= symbols) | (right < 0) | (right > _PUT)
    _refuse_contracts(codes[is_foreign], "names a symbol or right that is not known")
    _refuse_contracts(codes[is_twice], "is listed a second time")
    twin = _one_before((symbol, expiry, strike), right)
    puts = np.flatnonzero(twin >= 0)
    twin[twin[puts]] = puts
    slots = np.empty((count, at.SLOT_COLUMNS), np.int64)
    slots[:, at.GROUP], slots[:, at.STRIKE], slots[:, at.IS_PUT] = (
        np.cumsum(lower < 0),
        strike,
        right,
    )
    slots[:, at.EARLIER], slots[:, at.TWIN] = _one_before((symbol, right, strike), expiry), twin
    slots[:, at.CODE], slots[:, at.SYMBOL] = codes, symbol
    slot_of = np.empty(count, np.int64)
    slot_of[codes] = np.arange(count)
    markets = np.zeros((symbols, at.MARKET_COLUMNS), np.int64)
    markets[:, at.M_FIRST] = np.searchsorted(symbol, np.arange(symbols))
    markets[:, at.M_LAST] = np.searchsorted(symbol, np.arange(symbols), side="right")
    return Audit(
        slots,
        slot_of,
        np.zeros((count, at.QUOTE_COLUMNS), np.int64),
        markets,
        *(np.zeros(count, np.int64) for _ in range(4)),
        counts=np.zeros((at.KINDS, 2), np.int64),
        tallies=np.zeros(at.TALLIES, np.int64),
        first=np.full((at.KINDS, at.FIRST_COLUMNS), -1, np.int64),
        excess=np.zeros(at.KINDS),
    )


def _one_before(keys: tuple[Ints, ...], last: Ints) -> Ints:
    """Of each slot the one with equal keys and the next lower `last`; −1 if there is none."""
    order = np.lexsort((last, *keys))
    is_same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        is_same &= key[order[1:]] == key[order[:-1]]
    before = np.full(len(order), -1, np.int64)
    before[order[1:][is_same]] = order[:-1][is_same]
    return before


def _refuse_contracts(codes: Ints, what: str) -> None:
    if codes.size:
        code = int(codes.min())
        raise ContractError(
            "ARBITRAGE_CONTRACT_INVALID",
            f"contract {code} {what}",
            f"row {code}",
            ("pass the contracts and symbols of the same tape",),
        )
