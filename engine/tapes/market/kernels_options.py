"""Background orders in options: which contract, how many, where in the quote.

Plain orders, sweeps over the venues, blocks and packages, of every size and side, so that no
single print tells a burst. Bursts are ``kernels_bursts``; when an order comes is decided in
``kernels``.
"""

from __future__ import annotations

from engine.jit import inlined, kernel
from engine.mathx import exp, log
from engine.tapes.market import layout as at
from engine.tapes.market.kernels_quotes import (
    ceil_to_tick,
    floor_to_tick,
    quote_option,
    refresh,
    spoil_option,
    tick_at,
)
from engine.tapes.market.kernels_rows import draw, write_option_print
from engine.tapes.market.layout import Flow, World

AUTO, ISO, AUCTION, CROSS = 0, 1, 2, 3
VENUES = 12
BACKGROUND = 0
_VENUE_STEP = 5
_FRESH_NS = 700_000_000
_PRESSURE_PER_USD = 8e-8
_LEAN_PER_USD = 2e-7
_MOST_USD = 400_000.0
_MOST_LOTS = 5_000
_DOLLAR_LOT = 100.0 / 10_000.0
_MOOD_KEPT = 0.97
_NEAR_STEPS = 1.1


@inlined
def strikes_of(flow: Flow) -> int:
    """Strikes of each expiry."""
    return flow.listed.shape[0] // (2 * flow.closes.shape[0])


@inlined
def strike_near(flow: Flow, price: float) -> int:
    """Place of the listed strike nearest to a price in ticks."""
    count = strikes_of(flow)
    first, step = flow.listed[0, at.STRIKE], flow.listed[2, at.STRIKE] - flow.listed[0, at.STRIKE]
    near = int((price - first) / step + 0.5)
    return min(max(near, 0), count - 1)


@inlined
def place_of(flow: Flow, expiry: int, strike: int, is_put: int) -> int:
    """Place of a contract in the chain."""
    return (expiry * strikes_of(flow) + strike) * 2 + is_put


@inlined
def usual_place(flow: Flow, world: World) -> int:
    """A contract as the background picks it: a near expiry, near the money, mostly outside it."""
    u, v = draw(flow, world)
    w, x = draw(flow, world)
    expiry = 0
    while expiry < flow.closes.shape[0] - 1 and u >= flow.expiries[expiry, at.REACH]:
        expiry += 1
    away = int(-log(v) * _NEAR_STEPS + 0.35)
    is_put = 1 if w < 0.48 - 0.1 * flow.reals[at.MOOD] else 0
    outward = x < 0.72
    up = outward == (is_put == 0)
    near = strike_near(flow, 0.5 * flow.ints[at.CLEAN_MID2])
    strike = near + away if up else near - away
    return place_of(flow, expiry, min(max(strike, 0), strikes_of(flow) - 1), is_put)


@inlined
def condition_of(u: float) -> int:
    """Condition of a print, whoever it is of."""
    if u < 0.70:
        return AUTO
    if u < 0.94:
        return ISO
    return AUCTION if u < 0.98 else CROSS


@inlined
def lots_of(u: float, v: float) -> int:
    """Size of a background order: mostly small, with a heavy tail."""
    if u < 0.52:
        return 1 + int(-3.2 * log(v))
    if u < 0.84:
        return 1 + int(-28.0 * log(v))
    return min(int(18.0 * exp(-log(v) / 1.25)), _MOST_LOTS)


@inlined
def inside(kind: float, bid: int, ask: int, u: float) -> int:
    """A price between bid and ask on the grid; 0 if there is none."""
    if bid <= 0:
        return 0
    middle = 0.5 * (bid + ask)
    price = ceil_to_tick(kind, middle) if u < 0.5 else floor_to_tick(kind, middle)
    return price if bid < price < ask else 0


@inlined
def ready(flow: Flow, world: World, ts_ns: int, place: int, u: float, v: float) -> None:
    """Have the underlying and the contract quoted before an option trades, mostly."""
    if flow.ints[at.IS_CLEAN] == 0 or ts_ns - flow.ints[at.QUOTE_NS] > _FRESH_NS:
        refresh(flow, world, ts_ns, False)
    contract = flow.listed[place]
    is_whole = 0 <= contract[at.LAST_BID] < contract[at.LAST_ASK]
    if u >= world.settings[at.STALE] or not is_whole:
        quote_option(flow, world, ts_ns, place, 0.8 + 0.4 * v)


@kernel
def print_option(
    flow: Flow,
    world: World,
    ts_ns: int,
    place: int,
    where: int,
    through: bool,
    lots: int,
    venue: int,
    actor: int,
    burst: int,
    side: int,
    opens: int,
    package: int,
) -> int:
    """Print one trade at the bid, between or at the ask; its time.

    Parameters
    ----------
    where : int
        +1 at the ask, −1 at the bid, 0 between, or at the touch where there is nothing
        between.
    through : bool
        One increment beyond.
    side : int
        Of the aggressor; demand moves the surface.
    """
    contract = flow.listed[place]
    bid, ask = contract[at.LAST_BID], contract[at.LAST_ASK]
    kind = world.facts[at.TICK_KIND]
    u, v = draw(flow, world)
    price = 0
    if where == 0:
        price = inside(kind, bid, ask, u)
    if price == 0:
        up = where > 0 or (where == 0 and side > 0) or bid <= 0
        price = ask if up else bid
        if through:
            price += tick_at(kind, float(price)) if up else -tick_at(kind, float(price - 1))
    price = max(price, tick_at(kind, 1.0))
    time_ns = write_option_print(
        flow,
        world,
        ts_ns,
        place,
        price,
        lots,
        venue,
        condition_of(v),
        actor,
        burst,
        side,
        opens,
        package,
    )
    # who is quoted wide is moved by less
    usd = world.facts[at.WIDTH] * min(price * lots * _DOLLAR_LOT, _MOST_USD)
    flow.reals[at.PRESSURE] += side * usd * _PRESSURE_PER_USD
    flow.reals[at.LEAN] += side * usd * _LEAN_PER_USD * (1 - 2 * contract[at.IS_PUT])
    return time_ns


@inlined
def aggression(u: float, mood: float) -> int:
    """Where a background order trades: at the ask, at the bid or between."""
    buys = 0.33 + 0.10 * mood
    if u < buys:
        return 1
    return -1 if u < 0.66 else 0


@kernel
def background_order(flow: Flow, world: World, ts_ns: int) -> None:
    """One order of the background: plain, a sweep, a block or a package of two legs."""
    settings = world.settings
    place = usual_place(flow, world)
    u, v = draw(flow, world)
    flow.reals[at.MOOD] = _MOOD_KEPT * flow.reals[at.MOOD] + 0.35 * (v - 0.5)
    ready(flow, world, ts_ns, place, u, v)
    kind, a = draw(flow, world)
    b, c = draw(flow, world)
    w, x = draw(flow, world)
    where = aggression(c, flow.reals[at.MOOD])
    side = where if where != 0 else (1 if x < 0.5 else -1)
    venue = int(w * VENUES)
    lots = lots_of(a, b)
    opens = 1 if x < 0.62 else 0
    at_ns = max(ts_ns, flow.ints[at.LAST_NS]) + 10_000 + int(400_000.0 * v)
    if kind < settings[at.SWEEPS]:
        walk_venues(flow, world, at_ns, place, where, side, lots, venue, opens)
        return
    if kind < settings[at.SWEEPS] + settings[at.BLOCKS]:
        lots = min(100 + 20 * lots, _MOST_LOTS)
        where = 0 if x < 0.6 else where
    elif kind < settings[at.SWEEPS] + settings[at.BLOCKS] + settings[at.PACKAGES]:
        two_legs(flow, world, at_ns, place, where, side, lots, venue, opens)
        return
    print_option(
        flow, world, at_ns, place, where, False, lots, venue, BACKGROUND, 0, side, opens, 0
    )


@inlined
def walk_venues(
    flow: Flow,
    world: World,
    ts_ns: int,
    place: int,
    where: int,
    side: int,
    lots: int,
    venue: int,
    opens: int,
) -> None:
    """A sweep: a print on each of three to six venues within milliseconds."""
    u, v = draw(flow, world)
    prints = 3 + int(4.0 * u * u)
    for i in range(prints):
        a, b = draw(flow, world)
        part = max(1, int(lots * (0.3 + 1.4 * a)))
        through = i > 1 and b < 0.18 and where != 0
        print_option(
            flow, world, ts_ns, place, where, through, part, venue, BACKGROUND, 0, side, opens, 0
        )
        ts_ns += 150_000 + int(-1.5e6 * log(b + 1e-9) * v)
        venue = (venue + _VENUE_STEP) % VENUES


@inlined
def two_legs(
    flow: Flow,
    world: World,
    ts_ns: int,
    place: int,
    where: int,
    side: int,
    lots: int,
    venue: int,
    opens: int,
) -> None:
    """A package: a spread of neighbouring strikes, or a straddle, in equal size."""
    flow.ints[at.PACKAGE] += 1
    package = flow.ints[at.PACKAGE] * at.SLOTS + int(world.facts[at.SLOT])
    u, v = draw(flow, world)
    other = place ^ 1 if u < 0.4 else place + 2
    straddles = u < 0.4
    if other >= flow.listed.shape[0]:
        other = place - 2
    print_option(
        flow, world, ts_ns, place, where, False, lots, venue, BACKGROUND, 0, side, opens, package
    )
    ready(flow, world, flow.ints[at.LAST_NS] + 50_000, other, 1.0, v)
    sign = 1 if straddles else -1
    print_option(
        flow,
        world,
        flow.ints[at.LAST_NS] + 30_000,
        other,
        sign * where,
        False,
        lots,
        venue,
        BACKGROUND,
        0,
        sign * side,
        opens,
        package,
    )


@kernel
def flicker(flow: Flow, world: World, ts_ns: int) -> None:
    """A quote of some contract is renewed without a trade, and sometimes wrongly."""
    place = usual_place(flow, world)
    u, v = draw(flow, world)
    settings = world.settings
    if flow.ints[at.IS_CLEAN] == 0:
        return
    spoiled = settings[at.WIDE] + settings[at.LOCKED] + settings[at.CROSSED]
    quote_option(flow, world, ts_ns, place, 0.8 + 0.5 * v)
    if u < spoiled:
        later = flow.ints[at.LAST_NS] + 40_000
        spoil_option(flow, world, later, place, u / spoiled)
        quote_option(flow, world, later + 200_000 + int(3e6 * v), place, 0.9)
