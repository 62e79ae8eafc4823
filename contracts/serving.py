"""What a campaign's winner has shown, and the spec that is served: immutable, named by content.

A ``Dossier`` is the evidence and the gate's verdict; a ``PublishedServingSpec`` holds all that
is needed to run the winner again and to get the same numbers. Who published it, when and under
which alias is in the registry, so that the same inputs give the same `serving_id`.
"""

from __future__ import annotations

import base64
from typing import Annotated, Final, Literal, Self, TypeAlias, cast

from pydantic import Field, TypeAdapter, model_validator

from contracts.backtest import BacktestSettings
from contracts.canonical import Document
from contracts.digest import Digest, document_digest
from contracts.document import Integer, Model, Number, Seed, Slug
from contracts.experiment import EvalSettings
from contracts.pipeline import PlainConfig
from contracts.problems import broken_rule
from contracts.strategy import Range, StrategySpec

Text = Annotated[str, Field(strict=True, min_length=1, max_length=1_000)]


class Criterion(Model):
    """One demand of a gate: whether it was met, and why, in one sentence.

    ``value`` is left out where it differs from run to run (a time that was measured).
    """

    name: Slug
    passed: Annotated[bool, Field(strict=True)]
    sentence: Text
    value: Number | None = None
    bound: Number | None = None


class Winner(Model):
    """The best candidate of a campaign."""

    candidate: Annotated[Integer, Field(ge=0)]
    strategy_id: Slug
    strategy_hash: Digest
    set_id: Text
    params: dict[str, Number]
    score: Number | None


class Dossier(Model):
    """The gate's report on the winner of a campaign, kept whether it passes or not.

    ``evidence`` names the tables and documents that it rests on by their content digests.
    """

    campaign_key: Text
    campaign_hash: Digest
    winner: Winner | None
    passed: Annotated[bool, Field(strict=True)]
    criteria: tuple[Criterion, ...]
    evidence: dict[Slug, Digest]
    version: Text


class Source(Model):
    """Where a published spec comes from.

    ``datasets_digest`` is the ``sha256:…`` of the ordered list of the datasets' content digests,
    ``engine_digest`` that of the engine's sources.
    """

    campaign_id: Slug
    campaign_key: Text
    campaign_hash: Digest
    set_id: Text
    datasets: Annotated[Integer, Field(ge=1)]
    datasets_digest: Digest
    strategy_hash: Digest
    dossier_digest: Digest
    engine_digest: Text
    backtest_version: Text


class Evidence(Model):
    """The trials that the spec must reproduce: a stored table and its digest."""

    object_key: Text
    content_digest: Digest
    rows: Annotated[Integer, Field(ge=1)]


class PublishedStrategy(Model):
    """A strategy with the parameters and the settings that were evaluated.

    All parameters of ``strategy`` are numbers.
    """

    kind: Literal["strategy"]
    version: Literal["0.1"]
    name: Slug
    description: Annotated[str, Field(strict=True, max_length=500)] = ""
    strategy: StrategySpec
    settings: BacktestSettings
    evidence: Evidence
    source: Source

    @model_validator(mode="after")
    def _bound(self) -> Self:
        for name, value in self.strategy.params.items():
            if isinstance(value, Range):
                raise broken_rule(
                    f"the parameter {name} is a range, not a number",
                    f"write the number that was evaluated, e.g. {value.default:g}",
                    "strategy", "params", name,
                )  # fmt: skip
        return self

    def document(self) -> Document:
        """The whole document, defaults written out: what is served must not follow a later one."""
        return cast(Document, self.model_dump(mode="json", by_alias=True))

    @property
    def serving_id(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())


class StreamSource(Model):
    """The events that a signal is streamed from.

    Attributes
    ----------
    what : {"tape", "recorded"}
    key : str
        Partition key of the tape, or key of the recorded file.
    seed : int, optional
        Of a tape.
    events_digest : str
        Digest of the file of events.
    start_ns, end_ns : int, optional
        Start of the first bin, and from when on events do not count; as text, since
        nanoseconds exceed what a number of JSON holds.
    dataset_id : str
        The stored dataset that the stream equals, to the bit.
    """

    what: Literal["tape", "recorded"]
    key: Text
    seed: Seed | None = None
    events_digest: Digest
    start_ns: Seed | None = None
    end_ns: Seed | None = None
    dataset_id: Text


class ServedSignal(Model):
    """A signal with all its parameters, and the threshold from which it enters.

    ``version`` is that of the signal's definition.
    """

    name: Text
    version: Annotated[Integer, Field(ge=1)]
    params: dict[Slug, Number]
    threshold: Number


class SignalSource(Model):
    """Where a published signal comes from, see `Source`."""

    campaign_id: Slug
    campaign_key: Text
    campaign_hash: Digest
    set_id: Text
    run_id: Text
    datasets: Annotated[Integer, Field(ge=1)]
    datasets_digest: Digest
    serving_hash: Digest
    pipeline_hash: Digest
    dossier_digest: Digest
    engine_digest: Text
    signals_version: Text


class PublishedSignal(Model):
    """A book signal with the configuration, the parameters and the settings that were evaluated.

    ``runtime_snapshot`` is the whole configuration of its grid; ``settings`` names one
    take-profit, stop-loss, cooldown and threshold.
    """

    kind: Literal["signal"]
    version: Literal["0.1"]
    name: Slug
    description: Annotated[str, Field(strict=True, max_length=500)] = ""
    runtime_snapshot: PlainConfig
    stream: StreamSource
    signal: ServedSignal
    settings: EvalSettings
    evidence: Evidence
    source: SignalSource

    @model_validator(mode="after")
    def _single(self) -> Self:
        for name in ("tp_ticks", "sl_ticks", "cooldown_bins"):
            if len(getattr(self.settings, name)) != 1:
                hint = "write the number that was evaluated"
                raise broken_rule(f"{name} is not one number", hint, "settings", name)
        return self

    def document(self) -> Document:
        """The whole document, defaults written out: what is served must not follow a later one."""
        return cast(Document, self.model_dump(mode="json", by_alias=True))

    @property
    def serving_id(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())


PublishedServingSpec: TypeAlias = Annotated[
    PublishedStrategy | PublishedSignal, Field(discriminator="kind")
]
"""A strategy or a book signal that is served."""


class SpecSignature(Model):
    """That a key vouches for a published spec; stored beside the spec, never part of it.

    ``key_id`` is the first 16 digits of the SHA-256 of the raw public key; ``signature`` 64 bytes
    in base64.
    """

    version: Literal["0.1"]
    algorithm: Literal["ed25519"]
    serving_id: Digest
    key_id: Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{16}$")]
    signature: Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9+/]{86}==$")]

    @property
    def raw(self) -> bytes:
        """The signature's 64 bytes."""
        return base64.b64decode(self.signature)


SIGNATURE: Final[TypeAdapter[SpecSignature]] = TypeAdapter(SpecSignature)
DOSSIER: Final[TypeAdapter[Dossier]] = TypeAdapter(Dossier)
PUBLISHED: Final[TypeAdapter[PublishedServingSpec]] = TypeAdapter(PublishedServingSpec)
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "strategy: the rules of its own schema are kept, and all its parameters are numbers",
    "settings: one take-profit, stop-loss and cooldown",
    "start_ns, end_ns: at most 2^63 - 1",
)
"""Rules of the published spec that its JSON Schema cannot express."""
