"""ServingSpec and ExperimentSpec 0.1: what is served of a book, and how its signals are tried.

``ExperimentSpec → ServingSpec → PipelineSpec``. An experiment is a campaign of book signals: its
trials, gate and promotion are those of ``contracts.campaign``. What the numbers mean is
``docs/signals.md``; what needs the engine (a signal's parameters, the columns that it reads) is
checked in ``islandflow_resources.experiments``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, TypeAlias, cast

from pydantic import Discriminator, Field, Tag, TypeAdapter, field_validator, model_validator

from contracts.campaign import Gate, Named, Promotion, Robustness, Tracking
from contracts.canonical import Document
from contracts.digest import bare, document_digest
from contracts.document import Integer, Model, Number, Slug, validate
from contracts.errors import ContractError
from contracts.grid import MAX_WINDOW_BINS, Compat, GridConfig
from contracts.pipeline import (
    Level,
    PipelineName,
    PipelineSpec,
    form_of,
    refuse_wrong_axes,
)
from contracts.problems import broken_rule
from contracts.seeds import parse_seeds
from contracts.validation import OverfittingSettings
from contracts.yaml_text import parse_text

_Positive = Annotated[Number, Field(gt=0)]
_Weight = Annotated[Number, Field(ge=0)]
_Count = Annotated[Integer, Field(ge=1)]
_Bins = Annotated[Integer, Field(ge=0, le=10_000_000)]
_Ticks = Annotated[Integer, Field(ge=1, le=1_000_000)]
_Name = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
Axis: TypeAlias = Annotated[tuple[Number, ...], Field(min_length=1, max_length=1_000)]
Params: TypeAlias = dict[Slug, Number]

DERIVATIVE: Final = "derivative"
"""The signal that the state model of a grid computes."""
SIGNAL_OBJECTIVES: Final = ("sharpe", "mean_pnl_ticks", "total_pnl_ticks", "tp_rate")


class Scoring(Model):
    """How the flow score of a grid is made of its composite."""

    zscore_window_bins: Annotated[Integer, Field(ge=2, le=MAX_WINDOW_BINS)] = 300
    zscore_min_periods: Annotated[Integer, Field(ge=2)] = 75
    derivative_weights: Annotated[tuple[_Positive, ...], Field(min_length=3, max_length=3)] = (
        0.55,
        0.30,
        0.15,
    )
    tanh_scale: _Positive = 3.0
    threshold_neutral: Annotated[Number, Field(gt=0, lt=1)] = 0.15

    def runtime_fields(self) -> Document:
        """The fields of the runtime configuration that this decides."""
        return {
            "flow_zscore_window_bins": self.zscore_window_bins,
            "flow_zscore_min_periods": self.zscore_min_periods,
            "flow_derivative_weights": list(self.derivative_weights),
            "flow_tanh_scale": self.tanh_scale,
            "flow_neutral_threshold": self.threshold_neutral,
        }


class SignalChoice(Model):
    """A signal and its parameters; what is not given has the signal's default."""

    name: _Name
    params: Params = {}  # noqa: RUF012


class ServedProjection(Model):
    """How far the score is carried forward, and how.

    ``horizons_ms`` are multiples of the width of a bin; null keeps those of the configuration.
    """

    horizons_ms: Annotated[tuple[_Count, ...], Field(min_length=1, max_length=32)] | None = None
    use_cubic: Annotated[bool, Field(strict=True)] = False
    cubic_scale: Number = 1.0 / 6.0
    damping_lambda: _Weight = 0.0


AnyPipeline: TypeAlias = Annotated[
    Annotated[PipelineSpec, Tag("document")] | Named, Discriminator(form_of)
]


class ServingSpec(Model):
    """What is served of a pipeline's events: scoring, a signal, projections.

    ``pipeline`` is a document, or the name of a registered one.
    """

    name: PipelineName
    version: Literal["0.1"]
    description: Annotated[str, Field(strict=True, max_length=2_000)] = ""
    pipeline: AnyPipeline
    scoring: Scoring = Scoring()
    signal: SignalChoice = SignalChoice(name=DERIVATIVE)
    projection: ServedProjection = ServedProjection()

    @property
    def serving_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    @model_validator(mode="after")
    def _agree(self) -> Self:
        scoring = self.scoring
        if scoring.zscore_min_periods > scoring.zscore_window_bins:
            hint = "ask for at most as many periods as the window holds"
            said = "zscore_min_periods exceeds zscore_window_bins"
            raise broken_rule(said, hint, "scoring", "zscore_min_periods")
        return self

    def grid_config(self, pipeline: PipelineSpec, base: GridConfig) -> GridConfig:
        """The whole configuration of the dataset that this is served of.

        The state model takes the parameters of the signal ``derivative``.

        Raises
        ------
        ContractError
            ``SERVING_HORIZON`` for a horizon that is no multiple of the width of a bin;
            ``SERVING_…`` where the parts do not go together.
        """
        whole = pipeline.grid_config(base).identity()
        runtime = dict(cast(Document, whole["runtime_config"]))
        for name in ("projection_horizons_ms", "config_version"):
            runtime.pop(name, None)
        runtime.update(self.scoring.runtime_fields())
        if self.signal.name == DERIVATIVE:
            runtime.update(state_model_fields(self.signal.params))
        if self.projection.horizons_ms is not None:
            width_ms = cast(int, runtime["cell_width_ms"])
            runtime["projection_horizons_bins"] = list(
                _horizons_bins(self.projection.horizons_ms, width_ms)
            )
        document = {
            "runtime_config": runtime,
            "projection": {
                "projection_use_cubic": self.projection.use_cubic,
                "projection_cubic_scale": self.projection.cubic_scale,
                "projection_damping_lambda": self.projection.damping_lambda,
            },
        }
        return validate(_CONFIG, document, "serving")


def state_model_fields(params: Params) -> Document:
    """Fields of the state model by the parameters of the signal ``derivative``."""
    whole = ("center_exclusion_radius", "zscore_window_bins", "zscore_min_periods")
    return {
        f"state_model_{name}": int(value) if name in whole else value
        for name, value in params.items()
    }


def _horizons_bins(horizons_ms: tuple[int, ...], width_ms: int) -> tuple[int, ...]:
    for index, horizon in enumerate(horizons_ms):
        if horizon % width_ms:
            nearest = max(round(horizon / width_ms), 1) * width_ms
            raise ContractError(
                "SERVING_HORIZON",
                f"a horizon of {horizon} ms is no multiple of the bins' {width_ms} ms",
                f"/projection/horizons_ms/{index}",
                (f"write {nearest}",),
            )
    return tuple(horizon // width_ms for horizon in horizons_ms)


class SignalCosts(Model):
    """What a trade costs.

    Attributes
    ----------
    spread_ticks : float, optional
        Paid once for entry and exit together; null takes half the quoted spread at either.
    fee_ticks, slippage_ticks : float
        Paid at entry and again at exit.
    """

    spread_ticks: _Weight | None = None
    fee_ticks: _Weight = 0.0
    slippage_ticks: _Weight = 0.0


class EvalSettings(Model):
    """How values of a signal become trades, see ``docs/signals.md``.

    Attributes
    ----------
    compat : {"v2", "v1"}
        ``v1`` repeats the predecessor's results; only ``v2`` can be promoted.
    thresholds : tuple of float, optional
        By default the signal's own.
    calibration_share : float
        Share of the bins of the first dataset from which adaptive thresholds are taken, and
        which is left out of all trading, on every dataset.
    capital_ticks : float
        What a return is a share of.
    """

    compat: Compat = "v2"
    tp_ticks: Annotated[tuple[_Ticks, ...], Field(min_length=1, max_length=100)] = (8,)
    sl_ticks: Annotated[tuple[_Ticks, ...], Field(min_length=1, max_length=100)] = (4,)
    max_hold_bins: Annotated[Integer, Field(ge=1, le=10_000_000)] = 1_200
    warmup_bins: _Bins = 300
    cooldown_bins: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=10_000_000)], ...],
        Field(min_length=1, max_length=100),
    ] = (20,)
    min_signals: _Count = 5
    thresholds: Annotated[tuple[_Weight, ...], Field(min_length=1, max_length=1_000)] | None = None
    calibration_share: Annotated[Number, Field(ge=0, lt=1)] = 0.2
    positions: Literal["single", "overlapping"] = "single"
    costs: SignalCosts = SignalCosts()
    capital_ticks: _Positive = 2_000.0


class Sweep(Model):
    """What is tried: every combination of the values on its axes.

    Attributes
    ----------
    scoring : dict
        Fields of the serving's scoring; each value makes a dataset of its own.
    pipeline : dict
        Fields that a pipeline overrides; likewise.
    per_signal : dict
        Parameters by signal. A signal that is named here takes part, with or without axes.
    """

    scoring: dict[
        Literal["zscore_window_bins", "zscore_min_periods", "tanh_scale", "threshold_neutral"], Axis
    ] = {}  # noqa: RUF012
    pipeline: dict[Slug, Annotated[tuple[Level, ...], Field(min_length=1, max_length=1_000)]] = {}  # noqa: RUF012
    per_signal: dict[_Name, dict[Slug, Axis]] = {}  # noqa: RUF012

    @field_validator("pipeline")
    @classmethod
    def _known(cls, axes: dict[str, tuple[Level, ...]]) -> dict[str, tuple[Level, ...]]:
        refuse_wrong_axes(axes)
        return axes


AnyServing: TypeAlias = Annotated[
    Annotated[ServingSpec, Tag("document")] | Named, Discriminator(form_of)
]


class ExperimentSpec(Model):
    """A campaign of book signals as it is registered, hashed and run.

    ``seeds`` is text such as ``1-20``: the seeds of the pipeline's tape; null takes the
    pipeline's own.
    """

    kind: Literal["experiment"]
    id: Slug
    version: Literal["0.1"]
    description: Annotated[str, Field(strict=True, max_length=2_000)] = ""
    serving: AnyServing
    seeds: Annotated[str, Field(strict=True, min_length=1, max_length=2_000)] | None = None
    settings: Annotated[EvalSettings, Field(alias="eval")] = EvalSettings()
    sweep: Sweep = Sweep()
    objective: Literal["sharpe", "mean_pnl_ticks", "total_pnl_ticks", "tp_rate"] = "sharpe"
    robustness: Robustness = Robustness(
        best=10, overfitting=OverfittingSettings(blocks=8, probes=3)
    )
    gate: Gate = Gate()
    promotion: Promotion | None = None
    tracking: Tracking = Tracking()

    @field_validator("seeds")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            seeds = parse_seeds(text)
        except ContractError as error:
            raise broken_rule(error.message, 'write "1-20" or "1,2,7"') from None
        if not seeds or len(set(seeds)) < len(seeds):
            raise broken_rule("every seed is needed once", 'write "1-20" or "1,2,7"')
        return text

    @model_validator(mode="after")
    def _promotable(self) -> Self:
        if self.promotion is not None and self.settings.compat == "v1":
            hint = 'evaluate with "compat": "v2", or leave "promotion" out'
            raise broken_rule("results of v1 cannot be promoted", hint, "promotion")
        return self

    @property
    def campaign_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    @property
    def campaign_key(self) -> str:
        """Name of the experiment as a partition: ``{id}-{first 12 of the hash}``."""
        return f"{self.id}-{bare(self.campaign_hash)[:12]}"

    @property
    def signals(self) -> dict[str, Params]:
        """Signals that take part by name, with the parameters that are fixed."""
        own = self.serving.signal if isinstance(self.serving, ServingSpec) else None
        fixed = {} if own is None else {own.name: dict(own.params)}
        names = sorted({*fixed, *self.sweep.per_signal})
        return {name: fixed.get(name, {}) for name in names}


_CONFIG: Final[TypeAdapter[GridConfig]] = TypeAdapter(GridConfig)
SERVING: Final[TypeAdapter[ServingSpec]] = TypeAdapter(ServingSpec)
EVAL: Final[TypeAdapter[EvalSettings]] = TypeAdapter(EvalSettings)
EXPERIMENT: Final[TypeAdapter[ExperimentSpec]] = TypeAdapter(ExperimentSpec)
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "seeds: a list of seeds and ranges, every seed once",
    "serving, pipeline: inline documents keep the rules of their own schemas",
    "scoring: minimal periods do not exceed their window",
    "horizons_ms: multiples of the width of a bin",
    "signal, per_signal: parameters that the signal takes, within its bounds",
    "promotion: not of results of v1",
)
"""Rules of the documents that their JSON Schema cannot express."""


def load_serving(data: bytes | str) -> ServingSpec:
    """Read a serving spec from its YAML or JSON.

    Raises
    ------
    ContractError
        Every problem at once, each with its pointer.
    """
    return validate(SERVING, parse_text(data, "serving"), "serving")


def load_experiment(data: bytes | str) -> ExperimentSpec:
    """Read an experiment from its YAML or JSON, see `load_serving`."""
    return experiment_from(parse_text(data, "experiment"))


def experiment_from(document: object) -> ExperimentSpec:
    """Validate an experiment that is already parsed."""
    return validate(EXPERIMENT, document, "experiment")
