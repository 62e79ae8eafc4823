"""Numbers behind the pictures of a tape: prices and states by minute, volume, smiles, coverage.

Gathered stretch by stretch while a tape is judged, small enough to stand in its report; drawing
is ``islandflow_assets.market_plots``. Statistics against bands are
``engine.tapes.market.scorecard``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.canonical import Document, Json
from contracts.control import FAMILIES
from contracts.flow import ACTORS
from contracts.regime import PHASES, REGIMES
from contracts.tape import TapeSpec
from contracts.tape_columns import TICKS_PER_DOLLAR
from engine.arrays import Floats, Ints
from engine.tapes.market.events import Batch, Columns
from islandflow_resources.tape_buckets import buckets_of

MINUTE_NS: Final = 60_000_000_000
DAY_NS: Final = 86_400_000_000_000
SYMBOLS_SHOWN: Final = 4
EXPIRIES_SHOWN: Final = 4
MOST_POINTS: Final = 480
LEAST_STRIKES: Final = 5
_LEVELS: Final = ("volatility", "liquidity", "cleanliness")
_DECOY: Final = ACTORS.index("decoy")
_PPM: Final = 1e-6
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class _Chain:
    """What is known of the option contracts of a tape, by their codes."""

    symbol: Ints
    expiry_ns: Ints
    strike_ticks: Ints
    is_put: Ints


class TapeSeries:
    """Series of one tape.

    Parameters
    ----------
    spec : TapeSpec
    contracts : Columns
        Layout ``option_contracts``, all that the tape lists.
    """

    def __init__(self, spec: TapeSpec, contracts: Columns) -> None:
        self._spec = spec
        self._minutes = _minutes(spec)
        count, shown = len(self._minutes), min(SYMBOLS_SHOWN, len(spec.universe))
        self._mids = np.full((shown, count), np.nan)
        self._shares, self._contracts = np.zeros(count), np.zeros(count)
        self._chain = _Chain(
            contracts["symbol"].astype(np.int64),
            contracts["expiry_ns"].astype(np.int64),
            contracts["strike_ticks"].astype(np.int64),
            contracts["right"].astype(np.int64),
        )
        self._look_ns = int(self._minutes[count // 2])
        self._iv = np.zeros(len(contracts["symbol"]), np.int64)
        self._spot = np.zeros(len(spec.universe), np.int64)
        self._regimes = np.full(count, -1, np.int64)
        self._phases = np.full(count, -1, np.int64)
        self._levels = np.full((len(_LEVELS), count), np.nan)
        self._focus: list[str] = [""] * count

    def add(self, batch: Batch) -> None:
        """Take a stretch; stretches come in order."""
        quotes, nbbo = batch.streams["equity_quotes"], batch.streams["option_nbbo"]
        clean = (quotes["bid_ticks"] > 0) & (quotes["ask_ticks"] > quotes["bid_ticks"])
        twice = quotes["bid_ticks"].astype(np.int64) + quotes["ask_ticks"]
        symbols, minutes = quotes["symbol"], self._places(quotes["ts_ns"])
        shown = clean & (symbols < len(self._mids))
        # Of several values for one place the last stays, which is the latest.
        self._mids[symbols[shown], minutes[shown]] = twice[shown] / (2.0 * TICKS_PER_DOLLAR)
        early = clean & (quotes["ts_ns"] < self._look_ns)
        self._spot[symbols[early]] = twice[early]
        seen = nbbo["ts_ns"] < self._look_ns
        self._iv[nbbo["contract"][seen]] = nbbo["iv_ppm"][seen]
        for name, sums in (("equity_prints", self._shares), ("option_prints", self._contracts)):
            prints = batch.streams[name]
            np.add.at(sums, self._places(prints["ts_ns"]), prints["size"])
        self._take_states(batch)

    def document(self, bursts: Columns) -> Document:
        """All series, at most `MOST_POINTS` in time.

        Parameters
        ----------
        bursts : Columns
            Layout ``burst_labels``.
        """
        step = -(-len(self._minutes) // MOST_POINTS)
        ends = [*range(step - 1, len(self._minutes), step)]
        if ends[-1] != len(self._minutes) - 1:
            ends.append(len(self._minutes) - 1)
        starts = np.arange(0, len(self._minutes), step)
        names = self._spec.symbols[: len(self._mids)]
        return {
            "minutes": step,
            "times_ns": [str(ns) for ns in self._minutes[starts].tolist()],
            "symbols": list(names),
            "prices": {
                name: _numbers(_carried(row)[ends])
                for name, row in zip(names, self._mids, strict=True)
            },
            "regimes": [REGIMES[code] if code >= 0 else None for code in self._regimes[starts]],
            "phases": [PHASES[code] if code >= 0 else None for code in self._phases[starts]],
            "levels": {
                name: _numbers(row[starts]) for name, row in zip(_LEVELS, self._levels, strict=True)
            },
            "focus": [self._focus[place] for place in starts.tolist()],
            "shares": _numbers(np.add.reduceat(self._shares, starts)),
            "contracts": _numbers(np.add.reduceat(self._contracts, starts)),
            "smiles": self._smiles(),
            "coverage": self._coverage(bursts),
        }

    def _places(self, ts_ns: Ints) -> Ints:
        """Minute of each time."""
        return np.searchsorted(self._minutes, ts_ns, side="right") - 1

    def _take_states(self, batch: Batch) -> None:
        states = batch.session_states
        places = self._places(states["ts_ns"])
        self._regimes[places], self._phases[places] = states["regime"], states["phase"]
        for row, name in zip(self._levels, _LEVELS, strict=True):
            row[places] = states[name]
        for place, focus in zip(places.tolist(), batch.focus, strict=True):
            self._focus[place] = " ".join(self._spec.symbols[slot] for slot in focus)

    def _smiles(self) -> Document:
        """Implied volatility out of the money of the shown symbols, as it was in the middle."""
        found: Document = {"time_ns": str(self._look_ns)}
        curves: list[Json] = []
        for slot in range(len(self._mids)):
            curves += self._curves(slot)
        return {**found, "curves": curves}

    def _curves(self, slot: int) -> list[Json]:
        spot, chain = self._spot[slot] / 2.0, self._chain
        if not spot:
            return []
        outside = (chain.strike_ticks < spot) == (chain.is_put == 1)
        mine = (chain.symbol == slot) & (self._iv > 0) & outside
        curves: list[Json] = []
        for expiry in np.unique(chain.expiry_ns[mine & (chain.expiry_ns > self._look_ns)]):
            rows = np.flatnonzero(mine & (chain.expiry_ns == expiry))
            if rows.size < LEAST_STRIKES:
                continue
            rows = rows[np.argsort(chain.strike_ticks[rows], kind="stable")]
            moneyness = np.log(chain.strike_ticks[rows].astype(np.float64) / spot)
            volatility = self._iv[rows].astype(np.float64) * _PPM
            curves.append(
                {
                    "symbol": self._spec.symbols[slot],
                    "days": round((int(expiry) - self._look_ns) / DAY_NS, 4),
                    "at_the_money": _number(float(np.interp(0.0, moneyness, volatility))),
                    "moneyness": _numbers(moneyness) if len(curves) < EXPIRIES_SHOWN else [],
                    "volatility": _numbers(volatility) if len(curves) < EXPIRIES_SHOWN else [],
                }
            )
        return curves

    def _coverage(self, bursts: Columns) -> Document:
        """Bursts of each family in the windows of the control's coverage, decoys apart."""
        control = self._spec.control.at(self._spec.start_ns)
        width = control.coverage_window_minutes
        windows = -(-len(self._minutes) // width)
        counts = np.zeros((len(FAMILIES), windows), np.int64)
        inside = (bursts["scheduled_ns"] >= self._minutes[0]) & (bursts["actor"] != _DECOY)
        places = self._places(bursts["scheduled_ns"][inside]) // width
        np.add.at(counts, (bursts["family"][inside], places), 1)
        starts = self._minutes[::width]
        return {
            "window_minutes": width,
            "times_ns": [str(ns) for ns in starts.tolist()],
            "bursts": {name: row.tolist() for name, row in zip(FAMILIES, counts, strict=True)},
        }


def _minutes(spec: TapeSpec) -> Ints:
    """Starts of the minutes that a tape shows, closed hours left out."""
    found = [
        minute
        for bucket in buckets_of(spec)
        for minute in range(bucket.start_ns // MINUTE_NS * MINUTE_NS, bucket.end_ns, MINUTE_NS)
    ]
    return np.array(found, np.int64)


def _carried(row: Floats) -> Floats:
    """Each minute without a value has that of the one before."""
    known = np.where(np.isnan(row), 0, np.arange(row.size))
    return row[np.maximum.accumulate(known)]


def _numbers(values: Floats) -> list[Json]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    """A number rounded as far as a picture needs it; none for what is undefined."""
    if not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")
