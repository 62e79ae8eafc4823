"""What a campaign's winner has shown, and the spec that is served: immutable, named by content.

A ``Dossier`` is the evidence and the gate's verdict; a ``PublishedServingSpec`` holds all that
is needed to run the winner again and to get the same numbers. Who published it, when and under
which alias is in the registry, so that the same inputs give the same `serving_id`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, cast

from pydantic import Field, TypeAdapter, model_validator

from contracts.backtest import BacktestSettings
from contracts.canonical import Document
from contracts.digest import Digest, document_digest
from contracts.document import Integer, Model, Number, Slug
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


class PublishedServingSpec(Model):
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


DOSSIER: Final[TypeAdapter[Dossier]] = TypeAdapter(Dossier)
PUBLISHED: Final[TypeAdapter[PublishedServingSpec]] = TypeAdapter(PublishedServingSpec)
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "strategy: the rules of its own schema are kept, and all its parameters are numbers",
)
"""Rules of the published spec that its JSON Schema cannot express."""
