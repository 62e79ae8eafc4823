"""Bars as the engine takes them, and what all evaluations on them share.

Nothing here depends on a strategy; indicator columns are ``engine.dsl.columns``.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from contracts.backtest import bars_per_day
from contracts.costs import Slippage
from contracts.errors import ContractError
from contracts.scenario import Timeframe
from engine.arrays import Floats, Ints
from engine.backtest import kernels
from engine.backtest.daily import last_bars_of_days
from engine.dsl.rolling import deviation

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Bars as floats, in price units and lots.

    Attributes
    ----------
    ts_ns : ndarray, shape (bars,), int64
    fields : dict of str to ndarray, shape (bars,), float64
        ``open high low close volume``.
    timeframe : str
    bars_per_day : float
        Sets the annualisation; by default that of a market without a close.
    """

    ts_ns: Ints
    fields: dict[str, Floats]
    timeframe: Timeframe
    bars_per_day: float = field(default=0.0)

    def __post_init__(self) -> None:
        if not self.bars_per_day:
            object.__setattr__(self, "bars_per_day", bars_per_day(self.timeframe))

    @property
    def bars(self) -> int:
        """Number of bars."""
        return int(self.ts_ns.shape[0])

    def first(self, bars: int | None) -> Dataset:
        """The first so many bars, or all."""
        if bars is None or bars >= self.bars:
            return self
        return self.part(range(bars))

    def part(self, bars: range) -> Dataset:
        """Some consecutive bars."""
        cut = slice(bars.start, bars.stop)
        fields = {name: values[cut] for name, values in self.fields.items()}
        return Dataset(self.ts_ns[cut], fields, self.timeframe, self.bars_per_day)


class Prepared:
    """A dataset that has been checked, with what evaluations on it share.

    Raises
    ------
    ContractError
        ``BACKTEST_DATA_INVALID`` with the row, for what is no bar.
    """

    def __init__(self, dataset: Dataset) -> None:
        _refuse_bad_bars(dataset)
        self.dataset = dataset
        self.bars = np.stack([dataset.fields[name] for name in PRICES])
        self.day_ends = last_bars_of_days(dataset.ts_ns)
        self._slips: dict[Slippage, Floats] = {}
        self._whole: tuple[Prepared, range] | None = None

    def slip(self, model: Slippage) -> Floats:
        """Slippage of every bar as a fraction, shape (bars,)."""
        if model not in self._slips:
            self._slips[model] = self._slippage(model)
        return self._slips[model]

    def window(self, bars: range) -> Prepared:
        """Some of the bars as if they were all there are; slippage remembers the bars before."""
        part = copy(self)
        part.dataset = self.dataset.part(bars)
        part.bars = np.ascontiguousarray(self.bars[:, bars.start : bars.stop])
        part.day_ends = last_bars_of_days(part.dataset.ts_ns)
        part._slips = {}
        part._whole = self, bars
        return part

    def _slippage(self, model: Slippage) -> Floats:
        if self._whole is not None:
            whole, bars = self._whole
            return whole.slip(model)[bars.start : bars.stop].copy()
        count = self.dataset.bars
        out = np.full(count, model.base_bps * 1e-4)
        if model.k_vol > 0.0:
            returns, rolling = np.empty(count - 1), np.empty(count - 1)
            kernels.log_returns(self.bars[3], returns)
            deviation(returns, model.window_bars, rolling)
            kernels.slippage(returns, rolling, model.base_bps * 1e-4, model.k_vol, out)
        return out


def _refuse_bad_bars(dataset: Dataset) -> None:
    lengths = {"ts_ns": dataset.bars} | {
        name: int(dataset.fields[name].shape[0]) for name in (*PRICES, "volume")
    }
    if len(set(lengths.values())) > 1:
        raise ContractError("BACKTEST_DATA_INVALID", f"columns differ in length: {lengths}")
    if dataset.bars < 2:
        raise ContractError("BACKTEST_DATA_INVALID", f"{dataset.bars} bars cannot be traded")
    start, high, low, close = (dataset.fields[name] for name in PRICES)
    prices = np.stack([start, high, low, close])
    sound = np.isfinite(prices).all(axis=0) & (prices > 0.0).all(axis=0)
    _require(sound, "a price is not a positive finite number")
    ordered = (low <= np.minimum(start, close)) & (high >= np.maximum(start, close))
    _require(ordered, "low and high do not enclose open and close")
    volume: Floats = dataset.fields["volume"]
    _require(np.isfinite(volume), "the volume is not finite")


def _require(holds: npt.NDArray[np.bool_] | np.bool_, sentence: str) -> None:
    broken = np.flatnonzero(~holds)
    if broken.size:
        hint = ("correct the row, or cut the data before it",)
        raise ContractError("BACKTEST_DATA_INVALID", sentence, f"row {int(broken[0])}", hint)
