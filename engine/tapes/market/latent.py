"""The state behind a tape, second by second: regimes, levels, prices before flow, activity.

Everything here is independent of the flow, so that a symbol can be made alone; it is made
for the whole universe all the same, because the plan of bursts looks at all of it.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from contracts.control import ControlLog, SyntheticControlState
from contracts.regime import BUCKET_NS, PRESET_BIAS, REGIME_BASE
from contracts.seeds import stream_id
from contracts.tape import TapeSpec
from engine.arrays import Floats
from engine.mathx import log, normal_quantile
from engine.regimes.api import BucketState, RegimeWalk, session_at
from engine.rng import block_at
from engine.tapes.market import kernels_factors as factors
from engine.tapes.market import layout as at
from engine.tapes.market.schedule import EVENT_DAYS, Surroundings
from engine.tapes.market.shapes import fill_shapes

SECONDS_A_YEAR: Final = 252 * 23_400
MOVE_S: Final = 180
OVERNIGHT: Final = 0.5
"""Deviation of the move over a night, in those of a session."""
FOCUS_BUSY, EVENT_BUSY, USUAL_BUSY = 1.5, 1.25, 0.93
_SECOND_NS: Final = 1_000_000_000


class Stretch(NamedTuple):
    """Some seconds of one bucket under one control.

    Attributes
    ----------
    start_ns : int
    state : BucketState
    control : SyntheticControlState
    cells : ndarray, shape (cells, CELL_COLUMNS), float64
    paths : ndarray, shape (symbols, cells + 1), float64
        Log prices before flow.
    heat, busy : ndarray, shape (symbols, cells), float64
    moves : ndarray, shape (symbols, cells), float64
        Over three minutes, in usual ones.
    """

    start_ns: int
    state: BucketState
    control: SyntheticControlState
    cells: Floats
    paths: Floats
    heat: Floats
    busy: Floats
    moves: Floats

    def seen(self, cell: int) -> Surroundings:
        """What the plan of bursts looks at in one second."""
        return Surroundings(self.state, self.control, self.moves[:, cell])


class Latent:
    """The latent state of one tape, made in order of time.

    Parameters
    ----------
    spec : TapeSpec
    seed : int
    """

    def __init__(self, spec: TapeSpec, seed: int) -> None:
        self._spec = spec
        self._key = np.uint64(seed)
        count = len(spec.universe)
        near = [i for i, one in enumerate(spec.universe) if 0 < one.event_in_days <= EVENT_DAYS]
        self._walk = RegimeWalk(seed, spec.sessions, spec.symbols, tuple(near))
        self._session = 0
        self._state: BucketState | None = None
        self._levels = np.full(factors.LEVELS, -1.0)
        self._vol = _volatility(spec)
        sectors = sorted({one.sector for one in spec.universe})
        self._sector_of = [sectors.index(one.sector) for one in spec.universe]
        self._streams = {
            name: np.uint64(stream_id("market", *name.split("/")))
            for name in ("levels", "factor", *(f"sector/{one}" for one in sectors))
        }
        self._sectors = sectors
        self._symbol_streams = [
            np.uint64(stream_id("market", "price", symbol)) for symbol in spec.symbols
        ]
        self._market_state = np.zeros(2)
        self._sector_states = np.zeros((len(sectors), 2))
        self._symbol_states = np.zeros((count, 2))
        self._loads = np.array([_loads(spec, place) for place in range(count)])
        self.whole = np.sqrt((self._loads[:, :3] ** 2).sum(axis=1))
        prices = [log(one.start_price_cents / 100.0) for one in spec.universe]
        self._history = np.repeat(np.array(prices)[:, None], MOVE_S + 1, axis=1)

    def next(self, start_ns: int, seconds: int, control: ControlLog) -> Stretch:
        """The next seconds; they lie in one session, one bucket and under one control."""
        spec = self._spec
        place = session_at(spec.sessions, start_ns)
        if place != self._session:
            self._overnight(place)
        if self._state is None or self._state.start_ns // BUCKET_NS != start_ns // BUCKET_NS:
            self._state = self._walk.next(start_ns, control)
        state, now = self._state, control.at(start_ns)
        session = spec.sessions[place]
        length_s = (session.close_ns - session.open_ns) / _SECOND_NS
        shapes, deviations = np.empty(seconds), np.empty(seconds)
        past_s = (start_ns - session.open_ns) // _SECOND_NS
        fill_shapes(past_s, length_s, shapes, deviations)
        levels = self._levelled(start_ns, seconds, state, now)
        cells = np.empty((seconds, at.CELL_COLUMNS))
        amplitude = PRESET_BIAS[now.preset_id].amplitude
        load = now.load.rate * now.load.volume
        cells[:, at.RATE_SHAPE] = shapes
        activity = 0.4 + 0.6 * levels[:, 0] / factors.USUAL_VOLATILITY
        cells[:, at.RATE] = load * math.sqrt(amplitude) * activity
        cells[:, at.VOLATILITY] = levels[:, 0]
        cells[:, at.LIQUIDITY], cells[:, at.CLEANLINESS] = levels[:, 1], levels[:, 2]
        cells[:, at.OFF_FACTOR] = 0.55 + 0.25 * REGIME_BASE[state.regime].off_exchange / 0.45
        scale = deviations * levels[:, 0] / factors.USUAL_VOLATILITY
        paths, heat = self._priced(place, start_ns, scale, state, control)
        busy = np.full((len(spec.universe), seconds), USUAL_BUSY)
        busy[list(state.events)] = EVENT_BUSY
        busy[list(state.focus)] = FOCUS_BUSY
        return Stretch(start_ns, state, now, cells, paths, heat, busy, self._moved(scale, paths))

    def _levelled(
        self, start_ns: int, seconds: int, state: BucketState, now: SyntheticControlState
    ) -> Floats:
        base = REGIME_BASE[state.regime]
        amplitude = PRESET_BIAS[now.preset_id].amplitude
        bases = np.empty((seconds, factors.LEVELS))
        bases[:, 0] = base.volatility * amplitude
        bases[:, 1] = base.liquidity - 0.08 * (amplitude - 1.0)
        bases[:, 2] = base.cleanliness - 0.1 * (amplitude - 1.0)
        out = np.empty_like(bases)
        second = start_ns // _SECOND_NS
        factors.walk_levels(self._key, self._streams["levels"], second, bases, self._levels, out)
        return out

    def _priced(
        self, place: int, start_ns: int, scale: Floats, state: BucketState, control: ControlLog
    ) -> tuple[Floats, Floats]:
        seconds, second = len(scale), start_ns // _SECOND_NS
        market, market_heat = np.empty(seconds), np.empty(seconds)
        factors.walk_factor(
            self._key,
            self._streams["factor"],
            second,
            self._vol,
            self._market_state,
            market,
            market_heat,
        )
        sectors, spare = np.empty((len(self._sectors), seconds)), np.empty(seconds)
        for i, name in enumerate(self._sectors):
            stream = self._streams[f"sector/{name}"]
            states = self._sector_states[i]
            factors.walk_factor(self._key, stream, second, self._vol, states, sectors[i], spare)
        trend = np.full(seconds, float(REGIME_BASE[state.regime].drift))
        count = len(self._spec.universe)
        paths, heat = np.empty((count, seconds + 1)), np.empty((count, seconds))
        paths[:, 0] = self._history[:, -1]
        jumps = self._event_jumps(place, start_ns, seconds, state, control)
        for i in range(count):
            factors.walk_symbol(
                self._key,
                self._symbol_streams[i],
                second,
                scale,
                trend,
                market,
                market_heat,
                sectors[self._sector_of[i]],
                self._loads[i],
                jumps[i],
                self._vol,
                self._symbol_states[i],
                paths[i],
                heat[i],
            )
        return paths, heat

    def _event_jumps(
        self, place: int, start_ns: int, seconds: int, state: BucketState, control: ControlLog
    ) -> Floats:
        """Log jumps of the symbols with events, in the second of the session's event."""
        jumps = np.zeros((len(self._spec.universe), seconds))
        event_ns = self._walk.event_ns(place, control)
        if event_ns is None or not start_ns <= event_ns < start_ns + seconds * _SECOND_NS:
            return jumps
        cell = (event_ns - start_ns) // _SECOND_NS
        index = np.uint64(event_ns // _SECOND_NS * int(factors.WORDS) + 2)
        for symbol in state.events:
            u, _ = block_at(self._key, self._symbol_streams[symbol], index)
            jump_bps = self._spec.prices.event_jump_bps * normal_quantile(u)
            jumps[symbol, cell] = 1e-4 * jump_bps
        return jumps

    def _moved(self, scale: Floats, paths: Floats) -> Floats:
        history = np.concatenate([self._history, paths[:, 1:]], axis=1)
        moves = np.empty((len(paths), len(scale)))
        factors.moves(history, MOVE_S, moves)
        self._history = history[:, -(MOVE_S + 1) :].copy()
        return moves / (self.whole[:, None] * math.sqrt(MOVE_S) * scale[None, :])

    def _overnight(self, place: int) -> None:
        """A night passes: prices move at once, and what was seen before is forgotten."""
        self._session = place
        night = np.uint64(self._spec.sessions[place].open_ns // _SECOND_NS * int(factors.WORDS) + 3)
        shared, _ = block_at(self._key, self._streams["factor"], night)
        length = math.sqrt(23_400.0) * OVERNIGHT
        for i, stream in enumerate(self._symbol_streams):
            own, _ = block_at(self._key, stream, night)
            step = self._loads[i, 0] * normal_quantile(shared)
            step += self._loads[i, 2] * normal_quantile(own)
            self._history[i, :] = self._history[i, -1] + length * step


def _volatility(spec: TapeSpec) -> Floats:
    prices = spec.prices
    kept, deviations = factors.innovations(
        np.array([prices.slow_vol_s, prices.fast_vol_s]),
        np.array([prices.slow_vol_sd, prices.fast_vol_sd]),
    )
    return np.array([*kept, *deviations, prices.leverage])


def _loads(spec: TapeSpec, place: int) -> list[float]:
    """Deviation a second of a symbol's three parts, variance of log volatility, jumps a second."""
    one, prices = spec.universe[place], spec.prices
    market = one.market_beta * prices.market_vol
    sector = prices.sector_vol if one.security_type == "stock" else 0.0
    own = max(one.annual_vol**2 - market**2 - sector**2, (0.2 * one.annual_vol) ** 2)
    # what is given is the whole: jumps and flow add little
    scale = one.annual_vol / math.sqrt(market**2 + sector**2 + own) / math.sqrt(SECONDS_A_YEAR)
    spread = prices.slow_vol_sd**2 + prices.fast_vol_sd**2
    jumps = prices.jumps_per_session / 23_400.0
    return [market * scale, sector * scale, math.sqrt(own) * scale, spread, jumps]
