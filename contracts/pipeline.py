"""PipelineSpec 0.1: events and a configuration that determine a grid dataset; and many of them.

A ``PipelineSpec`` names its events (a tape and seed, or a recorded file), the part of the session
that counts, and what of the grid's configuration differs from a base. A ``DatasetCampaign`` is
axes × bundles of such differences. Making datasets is ``islandflow_resources.pipelines``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Literal, Self, TypeAlias, cast
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from contracts.campaign import Named
from contracts.canonical import Document, Json
from contracts.digest import bare, document_digest
from contracts.document import Integer, Model, Number, Seed, Slug, validate
from contracts.grid import MAX_RADIUS_TICKS, MAX_SLOTS, MAX_WINDOW_BINS, GridConfig
from contracts.mbo import MboSpec
from contracts.problems import broken_rule
from contracts.yaml_text import parse_text

EXCHANGE: Final = ZoneInfo("America/New_York")
"""Where the times of a session are told."""
MAX_PIPELINES: Final = 10_000

Level: TypeAlias = Number | tuple[Number, ...]
"""What a field of a pipeline takes: a number, or a list of them."""
PipelineName = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
_Positive = Annotated[Number, Field(gt=0)]
_Weight = Annotated[Number, Field(ge=0)]
_Count = Annotated[Integer, Field(ge=1)]
_Day = Annotated[str, Field(strict=True, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
_Clock = Annotated[str, Field(strict=True, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


def form_of(value: object) -> str:
    """Whether a document is written out or named."""
    return "document" if isinstance(value, dict | Model) else "name"


def _without_origin(config: GridConfig) -> GridConfig:
    """The configuration without what its file says of where it comes from."""
    return GridConfig(runtime_config=config.runtime_config, projection=config.projection)


PlainConfig: TypeAlias = Annotated[GridConfig, AfterValidator(_without_origin)]
"""A configuration inside another document: nothing that is hashed may depend on its origin."""
AnyTape: TypeAlias = Annotated[Annotated[MboSpec, Tag("document")] | Named, Discriminator(form_of)]


class Capture(Model):
    """Which events.

    Attributes
    ----------
    tape : MboSpec or str, optional
        A tape's document, whose seed does not count, or its key or id.
    seed : int
        Of the tape.
    recorded : str, optional
        Key of a registered file. Either this or `tape`.
    dt, start_time, end_time : str, optional
        Day ``YYYY-MM-DD`` and times ``HH:MM`` of the exchange (New York), all or none: bins
        start at the first time, events from the second on do not count, earlier ones warm
        the book up.
    """

    tape: AnyTape | None = None
    seed: Seed = 0
    recorded: Annotated[str, Field(strict=True, min_length=1, max_length=128)] | None = None
    dt: _Day | None = None
    start_time: _Clock | None = None
    end_time: _Clock | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.tape is None) == (self.recorded is None):
            hint = 'give "tape" (a document or a registered key) or "recorded" (a registered key)'
            raise broken_rule("either a tape or a recorded file is needed, not both", hint)
        told = [one is not None for one in (self.dt, self.start_time, self.end_time)]
        if any(told) and not all(told):
            hint = "give all three, or none for the whole of the events"
            raise broken_rule("dt, start_time and end_time belong together", hint)
        if self.dt is not None:
            try:
                date.fromisoformat(self.dt)
            except ValueError:
                raise broken_rule(f"{self.dt} is no day", "write YYYY-MM-DD", "dt") from None
            if str(self.start_time) >= str(self.end_time):
                hint = "let the session end after it starts"
                raise broken_rule("start_time is not before end_time", hint, "end_time")
        return self

    @property
    def start_ns(self) -> int | None:
        """Start of the first bin, nanoseconds since 1970 UTC."""
        return self._instant_ns(self.start_time)

    @property
    def end_ns(self) -> int | None:
        """From when on events do not count, nanoseconds since 1970 UTC."""
        return self._instant_ns(self.end_time)

    def _instant_ns(self, clock: str | None) -> int | None:
        if self.dt is None or clock is None:
            return None
        local = datetime.combine(
            date.fromisoformat(self.dt), time.fromisoformat(clock), tzinfo=EXCHANGE
        )
        epoch = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
        return (local - epoch) // timedelta(microseconds=1) * 1_000


class Overrides(Model):
    """What of the grid's configuration differs from the base; null inherits."""

    cell_width_ms: Annotated[Integer, Field(ge=1, le=86_400_000)] | None = None
    grid_radius_ticks: Annotated[Integer, Field(ge=1, le=MAX_RADIUS_TICKS)] | None = None
    n_absolute_ticks: Annotated[Integer, Field(ge=3, le=MAX_SLOTS)] | None = None
    bucket_size_dollars: Annotated[Number, Field(gt=0, le=1e6)] | None = None
    tau_velocity: _Positive | None = None
    tau_acceleration: _Positive | None = None
    tau_jerk: _Positive | None = None
    tau_rest_decay: _Positive | None = None
    c1_v_add: _Weight | None = None
    c2_v_rest_pos: _Weight | None = None
    c3_a_add: _Weight | None = None
    c4_v_pull: _Weight | None = None
    c5_v_fill: _Weight | None = None
    c6_v_rest_neg: _Weight | None = None
    c7_a_pull: _Weight | None = None
    flow_windows: (
        Annotated[
            tuple[Annotated[_Count, Field(le=MAX_WINDOW_BINS)], ...],
            Field(min_length=1, max_length=16),
        ]
        | None
    ) = None
    flow_rollup_weights: (
        Annotated[tuple[_Positive, ...], Field(min_length=1, max_length=16)] | None
    ) = None


class PipelineSpec(Model):
    """Events and configuration of one grid dataset.

    Attributes
    ----------
    config : GridConfig, optional
        The base; by default the shipped one.
    """

    name: PipelineName
    version: Literal["0.1"]
    description: Annotated[str, Field(strict=True, max_length=2_000)] = ""
    capture: Capture
    pipeline: Overrides = Overrides()
    config: PlainConfig | None = None

    @property
    def pipeline_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    def grid_config(self, base: GridConfig) -> GridConfig:
        """The whole configuration of the dataset.

        Parameters
        ----------
        base : GridConfig
            Used where the document brings none.

        Raises
        ------
        ContractError
            ``PIPELINE_…`` where the overrides do not go together with the base.
        """
        whole = (self.config or base).identity()
        runtime = dict(cast(Document, whole["runtime_config"]))
        for name in ("projection_horizons_ms", "config_version"):
            runtime.pop(name, None)
        runtime.update(self.pipeline.document())
        document = {"runtime_config": runtime, "projection": whole["projection"]}
        return validate(_CONFIG, document, "pipeline")


class DatasetCampaign(Model):
    """Many datasets: the product of axes and bundles over one base pipeline.

    Attributes
    ----------
    base : PipelineSpec
    axes : dict
        Values for each overridden field; all combinations are made, keys in sorted order.
    bundles : tuple of Overrides
        Fields that change together; what a bundle says wins over an axis.
    """

    id: Slug
    version: Literal["0.1"]
    description: Annotated[str, Field(strict=True, max_length=2_000)] = ""
    base: PipelineSpec
    axes: dict[Slug, Annotated[tuple[Level, ...], Field(min_length=1, max_length=1_000)]] = {}  # noqa: RUF012
    bundles: Annotated[tuple[Overrides, ...], Field(max_length=1_000)] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        refuse_wrong_axes(self.axes, "axes")
        size = max(len(self.bundles), 1) * math.prod(len(one) for one in self.axes.values())
        if size > MAX_PIPELINES:
            hint = f"ask for at most {MAX_PIPELINES}: split the campaign"
            raise broken_rule(f"the campaign would make {size} datasets", hint, "axes")
        return self

    @property
    def campaign_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    def pipelines(self) -> list[PipelineSpec]:
        """The pipelines in their order; such as are equal appear once.

        Raises
        ------
        ContractError
            ``PIPELINE_…`` for a value that its field does not take.
        """
        bundles = self.bundles or (Overrides(),)
        return variants(self.base, self.axes, bundles)


def variants(
    base: PipelineSpec, axes: Mapping[str, Sequence[Level]], bundles: Sequence[Overrides]
) -> list[PipelineSpec]:
    """A pipeline for every combination of values and every bundle, see `DatasetCampaign`."""
    names = sorted(axes)
    found: dict[str, PipelineSpec] = {}
    for values in itertools.product(*(axes[name] for name in names)):
        told = {name: _json(value) for name, value in zip(names, values, strict=True)}
        for bundle in bundles:
            changed = {**base.pipeline.document(), **told, **bundle.document()}
            digest = bare(document_digest(changed))
            name = f"{base.name[:55]}_{digest[:8]}" if names or bundle.document() else base.name
            document = {**base.document(), "name": name, "pipeline": changed}
            found.setdefault(digest, validate(PIPELINE, document, "pipeline"))
    return list(found.values())


def refuse_wrong_axes(axes: Mapping[str, Sequence[Level]], *at: str) -> None:
    """Refuse axes over what a pipeline does not override, or with values it does not take.

    Parameters
    ----------
    at : str
        Where the axes stand below the document that is validated.

    Raises
    ------
    PydanticCustomError
        For the first of them, as a validator raises it.
    """
    for name, values in axes.items():
        if name not in Overrides.model_fields:
            hint = f"it overrides {', '.join(sorted(Overrides.model_fields))}"
            raise broken_rule(f"a pipeline has no field {name!r}", hint, *at, name)
        for index, value in enumerate(values):
            try:
                Overrides.model_validate({name: _json(value)})
            except ValidationError as error:
                said = str(error.errors()[0]["msg"])
                hint = "write a value that a pipeline takes for it"
                raise broken_rule(
                    f"{name} does not take {value}: {said[:1].lower()}{said[1:]}",
                    hint, *at, name, index,
                ) from None  # fmt: skip


def _json(level: Level) -> Json:
    """A level as a document holds it, whole numbers as such."""
    if isinstance(level, tuple):
        return [_json(one) for one in level]
    return int(level) if float(level).is_integer() else level


_CONFIG: Final[TypeAdapter[GridConfig]] = TypeAdapter(GridConfig)
PIPELINE: Final[TypeAdapter[PipelineSpec]] = TypeAdapter(PipelineSpec)
DATASET_CAMPAIGN: Final[TypeAdapter[DatasetCampaign]] = TypeAdapter(DatasetCampaign)
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "capture: either a tape or a recorded file; dt, start_time and end_time together, in order",
    "config, tape: the rules of their own schemas are kept",
    "pipeline: its values go together with those of the base",
)
"""Rules of a pipeline that its JSON Schema cannot express."""
CAMPAIGN_BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "base: the rules of a pipeline are kept",
    "axes: fields that a pipeline overrides, with values that it takes for them",
    f"axes, bundles: at most {MAX_PIPELINES} combinations",
)
"""Rules of a campaign of datasets that its JSON Schema cannot express."""


def load_pipeline(data: bytes | str) -> PipelineSpec:
    """Read a pipeline from its YAML or JSON.

    Raises
    ------
    ContractError
        Every problem at once, each with its pointer.
    """
    return pipeline_from(parse_text(data, "pipeline"))


def pipeline_from(document: object) -> PipelineSpec:
    """Validate a pipeline that is already parsed."""
    return validate(PIPELINE, document, "pipeline")


def load_dataset_campaign(data: bytes | str) -> DatasetCampaign:
    """Read a campaign of datasets from its YAML or JSON, see `load_pipeline`."""
    return validate(DATASET_CAMPAIGN, parse_text(data, "dataset_campaign"), "dataset_campaign")
