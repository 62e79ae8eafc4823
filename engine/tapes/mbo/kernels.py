"""The clock of a tape: which kind of group comes next, and when.

One iteration proposes one group from four competing rates (withdrawals, the chase of the
path, quotes into a wide spread, the self-exciting flow), takes eight uniforms whatever
it does, and may leave the book as it is. ``docs/mbo-tape.md`` says what each decides;
what a group does is in ``kernels_flow``, the arrays are ``layout``.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Floats
from engine.book.events import ADD, LAST
from engine.jit import borrowed, inlined, kernel
from engine.mathx import exp, log
from engine.rng import fill_uniforms
from engine.tapes.mbo import layout as at
from engine.tapes.mbo.kernels_actions import ALL_LOTS, withdraw
from engine.tapes.mbo.kernels_flow import RATES, chase, expire, flow, quote
from engine.tapes.mbo.kernels_queue import MASK, emit, enter
from engine.tapes.mbo.layout import BLOCKS, ITERATIONS, TapeModel, TapeState

_SECOND_NS = 1e9
_LOG_RANGE = 4.0943445622221
# Mean of 1/pace for a pace log-uniform in 1/60 … 60: time is sped up by it.
_MEAN_WAIT = (at.PACE_RANGE - 1.0 / at.PACE_RANGE) / (2.0 * _LOG_RANGE)


@inlined
def fair_tick(now_ns: int, model: TapeModel) -> float:
    """Value of the path in ticks: straight from the open to the close of each bar."""
    past = now_ns - model.ints[at.START_NS]
    if past <= 0:
        return float(model.opened[0])
    bar = min(past // model.ints[at.BAR_NS], model.opened.shape[0] - 1)
    part = (past - bar * model.ints[at.BAR_NS]) / model.ints[at.BAR_NS]
    return float(model.opened[bar] + (model.closed[bar] - model.opened[bar]) * part)


@inlined
def base_rate(tape: TapeState, model: TapeModel) -> float:
    """Rate of the flow without its own excitement, steered to the mean that is asked."""
    base, wanted = model.reals[at.BASE_PER_S], model.reals[at.EVENTS_PER_S]
    past_s = (tape.ints[at.NOW_NS] - model.ints[at.START_NS]) / _SECOND_NS
    if past_s <= 0.0:
        return float(base)
    rows = tape.ints[at.ROWS] + tape.ints[at.ROW]
    steer = wanted * (past_s + at.STEER_S) / (rows + wanted * at.STEER_S)
    return float(base * min(max(steer * steer, 0.25), 4.0))


@inlined
def pass_time(tape: TapeState, step_s: float, u: Floats) -> bool:
    """Let time pass; true if an epoch ended, and the market has another pace."""
    reals = tape.reals
    business_s = reals[at.PACE] * step_s
    tape.ints[at.NOW_NS] += 1 + int(step_s * _SECOND_NS)
    reals[at.QUICK] *= exp(-at.QUICK_PER_S * business_s)
    reals[at.SLOW] *= exp(-at.SLOW_PER_S * business_s)
    reals[at.EPOCH_LEFT_S] -= business_s
    if reals[at.EPOCH_LEFT_S] > 0.0:
        return False
    reals[at.EPOCH_LEFT_S] = -at.EPOCH_S * log(u[6])
    reals[at.PACE] = _MEAN_WAIT * exp(_LOG_RANGE * (2.0 * u[7] - 1.0))
    return True


@inlined
def happen(tape: TapeState, model: TapeModel, u: Floats) -> bool:
    """One iteration: time passes, and at most one group happens."""
    ints, reals = tape.ints, tape.reals
    gap = fair_tick(ints[at.NOW_NS], model) - 0.5 * (ints[at.BEST] + ints[at.BEST + 1])
    pace = reals[at.PACE]
    expiring = 0.0
    for patience in range(at.PATIENCES):
        expiring += RATES[patience] * ints[at.PATIENT + patience]
    expiring *= pace
    chasing = model.reals[at.CHASE_PER_S] * min(max(abs(gap) - at.DEAD_TICKS, 0.0), at.MAX_CHASED)
    quoting = model.reals[at.QUOTE_PER_S] * min(ints[at.BEST + 1] - ints[at.BEST] - 1, 3)
    base = base_rate(tape, model)
    total = expiring + chasing + quoting + pace * (base + reals[at.QUICK] + reals[at.SLOW])
    step_s = -log(u[0]) / total
    if pass_time(tape, min(step_s, at.MAX_STEP_S), u) or step_s > at.MAX_STEP_S:
        return False
    for side in range(2):
        worst = ints[at.WORST + side]
        spare = ints[at.ORDERS + side] > at.MIN_ORDERS
        if spare and abs(ints[at.BEST + side] - worst) > at.MAX_SPAN_TICKS:
            return withdraw(tape, model, tape.levels[side, worst & MASK, at.HEAD], ALL_LOTS)
    x = u[1] * total
    if x < expiring:
        return expire(tape, model, x / pace, u)
    x -= expiring
    if x < chasing:
        return chase(tape, model, gap, u)
    x -= chasing
    if x < quoting:
        return quote(tape, model, gap, u)
    # the excitement has faded since the step was drawn: what is lost of it is no group
    if x - quoting >= pace * (base + reals[at.QUICK] + reals[at.SLOW]):
        return False
    return flow(tape, model, gap, u)


@kernel
def advance(
    counted: TapeState, given: TapeModel, key: np.uint64, stream: np.uint64, until_ns: int
) -> None:
    """Write groups until the time is over or fewer than `GROUP_ROWS` rows are left.

    Parameters
    ----------
    counted, given : TapeState, TapeModel
        The state is advanced in place; `ROW` rows of its `out` are written.
    key, stream : uint64
        Seed and stream of the draws.
    until_ns : int
        Time before which all groups lie; one that would not ends the tape.
    """
    tape = TapeState(
        borrowed(counted.ints),
        borrowed(counted.reals),
        borrowed(counted.orders),
        borrowed(counted.levels),
        borrowed(counted.members),
        borrowed(counted.out),
    )
    model = TapeModel(
        borrowed(given.ints),
        borrowed(given.reals),
        borrowed(given.tables),
        borrowed(given.opened),
        borrowed(given.closed),
    )
    first, second = np.empty(BLOCKS * ITERATIONS), np.empty(BLOCKS * ITERATIONS)
    kept = np.empty(2 * BLOCKS)
    u = borrowed(kept)
    ints, out, drawn = tape.ints, tape.out, -1
    ints[at.ROW] = 0
    while ints[at.NOW_NS] < until_ns and ints[at.ROW] + at.GROUP_ROWS <= out.shape[0]:
        page, block = divmod(ints[at.ITERATION], ITERATIONS)
        if page != drawn:
            fill_uniforms(key, stream, page * ITERATIONS * BLOCKS, first, second)
            drawn = page
        for k in range(BLOCKS):
            u[2 * k] = first[block * BLOCKS + k]
            u[2 * k + 1] = second[block * BLOCKS + k]
        ints[at.ITERATION] += 1
        before = ints[at.ROW]
        if not happen(tape, model, u):
            continue
        if ints[at.NOW_NS] >= until_ns:
            ints[at.ROW] = before
            break
        ints[at.SEQUENCE] += 1
        out[ints[at.ROW] - 1, at.ROW_FLAGS] = LAST
    ints[at.ROWS] += ints[at.ROW]


@kernel
def found(tape: TapeState, best_tick: int, distances: int, lots: int, patience: int) -> None:
    """Lay the first orders: one at each of so many prices on both sides."""
    for distance in range(distances):
        enter(tape, at.SIDE_BID, best_tick - distance, lots, patience)
        enter(tape, at.SIDE_ASK, best_tick + 1 + distance, lots, patience)


@kernel
def snapshot(tape: TapeState, model: TapeModel) -> None:
    """Write every order: bids from the best down, then asks from the best up."""
    for side in range(2):
        sign = 1 if side == at.SIDE_BID else -1
        best, worst = tape.ints[at.BEST + side], tape.ints[at.WORST + side]
        for k in range(sign * (best - worst) + 1):
            tick = best - sign * k
            price_int = tick * model.ints[at.TICK_INT]
            slot = tape.levels[side, tick & MASK, at.HEAD]
            for _ in range(tape.levels[side, tick & MASK, at.COUNT]):
                order = tape.orders[slot]
                emit(tape, ADD, side, order[at.ID], price_int, order[at.LOTS])
                slot = order[at.NEXT]
