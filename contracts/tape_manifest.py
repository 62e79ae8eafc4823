"""The manifest of a tape: what it was made from, what it must say, and in which order.

Everything in it follows from its inputs, so the same inputs give the same bytes on any day
and machine; time, host and library versions are in ``provenance.json`` and nowhere else.
Documents are hashed with SHA-256 over their canonical JSON, bulk data with BLAKE3. Who writes
it is ``islandflow_resources.tape_folder``, who checks it ``tape_loader`` there.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, cast

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from contracts.canonical import Document, Json, canonical_json, parse_document
from contracts.digest import Digest, document_digest
from contracts.document import Count, Model, Nanoseconds, Slug, TapeId, validate
from contracts.problems import broken_rule
from contracts.tape import SeedBundle, TapeSpec, tape_recipe
from contracts.tape_columns import STREAMS, TRUTH

VERSION: Final = "market-tape-manifest-v1"
PARAMETERS_VERSION: Final = "market-tape-parameters-v1"
GENERATOR: Final = "islandflow-market-tape"
MAX_BYTES: Final = 64_000_000
"""Longer manifests and snapshots are refused unread."""
MAX_ROW_GROUPS: Final = 6_000

MANIFEST: Final = "manifest.json"
PARAMETERS: Final = "parameter_snapshot.json"
PROVENANCE: Final = "provenance.json"
LABELS: Final = "labels.json"
OUTPUTS: Final = "expected_outputs.json"
REFERENCE: Final = ("option_contracts", "event_calendar")
"""Tables beside the streams, of what everybody knows."""


def _literally_false(value: bool) -> bool:
    if not value:
        return value
    raise broken_rule("labels are never on the tape", "write false", code="VALUE_INVALID")


Never = Annotated[
    bool,
    Field(strict=True, json_schema_extra={"const": False}),
    AfterValidator(_literally_false),
]
"""False, and not 0."""


class Generator(Model):
    """What made the tape."""

    name: Literal["islandflow-market-tape"]
    version: Annotated[str, Field(strict=True, pattern=r"^[0-9A-Za-z._+-]{1,32}$")]


class StreamCounts(Model):
    """Events of each stream."""

    equity_quotes: Count
    equity_prints: Count
    option_nbbo: Count
    option_prints: Count

    @property
    def total(self) -> int:
        """Events of all streams."""
        return self.equity_quotes + self.equity_prints + self.option_nbbo + self.option_prints


class Run(Model):
    """The run that wanted the tape.

    Attributes
    ----------
    scenario_id : str or None
        Of the catalogue, if the tape is one of its scenarios.
    first_ts_ns : int or None
        Of the first event, None if there is none.
    """

    run_id: Slug
    run_name: Annotated[str, Field(strict=True, max_length=200, pattern=r"^\S(.*\S)?$")]
    scenario_id: Slug | None
    tape_id: TapeId
    first_ts_ns: Nanoseconds | None
    counts: StreamCounts


class ProfileIdentity(Model):
    """The profile that a person wrote.

    Attributes
    ----------
    profile_hash : str
        ``sha256:…`` over its canonical document.
    """

    id: Slug
    version: Literal["0.1"]
    profile_hash: Digest


class RowGroup(Model):
    """Rows of a stretch of time, and what they say."""

    rows: Count
    digest: Digest


class TableHash(Model):
    """A table: rows, what they say, and the same by row group.

    Attributes
    ----------
    digest : str
        Content digest, however the rows are grouped.
    """

    rows: Count
    digest: Digest
    row_groups: Annotated[tuple[RowGroup, ...], Field(max_length=MAX_ROW_GROUPS)]

    @model_validator(mode="after")
    def _rows_add_up(self) -> Self:
        rows = sum(group.rows for group in self.row_groups)
        if rows != self.rows:
            said = f"rows is {self.rows}, its row groups have {rows}"
            raise broken_rule(said, f'write "rows": {rows}', "rows")
        return self


class EventHashes(Model):
    """What the streams say.

    Attributes
    ----------
    row_group_starts_ns : tuple of int
        Start of the stretch of time of each row group of each stream.
    option_contracts, event_calendar : TableHash
        Reference data.
    tape : str
        Over the digests of all six tables.
    """

    row_group_starts_ns: Annotated[tuple[Nanoseconds, ...], Field(max_length=MAX_ROW_GROUPS)]
    equity_quotes: TableHash
    equity_prints: TableHash
    option_nbbo: TableHash
    option_prints: TableHash
    option_contracts: TableHash
    event_calendar: TableHash
    tape: Digest

    @model_validator(mode="after")
    def _groups_hold(self) -> Self:
        wanted = len(self.row_group_starts_ns)
        for name in STREAMS:
            found = len(self.of(name).row_groups)
            if found != wanted:
                said = f"{name} has {found} row groups, not {wanted}"
                raise broken_rule(said, "give each stream all of them", name, "row_groups")
        return self

    def of(self, table: str) -> TableHash:
        """Hashes of a stream or a table of reference data."""
        return cast(TableHash, getattr(self, table))


class ReplayPlan(Model):
    """In which order events are replayed, and how many there are.

    Attributes
    ----------
    order_by : tuple of str
        ``contracts.tape.ORDER_BY``, word for word; no two events are equal in it.
    first_ts_ns, last_ts_ns : int or None
        None if there is no event.
    """

    order_by: tuple[Literal["ts"], Literal["ingest_ts"], Literal["seq"], Literal["trace_id"]]
    event_count: Count
    counts: StreamCounts
    first_ts_ns: Nanoseconds | None
    last_ts_ns: Nanoseconds | None

    @model_validator(mode="after")
    def _counts_hold(self) -> Self:
        if self.event_count != self.counts.total:
            said = f"event_count is {self.event_count}, the streams have {self.counts.total}"
            raise broken_rule(said, f'write "event_count": {self.counts.total}', "event_count")
        for name in ("first_ts_ns", "last_ts_ns"):
            if (getattr(self, name) is None) != (self.event_count == 0):
                said = f"{name} is null if and only if there is no event"
                raise broken_rule(said, "write the time of the event", name)
        return self


class Artifact(Model):
    """A file of the tape.

    Attributes
    ----------
    path : str
        From the folder that holds ``tapes`` and ``labels``.
    digest : str
        ``blake3:…`` of its bytes.
    """

    path: Annotated[str, Field(strict=True, pattern=r"^(tapes|labels)/[0-9a-f]{16}/[a-z_.]{1,64}$")]
    digest: Digest
    size_bytes: Count


class HiddenTables(Model):
    """Hashes of the tables of ``contracts.tape_columns.TRUTH``."""

    print_labels: TableHash
    burst_labels: TableHash
    session_states: TableHash

    def of(self, table: str) -> TableHash:
        """Hashes of one of them."""
        return cast(TableHash, getattr(self, table))


class ExpectedOutputContract(Model):
    """Where the truth lies, and that none of it is on the tape.

    Attributes
    ----------
    labels_hash, smart_flow_outputs_hash : str
        ``sha256:…`` over the canonical documents.
    artifacts : tuple of Artifact
        Files of the folder of labels.
    """

    hidden_labels_embedded_in_market_events: Never
    labels_path: str
    labels_hash: Digest
    label_count: Count
    smart_flow_outputs_path: str
    smart_flow_outputs_hash: Digest
    expected_output_count: Count
    tables: HiddenTables
    artifacts: Annotated[tuple[Artifact, ...], Field(max_length=16)]


class ExpectedOutputManifest(Model):
    """What a tape is, what it was made from, and how to check every byte of it.

    Attributes
    ----------
    recipe_digest : str
        ``contracts.tape.tape_recipe`` of the spec, the root seed and the generator's version.
    parameter_snapshot_hash : str
        ``sha256:…`` over the canonical document of `ParameterSnapshot`.
    manifest_hash : str
        ``sha256:…`` over the canonical document of everything else here.
    """

    manifest_version: Literal["market-tape-manifest-v1"]
    generator: Generator
    run: Run
    seed_bundle: SeedBundle
    profile_identity: ProfileIdentity
    recipe_digest: Digest
    parameter_snapshot_hash: Digest
    event_hashes: EventHashes
    replay_plan: ReplayPlan
    artifacts: Annotated[tuple[Artifact, ...], Field(max_length=16)]
    expected_output_contract: ExpectedOutputContract
    manifest_hash: Digest

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        for name in STREAMS:
            rows = self.event_hashes.of(name).rows
            planned, ran = (getattr(one.counts, name) for one in (self.replay_plan, self.run))
            if not planned == ran == rows:
                said = f"{name} has {rows} rows, planned are {planned}, counted {ran}"
                hint = f'write "{name}": {rows}'
                raise broken_rule(said, hint, "replay_plan", "counts", name)
        if self.run.first_ts_ns != self.replay_plan.first_ts_ns:
            said = "the run and the plan begin at different times"
            raise broken_rule(said, "write the time of the first event", "run", "first_ts_ns")
        return self

    @property
    def tape_id(self) -> str:
        """Name of the tape in keys and folders."""
        return self.run.tape_id

    @property
    def is_sealed(self) -> bool:
        """Whether `manifest_hash` is that of the rest."""
        return self.manifest_hash == _seal(self.document())

    def to_bytes(self) -> bytes:
        """Canonical JSON with a final newline."""
        return canonical_json(self.document()) + b"\n"


class ParameterSnapshot(Model):
    """All that a tape depends on, written out."""

    snapshot_version: Literal["market-tape-parameters-v1"]
    generator: Generator
    seed_bundle: SeedBundle
    spec: TapeSpec

    @property
    def snapshot_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    @property
    def recipe_digest(self) -> str:
        """``sha256:…``, see ``contracts.tape.tape_recipe``."""
        return tape_recipe(self.spec, self.seed_bundle.root_seed, self.generator.version)

    def to_bytes(self) -> bytes:
        """Canonical JSON with a final newline."""
        return canonical_json(self.document()) + b"\n"


TAPE_MANIFEST: Final[TypeAdapter[ExpectedOutputManifest]] = TypeAdapter(ExpectedOutputManifest)
PARAMETER_SNAPSHOT: Final[TypeAdapter[ParameterSnapshot]] = TypeAdapter(ParameterSnapshot)

BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "rows of a table are the sum over its row groups, of which every stream has the same number",
    "counts of run and replay_plan are the rows of the streams, event_count is their sum",
    "first_ts_ns of run and replay_plan agree; times are null if and only if there is no event",
)


def tape_key(tape_id: str, name: str) -> str:
    """Key of a file of a tape, e.g. ``tapes/0123456789abcdef/manifest.json``."""
    return f"tapes/{tape_id}/{name}"


def labels_key(tape_id: str, name: str) -> str:
    """Key of a file of a tape's labels."""
    return f"labels/{tape_id}/{name}"


TAPE_FILES: Final[tuple[str, ...]] = (
    *(f"{name}.parquet" for name in (*STREAMS, *REFERENCE)),
    PARAMETERS,
)
LABEL_FILES: Final[tuple[str, ...]] = (*(f"{name}.parquet" for name in TRUTH), LABELS, OUTPUTS)
"""Artifacts of a manifest, in its order."""


def tape_digest(digests: dict[str, str]) -> str:
    """Digest of a whole tape over those of its streams and reference data."""
    return document_digest({"what": "market_tape", "tables": cast(Json, digests)})


def sealed_manifest(body: Document) -> ExpectedOutputManifest:
    """The manifest of everything but `manifest_hash`."""
    return validate(TAPE_MANIFEST, {**body, "manifest_hash": _seal(body)}, "tape manifest")


def load_manifest(data: bytes | str) -> ExpectedOutputManifest:
    """Read a manifest from its bytes; whether it is sealed is for the loader to say.

    Raises
    ------
    ContractError
        With every problem, its code, JSON pointer and hint.
    """
    document = parse_document(data, "tape manifest", MAX_BYTES)
    return validate(TAPE_MANIFEST, document, "tape manifest")


def load_snapshot(data: bytes | str) -> ParameterSnapshot:
    """Read a parameter snapshot from its bytes, see `load_manifest`."""
    document = parse_document(data, "parameter snapshot", MAX_BYTES)
    return validate(PARAMETER_SNAPSHOT, document, "parameter snapshot")


def _seal(document: Document) -> str:
    return document_digest(
        {key: value for key, value in document.items() if key != "manifest_hash"}
    )
