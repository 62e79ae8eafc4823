"""Ground truth of injected scenarios, and what a detector should make of each.

Two documents that lie beside the hidden tables of a tape, never on it. Which bursts a tape
has at all stands in its tables, see ``contracts.tape_columns.TRUTH``; their hashes in
``contracts.tape_manifest``; words and fields are those of the predecessor.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, TypeAdapter, model_validator

from contracts.canonical import parse_document
from contracts.digest import Digest, document_digest
from contracts.document import Model, Nanoseconds, Number, Slug, TapeId, validate
from contracts.problems import broken_rule
from contracts.smart_flow import AbstentionReason, Band, Direction, FactKind, HypothesisType

MAX_LABELS: Final = 1000
MAX_BYTES: Final = 64_000_000
"""Longer documents of labels are refused unread."""

StreamName: TypeAlias = Literal["equity_quotes", "equity_prints", "option_nbbo", "option_prints"]
ScenarioFamily: TypeAlias = Literal[
    "institutional_directional_flow",
    "retail_attention_flow",
    "event_noise_flow",
    "volatility_seller_behavior",
    "hedge_reactive_flow",
    "structure_arbitrage_flow",
    "no_alert_negative",
]
PipelineEvent: TypeAlias = Literal[
    "flow_evidence_candidate",
    "flow_evidence_cluster",
    "flow_hypothesis_event",
    "smart_flow_insight",
]

Text = Annotated[str, Field(strict=True, max_length=500)]
Name = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
LabelId = Annotated[str, Field(strict=True, pattern=r"^label:[a-z0-9_:-]{1,160}$")]
OutputId = Annotated[str, Field(strict=True, pattern=r"^expected:[a-z0-9_:-]{1,160}$")]
Part = Annotated[Number, Field(ge=0, le=1)]


class EventRef(Model):
    """An event of the tape that a label is about.

    Attributes
    ----------
    role : str
        ``anchor`` is the event itself, ``supporting`` belongs to it, ``context`` stands around.
    event_kind : str
        Stream of the event.
    event_id : str
        Its trace id, see ``contracts.tape.trace_id``.
    source_ts_ns, seq : int
        Its ``ts_ns`` and ``seq``.
    """

    role: Literal["anchor", "supporting", "context"]
    event_kind: StreamName
    event_id: Annotated[str, Field(strict=True, max_length=64)]
    source_ts_ns: Nanoseconds
    seq: Nanoseconds
    description: Text

    @model_validator(mode="after")
    def _is_a_trace_id(self) -> Self:
        if self.event_id != f"{self.event_kind}:{self.seq}":
            raise broken_rule(
                f"event_id is {self.event_id}, not made of event_kind and seq",
                f'write "event_id": "{self.event_kind}:{self.seq}"',
                "event_id",
            )
        return self


class Requirement(Model):
    """What must hold, or must not, of the evidence.

    Attributes
    ----------
    fact_kind, feature_key : str
        Where the value is looked up; without a key it is any fact of the kind.
    operator : str
        ``gte`` and ``lte`` compare numbers.
    value : str, float, bool or None
        What is compared with; null for ``present`` and ``absent`` of anything.
    """

    requirement_id: Name
    fact_kind: FactKind
    feature_key: Name | None
    operator: Literal["present", "absent", "gte", "lte", "eq"]
    value: Annotated[bool, Field(strict=True)] | Number | Text | None
    rationale: Text

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.operator in ("gte", "lte") and type(self.value) not in (int, float):
            said = f"{self.operator} compares numbers"
            raise broken_rule(said, "write a number", "value")
        if self.operator == "eq" and self.value is None:
            raise broken_rule("eq compares with a value", "write one", "value")
        return self


class FalsePositivePenalty(Model):
    """What a wrong alert costs."""

    score: Part
    severity: Literal["none", "low", "medium", "high"]
    reason: Text


class GroundTruthLabel(Model):
    """What was injected, and what it is in truth."""

    label_id: LabelId
    run_id: Slug
    scenario_id: Slug
    family: ScenarioFamily
    event_refs: Annotated[tuple[EventRef, ...], Field(max_length=10_000)]
    expected_class: HypothesisType
    expected_direction: Direction
    confidence_band: Band
    required_evidence: Annotated[tuple[Requirement, ...], Field(max_length=32)]
    forbidden_evidence: Annotated[tuple[Requirement, ...], Field(max_length=32)]
    false_positive_penalty: FalsePositivePenalty
    notes: Annotated[tuple[Text, ...], Field(max_length=32)]


class GroundTruthLabels(Model):
    """Every label of a tape."""

    labels_version: Literal["synthetic-market-labels-v1"]
    run_id: Slug
    tape_id: TapeId
    labels: Annotated[tuple[GroundTruthLabel, ...], Field(max_length=MAX_LABELS)]

    @model_validator(mode="after")
    def _ids_hold(self) -> Self:
        _refuse_repeated([one.label_id for one in self.labels], "labels", "label_id")
        return self

    @property
    def labels_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())


class ConfidenceRange(Model):
    """Least and greatest confidence, both included."""

    low: Part
    high: Part

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            said = f"low = {self.low:g} is above high = {self.high:g}"
            raise broken_rule(said, "exchange the two", "low")
        return self


class ExpectedPipelineEvent(Model):
    """Whether a stage of the pipeline says something, and with which fields."""

    event_kind: PipelineEvent
    expectation: Literal["present", "absent"]
    required_fields: Annotated[tuple[Name, ...], Field(max_length=32)]
    notes: Text


class SmartFlowExpectedOutput(Model):
    """What a detector should say of one label."""

    expected_output_id: OutputId
    label_id: LabelId
    alert_expectation: Literal["alert", "no_alert", "abstain", "suppress"]
    expected_class: HypothesisType
    expected_direction: Direction
    confidence_band: Band
    confidence_range: ConfidenceRange
    expected_pipeline_events: Annotated[tuple[ExpectedPipelineEvent, ...], Field(max_length=8)]
    required_evidence: Annotated[tuple[Requirement, ...], Field(max_length=32)]
    forbidden_evidence: Annotated[tuple[Requirement, ...], Field(max_length=32)]
    abstention_reasons: Annotated[tuple[AbstentionReason, ...], Field(max_length=9)]
    false_positive_penalty: FalsePositivePenalty


class ExpectedOutputs(Model):
    """Every expected output of a tape.

    Attributes
    ----------
    source_labels_hash : str
        `GroundTruthLabels.labels_hash` of the labels that they belong to.
    """

    expected_outputs_version: Literal["synthetic-smart-flow-expected-outputs-v1"]
    run_id: Slug
    tape_id: TapeId
    source_labels_hash: Digest
    outputs: Annotated[tuple[SmartFlowExpectedOutput, ...], Field(max_length=MAX_LABELS)]

    @model_validator(mode="after")
    def _ids_hold(self) -> Self:
        ids = [one.expected_output_id for one in self.outputs]
        _refuse_repeated(ids, "outputs", "expected_output_id")
        return self

    @property
    def outputs_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())


LABELS_VERSION: Final = "synthetic-market-labels-v1"
EXPECTED_OUTPUTS_VERSION: Final = "synthetic-smart-flow-expected-outputs-v1"
GROUND_TRUTH_LABELS: Final[TypeAdapter[GroundTruthLabels]] = TypeAdapter(GroundTruthLabels)
EXPECTED_OUTPUTS: Final[TypeAdapter[ExpectedOutputs]] = TypeAdapter(ExpectedOutputs)

BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "event_id is made of event_kind and seq: option_prints:4711",
    "gte and lte have a number as value, eq has a value",
    "no label_id twice",
)
OUTPUTS_BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "gte and lte have a number as value, eq has a value",
    "confidence_range: low at most high",
    "no expected_output_id twice",
)


def load_labels(data: bytes | str) -> GroundTruthLabels:
    """Read labels from their bytes.

    Raises
    ------
    ContractError
        With every problem, its code, JSON pointer and hint.
    """
    document = parse_document(data, "ground truth labels", MAX_BYTES)
    return validate(GROUND_TRUTH_LABELS, document, "ground truth labels")


def load_expected_outputs(data: bytes | str) -> ExpectedOutputs:
    """Read expected outputs from their bytes, see `load_labels`."""
    document = parse_document(data, "expected outputs", MAX_BYTES)
    return validate(EXPECTED_OUTPUTS, document, "expected outputs")


def no_labels(run_id: str, tape_id: str) -> tuple[GroundTruthLabels, ExpectedOutputs]:
    """The documents of a tape that nothing of a catalogue was injected into."""
    labels = GroundTruthLabels(
        labels_version=LABELS_VERSION, run_id=run_id, tape_id=tape_id, labels=()
    )
    outputs = ExpectedOutputs(
        expected_outputs_version=EXPECTED_OUTPUTS_VERSION,
        run_id=run_id,
        tape_id=tape_id,
        source_labels_hash=labels.labels_hash,
        outputs=(),
    )
    return labels, outputs


def _refuse_repeated(ids: list[str], *at: str) -> None:
    listed, name = at
    for index, one in enumerate(ids):
        if one in ids[:index]:
            said, hint = f"{one} is given twice", "give it an id of its own"
            raise broken_rule(said, hint, listed, index, name)
