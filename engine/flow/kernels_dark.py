"""What prints off exchange suggest: blocks absorbed at the mid, shares gathered or given away.

Rules and numbers are the predecessor's; a kind of event on a symbol is told once in 30 seconds.
"""

from __future__ import annotations

from engine.flow import layout as at
from engine.flow.kernels_quotes import aggressor_of
from engine.flow.layout import Said, State
from engine.jit import inlined, kernel

BLOCK_SHARES = 2_000
LEAST_SHARES = 200
TOTAL_SHARES = 3_000
LEAST_PRINTS = 4
WINDOW_NS = 60_000_000_000
QUIET_NS = 30_000_000_000
FRESH_NS = 1_000_000_000
WIDEST = 0.005
ABSORBED, ACCUMULATION, DISTRIBUTION = 0, 1, 2


@kernel
def off_exchange(
    state: State, said: Said, seq: int, ts_ns: int, symbol: int, price: int, size: int
) -> None:
    """Take a print off exchange, and tell what it completes."""
    underlying = state.underlyings[symbol]
    bid, ask = underlying[at.U_BID], underlying[at.U_ASK]
    if ask <= 0 or ts_ns - underlying[at.U_NS] > FRESH_NS:
        return
    spread = 2.0 * (ask - bid) / (ask + bid)
    if spread > WIDEST:
        return
    side = aggressor_of(price, bid, ask)
    if side == 0:
        if size >= BLOCK_SHARES:
            sure = 0.35 + 0.45 * min(1.0, size / 4000.0) + 0.2 * (1.0 - spread / WIDEST)
            tell(state, said, seq, ts_ns, symbol, ABSORBED, sure, 1, size)
        return
    if size < LEAST_SHARES:
        return
    ints, ring = state.dark_ints[symbol], state.dark[symbol]
    row = ring[ints[at.D_NEXT] % at.DARK_RING]
    row[at.D_NS], row[at.D_SIZE], row[at.D_SIDE] = ts_ns, size, side
    ints[at.D_NEXT] += 1
    prints = shares = 0
    for i in range(at.DARK_RING):
        one = ring[i]
        if one[at.D_SIDE] == side and ts_ns - one[at.D_NS] <= WINDOW_NS:
            prints += 1
            shares += one[at.D_SIZE]
    if prints >= LEAST_PRINTS and shares >= TOTAL_SHARES:
        sure = 0.3 + 0.4 * min(1.0, shares / 6000.0) + 0.3 * min(1.0, prints / 8.0)
        kind = ACCUMULATION if side > 0 else DISTRIBUTION
        tell(state, said, seq, ts_ns, symbol, kind, sure, prints, shares)


@inlined
def tell(
    state: State,
    said: Said,
    seq: int,
    ts_ns: int,
    symbol: int,
    kind: int,
    sure: float,
    prints: int,
    shares: int,
) -> None:
    """Write an event, unless one of its kind was told just before."""
    ints = state.dark_ints[symbol]
    if ts_ns < ints[at.D_QUIET_NS + kind]:
        return
    ints[at.D_QUIET_NS + kind] = ts_ns + QUIET_NS
    k = said.counts[at.SAID_DARK]
    said.counts[at.SAID_DARK] += 1
    row = said.dark[k]
    row[at.E_SEQ], row[at.E_NS], row[at.E_SYMBOL] = seq, ts_ns, symbol
    row[at.E_TYPE], row[at.E_PRINTS], row[at.E_SHARES] = kind, prints, shares
    said.dark_reals[k] = min(sure, 1.0)
