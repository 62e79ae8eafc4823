"""Verification and repair of cached backtest results: evaluated again and compared.

The dataset is trusted only verified, the strategy comes from the registry, the
settings from the result itself, whose cache key they must give again. Datasets
are ``verify``; a damaged result is remade by the policy in
``islandflow_resources.evaluations``.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.backtest import SETTINGS
from contracts.digest import checked_digest
from contracts.document import validate
from contracts.errors import IntegrityError, NotFoundError
from contracts.scenario import scenario_from
from contracts.seeds import checked_seed
from contracts.strategy import StrategySpec, strategy_from
from engine import backtest, dsl
from islandflow_resources import datasets, results
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.database import Database
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.models import RunResult
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import ResultRef


class _Inputs(NamedTuple):
    """What a recorded result was made from."""

    row: RunResult
    strategy: StrategySpec
    dataset: datasets.Dataset


def is_result(store: ObjectStore, uri: str) -> bool:
    """Whether an address lies below the cached results."""
    return store.parse_uri(uri).startswith("backtests/")


def verify_result(store: ObjectStore, database: Database, uri: str) -> str:
    """Read a cached result whole, evaluate it again, and compare.

    Returns
    -------
    str
        The digest of the result document that both have.

    Raises
    ------
    IntegrityError
        Naming the damaged object, or ``RESULT_DIVERGED``.
    NotFoundError
        If the result, its dataset or its strategy is not there.
    """
    return _verified(store, _inputs_of(store, database, uri), uri)


def repair_result(store: ObjectStore, database: Database, uri: str) -> tuple[str, ...]:
    """Put a damaged result into quarantine; a whole one is left alone.

    A cache needs no more: the next run that asks for the result makes it again.

    Returns
    -------
    tuple of str
        Keys of the quarantined objects.

    Raises
    ------
    IntegrityError
        Naming an object of the dataset, if that is what is damaged.
    NotFoundError
        As `verify_result`.
    """
    inputs = _inputs_of(store, database, uri)
    try:
        _verified(store, inputs, uri)
    except IntegrityError:
        keys = store.keys(f"{results.prefix_of(inputs.row.cache_key)}/")
        return tuple(store.quarantine(key) for key in keys)
    return ()


def _verified(store: ObjectStore, inputs: _Inputs, uri: str) -> str:
    ref = _ref_of(store, inputs, uri)
    stored = results.lookup(store, ref)
    if stored is None:
        raise NotFoundError("RESULT_NOT_STORED", f"nothing is stored at {uri}", uri)
    [outcome] = backtest.run([ref.data.bars], [results.evaluation(ref)])
    made = results.digest_of(ref, outcome)
    if made == stored.digest:
        return made
    raise IntegrityError(
        "RESULT_DIVERGED",
        f"{store.uri(ref.result_key)} holds {stored.digest}, recomputed is {made}",
        ref.result_key,
        ("the computation changed without a new version: bump the backtest domain's version",),
    )


def _ref_of(store: ObjectStore, inputs: _Inputs, uri: str) -> ResultRef:
    row, strategy, dataset = inputs
    stated = results.read_document(store, row.cache_key, strategy)
    settings = validate(SETTINGS, stated.settings, "settings")
    program = dsl.compile_strategy(strategy)
    digest = dataset.manifest.content_digest
    data = BacktestData.of_dataset(dataset.table, dataset.ref.spec, digest)
    ref = ResultRef(strategy, program, settings, data.first(stated.bars))
    if ref.cache_key == row.cache_key:
        return ref
    raise IntegrityError(
        "RESULT_DIVERGED",
        f"{uri} does not follow from its dataset, strategy and settings at this version",
        uri,
        ("verify it with the release that made it",),
    )


def _inputs_of(store: ObjectStore, database: Database, uri: str) -> _Inputs:
    cache_key = checked_digest(f"sha256:{_folder(store, uri)}")
    row = database.find_results([cache_key]).get(cache_key)
    if row is None:
        raise NotFoundError("RESULT_NOT_RECORDED", f"no result of {cache_key} is recorded", uri)
    strategy = strategy_from(database.strategy(row.strategy_hash).spec)
    spec = scenario_from({**database.scenario(row.scenario_key).spec, "seed": "0"})
    dataset = datasets.read(store, dataset_ref(spec, checked_seed(row.seed)))
    return _Inputs(row, strategy, dataset)


def _folder(store: ObjectStore, uri: str) -> str:
    parts = store.parse_uri(uri).rstrip("/").split("/")
    return parts[1] if len(parts) > 1 else ""
