"""What held when options printed, kept from batch to batch: quotes of contracts and underlyings.

The pass over the rows is ``kernels_scorecard_context``. The list of contracts grows while a tape
goes on; whoever adds a batch hands in the list as it then is.
"""

from __future__ import annotations

import numpy as np

from contracts.errors import ContractError
from contracts.tape import TapeSpec
from contracts.tape_columns import CENT_TICKS
from engine.arrays import Floats, Ints
from engine.tapes.market import scorecard_options_layout as at
from engine.tapes.market.events import Columns
from engine.tapes.market.kernels_scorecard_context import see_context
from engine.tapes.market.scorecard_options_layout import OptionRows, OptionState
from engine.tapes.market.scorecard_rows import ints

FRONT_EXPIRIES = 2


def usual_spreads(spec: TapeSpec) -> Floats:
    """Usual spread of every symbol as the profile states it, ticks."""
    return np.array([one.spread_cents * CENT_TICKS for one in spec.universe])


class OptionContext:
    """Standing quotes of a tape.

    Parameters
    ----------
    spec : TapeSpec
    """

    def __init__(self, spec: TapeSpec) -> None:
        symbols = len(spec.universe)
        self.state = OptionState(
            np.zeros((0, at.CONTRACT_INTS), dtype=np.int64),
            np.zeros((symbols, at.SPOT_INTS), dtype=np.int64),
            usual_spreads(spec),
            np.array([at.OPTION_TICKS.index(one.option_tick) for one in spec.universe]),
        )
        self.series: Ints = np.zeros((0, 2), dtype=np.int64)

    def begin_session(self, open_ns: int) -> None:
        """Forget the quotes of the session before, and see which expiries are next."""
        self.state.contracts[:, [at.BID, at.ASK, at.QUOTE_NS, at.IV_PPM]] = 0
        self.state.spots[:] = 0
        self._mark_front(open_ns)

    def see_list(self, contracts: Columns, now_ns: int) -> bool:
        """Take the list of contracts as it is now; true if it has grown.

        Parameters
        ----------
        contracts : Columns
            ``symbol``, ``expiry_ns``, ``strike_ticks`` and ``right`` by code, of the layout
            ``contracts.tape_columns.CONTRACTS``.
        now_ns : int
            Expiries that are over by then are no longer next.

        Raises
        ------
        ContractError
            ``TAPE_CONTRACTS_SHRUNK`` if the list is shorter than before.
        """
        held, count = self.state.contracts.shape[0], len(contracts["symbol"])
        if count < held:
            raise ContractError(
                "TAPE_CONTRACTS_SHRUNK",
                f"the list has {count} contracts, after {held} before",
                "contracts",
                ("hand in the list of the whole tape: it only grows",),
            )
        if count == held:
            return False
        rows = np.zeros((count, at.CONTRACT_INTS), dtype=np.int64)
        rows[:held] = self.state.contracts
        rows[:, at.SYMBOL] = ints(contracts, "symbol")
        rows[:, at.EXPIRY_NS] = ints(contracts, "expiry_ns")
        rows[:, at.STRIKE] = ints(contracts, "strike_ticks")
        rows[:, at.IS_PUT] = ints(contracts, "right")
        keys = rows[:, [at.SYMBOL, at.EXPIRY_NS]]
        self.series, places = np.unique(keys, axis=0, return_inverse=True)
        rows[:, at.SERIES] = places.reshape(-1)
        self.state = self.state._replace(contracts=rows)
        self._mark_front(now_ns)
        return True

    def see(self, rows: OptionRows) -> Ints:
        """Take a stretch; what held at each option print, shape (prints, HELD)."""
        held = np.empty((rows.o_seq.shape[0], at.HELD), dtype=np.int64)
        see_context(rows, self.state, held)
        return held

    def _mark_front(self, now_ns: int) -> None:
        """Mark the contracts of each symbol's next expiries."""
        ahead = self.series[:, 1] > now_ns
        rank = np.cumsum(ahead)
        symbols, first = np.unique(self.series[:, 0], return_index=True)
        before = np.zeros(len(self.state.spots), dtype=np.int64)
        before[symbols] = rank[first] - ahead[first]
        front = ahead & (rank - before[self.series[:, 0]] <= FRONT_EXPIRIES)
        self.state.contracts[:, at.IS_FRONT] = front[self.state.contracts[:, at.SERIES]]
