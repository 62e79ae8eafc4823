"""What is in force: quotes of contracts and underlyings, and where an underlying stood before."""

from __future__ import annotations

from engine.flow import layout as at
from engine.flow.layout import State
from engine.jit import inlined, kernel

_SECOND_NS = 1_000_000_000


@inlined
def quote_underlying(state: State, symbol: int, ts_ns: int, bid: int, ask: int) -> None:
    """Take a quote of an underlying; one that is locked, crossed or one-sided is passed over."""
    if bid <= 0 or ask <= bid:
        return
    underlying, ring = state.underlyings[symbol], state.ring[symbol]
    before = underlying[at.U_BID] + underlying[at.U_ASK]
    second = ts_ns // _SECOND_NS
    if before == 0:
        ring[:] = bid + ask
    else:
        first = underlying[at.U_NS] // _SECOND_NS + 1
        for s in range(max(first, second - at.RING + 1), second + 1):
            ring[s % at.RING] = before
    underlying[at.U_BID], underlying[at.U_ASK] = bid, ask
    underlying[at.U_NS] = ts_ns


@inlined
def past_mid2(state: State, symbol: int, ts_ns: int) -> int:
    """Bid plus ask of an underlying `MOVE_S` seconds before, or its first ones; 0 if none."""
    underlying = state.underlyings[symbol]
    second = ts_ns // _SECOND_NS - at.MOVE_S
    if second > underlying[at.U_NS] // _SECOND_NS:
        return int(underlying[at.U_BID] + underlying[at.U_ASK])
    return int(state.ring[symbol, second % at.RING])


@inlined
def quote_contract(
    state: State, contract: int, ts_ns: int, bid: int, ask: int, iv_ppm: int
) -> None:
    """Take a quote of a contract, whatever it is: it is what was in force."""
    quote = state.quotes[contract]
    quote[at.BID], quote[at.ASK], quote[at.IV] = bid, ask, iv_ppm
    quote[at.QUOTE_NS] = ts_ns
    state.groups[state.contracts[contract, at.GROUP], at.GROUP_IS_QUOTED] = 1


@kernel
def fill_print(
    state: State,
    row: at.Ints,
    seq: int,
    ts_ns: int,
    contract: int,
    price: int,
    size: int,
    venue: int,
    condition: int,
) -> None:
    """Write a print with what is in force into a row."""
    quote = state.quotes[contract]
    symbol = state.contracts[contract, at.SYMBOL]
    underlying = state.underlyings[symbol]
    row[at.P_SEQ], row[at.P_NS], row[at.P_CONTRACT] = seq, ts_ns, contract
    row[at.P_PRICE], row[at.P_SIZE] = price, size
    row[at.P_VENUE], row[at.P_CONDITION] = venue, condition
    row[at.P_BID], row[at.P_ASK] = quote[at.BID], quote[at.ASK]
    row[at.P_IV], row[at.P_QUOTE_NS] = quote[at.IV], quote[at.QUOTE_NS]
    row[at.P_U_BID], row[at.P_U_ASK] = underlying[at.U_BID], underlying[at.U_ASK]
    row[at.P_U_NS] = underlying[at.U_NS]
    row[at.P_U_PAST] = past_mid2(state, symbol, ts_ns)
    row[at.P_PASSES] = row[at.P_LEGS] = row[at.P_PACKET] = row[at.P_CLUSTER] = 0


@inlined
def aggressor_of(price: int, bid: int, ask: int) -> int:
    """+1 at or through the ask, −1 at or through the bid, 0 between or without a quote."""
    if ask <= 0:
        return 0
    if price >= ask:
        return 1
    return -1 if price <= bid else 0
