"""A scenario of a few bars worked out by hand, and short words for its parts.

The scenarios are in hand_orders.py and hand_accounts.py.
A volume of k lets rule k − 1 decide, and 0 none; a bar that is one number never moves; there are
no costs and 1000 of cash unless the case says so.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Document = dict[str, Any]
Bar = float | tuple[float, float, float, float]
Fill = tuple[int, int, float, str]

ONE: Document = {"sizing": {"type": "fixed_qty", "qty": 1}}
SHORT = ONE | {"allow_short": True, "max_margin": 10_000}
BUY, SELL, CLOSE, HOLD = ({"then": then} for then in ("buy", "sell", "close", "hold"))
NEVER = {"if": "close < 0", "then": "close"}
LOW: Bar = (100, 100, 98, 100)


@dataclass(frozen=True)
class Case:
    """Rules, which of them is asked for on each bar, the bars, and the fills that follow.

    A fill is its bar, side, price and reason. ``sizes`` are the quantities of the fills where they
    are not all 1, ``cash`` is what is left at the end where it matters.
    """

    rules: list[Document]
    asked: list[int]
    bars: list[Bar]
    fills: list[Fill]
    risk: Document = field(default_factory=lambda: ONE)
    settings: Document = field(default_factory=dict)
    sizes: list[float] | None = None
    rejected: int = 0
    conflicts: int = 0
    cash: float | None = None

    @property
    def document(self) -> Document:
        """The strategy; a last rule that is never true lets any position end."""
        rules = [{"if": f"volume == {k}", **rule} for k, rule in enumerate(self.rules, start=1)]
        return {
            "id": "told", "name": "Told by hand", "version": "0.1", "timeframe": "1m",
            "rules": [*rules, NEVER], "risk": self.risk,
        }  # fmt: skip

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Open, high, low, close and volume."""
        wide = [bar if isinstance(bar, tuple) else (bar,) * 4 for bar in self.bars]
        prices = np.array(wide, dtype=np.float64).T
        volume = np.zeros(len(self.bars))
        volume[: len(self.asked)] = self.asked
        return dict(zip(("open", "high", "low", "close"), prices, strict=True)) | {"volume": volume}

    @property
    def flat_settings(self) -> Document:
        """Settings as tests/oracles/backtest.py takes them."""
        free = {"fee_bps": 0.0, "base_bps": 0.0, "k_vol": 0.0, "window_bars": 20}
        return {"initial_cash": 1000.0, "bar_delay": 1} | free | self.settings


def limit(then: str, bps: float = 100) -> Document:
    return {"then": then, "order": {"type": "limit", "offset_bps": bps}}


def stop(then: str, bps: float = 100) -> Document:
    return {"then": then, "order": {"type": "stop", "offset_bps": bps}}
