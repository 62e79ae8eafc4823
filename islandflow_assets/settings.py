"""Run configuration of backtests, validations and grids, as the launchpad and YAML files give it.

The documents it becomes are ``contracts.backtest``, ``contracts.validation`` and
``contracts.grid``, which hold the bounds; the environment's settings are
``islandflow_resources.settings``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import dagster as dg
from pydantic import Field

from contracts.backtest import SETTINGS, BacktestSettings
from contracts.campaign import OBJECTIVES
from contracts.document import validate
from contracts.errors import ContractError, Problem
from contracts.grid import Compat, GridConfig, load_grid_config
from contracts.validation import (
    MONTE_CARLO,
    WALK_FORWARD,
    MonteCarloSettings,
    WalkForwardSettings,
)
from islandflow_resources.grid_configs import SHIPPED_GRID

_COMPATS: Final[dict[str, Compat]] = {"v1": "v1", "v2": "v2"}


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


class ValidationConfig(dg.ConfigurableResource):
    """How results are put to the test in a run: resampling and folds."""

    method: str = Field(default="circular", description="circular or stationary blocks")
    block_bars: int = Field(default=40, description="bars of a block, or their mean")
    paths: int = Field(default=1_000, description="resampled paths")
    ruin_drawdown: float = Field(default=0.5, description="fall from a peak that is ruin")
    folds: int = Field(default=5, description="folds of the walk-forward")
    scheme: str = Field(default="anchored", description="anchored or rolling training")
    purge_bars: int = Field(default=0, description="last bars of training that are dropped")
    embargo_bars: int = Field(default=0, description="first bars of a test that are dropped")
    objective: str = Field(default="sharpe", description="metric that training maximises")

    @property
    def monte_carlo(self) -> MonteCarloSettings:
        """Settings of Monte Carlo; `ContractError` lists every value that is out of bounds."""
        document = {
            "method": self.method,
            "block_bars": self.block_bars,
            "paths": self.paths,
            "ruin_drawdown": self.ruin_drawdown,
        }
        return validate(MONTE_CARLO, document, "validation")

    @property
    def walk_forward(self) -> WalkForwardSettings:
        """Settings of walk-forward, see `monte_carlo`."""
        document = {
            "folds": self.folds,
            "scheme": self.scheme,
            "purge_bars": self.purge_bars,
            "embargo_bars": self.embargo_bars,
        }
        return validate(WALK_FORWARD, document, "validation")

    @property
    def checked_objective(self) -> str:
        """Metric that training maximises.

        Raises
        ------
        ContractError
            ``METRIC_UNKNOWN``.
        """
        if self.objective in OBJECTIVES:
            return self.objective
        hint = f"write one of {', '.join(OBJECTIVES)}"
        said = f"{self.objective!r} cannot be maximised"
        raise ContractError("METRIC_UNKNOWN", said, "objective", (hint,))


class GridSettings(dg.ConfigurableResource):
    """How events become grids in a run."""

    grid_config: str = Field(
        default="", description="document in JSON or YAML, or the path of one; else the shipped one"
    )
    compat: str = Field(default="v2", description="rules: v2, or v1 of an earlier engine")
    emit_from_ns: str = Field(
        default="", description="start of the first bin, digits of ns since 1970; else first event"
    )
    parity_events: int = Field(
        default=0, description="events that are pushed one by one to prove parity; 0 for all"
    )

    @property
    def config(self) -> GridConfig:
        """The configuration; `ContractError` lists every problem with its pointer."""
        given = self.grid_config.strip()
        if "\n" in given or given.startswith("{"):
            return load_grid_config(given)
        path = Path(given) if given else SHIPPED_GRID
        try:
            return load_grid_config(path.read_bytes())
        except OSError as error:
            said = f"cannot read the grid's configuration {path}: {error.strerror or error}"
            hint = "give a document in JSON or YAML, or the path of one"
            raise ContractError("GRID_CONFIG_UNREADABLE", said, "grid_config", (hint,)) from None

    @property
    def rules(self) -> Compat:
        """The set of rules.

        Raises
        ------
        ContractError
            ``GRID_RULES_UNKNOWN``.
        """
        if self.compat in _COMPATS:
            return _COMPATS[self.compat]
        hint = "write v2, or v1 to reproduce an earlier engine"
        said = f"there are no rules {self.compat!r}"
        raise ContractError("GRID_RULES_UNKNOWN", said, "compat", (hint,))

    @property
    def first_bin_ns(self) -> int | None:
        """Start of the first bin; None for that of the first event.

        Raises
        ------
        ContractError
            ``GRID_START_INVALID``.
        """
        text = self.emit_from_ns.strip()
        if not text:
            return None
        if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= 2**62:
            return int(text)
        hint = "write digits, e.g. '1770390000000000000'"
        said = f"{self.emit_from_ns[:40]!r} is no time in nanoseconds since 1970"
        raise ContractError("GRID_START_INVALID", said, "emit_from_ns", (hint,))


def checked_together(*reads: Callable[[], Any]) -> tuple[Any, ...]:
    """What several readers of the configuration give.

    Raises
    ------
    ContractError
        With the problems of all of them at once.
    """
    found: list[Any] = []
    problems: list[Problem] = []
    for read in reads:
        try:
            found.append(read())
        except ContractError as error:
            problems += error.problems
    if problems:
        first, *others = problems
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    return tuple(found)
