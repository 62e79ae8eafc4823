"""A tiny campaign, homes to run it in, and one home where it is finished, shared by a session.

The tests that use them stand beside this file. Homes lie in memory where the system offers it, as
those of tests/graph.py.
"""

import atexit
import json
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from contracts.campaign import campaign_from
from engine import backtest
from engine.dsl import compile_strategy
from islandflow_resources import campaigns, promotion
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaign_reports import candidates_of
from islandflow_resources.campaign_trials import run_trials
from islandflow_resources.campaigns import ReadyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import Recipe
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.executors import InProcess
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.judgement import judged_now
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.signatures import Keyring
from islandflow_resources.signing_keys import KEY_FILE
from tests.graph import CALM, KERNELS, SINKING, fast_folder
from tests.oracles import montecarlo

CALM_MARKET = CALM | {"duration_bars": 480}
TORN_MARKET = CALM | {
    "id": "torn",
    "duration_bars": 560,
    "family": "mean_revert",
    "params": {"kappa": 0.5, "theta": 0, "sigma": 6},
}
SUNKEN_MARKET = SINKING | {"duration_bars": 480}
"""No seed of it can be represented."""
CROSSING = {
    "id": "crossing",
    "name": "Crossing",
    "version": "0.1",
    "timeframe": "1m",
    "params": {
        "fast": {"default": 3, "min": 2, "max": 4, "step": 1},
        "slow": {"default": 9, "min": 8, "max": 12, "step": 4},
    },
    "rules": [
        {"if": "crossover(ma(close, fast), ma(close, slow))", "then": "buy"},
        {"if": "crossunder(ma(close, fast), ma(close, slow))", "then": "close"},
    ],
    "risk": {"sizing": {"type": "percent_equity", "percent": 100}},
}
BUSTED = CROSSING | {
    "id": "busted",
    "params": {},
    "rules": [{"if": "close > 0", "then": "buy"}, {"if": "close < 0", "then": "close"}],
    "risk": {"sizing": {"type": "fixed_qty", "qty": 3_000_000}, "max_margin": 1e12},
}
"""Holds so much that the first dip takes all of its equity."""
ROBUSTNESS = {
    "best": 5,
    "monte_carlo": {"paths": 60, "block_bars": 20, "ruin_drawdown": 0.02},
    "walk_forward": {"folds": 3, "embargo_bars": 5, "purge_bars": 3},
    "overfitting": {"blocks": 4, "purge_bars": 1, "embargo_bars": 1, "probes": 2},
}
OPEN_GATE = {
    "min_trades": 1,
    "min_out_of_sample": None,
    "min_deflated_sharpe": None,
    "max_overfitting": None,
    "max_ruin": None,
    "max_latency_ms": 60_000.0,
}
"""Passed by whatever trades."""
SHUT_GATE = {
    "min_trades": 1_000_000,
    "min_out_of_sample": 1e9,
    "min_efficiency": 1e9,
    "min_deflated_sharpe": 1.0,
    "max_overfitting": 0.0,
    "max_ruin": 0.0,
    "max_latency_ms": 1e-9,
}
"""Passed by nothing."""


def entrant(**changes):
    """The crossing, with some fields changed, as it stands in a campaign."""
    return {"strategy": CROSSING | changes}


def document(**changes):
    """The tiny campaign: 6 sets on 2 markets x 2 seeds."""
    return {
        "id": "tiny",
        "version": "0.1",
        "scenarios": [CALM_MARKET, TORN_MARKET],
        "seeds": "1-2",
        "strategies": [entrant()],
        "robustness": ROBUSTNESS,
        "gate": OPEN_GATE,
        "promotion": {"alias": "best"},
        **changes,
    }


@dataclass(frozen=True)
class Home:
    """Somewhere to run campaigns."""

    store: ObjectStore
    database: Database
    runtime: EngineRuntime
    keyring: Keyring

    @classmethod
    def embedded(cls, folder):
        """A home of a folder and SQLite, made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        database = Database(f"sqlite:///{folder / 'islandflow.db'}")
        database.migrate()
        keyring = Keyring(key_file=folder / KEY_FILE)
        return cls(FolderStore(folder / "objects"), database, runtime(), keyring)

    @property
    def place(self):
        """Store, database and runtime, as most functions take them."""
        return self.store, self.database, self.runtime

    def with_runtime(self, threads=2, memory_mb=64):
        """The same home, computing otherwise."""
        return replace(self, runtime=runtime(threads, memory_mb))

    def ready(self, **changes) -> ReadyCampaign:
        """The tiny campaign, with some fields changed, checked here."""
        return campaigns.ready(campaign_from(document(**changes)), self.database)

    def trials(self, campaign, progress=lambda done, total: None):
        """All trials of a campaign."""
        return run_trials(*self.place, campaign, InProcess(*self.place), "run", progress)

    def judged(self, campaign):
        """The dossier of a campaign."""
        return judged_now(*self.place, campaign, "run")

    def promote(self, campaign, **changes):
        """Carry out a decision on the winner of a campaign."""
        judged = self.judged(campaign)
        chosen = decision(**changes)
        return promotion.promote(
            *self.place, self.keyring, campaign, judged.dossier, judged.stored, chosen
        )

    def objects(self):
        """Every object that is in its place, with its bytes."""
        keys = [key for key in self.store.keys("") if not key.startswith(("quarantine/", "lost/"))]
        return {key: self.store.get(key) for key in keys}


def decision(**changes):
    """What the sensor's job decides, with some fields changed."""
    values = {"alias": "best", "actor": "run 1", "reason": "the gate was passed"}
    return promotion.Decision(**values | changes)


def runtime(threads=2, memory_mb=64):
    """A runtime on the session's kernels."""
    return EngineRuntime(threads, memory_mb, KERNELS)


def digests(made):
    """What a run's tables say."""
    return made.candidates.content_digest, made.chunks.content_digest


def damage(store, key, data=b"damaged"):
    """Put other bytes in the place of an object."""
    remove(store, key)
    store.put_if_absent(key, data)


def remove(store, key):
    """Lose an object."""
    store.set_aside(key, "lost/")


def aside(store):
    """Keys that were put into quarantine, as they were."""
    return [key.split("/", 2)[2] for key in store.keys("quarantine/")]


def trials_alone(home, campaign):
    """Every trial run by itself, with curves: outcomes by dataset, in the order of the candidates.

    Yields scenario key, seed, bars and the outcomes, one for each candidate.
    """
    settings = campaign.spec.settings
    table = candidates_of(home.store, home.database, campaign).table.to_pylist()
    strategies = {spec.strategy_hash: spec for spec, _ in campaign.entrants}
    refs = [dataset_ref(scenario, seed) for scenario, seed in campaign.cells]
    for found in find_datasets(*home.place, refs):
        spec = found.ref.spec
        bars = BacktestData.of_dataset(found.table, spec, found.manifest.content_digest).bars
        bars = bars.first(settings.max_bars)
        outcomes = [
            run_alone(strategies[row["strategy_hash"]], json.loads(row["params"]), bars, settings)
            for row in table
        ]
        yield spec.partition_key, found.ref.seed, bars, outcomes


def run_alone(spec, params, bars, settings):
    """One strategy at one parameter set on bars, with curves."""
    program = compile_strategy(spec, params)
    [outcome] = backtest.run(
        [bars], [backtest.Evaluation(program, spec.risk, settings.whole, keep_curves=True)]
    )
    return outcome


def returns_of(outcome, settings):
    """Return of every bar by the oracle; None if the equity was lost."""
    return montecarlo.returns_of(outcome.curves.equity.tolist(), settings.initial_cash)


def recipe(name="thing", **changes):
    """A recipe by name."""
    return Recipe(**{"what": "thing", "digest": f"sha256:{name.encode().hex():0>64}",
                     "folder": "things", "version": "1"} | changes)  # fmt: skip


@cache
def finished_folder() -> Path:
    """A home where the tiny campaign is registered, run and judged; copy it to change it."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(fast_folder()) / "home"
    home = Home.embedded(folder)
    campaign = home.ready()
    campaigns.register(campaign, home.store, home.database)
    home.trials(campaign)
    home.judged(campaign)
    home.database.dispose()
    return folder


@contextmanager
def finished_copy():
    """A home of one's own where the tiny campaign is finished."""
    with fast_folder() as folder:
        shutil.copytree(finished_folder(), folder / "home")
        home = Home.embedded(folder / "home")
        yield home
        home.database.dispose()


@contextmanager
def empty_home():
    """A home of one's own without anything."""
    with fast_folder() as folder:
        home = Home.embedded(folder / "home")
        yield home
        home.database.dispose()
