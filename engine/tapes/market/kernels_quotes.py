"""Quotes: the underlying's around its price, the options' around the surface's.

Every clean option quote encloses the surface's price of the underlying's last clean mid, so
that among quotes since that mid last changed no static arbitrage can be executed: at the
surface's prices there is none, and bids lie below, asks above them.
"""

from __future__ import annotations

import math

from engine.jit import inlined, kernel
from engine.mathx import exp, log
from engine.tapes.market import layout as at
from engine.tapes.market.kernels_rows import draw, write_equity_quote, write_option_quote
from engine.tapes.market.layout import Flow, World
from engine.tapes.market.surface import atm_variance, priced, ssvi_curvature, ssvi_slice

_CENT = 100
_DOLLAR = 10_000.0
_YEAR_NS = 31_536_000_000_000_000.0
_LEAST_YEARS = 2e-6
_THREE_DOLLARS = 30_000.0
_SWEEP_STEP_NS = 700
_MOST_AGE_NS = 60_000_000_000
_PRESSURE_STEP = 0.03


@inlined
def log_price(flow: Flow, world: World, ts_ns: int) -> float:
    """Log price of the underlying at a moment of the present cell, flow included."""
    cell = flow.ints[at.CELL]
    past_s = 1.0 - (flow.ints[at.CELL_END_NS] - ts_ns) / 1e9
    past_s = min(max(past_s, 0.0), 1.0)
    before, after = world.path[cell], world.path[cell + 1]
    return before + (after - before) * past_s + flow.reals[at.MOVED] + flow.reals[at.IMPACT]


@inlined
def spread_of(flow: Flow, world: World, u: float) -> int:
    """Spread in cents: wider when volatile, illiquid and unclean, and a little by chance."""
    cell = flow.ints[at.CELL]
    cells = world.cells[cell]
    stress = 0.75 * world.heat[cell] + 0.5 * log(cells[at.VOLATILITY] / 0.7)
    stress += 0.5 * (0.75 - cells[at.LIQUIDITY]) + 0.4 * (0.65 - cells[at.CLEANLINESS])
    stress += 0.12 * (cells[at.RATE_SHAPE] - 1.0)
    usual = world.facts[at.SPREAD_CENTS]
    if usual <= 1.0:
        return 2 if u < 0.07 * exp(1.6 * stress) else 1
    return max(1, int(usual * exp(stress) * (0.7 + 0.6 * u) + 0.5))


@inlined
def show_equity(flow: Flow, world: World, ts_ns: int, bid: int, ask: int) -> bool:
    """Write a clean quote of the underlying; true if its mid has changed."""
    ints = flow.ints
    ints[at.IS_CLEAN] = 1
    ints[at.BID], ints[at.ASK] = bid, ask
    write_equity_quote(flow, world, ts_ns, bid, ask)
    has_moved = ints[at.CLEAN_MID2] != bid + ask
    ints[at.CLEAN_MID2] = bid + ask
    return bool(has_moved)


@kernel
def quote_equity(flow: Flow, world: World, ts_ns: int, may_fail: bool) -> bool:
    """Quote the underlying anew; true if its clean mid has changed.

    Parameters
    ----------
    may_fail : bool
        Whether the quote may be wide, locked, crossed or one-sided.
    """
    ints, settings = flow.ints, world.settings
    fair = exp(log_price(flow, world, ts_ns)) * _DOLLAR
    u, v = draw(flow, world)
    width = spread_of(flow, world, u) * _CENT
    bid, ask = ints[at.BID], ints[at.ASK]
    is_near = abs(fair - 0.5 * (bid + ask)) < 0.3 * width + 0.25 * _CENT
    if ints[at.IS_CLEAN] == 0 or not is_near or ask - bid != width:
        bid = int((fair - 0.5 * width) / _CENT + 0.5) * _CENT
        bid = max(bid, _CENT)
        ask = bid + width
    if (
        may_fail
        and v
        < settings[at.WIDE] + settings[at.LOCKED] + settings[at.CROSSED] + (settings[at.ONE_SIDED])
    ):
        ints[at.IS_CLEAN] = 0
        if v < settings[at.WIDE]:
            bid, ask = max(bid - 6 * width, _CENT), ask + 6 * width
        elif v < settings[at.WIDE] + settings[at.LOCKED]:
            ask = bid
        elif v < settings[at.WIDE] + settings[at.LOCKED] + settings[at.CROSSED]:
            ask = max(bid - _CENT, _CENT)
            bid = ask + _CENT
        else:
            ask = 0
        write_equity_quote(flow, world, ts_ns, bid, ask)
        return False
    return show_equity(flow, world, ts_ns, bid, ask)


@inlined
def tick_at(kind: float, price: float) -> int:
    """Minimum variation of an option's price, in ticks of the tape."""
    if kind == at.PENNY:
        return _CENT
    if kind == at.BELOW_3:
        return _CENT if price < _THREE_DOLLARS else 5 * _CENT
    return 5 * _CENT if price < _THREE_DOLLARS else 10 * _CENT


@inlined
def floor_to_tick(kind: float, price: float) -> int:
    """Greatest price on the grid that is not above `price`; 0 if it is not positive."""
    if price <= 0.0:
        return 0
    tick = tick_at(kind, price)
    return int(price / tick) * tick


@inlined
def ceil_to_tick(kind: float, price: float) -> int:
    """Least price on the grid that is not below `price`."""
    tick = tick_at(kind, price)
    up = int(price / tick) * tick
    if up >= price and up > 0:
        return up
    return up + (tick if up < int(_THREE_DOLLARS) else tick_at(kind, float(up)))


@kernel
def snap_surface(flow: Flow, world: World, ts_ns: int) -> None:
    """Fix the surface that all quotes follow from now on: θ and φ of each expiry, and ρ."""
    reals, facts, settings = flow.reals, world.facts, world.settings
    heat = world.heat[flow.ints[at.CELL]]
    gap = log(float(flow.ints[at.CLEAN_MID2])) - reals[at.SPOT_SLOW]
    gap = min(max(gap, -0.15), 0.15)
    level = 0.9 * heat + settings[at.SPOT_BETA] * gap + reals[at.PRESSURE]
    short_var = facts[at.BASE_VAR] * exp(min(max(level, -1.6), 2.2))
    lean = min(max(reals[at.LEAN], -1.0), 1.0)
    reals[at.SWEPT_RHO] = min(facts[at.RHO] + 0.08 * lean, 0.0)
    reals[at.SWEPT_PRESSURE], reals[at.SWEPT_LEAN] = reals[at.PRESSURE], reals[at.LEAN]
    for e in range(flow.closes.shape[0]):
        expiry = flow.expiries[e]
        years = max((flow.closes[e] - ts_ns) / _YEAR_NS, _LEAST_YEARS)
        jump = settings[at.EVENT_VAR] * expiry[at.BEHIND_EVENT]
        theta = atm_variance(years, short_var, facts[at.BASE_VAR], settings[at.REVERSION], jump)
        expiry[at.YEARS], expiry[at.THETA] = years, theta
        expiry[at.PHI] = ssvi_curvature(theta, settings[at.ETA], settings[at.GAMMA])
    flow.ints[at.SWEPT_MID2], flow.ints[at.SWEPT_NS] = flow.ints[at.CLEAN_MID2], ts_ns


@kernel
def quote_option(flow: Flow, world: World, ts_ns: int, place: int, wobble: float) -> bool:
    """Quote one contract around the surface's price; true if its prices have changed.

    Parameters
    ----------
    wobble : float
        Width over the usual one, 0 to write only if the prices change.
    """
    contract = flow.listed[place]
    expiry = flow.expiries[contract[at.EXPIRY]]
    spot = 0.5 * flow.ints[at.CLEAN_MID2]
    strike = float(contract[at.STRIKE])
    k = log(strike / spot)
    w = ssvi_slice(k, expiry[at.THETA], flow.reals[at.SWEPT_RHO], expiry[at.PHI])
    price, _, slope = priced(contract[at.IS_PUT] == 0, spot, strike, k, w)
    cells = world.cells[flow.ints[at.CELL]]
    loose = world.facts[at.WIDTH] * (1.6 - 0.8 * cells[at.LIQUIDITY])
    width = loose * (150.0 + 0.006 * price + 0.0012 * slope * math.sqrt(expiry[at.YEARS]))
    half = 0.5 * width * (1.0 if wobble == 0.0 else wobble)
    kind = world.facts[at.TICK_KIND]
    bid, ask = floor_to_tick(kind, price - half), ceil_to_tick(kind, price + half)
    has_changed = bid != contract[at.LAST_BID] or ask != contract[at.LAST_ASK]
    if wobble == 0.0 and not has_changed:
        return False
    # a reader's volatility is over the time that is left now, not when the chain was repriced
    years = max((flow.closes[contract[at.EXPIRY]] - ts_ns) / _YEAR_NS, _LEAST_YEARS)
    iv_ppm = int(math.sqrt(w / years) * 1e6 + 0.5) if bid > 0 else 0
    write_option_quote(flow, world, ts_ns, place, bid, ask, iv_ppm)
    return has_changed


@kernel
def spoil_option(flow: Flow, world: World, ts_ns: int, place: int, v: float) -> None:
    """Quote a contract wrongly: wide, locked or crossed, as the tape's shares say; then rightly."""
    settings, contract = world.settings, flow.listed[place]
    bid, ask = contract[at.LAST_BID], contract[at.LAST_ASK]
    if bid <= 0 or ask <= bid:
        return
    tick = tick_at(world.facts[at.TICK_KIND], float(ask))
    total = settings[at.WIDE] + settings[at.LOCKED] + settings[at.CROSSED]
    v *= total
    if v < settings[at.WIDE]:
        width = ask - bid
        bid = floor_to_tick(world.facts[at.TICK_KIND], float(bid - 4 * width))
        ask = ceil_to_tick(world.facts[at.TICK_KIND], float(ask + 4 * width))
    elif v < settings[at.WIDE] + settings[at.LOCKED]:
        ask = bid
    else:
        bid, ask = ask, max(ask - tick, tick)
    write_option_quote(flow, world, ts_ns, place, bid, ask, 0)


@kernel
def sweep(flow: Flow, world: World, ts_ns: int) -> None:
    """Reprice the whole chain: every contract whose prices have changed is quoted."""
    snap_surface(flow, world, ts_ns)
    at_ns = ts_ns + 20_000
    for place in range(flow.listed.shape[0]):
        at_ns += _SWEEP_STEP_NS
        quote_option(flow, world, at_ns, place, 0.0)


@inlined
def is_due(flow: Flow, world: World, ts_ns: int) -> bool:
    """Whether the chain must be repriced: the underlying, demand or time has moved on."""
    ints, reals = flow.ints, flow.reals
    gap = abs(ints[at.CLEAN_MID2] - ints[at.SWEPT_MID2])
    if gap >= world.facts[at.REPRICE] * ints[at.CLEAN_MID2]:
        return True
    if ts_ns - ints[at.SWEPT_NS] >= _MOST_AGE_NS:
        return True
    pressed = abs(reals[at.PRESSURE] - reals[at.SWEPT_PRESSURE])
    return bool(pressed + 0.5 * abs(reals[at.LEAN] - reals[at.SWEPT_LEAN]) >= _PRESSURE_STEP)


@kernel
def refresh(flow: Flow, world: World, ts_ns: int, may_fail: bool) -> None:
    """Quote the underlying, and its chain with it where that is due."""
    quote_equity(flow, world, ts_ns, may_fail)
    if flow.ints[at.IS_CLEAN] == 1 and is_due(flow, world, ts_ns):
        sweep(flow, world, flow.ints[at.LAST_NS])
