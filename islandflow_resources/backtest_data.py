"""What a backtest runs on: bars, where they came from, and what of them a result depends on.

Stored datasets are ``datasets``, files from elsewhere ``bar_files``; the bars
themselves are ``engine.backtest.Dataset``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from contracts.backtest import MetricSettings
from contracts.canonical import Document
from contracts.scenario import ScenarioSpec
from engine import backtest
from islandflow_resources.bar_files import BarFile
from islandflow_resources.table_schemas import numbers_of


@dataclass(frozen=True)
class BacktestData:
    """Bars with the digest of the table that they are the first rows of.

    Attributes
    ----------
    bars : engine.backtest.Dataset
    content_digest : str
        ``blake3:…`` of the whole table.
    tick_size : float or None
        None where prices are no multiples of a tick.
    """

    bars: backtest.Dataset
    content_digest: str
    tick_size: float | None

    @classmethod
    def of_dataset(cls, table: pa.Table, spec: ScenarioSpec, content_digest: str) -> BacktestData:
        """Bars of a scenario's dataset, in price units and lots."""
        columns = {name: numbers_of(table[name]) for name in table.column_names}
        fields = {
            name: columns[f"{name}_ticks"].astype(np.float64) * spec.tick_size
            for name in ("open", "high", "low", "close")
        }
        fields["volume"] = columns["volume_lots"].astype(np.float64)
        bars = backtest.Dataset(columns["ts_ns"], fields, spec.timeframe)
        return cls(bars, content_digest, spec.tick_size)

    @classmethod
    def of_file(cls, file: BarFile) -> BacktestData:
        """Bars of a file from elsewhere."""
        bars = backtest.Dataset(file.ts_ns, file.fields, file.timeframe, file.bars_per_day)
        return cls(bars, file.content_digest, file.tick_size)

    def first(self, max_bars: int | None) -> BacktestData:
        """The first so many bars, or all."""
        return BacktestData(self.bars.first(max_bars), self.content_digest, self.tick_size)

    @cached_property
    def first_ts_ns(self) -> int:
        """Start of the first bar."""
        return int(self.bars.ts_ns[0])

    @cached_property
    def last_ts_ns(self) -> int:
        """Start of the last bar."""
        return int(self.bars.ts_ns[-1])

    @property
    def metric_settings(self) -> MetricSettings:
        """What metrics on these bars are measured with."""
        return MetricSettings(bars_per_day=self.bars.bars_per_day)

    @property
    def document(self) -> Document:
        """What a result depends on besides the digest: range, tick and annualisation."""
        return {
            "timeframe": self.bars.timeframe,
            "tick_size": self.tick_size,
            "rows": self.bars.bars,
            "first_ts_ns": str(self.first_ts_ns),
            "last_ts_ns": str(self.last_ts_ns),
            "metric_settings": self.metric_settings.document(),
        }
