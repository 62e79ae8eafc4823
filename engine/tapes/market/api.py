"""The synthetic session: `MarketTape` makes all four streams, and the truth, in order of time.

Second by second: the latent state (``latent``), the plan of bursts (``schedule``), the flow of
each symbol (``kernels``), merged into one order. Where it is cut into batches, which symbols
are asked for and how far it goes changes no event. Files are
``islandflow_resources.tape_folder``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from contracts.control import FAMILIES, PRESETS, ControlLog
from contracts.errors import ContractError
from contracts.flow import ACTORS, EXPECTED_CLASS
from contracts.regime import BUCKET_NS
from contracts.seeds import checked_seed
from contracts.tape import TapeSpec
from engine.arrays import Floats, Ints
from engine.regimes.api import phase_code, regime_code, session_at
from engine.tapes.market import kernels
from engine.tapes.market import layout as at
from engine.tapes.market.chain import chain_of
from engine.tapes.market.events import CLASSES, Batch, Columns
from engine.tapes.market.latent import Latent, Stretch
from engine.tapes.market.merge import RowBuffer, merged
from engine.tapes.market.schedule import FIRST_S, Schedule
from engine.tapes.market.symbols import SymbolFlow, settings_of

VERSION: Final = "2"
"""Version of what a tape holds; raised by hand with any change of its bytes."""
_SECOND_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _SECOND_NS


class MarketTape:
    """One tape, made as it is asked for.

    Parameters
    ----------
    spec : TapeSpec
    seed : int
        0 … 2⁶³ − 1.
    symbols : tuple of str, optional
        Only these symbols' events and labels; they are those of the whole tape.

    Raises
    ------
    ContractError
        ``SEED_OUT_OF_RANGE``, ``TAPE_SYMBOL_UNKNOWN``.

    Attributes
    ----------
    contracts : list of str
        OCC ids listed so far; the place of one is its code.
    position_ns : int
        Everything before it has been made.
    """

    def __init__(self, spec: TapeSpec, seed: int, symbols: tuple[str, ...] | None = None) -> None:
        self.spec = spec
        self.seed = checked_seed(seed)
        self.contracts: list[str] = []
        self._control = spec.control
        self._codes: dict[str, int] = {}
        self._contract_rows: list[tuple[int, int, int, int, int]] = []
        self._latent = Latent(spec, seed)
        self._schedule = Schedule(spec, seed)
        self._flows = [
            SymbolFlow(spec, seed, _place_of(spec, name)) for name in (symbols or spec.symbols)
        ]
        self._settings = settings_of(spec)
        self._buffer = RowBuffer()
        self._session = -1
        self._now_ns: int = spec.sessions[0].open_ns
        self.position_ns: int = spec.start_ns

    def set_control(self, control: ControlLog) -> None:
        """Follow a log that has grown; what is made already stays as it is.

        Raises
        ------
        ContractError
            ``CONTROL_IN_THE_PAST`` if the log differs before the present position.
        """
        until = min(self._now_ns, self.position_ns)
        if control.until(until) != self._control.until(until):
            raise ContractError(
                "CONTROL_IN_THE_PAST",
                f"cannot follow a control log that differs before {until}: that part is made",
                "/control",
                ("let the change take effect later",),
            )
        self._control = control

    def batches(self) -> Iterator[Batch]:
        """All that is left, a five-minute bucket at a time."""
        while self.position_ns < self.spec.end_ns:
            bucket_end = (self.position_ns // BUCKET_NS + 1) * BUCKET_NS
            yield self.advance(min(bucket_end, self.spec.end_ns))

    def advance(self, until_ns: int) -> Batch:
        """Events from the position up to a whole second, at most the end of the tape."""
        start_ns, until_ns = self.position_ns, min(until_ns, self.spec.end_ns)
        states: list[Stretch] = []
        while self._now_ns < until_ns:
            stop_ns = self._next_stop(until_ns)
            if stop_ns > self._now_ns:
                states.append(self._stretch(stop_ns))
            self._now_ns = stop_ns if stop_ns > self._now_ns else self._next_open()
            if self._now_ns <= start_ns:
                self._buffer.clear()
        self.position_ns = until_ns
        streams, labels = merged(self._buffer, start_ns)
        self._buffer.clear()
        shown = [one for one in _minutes(states) if one[0] >= start_ns]
        return Batch(
            start_ns,
            until_ns,
            streams,
            labels,
            _state_columns(shown),
            [stretch.state.focus for _, stretch in shown],
            [stretch.state.events for _, stretch in shown],
        )

    def scheduled(self, since_ns: int, until_ns: int) -> dict[str, int]:
        """How many bursts of each profile were scheduled in ``since_ns ≤ t < until_ns``."""
        return self._schedule.scheduled(since_ns, until_ns)

    def contract_rows(self) -> Columns:
        """Reference data of the contracts listed so far, by code; ids are `contracts`."""
        rows = np.array(self._contract_rows, dtype=np.int64).reshape(-1, 5)
        return {
            "contract": np.arange(len(rows)),
            "symbol": rows[:, 0],
            "expiry_ns": rows[:, 1],
            "strike_ticks": rows[:, 2].astype(np.int32),
            "right": rows[:, 3],
            "first_ns": rows[:, 4],
        }

    def event_calendar(self) -> Columns:
        """Scheduled events of the universe, all known before the first open."""
        known = [flow for flow in self._flows if flow.event_ns]
        announced = self.spec.sessions[0].open_ns - 30 * 86_400 * _SECOND_NS
        return {
            "symbol": np.array([flow.slot for flow in known], dtype=np.int64),
            "announced_ns": np.full(len(known), announced, dtype=np.int64),
            "event_ns": np.array([flow.event_ns for flow in known], dtype=np.int64),
        }

    def burst_labels(self) -> Columns:
        """Every burst that has printed so far, in order of its scheduled time."""
        count = self._schedule.count
        ints, reals = self._schedule.ints[:count], self._schedule.reals[:count]
        mine = np.isin(ints[:, at.B_SYMBOL], [flow.slot for flow in self._flows])
        shown = mine & (ints[:, at.B_PRINTS] > 0) & (ints[:, at.B_END] >= self.spec.start_ns)
        ints, reals = ints[shown], reals[shown]
        decoys = ints[:, at.B_ACTOR] == ACTORS.index("decoy")
        classes = np.array([CLASSES.index(EXPECTED_CLASS[name]) for name in FAMILIES])
        expected = np.where(decoys, CLASSES.index("unclear"), classes[ints[:, at.B_FAMILY]])
        return {
            "burst_id": ints[:, at.B_NUMBER],
            "actor": ints[:, at.B_ACTOR],
            "subtype": ints[:, at.B_SUBTYPE],
            "family": ints[:, at.B_FAMILY],
            "symbol": ints[:, at.B_SYMBOL],
            "scheduled_ns": ints[:, at.B_SCHEDULED],
            "start_ns": ints[:, at.B_START],
            "end_ns": ints[:, at.B_END],
            "prints": ints[:, at.B_PRINTS],
            "contracts": ints[:, at.B_CONTRACTS],
            "notional_usd": reals[:, at.R_DONE],
            "expected_class": expected,
            "direction": ints[:, at.B_DIRECTION],
            "regime": ints[:, at.B_REGIME],
            "phase": ints[:, at.B_PHASE],
        }

    def _next_stop(self, until_ns: int) -> int:
        """Where the present stretch ends: bucket, session, control, or what is asked."""
        session = self.spec.sessions[session_at(self.spec.sessions, self._now_ns)]
        if self._now_ns >= session.close_ns:
            return self._now_ns
        stops = [until_ns, session.close_ns, (self._now_ns // BUCKET_NS + 1) * BUCKET_NS]
        stops += [
            version.effective_ns
            for version in self._control.versions
            if version.effective_ns > self._now_ns
        ]
        if self._now_ns < self.spec.start_ns:
            stops.append(self.spec.start_ns)
        return min(stops)

    def _next_open(self) -> int:
        return min(one.open_ns for one in self.spec.sessions if one.open_ns > self._now_ns)

    def _stretch(self, stop_ns: int) -> Stretch:
        start_ns = self._now_ns
        seconds = (stop_ns - start_ns) // _SECOND_NS
        stretch = self._latent.next(start_ns, seconds, self._control)
        place = session_at(self.spec.sessions, start_ns)
        if place != self._session:
            self._open(place, stretch)
        rates = self._burst_rates(stretch)
        first_ns = self.spec.sessions[place].open_ns + FIRST_S * _SECOND_NS
        planned = self._schedule.extend(start_ns, rates, stretch.seen, first_ns)
        symbols = self._schedule.ints[:, at.B_SYMBOL]
        for flow in self._flows:
            mine = [one for one in planned if symbols[one[1]] == flow.slot]
            self._run(flow, stretch, np.array(mine, dtype=np.int64).reshape(-1, 2))
        return stretch

    def _run(self, flow: SymbolFlow, stretch: Stretch, planned: Ints) -> None:
        first, stop = 0, len(stretch.cells)
        world = flow.world(stretch, self._settings, self.spec.sessions[0].open_ns)
        while True:
            arrays = flow.arrays(self._schedule.ints, self._schedule.reals, self._buffer)
            first = kernels.run(arrays, world, first, stop, planned)
            if first == stop:
                return
            self._buffer.flush()

    def _burst_rates(self, stretch: Stretch) -> Floats:
        cells = stretch.cells
        load = stretch.control.load
        per_s = self.spec.flow.bursts_per_minute / 60.0 * load.rate * load.volume
        return per_s * cells[:, at.RATE_SHAPE] * cells[:, at.RATE] / (load.rate * load.volume)

    def _open(self, place: int, stretch: Stretch) -> None:
        """List the chains of a session and begin anew what does not last over a night."""
        session = self.spec.sessions[place]
        self._session = place
        for flow in self._flows:
            price = flow.price_ticks(stretch.paths[flow.slot, 0])
            profile = self.spec.universe[flow.slot]
            chain = chain_of(profile, self.spec.chain, session, price, flow.event_ns)
            codes = [
                self._code(name, flow.slot, chain.closes, row, session.open_ns)
                for name, row in zip(chain.ids, chain.listed, strict=True)
            ]
            flow.begin_session(chain, np.array(codes, dtype=np.int64))

    def _code(self, name: str, slot: int, closes: Ints, row: Ints, first_ns: int) -> int:
        if name not in self._codes:
            self._codes[name] = len(self.contracts)
            self.contracts.append(name)
            expiry, is_put, strike = row[at.EXPIRY], row[at.IS_PUT], row[at.STRIKE]
            self._contract_rows.append(
                (slot, int(closes[expiry]), int(strike), int(is_put), first_ns)
            )
        return self._codes[name]


def _place_of(spec: TapeSpec, symbol: str) -> int:
    if symbol in spec.symbols:
        return spec.symbols.index(symbol)
    raise ContractError(
        "TAPE_SYMBOL_UNKNOWN",
        f"{symbol!r} is not in the universe of {spec.id}",
        symbol[:40],
        (f"choose among {', '.join(spec.symbols[:8])}",),
    )


def _minutes(stretches: list[Stretch]) -> list[tuple[int, Stretch]]:
    """Starts of minutes, each with the stretch it lies in."""
    return [
        (ns, one)
        for one in stretches
        for ns in range(
            -(-one.start_ns // _MINUTE_NS) * _MINUTE_NS,
            one.start_ns + len(one.cells) * _SECOND_NS,
            _MINUTE_NS,
        )
    ]


def _state_columns(shown: list[tuple[int, Stretch]]) -> Columns:
    cells = [one.cells[(ns - one.start_ns) // _SECOND_NS] for ns, one in shown]
    reals = np.array(cells).reshape(-1, at.CELL_COLUMNS)
    return {
        "ts_ns": np.array([ns for ns, _ in shown], dtype=np.int64),
        "regime": np.array([regime_code(one.state) for _, one in shown], dtype=np.int64),
        "phase": np.array([phase_code(one.state) for _, one in shown], dtype=np.int64),
        "preset": np.array(
            [PRESETS.index(one.control.preset_id) for _, one in shown], dtype=np.int64
        ),
        "volatility": reals[:, at.VOLATILITY],
        "liquidity": reals[:, at.LIQUIDITY],
        "cleanliness": reals[:, at.CLEANLINESS],
    }
