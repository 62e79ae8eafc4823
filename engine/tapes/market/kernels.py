"""The clock of a symbol: what happens next, second by second.

Trades, quotes and option orders arrive with intensities that trades excite (Hawkes 1971), by
thinning (Ogata 1981). Each second draws from an address of its own: what is left of a wait at
its end is forgotten, which changes no probability, and a burst more or less leaves the draws
of other seconds as they are.
"""

from __future__ import annotations

from engine.arrays import Ints
from engine.jit import borrowed, inlined, kernel
from engine.mathx import exp, log
from engine.tapes.market import layout as at
from engine.tapes.market.kernels_bursts import begin, go_on
from engine.tapes.market.kernels_options import background_order, flicker
from engine.tapes.market.kernels_quotes import is_due, quote_equity, refresh, sweep
from engine.tapes.market.kernels_rows import draw
from engine.tapes.market.kernels_trades import hedge, trade
from engine.tapes.market.layout import Flow, World

_SECOND_NS = 1_000_000_000
_NEVER = 1 << 62
_MOST_PRESSURE = 0.8
_PRINTS_PER_TRADE = 1.38
_PRINTS_PER_ORDER = 1.85
MARGIN_ROWS = 20_000
"""Rows that one second of one symbol may need of any stream, besides two sweeps."""
_MOST_EVENTS = 2_000


@inlined
def fade(flow: Flow, step_s: float) -> None:
    """Let the excitement of the trades fade."""
    reals = flow.reals
    reals[at.FAST] *= exp(-at.FAST_PER_S * step_s)
    reals[at.SLOW] *= exp(-at.SLOW_PER_S * step_s)
    reals[at.OPTION_FAST] *= exp(-at.OPTION_PER_S * step_s)


@inlined
def settle(flow: Flow, world: World) -> None:
    """A second begins: passing things pass, and what is known becomes price."""
    reals = flow.reals
    told = reals[at.KNOWN] * at.KNOWN_TOLD
    reals[at.KNOWN] -= told
    reals[at.MOVED] += told
    reals[at.IMPACT] *= at.IMPACT_KEPT
    kept = world.settings[at.PRESSURE_KEPT]
    reals[at.PRESSURE] = min(max(reals[at.PRESSURE] * kept, -_MOST_PRESSURE), _MOST_PRESSURE)
    reals[at.LEAN] = min(max(reals[at.LEAN] * kept, -1.0), 1.0)
    if flow.ints[at.CLEAN_MID2] > 0:
        gap = log(float(flow.ints[at.CLEAN_MID2])) - reals[at.SPOT_SLOW]
        reals[at.SPOT_SLOW] += at.SPOT_TOLD * gap


@inlined
def next_burst(flow: Flow, most: int) -> int:
    """Place of the active burst that prints next; −1 if there is none."""
    best, soonest = -1, _NEVER
    for slot in range(most):
        row = flow.active[slot]
        if row != at.NO_BURST and flow.bursts[row, at.B_NEXT] < soonest:
            best, soonest = slot, flow.bursts[row, at.B_NEXT]
    return best


@inlined
def excite(flow: Flow, world: World) -> None:
    """A trade makes others likelier, soon after and for a while."""
    branching = world.settings[at.BRANCHING]
    flow.reals[at.FAST] += at.FAST_SHARE * branching * at.FAST_PER_S
    flow.reals[at.SLOW] += (1.0 - at.FAST_SHARE) * branching * at.SLOW_PER_S


@inlined
def happen(flow: Flow, world: World, now_ns: int, x: float, rates: tuple[float, ...]) -> None:
    """One arrival, chosen by `x` among the intensities; none where thinning left it out."""
    base_trade, base_quote, base_option, base_flicker, hedging = rates
    excited = flow.reals[at.FAST] + flow.reals[at.SLOW]
    x -= base_trade + excited
    if x < 0.0:
        excite(flow, world)
        trade(flow, world, now_ns)
        return
    x -= base_quote + at.QUOTE_EXCITED * excited
    if x < 0.0:
        refresh(flow, world, now_ns, True)
        return
    x -= base_option + flow.reals[at.OPTION_FAST]
    if x < 0.0:
        flow.reals[at.OPTION_FAST] += at.OPTION_BRANCHING * at.OPTION_PER_S
        background_order(flow, world, now_ns)
        return
    x -= base_flicker
    if x < 0.0:
        flicker(flow, world, now_ns)
        return
    if x < hedging:
        hedge(flow, world, now_ns)


@kernel
def run_cell(flow: Flow, world: World, cell: int) -> None:
    """All that happens in one second."""
    ints, reals, facts = flow.ints, flow.reals, world.facts
    start_ns = world.start_ns + cell * _SECOND_NS
    end_ns = start_ns + _SECOND_NS
    ints[at.CELL], ints[at.CELL_END_NS], ints[at.DRAW] = cell, end_ns, 0
    settle(flow, world)
    if ints[at.CLEAN_MID2] == 0:
        quote_equity(flow, world, start_ns + 1, False)
        reals[at.SPOT_SLOW] = log(float(ints[at.CLEAN_MID2]))
        sweep(flow, world, ints[at.LAST_NS])
    cells = world.cells[cell]
    pace = cells[at.RATE_SHAPE] * cells[at.RATE] * world.busy[cell]
    branching = world.settings[at.BRANCHING]
    base_trade = facts[at.TRADES_PER_S] * pace * (1.0 - branching) / _PRINTS_PER_TRADE
    base_quote = facts[at.QUOTES_PER_S] * pace
    base_option = facts[at.OPTIONS_PER_S] * pace
    base_option *= (1.0 - at.OPTION_BRANCHING) / _PRINTS_PER_ORDER
    base_flicker = 0.5 * facts[at.OPTIONS_PER_S] * pace
    most = 0
    for slot in range(at.ACTIVE_BURSTS):
        if flow.active[slot] != at.NO_BURST:
            most = slot + 1
    past_s, latest_s = 0.0, 1.0 - at.CASCADE_NS / _SECOND_NS
    for _ in range(_MOST_EVENTS):
        hedging = at.HEDGE_PER_S if abs(reals[at.TO_HEDGE]) >= 1.0 else 0.0
        excited = reals[at.FAST] + reals[at.SLOW]
        total = base_trade + excited + base_quote + at.QUOTE_EXCITED * excited
        total += base_option + reals[at.OPTION_FAST] + base_flicker + hedging
        u, v = draw(flow, world)
        wait = -log(u) / max(total, 1e-9)
        burst_at = next_burst(flow, most)
        burst_s = 2.0
        if burst_at >= 0:
            burst_s = (flow.bursts[flow.active[burst_at], at.B_NEXT] - start_ns) / 1e9
        if burst_s < latest_s and burst_s <= past_s + wait:
            burst_s = max(burst_s, past_s)
            fade(flow, burst_s - past_s)
            past_s = burst_s
            go_on(flow, world, burst_at)
            continue
        if past_s + wait >= latest_s:
            break
        fade(flow, wait)
        past_s += wait
        now_ns = start_ns + int(past_s * 1e9)
        rates = (base_trade, base_quote, base_option, base_flicker, hedging)
        happen(flow, world, now_ns, v * total, rates)
        if ints[at.IS_CLEAN] == 1 and is_due(flow, world, now_ns):
            sweep(flow, world, ints[at.LAST_NS])
    fade(flow, max(1.0 - past_s, 0.0))


@kernel
def run(counted: Flow, given: World, first: int, stop: int, scheduled: Ints) -> int:
    """Run a symbol through the cells ``first … stop − 1``; the cell it got to.

    It stops early where fewer than `MARGIN_ROWS` rows are left in a stream.

    Parameters
    ----------
    scheduled : ndarray, shape (n, 2), int64
        Cell and row of the bursts that begin, in order.
    """
    flow = Flow(
        borrowed(counted.ints),
        borrowed(counted.reals),
        borrowed(counted.signs),
        borrowed(counted.listed),
        borrowed(counted.expiries),
        borrowed(counted.closes),
        borrowed(counted.bursts),
        borrowed(counted.burst_reals),
        borrowed(counted.active),
        borrowed(counted.equity_quotes),
        borrowed(counted.equity_prints),
        borrowed(counted.option_nbbo),
        borrowed(counted.option_prints),
        borrowed(counted.rows),
    )
    world = World(
        given.key,
        given.stream,
        given.origin_ns,
        given.start_ns,
        borrowed(given.facts),
        borrowed(given.settings),
        borrowed(given.cells),
        borrowed(given.path),
        borrowed(given.heat),
        borrowed(given.busy),
    )
    most = MARGIN_ROWS + 4 * flow.listed.shape[0]
    at_burst = 0
    while at_burst < scheduled.shape[0] and scheduled[at_burst, 0] < first:
        at_burst += 1
    for cell in range(first, stop):
        if (
            flow.rows[at.EQ] + most > flow.equity_quotes.shape[0]
            or flow.rows[at.EP] + most > flow.equity_prints.shape[0]
            or flow.rows[at.ON] + most > flow.option_nbbo.shape[0]
            or flow.rows[at.OP] + most > flow.option_prints.shape[0]
        ):
            return cell
        while at_burst < scheduled.shape[0] and scheduled[at_burst, 0] == cell:
            slot = 0
            while slot < at.ACTIVE_BURSTS - 1 and flow.active[slot] != at.NO_BURST:
                slot += 1
            row = scheduled[at_burst, 1]
            if flow.ints[at.CLEAN_MID2] > 0:
                begin(flow, world, row, flow.bursts[row, at.B_SCHEDULED], slot)
            at_burst += 1
        run_cell(flow, world, cell)
    return stop
