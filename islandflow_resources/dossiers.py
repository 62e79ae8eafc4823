"""The dossier of a campaign's winner: its evidence gathered, and judged by the gate.

Stored whether the gate passes or not. What is demanded is ``contracts.campaign.Gate``, the
judgement ``engine.campaign``; publishing what passed is ``promotion``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from contracts.canonical import Document
from contracts.document import validate as validated
from contracts.serving import DOSSIER, Criterion, Dossier, Winner
from engine import backtest, validate
from engine import campaign as judging
from islandflow_resources import results
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaign_reports import campaign_recipe
from islandflow_resources.campaign_robustness import Robust, strategies_of
from islandflow_resources.campaigns import ReadyCampaign
from islandflow_resources.database import Database
from islandflow_resources.datasets import Dataset
from islandflow_resources.derived import DerivedDocument, DerivedTable, made_document
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.robustness import means_by_dataset
from islandflow_resources.strategies import compiled_at

DOSSIER_DOCUMENT: Final = "promotion_dossier"
VERSION: Final = f"{results.VERSION}.{judging.VERSION}.{validate.VERSION}"
LATENCY_RUNS: Final = 100
_PASSING: Final = frozenset({"latency", "checksums"})
"""Criteria that follow from the machine and the store at the time, not from the evidence."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A dossier in the store, with the time that a decision took when it was made.

    ``latency_ms`` is None for a dossier that was found.
    """

    dossier: Dossier
    stored: DerivedDocument
    latency_ms: float | None


def make_dossier(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: ReadyCampaign,
    board: DerivedTable,
    robust: Robust,
    report: DerivedDocument,
    run_id: str,
) -> Judged:
    """Judge the winner of a campaign, or find the judgement.

    One that refused for a busy machine or a damaged dataset alone is kept, and made once more.
    """
    evidence = {"leaderboard": board.content_digest, "overfit_report": report.content_digest}
    if robust.monte_carlo is not None:
        evidence["monte_carlo"] = robust.monte_carlo.content_digest
    if robust.walk_forward is not None:
        evidence["walk_forward"] = robust.walk_forward.content_digest
    specs: Document = {
        "gate": campaign.spec.gate.document(),
        "overfitting": campaign.spec.robustness.overfitting.document(),
    }
    measured: list[float] = []

    def judge() -> Document:
        winner = winner_of(board)
        criteria: tuple[Criterion, ...] = (_none_defined(campaign),)
        if winner is not None:
            live = _live(store, database, runtime, campaign, winner)
            measured.append(live.latency_ms)
            row = board.table.slice(0, 1).to_pylist()[0]
            seen = _evidence(row, robust, report.document, live, campaign)
            criteria = judging.judge(campaign.spec.gate, seen)
        return Dossier(
            campaign_key=campaign.key,
            campaign_hash=campaign.spec.campaign_hash,
            winner=winner,
            passed=all(one.passed for one in criteria),
            criteria=criteria,
            evidence=evidence,
            version=VERSION,
        ).document()

    attempt = 0
    while True:
        own: Document = {**specs, "attempt": attempt}
        recipe = campaign_recipe(campaign, DOSSIER_DOCUMENT, VERSION, evidence, own)
        stored = made_document(store, database, recipe, judge, run_id)
        dossier = validated(DOSSIER, stored.document, "dossier")
        if not (stored.used_cache and _was_chance(dossier)):
            return Judged(dossier, stored, measured[0] if measured else None)
        attempt += 1


def _was_chance(dossier: Dossier) -> bool:
    """Whether the gate refused for nothing but what may be otherwise now."""
    failed = {one.name for one in dossier.criteria if not one.passed}
    return bool(failed) and failed <= _PASSING


def winner_of(board: DerivedTable) -> Winner | None:
    """The candidate of rank 1; None if its score is not defined."""
    row = board.table.slice(0, 1).to_pylist()[0]
    if row["score"] is None:
        return None
    return Winner(
        candidate=row["candidate"],
        strategy_id=row["strategy_id"],
        strategy_hash=row["strategy_hash"],
        set_id=row["set_id"],
        params=json.loads(row["params"]),
        score=row["score"],
    )


@dataclass(frozen=True, slots=True)
class _Live:
    """What running the winner as if live has shown."""

    probes: int
    problem: str
    latency_ms: float
    datasets: int
    checksum_problem: str


def _live(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: ReadyCampaign,
    winner: Winner,
) -> _Live:
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
    return _Live(probes, problem, latency_ms, seen, "; ".join(missing[:3]))


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


def _evidence(
    row: dict[str, Any],
    robust: Robust,
    report: Document,
    live: _Live,
    campaign: ReadyCampaign,
) -> judging.Evidence:
    deflated = report.get("deflated")
    sharpe = deflated.get("deflated_sharpe") if isinstance(deflated, dict) else None
    walked = _rows(robust.walk_forward, "strategy_id", row["strategy_id"])
    out_of_sample, efficiency = means_by_dataset(walked)
    resampled = _rows(robust.monte_carlo, "set_id", row["set_id"])
    ruins = [one["probability_of_ruin"] for one in resampled]
    known = bool(ruins) and all(one is not None for one in ruins)
    return judging.Evidence(
        trades=row["trades"],
        out_of_sample=out_of_sample,
        efficiency=efficiency,
        deflated_sharpe=_number(sharpe),
        overfitting=_number(report.get("pbo")),
        candidates=campaign.sets,
        ruin=float(np.mean(ruins)) if known else None,
        unconverged=sum(not one["converged"] for one in resampled),
        probes=live.probes,
        parity_problem=live.problem,
        latency_ms=live.latency_ms,
        datasets=live.datasets,
        checksum_problem=live.checksum_problem,
    )


def _rows(table: DerivedTable | None, column: str, value: str) -> Sequence[dict[str, Any]]:
    rows = [] if table is None else table.table.to_pylist()
    return [row for row in rows if row[column] == value]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _none_defined(campaign: ReadyCampaign) -> Criterion:
    said = f"no candidate has a {campaign.spec.objective} on at least half of the datasets"
    return Criterion(name="score", passed=False, sentence=said)


__all__ = ["DOSSIER_DOCUMENT", "VERSION", "Judged", "make_dossier", "winner_of"]
