"""Options, taken into the sums of a scorecard: prints one by one, smiles every five minutes.

What held when an option printed is found by ``kernels_scorecard_context``; what the sums mean
is in ``scorecard_options``.
"""

from __future__ import annotations

import math

from contracts.tape_bands import FRESH_NS, SWEEP_NS
from engine.arrays import Floats, Ints
from engine.jit import inlined, kernel
from engine.mathx import log
from engine.tapes.market import scorecard_options_layout as at
from engine.tapes.market.kernels_scorecard_context import is_near, is_off_grid
from engine.tapes.market.kernels_scorecard_prices import add_pair
from engine.tapes.market.scorecard_options_layout import OptionRows, OptionState, OptionSums

_DAY_NS = 86_400_000_000_000.0


@inlined
def venues_of(bits: int) -> int:
    """Number of venues in a set of bits."""
    found = 0
    while bits != 0:
        found += bits & 1
        bits >>= 1
    return found


@inlined
def end_run(contract: Ints, counts: Ints) -> None:
    """Count a run of prints if it was long enough for a sweep."""
    if contract[at.RUN] >= at.LEAST_RUN:
        counts[at.RUNS] += 1
        counts[at.RUN_VENUES] += venues_of(contract[at.VENUES])
    contract[at.RUN] = 0
    contract[at.VENUES] = 0


@kernel
def end_runs(contracts: Ints, counts: Ints) -> None:
    """Count the runs that are still open."""
    for c in range(contracts.shape[0]):
        end_run(contracts[c], counts)


@inlined
def see_print(state: OptionState, sums: OptionSums, rows: OptionRows, k: int, held: Ints) -> None:
    """Take one print."""
    counts, contract = sums.counts, state.contracts[rows.o_contract[k]]
    ts_ns, lots, price = rows.o_ts[k], rows.o_size[k], rows.o_price[k]
    kind = int(state.ticks[contract[at.SYMBOL]])
    counts[at.PRINTS] += 1
    counts[at.VOLUME] += lots
    counts[at.SMALL] += 1 if lots <= at.MOST_SMALL else 0
    counts[at.FRONT_VOLUME] += lots if contract[at.IS_FRONT] != 0 else 0
    counts[at.OFF_GRID] += 1 if is_off_grid(kind, price) else 0
    contract[at.LOTS] += lots
    if held[at.HELD_SPOT_NS] > 0 and ts_ns - held[at.HELD_SPOT_NS] <= FRESH_NS:
        counts[at.FRESH] += 1
    if held[at.HELD_NS] > 0 and held[at.HELD_MOVED_NS] > held[at.HELD_NS]:
        counts[at.STALE] += 1
    else:
        counts[at.QUOTED] += 1
        near = is_near(kind, price, held[at.HELD_BID], held[at.HELD_ASK])
        counts[at.NEAR] += 1 if near and held[at.HELD_NS] > 0 else 0
    if contract[at.RUN] > 0 and ts_ns - contract[at.RUN_NS] > SWEEP_NS:
        end_run(contract, counts)
    contract[at.RUN] += 1
    contract[at.RUN_NS] = ts_ns
    contract[at.VENUES] |= 1 << rows.o_venue[k]


@kernel
def take_options(rows: OptionRows, state: OptionState, sums: OptionSums, held: Ints) -> None:
    """Take the option quotes and prints of a stretch, with what held at each print."""
    for j in range(rows.n_seq.shape[0]):
        kind = int(state.ticks[state.contracts[rows.n_contract[j], at.SYMBOL]])
        wrong = is_off_grid(kind, rows.n_bid[j]) or is_off_grid(kind, rows.n_ask[j])
        sums.counts[at.QUOTES] += 1
        sums.counts[at.OFF_GRID] += 1 if wrong else 0
    for k in range(rows.o_seq.shape[0]):
        see_print(state, sums, rows, k, held[k])


@inlined
def bracket(found: Floats, strike: float, target: float, iv: float) -> None:
    """Keep the nearest strikes on both sides of a target, and their volatilities."""
    if strike <= target and strike > found[0]:
        found[0] = strike
        found[1] = iv
    if strike >= target and (found[2] == 0.0 or strike < found[2]):
        found[2] = strike
        found[3] = iv


@inlined
def between(found: Floats, target: float) -> float:
    """Volatility at a target, linear in the strike; NaN if a side is missing."""
    if found[0] == 0.0 or found[2] == 0.0:
        return math.nan
    if found[2] == found[0]:
        return float(found[1])
    part = (target - found[0]) / (found[2] - found[0])
    return float(found[1] + part * (found[3] - found[1]))


@inlined
def see_width(contract: Ints, spot: float, widths: Floats, at_money: Floats) -> None:
    """Take the width of an out-of-the-money quote: over its mid, at the money over spot too."""
    away = abs(contract[at.STRIKE] / spot - 1.0)
    width = 2.0 * (contract[at.ASK] - contract[at.BID]) / (contract[at.ASK] + contract[at.BID])
    if away < at.NEAR_MONEY:
        widths[0, 0] += 1.0
        widths[0, 1] += width
    if away > at.FAR_MONEY:
        widths[1, 0] += 1.0
        widths[1, 1] += width
    if away < at.AT_MONEY:
        at_money[0] += 1.0
        at_money[1] += (contract[at.ASK] - contract[at.BID]) / spot


@kernel
def read_chains(
    state: OptionState,
    spots: Floats,
    now_ns: int,
    brackets: Floats,
    at_money: Floats,
    sums: OptionSums,
) -> None:
    """Read out-of-the-money quotes: widths, and of every series the strikes around the targets.

    Parameters
    ----------
    spots : ndarray, shape (symbols,), float64
        Clean mids, 0 where there is none.
    brackets : ndarray, shape (series, 3, 4), float64
        Strike and volatility below and above each of `TARGETS`; zeros.
    at_money : ndarray, shape (symbols, 2), float64
        Number and sum of widths at the money over spot; zeros.
    """
    for c in range(state.contracts.shape[0]):
        contract = state.contracts[c]
        spot = float(spots[contract[at.SYMBOL]])
        if spot <= 0.0 or contract[at.IV_PPM] <= 0 or not 0 < contract[at.BID] < contract[at.ASK]:
            continue
        strike, days = contract[at.STRIKE] / spot, (contract[at.EXPIRY_NS] - now_ns) / _DAY_NS
        if (strike < 1.0) != (contract[at.IS_PUT] != 0):
            continue
        if at.WIDTH_SHORTEST_DAYS <= days <= at.WIDTH_LONGEST_DAYS:
            symbol = contract[at.SYMBOL]
            see_width(contract, spot, sums.widths[symbol], at_money[symbol])
        if at.SHORTEST_DAYS <= days <= at.LONGEST_DAYS:
            iv = contract[at.IV_PPM] * 1e-6
            for target in range(3):
                found = brackets[contract[at.SERIES], target]
                bracket(found, strike, at.TARGETS[target], iv)


@kernel
def read_smiles(
    brackets: Floats,
    series: Ints,
    spots: Floats,
    volatility: Floats,
    at_money: Floats,
    last: Floats,
    sums: OptionSums,
) -> None:
    """Add smiles, changes of at-the-money volatility, and widths beside volatility.

    Parameters
    ----------
    series : ndarray, shape (series, 2), int64
        Symbol and expiry, in their order.
    volatility : ndarray, shape (symbols,), float64
        Realised over the last five minutes, NaN where unknown.
    last : ndarray, shape (symbols, 3), float64
        Series, volatility and spot of the reading before; series −1 if there was none.
    """
    symbols = spots.shape[0]
    for s in range(symbols):
        if at_money[s, 0] > 0.0 and not math.isnan(volatility[s]):
            add_pair(sums.width_volatility[s], at_money[s, 1] / at_money[s, 0], volatility[s])
    before = -1
    for g in range(series.shape[0]):
        symbol = series[g, 0]
        low = between(brackets[g, 0], at.TARGETS[0])
        middle = between(brackets[g, 1], at.TARGETS[1])
        high = between(brackets[g, 2], at.TARGETS[2])
        if not math.isnan(low) and not math.isnan(middle) and not math.isnan(high):
            sums.smiles[at.SMILES] += 1.0
            sums.smiles[at.PUT_SKEW] += low / middle
            sums.smiles[at.CALL_SKEW] += high / middle
            sums.smiles[at.ORDERED] += 1.0 if low > middle > high else 0.0
        if math.isnan(middle) or symbol == before:
            continue
        before = symbol
        if last[symbol, 0] == g:
            r = log(spots[symbol] / last[symbol, 2])
            add_pair(sums.iv_returns[symbol], r, log(middle / last[symbol, 1]))
        last[symbol, 0] = g
        last[symbol, 1] = middle
        last[symbol, 2] = spots[symbol]
