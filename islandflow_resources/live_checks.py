"""What a winner shows when it is run as if live: parity, latency, and whole datasets.

Strategies here, book signals in ``experiment_live``; whether it is enough is the gate's
(``dossiers``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.serving import Winner
from engine import backtest, validate
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaign_robustness import strategies_of
from islandflow_resources.campaigns import ReadyCampaign
from islandflow_resources.database import Database
from islandflow_resources.datasets import Dataset
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.strategies import compiled_at

LATENCY_RUNS: Final = 100


@dataclass(frozen=True, slots=True)
class Live:
    """What running a winner as if live has shown.

    Attributes
    ----------
    probes : int
        Beginnings of datasets that were compared with the whole.
    problem : str
        Where they first differed; empty if nowhere.
    latency_ms : float
        99th percentile of the time to decide on one more bar.
    datasets : int
    checksum_problem : str
        What of them did not verify; empty if all did.
    """

    probes: int
    problem: str
    latency_ms: float
    datasets: int
    checksum_problem: str


def live_strategy(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: ReadyCampaign,
    winner: Winner,
) -> Live:
    """Run the winning strategy as if live on one dataset of each scenario."""
    strategy = strategies_of(campaign)[winner.strategy_hash]
    program = compiled_at(strategy, winner.params)
    settings = campaign.spec.settings
    evaluation = backtest.Evaluation(program, strategy.risk, settings, keep_curves=True)
    probes, seen, latency_ms, problem = 0, 0, 0.0, ""
    first_seed = campaign.spec.seed_list[0]
    missing: list[str] = []
    for dataset in _verified(store, database, runtime, campaign, missing):
        seen += 1
        # One dataset of each scenario tells: what a strategy reads does not depend on the seed.
        if dataset.ref.seed != first_seed:
            continue
        spec = dataset.ref.spec
        data = BacktestData.of_dataset(dataset.table, spec, dataset.manifest.content_digest)
        asked = campaign.spec.robustness.overfitting.probes
        found = validate.probe_lookahead(data.bars, evaluation, asked)
        probes += found.probes
        if found.probes and not found.identical and not problem:
            problem = f"on {spec.partition_key}|{first_seed}: {found.first_difference}"
        latency_ms = max(latency_ms, _latency_ms(data.bars, evaluation))
    return Live(probes, problem, latency_ms, seen, "; ".join(missing[:3]))


def _verified(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: ReadyCampaign,
    missing: list[str],
) -> Iterator[Dataset]:
    """Datasets of a campaign that verify; what does not is named in `missing`."""
    refs = [dataset_ref(scenario, seed) for scenario, seed in campaign.cells]
    found: set[str] = set()
    for dataset in find_datasets(store, database, runtime, refs):
        found.add(dataset.ref.recipe)
        yield dataset
    missing += [
        f"{ref.spec.partition_key}|{ref.seed} does not verify"
        for ref in refs
        if ref.recipe not in found
    ]


def _latency_ms(bars: backtest.Dataset, evaluation: backtest.Evaluation) -> float:
    """99th percentile of the time to decide on one more bar by evaluating all bars so far.

    That is what a live run that keeps no state would do: an upper bound for one that does.
    """
    seconds: list[float] = []
    for back in range(LATENCY_RUNS):
        so_far = bars.first(max(2, bars.bars - back))
        start = time.perf_counter()
        backtest.run([so_far], [evaluation])
        seconds.append(time.perf_counter() - start)
    return float(np.percentile(seconds, 99)) * 1e3
