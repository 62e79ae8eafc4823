"""The manifest of a detection: which tape and policy it follows from, and what its tables say.

Everything in it follows from those, so the same tape and policy give the same bytes. Who writes
it is ``islandflow_resources.flow_folder``; the layouts are ``flow_columns``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from contracts.canonical import Document, canonical_json, parse_document
from contracts.digest import Digest, bare, document_digest
from contracts.document import Count, Model, TapeId, validate
from contracts.flow_columns import DETECTIONS
from contracts.problems import broken_rule
from contracts.smart_flow import CONTRACT_VERSION
from contracts.tape_manifest import TableHash

WHAT: Final = "detection manifest"
VERSION: Final = "smart-flow-detection-v1"
MANIFEST: Final = "detection.json"
POLICY: Final = "policy.json"
MAX_BYTES: Final = 64_000_000
"""Longer manifests are refused unread."""
FILES: Final = (*(f"{name}.parquet" for name in DETECTIONS), POLICY)
"""Every file of a detection beside its manifest."""


class DetectionFile(Model):
    """A file beside the manifest: the digest of its bytes, and how many there are."""

    name: Annotated[str, Field(strict=True, max_length=64)]
    digest: Digest
    size_bytes: Count


class DetectionManifest(Model):
    """What a detection was made from, and what it says.

    Attributes
    ----------
    tape_id, tape_digest : str
        The tape, and what its streams and reference data say.
    detector_version : str
        Of ``engine.flow``.
    policy_digest : str
        Of the scoring policy that lies beside.
    lateness_ns : int
        How long events waited for earlier ones.
    events, late, repeated : int
        Events taken, events that came too late, and copies.
    tables : dict of str to TableHash
        By the names of ``flow_columns.DETECTIONS``.
    manifest_hash : str
        Of everything else here, see `sealed_detection`.
    """

    detection_version: Literal["smart-flow-detection-v1"]
    contract_version: Literal["smart-flow.contracts.v1"]
    detection_id: TapeId
    tape_id: TapeId
    tape_digest: Digest
    detector_version: Annotated[str, Field(strict=True, pattern=r"^[0-9A-Za-z._+-]{1,32}$")]
    policy_digest: Digest
    lateness_ns: Count
    events: Count
    late: Count
    repeated: Count
    tables: dict[str, TableHash]
    files: Annotated[tuple[DetectionFile, ...], Field(max_length=len(FILES))]
    manifest_hash: Digest

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if set(self.tables) != set(DETECTIONS):
            said = f"tables are {', '.join(self.tables)[:200]}"
            raise broken_rule(said, f"they are {', '.join(DETECTIONS)}", "tables")
        if tuple(one.name for one in self.files) != FILES:
            raise broken_rule("files are not all there", f"they are {', '.join(FILES)}", "files")
        wanted = detection_id(self.recipe)
        if self.detection_id != wanted:
            said = f"detection_id is {self.detection_id}, not that of its inputs"
            raise broken_rule(said, f'write "detection_id": "{wanted}"', "detection_id")
        return self

    @property
    def recipe(self) -> Document:
        """What everything else follows from."""
        return detection_recipe(
            self.tape_digest, self.policy_digest, self.detector_version, self.lateness_ns
        )

    @property
    def content_digest(self) -> str:
        """What all tables say."""
        return document_digest({name: table.digest for name, table in sorted(self.tables.items())})

    @property
    def is_sealed(self) -> bool:
        """Whether `manifest_hash` is that of the rest."""
        return self.manifest_hash == _seal(self.document())

    def to_bytes(self) -> bytes:
        """Canonical JSON and a final line feed."""
        return canonical_json(self.document()) + b"\n"


ADAPTER: Final[TypeAdapter[DetectionManifest]] = TypeAdapter(DetectionManifest)
CONTRACT: Final = CONTRACT_VERSION


def detection_recipe(tape: str, policy: str, version: str, lateness_ns: int) -> Document:
    """What a detection follows from, as a document."""
    return {
        "detector": version,
        "lateness_ns": lateness_ns,
        "policy": policy,
        "tape": tape,
    }


def detection_id(recipe: Document) -> str:
    """Id of a detection: the first 16 digits of its recipe's digest."""
    return bare(document_digest(recipe))[:16]


def detection_key(identity: str, name: str) -> str:
    """Key of a file of a detection."""
    return f"detections/{identity}/{name}"


def sealed_detection(body: Document) -> DetectionManifest:
    """The manifest of everything but `manifest_hash`."""
    return validate(ADAPTER, {**body, "manifest_hash": _seal(body)}, WHAT)


def load_detection(data: bytes | str) -> DetectionManifest:
    """Read a manifest from its bytes; whether it is sealed is for the loader to say.

    Raises
    ------
    ContractError
        With every problem, its code, JSON pointer and hint.
    """
    return validate(ADAPTER, parse_document(data, WHAT, MAX_BYTES), WHAT)


def _seal(document: Document) -> str:
    return document_digest(
        {key: value for key, value in document.items() if key != "manifest_hash"}
    )
