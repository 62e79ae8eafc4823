"""The same crossover strategy in vectorbt, backtesting.py and backtrader, as their users write it.

All fill at the deciding close, long or flat, with all of the equity, and pay `FEE` and
`SLIPPAGE`. They are imported where they are used: only these measurements need them. What is
measured and compared stands in ``benchmarks.backtest``.
"""

from __future__ import annotations

from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Depth = Literal["total return", "five metrics", "stats"]
"""What vectorbt is asked for; its ``stats`` are nearest to what ours always measure."""

# So much that the whole units in which two of the peers trade are no error worth naming.
CASH = 1e9
FEE = 1e-4
SLIPPAGE = 0.5e-4


@dataclass(frozen=True, slots=True)
class Finished:
    """What one run of one strategy ended with."""

    equity: float
    closed_trades: int


def bars_frame(ts_ns: npt.NDArray[np.int64], fields: dict[str, Floats]) -> pd.DataFrame:
    """Bars as the peers want them: a column per field, times as the index."""
    columns = {name.capitalize(): values for name, values in fields.items()}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(pd.to_datetime(ts_ns), name="Time"))


def vectorbt_single(frame: pd.DataFrame, fast: int, slow: int) -> Finished:
    """One pair with all the statistics of ``Portfolio.stats``."""
    vbt, close = import_module("vectorbt"), frame["Close"]
    account = _account(close, vbt.MA.run(close, fast), vbt.MA.run(close, slow))
    stats = account.stats()
    return Finished(float(stats["End Value"]), int(stats["Total Closed Trades"]))


def vectorbt_sweep(frame: pd.DataFrame, windows: npt.NDArray[np.int64]) -> Floats:
    """Total returns of all pairs of `windows` in the order of their combinations, at once."""
    vbt, close = import_module("vectorbt"), frame["Close"]
    fast_ma, slow_ma = vbt.MA.run_combs(close, windows, r=2, short_names=["fast", "slow"])
    return np.asarray(_account(close, fast_ma, slow_ma).total_return(), dtype=np.float64)


def vectorbt_pairs(frame: pd.DataFrame, pairs: npt.NDArray[np.int64], depth: Depth) -> Floats:
    """Total returns of some pairs, shape (pairs, 2), and the other statistics of `depth`."""
    vbt, close = import_module("vectorbt"), frame["Close"]
    fast_ma = vbt.MA.run(close, pairs[:, 0], short_name="fast")
    slow_ma = vbt.MA.run(close, pairs[:, 1], short_name="slow")
    account = _account(close, fast_ma, slow_ma)
    if depth == "stats":
        stats = account.stats(agg_func=None)
        return np.asarray(stats["Total Return [%]"], dtype=np.float64) / 100
    if depth == "five metrics":
        account.sharpe_ratio()
        account.max_drawdown()
        account.trades.win_rate()
        account.trades.profit_factor()
    return np.asarray(account.total_return(), dtype=np.float64)


def _account(close: Any, fast_ma: Any, slow_ma: Any) -> Any:
    return import_module("vectorbt").Portfolio.from_signals(
        close,
        fast_ma.ma_crossed_above(slow_ma),
        fast_ma.ma_crossed_below(slow_ma),
        init_cash=CASH,
        fees=FEE,
        slippage=SLIPPAGE,
        freq="1min",
    )


def backtesting_single(frame: pd.DataFrame, fast: int, slow: int) -> Finished:
    """One pair in backtesting.py, which takes the slippage of both fills as one spread on entry."""
    backtesting, lib = import_module("backtesting"), import_module("backtesting.lib")

    def mean(values: Floats, window: int) -> Any:
        return pd.Series(values).rolling(window).mean()

    class Crossover(backtesting.Strategy):
        def init(self) -> None:
            self.fast = self.I(mean, self.data.Close, fast)
            self.slow = self.I(mean, self.data.Close, slow)

        def next(self) -> None:
            if lib.crossover(self.fast, self.slow):
                self.buy()
            elif lib.crossover(self.slow, self.fast):
                self.position.close()

    costs = {"commission": FEE, "spread": 2 * SLIPPAGE}
    test = backtesting.Backtest(frame, Crossover, cash=CASH, trade_on_close=True, **costs)
    with redirect_stderr(StringIO()):  # its progress bar
        stats = test.run()
    return Finished(float(stats["Equity Final [$]"]), int(stats["# Trades"]))


def backtrader_single(frame: pd.DataFrame, fast: int, slow: int) -> Finished:
    """One pair in backtrader, with the analysers nearest to our metrics."""
    bt = import_module("backtrader")

    class Crossover(bt.Strategy):
        def __init__(self) -> None:
            fast_ma = bt.indicators.SimpleMovingAverage(self.data.close, period=fast)
            slow_ma = bt.indicators.SimpleMovingAverage(self.data.close, period=slow)
            self.crossed = bt.indicators.CrossOver(fast_ma, slow_ma)

        def next(self) -> None:
            if self.crossed[0] > 0 and not self.position:
                price = self.data.close[0] * (1 + SLIPPAGE) * (1 + FEE)
                self.buy(size=int(self.broker.getvalue() / price))
            elif self.crossed[0] < 0 and self.position:
                self.close()

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(Crossover)
    cerebro.broker.setcash(CASH)
    cerebro.broker.setcommission(commission=FEE)
    cerebro.broker.set_slippage_perc(SLIPPAGE, slip_match=True, slip_out=True)
    cerebro.broker.set_coc(True)
    for analyser in (bt.analyzers.TimeReturn, bt.analyzers.DrawDown, bt.analyzers.SharpeRatio):
        cerebro.addanalyzer(analyser)
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    [ran] = cerebro.run()
    closed = ran.analyzers.trades.get_analysis().get("total", {}).get("closed", 0)
    return Finished(float(cerebro.broker.getvalue()), int(closed))
