"""Entries, and what became of them: take-profit, stop-loss or the end of the hold.

Definitions: ``docs/signals.md``. Kernels only; what trades are worth together is ``measure``, the
batch ``evaluate``.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from engine.arrays import Floats, Ints, Labels
from engine.jit import inlined, kernel

TP: Final = 0
SL: Final = 1
TIMEOUT: Final = 2
UNPRICED: Final = 3
OUTCOMES: Final = ("tp", "sl", "timeout", "unpriced")

SIGNAL: Final = 0
PROBABILITY: Final = 1
CONFIDENCE: Final = 2


class Market(NamedTuple):
    """Prices by bin.

    Attributes
    ----------
    mid : ndarray, shape (bins,), float64
        0 where there is no price.
    spread_ticks : ndarray, shape (bins,), float64
    ts_ns : ndarray, shape (bins,), int64
    tick : float
    """

    mid: Floats
    spread_ticks: Floats
    ts_ns: Ints
    tick: float


class Barriers(NamedTuple):
    """When a trade ends, and at which price.

    Attributes
    ----------
    tp_ticks, sl_ticks, max_hold_bins : int
    at_barrier : bool
        Whether an exit is priced at the barrier; else at the mid that crossed it, and a
        timeout at the last mid even if there is none, as the predecessor did.
    """

    tp_ticks: int
    sl_ticks: int
    max_hold_bins: int
    at_barrier: bool


class Outcomes(NamedTuple):
    """What becomes of an entry, by bin and direction (0 up, 1 down).

    Attributes
    ----------
    kind : ndarray, shape (bins, 2), int8
    exit_bin : ndarray, shape (bins, 2), int64
    exit_price : ndarray, shape (bins, 2), float64
    """

    kind: Labels
    exit_bin: Ints
    exit_price: Floats


class Trades(NamedTuple):
    """Room for trades in the order of their entries.

    Attributes
    ----------
    places : ndarray, shape (room, 4), int64
        Entry bin, direction (0 up, 1 down), kind of outcome, exit bin.
    pnl_ticks, cost_ticks : ndarray, shape (room,), float64
        Profit after costs; the costs.
    """

    places: Ints
    pnl_ticks: Floats
    cost_ticks: Floats


@kernel
def settle(market: Market, barriers: Barriers, entry: int, way: int, outcomes: Outcomes) -> None:
    """Find what becomes of an entry at a bin that has a price."""
    mid, price, tick = market.mid, market.mid[entry], market.tick
    end = min(entry + barriers.max_hold_bins, mid.shape[0])
    up = way == 0
    gain, loss = barriers.tp_ticks * tick, barriers.sl_ticks * tick
    target = price + gain if up else price - gain
    stop = price - loss if up else price + loss
    last = entry
    for j in range(entry + 1, end):
        now = mid[j]
        if now <= 0.0:
            continue
        last = j
        if (up and now >= target) or (not up and now <= target):
            outcomes.kind[entry, way], outcomes.exit_bin[entry, way] = TP, j
            outcomes.exit_price[entry, way] = target if barriers.at_barrier else now
            return
        if (up and now <= stop) or (not up and now >= stop):
            outcomes.kind[entry, way], outcomes.exit_bin[entry, way] = SL, j
            outcomes.exit_price[entry, way] = stop if barriers.at_barrier else now
            return
    if not barriers.at_barrier:
        last = max(end - 1, entry)
    unpriced = barriers.at_barrier and last == entry
    outcomes.kind[entry, way] = UNPRICED if unpriced else TIMEOUT
    outcomes.exit_bin[entry, way] = last
    outcomes.exit_price[entry, way] = mid[last]


@kernel
def settle_all(market: Market, barriers: Barriers, first_bin: int, outcomes: Outcomes) -> None:
    """Settle both directions at every bin that has a price."""
    for bin_ in range(first_bin, market.mid.shape[0]):
        if market.mid[bin_] > 0.0:
            settle(market, barriers, bin_, 0, outcomes)
            settle(market, barriers, bin_, 1, outcomes)


@inlined
def direction(value: float, threshold: float, mode: int) -> int:
    """1 up, −1 down, 0 neither."""
    if math.isnan(value):
        return 0
    if mode == PROBABILITY:
        if value >= threshold:
            return 1
        return -1 if value <= 1.0 - threshold else 0
    if mode == CONFIDENCE:
        if abs(value) < threshold:
            return 0
        return 1 if value > 0.0 else -1
    if value >= threshold:
        return 1
    return -1 if value <= -threshold else 0


@kernel
def trade(
    values: Floats,
    threshold: float,
    mode: int,
    first_bin: int,
    cooldown: int,
    single: bool,
    market: Market,
    extra_ticks: float,
    outcomes: Outcomes,
    out: Trades,
) -> tuple[int, int]:
    """Enter where the rule says so, and look up what becomes of each entry.

    Parameters
    ----------
    values : ndarray, shape (bins,), float64
    first_bin : int
        Where entries are looked for from on; the state before it is flat.
    single : bool
        Whether an entry waits for the exit of the one before.
    extra_ticks : float
        Costs of a trade besides its spread.

    Returns
    -------
    int
        Trades written.
    int
        Entries that had no price to leave at.
    """
    written, unpriced, before, last, free_from = 0, 0, 0, first_bin - cooldown, first_bin
    for bin_ in range(first_bin, values.shape[0]):
        now = direction(values[bin_], threshold, mode)
        enters = now != 0 and (mode != SIGNAL or now != before) and bin_ - last >= cooldown
        before = now
        if not enters or (single and bin_ < free_from):
            continue
        last = bin_
        if market.mid[bin_] <= 0.0:
            continue
        way = 0 if now == 1 else 1
        kind, left = outcomes.kind[bin_, way], outcomes.exit_bin[bin_, way]
        if kind == UNPRICED:
            unpriced += 1
            continue
        free_from = left
        moved = (outcomes.exit_price[bin_, way] - market.mid[bin_]) / market.tick
        spread = 0.5 * market.spread_ticks[bin_] + 0.5 * market.spread_ticks[left]
        cost = spread + extra_ticks
        place = out.places[written]
        place[0], place[1], place[2], place[3] = bin_, way, kind, left
        out.pnl_ticks[written] = (moved if way == 0 else -moved) - cost
        out.cost_ticks[written] = cost
        written += 1
    return written, unpriced
