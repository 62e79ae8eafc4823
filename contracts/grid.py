"""GridConfig: how events become grids, and the instrument that this is for.

``{runtime_config, projection}``; what each parameter does is in ``docs/order-book.md``,
the computation in ``engine.grid``. Which instrument an environment is locked to is a file
that ``islandflow_resources.instrument_lock`` reads.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, TypeAdapter, model_validator

from contracts.canonical import Document
from contracts.document import Integer, Model, Number, validate
from contracts.problems import broken_rule
from contracts.yaml_text import parse_text

ProductType: TypeAlias = Literal["future_mbo", "equity_mbo"]
Compat: TypeAlias = Literal["v1", "v2"]

_Positive = Annotated[Number, Field(gt=0)]
_Weight = Annotated[Number, Field(ge=0)]
_Tick = Annotated[Number, Field(gt=0, le=1e6)]
_Count = Annotated[Integer, Field(ge=1)]
_Text = Annotated[str, Field(strict=True, min_length=1, max_length=64, pattern=r"^\S(.*\S)?$")]

MAX_SLOTS: Final = 1_000_000
MAX_WINDOW_BINS: Final = 20_000
MAX_RADIUS_TICKS: Final = 2_000
DERIVED: Final = ("projection_horizons_ms", "config_version")


class Projection(Model):
    """How the score is carried forward.

    Attributes
    ----------
    projection_use_cubic : bool
        Whether the third difference counts.
    projection_cubic_scale : float
        Its factor.
    projection_damping_lambda : float
        Rate per second at which a projection fades with its horizon; 0 for none.
    """

    projection_use_cubic: Annotated[bool, Field(strict=True)]
    projection_cubic_scale: Number
    projection_damping_lambda: _Weight


class RuntimeConfig(Model):
    """Everything that determines a grid, except the events.

    Derived fields may be given; they must then be what follows from the others.
    """

    product_type: ProductType
    symbol: _Text
    symbol_root: _Text
    price_scale: _Positive
    tick_size: _Tick
    bucket_size_dollars: _Tick
    rel_tick_size: _Positive
    grid_radius_ticks: Annotated[Integer, Field(ge=1, le=MAX_RADIUS_TICKS)]
    cell_width_ms: Annotated[Integer, Field(ge=1, le=86_400_000)]
    n_absolute_ticks: Annotated[Integer, Field(ge=3, le=MAX_SLOTS)]
    flow_windows: Annotated[
        tuple[Annotated[_Count, Field(le=MAX_WINDOW_BINS)], ...], Field(min_length=1, max_length=16)
    ]
    flow_rollup_weights: Annotated[tuple[_Positive, ...], Field(min_length=1, max_length=16)]
    flow_derivative_weights: Annotated[tuple[_Positive, ...], Field(min_length=3, max_length=3)]
    flow_tanh_scale: _Positive
    flow_neutral_threshold: Annotated[Number, Field(gt=0, lt=1)]
    flow_zscore_window_bins: Annotated[Integer, Field(ge=2, le=MAX_WINDOW_BINS)]
    flow_zscore_min_periods: Annotated[Integer, Field(ge=2)]
    projection_horizons_bins: Annotated[tuple[_Count, ...], Field(min_length=1, max_length=32)]
    projection_horizons_ms: tuple[_Count, ...] | None = None
    contract_multiplier: Number
    qty_unit: _Text
    price_decimals: Annotated[Integer, Field(ge=0, le=12)]
    tau_velocity: _Positive
    tau_acceleration: _Positive
    tau_jerk: _Positive
    tau_rest_decay: _Positive
    c1_v_add: _Weight
    c2_v_rest_pos: _Weight
    c3_a_add: _Weight
    c4_v_pull: _Weight
    c5_v_fill: _Weight
    c6_v_rest_neg: _Weight
    c7_a_pull: _Weight
    state_model_center_exclusion_radius: Annotated[Integer, Field(ge=0)] = 0
    state_model_spatial_decay_power: _Weight = 0.0
    state_model_zscore_window_bins: Annotated[Integer, Field(ge=2, le=MAX_WINDOW_BINS)] = 240
    state_model_zscore_min_periods: Annotated[Integer, Field(ge=2)] = 60
    state_model_tanh_scale: _Positive = 3.0
    state_model_d1_weight: _Weight = 1.0
    state_model_d2_weight: _Weight = 0.0
    state_model_d3_weight: _Weight = 0.0
    state_model_bull_pressure_weight: _Weight = 1.0
    state_model_bull_vacuum_weight: _Weight = 1.0
    state_model_bear_pressure_weight: _Weight = 1.0
    state_model_bear_vacuum_weight: _Weight = 1.0
    state_model_mixed_weight: _Weight = 0.0
    config_version: Annotated[str, Field(strict=True)] | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        rules = (
            (
                len(self.flow_windows) == len(self.flow_rollup_weights),
                "flow_windows and flow_rollup_weights differ in length",
                "give one weight for each window",
            ),
            (
                self.flow_zscore_min_periods <= self.flow_zscore_window_bins,
                "flow_zscore_min_periods exceeds flow_zscore_window_bins",
                "ask for at most as many periods as the window holds",
            ),
            (
                self.state_model_zscore_min_periods <= self.state_model_zscore_window_bins,
                "state_model_zscore_min_periods exceeds state_model_zscore_window_bins",
                "ask for at most as many periods as the window holds",
            ),
            (
                len(set(self.projection_horizons_bins)) == len(self.projection_horizons_bins),
                "projection_horizons_bins names a horizon twice",
                "name each horizon once",
            ),
            (
                self.state_model_d1_weight + self.state_model_d2_weight + self.state_model_d3_weight
                > 0,
                "the weights d1, d2 and d3 of the state model are all 0",
                "let state_model_d1_weight be 1",
            ),
            (
                self.state_model_center_exclusion_radius < self.grid_radius_ticks,
                "state_model_center_exclusion_radius leaves no row of the window",
                "keep it below grid_radius_ticks",
            ),
            (
                self.tick_int >= 1,
                "the tick is smaller than 1e-9",
                "give the tick in units of the quote currency, e.g. 0.25",
            ),
            (
                self.projection_horizons_ms in (None, self.horizons_ms),
                f"projection_horizons_ms is not {list(self.horizons_ms)}: bins times their width",
                "leave it out: it is derived",
            ),
            (
                self.config_version in (None, self.derived_version),
                f"config_version is not {self.derived_version}, the hash of the other fields",
                "leave it out: it is derived",
            ),
        )
        for holds, message, hint in rules:
            if not holds:
                raise broken_rule(message, hint)
        return self

    @property
    def tick_int(self) -> int:
        """Tick of the lattice, 1e-9 of the quote currency."""
        tick = self.tick_size if self.product_type == "future_mbo" else self.bucket_size_dollars
        return round(tick / 1e-9)

    @property
    def cell_width_ns(self) -> int:
        """Width of a bin."""
        return int(self.cell_width_ms * 1e6)

    @property
    def horizons_ms(self) -> tuple[int, ...]:
        """Horizons of the projections in milliseconds."""
        return tuple(bins * self.cell_width_ms for bins in self.projection_horizons_bins)

    def resolved(self) -> dict[str, object]:
        """All fields with the derived ones, as a configuration file would state them."""
        fields = self.model_dump(mode="json")
        return {
            **fields,
            "projection_horizons_ms": list(self.horizons_ms),
            "config_version": self.derived_version,
        }

    @property
    def derived_version(self) -> str:
        """First 12 hex digits of SHA-256 over ``key=value`` of all fields, by key, with ``|``."""
        fields = self.model_dump(mode="json")
        fields["projection_horizons_ms"] = list(self.horizons_ms)
        del fields["config_version"]
        text = "|".join(f"{key}={fields[key]}" for key in sorted(fields))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class GridConfig(Model):
    """A configuration file: the runtime configuration and the projection.

    The four other keys are what a file may say of where it comes from; nothing depends
    on them.
    """

    runtime_config: RuntimeConfig
    projection: Projection
    run: Annotated[str, Field(strict=True)] | None = None
    dt: Annotated[str, Field(strict=True)] | None = None
    start_time: None = None
    generator: dict[str, object] | None = None

    def identity(self) -> Document:
        """What of the configuration determines a grid, with all defaults and derived fields."""
        return {
            "runtime_config": self.runtime_config.resolved(),  # type: ignore[dict-item]
            "projection": self.projection.model_dump(mode="json"),
        }


GRID_CONFIG: Final[TypeAdapter[GridConfig]] = TypeAdapter(GridConfig)

BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "flow_windows and flow_rollup_weights have the same length",
    "minimal periods do not exceed their window",
    "horizons are distinct",
    "some weight of the state model's differences is positive",
    "projection_horizons_ms and config_version, where given, follow from the other fields",
)
"""Rules of the document that its JSON Schema cannot express."""


def load_grid_config(data: bytes | str) -> GridConfig:
    """Read a configuration from its YAML or JSON.

    Raises
    ------
    ContractError
        Every problem at once, each with its pointer.
    """
    return grid_config_from(parse_text(data, "grid_config"))


def grid_config_from(document: object) -> GridConfig:
    """Validate a configuration that is already parsed."""
    return validate(GRID_CONFIG, document, "grid_config")
