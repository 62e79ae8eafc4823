"""A tape's options as a scorecard takes them, and the statistics that come of it.

Rows are taken by ``kernels_scorecard_options``, beside what held at each print
(``scorecard_context``). What each statistic must be is ``contracts.tape_bands.OPTION_BANDS``.
"""

from __future__ import annotations

import numpy as np

from contracts.tape import TapeSpec
from engine.arrays import Floats, Ints
from engine.tapes.market import scorecard_options_layout as at
from engine.tapes.market.events import Columns
from engine.tapes.market.kernels_scorecard_options import (
    end_runs,
    read_chains,
    read_smiles,
    take_options,
)
from engine.tapes.market.scorecard_context import OptionContext
from engine.tapes.market.scorecard_figures import correlation, mean_of, rate, ratio
from engine.tapes.market.scorecard_options_layout import OptionRows, OptionSums
from engine.tapes.market.scorecard_sums import add_to, copied, no_option_sums


class OptionCard:
    """Sums over a tape's option streams, taken stretch by stretch.

    Parameters
    ----------
    spec : TapeSpec
    """

    def __init__(self, spec: TapeSpec) -> None:
        symbols = len(spec.universe)
        self._symbols = symbols
        self._context = OptionContext(spec)
        self._sums = no_option_sums(symbols)
        self._last = np.full((symbols, 3), -1.0)

    def begin_session(self, open_ns: int) -> None:
        """Forget the quotes of the session before."""
        self._context.begin_session(open_ns)
        self._last[:, 0] = -1.0

    def see_list(self, contracts: Columns, now_ns: int) -> None:
        """Take the list of contracts as it is now, see `OptionContext.see_list`."""
        if self._context.see_list(contracts, now_ns):
            self._last[:, 0] = -1.0

    def add(self, rows: OptionRows) -> None:
        """Take the rows of a stretch of the running session."""
        held = self._context.see(rows)
        take_options(rows, self._context.state, self._sums, held)

    def read(self, spots: Floats, volatility: Floats, now_ns: int) -> None:
        """Read the chains as they stand, see ``kernels_scorecard_options``."""
        series = self._context.series
        brackets, at_money = np.zeros((len(series), 3, 4)), np.zeros((self._symbols, 2))
        state = self._context.state
        read_chains(state, spots, now_ns, brackets, at_money, self._sums)
        read_smiles(brackets, series, spots, volatility, at_money, self._last, self._sums)

    def merge(self, sums: OptionSums) -> None:
        """Add the totals of another tape."""
        add_to(self._sums, sums)

    def totals(self) -> OptionSums:
        """The sums with everything that is still open; nothing changes by asking."""
        sums = copied(self._sums)
        contracts: Ints = self._context.state.contracts.copy()
        end_runs(contracts, sums.counts)
        lots = np.sort(contracts[:, at.LOTS])[::-1]
        sums.tops[:] += (int(lots[: -(-lots.size // 10)].sum()), int(lots.sum()))
        return sums


def option_values(sums: OptionSums, spec: TapeSpec) -> dict[str, float]:
    """Every statistic of options by the name of its band."""
    n = sums.counts.tolist()
    smiles = sums.smiles.tolist()
    return {
        "top_tenth_volume": ratio(int(sums.tops[0]), int(sums.tops[1])),
        "front_volume_share": ratio(n[at.FRONT_VOLUME], n[at.VOLUME]),
        "small_lot_share": ratio(n[at.SMALL], n[at.PRINTS]),
        "sweep_venues": ratio(n[at.RUN_VENUES], n[at.RUNS]),
        "fresh_spot_share": ratio(n[at.FRESH], n[at.PRINTS]),
        "stale_quote_rate": rate(n[at.STALE], n[at.PRINTS], spec.quotes.stale_share),
        "near_quote_share": ratio(n[at.NEAR], n[at.QUOTED]),
        "width_far_per_near": mean_of(
            ratio(ratio(row[1, 1], row[1, 0]), ratio(row[0, 1], row[0, 0])) for row in sums.widths
        ),
        "width_volatility_correlation": mean_of(correlation(row) for row in sums.width_volatility),
        "put_skew": ratio(smiles[at.PUT_SKEW], smiles[at.SMILES]),
        "call_skew": ratio(smiles[at.CALL_SKEW], smiles[at.SMILES]),
        "skew_ordered_share": ratio(smiles[at.ORDERED], smiles[at.SMILES]),
        "iv_return_correlation": mean_of(correlation(row) for row in sums.iv_returns),
    }
