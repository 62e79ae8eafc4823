"""Detections as stored files: written streaming, read back verified, the manifest last.

A detection lies under ``detections/{id}`` of a store or of a local folder laid out like one; its
id follows from tape, policy and detector. Nothing that stands is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from contracts.canonical import Json, canonical_json
from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.flow_columns import DETECTIONS
from contracts.flow_manifest import (
    CONTRACT,
    FILES,
    MANIFEST,
    POLICY,
    VERSION,
    DetectionManifest,
    detection_id,
    detection_key,
    detection_recipe,
    load_detection,
    sealed_detection,
)
from contracts.flow_policy import ScoringPolicy, load_policy
from contracts.tape_manifest import TableHash
from engine.flow.api import VERSION as DETECTOR_VERSION
from engine.flow.api import FlowDetector
from engine.flow.rows import Detections
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.flow_tables import detection_tables, detection_texts
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.stored_files import StoredFile, digest_of, put_file
from islandflow_resources.tape_files import TableReader, TapeFile

_HINTS = ("move the detection away and detect again",)


@dataclass(frozen=True)
class StoredDetection:
    """A detection that stands.

    Attributes
    ----------
    store : ObjectStore
    manifest : DetectionManifest
    created : bool
        False if it was there.
    """

    store: ObjectStore
    manifest: DetectionManifest
    created: bool = False

    @property
    def key(self) -> str:
        """Key of its manifest."""
        return detection_key(self.manifest.detection_id, MANIFEST)

    @cached_property
    def policy(self) -> ScoringPolicy:
        """The policy that it was made under."""
        key = detection_key(self.manifest.detection_id, POLICY)
        try:
            policy = load_policy(self.store.get(key))
        except ContractError as error:
            raise _damaged(self.store, key, error.message) from error
        if policy.policy_digest != self.manifest.policy_digest:
            raise _damaged(self.store, key, "it is another policy")
        return policy

    def verify(self) -> None:
        """Compare the bytes of every file with the manifest.

        Raises
        ------
        IntegrityError
            ``DETECTION_DAMAGED``.
        """
        for one in self.manifest.files:
            key = detection_key(self.manifest.detection_id, one.name)
            try:
                found = digest_of(self.store, key)
            except NotFoundError as error:
                raise _damaged(self.store, key, "it is missing") from error
            if found != one.digest:
                said = f"its bytes have {found}, the manifest says {one.digest}"
                raise _damaged(self.store, key, said)

    def table(self, name: str) -> pa.Table:
        """A table of it, texts as codes, its rows counted.

        Raises
        ------
        IntegrityError
            ``DETECTION_DAMAGED``.
        """
        key = detection_key(self.manifest.detection_id, f"{name}.parquet")
        try:
            with self.store.open(key) as source:
                tables = list(TableReader(source, name, DETECTIONS[name]).tables())
        except (IntegrityError, NotFoundError) as error:
            raise _damaged(self.store, key, error.message) from error
        table = pa.concat_tables(tables).unify_dictionaries()
        if table.num_rows != self.manifest.tables[name].rows:
            raise _damaged(self.store, key, f"it has {table.num_rows} rows")
        return table

    def tables(self) -> dict[str, pa.Table]:
        """Every table of it by name."""
        return {name: self.table(name) for name in DETECTIONS}


def detect(
    store: ObjectStore,
    feed: TapeFeed,
    policy: ScoringPolicy,
    folder: Path,
    *,
    lateness_ns: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> StoredDetection:
    """Detect what is in a tape, or find that it has been done.

    Parameters
    ----------
    folder : Path
        Local, for what is written on the way; nothing is left in it.
    progress : callable, optional
        Takes events that are done, and all of them.

    Raises
    ------
    IntegrityError
        ``DETECTION_DAMAGED`` if one stands that is not what its manifest says,
        ``OBJECT_DIFFERS`` if another was written meanwhile.
    """
    tape = feed.manifest
    digest = tape.event_hashes.tape
    recipe = detection_recipe(digest, policy.policy_digest, DETECTOR_VERSION, lateness_ns)
    identity = detection_id(recipe)
    known = find_detection(store, identity)
    if known is not None:
        known.verify()
        return known
    folder.mkdir(parents=True, exist_ok=True)
    try:
        detector = FlowDetector(0, feed.calendar, policy, lateness_ns)
        hashes = _staged(feed, detector, folder, progress)
        (folder / POLICY).write_bytes(canonical_json(policy.document()) + b"\n")
        manifest = _manifest(
            detection_version=VERSION,
            contract_version=CONTRACT,
            detection_id=identity,
            tape_id=tape.tape_id,
            tape_digest=digest,
            detector_version=DETECTOR_VERSION,
            policy_digest=policy.policy_digest,
            lateness_ns=lateness_ns,
            events=tape.replay_plan.event_count,
            late=detector.watermark.late,
            repeated=detector.watermark.repeated,
            tables={name: one.document() for name, one in hashes.items()},
            files=[_facts(folder / name) for name in FILES],
        )
        for one in manifest.files:
            key = detection_key(identity, one.name)
            put_file(store, StoredFile(key, one.digest), folder / one.name)
    finally:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
    created = store.put_exact(detection_key(identity, MANIFEST), manifest.to_bytes())
    return StoredDetection(store, manifest, created)


def find_detection(store: ObjectStore, identity: str) -> StoredDetection | None:
    """The detection of an id if it stands, its manifest read, nothing else verified.

    Raises
    ------
    IntegrityError
        ``DETECTION_DAMAGED``.
    """
    key = detection_key(identity, MANIFEST)
    try:
        data = store.get(key)
    except NotFoundError:
        return None
    try:
        manifest = load_detection(data)
    except ContractError as error:
        raise _damaged(store, key, error.message) from error
    is_written = manifest.is_sealed and manifest.to_bytes() == data
    if not is_written or manifest.detection_id != identity:
        raise _damaged(store, key, "it is not the manifest that was written")
    return StoredDetection(store, manifest)


def _staged(
    feed: TapeFeed,
    detector: FlowDetector,
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> dict[str, TableHash]:
    done, total = 0, feed.manifest.replay_plan.event_count
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(TapeFile(folder / f"{name}.parquet", schema))
            for name, schema in DETECTIONS.items()
        }
        detector.list_contracts(feed.contracts)
        for events in feed:
            detector.list_symbols(len(feed.symbols))
            _append(files, detector.push(events), feed, detector.policy)
            done += sum(len(rows) for rows in events.values())
            if progress is not None:
                progress(done, total)
        _append(files, detector.finish(), feed, detector.policy)
    return {name: file.hashes for name, file in files.items()}


def _append(
    files: dict[str, TapeFile], found: Detections, feed: TapeFeed, policy: ScoringPolicy
) -> None:
    texts = detection_texts(feed.symbols, feed.contract_ids)
    for name, table in detection_tables(found, texts, feed.symbols, policy).items():
        files[name].append(table)


def _manifest(**body: Json) -> DetectionManifest:
    return sealed_detection(body)


def _facts(path: Path) -> Json:
    return {"name": path.name, "digest": file_digest(path), "size_bytes": path.stat().st_size}


def _damaged(store: ObjectStore, key: str, said: str) -> IntegrityError:
    message = f"{store.uri(key)} is damaged: {said}"
    return IntegrityError("DETECTION_DAMAGED", message, key, _HINTS)
