"""A tape: a specification and a seed in, batches of events out.

The state is a handful of arrays of fixed size, however long the tape; batches are cut
from chunks whose borders depend on nothing but the specification, so their size changes
no event. The flow itself is ``kernels``; statistics of a tape are ``scorecard``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from contracts.errors import UnrepresentableError
from contracts.mbo import MboSpec
from contracts.seeds import checked_seed, stream_id
from engine import paths
from engine.arrays import Floats, Ints
from engine.book.events import CLEAR, LAST, NO_SIDE, SNAPSHOT, Events
from engine.tapes.mbo import kernels, tables
from engine.tapes.mbo import layout as at
from engine.tapes.mbo.layout import TapeModel, TapeState

VERSION: Final = "1"
CHUNK_ROWS: Final = 65_536
MIN_FAIR_TICKS: Final = 1_500
MAX_PRICE_INT: Final = 2**62
MIN_BARS: Final = 100
ROWS_PER_ADD: Final = 2.9
"""Rows of all kinds for one add, about; the rate is steered to what is asked."""


class MboTape:
    """The events of one specification and seed, in order, made as they are asked for.

    Parameters
    ----------
    spec : MboSpec
        Validated specification.
    seed : int
        0 … 2⁶³ − 1; also the seed of the scenario's path.

    Raises
    ------
    UnrepresentableError
        ``SCENARIO_UNREPRESENTABLE`` if the path has no bars, ``TAPE_UNREPRESENTABLE`` if
        it leaves the prices that a tape can show.
    """

    def __init__(self, spec: MboSpec, seed: int) -> None:
        self.spec = spec
        self._key = np.uint64(checked_seed(seed))
        self._stream = np.uint64(stream_id("tapes", "mbo", "flow"))
        self._model = model_of(spec, seed)
        self._state = _empty_book(_capacity(spec))
        self._begun = False
        self._rest: list[Events] = []

    def next(self, rows: int) -> Events:
        """The next `rows` events; fewer at the end of the tape, and then none."""
        parts: list[Events] = []
        wanted = rows
        while wanted > 0:
            if not self._rest and not self._make():
                break
            chunk = self._rest.pop()
            taken = min(wanted, chunk.rows)
            parts.append(chunk.part(0, taken))
            if taken < chunk.rows:
                self._rest.append(chunk.part(taken, chunk.rows))
            wanted -= taken
        return joined(parts)

    def batches(self, rows: int = CHUNK_ROWS) -> Iterator[Events]:
        """The events that are left, `rows` at a time."""
        while (batch := self.next(rows)).rows:
            yield batch

    def fair(self, ts_ns: Ints) -> Floats:
        """Value of the path at given times, in ticks of the tape."""
        opened, closed = self._model.opened, self._model.closed
        past = np.clip(ts_ns - self.spec.start_ns, 0, None)
        bar = np.minimum(past // self.spec.step_ns, opened.shape[0] - 1)
        part = (past - bar * self.spec.step_ns) / self.spec.step_ns
        return opened[bar] + (closed[bar] - opened[bar]) * part

    def _make(self) -> bool:
        """Make the next chunk; false if the tape is over."""
        if not self._begun:
            self._begun = True
            self._rest.append(self._snapshot())
            return True
        while self._advance(self.spec.end_ns):
            if rows := int(self._state.ints[at.ROW]):
                self._rest.append(_events(self._state.out[:rows]))
                return True
        return False

    def _advance(self, until_ns: int) -> bool:
        """Write groups up to a time; false if it was reached before."""
        if self._state.ints[at.NOW_NS] >= until_ns:
            return False
        kernels.advance(self._state, self._model, self._key, self._stream, until_ns)
        return True

    def _snapshot(self) -> Events:
        """Warm the book up, and tell it as it stands at the start."""
        ints, start_ns = self._state.ints, self.spec.start_ns
        ints[at.NOW_NS] = start_ns - at.WARM_UP_NS
        best_tick = int(np.floor(self._model.opened[0]))
        kernels.found(self._state, best_tick, 2 * at.MIN_ORDERS, 4, 4)
        while self._advance(start_ns):
            pass
        rows = 1 + int(ints[at.ORDERS] + ints[at.ORDERS + 1])
        out = np.zeros((rows, at.ROW_COLUMNS), dtype=np.int64)
        out[0, at.ROW_ACTION], out[0, at.ROW_SIDE] = CLEAR, NO_SIDE
        ints[at.ROW], ints[at.ROWS] = 1, 0
        kernels.snapshot(self._state._replace(out=out), self._model)
        ints[at.ROW], ints[at.SEQUENCE] = 0, 2
        out[:, at.ROW_TS], out[:, at.ROW_SEQUENCE] = start_ns, 1
        out[:, at.ROW_FLAGS] = SNAPSHOT
        out[-1, at.ROW_FLAGS] = SNAPSHOT | LAST
        return _events(out)


def version(spec: MboSpec) -> str:
    """Version of what a tape holds: its own part, a dot, that of the scenario's path."""
    return f"{VERSION}.{paths.version(spec.scenario)}"


def model_of(spec: MboSpec, seed: int) -> TapeModel:
    """All that a tape follows: its parameters, tables and path."""
    flow, rate = spec.flow, spec.events_per_second
    groups = 1.0 + flow.modifies_per_add + flow.market_orders_per_add
    reals = np.zeros(at.MODEL_REALS)
    reals[at.BASE_PER_S] = rate * (1.0 - flow.branching) * groups / ROWS_PER_ADD
    reals[at.BRANCHING] = flow.branching
    reals[at.CHASE_PER_S] = 0.08 * rate
    reals[at.QUOTE_PER_S] = 0.5 * rate
    reals[at.ADD_SHARE] = 1.0 / groups
    reals[at.MODIFY_SHARE] = flow.modifies_per_add / groups
    reals[at.JOIN_SHARE] = flow.join_share
    reals[at.NEAR_SHARE] = flow.near_share
    reals[at.FIRST_LEVEL] = spec.depth.first_level
    reals[at.EVENTS_PER_S] = rate
    ints = np.array(
        (spec.tick_int, spec.start_ns, spec.step_ns, spec.depth.rise_levels), dtype=np.int64
    )
    return TapeModel(ints, reals, tables.of(spec), *fair_ticks(spec, seed))


def fair_ticks(spec: MboSpec, seed: int) -> tuple[Floats, Floats]:
    """Open and close of every bar of the tape, in its ticks.

    The scenario's prices are scaled so that its start price is ``start_price_ticks``.

    Returns
    -------
    opened, closed : ndarray, shape (bars,), float64

    Raises
    ------
    UnrepresentableError
        See `MboTape`.
    """
    scenario = spec.scenario
    stop = spec.first_bar + spec.bars
    # the first bars of a scenario do not depend on how many follow
    shorter = scenario.model_copy(update={"duration_bars": max(stop, MIN_BARS)})
    bars = paths.simulate(shorter, seed)
    scale = spec.start_price_ticks / scenario.start_price * scenario.tick_size
    part = slice(spec.first_bar, stop)
    opened = bars.open_ticks[part].astype(np.float64) * scale
    closed = bars.close_ticks[part].astype(np.float64) * scale
    highest = MAX_PRICE_INT / spec.tick_int
    for prices in (opened, closed):
        off = np.flatnonzero((prices < MIN_FAIR_TICKS) | (prices > highest))
        if off.size:
            raise _unrepresentable(spec, float(prices[off[0]]), int(off[0]) + spec.first_bar)
    return opened, closed


def joined(parts: list[Events]) -> Events:
    """Events one after the other; no rows of no parts."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return _events(np.zeros((0, at.ROW_COLUMNS), dtype=np.int64))
    return Events(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _unrepresentable(spec: MboSpec, tick: float, bar: int) -> UnrepresentableError:
    return UnrepresentableError(
        "TAPE_UNREPRESENTABLE",
        f"{spec.id}: the path is at {tick:.6g} ticks of the tape in bar {bar}; a tape shows "
        f"{MIN_FAIR_TICKS} … {MAX_PRICE_INT / spec.tick_int:.6g}",
        f"bar {bar}",
        ("choose another start_price_ticks or tick_int, or fewer bars",),
    )


def _events(rows: Ints) -> Events:
    """Columns of the rows that a kernel wrote."""
    ts_ns, action, side, order_id, price_int, size, flags, sequence = rows.T
    return Events(
        ts_ns.copy(),
        action.astype(np.uint8),
        side.astype(np.uint8),
        order_id.copy(),
        price_int.copy(),
        size.copy(),
        flags.astype(np.int32),
        sequence.copy(),
    )


def _empty_book(capacity: int) -> TapeState:
    state = TapeState(
        np.zeros(at.STATE_INTS, dtype=np.int64),
        np.zeros(at.STATE_REALS),
        np.zeros((capacity, at.ORDER_COLUMNS), dtype=np.int64),
        np.zeros((2, at.WINDOW_TICKS, at.LEVEL_COLUMNS), dtype=np.int64),
        np.zeros((at.PATIENCES, capacity), dtype=np.int64),
        np.zeros((CHUNK_ROWS + at.GROUP_ROWS, at.ROW_COLUMNS), dtype=np.int64),
    )
    state.orders[:, at.NEXT] = np.arange(1, capacity + 1)
    state.orders[-1, at.NEXT] = -1
    state.ints[at.NEXT_ID] = 1
    state.reals[at.PACE] = 1.0
    return state


def _capacity(spec: MboSpec) -> int:
    """Most orders at a time: about two hours of patient ones."""
    capacity = 4096
    while capacity < 128 * spec.events_per_second:
        capacity *= 2
    return capacity
