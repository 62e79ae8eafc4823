"""Published serving specs as stored objects: made of a winner, read only if they are whole.

Specs and evidence lie under ``serving/`` (``drafts``); those of book signals are made by
``published_signals``. Which alias serves which is the ``registry``'s; when a
winner is published, ``promotion``'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from contracts.backtest import METRICS
from contracts.columns import EVIDENCE, TRIAL_CHUNKS, TRIALS
from contracts.digest import bare, checked_digest, document_digest
from contracts.document import validate as validated
from contracts.errors import ContractError, IntegrityError
from contracts.serving import (
    PUBLISHED,
    Dossier,
    Evidence,
    PublishedServingSpec,
    PublishedStrategy,
    Source,
    Winner,
)
from contracts.strategy import StrategySpec, strategy_from
from engine import backtest
from engine.digest import engine_digest
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaign_reports import newest
from islandflow_resources.campaign_robustness import strategies_of
from islandflow_resources.campaign_tables import CHUNK_TABLE
from islandflow_resources.campaigns import AnyCampaign, ReadyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import read_canonical, read_table
from islandflow_resources.drafts import Draft, publish, read_evidence, spec_key
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.published_signals import draft_signal
from islandflow_resources.results import VERSION as BACKTEST_VERSION
from islandflow_resources.signatures import Keyring, check_signature
from islandflow_resources.strategies import compiled_at
from islandflow_resources.tables import content_digest, read_verified

__all__ = [
    "Draft",
    "bound_strategy",
    "draft",
    "first_difference",
    "publish",
    "read_evidence",
    "read_published",
    "read_unsigned",
    "spec_key",
]


def draft(
    store: ObjectStore,
    database: Database,
    campaign: AnyCampaign,
    dossier: Dossier,
    dossier_digest: str,
) -> Draft:
    """The spec of a campaign's winner, not stored yet.

    Raises
    ------
    ContractError
        ``PROMOTION_NO_WINNER``.
    """
    if isinstance(campaign, ReadyExperiment):
        return draft_signal(store, database, campaign, dossier, dossier_digest)
    winner = dossier.winner
    if winner is None:
        said = f"the campaign {campaign.key} has no winner: {dossier.criteria[0].sentence}"
        raise ContractError("PROMOTION_NO_WINNER", said, campaign.key)
    source = strategies_of(campaign)[winner.strategy_hash]
    bound = bound_strategy(source, winner.params)
    evidence = _evidence(store, database, campaign, winner)
    digest = content_digest(evidence, EVIDENCE)
    promotion = campaign.spec.promotion
    spec = PublishedStrategy(
        kind="strategy",
        version="0.1",
        name=campaign.spec.id,
        description=promotion.description if promotion else "",
        strategy=bound,
        settings=campaign.spec.settings,
        evidence=Evidence(
            object_key=f"serving/evidence/{bare(digest)}.parquet",
            content_digest=digest,
            rows=evidence.num_rows,
        ),
        source=Source(
            campaign_id=campaign.spec.id,
            campaign_key=campaign.key,
            campaign_hash=campaign.spec.campaign_hash,
            set_id=winner.set_id,
            datasets=evidence.num_rows,
            datasets_digest=document_digest([*evidence["dataset_digest"].to_pylist()]),
            strategy_hash=winner.strategy_hash,
            dossier_digest=dossier_digest,
            engine_digest=engine_digest(),
            backtest_version=BACKTEST_VERSION,
        ),
    )
    return Draft(spec, evidence)


def read_published(store: ObjectStore, keyring: Keyring, serving_id: str) -> PublishedServingSpec:
    """A published spec, refused unless it is to the byte what its id names, and signed.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND``.
    IntegrityError
        ``SERVING_TAMPERED``; ``SERVING_UNSIGNED``, ``SERVING_SIGNER_UNKNOWN``,
        ``SERVING_SIGNATURE_WRONG``.
    """
    spec, document = read_unsigned(store, serving_id)
    check_signature(store, keyring, serving_id, document)
    return spec


def read_unsigned(store: ObjectStore, serving_id: str) -> tuple[PublishedServingSpec, bytes]:
    """A published spec whoever may have signed it, for who is about to, with its canonical bytes.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND``.
    IntegrityError
        ``SERVING_TAMPERED``.
    """
    key = spec_key(checked_digest(serving_id))
    try:
        # By its bytes and not by what this release would write: a later field changes no id.
        document = read_canonical(store, key, serving_id)
        return validated(PUBLISHED, json.loads(document), "serving"), document
    except (ContractError, IntegrityError, ValueError) as error:
        raise _tampered(store, key, serving_id) from error


def first_difference(
    spec: PublishedStrategy, data: BacktestData, expected: dict[str, Any]
) -> str | None:
    """Run a spec on the bars of one row of its evidence, and compare to the bit.

    Returns
    -------
    str or None
        What differs first.
    """
    program = compiled_at(spec.strategy, spec.strategy.bound_params)
    evaluation = backtest.Evaluation(program, spec.strategy.risk, spec.settings)
    [outcome] = backtest.run([data.bars], [evaluation])
    for name, value in _numbers(outcome):
        if _bits(value) != _bits(expected[name]):
            return f"{name} is {value!r}, published is {expected[name]!r}"
    return None


def bound_strategy(spec: StrategySpec, params: dict[str, float]) -> StrategySpec:
    """A strategy with numbers in the place of its ranges."""
    return strategy_from({**spec.document(), "params": {**params}})


def _numbers(outcome: backtest.Outcome) -> Iterator[tuple[str, float | int | None]]:
    values = outcome.report.values
    yield from ((name, values[name]) for name in METRICS)
    yield "fills", outcome.fills
    yield "rejected_orders", outcome.rejected_orders
    yield "conflicts", outcome.conflicts
    yield "final_equity", outcome.final_equity
    yield "final_qty", outcome.final_qty


def _bits(value: float | int | None) -> str:
    return "null" if value is None else float(value).hex()


def _evidence(
    store: ObjectStore, database: Database, campaign: ReadyCampaign, winner: Winner
) -> pa.Table:
    """Rows of one candidate, a dataset each, from the chunks that hold them."""
    index = read_table(store, newest(database, campaign, CHUNK_TABLE), TRIAL_CHUNKS).to_pylist()
    rows: list[pa.Table] = []
    for chunk in index:
        place = winner.candidate - chunk["first_candidate"]
        if not 0 <= place < chunk["trials"]:
            continue
        table = read_verified(store, chunk["object_key"], TRIALS, chunk["content_digest"])
        if table["set_id"][place].as_py() != winner.set_id:
            break
        row = table.slice(place, 1).select(EVIDENCE.names[3:])
        for column, name in enumerate(EVIDENCE.names[:3]):
            kind = pa.int64() if name == "seed" else pa.string()
            row = row.add_column(
                column, pa.field(name, kind, nullable=False), pa.array([chunk[name]], kind)
            )
        rows.append(row.replace_schema_metadata(None))
    else:
        if rows:
            return pa.concat_tables(rows).combine_chunks()
    raise IntegrityError(
        "DOSSIER_OUTDATED",
        f"candidate {winner.candidate} of {campaign.key} is not what its dossier judged: "
        "the trials were gathered again since",
        campaign.key,
        (f"judge it again: islandflow campaign resume {campaign.key}",),
    )


def _tampered(store: ObjectStore, key: str, serving_id: str) -> IntegrityError:
    return IntegrityError(
        "SERVING_TAMPERED",
        f"cannot serve {store.uri(key)}: it is not what {serving_id} names",
        key,
        ("roll the alias back, and publish the spec again from its campaign",),
    )
