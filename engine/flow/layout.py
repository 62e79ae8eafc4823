"""Columns of the detector's arrays, and the arrays; what is done with them is ``kernels``.

Everything that the detector remembers is in `State`; it does not grow with the length of a tape,
only with the number of contracts and with what is going on at one time.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from engine.arrays import Floats, Ints

# --- Reference data of a contract.
SYMBOL: Final = 0
EXPIRY_NS: Final = 1
STRIKE: Final = 2
IS_PUT: Final = 3
GROUP: Final = 4  # contracts of one symbol and expiry, which can be legs of one order
CONTRACT_COLUMNS: Final = 5

# --- Quote in force of a contract.
BID: Final = 0
ASK: Final = 1
IV: Final = 2
QUOTE_NS: Final = 3  # 0 if there was none
QUOTE_COLUMNS: Final = 4

# --- Underlying: the last quote that is whole, and its mids at the starts of seconds.
U_BID: Final = 0
U_ASK: Final = 1
U_NS: Final = 2
UNDERLYING_COLUMNS: Final = 3
RING: Final = 256
MOVE_S: Final = 180
"""Moves of the underlying are over so many seconds."""

# --- A print with what was in force when it came.
P_SEQ: Final = 0
P_NS: Final = 1
P_CONTRACT: Final = 2
P_PRICE: Final = 3
P_SIZE: Final = 4
P_VENUE: Final = 5
P_CONDITION: Final = 6
P_BID: Final = 7
P_ASK: Final = 8
P_IV: Final = 9
P_QUOTE_NS: Final = 10
P_U_BID: Final = 11
P_U_ASK: Final = 12
P_U_NS: Final = 13
P_U_PAST: Final = 14  # bid plus ask `MOVE_S` before
P_PASSES: Final = 15
P_LEGS: Final = 16
P_PACKET: Final = 17
P_CLUSTER: Final = 18
PRINT_COLUMNS: Final = 19

MOST_LEGS: Final = 4

# --- An open cluster, integers; its present packet from `K_SEQ` on.
C_SEQ: Final = 0
C_SYMBOL: Final = 1
C_CONTRACT: Final = 2
C_STRUCTURE: Final = 3
C_LEGS: Final = 4
C_LEG: Final = 5  # four, ascending
C_START: Final = 9
C_END: Final = 10
C_PACKETS: Final = 11
C_ORDERS: Final = 12
C_PRINTS: Final = 13
C_LOTS: Final = 14
C_BUYS: Final = 15
C_SELLS: Final = 16
C_INSIDE: Final = 17
C_STALE: Final = 18
C_MISSING: Final = 19
C_VENUES: Final = 20  # bits
C_IV: Final = 21
C_FIRST_PRICE: Final = 22
C_LAST_PRICE: Final = 23
C_IS_PUT: Final = 24
C_SPANS: Final = 25
C_IS_OVER: Final = 26
C_EMITTED: Final = 27
C_LAST_NS: Final = 28  # time of its last print; C_END is that of its last order
C_TENORS: Final = 29  # bits
K_SEQ: Final = 30
K_START: Final = 31
K_END: Final = 32
K_ORDERS: Final = 33
K_PRINTS: Final = 34
K_LOTS: Final = 35
K_FIRST_PRICE: Final = 36
K_LAST_PRICE: Final = 37
K_SIDES: Final = 38  # five: AA A MID B BB
K_STALE: Final = 43
K_MISSING: Final = 44
K_SPECIAL: Final = 45
K_VENUES: Final = 46
K_IV: Final = 47
K_LEAST_IV: Final = 48
K_MOST_IV: Final = 49
K_FIRST_MID2: Final = 50
K_LAST_MID2: Final = 51
CLUSTER_INTS: Final = 52

# --- The same, reals.
R_USD: Final = 0
R_MOST_USD: Final = 1
R_LOG_GAPS: Final = 2
R_DAYS: Final = 3
R_OUT: Final = 4
R_EVENT_DAYS: Final = 5
R_MOVE_BPS: Final = 6
R_MOVE_SIGMAS: Final = 7
R_SPREADS: Final = 8
R_MOST_SPREAD: Final = 9
R_ACTIVITY: Final = 10
R_MOST_U_SPREAD: Final = 11
R_K_USD: Final = 12
R_K_SPREADS: Final = 13
R_K_MOST_U_SPREAD: Final = 14
R_K_Z: Final = 15
R_K_MOVE: Final = 16
CLUSTER_REALS: Final = 17

# --- A group: the contracts of one symbol and expiry.
GROUP_EXPIRY_NS: Final = 0
GROUP_NEXT: Final = 1  # group of the same symbol; all of a symbol are a ring
GROUP_IS_QUOTED: Final = 2
GROUP_COLUMNS: Final = 3

# --- Usual premium of a contract's packets.
B_COUNT: Final = 0
B_MEAN: Final = 1
B_VARIANCE: Final = 2
USUAL_COLUMNS: Final = 3

# --- Prints off exchange of one symbol, the latest of them in a ring.
D_NS: Final = 0
D_SIZE: Final = 1
D_SIDE: Final = 2
DARK_COLUMNS: Final = 3
DARK_RING: Final = 64
D_NEXT: Final = 0
D_QUIET_NS: Final = 1  # three: no event of a kind before then
DARK_INTS: Final = 4

# --- A dark event.
E_SEQ: Final = 0
E_NS: Final = 1
E_SYMBOL: Final = 2
E_TYPE: Final = 3
E_PRINTS: Final = 4
E_SHARES: Final = 5
EVENT_COLUMNS: Final = 6

# --- The clock and the counts of what is open.
NOW_S: Final = 0
OPEN: Final = 1
PENDING: Final = 2
CLOCK: Final = 3

# --- Counts of what has been said since the last call.
SAID_PRINTS: Final = 0
SAID_PACKETS: Final = 1
SAID_CLUSTERS: Final = 2
SAID_DARK: Final = 3

# --- Levels of the grouping.
G_MIN_USD: Final = 0
G_LEG_NS: Final = 1
G_PACKET_NS: Final = 2
G_QUIET_NS: Final = 3
G_LONGEST_NS: Final = 4
G_STALE_NS: Final = 5
GROUPING: Final = 6

ROOMS: Final = 1024
"""Clusters that may be open at first; more are made room for."""


class State(NamedTuple):
    """All that the detector remembers.

    Attributes
    ----------
    contracts : ndarray, shape (contracts, CONTRACT_COLUMNS), int64
    calendar : ndarray, shape (events, 3), int64
        Symbol, time of announcement, time of the event.
    grouping : ndarray, shape (GROUPING,), float64
    clock : ndarray, shape (CLOCK,), int64
    quotes : ndarray, shape (contracts, QUOTE_COLUMNS), int64
    underlyings : ndarray, shape (symbols, UNDERLYING_COLUMNS), int64
    ring : ndarray, shape (symbols, RING), int64
        Bid plus ask in force at the start of a second, at its remainder by `RING`.
    activity : ndarray, shape (contracts, 2), float64
        Orders, fading; and the time that they are of, seconds.
    usual : ndarray, shape (contracts, USUAL_COLUMNS), float64
    slots : ndarray, shape (contracts,), int64
        Open cluster of a contract alone, −1 if none.
    groups : ndarray, shape (groups, GROUP_COLUMNS), int64
    waiting : ndarray, shape (groups, MOST_LEGS, PRINT_COLUMNS), int64
        Prints that may yet be joined by another leg.
    waits : ndarray, shape (groups,), int64
        How many.
    queue : ndarray, shape (groups,), int64
        Groups with such prints, in order of the first of them.
    ints : ndarray, shape (rooms, CLUSTER_INTS), int64
        Open clusters in order of their start.
    reals : ndarray, shape (rooms, CLUSTER_REALS), float64
    dark : ndarray, shape (symbols, DARK_RING, DARK_COLUMNS), int64
    dark_ints : ndarray, shape (symbols, DARK_INTS), int64
    """

    contracts: Ints
    calendar: Ints
    grouping: Floats
    clock: Ints
    quotes: Ints
    underlyings: Ints
    ring: Ints
    activity: Floats
    usual: Floats
    slots: Ints
    groups: Ints
    waiting: Ints
    waits: Ints
    queue: Ints
    ints: Ints
    reals: Floats
    dark: Ints
    dark_ints: Ints


class Said(NamedTuple):
    """What the kernels write: rows, and how many hold.

    Attributes
    ----------
    counts : ndarray, shape (4,), int64
    prints : ndarray, shape (rows, PRINT_COLUMNS), int64
    packet_ints, cluster_ints : ndarray, shape (rows, CLUSTER_INTS), int64
    packet_reals, cluster_reals : ndarray, shape (rows, CLUSTER_REALS), float64
    dark : ndarray, shape (rows, EVENT_COLUMNS), int64
    dark_reals : ndarray, shape (rows,), float64
        Confidence.
    """

    counts: Ints
    prints: Ints
    packet_ints: Ints
    packet_reals: Floats
    cluster_ints: Ints
    cluster_reals: Floats
    dark: Ints
    dark_reals: Floats


def room_for(prints: int, dark: int) -> Said:
    """Room for what comes of so many option prints, counting those that wait, and equity prints."""
    return Said(
        np.zeros(4, dtype=np.int64),
        np.zeros((prints, PRINT_COLUMNS), dtype=np.int64),
        np.zeros((prints, CLUSTER_INTS), dtype=np.int64),
        np.zeros((prints, CLUSTER_REALS)),
        np.zeros((prints, CLUSTER_INTS), dtype=np.int64),
        np.zeros((prints, CLUSTER_REALS)),
        np.zeros((dark, EVENT_COLUMNS), dtype=np.int64),
        np.zeros(dark),
    )
