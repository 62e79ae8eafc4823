"""Rows out: times, numbers and receipt of events, and the draws of the cell they fall in.

A symbol's events have strictly ascending times, so that (time, symbol) names an event: its
sequence number is made of both. What is written is decided in the other ``kernels``.
"""

from __future__ import annotations

import numpy as np

from engine.jit import inlined, kernel
from engine.rng import block_at
from engine.tapes.market import layout as at
from engine.tapes.market.layout import Flow, World

_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_SECOND_NS = 1_000_000_000
_CELL_BITS = np.uint64(14)
_LOW_SLOT = at.SLOTS - 1
_NEAREST_NS, _LATENCY_MASK = 25_000, 0x1FFFF


@inlined
def scrambled(value: np.uint64) -> np.uint64:
    """Bits that look random (the finaliser of splitmix64, Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> _S30)) * _MIX_A
    value = (value ^ (value >> _S27)) * _MIX_B
    return value ^ (value >> _S31)


@inlined
def draw(flow: Flow, world: World) -> tuple[float, float]:
    """The next two uniforms of the present cell."""
    second = world.start_ns // _SECOND_NS + flow.ints[at.CELL]
    index = (np.uint64(second) << _CELL_BITS) + np.uint64(flow.ints[at.DRAW])
    flow.ints[at.DRAW] += 1
    return block_at(world.key, world.stream, index)


@inlined
def stamped(flow: Flow, ts_ns: int) -> int:
    """The time that an event gets: as wanted, but after the one before and within its cell."""
    end_ns = flow.ints[at.CELL_END_NS]
    # what was due at the very end of the cell before happens in this one
    first_ns = max(flow.ints[at.LAST_NS] + 1, end_ns - _SECOND_NS)
    # the end of a cell is for what follows one another by single nanoseconds
    ts = max(first_ns, min(ts_ns, end_ns - at.CROWDED_NS))
    flow.ints[at.LAST_NS] = ts
    return int(ts)


@inlined
def number(world: World, ts_ns: int) -> tuple[int, int]:
    """Sequence number of an event, and bits that nothing else depends on.

    The number is the time since the origin times `SLOTS`, plus the symbol's slot, scrambled
    so that it says nothing beyond the time.
    """
    bits = scrambled(np.uint64(ts_ns) ^ world.key)
    mask = int(bits & np.uint64(_LOW_SLOT))
    slot = int(world.facts[at.SLOT])
    return (ts_ns - world.origin_ns) * at.SLOTS + (slot ^ mask), int(bits >> np.uint64(9))


@inlined
def received(ts_ns: int, bits: int) -> int:
    """Usual time of receipt: some ten microseconds later."""
    return ts_ns + _NEAREST_NS + (bits & _LATENCY_MASK)


@kernel
def write_equity_quote(flow: Flow, world: World, ts_ns: int, bid: int, ask: int) -> None:
    """One quote; sizes are round lots, smaller on the side that is about to move."""
    ts = stamped(flow, ts_ns)
    seq, bits = number(world, ts)
    row = flow.equity_quotes[flow.rows[at.EQ]]
    row[0], row[1], row[2], row[3] = ts, received(ts, bits), seq, int(world.facts[at.SLOT])
    row[4], row[5] = bid, ask
    row[6] = 0 if bid == 0 else 100 * (1 + ((bits >> 18) & 15))
    row[7] = 0 if ask == 0 else 100 * (1 + ((bits >> 22) & 15))
    flow.rows[at.EQ] += 1
    flow.ints[at.QUOTE_NS] = ts


@kernel
def write_equity_print(
    flow: Flow,
    world: World,
    ts_ns: int,
    delay_ns: int,
    price: int,
    size: int,
    venue: int,
    condition: int,
    off_exchange: int,
    ref_seq: int,
    actor: int,
    burst: int,
    side: int,
) -> int:
    """One print and its label; its sequence number."""
    ts = stamped(flow, ts_ns)
    seq, bits = number(world, ts)
    row = flow.equity_prints[flow.rows[at.EP]]
    row[0], row[1], row[2], row[3] = (
        ts,
        received(ts, bits) + delay_ns,
        seq,
        int(world.facts[at.SLOT]),
    )
    row[4], row[5], row[6], row[7] = price, size, venue, condition
    row[8], row[9] = off_exchange, ref_seq
    row[10], row[11], row[12], row[13], row[14] = actor, burst, side, bits >> 30 & 1, 0
    flow.rows[at.EP] += 1
    return seq


@kernel
def write_option_quote(
    flow: Flow,
    world: World,
    ts_ns: int,
    place: int,
    bid: int,
    ask: int,
    iv_ppm: int,
) -> None:
    """One quote of a listed contract."""
    ts = stamped(flow, ts_ns)
    seq, bits = number(world, ts)
    row = flow.option_nbbo[flow.rows[at.ON]]
    row[0], row[1], row[2] = ts, received(ts, bits), seq
    row[3] = flow.listed[place, at.CODE]
    row[4], row[5] = bid, ask
    row[6] = 0 if bid == 0 else 1 + ((bits >> 18) & 63)
    row[7] = 1 + ((bits >> 24) & 63)
    row[8] = iv_ppm
    flow.rows[at.ON] += 1
    contract = flow.listed[place]
    contract[at.LAST_BID], contract[at.LAST_ASK], contract[at.LAST_IV] = bid, ask, iv_ppm


@kernel
def write_option_print(
    flow: Flow,
    world: World,
    ts_ns: int,
    place: int,
    price: int,
    size: int,
    venue: int,
    condition: int,
    actor: int,
    burst: int,
    side: int,
    opens: int,
    package: int,
) -> int:
    """One print and its label; its time."""
    ts = stamped(flow, ts_ns)
    seq, bits = number(world, ts)
    row = flow.option_prints[flow.rows[at.OP]]
    row[0], row[1], row[2] = ts, received(ts, bits), seq
    row[3] = flow.listed[place, at.CODE]
    row[4], row[5], row[6], row[7] = price, size, venue, condition
    row[8], row[9], row[10], row[11], row[12] = actor, burst, side, opens, package
    flow.rows[at.OP] += 1
    return ts
