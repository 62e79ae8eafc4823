"""The dossier of a campaign's winner: its evidence gathered, and judged by the gate.

Stored whether the gate passes or not. What is demanded is ``contracts.campaign.Gate``, the
judgement ``engine.campaign``; publishing what passed is ``promotion``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from contracts.canonical import Document
from contracts.document import validate as validated
from contracts.serving import DOSSIER, Criterion, Dossier, Winner
from engine import campaign as judging
from engine import validate
from islandflow_resources import results
from islandflow_resources.campaign_reports import campaign_recipe
from islandflow_resources.campaign_tables import Robust
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedDocument, DerivedTable, made_document
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiment_live import live_signal
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.live_checks import Live, live_strategy
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.robustness import means_by_dataset

DOSSIER_DOCUMENT: Final = "promotion_dossier"
VERSION: Final = f"{results.VERSION}.{judging.VERSION}.{validate.VERSION}"
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
    campaign: AnyCampaign,
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
            live = live_of(store, database, runtime, campaign, winner)
            measured.append(live.latency_ms)
            row = board.table.slice(0, 1).to_pylist()[0]
            seen = _evidence(row, robust, report.document, live, board.table.num_rows)
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


def live_of(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: AnyCampaign,
    winner: Winner,
) -> Live:
    """What running the winner as if live shows."""
    if isinstance(campaign, ReadyExperiment):
        return live_signal(store, database, runtime, campaign, winner)
    return live_strategy(store, database, runtime, campaign, winner)


def _evidence(
    row: dict[str, Any],
    robust: Robust,
    report: Document,
    live: Live,
    candidates: int,
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
        candidates=candidates,
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


def _none_defined(campaign: AnyCampaign) -> Criterion:
    said = f"no candidate has a {campaign.spec.objective} on at least half of the datasets"
    return Criterion(name="score", passed=False, sentence=said)


__all__ = ["DOSSIER_DOCUMENT", "VERSION", "Judged", "make_dossier", "winner_of"]
