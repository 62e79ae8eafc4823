"""Verification and repair: recompute what is stored, and compare.

``verify`` proves an object by making it again from its scenario and seed;
``repair`` alone replaces a damaged one, keeping it in quarantine. How objects are
read and made is ``islandflow_resources``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.digest import bare
from contracts.errors import ContractError, IntegrityError, IslandflowError, Problem
from contracts.scenario import scenario_from
from contracts.seeds import parse_seed
from engine import paths
from islandflow_resources import datasets
from islandflow_resources.database import Database
from islandflow_resources.datasets import DatasetRef
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.materialise import dataset_ref, make_datasets
from islandflow_resources.models import AuditEntry
from islandflow_resources.object_store import ObjectStore

_PARTS = 6


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did: where the damaged objects are now, and the digest remade."""

    quarantined: tuple[str, ...]
    content_digest: str


def dataset_of(store: ObjectStore, database: Database, uri: str) -> DatasetRef:
    """Dataset that an object of a registered scenario belongs to.

    Raises
    ------
    ContractError
        ``URI_NOT_A_DATASET`` if the address is not below a dataset's folder.
    NotFoundError
        If its scenario is not registered.
    """
    parts = store.parse_uri(uri).rstrip("/").removeprefix("labels/").split("/")
    if len(parts) < _PARTS - 1 or parts[0] != "scenarios" or not parts[3].startswith("seed="):
        raise ContractError(
            "URI_NOT_A_DATASET",
            f"{uri!r} is not an object of a dataset",
            uri,
            ("give the URI that the UI shows, e.g. …/seed=1/v1.1/dataset.parquet",),
        )
    _, scenario_id, scenario_hash, seed, version = parts[:5]
    row = database.scenario(f"{scenario_id}-{scenario_hash[:12]}")
    spec = scenario_from({**row.spec, "seed": "0"})
    if bare(spec.scenario_hash) != scenario_hash:
        raise ContractError("URI_NOT_A_DATASET", f"no registered scenario has {uri!r}", uri)
    return DatasetRef(spec, parse_seed(seed.removeprefix("seed=")), version.removeprefix("v"))


def verify_dataset(store: ObjectStore, database: Database, ref: DatasetRef) -> str:
    """Read a dataset whole, make it again from its seed, and compare.

    Returns
    -------
    str
        The content digest that both have.

    Raises
    ------
    IntegrityError
        Naming the damaged object, or ``VERSION_OTHER`` if another version made it.
    NotFoundError
        If it is not stored.
    """
    known = database.find([ref.recipe]).get(ref.recipe)
    stored = datasets.read(store, ref, file_digest=known.file_digest if known else None)
    if paths.version(ref.spec) != ref.version:
        raise IntegrityError(
            "VERSION_OTHER",
            f"{store.uri(ref.dataset_key)} is whole, but version {ref.version} made it and "
            f"this engine is {paths.version(ref.spec)}: it cannot be recomputed",
            ref.dataset_key,
            ("verify it with the release that made it",),
        )
    made = datasets.digest_of(ref, paths.simulate(ref.spec, ref.seed))
    if made == stored.manifest.content_digest:
        return made
    raise IntegrityError(
        "DATASET_DIVERGED",
        f"{store.uri(ref.dataset_key)} holds {stored.manifest.content_digest}, "
        f"recomputed is {made}",
        ref.dataset_key,
        ("the computation changed without a new version: bump the family's version",),
    )


def verify_all(
    store: ObjectStore, database: Database, seeds: Sequence[int]
) -> Iterator[tuple[DatasetRef, Problem | None]]:
    """Verify every registered scenario × seed; yields each with its problem or None."""
    for row in database.scenarios():
        spec = scenario_from({**row.spec, "seed": "0"})
        for seed in seeds:
            ref = dataset_ref(spec, seed)
            yield ref, _problem(store, database, ref)


def repair_dataset(
    store: ObjectStore, database: Database, runtime: EngineRuntime, ref: DatasetRef
) -> Repair:
    """Put damaged objects of a dataset into quarantine and make it again.

    A whole dataset is left alone. Everything of a damaged one is set aside, because
    its parts vouch for each other.

    Raises
    ------
    IntegrityError
        If what is made again is not what was recorded.
    """
    quarantined: tuple[str, ...] = ()
    if _problem(store, database, ref) is not None:
        keys = [*store.keys(f"{ref.prefix}/"), *store.keys(f"labels/{ref.prefix}/")]
        quarantined = tuple(store.quarantine(key) for key in keys)
    [made] = make_datasets(store, database, runtime, [ref], "repair")
    if made.dataset is None:
        problem = made.problem or Problem("REPAIR_FAILED", "the dataset could not be made")
        raise IntegrityError(problem.code, problem.message, problem.loc, problem.hints)
    digest = made.dataset.manifest.content_digest
    known = database.find([ref.recipe])[ref.recipe]
    if known.content_digest != digest:
        raise IntegrityError(
            "DATASET_DIVERGED",
            f"remade {store.uri(ref.dataset_key)} as {digest}, recorded is {known.content_digest}",
            ref.dataset_key,
        )
    detail = {"quarantined": [*quarantined], "content_digest": digest}
    database.record_audit(
        AuditEntry(actor="cli", action="repair", subject=ref.prefix, detail=detail)
    )
    return Repair(quarantined, digest)


def _problem(store: ObjectStore, database: Database, ref: DatasetRef) -> Problem | None:
    try:
        verify_dataset(store, database, ref)
    except IslandflowError as error:
        if error.retryable:
            raise
        return error.problems[0]
    return None


__all__ = ["Repair", "dataset_of", "repair_dataset", "verify_all", "verify_dataset"]
