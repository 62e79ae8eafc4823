"""Trades in the underlying: signs, venues, prices, sizes; their impact; what dealers hedge.

Signs come from parent orders of Pareto length that are worked side by side (Lillo, Mike and
Farmer 2005), so that they stay alike for long; prices do not, since a trade's impact passes.
When trades happen is decided in ``kernels``.
"""

from __future__ import annotations

import math

from engine.jit import inlined, kernel
from engine.mathx import exp, log
from engine.tapes.market import layout as at
from engine.tapes.market.kernels_quotes import is_due, log_price, refresh, show_equity, sweep
from engine.tapes.market.kernels_rows import draw, write_equity_print
from engine.tapes.market.layout import Flow, World

REGULAR, ODD_LOT, ISO, CANCEL, CORRECT = 0, 1, 2, 3, 4
TRF = 6
LIT_VENUES = 6
BACKGROUND, HEDGE = 0, 3
_CENT = 100
_DOLLAR = 10_000.0
_MOST_CHILDREN = 4000
_USUAL_SHARES = 120.0
_MOST_SHARES = 50_000
_GROUP = 8
_HEDGE_SHARES = 2_500.0
_EATEN, _EATEN_PER_SHARE = 0.22, 0.0004


@inlined
def next_sign(flow: Flow, u: float, v: float) -> int:
    """Side of the next trade: a child of one of the parent orders, which may be its last."""
    place = int(u * at.SIGN_SLOTS)
    part = u * at.SIGN_SLOTS - place
    order = flow.signs[place]
    if order[1] <= 0:
        order[0] = 1 if part < 0.5 else -1
        length = exp(-log(v) / at.METAORDER_TAIL)
        order[1] = int(min(length, float(_MOST_CHILDREN)))
    order[1] -= 1
    return int(order[0])


@inlined
def shares_of(world: World, u: float, v: float) -> int:
    """Size of a trade: odd lots, the usual round lots, a Pareto tail of index 1.6."""
    odd = world.facts[at.ODD_SHARE]
    if u < odd:
        return 1 + int(99.0 * v * v)
    x = (u - odd) / (1.0 - odd)
    if x < 0.62:
        return 100
    if x < 0.78:
        return 200
    if x < 0.9:
        return 100 * (3 + int(3.0 * v))
    return min(int(400.0 * exp(-log(v) / 1.6)) // 100 * 100, _MOST_SHARES)


@inlined
def impact_of(flow: Flow, world: World, side: int, shares: float) -> None:
    """Move the underlying by a trade: as the square root of its size, and not for long."""
    flow.reals[at.IMPACT] += world.facts[at.KAPPA] * side * math.sqrt(shares / _USUAL_SHARES)


@kernel
def off_exchange_price(bid: int, ask: int, side: int, u: float) -> int:
    """Where trades print away from the exchanges: the middle, or better than the touch."""
    if u < 0.45:
        return (bid + ask) // 2
    if u < 0.85:
        better = int((u - 0.45) / 0.4 * 0.3 * (ask - bid))
        return ask - better if side > 0 else bid + better
    return ask if side > 0 else bid


@kernel
def print_shares(
    flow: Flow,
    world: World,
    ts_ns: int,
    side: int,
    shares: int,
    venue: int,
    is_iso: bool,
    actor: int,
    burst: int,
) -> int:
    """Print one trade on an exchange or off it; its sequence number."""
    u, v = draw(flow, world)
    bid, ask = flow.ints[at.BID], flow.ints[at.ASK]
    cells, settings = world.cells[flow.ints[at.CELL]], world.settings
    off = u < world.facts[at.OFF_SHARE] * cells[at.OFF_FACTOR]
    if off:
        part = u / (world.facts[at.OFF_SHARE] * cells[at.OFF_FACTOR])
        shares = min(shares * 3 // 2 if part < 0.5 else shares, _MOST_SHARES)
        # only these are late, for all of them
        late = settings[at.LATE] / (world.facts[at.OFF_SHARE] * cells[at.OFF_FACTOR])
        delay_ns = int(1e8 - 3e9 * log(v / late)) if v < late else 0
        price = off_exchange_price(bid, ask, side, part)
        condition = ODD_LOT if shares < 100 else REGULAR
        return write_equity_print(
            flow, world, ts_ns, delay_ns, price, shares, TRF, condition, 1, 0, actor, burst, side
        )
    price = ask if side > 0 else bid
    condition = ODD_LOT if shares < 100 else (ISO if is_iso else REGULAR)
    return write_equity_print(
        flow, world, ts_ns, 0, price, shares, venue, condition, 0, 0, actor, burst, side
    )


@inlined
def amend(flow: Flow, world: World, ts_ns: int, v: float) -> None:
    """Sometimes the last print is withdrawn or corrected a moment later, as `v` says."""
    settings = world.settings
    if v >= settings[at.CANCELLED] + settings[at.CORRECTED] or flow.rows[at.EP] == 0:
        return
    last = flow.equity_prints[flow.rows[at.EP] - 1]
    condition = CANCEL if v < settings[at.CANCELLED] else CORRECT
    size = last[5] if condition == CANCEL else max(1, last[5] // 2)
    write_equity_print(
        flow,
        world,
        ts_ns,
        0,
        int(last[4]),
        int(size),
        int(last[6]),
        condition,
        int(last[8]),
        int(last[2]),
        int(last[10]),
        int(last[11]),
        int(last[12]),
    )


@inlined
def ready_quote(flow: Flow, world: World, ts_ns: int) -> None:
    """Have a clean quote that is near the price before a trade."""
    ints = flow.ints
    width = ints[at.ASK] - ints[at.BID]
    gap = abs(exp(log_price(flow, world, ts_ns)) * _DOLLAR - 0.5 * (ints[at.BID] + ints[at.ASK]))
    if ints[at.IS_CLEAN] == 0 or gap > 0.9 * width + 0.5 * _CENT:
        refresh(flow, world, ts_ns, False)


@kernel
def trade(flow: Flow, world: World, ts_ns: int) -> None:
    """A background order: one print or several on its way over the venues."""
    ready_quote(flow, world, ts_ns)
    u, v = draw(flow, world)
    side = next_sign(flow, u, v)
    grows, where = draw(flow, world)
    venue = int(where * LIT_VENUES)
    at_ns = max(ts_ns, flow.ints[at.LAST_NS]) + 1
    total, prints, is_iso = 0, 0, False
    for _ in range(_GROUP):
        a, b = draw(flow, world)
        shares = shares_of(world, a, b)
        print_shares(flow, world, at_ns, side, shares, venue, is_iso, BACKGROUND, 0)
        total += shares
        prints += 1
        if grows >= at.GROUP_STAYS:
            break
        grows /= at.GROUP_STAYS
        at_ns += 20_000 + int(300_000.0 * b)
        venue, is_iso = (venue + 1) % LIT_VENUES, True
    impact_of(flow, world, side, float(total))
    moves, amends = draw(flow, world)
    if moves < _EATEN + _EATEN_PER_SHARE * min(total, 800):
        eat(flow, world, flow.ints[at.LAST_NS] + 30_000 + int(4e5 * u), side, v)
    amend(flow, world, flow.ints[at.LAST_NS] + 50_000, amends / prints)


@inlined
def eat(flow: Flow, world: World, ts_ns: int, side: int, u: float) -> None:
    """A trade takes all that was at the touch: the next price is a little further away."""
    bid, ask = flow.ints[at.BID], flow.ints[at.ASK]
    step = _CENT * (1 + int(0.25 * u * (ask - bid) / _CENT))
    bid, ask = (bid, ask + step) if side > 0 else (max(bid - step, _CENT), ask)
    show_equity(flow, world, ts_ns, bid, ask)
    if is_due(flow, world, ts_ns):
        sweep(flow, world, flow.ints[at.LAST_NS])


@kernel
def hedge(flow: Flow, world: World, ts_ns: int) -> None:
    """Dealers trade part of the shares that their option trades leave them with."""
    ready_quote(flow, world, ts_ns)
    left = flow.reals[at.TO_HEDGE]
    side = 1 if left > 0.0 else -1
    u, v = draw(flow, world)
    # sizes and conditions are everybody's; only round lots grow with what there is to do
    shares = shares_of(world, u, v)
    if shares >= 100:
        shares = int(shares * (1 + abs(left) // _HEDGE_SHARES))
    shares = int(min(shares, abs(left)))
    if shares < 1:
        flow.reals[at.TO_HEDGE] = 0.0
        return
    flow.reals[at.TO_HEDGE] = left - side * shares
    where, walks = draw(flow, world)
    venue, is_iso = int(where * LIT_VENUES), walks < at.GROUP_STAYS
    print_shares(flow, world, ts_ns, side, shares, venue, is_iso, HEDGE, flow.ints[at.HEDGED])
    impact_of(flow, world, side, float(shares))
    w, _ = draw(flow, world)
    if w < 0.4:
        refresh(flow, world, flow.ints[at.LAST_NS] + 40_000, False)
