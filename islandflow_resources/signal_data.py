"""What signals are computed from: the market of a stored grid, and the rows of some columns.

Values stream through in groups of whole bins, so that memory grows with the bins and not with
their rows. The computation is ``engine.signals``; datasets are ``grid_datasets``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.errors import ContractError
from contracts.grid import GridConfig, RuntimeConfig, grid_config_from
from engine.signals.api import LiveSignal, columns_v1, stacked, values_v1
from engine.signals.barriers import Market
from engine.signals.definition import Definition
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.grid_datasets import BINS, ROWS, GridDataset
from islandflow_resources.grid_tables import read_columns
from islandflow_resources.table_schemas import numbers_of

V1_RADIUS = 50
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SignalData:
    """A verified grid dataset, as signals see it.

    Attributes
    ----------
    dataset : GridDataset
    """

    dataset: GridDataset

    @cached_property
    def config(self) -> GridConfig:
        """Configuration of the grid."""
        return grid_config_from(self.dataset.manifest["config"])

    @property
    def runtime(self) -> RuntimeConfig:
        """What of it determines the events' treatment."""
        return self.config.runtime_config

    @property
    def bins(self) -> int:
        """Number of bins."""
        return self.dataset.bins

    @cached_property
    def market(self) -> Market:
        """Prices of the bins; 0 where the book was not valid."""
        columns = self._bins
        valid = columns["book_valid"] & (columns["mid_price"] > 0.0)
        width = columns["best_ask_price_int"] - columns["best_bid_price_int"]
        # A crossed quote is no quote: it must not pay whoever trades.
        spread = np.where(valid & (width >= 0), width / self.runtime.tick_int, np.nan)
        return Market(
            np.where(valid, columns["mid_price"], 0.0),
            _carried_on(spread),
            columns["ts_ns"],
            self.runtime.tick_size,
        )

    @cached_property
    def market_v1(self) -> Market:
        """Prices as the predecessor took them: any mid above 0, no spread."""
        mid = self._bins["mid_price"]
        clean = np.where(np.isnan(mid), 0.0, mid)
        return Market(clean, np.zeros_like(mid), self._bins["ts_ns"], self.runtime.tick_size)

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[slice, dict[str, Floats]]]:
        """Rows of some columns, whole bins at a time: which bins, and arrays (b, 2R + 1)."""
        rows, first = 2 * self.runtime.grid_radius_ticks + 1, 0
        for table in read_columns(self.dataset.folder / ROWS, columns):
            arrays = {
                name: numbers_of(table[name]).astype(np.float64).reshape(-1, rows)
                for name in columns
            }
            bins = table.num_rows // rows
            yield slice(first, first + bins), arrays
            first += bins

    @cached_property
    def _bins(self) -> dict[str, npt.NDArray[Any]]:
        names = ["mid_price", "ts_ns", "book_valid", "best_bid_price_int", "best_ask_price_int"]
        tables = list(read_columns(self.dataset.folder / BINS, names))
        return {name: np.concatenate([_plain(table[name]) for table in tables]) for name in names}


def signal_values(
    data: SignalData,
    runtime: EngineRuntime,
    signal: type[Definition],
    sets: Sequence[dict[str, float]],
    *,
    bins: int | None = None,
) -> Floats:
    """Values of a signal at some parameter sets, shape (sets, bins).

    Parameters
    ----------
    bins : int, optional
        Only the first so many bins.
    """
    wanted = data.bins if bins is None else bins
    config, market = data.runtime, data.market
    live = [
        LiveSignal(
            signal.name, one, config.grid_radius_ticks, config.cell_width_ms, config.tick_size
        )
        for one in sets
    ]
    out = np.empty((len(sets), wanted))
    shards = [range(shard, len(live), runtime.threads) for shard in range(runtime.threads)]

    with ThreadPoolExecutor(runtime.threads) as pool:
        for place, columns in data.groups(signal.columns):
            stop = min(place.stop, wanted)
            if stop <= place.start:
                break
            fields = stacked(signal, columns)[:, : stop - place.start]
            at = slice(place.start, stop)

            def push(shard: range, fields: Floats = fields, at: slice = at) -> None:
                for index in shard:
                    out[index, at] = live[index].push_stacked(
                        fields, market.mid[at], market.ts_ns[at]
                    )

            list(pool.map(push, shards))
    return out


def signal_values_v1(
    data: SignalData, signal: type[Definition], sets: Sequence[dict[str, float]]
) -> Floats:
    """Values as the predecessor's harness had them, shape (sets, bins).

    Raises
    ------
    ContractError
        ``EXPERIMENT_V1_RADIUS`` for a grid of another radius than its 50.
    """
    refuse_other_radius(data.runtime)
    names = columns_v1(signal)
    parts = [columns for _, columns in data.groups(names)]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in names}
    return np.stack([values_v1(signal.name, one, whole, data.runtime) for one in sets])


def refuse_other_radius(runtime: RuntimeConfig) -> None:
    """Refuse a grid that results of v1 are not defined for."""
    if runtime.grid_radius_ticks == V1_RADIUS:
        return
    raise ContractError(
        "EXPERIMENT_V1_RADIUS",
        f"results of v1 are defined for a radius of {V1_RADIUS} ticks, "
        f"the grid has {runtime.grid_radius_ticks}",
        "/eval/compat",
        (f"let grid_radius_ticks be {V1_RADIUS}, or evaluate with v2",),
    )


def _carried_on(values: Floats) -> Floats:
    """Each missing value replaced by the last one before it, 0 if there is none."""
    known = np.where(np.isnan(values), -1, np.arange(values.size))
    last = np.maximum.accumulate(known) if values.size else known
    return np.where(last >= 0, values[np.maximum(last, 0)], 0.0)


def _plain(column: object) -> npt.NDArray[Any]:
    array = column.combine_chunks()  # type: ignore[attr-defined]
    return array.to_numpy(zero_copy_only=False)
