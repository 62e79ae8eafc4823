"""The detector's one loop: four streams in one order, event by event, whatever the batches.

The order is that of the sequence numbers, which ascend with time. Nothing is read but what a
feed has told by then, and reference data.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Ints
from engine.flow import layout as at
from engine.flow.kernels_dark import off_exchange
from engine.flow.kernels_orders import pass_seconds, row_for
from engine.flow.kernels_quotes import fill_print, quote_contract, quote_underlying
from engine.flow.layout import Said, State
from engine.jit import kernel

_SECOND_NS = 1_000_000_000
_NEVER = 2**62
_AMENDED_FROM = 3
"""Conditions of equity prints from here on amend another print, see ``contracts.tape_columns``."""


@kernel
def seq_at(rows: Ints, place: int) -> int:
    """Number of the event at a place, or one beyond all."""
    return int(rows[place, 0]) if place < rows.shape[0] else _NEVER


@kernel
def push(state: State, said: Said, quotes: Ints, prints: Ints, nbbo: Ints, options: Ints) -> None:
    """Take events of the four streams, each in order of their numbers.

    Parameters
    ----------
    quotes : ndarray, shape (n, 5), int64
        Number, time, symbol, bid, ask.
    prints : ndarray, shape (n, 7), int64
        Number, time, symbol, price, size, condition, whether off exchange.
    nbbo : ndarray, shape (n, 6), int64
        Number, time, contract, bid, ask, implied volatility.
    options : ndarray, shape (n, 7), int64
        Number, time, contract, price, size, venue, condition.
    """
    found = np.zeros(at.MOST_LEGS, dtype=np.int64)
    i = j = k = n = 0
    while True:
        a, b, c, d = seq_at(quotes, i), seq_at(prints, j), seq_at(nbbo, k), seq_at(options, n)
        first = min(min(a, b), min(c, d))
        if first == _NEVER:
            return
        if first == c:
            row = nbbo[k]
            k += 1
            pass_seconds(state, said, row[1] // _SECOND_NS, found)
            quote_contract(state, row[2], row[1], row[3], row[4], row[5])
        elif first == a:
            row = quotes[i]
            i += 1
            pass_seconds(state, said, row[1] // _SECOND_NS, found)
            quote_underlying(state, row[2], row[1], row[3], row[4])
        elif first == b:
            row = prints[j]
            j += 1
            pass_seconds(state, said, row[1] // _SECOND_NS, found)
            if row[6] != 0 and row[5] < _AMENDED_FROM:
                off_exchange(state, said, row[0], row[1], row[2], row[3], row[4])
        else:
            row = options[n]
            n += 1
            pass_seconds(state, said, row[1] // _SECOND_NS, found)
            group, place = row_for(state, said, row[1], row[2], row[4], found)
            fill_print(
                state,
                state.waiting[group, place],
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                row[5],
                row[6],
            )
            state.waits[group] = place + 1


@kernel
def finish(state: State, said: Said) -> None:
    """Let time pass until nothing is open."""
    found = np.zeros(at.MOST_LEGS, dtype=np.int64)
    while state.clock[at.OPEN] + state.clock[at.PENDING] > 0:
        pass_seconds(state, said, state.clock[at.NOW_S] + 1, found)
