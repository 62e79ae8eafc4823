"""Chains of options as arrays: which contracts a symbol lists in a session, and their ids.

Strikes lie on the symbol's grid around its price at the open; expiries are those of the
session's calendar that the symbol lists. Quotes and trades are the kernels'.
"""

from __future__ import annotations

import datetime
from typing import Final, NamedTuple

import numpy as np

from contracts.market import ChainProfile, Contract, Expiry, Session, SymbolProfile, occ_id
from contracts.tape_columns import CENT_TICKS
from engine.arrays import Floats, Ints
from engine.tapes.market import layout as at

FADING: Final = 0.55
"""Weight of an expiry in the background flow over that of the one before."""
RIGHTS: Final = ("C", "P")


class Chain(NamedTuple):
    """What one symbol lists in one session.

    Attributes
    ----------
    ids : list of str
        By expiry, then strike, then right.
    listed : ndarray, shape (contracts, LISTED_COLUMNS), int64
        Without codes.
    expiries : ndarray, shape (expiries, EXPIRY_COLUMNS), float64
    closes : ndarray, shape (expiries,), int64
    """

    ids: list[str]
    listed: Ints
    expiries: Floats
    closes: Ints


def listed_expiries(
    symbol: SymbolProfile, chain: ChainProfile, session: Session
) -> tuple[Expiry, ...]:
    """The expiries that a symbol lists, in order: the next ones of each kind it has."""
    kept: dict[str, Expiry] = {}
    wanted = (
        ("is_daily", chain.dailies if symbol.expiries == "daily" else 0),
        ("is_weekly", chain.weeklies if symbol.expiries != "monthly" else 0),
        ("is_monthly", chain.monthlies),
    )
    for kind, count in wanted:
        found = [one for one in session.expiries if getattr(one, kind)][:count]
        kept.update((one.date, one) for one in found)
    return tuple(sorted(kept.values(), key=lambda one: one.close_ns))


def chain_of(
    symbol: SymbolProfile,
    chain: ChainProfile,
    session: Session,
    price_ticks: float,
    event_ns: int,
) -> Chain:
    """Make the chain of a symbol around a price.

    Parameters
    ----------
    price_ticks : float
        Price at the open.
    event_ns : int
        Time of its scheduled event, 0 if none.
    """
    step = symbol.strike_step_cents * CENT_TICKS
    side = chain.strikes_each_side
    middle = max(int(price_ticks / step + 0.5), side + 1)
    strikes = [(middle + offset) * step for offset in range(-side, side + 1)]
    expiries = listed_expiries(symbol, chain, session)
    rows: list[tuple[int, int, int]] = []
    ids: list[str] = []
    for place, expiry in enumerate(expiries):
        day = datetime.date.fromisoformat(expiry.date)
        for strike in strikes:
            for is_put, right in enumerate(RIGHTS):
                rows.append((place, is_put, strike))
                ids.append(occ_id(Contract(symbol.symbol, day, right, strike)))
    listed = np.full((len(rows), at.LISTED_COLUMNS), -1, dtype=np.int64)
    listed[:, [at.EXPIRY, at.IS_PUT, at.STRIKE]] = rows
    closes = np.array([one.close_ns for one in expiries], dtype=np.int64)
    reals = np.zeros((len(expiries), at.EXPIRY_COLUMNS))
    weights = FADING ** np.arange(len(expiries))
    reals[:, at.REACH] = np.cumsum(weights) / weights.sum()
    reals[:, at.BEHIND_EVENT] = (event_ns > 0) & (closes > event_ns)
    return Chain(ids, listed, reals, closes)
