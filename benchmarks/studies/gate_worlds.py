"""Markets and strategies of the study of the gate, and campaigns run on them to the dossier.

What is counted and printed is ``gate_calibration``, how large everything is ``gate_sizes``.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import engine.jit  # noqa: F401 - settles where kernels lie, before the home that is thrown away
from benchmarks.studies import gate_sizes as sizes
from contracts.backtest import BacktestSettings
from contracts.campaign import CampaignSpec, campaign_from
from contracts.scenario import ScenarioSpec
from contracts.serving import Dossier
from engine import backtest, paths
from islandflow_resources import campaign_reports, campaigns, dossiers, overfit_reports
from islandflow_resources.campaign_robustness import make_robust
from islandflow_resources.campaign_trials import run_trials, slices
from islandflow_resources.candidates import pooled_sharpe
from islandflow_resources.executors import InProcess
from islandflow_resources.optuna_search import make_search
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.trials import compiled_sweep

Document = dict[str, Any]
Floats = np.ndarray

RUN = "gate-calibration"
FREE: Document = {"costs": {"fee_bps": 0.0, "slippage": {"base_bps": 0.0}}}
COSTLY: Document = {}
"""The defaults: 1 bp of fee and 0.5 bp of slippage for every fill."""


def _range(first: float, last: float, step: float) -> Document:
    return {"default": first, "min": first, "max": last, "step": step}


STRATEGIES: dict[str, tuple[str, str, Document]] = {
    "crossover": (
        "ma(close, fast) > ma(close, slow)",
        "ma(close, fast) < ma(close, slow)",
        {"fast": _range(2, 20, 2), "slow": _range(30, 210, 20)},
    ),
    "bands": (
        "close < ma(close, n) - k * stdev(close, n)",
        "close > ma(close, n) + k * stdev(close, n)",
        {"n": _range(10, 100, 10), "k": _range(0.25, 2.5, 0.25)},
    ),
    "rsi": (
        "rsi(close, n) < edge",
        "rsi(close, n) > 100 - edge",
        {"n": _range(4, 40, 4), "edge": _range(20, 38, 2)},
    ),
}
"""When each strategy buys and when it sells, always with all its equity, and its 10 × 10 grid."""


def noise_market(bars: int) -> Document:
    """Prices without drift: there is nothing to know."""
    return _market("noise", "trend", {"drift": 0.0, "sigma": sizes.SIGMA_BPS}, bars)


def skill_market(strategy: str, strength: float, bars: int) -> Document:
    """A market with something to know for the strategy.

    Parameters
    ----------
    strategy : str
    strength : float
        Of ``crossover`` the drift of two regimes, up and down, in bps per bar; of the others how
        strongly the price reverts, per bar.
    bars : int
    """
    sigma = sizes.SIGMA_BPS
    if strategy != "crossover":
        params: Document = {"kappa": strength, "sigma": sigma, "level": 10_000.0}
        return _market("reverting", "level_revert", params, bars)
    leave = 1.0 / sizes.REGIME_BARS
    params = {
        "regimes": [{"drift": sign * strength, "sigma": sigma} for sign in (1, -1)],
        "transition": [[1.0 - leave, leave], [leave, 1.0 - leave]],
    }
    return _market("trending", "regime_switch", params, bars)


def _market(name: str, family: str, params: Document, bars: int) -> Document:
    return {
        "id": name,
        "version": "0.1",
        "timeframe": "1h",
        "duration_bars": bars,
        "seed": 0,
        "family": family,
        "volume_model": "const",
        "start_price": 10_000.0,
        "params": params,
    }


def campaign(strategy: str, market: Document, settings: Document, seed: int) -> CampaignSpec:
    """A campaign of one strategy's grid on one dataset, with the default gate.

    Monte Carlo is made of the winner alone: the gate looks at no other trial's.
    """
    buys, sells, params = STRATEGIES[strategy]
    spec = {
        "id": strategy,
        "name": strategy,
        "version": "0.1",
        "timeframe": "1h",
        "params": params,
        "rules": [{"if": buys, "then": "buy"}, {"if": sells, "then": "sell"}],
        "risk": {"sizing": {"type": "percent_equity", "percent": 100}, "allow_short": True},
    }
    return campaign_from(
        {
            "id": f"{market['id']}-{strategy}",
            "version": "0.1",
            "scenarios": [market],
            "seeds": str(seed),
            "strategies": [{"strategy": spec}],
            "settings": settings,
            "robustness": {"best": 1},
        }
    )


@contextmanager
def temporary_resources() -> Iterator[ResourceSet]:
    """An embedded home that is gone afterwards, in memory where the system offers it."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="islandflow-", dir=place) as folder:
        resources = ResourceSet.from_environment({"ISLANDFLOW_HOME": str(Path(folder) / "home")})
        resources.engine_runtime.prepare()
        resources.database.migrate()
        yield resources
        resources.database.dispose()


def judged(resources: ResourceSet, spec: CampaignSpec) -> Dossier:
    """Run a campaign as a user's is run, up to the dossier of its winner."""
    store, database = resources.store, resources.database
    runtime = resources.engine_runtime
    found = campaigns.ready(spec, database)
    campaigns.register(found, store, database)
    executor = InProcess(store, database, runtime)
    run_trials(store, database, runtime, found, executor, RUN, lambda done, total: None)
    board = campaign_reports.make_leaderboard(store, database, found, RUN)
    robust = make_robust(store, database, runtime, found, board, RUN)
    report = overfit_reports.make_overfit_report(store, database, found, RUN)
    made = dossiers.make_dossier(store, database, runtime, found, board, robust, report, RUN)
    return made.dossier


def true_ratios(
    strategy: str, market: Document, settings: Document, seeds: Sequence[int]
) -> Floats:
    """Sharpe ratio · √T of every set, T the bars of a dataset, over many datasets as one series.

    Returns
    -------
    ndarray, shape (sets,), float64
        Each with a standard error of about 1/√seeds.
    """
    found = campaigns.ReadyCampaign(campaign(strategy, market, settings, seeds[0]))
    [(spec, entrant)], [scenario] = found.entrants, found.scenarios
    batch = make_search(spec, entrant.search).ask()
    assert batch is not None
    [sets] = slices(spec, batch)
    sweep = compiled_sweep(sets, scenario.duration_bars)
    powers = np.zeros((sets.size, 4))
    for seed in seeds:
        swept = backtest.run_sweep(
            _bars(scenario, seed), sweep, BacktestSettings(**settings), gap_bars=0
        )
        assert swept.moments is not None
        powers += swept.moments.powers
    ratios = pooled_sharpe(powers, len(seeds) * scenario.duration_bars)
    return ratios * math.sqrt(scenario.duration_bars)


def _bars(scenario: ScenarioSpec, seed: int) -> backtest.Dataset:
    made = paths.simulate(scenario, seed)
    names = ("open", "high", "low", "close")
    fields = {name: getattr(made, f"{name}_ticks") * scenario.tick_size for name in names}
    fields["volume"] = made.volume_lots.astype(np.float64)
    return backtest.Dataset(made.ts_ns, fields, scenario.timeframe)
