"""Promotion of a campaign's winner: the gate asked, the spec proven, published, the alias moved.

The one way to a served alias, for the sensor's job and for people alike. The judgement is
``dossiers``, the spec ``published``, the transaction ``registry``.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.digest import document_digest
from contracts.errors import ContractError, IntegrityError
from contracts.serving import Dossier, PublishedStrategy
from islandflow_resources import published
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedDocument
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.models import ServingSpecRow
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.published import Draft
from islandflow_resources.published_signals import prove_signal
from islandflow_resources.registry import Promoted, Promotion, Registry
from islandflow_resources.signatures import Keyring

TOP: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Decision:
    """Who promotes what to where, and why.

    Attributes
    ----------
    alias : str
    actor, reason : str
    is_override : bool
        Publish although the gate refuses.
    is_by_hand : bool
        A decision of its own each time the alias has moved; the sensor's is made once for all.
    """

    alias: str
    actor: str
    reason: str
    is_override: bool = False
    is_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a promotion did."""

    draft: Draft
    promoted: Promoted


def promote(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    keyring: Keyring,
    campaign: AnyCampaign,
    dossier: Dossier,
    judged: DerivedDocument,
    decision: Decision,
) -> Outcome:
    """Publish the winner and move the alias to it, exactly once for each decision.

    Raises
    ------
    ContractError
        ``GATE_REFUSED`` with a problem for each criterion that is not met; ``PROMOTION_NO_WINNER``;
        what ``registry`` refuses.
    IntegrityError
        ``SERVING_NOT_REPRODUCED`` if the spec does not give the numbers that were judged;
        ``SERVING_SIGNATURE_WRONG`` if what was stored may not be served.
    ConfigurationError
        ``SIGNING_KEY_…`` if it cannot be signed here.
    """
    refuse_unproven(campaign, dossier, decision)
    made = published.draft(store, database, campaign, dossier, judged.content_digest)
    prove(store, database, runtime, campaign, made)
    published.publish(store, keyring, made)
    published.read_published(store, keyring, made.serving_id)
    registry = Registry(database)
    row = ServingSpecRow(
        serving_id=made.serving_id,
        kind=made.spec.kind,
        name=made.spec.name,
        campaign_hash=campaign.spec.campaign_hash,
        candidate_key=made.spec.source.run_id if made.spec.kind == "signal" else None,
        object_key=made.key,
        engine_digest=made.spec.source.engine_digest,
        git_commit=git_commit(TOP),
        gate_key=judged.key,
    )
    promoted = registry.promote(
        Promotion(
            event_id=event_id(registry, campaign, made.serving_id, decision),
            spec=row,
            alias=decision.alias,
            action="override" if not dossier.passed else "promote",
            actor=decision.actor,
            reason=decision.reason,
            gate_key=judged.key,
        )
    )
    return Outcome(made, promoted)


def refuse_unproven(campaign: AnyCampaign, dossier: Dossier, decision: Decision) -> None:
    """Refuse what the gate refuses, unless somebody answers for it.

    Raises
    ------
    ContractError
        ``GATE_REFUSED`` with a problem for each criterion that is not met.
    """
    if dossier.passed or (decision.is_override and dossier.winner is not None):
        return
    failed = [one for one in dossier.criteria if not one.passed]
    hint = f"islandflow serving promote {campaign.key} --override --reason TEXT answers for it"
    first, *others = (
        ContractError("GATE_REFUSED", one.sentence, one.name, (hint,)).problems[0] for one in failed
    )
    raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))


def prove(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: AnyCampaign,
    made: Draft,
) -> None:
    """Run the spec again on every dataset of its evidence.

    Raises
    ------
    IntegrityError
        ``SERVING_NOT_REPRODUCED`` with the dataset and the number that differs.
    """
    if isinstance(campaign, ReadyExperiment):
        for place, difference in prove_signal(store, database, runtime, campaign, made):
            raise _not_reproduced(place, difference)
        return
    assert isinstance(made.spec, PublishedStrategy)
    expected = {(row["scenario_key"], row["seed"]): row for row in made.evidence.to_pylist()}
    refs = [
        dataset_ref(scenario, seed)
        for scenario, seed in campaign.cells
        if (scenario.partition_key, seed) in expected
    ]
    seen = 0
    for dataset in find_datasets(store, database, runtime, refs):
        spec = dataset.ref.spec
        data = BacktestData.of_dataset(dataset.table, spec, dataset.manifest.content_digest)
        row = expected[spec.partition_key, dataset.ref.seed]
        difference = published.first_difference(made.spec, data, row)
        if data.content_digest != row["dataset_digest"]:
            difference = f"the bars are {data.content_digest}, published is {row['dataset_digest']}"
        if difference is not None:
            raise _not_reproduced(f"{spec.partition_key}|{dataset.ref.seed}", difference)
        seen += 1
    if seen != len(expected):
        raise _not_reproduced(made.serving_id, f"{len(expected) - seen} datasets do not verify")


def event_id(registry: Registry, campaign: AnyCampaign, serving_id: str, decision: Decision) -> str:
    """Identity of a decision: the same however often it is carried out."""
    parts = [campaign.spec.campaign_hash, serving_id, decision.alias]
    if decision.is_by_hand:
        at = {row.alias: row.revision for row in registry.aliases()}
        parts += ["by hand", str(at.get(decision.alias, 0))]
    return document_digest([*parts])


def person() -> str:
    """Name of whoever runs this process, for the audit log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def git_commit(top: Path) -> str | None:
    """Commit that is checked out at a folder, read from the repository's own files."""
    head = top / ".git" / "HEAD"
    try:
        text = head.read_text("ascii").strip()
        if not text.startswith("ref: "):
            return text or None
        name = text.removeprefix("ref: ")
        loose = top / ".git" / name
        if loose.is_file():
            return loose.read_text("ascii").strip()
        packed = (top / ".git" / "packed-refs").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    lines = [line.split() for line in packed.splitlines() if line.endswith(f" {name}")]
    return lines[0][0] if lines else None


def _not_reproduced(place: str, difference: str) -> IntegrityError:
    return IntegrityError(
        "SERVING_NOT_REPRODUCED",
        f"the spec does not give again what was judged, on {place}: {difference}",
        place,
        ("verify the datasets with: islandflow verify --all, then resume the campaign",),
    )
