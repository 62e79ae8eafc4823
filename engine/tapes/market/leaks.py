"""The learned leak test: whether what a print shows tells that a burst printed it.

Tables of counts are summed over a tape, prints of bursts against all others; what a classifier
learns on even minutes is judged on odd ones, so that nothing is known by heart. Ids, numbers,
venues and conditions must tell nothing, single fields of the market not too much; the limits are
in ``contracts.tape_bands``. Names and texts that tell are found by ``audit``.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from contracts.errors import ContractError
from contracts.flow import ACTORS
from contracts.tape import TapeSpec
from contracts.tape_bands import ID_AUC, MARKET_AUC, MINUTE_NS
from contracts.tape_columns import EQUITY_CONDITIONS
from engine.arrays import Floats, Ints
from engine.tapes.market import scorecard_options_layout as at
from engine.tapes.market.events import VOCABULARIES, Batch, Columns
from engine.tapes.market.scorecard_context import OptionContext
from engine.tapes.market.scorecard_rows import ints, option_rows, pieces

BURSTS: Final = ("burst", "injection")
"""Whose option prints are to be told; decoys count as background."""
AFTERMATH: Final = (*BURSTS, "hedge")
"""Whose equity prints are: bursts print options only, dealers hedge them with shares."""
FIELDS: Final = ("price", "size", "notional", "placement", "moneyness", "dte")
NUMBER_BITS: Final = 9
"""Low bits of a number, all that it says beyond its time."""
NUMBERS: Final = 1 << NUMBER_BITS
DIGITS: Final = 10
BINS: Final = 512
QUANTILES: Final = 32
STEPS: Final = 8
"""Bins to a doubling."""
SURE: Final = 3.0
"""Standard errors by which an area must exceed its limit to be a leak."""
_DAY_NS: Final = 86_400_000_000_000.0


class Leak(NamedTuple):
    """How well one field tells.

    Attributes
    ----------
    stream, field : str
    auc : float
        Area under the receiver operating characteristic; ½ tells nothing. NaN without prints of
        both kinds.
    deviation : float
        Standard error of the area of a field that tells nothing (Hanley and McNeil 1982).
    limit : float
    ok : bool
        Whether the area is at most the limit, or over it by less than three standard errors.
    """

    stream: str
    field: str
    auc: float
    deviation: float
    limit: float
    ok: bool


class LeakTest:
    """Tables of one tape or of several.

    Parameters
    ----------
    spec : TapeSpec

    Attributes
    ----------
    tables : dict of (str, str) to ndarray, shape (2, 2, cells), int64
        By stream and field: counts by parity of the minute, by who printed, by value.
    """

    def __init__(self, spec: TapeSpec) -> None:
        self._spec = spec
        self._context = OptionContext(spec)
        self._session = -1
        self.tables: dict[tuple[str, str], Ints] = {}
        for stream in ("equity_prints", "option_prints"):
            cells = _venues(stream) * _conditions(stream) * NUMBERS
            self._make(stream, "joint", cells)
            self._make(stream, "seq_digit", DIGITS)
            self._make(stream, "delay", BINS)
        for field in FIELDS:
            self._make("option_prints", field, BINS)

    def add(self, batch: Batch, contracts: Columns) -> None:
        """Take a batch; batches come in order of time.

        Raises
        ------
        ContractError
            ``TAPE_LABEL_MISSING`` if a print has no label.
        """
        self._context.see_list(contracts, batch.start_ns)
        for piece in pieces(self._spec.sessions, batch.start_ns, batch.end_ns):
            if piece.session != self._session:
                self._session = piece.session
                self._context.begin_session(self._spec.sessions[piece.session].open_ns)
        for stream, wanted in (("equity_prints", AFTERMATH), ("option_prints", BURSTS)):
            columns = batch.streams[stream]
            who = _is_any(_actors(batch, stream), wanted)
            group = 2 * (ints(columns, "ts_ns") // MINUTE_NS % 2) + who
            venue, condition = ints(columns, "exchange"), _conditions_beyond_size(stream, columns)
            seq = ints(columns, "seq")
            place = (venue * _conditions(stream) + condition) * NUMBERS + seq % NUMBERS
            delay = ints(columns, "ingest_ns") - ints(columns, "ts_ns")
            self._count(stream, "joint", group, place)
            self._count(stream, "seq_digit", group, seq % DIGITS)
            self._count(stream, "delay", group, bins_of(delay.astype(np.float64)))
            if stream == "option_prints":
                held = self._context.see(option_rows(batch.streams))
                for field, values in _market(columns, self._context.state.contracts, held).items():
                    self._count(stream, field, group, values)

    def merge(self, other: LeakTest) -> None:
        """Pool the tables of another tape with these."""
        for key, table in other.tables.items():
            self.tables[key] += table

    def rows(self) -> list[Leak]:
        """How well every field tells, and all but those of the market together."""
        found = list[Leak]()
        for stream in ("equity_prints", "option_prints"):
            shape = (2, 2, _venues(stream), _conditions(stream), NUMBERS)
            joint = self.tables[stream, "joint"].reshape(shape)
            tables: dict[str, Ints] = {
                "exchange": joint.sum(axis=(3, 4)),
                "condition": joint.sum(axis=(2, 4)),
                "seq_low_bits": joint.sum(axis=(2, 3)),
                "seq_digit": self.tables[stream, "seq_digit"],
                "delay": self.tables[stream, "delay"],
            }
            found += [_leak(stream, name, *_learned(t), ID_AUC) for name, t in tables.items()]
            found.append(_leak(stream, "together", *_learned_jointly(joint), ID_AUC))
        for field in FIELDS:
            table = quantile_bins(self.tables["option_prints", field])
            found.append(_leak("option_prints", field, *_learned(table), MARKET_AUC))
        return found

    def _make(self, stream: str, field: str, cells: int) -> None:
        self.tables[stream, field] = np.zeros((2, 2, cells), dtype=np.int64)

    def _count(self, stream: str, field: str, group: Ints, values: Ints) -> None:
        table = self.tables[stream, field]
        cells = table.shape[2]
        counted = np.bincount(group * cells + values, minlength=4 * cells)
        table += counted.reshape(table.shape)


def bins_of(values: Floats) -> Ints:
    """Bins of positive values, eight to a doubling; 0 for all others."""
    part, octave = np.frexp(np.maximum(values, 0.0))
    place = (
        BINS // 2 + octave.astype(np.int64) * STEPS + ((part - 0.5) * 2 * STEPS).astype(np.int64)
    )
    return np.where(values > 0.0, np.clip(place, 1, BINS - 1), 0)


def quantile_bins(table: Ints) -> Ints:
    """Adjacent bins put together until each holds an equal share of the prints to learn from.

    Parameters
    ----------
    table : ndarray, shape (2, 2, cells), int64

    Returns
    -------
    ndarray, shape (2, 2, at most `QUANTILES`), int64
    """
    before = np.cumsum(table[0].sum(axis=0))
    total = max(int(before[-1]), 1)
    place = np.minimum((before - 1).clip(0) * QUANTILES // total, QUANTILES - 1)
    is_in = place[:, None] == np.arange(QUANTILES)
    return table @ is_in.astype(np.int64)


def log_odds(counts: Ints) -> Floats:
    """What a value says for a burst, of counts of shape (2, cells); half a print is added."""
    smooth = counts + 0.5
    shares = smooth / smooth.sum(axis=1, keepdims=True)
    return np.log(shares[1]) - np.log(shares[0])


def area(scores: Floats, counts: Ints) -> float:
    """Probability that a burst's print scores higher than another one, ties counting half.

    Parameters
    ----------
    scores : ndarray, shape (cells,), float64
    counts : ndarray, shape (2, cells), int64
        Other prints and bursts' prints with each score.
    """
    others, bursts = int(counts[0].sum()), int(counts[1].sum())
    if others == 0 or bursts == 0:
        return math.nan
    # Scores that are equal but for rounding must tie.
    _, place = np.unique(np.round(scores, 9), return_inverse=True)
    low = np.bincount(place, weights=counts[0]).astype(np.float64)
    high = np.bincount(place, weights=counts[1]).astype(np.float64)
    below = np.cumsum(low) - low
    return float((high * (below + 0.5 * low)).sum()) / others / bursts


def deviation(counts: Ints) -> float:
    """Standard error of the area of scores that tell nothing."""
    others, bursts = int(counts[0].sum()), int(counts[1].sum())
    if others == 0 or bursts == 0:
        return math.nan
    return math.sqrt((others + bursts + 1) / 12.0 / others / bursts)


def _learned(table: Ints) -> tuple[float, float]:
    """Area on the odd minutes of what is learned on the even ones, and its standard error."""
    return area(log_odds(table[0]), table[1]), deviation(table[1])


def _learned_jointly(joint: Ints) -> tuple[float, float]:
    """The same of venue, condition and each low bit of the number, by naive Bayes."""
    learn, judge = joint
    venue = log_odds(learn.sum(axis=(2, 3)))
    condition = log_odds(learn.sum(axis=(1, 3)))
    numbers, low = learn.sum(axis=(1, 2)), np.zeros(NUMBERS)
    for bit in range(NUMBER_BITS):
        value = np.arange(NUMBERS) >> bit & 1
        counts = np.stack([numbers[:, value == k].sum(axis=1) for k in (0, 1)], axis=1)
        low += log_odds(counts)[value]
    scores = venue[:, None, None] + condition[None, :, None] + low[None, None, :]
    cells = judge.reshape(2, -1)
    return area(scores.reshape(-1), cells), deviation(cells)


def _leak(stream: str, field: str, auc: float, error: float, limit: float) -> Leak:
    ok = math.isnan(auc) or auc <= limit + SURE * error
    return Leak(stream, field, auc, error, limit, ok)


def _venues(stream: str) -> int:
    return len(VOCABULARIES[stream, "exchange"])


def _conditions(stream: str) -> int:
    return len(VOCABULARIES[stream, "condition"])


def _conditions_beyond_size(stream: str, columns: Columns) -> Ints:
    """Conditions of prints, odd lots as any others: their size says that already."""
    condition = ints(columns, "condition")
    if stream == "option_prints":
        return condition
    regular, odd = (EQUITY_CONDITIONS.index(name) for name in ("REGULAR", "ODD_LOT"))
    return np.where(condition == odd, regular, condition)


def _actors(batch: Batch, stream: str) -> Ints:
    """Actor of every print of a stream, by its number."""
    labels, seq = batch.print_labels, ints(batch.streams[stream], "seq")
    numbers = ints(labels, "seq")
    order = np.argsort(numbers, kind="stable")
    place = np.searchsorted(numbers[order], seq)
    known = place < numbers.size
    known[known] = numbers[order][place[known]] == seq[known]
    if not known.all():
        missing = int(seq[np.flatnonzero(~known)[0]])
        raise ContractError(
            "TAPE_LABEL_MISSING",
            f"print {missing} of {stream} has no label",
            str(missing),
            ("hand in the labels of the same batch",),
        )
    return ints(labels, "actor")[order[place]]


def _is_any(actors: Ints, wanted: tuple[str, ...]) -> Ints:
    codes = [ACTORS.index(name) for name in wanted]
    return np.isin(actors, codes).astype(np.int64)


def _market(columns: Columns, contracts: Ints, held: Ints) -> dict[str, Ints]:
    """Bins of what the market shows of option prints."""
    price, size = ints(columns, "price_ticks"), ints(columns, "size")
    contract = contracts[ints(columns, "contract")]
    spot = held[:, at.HELD_MID2] * 0.5
    outward = np.where(contract[:, at.IS_PUT] != 0, -1.0, 1.0)
    away = outward * (contract[:, at.STRIKE] / np.maximum(spot, 1.0) - 1.0)
    days = (contract[:, at.EXPIRY_NS] - ints(columns, "ts_ns")) / _DAY_NS
    middle = BINS // 2
    moneyness = np.clip(np.floor(away * 400.0) + middle, 1, BINS - 1).astype(np.int64)
    return {
        "price": bins_of(price.astype(np.float64)),
        "size": bins_of(size.astype(np.float64)),
        "notional": bins_of(price.astype(np.float64) * size),
        "placement": _placement(price, held),
        "moneyness": np.where(spot > 0.0, moneyness, 0),
        "dte": np.clip(np.floor(days * 4.0), 0, BINS - 1).astype(np.int64),
    }


def _placement(price: Ints, held: Ints) -> Ints:
    """Where in its quote an option prints: 0 without one, 1 below, then up to 7 above."""
    bid, ask = held[:, at.HELD_BID], held[:, at.HELD_ASK]
    mid2 = bid + ask
    places: list[Any] = [
        held[:, at.HELD_NS] == 0,
        price < bid,
        price > ask,
        price == bid,
        price == ask,
        2 * price < mid2,
        2 * price > mid2,
    ]
    return np.select(places, [0, 1, 7, 2, 6, 3, 5], default=4).astype(np.int64)
