"""A tape's equities as a scorecard takes them: the running session, and the sums of all before.

Rows are taken by ``kernels_scorecard``, sessions by ``kernels_scorecard_prices``; what the sums
mean is in ``scorecard_prices``, ``scorecard_arrivals`` and ``scorecard_quotes``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from contracts.market import Session
from contracts.tape import TapeSpec
from contracts.tape_bands import EDGE_MINUTES, GRID_NS, MINUTE_NS, SIGN_LAGS
from engine.arrays import Floats, Ints
from engine.tapes.market import scorecard_layout as at
from engine.tapes.market.kernels_scorecard import take_equities
from engine.tapes.market.kernels_scorecard_prices import LOOKS, fold_session
from engine.tapes.market.scorecard_context import usual_spreads
from engine.tapes.market.scorecard_layout import EquityRows, EquityState, EquitySums, PriceSums
from engine.tapes.market.scorecard_sums import add_to, copied, no_equity_sums, no_price_sums

YEAR_MINUTES: Final = 252 * 390
_SECOND_NS: Final = 1_000_000_000


def minute_deviations(spec: TapeSpec) -> Floats:
    """Deviation of a minute's log return of every symbol, as the profile states it."""
    return np.array([one.annual_vol / math.sqrt(YEAR_MINUTES) for one in spec.universe])


class EquityCard:
    """Sums over a tape's equity streams, taken stretch by stretch.

    Parameters
    ----------
    spec : TapeSpec
    """

    def __init__(self, spec: TapeSpec) -> None:
        symbols = len(spec.universe)
        self.scale = minute_deviations(spec)
        self._symbols = symbols
        self._start_ns = spec.start_ns
        self._session: Session | None = None
        self._until_ns = spec.start_ns
        self._sums = no_equity_sums(symbols)
        self._prices = no_price_sums(symbols)
        self.state = EquityState(
            np.zeros((symbols, at.STATE_INTS), dtype=np.int64),
            usual_spreads(spec),
            np.zeros((symbols, 1), dtype=np.int64),
            np.zeros((symbols, 1), dtype=np.int64),
            np.zeros((symbols, 2 * at.RING), dtype=np.int64),
            np.zeros((symbols, at.RING), dtype=np.int64),
            np.zeros((symbols, 4, 2), dtype=np.int64),
            np.zeros(6, dtype=np.int64),
            np.zeros((at.REMEMBERED, 2), dtype=np.int64),
            np.zeros(1, dtype=np.int64),
        )

    def begin_session(self, session: Session, at_ns: int) -> None:
        """End the running session, if any, and begin one at a time in it."""
        self._sums, self._prices = self.totals()
        self._session, self._start_ns, self._until_ns = session, at_ns, at_ns
        length_ns = session.close_ns - session.open_ns
        looks, edge_ns = length_ns // GRID_NS + 1, EDGE_MINUTES * MINUTE_NS
        state = self.state
        for array in (state.ints, state.signs, state.mids, state.windows):
            array[:] = 0
        state.ints[:, at.LOOK] = -((session.open_ns - at_ns) // GRID_NS)
        middle = (session.open_ns + length_ns * 3 // 8, session.open_ns + length_ns * 5 // 8)
        opening, closing = session.open_ns + edge_ns, session.close_ns - edge_ns
        state.borders[:] = (session.open_ns, opening, *middle, closing, session.close_ns)
        self.state = state._replace(
            mid2=np.zeros((self._symbols, looks), dtype=np.int64),
            spread=np.zeros((self._symbols, looks), dtype=np.int64),
        )

    def add(self, rows: EquityRows, end_ns: int) -> None:
        """Take the rows of the running session that lie before `end_ns`."""
        assert self._session is not None
        take_equities(rows, self.state, self._sums, self._session.open_ns, end_ns)
        self._until_ns = end_ns

    def merge(self, sums: EquitySums, prices: PriceSums) -> None:
        """Add the totals of another tape."""
        add_to(self._sums, sums)
        add_to(self._prices, prices)

    def totals(self) -> tuple[EquitySums, PriceSums]:
        """The sums with the running session as if it ended now; nothing changes by asking."""
        sums, prices = copied(self._sums), copied(self._prices)
        if self._session is None:
            return sums, prices
        state, session = self.state, self._session
        is_whole = self._start_ns <= session.open_ns and self._until_ns >= session.close_ns
        self._end_counts(sums, is_whole)
        minutes = (state.mid2.shape[1] - 1) // LOOKS
        returns, variances = np.empty((2, self._symbols, minutes))
        fold_session(state.mid2, state.spread, self.scale, is_whole, returns, variances, prices)
        return sums, prices

    def spot(self, at_ns: int) -> tuple[Floats, Floats]:
        """Clean mids at a look, ticks, 0 if there is none; and volatility of the block before it.

        Both of shape (symbols,); the volatility is NaN where a look is missing.
        """
        assert self._session is not None
        place = (at_ns - self._session.open_ns) // GRID_NS
        mid2 = self.state.mid2[:, max(place - 5 * LOOKS, 0) : place + 1].astype(np.float64)
        known = np.where(mid2 > 0.0, mid2, math.nan)
        steps = known[:, 1:] / known[:, :-1] - 1.0
        return mid2[:, -1] * 0.5, np.sqrt((steps * steps).sum(axis=1))

    def _end_counts(self, sums: EquitySums, is_whole: bool) -> None:
        """Add what is known of a session only at its end."""
        assert self._session is not None
        state = self.state
        pending: Ints = state.ints[:, at.IN_SECOND]
        sums.counts[:, at.SQUARES] += pending * pending
        lags = np.arange(SIGN_LAGS, 0, -1)
        sums.pairs[:] += np.maximum(state.ints[:, at.SIGNS, None] - lags, 0)
        seconds = (self._until_ns - self._start_ns) // _SECOND_NS
        minutes = (self._session.close_ns - self._session.open_ns) // MINUTE_NS
        sums.seconds[:] += (seconds, int(is_whole), int(is_whole) * minutes)
        if is_whole:
            sums.windows[:] += state.windows
