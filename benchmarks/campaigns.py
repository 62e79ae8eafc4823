"""A campaign of 10,000 trials from the first dataset to the gate, and what of it is Dagster's.

The job ``campaign`` runs on one fresh embedded home, the same functions without the graph on
another. Parity: both end with the same digests, everything stored is read back verified, and the
second time nothing is computed. ``python -m benchmarks.campaigns SETS SEEDS`` runs another size.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from benchmarks.memory import peak_mb, settled_mb
from benchmarks.timing import table
from contracts.campaign import CampaignSpec, campaign_from
from contracts.canonical import Document, parse_document
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.campaigns import ReadyCampaign

T = TypeVar("T")
FIXTURES = Path(__file__).parents[1] / "contracts" / "fixtures" / "scenarios"
SCENARIOS = ("trend_up_mid", "mean_revert", "vol_cluster_low", "vol_cluster_high", "regime_switch")
BARS, SETS, SEEDS = 10_000, 100, 20
BEST, PATHS, FOLDS = 100, 1_000, 5
STAGES = (
    "trials: datasets, backtests, chunks stored and read back",
    "leaderboard",
    "Monte Carlo and walk-forward of the best",
    "overfitting: PBO, deflated Sharpe, CPCV",
    "dossier: gate, look-ahead probe, latency",
)


@dataclass(slots=True)
class Timed:
    """Seconds of every stage, and the digests that it ended with."""

    seconds: list[float] = field(default_factory=list[float])
    digests: list[str] = field(default_factory=list[str])

    def stage(self, action: Callable[[], T]) -> T:
        """Time one stage."""
        start = time.perf_counter()
        made = action()
        self.seconds.append(time.perf_counter() - start)
        return made


def run() -> str:
    """Time the campaign through the graph and without it, and return the section."""
    return measure(campaign(SETS, SEEDS))


def measure(spec: CampaignSpec) -> str:
    """Time one campaign, its kernels compiled beforehand."""
    with _home() as warm:
        _without_graph(warm, campaign(4, 1))
    with _home() as graph, _home() as plain:
        through, again, events = _through_graph(graph, spec)
        before_mb = settled_mb()
        first = _without_graph(plain, spec)
        added_mb = peak_mb() - before_mb
        found = _without_graph(plain, spec)
        theirs = _without_graph(graph, spec)
    if not first.digests == found.digests == theirs.digests:
        raise AssertionError("the graph and the functions must end with the same digests")
    return _report(spec, first, found, through, again, events, added_mb)


def campaign(sets: int, seeds: int) -> CampaignSpec:
    """Crossovers of two averages over five markets."""
    side = round(sets**0.5)
    markets: list[Document] = []
    for name in SCENARIOS:
        document = parse_document((FIXTURES / f"scenario_{name}.json").read_bytes())
        markets.append({**document, "duration_bars": BARS, "timeframe": "1m"})
    strategy: Document = {
        "id": "ma_cross",
        "name": "Crossover of two averages",
        "version": "0.1",
        "timeframe": "1m",
        "params": {
            "fast": {"default": 10, "min": 5, "max": 5 + 5 * (side - 1), "step": 5},
            "slow": {"default": 300, "min": 300, "max": 300 + 20 * (side - 1), "step": 20},
        },
        "rules": [
            {"if": "crossover(ma(close, fast), ma(close, slow))", "then": "buy"},
            {"if": "crossunder(ma(close, fast), ma(close, slow))", "then": "close"},
        ],
        "risk": {"sizing": {"type": "percent_equity", "percent": 100}},
    }
    return campaign_from(
        {
            "id": f"crossovers_{sets}",
            "version": "0.1",
            "scenarios": [*markets],
            "seeds": f"1-{seeds}",
            "strategies": [{"strategy": strategy}],
            "robustness": {
                "best": BEST,
                "monte_carlo": {"paths": PATHS},
                "walk_forward": {"folds": FOLDS},
            },
        }
    )


@contextmanager
def _home() -> Iterator[Path]:
    """A fresh home; compiled kernels stay where this process has settled them."""
    before = os.environ["ISLANDFLOW_HOME"]
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
    os.environ["ISLANDFLOW_HOME"] = before


def _resources(home: Path) -> ResourceSet:
    os.environ["ISLANDFLOW_HOME"] = str(home)
    return ResourceSet.from_environment()


def _through_graph(home: Path, spec: CampaignSpec) -> tuple[float, float, int]:
    """Seconds of the first run of the job and of the second, and events of the first."""
    resources = _resources(home)
    from islandflow_jobs.definitions import build_definitions
    from islandflow_jobs.instance import open_instance
    from islandflow_jobs.registration import register_campaign

    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with open_instance(resources.settings) as instance:
        ready, _ = register_campaign(resources.store, resources.database, instance, spec)
        job = build_definitions().resolve_job_def("campaign")

        def seconds() -> tuple[float, int]:
            start = time.perf_counter()
            result = job.execute_in_process(
                instance=instance, partition_key=ready.key, run_config=quiet
            )
            spent = time.perf_counter() - start
            if not result.success:
                raise AssertionError("the job campaign failed")
            return spent, len(instance.all_logs(result.run_id))

        (first, events), (again, _) = seconds(), seconds()
    return first, again, events


def _without_graph(home: Path, spec: CampaignSpec) -> Timed:
    """The stages of a campaign as the assets call them."""
    resources = _resources(home)
    from islandflow_resources import campaign_trials, campaigns
    from islandflow_resources.campaign_reports import make_leaderboard
    from islandflow_resources.campaign_robustness import make_robust
    from islandflow_resources.dossiers import make_dossier
    from islandflow_resources.executors import InProcess
    from islandflow_resources.overfit_reports import make_overfit_report

    store, database, runtime = resources.store, resources.database, resources.engine_runtime
    ready: ReadyCampaign = campaigns.ready(spec, database)
    campaigns.register(ready, store, database)
    timed, executor = Timed(), InProcess(store, database, runtime)
    trials = timed.stage(
        lambda: campaign_trials.run_trials(
            store, database, runtime, ready, executor, "bench", lambda _done, _total: None
        )
    )
    board = timed.stage(lambda: make_leaderboard(store, database, ready, "bench"))
    robust = timed.stage(lambda: make_robust(store, database, runtime, ready, board, "bench"))
    report = timed.stage(lambda: make_overfit_report(store, database, ready, "bench"))
    timed.stage(
        lambda: make_dossier(store, database, runtime, ready, board, robust, report, "bench")
    )
    tables = (trials.candidates, trials.chunks, board, robust.monte_carlo, robust.walk_forward)
    timed.digests = [one.content_digest for one in (*tables, report) if one is not None]
    return timed


def _report(
    spec: CampaignSpec,
    first: Timed,
    found: Timed,
    through: float,
    again: float,
    events: int,
    added_mb: float,
) -> str:
    plain, cached = sum(first.seconds), sum(found.seconds)
    seeds = len(spec.seed_list)
    rows = [
        [name, f"{new:.2f}", f"{old:.2f}"]
        for name, new, old in zip(STAGES, first.seconds, found.seconds, strict=True)
    ]
    rows += [
        ["all stages without the graph", f"{plain:.2f}", f"{cached:.2f}"],
        ["the job `campaign`", f"{through:.2f}", f"{again:.2f}"],
        [
            "Dagster's part: the job less the stages",
            f"{through - plain:.2f}",
            f"{again - cached:.2f}",
        ],
    ]
    sets = int(spec.id.rpartition("_")[2])
    text = (
        f"## A campaign: {sets:,} sets x {seeds} seeds x {len(SCENARIOS)} scenarios, "
        f"{BARS:,} bars, embedded profile, two cores\n\n"
        f"With Monte Carlo ({PATHS:,} paths) and walk-forward ({FOLDS} folds) of the best {BEST}, "
        f"and PBO over all. The run wrote {events} events;\nwithout the graph it added "
        f"{added_mb:,.0f} MB at its peak.\n\n"
    )
    return text + table(["stage", "s", "found again, s"], rows)


def main(sets: str = str(SETS), seeds: str = str(SEEDS)) -> None:
    """Run one size in a process of its own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("ISLANDFLOW_HOME", home)
        ResourceSet.from_environment().engine_runtime.prepare()
        sys.stdout.write(measure(campaign(int(sets), int(seeds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
