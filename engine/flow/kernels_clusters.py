"""Clusters: orders in one contract, or in one set of legs, that follow one another closely.

A cluster takes orders until its subject has been quiet for a while, and keeps no print: what is
added up here is all that its hypothesis is judged by. Packets are its pieces of half a second.
"""

from __future__ import annotations

import math

import numpy as np

from contracts.flow_features import TENOR_DAYS
from engine.arrays import Ints
from engine.flow import layout as at
from engine.flow.kernels_quotes import aggressor_of
from engine.flow.layout import Said, State
from engine.jit import inlined, kernel
from engine.mathx import exp, log

_DAY_NS = 86_400_000_000_000.0
_DOLLAR_LOT = 100.0 / 10_000.0
_FADE_S = 600.0
_YEAR_S = 252.0 * 23_400.0
_LEAST_IV = 0.05
_USUAL_KEPT = 0.96
_NO_EVENT = -1.0
_TENORS_NS = np.array([days * 86_400_000_000_000 for days in TENOR_DAYS])
_SPECIAL_FROM = 2
SINGLE, STRADDLE, STRANGLE, VERTICAL, CONVERSION, LADDER, BOX, MULTI_LEG = 0, 1, 2, 3, 4, 5, 6, 7


@kernel
def structure_of(state: State, prints: Ints, legs: int) -> int:
    """What legs of one expiry make together: code in ``contracts.smart_flow.STRUCTURES``."""
    if legs == 1:
        return SINGLE
    rights = strikes = 0
    for i in range(legs):
        mine = state.contracts[prints[i, at.P_CONTRACT]]
        new_right = new_strike = 1
        for j in range(i):
            other = state.contracts[prints[j, at.P_CONTRACT]]
            if other[at.IS_PUT] == mine[at.IS_PUT]:
                new_right = 0
            if other[at.STRIKE] == mine[at.STRIKE]:
                new_strike = 0
        rights += new_right
        strikes += new_strike
    if legs == 2:
        if rights == 1:
            return VERTICAL
        return STRADDLE if strikes == 1 else STRANGLE
    if rights == 1:
        return LADDER
    if strikes == 2:
        return CONVERSION if legs == 3 else BOX
    return MULTI_LEG


@inlined
def sorted_legs(prints: Ints, legs: int, found: Ints) -> None:
    """Codes of the legs in ascending order, −1 beyond."""
    for i in range(at.MOST_LEGS):
        found[i] = -1
    for i in range(legs):
        code = prints[i, at.P_CONTRACT]
        j = i
        while j > 0 and found[j - 1] > code:
            found[j] = found[j - 1]
            j -= 1
        found[j] = code


@inlined
def same_legs(cluster: Ints, found: Ints) -> bool:
    """Whether a cluster is of these legs."""
    same = 0
    for i in range(at.MOST_LEGS):
        same += cluster[at.C_LEG + i] == found[i]
    return same == at.MOST_LEGS


@kernel
def open_cluster_of(state: State, prints: Ints, legs: int, found: Ints) -> int:
    """Row of the open cluster of a set of legs, −1 if there is none."""
    if legs == 1:
        return int(state.slots[prints[0, at.P_CONTRACT]])
    for row in range(state.clock[at.OPEN]):
        cluster = state.ints[row]
        if cluster[at.C_LEGS] == legs and cluster[at.C_IS_OVER] == 0 and same_legs(cluster, found):
            return row
    return -1


@inlined
def faded_activity(state: State, contract: int, ts_ns: int) -> float:
    """Orders of a contract before a time, each fading in ten minutes."""
    since_s = ts_ns * 1e-9 - state.activity[contract, 1]
    return float(state.activity[contract, 0] * exp(-max(since_s, 0.0) / _FADE_S))


@inlined
def next_event_ns(state: State, symbol: int, ts_ns: int) -> int:
    """Time of the symbol's next event that has been announced, 0 if there is none."""
    best = 0
    for i in range(state.calendar.shape[0]):
        event = state.calendar[i]
        if event[0] == symbol and event[1] <= ts_ns < event[2] and (best == 0 or event[2] < best):
            best = event[2]
    return int(best)


@inlined
def is_nearest(state: State, group: int, wanted_ns: int, ts_ns: int) -> bool:
    """Whether no expiry of the symbol that has been quoted and is to come is nearer to a time."""
    expiry_ns, other = state.groups[group, at.GROUP_EXPIRY_NS], state.groups[group, at.GROUP_NEXT]
    away = abs(expiry_ns - wanted_ns)
    while other != group:
        row = state.groups[other]
        other_ns, other = row[at.GROUP_EXPIRY_NS], row[at.GROUP_NEXT]
        if row[at.GROUP_IS_QUOTED] == 0 or other_ns <= ts_ns:
            continue
        less = away - abs(other_ns - wanted_ns)
        if less > 0 or (less == 0 and other_ns < expiry_ns):
            return False
    return True


@kernel
def tenors_of(state: State, group: int, ts_ns: int) -> int:
    """Which tenors those who ask for them get by a group of contracts, as bits."""
    bits = 0
    for tenor in range(_TENORS_NS.shape[0]):
        if is_nearest(state, group, ts_ns + _TENORS_NS[tenor], ts_ns):
            bits |= 1 << tenor
    return bits


@kernel
def begin(state: State, prints: Ints, legs: int, found: Ints) -> int:
    """Open a cluster for an order; its row."""
    row = state.clock[at.OPEN]
    state.clock[at.OPEN] += 1
    ints, reals, one = state.ints[row], state.reals[row], prints[0]
    ints[:] = 0
    reals[:] = 0.0
    code, ts_ns = one[at.P_CONTRACT], one[at.P_NS]
    contract = state.contracts[code]
    ints[at.C_SEQ], ints[at.C_SYMBOL] = one[at.P_SEQ], contract[at.SYMBOL]
    ints[at.C_CONTRACT], ints[at.C_LEGS] = code, legs
    ints[at.C_STRUCTURE] = structure_of(state, prints, legs)
    for i in range(at.MOST_LEGS):
        ints[at.C_LEG + i] = found[i]
    ints[at.C_START] = ints[at.C_END] = ts_ns
    ints[at.C_IV], ints[at.C_FIRST_PRICE] = one[at.P_IV], one[at.P_PRICE]
    ints[at.C_IS_PUT] = contract[at.IS_PUT]
    reals[at.R_DAYS] = (contract[at.EXPIRY_NS] - ts_ns) / _DAY_NS
    ints[at.C_TENORS] = tenors_of(state, contract[at.GROUP], ts_ns)
    event_ns = next_event_ns(state, contract[at.SYMBOL], ts_ns)
    ints[at.C_SPANS] = 1 if event_ns > 0 and contract[at.EXPIRY_NS] > event_ns else 0
    reals[at.R_EVENT_DAYS] = (event_ns - ts_ns) / _DAY_NS if event_ns > 0 else _NO_EVENT
    mid2 = one[at.P_U_BID] + one[at.P_U_ASK]
    if mid2 > 0:
        outward = 1.0 - 2.0 * contract[at.IS_PUT]
        reals[at.R_OUT] = outward * log(2.0 * contract[at.STRIKE] / mid2)
        moved = log(mid2 / one[at.P_U_PAST])
        iv = max(one[at.P_IV] * 1e-6, _LEAST_IV)
        reals[at.R_MOVE_BPS] = 1e4 * moved
        reals[at.R_MOVE_SIGMAS] = moved / (iv * math.sqrt(at.MOVE_S / _YEAR_S))
    if legs == 1:
        reals[at.R_ACTIVITY] = faded_activity(state, code, ts_ns)
        state.slots[code] = row
    return int(row)


@inlined
def add_side(ints: Ints, one: Ints, stale_ns: float) -> None:
    """Count where in its quote a print traded."""
    side = aggressor_of(one[at.P_PRICE], one[at.P_BID], one[at.P_ASK])
    if side > 0:
        ints[at.C_BUYS] += 1
        ints[at.K_SIDES + (0 if one[at.P_PRICE] > one[at.P_ASK] else 1)] += 1
    elif side < 0:
        ints[at.C_SELLS] += 1
        ints[at.K_SIDES + (4 if one[at.P_PRICE] < one[at.P_BID] else 3)] += 1
    elif one[at.P_ASK] > 0:
        ints[at.C_INSIDE] += 1
        ints[at.K_SIDES + 2] += 1
    if one[at.P_ASK] <= 0:
        ints[at.C_MISSING] += 1
        ints[at.K_MISSING] += 1
    elif one[at.P_NS] - one[at.P_QUOTE_NS] > stale_ns:
        ints[at.C_STALE] += 1
        ints[at.K_STALE] += 1


@inlined
def add_print(state: State, row: int, one: Ints) -> None:
    """Add a print to a cluster and its present packet."""
    ints, reals = state.ints[row], state.reals[row]
    lots, price = one[at.P_SIZE], one[at.P_PRICE]
    ints[at.C_PRINTS] += 1
    ints[at.K_PRINTS] += 1
    ints[at.C_LOTS] += lots
    ints[at.K_LOTS] += lots
    ints[at.C_LAST_PRICE] = ints[at.K_LAST_PRICE] = price
    ints[at.C_VENUES] |= 1 << one[at.P_VENUE]
    ints[at.K_VENUES] |= 1 << one[at.P_VENUE]
    add_side(ints, one, state.grouping[at.G_STALE_NS])
    if one[at.P_CONDITION] >= _SPECIAL_FROM:
        ints[at.K_SPECIAL] += 1
    iv = one[at.P_IV]
    ints[at.K_IV] = iv
    if iv > 0:
        is_first = ints[at.K_MOST_IV] == 0
        ints[at.K_LEAST_IV] = iv if is_first else min(ints[at.K_LEAST_IV], iv)
        ints[at.K_MOST_IV] = max(ints[at.K_MOST_IV], iv)
    if one[at.P_ASK] > 0:
        width, middle2 = one[at.P_ASK] - one[at.P_BID], one[at.P_ASK] + one[at.P_BID]
        spread = 2e4 * width / middle2
        reals[at.R_SPREADS] += spread
        reals[at.R_K_SPREADS] += spread
        reals[at.R_MOST_SPREAD] = max(reals[at.R_MOST_SPREAD], spread)
    mid2 = one[at.P_U_ASK] + one[at.P_U_BID]
    if mid2 > 0:
        wide = 2e4 * (one[at.P_U_ASK] - one[at.P_U_BID]) / mid2
        reals[at.R_MOST_U_SPREAD] = max(reals[at.R_MOST_U_SPREAD], wide)
        reals[at.R_K_MOST_U_SPREAD] = max(reals[at.R_K_MOST_U_SPREAD], wide)
        ints[at.K_LAST_MID2] = mid2


@kernel
def begin_packet(state: State, row: int, one: Ints) -> None:
    """Open the next packet of a cluster."""
    ints, reals = state.ints[row], state.reals[row]
    ints[at.K_SEQ : at.CLUSTER_INTS] = 0
    reals[at.R_K_USD : at.CLUSTER_REALS] = 0.0
    ints[at.K_SEQ], ints[at.K_START] = one[at.P_SEQ], one[at.P_NS]
    ints[at.K_FIRST_PRICE] = one[at.P_PRICE]
    ints[at.K_FIRST_MID2] = one[at.P_U_BID] + one[at.P_U_ASK]
    ints[at.C_PACKETS] += 1


@kernel
def end_packet(state: State, row: int, said: Said) -> None:
    """Write the present packet of a cluster, compared with those of its contract before."""
    ints, reals = state.ints[row], state.reals[row]
    usual = state.usual[ints[at.C_CONTRACT]]
    size = log(max(reals[at.R_K_USD], 1.0))
    away = size - usual[at.B_MEAN]
    if usual[at.B_COUNT] >= 2.0 and usual[at.B_VARIANCE] > 0.0:
        reals[at.R_K_Z] = away / math.sqrt(usual[at.B_VARIANCE])
    kept = min(usual[at.B_COUNT] / (usual[at.B_COUNT] + 1.0), _USUAL_KEPT)
    usual[at.B_COUNT] += 1.0
    usual[at.B_MEAN] += (1.0 - kept) * away
    usual[at.B_VARIANCE] = kept * (usual[at.B_VARIANCE] + (1.0 - kept) * away * away)
    if ints[at.K_FIRST_MID2] > 0 and ints[at.K_LAST_MID2] > 0:
        reals[at.R_K_MOVE] = 1e4 * log(ints[at.K_LAST_MID2] / ints[at.K_FIRST_MID2])
    k = said.counts[at.SAID_PACKETS]
    said.counts[at.SAID_PACKETS] += 1
    said.packet_ints[k, :] = ints
    said.packet_reals[k, :] = reals


@inlined
def is_past(state: State, row: int, ts_ns: int) -> bool:
    """Whether a cluster takes nothing of this time any more."""
    ints, grouping = state.ints[row], state.grouping
    return bool(
        ts_ns - ints[at.C_END] > grouping[at.G_QUIET_NS]
        or ts_ns - ints[at.C_START] > grouping[at.G_LONGEST_NS]
    )


@inlined
def end_cluster(state: State, row: int, said: Said) -> None:
    """Let a cluster take no more, nor its packet; it is written at the next whole second."""
    ints = state.ints[row]
    ints[at.C_IS_OVER] = 1
    end_packet(state, row, said)
    if ints[at.C_LEGS] == 1:
        state.slots[ints[at.C_CONTRACT]] = -1


@inlined
def cluster_for(state: State, said: Said, prints: Ints, legs: int, found: Ints) -> int:
    """Row of the cluster that an order belongs to, with a packet that takes it."""
    ts_ns = prints[0, at.P_NS]
    sorted_legs(prints, legs, found)
    row = open_cluster_of(state, prints, legs, found)
    if row >= 0 and is_past(state, row, ts_ns):
        end_cluster(state, row, said)
        row = -1
    if row < 0:
        row = begin(state, prints, legs, found)
        begin_packet(state, row, prints[0])
        return int(row)
    ints = state.ints[row]
    gap_ms = max((ts_ns - ints[at.C_END]) * 1e-6, 0.01)
    state.reals[row, at.R_LOG_GAPS] += log(gap_ms)
    if ts_ns - ints[at.K_START] > state.grouping[at.G_PACKET_NS]:
        end_packet(state, row, said)
        begin_packet(state, row, prints[0])
    return int(row)


@inlined
def write_print(said: Said, one: Ints, legs: int) -> None:
    """Write a print with what became of it."""
    one[at.P_LEGS] = legs
    said.prints[said.counts[at.SAID_PRINTS], :] = one
    said.counts[at.SAID_PRINTS] += 1


@kernel
def add_order(state: State, said: Said, prints: Ints, legs: int, found: Ints) -> None:
    """Put an order into the cluster of its subject, or begin one; write its prints."""
    usd = 0.0
    for i in range(legs):
        usd += prints[i, at.P_PRICE] * prints[i, at.P_SIZE] * _DOLLAR_LOT
    if usd < state.grouping[at.G_MIN_USD]:
        for i in range(legs):
            write_print(said, prints[i], legs)
        return
    row = cluster_for(state, said, prints, legs, found)
    ints, reals, ts_ns = state.ints[row], state.reals[row], prints[0, at.P_NS]
    ints[at.C_END] = ts_ns
    ints[at.C_LAST_NS] = ints[at.K_END] = prints[legs - 1, at.P_NS]
    ints[at.C_ORDERS] += 1
    ints[at.K_ORDERS] += 1
    reals[at.R_USD] += usd
    reals[at.R_K_USD] += usd
    reals[at.R_MOST_USD] = max(reals[at.R_MOST_USD], usd)
    for i in range(legs):
        one = prints[i]
        add_print(state, row, one)
        one[at.P_PASSES] = 1
        one[at.P_PACKET], one[at.P_CLUSTER] = ints[at.K_SEQ], ints[at.C_SEQ]
        write_print(said, one, legs)
    if legs == 1:
        code = prints[0, at.P_CONTRACT]
        state.activity[code, 0] = faded_activity(state, code, ts_ns) + 1.0
        state.activity[code, 1] = ts_ns * 1e-9


@kernel
def write_ended(state: State, said: Said, now_ns: int) -> None:
    """Write the clusters that are over at a whole second, and move the others up."""
    kept = 0
    wait_ns = state.grouping[at.G_QUIET_NS] + state.grouping[at.G_LEG_NS]
    for row in range(state.clock[at.OPEN]):
        ints = state.ints[row]
        if ints[at.C_IS_OVER] == 0 and now_ns - ints[at.C_END] > wait_ns:
            end_cluster(state, row, said)
        if ints[at.C_IS_OVER] == 1:
            ints[at.C_EMITTED] = now_ns
            k = said.counts[at.SAID_CLUSTERS]
            said.counts[at.SAID_CLUSTERS] += 1
            said.cluster_ints[k, :] = ints
            said.cluster_reals[k, :] = state.reals[row]
            continue
        if kept < row:
            state.ints[kept, :] = ints
            state.reals[kept, :] = state.reals[row]
            if ints[at.C_LEGS] == 1:
                state.slots[ints[at.C_CONTRACT]] = kept
        kept += 1
    state.clock[at.OPEN] = kept
