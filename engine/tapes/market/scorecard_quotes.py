"""Statistics of equity quotes, and of sizes, venues and reports of equity prints.

The sums are made by ``kernels_scorecard`` and ``kernels_scorecard_prices``. What each statistic
must be is ``contracts.tape_bands.QUOTE_BANDS`` and ``SIZE_BANDS``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from contracts.tape import TapeSpec
from engine.tapes.market import scorecard_layout as at
from engine.tapes.market.scorecard_figures import correlation, hill, mean_of, rate, ratio
from engine.tapes.market.scorecard_layout import EquitySums, PriceSums

SIZE_TAIL_SHARE: Final = 0.01


def quote_values(
    sums: EquitySums, prices: PriceSums, spec: TapeSpec, option_rows: int, option_off_grid: int
) -> dict[str, float]:
    """Every statistic of quotes by the name of its band.

    Parameters
    ----------
    option_rows, option_off_grid : int
        Option quotes and prints, and how many of them are off their grid.
    """
    total = sums.counts.sum(axis=0).tolist()
    is_large_tick = np.array([one.spread_cents <= 1.0 for one in spec.universe])
    stated, quotes = spec.quotes, total[at.QUOTES]
    rows = quotes + total[at.PRINTS] + option_rows
    return {
        "spread_volatility_correlation": mean_of(
            correlation(row) for row in prices.spreads[~is_large_tick]
        ),
        "one_cent_share": mean_of(
            ratio(int(row[0]), int(row[1])) for row in prices.tight[is_large_tick]
        ),
        "quotes_per_trade": ratio(quotes, total[at.TRADES]),
        "touch_unchanged_share": ratio(total[at.UNCHANGED], total[at.TOUCHES]),
        "wide_rate": rate(total[at.WIDE], quotes, stated.wide_share),
        "locked_rate": rate(total[at.LOCKED], quotes, stated.locked_share),
        "crossed_rate": rate(total[at.CROSSED], quotes, stated.crossed_share),
        "one_sided_rate": rate(total[at.ONE_SIDED], quotes, stated.one_sided_share),
        "off_grid_share": ratio(total[at.OFF_GRID] + option_off_grid, rows),
    }


def size_values(sums: EquitySums, spec: TapeSpec) -> dict[str, float]:
    """Every statistic of sizes, venues and reports by the name of its band."""
    total = sums.counts.sum(axis=0).tolist()
    stated, trades = spec.quotes, total[at.TRADES]
    return {
        "odd_lot_share": ratio(total[at.ODD], trades),
        "size_tail_index": hill(sums.sizes, SIZE_TAIL_SHARE),
        "off_exchange_volume_share": ratio(total[at.OFF_VOLUME], total[at.VOLUME]),
        "off_exchange_print_share": ratio(total[at.OFF_TRADES], trades),
        "late_rate": rate(total[at.LATE], trades, stated.late_share),
        "cancel_rate": rate(total[at.CANCELS], trades, stated.cancel_share),
        "correct_rate": rate(total[at.CORRECTS], trades, stated.correct_share),
        "known_reference_share": ratio(total[at.KNOWN], total[at.REFERENCES]),
    }
