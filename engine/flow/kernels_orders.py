"""Orders: a print alone, or prints of equal size in contracts of one expiry within milliseconds.

A print waits until no other leg can follow. Whoever sees a feed sees no more: that legs are
traded together is told by their size and time, not by a number.
"""

from __future__ import annotations

from engine.arrays import Ints
from engine.flow import layout as at
from engine.flow.kernels_clusters import add_order, write_ended
from engine.flow.layout import Said, State
from engine.jit import inlined, kernel

_SECOND_NS = 1_000_000_000


@inlined
def can_join(state: State, group: int, ts_ns: int, contract: int, size: int) -> bool:
    """Whether a print is a further leg of the order that waits."""
    count, prints = state.waits[group], state.waiting[group]
    if count == at.MOST_LEGS or prints[0, at.P_SIZE] != size:
        return False
    if ts_ns - prints[count - 1, at.P_NS] > state.grouping[at.G_LEG_NS]:
        return False
    there = 0
    for i in range(count):
        there += prints[i, at.P_CONTRACT] == contract
    return there == 0


@kernel
def settle(state: State, said: Said, place: int, found: Ints) -> None:
    """Let the order at a place of the queue be complete."""
    group = state.queue[place]
    legs = int(state.waits[group])
    state.waits[group] = 0
    state.clock[at.PENDING] -= 1
    for i in range(place, state.clock[at.PENDING]):
        state.queue[i] = state.queue[i + 1]
    add_order(state, said, state.waiting[group], legs, found)


@inlined
def place_in_queue(state: State, group: int) -> int:
    """Place of a group in the queue."""
    place = 0
    while state.queue[place] != group:
        place += 1
    return place


@inlined
def row_for(
    state: State, said: Said, ts_ns: int, contract: int, size: int, found: Ints
) -> tuple[int, int]:
    """Group and place for a print to wait at; an order that it does not join is settled."""
    group = state.contracts[contract, at.GROUP]
    if state.waits[group] > 0 and not can_join(state, group, ts_ns, contract, size):
        settle(state, said, place_in_queue(state, group), found)
    if state.waits[group] == 0:
        state.queue[state.clock[at.PENDING]] = group
        state.clock[at.PENDING] += 1
    return int(group), int(state.waits[group])


@kernel
def settle_before(state: State, said: Said, now_ns: int, found: Ints) -> None:
    """Settle every order that no leg can join any more."""
    place = 0
    while place < state.clock[at.PENDING]:
        group = state.queue[place]
        last = state.waiting[group, state.waits[group] - 1, at.P_NS]
        if now_ns - last > state.grouping[at.G_LEG_NS]:
            settle(state, said, place, found)
        else:
            place += 1


@kernel
def pass_seconds(state: State, said: Said, second: int, found: Ints) -> None:
    """Let whole seconds pass: orders are settled, clusters that have been quiet are written."""
    clock = state.clock
    while clock[at.NOW_S] < second and clock[at.OPEN] + clock[at.PENDING] > 0:
        clock[at.NOW_S] += 1
        now_ns = clock[at.NOW_S] * _SECOND_NS
        settle_before(state, said, now_ns, found)
        write_ended(state, said, now_ns)
    clock[at.NOW_S] = max(clock[at.NOW_S], second)
