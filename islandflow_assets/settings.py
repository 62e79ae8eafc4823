"""Run configuration of backtests, as Dagster's launchpad and YAML files give it.

The document it becomes is ``contracts.backtest.BacktestSettings``, which holds
the bounds; the environment's settings are ``islandflow_resources.settings``.
"""

from __future__ import annotations

import dagster as dg
from pydantic import Field

from contracts.backtest import SETTINGS, BacktestSettings
from contracts.document import validate


class BacktestConfig(dg.ConfigurableResource):
    """Cash, delay, fills and costs of every backtest of a run."""

    initial_cash: float = Field(default=100_000.0, description="cash before the first bar")
    bar_delay: int = Field(default=1, description="bars between a decision and its fill")
    gap_policy: str = Field(
        default="touch", description="touch, or open: fills limits that a bar opens beyond"
    )
    lot_size: float | None = Field(default=None, description="quantities are whole lots of this")
    fee_bps: float = Field(default=1.0, description="fee in bps of notional")
    slippage_base_bps: float = Field(default=0.5, description="slippage in bps")
    slippage_k_vol: float = Field(default=0.0, description="slippage per bps of volatility")
    slippage_window_bars: int = Field(default=20, description="window of that volatility")

    def document(self, max_bars: int | None = None) -> BacktestSettings:
        """The settings as the validated document that enters every cache key.

        Parameters
        ----------
        max_bars : int, optional
            Only the first so many bars of the data.

        Raises
        ------
        ContractError
            With every value that is out of bounds.
        """
        slippage = {
            "base_bps": self.slippage_base_bps,
            "k_vol": self.slippage_k_vol,
            "window_bars": self.slippage_window_bars,
        }
        document = {
            "initial_cash": self.initial_cash,
            "bar_delay": self.bar_delay,
            "gap_policy": self.gap_policy,
            "lot_size": self.lot_size,
            "max_bars": max_bars,
            "costs": {"fee_bps": self.fee_bps, "slippage": slippage},
        }
        return validate(SETTINGS, document, "settings")
