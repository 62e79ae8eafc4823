"""Verification of a published spec: the whole chain from the seed, link by link.

Every link is recomputed from the one before and compared with what is stored; the first that
differs is named. Datasets alone are ``verify``, cached results ``verify_results``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa

from contracts.digest import document_digest
from contracts.errors import IntegrityError, IslandflowError, NotFoundError
from contracts.scenario import ScenarioSpec
from contracts.serving import PublishedServingSpec, PublishedSignal
from engine import paths
from engine.digest import engine_digest
from engine.signals.api import VERSION as SIGNALS_VERSION
from islandflow_resources import datasets, published
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaigns import AnyCampaign, ReadyCampaign, campaign_of
from islandflow_resources.database import Database
from islandflow_resources.derived import read_document
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.recomputed_signals import recomputed
from islandflow_resources.registry import Registry
from islandflow_resources.results import VERSION
from islandflow_resources.signatures import Keyring

T = TypeVar("T")
_NAME = re.compile(r"(sha256:)?[0-9a-f]{8,64}|[a-z0-9][a-z0-9_-]{0,63}")


def is_serving(store: ObjectStore, name: str) -> bool:
    """Whether a name is an alias, a serving id, the beginning of one, or a key of ``serving/``."""
    if _NAME.fullmatch(name):
        return True
    return "/" in name and store.parse_uri(name).startswith("serving/")


def verify_serving(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    keyring: Keyring | None,
    name: str,
) -> list[str]:
    """Recompute the chain of a published spec.

    Parameters
    ----------
    keyring : Keyring or None
        Whose signatures are trusted; None for who is about to sign it.

    Returns
    -------
    list of str
        A line for each kind of link.

    Raises
    ------
    IntegrityError
        ``CHAIN_BROKEN``, naming the first link that differs.
    NotFoundError
        ``SERVING_NOT_FOUND``.
    """
    wanted = name if "/" not in name else store.parse_uri(name).split("/")[1]
    row = Registry(database).resolve(wanted)
    spec = _link("published spec", lambda: _spec(store, keyring, row.serving_id))
    campaign = _link("campaign document", lambda: _campaign(store, spec))
    evidence = _link("evidence", lambda: _evidence(store, spec))
    _link("gate report", lambda: _gate_report(store, row.gate_key, spec))
    if isinstance(spec, PublishedSignal):
        assert isinstance(campaign, ReadyExperiment)
        for place, difference in recomputed(store, database, runtime, campaign, spec, evidence):
            raise _broken(f"dataset {place}", difference)
        return _told(row.serving_id, spec, evidence)
    assert isinstance(campaign, ReadyCampaign)
    cells = {(one.partition_key, seed): (one, seed) for one, seed in campaign.cells}
    for expected in evidence.to_pylist():
        cell = (expected["scenario_key"], expected["seed"])
        place = f"{cell[0]}|{cell[1]}"
        if cell not in cells:
            raise _broken(f"dataset {place}", "the campaign has no such dataset")
        data = _link(f"dataset {place}", lambda cell=cell: _simulated(store, *cells[cell]))
        if data.content_digest != expected["dataset_digest"]:
            said = f"recomputed {data.content_digest}, evaluated {expected['dataset_digest']}"
            raise _broken(f"dataset {place}", said)
        difference = published.first_difference(spec, data, expected)
        if difference is not None:
            raise _broken(f"metrics {place}", difference)
    return _told(row.serving_id, spec, evidence)


def _told(serving_id: str, spec: PublishedServingSpec, evidence: pa.Table) -> list[str]:
    same = spec.source.engine_digest == engine_digest()
    engine = "by this engine" if same else "by an engine of other sources and equal results"
    return [
        f"verified {serving_id}",
        f"campaign {spec.source.campaign_key}, gate report and evidence are whole",
        f"{evidence.num_rows} datasets recomputed from their seeds, and all metrics on them",
        f"published {engine}",
    ]


def _spec(store: ObjectStore, keyring: Keyring | None, serving_id: str) -> PublishedServingSpec:
    if keyring is None:
        return published.read_unsigned(store, serving_id)[0]
    return published.read_published(store, keyring, serving_id)


def _campaign(store: ObjectStore, spec: PublishedServingSpec) -> AnyCampaign:
    key = f"campaigns/{spec.source.campaign_key}/campaign.json"
    document = read_document(store, key, spec.source.campaign_hash)
    campaign = campaign_of(document)
    if campaign.spec.campaign_hash != spec.source.campaign_hash:
        raise _broken("campaign document", f"it is {campaign.spec.campaign_hash}")
    return campaign


def _evidence(store: ObjectStore, spec: PublishedServingSpec) -> pa.Table:
    evidence = published.read_evidence(store, spec)
    digest = document_digest([*evidence["dataset_digest"].to_pylist()])
    if digest != spec.source.datasets_digest or evidence.num_rows != spec.source.datasets:
        raise _broken("evidence", f"its datasets are {digest}, not {spec.source.datasets_digest}")
    if isinstance(spec, PublishedSignal):
        made_by, own = spec.source.signals_version, SIGNALS_VERSION
    else:
        made_by, own = spec.source.backtest_version, VERSION
    if made_by != own:
        said = f"made by version {made_by}, this engine is {own}"
        raise _broken("engine version", said)
    return evidence


def _gate_report(store: ObjectStore, key: str | None, spec: PublishedServingSpec) -> None:
    if key is None:
        raise NotFoundError("OBJECT_NOT_FOUND", "the registry names no gate report")
    read_document(store, key, spec.source.dossier_digest)


def _simulated(store: ObjectStore, scenario: ScenarioSpec, seed: int) -> BacktestData:
    """Bars from the seed, which must be the stored ones where they are stored."""
    ref = dataset_ref(scenario, seed)
    bars = paths.simulate(ref.spec, seed)
    digest = datasets.digest_of(ref, bars)
    if store.exists(ref.manifest_key):
        stored = datasets.read(store, ref).manifest.content_digest
        if stored != digest:
            said = f"stored is {stored}, recomputed is {digest}"
            raise _broken(f"stored dataset {ref.spec.partition_key}|{seed}", said)
    return BacktestData.of_dataset(datasets.table_of(bars), ref.spec, digest)


def _link(name: str, check: Callable[[], T]) -> T:
    """Check one link; what is wrong with it is told under its name."""
    try:
        return check()
    except IntegrityError as error:
        if error.code == "CHAIN_BROKEN":
            raise
        raise _broken(name, str(error)) from error
    except IslandflowError as error:
        if error.retryable:
            raise
        raise _broken(name, str(error)) from error


def _broken(link: str, said: str) -> IntegrityError:
    return IntegrityError(
        "CHAIN_BROKEN",
        f"the first link that differs is the {link}: {said}",
        link,
        ("roll the alias back, and run the campaign again",),
    )
