"""Bursts: the hidden orders that a detector is to find, and the decoys that look like them.

A burst is scheduled before (``schedule``); here it finds its contracts in the chain and
prints them one by one. A print is priced off the surface and its size off the notional, never
the other way round. Draws are of the burst's own stream, so that what else happens on the
symbol does not change them.
"""

from __future__ import annotations

import numpy as np

from contracts.flow import SUBTYPES
from engine.jit import inlined, kernel
from engine.mathx import exp, log, normal_quantile
from engine.rng import block_at
from engine.tapes.market import layout as at
from engine.tapes.market.kernels_options import (
    VENUES,
    place_of,
    print_option,
    ready,
    strike_near,
    strikes_of,
)
from engine.tapes.market.layout import Flow, World
from engine.tapes.market.surface import priced, ssvi_slice

_LEGS = np.array([len(one.legs) for one in SUBTYPES])
_SAME, _CALL, _PUT = 0, 1, 2
_RIGHTS = {"same": _SAME, "C": _CALL, "P": _PUT}
_LEG_RIGHT = np.zeros((len(SUBTYPES), 4), dtype=np.int64)
_LEG_STEPS = np.zeros((len(SUBTYPES), 4), dtype=np.int64)
_LEG_SIDE = np.zeros((len(SUBTYPES), 4), dtype=np.int64)
for _i, _one in enumerate(SUBTYPES):
    for _j, _leg in enumerate(_one.legs):
        _LEG_RIGHT[_i, _j] = _RIGHTS[_leg.right]
        _LEG_STEPS[_i, _j] = _leg.steps
        _LEG_SIDE[_i, _j] = _leg.side

_DAY_NS = 86_400_000_000_000.0
_DOLLAR_LOT = 100.0 / 10_000.0
_MOST_LOTS = 20_000
_LOT_SPREAD = 0.75
_LOT_MEAN = 0.2812500  # half its square: the mean of the log-normal factor is 1
_VENUE_STEP = 5
_APART = 12.0
_LEAST_PRICE = 1_000.0  # a dime: from there on there is always a bid


@inlined
def burst_draw(flow: Flow, world: World, row: int) -> tuple[float, float]:
    """The next two uniforms of a burst."""
    burst = flow.bursts[row]
    index = np.uint64(burst[at.B_DRAW])
    burst[at.B_DRAW] += 1
    return block_at(world.key, np.uint64(burst[at.B_STREAM]), index)


@inlined
def expiry_near(flow: Flow, ts_ns: int, days: float, behind_event: bool) -> int:
    """The listed expiry nearest to so many days ahead; behind the event, where one is wanted."""
    best, least = 0, 1e300
    for e in range(flow.closes.shape[0]):
        ahead = (flow.closes[e] - ts_ns) / _DAY_NS
        away = abs(ahead - days)
        if behind_event and flow.expiries[e, at.BEHIND_EVENT] == 0.0:
            away += 1000.0
        if away < least:
            best, least = e, away
    return best


@inlined
def worth_of(flow: Flow, place: int) -> tuple[float, float]:
    """Price of a contract on the surface, in ticks, and its delta."""
    contract = flow.listed[place]
    expiry = flow.expiries[contract[at.EXPIRY]]
    spot, strike = 0.5 * flow.ints[at.CLEAN_MID2], float(contract[at.STRIKE])
    k = log(strike / spot)
    w = ssvi_slice(k, expiry[at.THETA], flow.reals[at.SWEPT_RHO], expiry[at.PHI])
    price, slope, _ = priced(contract[at.IS_PUT] == 0, spot, strike, k, w)
    return price, slope


@inlined
def strike_worth_having(flow: Flow, expiry: int, strike: int, is_put: int) -> int:
    """The strike, or one nearer to the money where an option at it is worth next to nothing."""
    money = strike_near(flow, 0.5 * flow.ints[at.CLEAN_MID2])
    inward = 1 if is_put else -1
    while (money - strike) * inward > 0:
        price, _ = worth_of(flow, place_of(flow, expiry, strike, is_put))
        if price >= _LEAST_PRICE:
            break
        strike += inward
    return strike


@kernel
def begin(flow: Flow, world: World, row: int, ts_ns: int, slot: int) -> None:
    """Let a scheduled burst begin: choose its contracts and the time of its first print."""
    burst, reals = flow.bursts[row], flow.burst_reals[row]
    kind = burst[at.B_SUBTYPE]
    wants_event = burst[at.B_FAMILY] == at.EVENT_FAMILY and world.facts[at.EVENT_NS] > 0.0
    expiry = expiry_near(flow, ts_ns, reals[at.R_TENOR], wants_event)
    spot = 0.5 * flow.ints[at.CLEAN_MID2]
    near = strike_near(flow, spot * reals[at.R_MONEYNESS])
    legs = _LEGS[kind]
    burst[at.B_LEGS] = legs
    for j in range(legs):
        right = _LEG_RIGHT[kind, j]
        is_put = burst[at.B_IS_PUT] if right == _SAME else right - 1
        strike = min(max(near + _LEG_STEPS[kind, j], 0), strikes_of(flow) - 1)
        if legs == 1:
            strike = strike_worth_having(flow, expiry, strike, is_put)
        burst[at.B_LEG + j] = place_of(flow, expiry, strike, is_put)
        burst[at.B_LEG_SIDE + j] = burst[at.B_SIDE] * _LEG_SIDE[kind, j]
    burst[at.B_LEFT] = int(reals[at.R_CYCLES])
    burst[at.B_AT_LEG] = 0
    u, _ = burst_draw(flow, world, row)
    burst[at.B_NEXT] = ts_ns + 1 + int(u * 0.2e9)
    flow.active[slot] = row


@inlined
def lots_for(flow: Flow, world: World, row: int, place: int, u: float) -> int:
    """Contracts of a print: its part of the notional over the price, log-normally uneven."""
    contract = flow.listed[place]
    price = 0.5 * (max(contract[at.LAST_BID], 0) + contract[at.LAST_ASK])
    factor = exp(_LOT_SPREAD * normal_quantile(u) - _LOT_MEAN)
    lots = flow.burst_reals[row, at.R_PER_PRINT] * factor / (max(price, 100.0) * _DOLLAR_LOT)
    return min(max(int(lots + 0.5), 1), _MOST_LOTS)


@inlined
def account(flow: Flow, world: World, row: int, place: int, lots: int, side: int, ts: int) -> None:
    """What a print of a burst leaves behind: its tally, hedges to come, knowledge to spread."""
    burst, reals = flow.bursts[row], flow.burst_reals[row]
    written = flow.option_prints[flow.rows[at.OP] - 1]
    if burst[at.B_PRINTS] == 0:
        burst[at.B_START] = ts
    burst[at.B_END] = ts
    burst[at.B_PRINTS] += 1
    burst[at.B_CONTRACTS] += lots
    reals[at.R_DONE] += written[4] * lots * _DOLLAR_LOT
    contract = flow.listed[place]
    _, slope = worth_of(flow, place)
    flow.reals[at.TO_HEDGE] += side * slope * lots * 100.0 * reals[at.R_HEDGE]
    flow.ints[at.HEDGED] = burst[at.B_NUMBER]
    bullish = side * (1 - 2 * contract[at.IS_PUT])
    prints = reals[at.R_CYCLES] * burst[at.B_LEGS]
    flow.reals[at.KNOWN] += bullish * reals[at.R_INFORMED] / max(prints, 1.0)


@kernel
def go_on(flow: Flow, world: World, slot: int) -> None:
    """Print the next leg of an active burst; after its last the burst is over."""
    row = flow.active[slot]
    burst, reals = flow.bursts[row], flow.burst_reals[row]
    leg = int(burst[at.B_AT_LEG])
    place = int(burst[at.B_LEG + leg])
    u, v = burst_draw(flow, world, row)
    w, x = burst_draw(flow, world, row)
    gap, y = burst_draw(flow, world, row)
    ts_ns = burst[at.B_NEXT]
    ready(flow, world, ts_ns, place, u, v)
    where = 0
    if w < reals[at.R_BUY]:
        where = 1
    elif w < reals[at.R_BUY] + reals[at.R_SELL]:
        where = -1
    sign = int(burst[at.B_LEG_SIDE + leg] * burst[at.B_SIDE])
    where *= sign
    side = where if where != 0 else int(burst[at.B_LEG_SIDE + leg])
    together = burst[at.B_MODE] == at.TOGETHER
    if leg == 0 or not together:
        burst[at.B_LOTS] = lots_for(flow, world, row, place, x)
    lots = burst[at.B_LOTS]
    done = burst[at.B_PRINTS]
    venue = int(((burst[at.B_STREAM] & 0xFFFF) + done * _VENUE_STEP) % VENUES)
    through = where != 0 and where * reals[at.R_DRIFT] > 0.0 and done > 1 and y < 0.15
    package = 0
    if burst[at.B_LEGS] > 1 and together:
        package = -(burst[at.B_NUMBER] * 1000 + burst[at.B_LEFT])
    at_ns = max(ts_ns, flow.ints[at.LAST_NS]) + 10_000 + int(400_000.0 * v)
    told = print_option(
        flow,
        world,
        at_ns,
        place,
        where,
        through,
        lots,
        venue,
        burst[at.B_ACTOR],
        burst[at.B_NUMBER],
        side,
        burst[at.B_IS_OPEN],
        package,
    )
    account(flow, world, row, place, lots, side, told)
    burst[at.B_AT_LEG] = leg + 1
    if leg + 1 < burst[at.B_LEGS] and together:
        burst[at.B_NEXT] = told + 200_000 + int(4e6 * y)
        return
    wait = -log(gap) * reals[at.R_GAP_NS] * (1.0 if together else _APART)
    burst[at.B_NEXT] = told + 1 + int(min(wait, 20.0 * reals[at.R_GAP_NS]))
    if leg + 1 < burst[at.B_LEGS]:
        return
    burst[at.B_AT_LEG] = 0
    burst[at.B_LEFT] -= 1
    if burst[at.B_LEFT] <= 0:
        flow.active[slot] = at.NO_BURST
