"""Status codes: how a kernel says that it stopped, since it never raises.

A kernel returns ``(status, index)``; the api function of its domain turns both
into an error of ``contracts.errors``.
"""

from __future__ import annotations

from typing import Final

OK: Final = 0
NOT_FINITE: Final = 1
PRICE_OUT_OF_RANGE: Final = 2
RETURN_OUT_OF_BAND: Final = 3
NOT_ORDERED: Final = 4
GAP_WITHOUT_JUMP: Final = 5
TIME_OFF_GRID: Final = 6
VOLUME_OUT_OF_RANGE: Final = 7
CASH_BELOW_MARGIN: Final = 8
NOT_CONSERVED: Final = 9
TABLE_FULL: Final = 10
CELLS_FULL: Final = 11
OUTPUT_FULL: Final = 12
TIME_JUMPS: Final = 13

REASONS: Final[dict[int, str]] = {
    NOT_FINITE: "a price is not finite",
    PRICE_OUT_OF_RANGE: "a price leaves 100 … 10^12 ticks",
    RETURN_OUT_OF_BAND: "a return lies more than 25 conditional sigmas off its mean",
    NOT_ORDERED: "high or low does not enclose open and close",
    GAP_WITHOUT_JUMP: "an open differs from the close before without a jump",
    TIME_OFF_GRID: "timestamps do not rise by the timeframe",
    VOLUME_OUT_OF_RANGE: "a volume is not between 1 and 2^62 lots",
    CASH_BELOW_MARGIN: "cash falls below the allowed margin",
    NOT_CONSERVED: "cash plus position value differs from equity",
}
