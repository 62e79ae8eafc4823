"""A stored market and strategies on it, for the tests of results and of what makes them.

The tests stand beside this file.
"""

from dataclasses import dataclass, replace

import numpy as np

from contracts.backtest import BacktestSettings
from engine import paths
from engine.backtest import Dataset
from islandflow_resources import datasets
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.evaluations import make_results
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import ResultRef
from islandflow_resources.strategies import StrategyList, compiled
from tests.graph import CALM, KERNELS, market, strategy


def crossings(fast, slow, **changes):
    """A strategy that follows two moving averages."""
    pair = f"ma(close, {fast}), ma(close, {slow})"
    rules = [
        {"if": f"crossover({pair})", "then": "buy"},
        {"if": f"crossunder({pair})", "then": "sell"},
    ]
    return strategy(**{"id": f"ma_{fast}_{slow}", "rules": rules, **changes})


def many(count, first=2):
    """So many strategies, no two of one meaning."""
    return [crossings(fast, fast + 5) for fast in range(first, first + count)]


def bars(rows=120, seed=1, **changes):
    """Bars that come from nowhere, as data of a backtest."""
    close = 100 + np.cumsum(np.random.default_rng(seed).normal(size=rows))
    fields = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    fields["volume"] = np.ones(rows)
    ts_ns = 1_704_067_200_000_000_000 + 60_000_000_000 * np.arange(rows)
    data = BacktestData(Dataset(ts_ns, fields, "1m"), "blake3:" + "0" * 64, 0.01)
    return replace(data, **changes)


def request(data, spec=None, **settings):
    """One request on data."""
    spec = spec or strategy()
    return ResultRef(spec, compiled(spec), BacktestSettings(**settings), data)


@dataclass
class Bench:
    """Somewhere to store results and record them, and stored datasets to make them on."""

    store: ObjectStore
    database: object
    memory_mb: int = 64
    threads: int = 2

    def datasets(self, *seeds, document=CALM):
        """Stored datasets of a market."""
        spec = market(document)
        return [
            datasets.publish(self.store, dataset_ref(spec, seed), paths.simulate(spec, seed), {})
            for seed in seeds
        ]

    def make(self, inputs, strategies, **settings):
        """Results of all strategies on all datasets."""
        runtime = EngineRuntime(self.threads, self.memory_mb, KERNELS)
        return list(
            make_results(
                self.store,
                self.database,
                runtime,
                inputs,
                StrategyList.of(strategies),
                BacktestSettings(**settings),
                "run",
            )
        )

    def objects(self):
        """Every object with its bytes."""
        return {key: self.store.get(key) for key in self.store.keys("")}


def hits(made):
    """How many results were found, and how many there are."""
    results = [one for each in made for one in each.results]
    return sum(one.used_cache for one in results), len(results)
