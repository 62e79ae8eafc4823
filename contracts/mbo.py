"""MboSpec 0.1: the market-by-order tape that a scenario and a seed realise.

A document embeds its scenario, so that one file and a seed name every event. The model
itself is ``engine.tapes.mbo``; in words it stands in ``docs/mbo-tape.md``. The ranges that
the statistics of a tape must keep are `PROFILES`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, TypeAdapter, model_validator

from contracts.canonical import Document, parse_document
from contracts.digest import bare, document_digest
from contracts.document import Integer, Model, Number, Slug, validate
from contracts.grid import ProductType
from contracts.problems import broken_rule
from contracts.scenario import BEYOND_SCHEMA as SCENARIO_BEYOND_SCHEMA
from contracts.scenario import SCENARIO, ScenarioSpec

DEFAULT_BARS: Final = 30
"""Bars of the tape that is made of a bare scenario, if it has so many."""
SECOND_NS: Final = 1_000_000_000


class Lots(Model):
    """Quantiles of the size of an order, in lots."""

    median: Annotated[Integer, Field(ge=1, le=100_000)] = 1
    p90: Annotated[Integer, Field(ge=1, le=100_000)] = 4
    p99: Annotated[Integer, Field(ge=1, le=100_000)] = 16

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if not self.median <= self.p90 <= self.p99:
            raise broken_rule(
                f"the quantiles {self.median}, {self.p90}, {self.p99} do not ascend",
                'write "median" ≤ "p90" ≤ "p99"',
            )
        return self


class DepthProfile(Model):
    """How many lots rest at which distance from the best price.

    Attributes
    ----------
    first_level : float
        Lots at the best price over those at the levels where depth is flat: above it,
        orders that join the best price are the impatient ones.
    rise_levels : int
        First level from which depth is flat.
    near_ticks, reach_ticks : int
        Orders behind the best price are placed 1 … `near_ticks` behind it, the deep ones
        up to `reach_ticks`.
    """

    first_level: Annotated[Number, Field(ge=0.05, le=2)] = 0.5
    rise_levels: Annotated[Integer, Field(ge=2, le=20)] = 4
    near_ticks: Annotated[Integer, Field(ge=1, le=100)] = 8
    reach_ticks: Annotated[Integer, Field(ge=10, le=1000)] = 200

    @model_validator(mode="after")
    def _nested(self) -> Self:
        if self.near_ticks >= self.reach_ticks:
            raise broken_rule(
                f"near_ticks = {self.near_ticks} must stay below reach_ticks",
                f'write "near_ticks" below {self.reach_ticks}',
                "near_ticks",
            )
        return self


class Flow(Model):
    """What the flow of orders is made of.

    Attributes
    ----------
    modifies_per_add, market_orders_per_add : float
        Groups of each kind for one add, before the chase of the path adds its own.
    join_share, near_share : float
        Share of the adds at the best price of their side, and behind it but near.
    branching : float
        Groups that one group of the flow calls forth, in the mean.
    """

    modifies_per_add: Annotated[Number, Field(ge=0, le=5)] = 0.45
    market_orders_per_add: Annotated[Number, Field(ge=0.001, le=2)] = 0.15
    join_share: Annotated[Number, Field(ge=0.01, le=0.9)] = 0.45
    near_share: Annotated[Number, Field(ge=0.01, le=0.9)] = 0.3
    branching: Annotated[Number, Field(ge=0, le=0.95)] = 0.8

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.join_share + self.near_share > 0.9:
            raise broken_rule(
                f"join_share + near_share = {self.join_share + self.near_share:g} leave "
                "nothing for the deep book",
                f'write "near_share" at most {0.9 - self.join_share:g}',
                "near_share",
            )
        return self


class MboSpec(Model):
    """A tape of market-by-order events around the path of a scenario.

    Attributes
    ----------
    scenario : ScenarioSpec
        The market; its own ``seed`` is not used.
    first_bar, bars : int
        The bars of the scenario that the tape follows.
    bar_ns : int
        Time that one bar takes on the tape; 0 means the scenario's timeframe.
    events_per_second : float
        Mean number of records in a second.
    tick_int : int
        Tick of the tape in 1e-9 of the quote currency.
    start_price_ticks : int
        Price of the path at the start of the scenario, in ticks of the tape.
    symbol, product_type : str
        The instrument that the tape is of.
    """

    id: Slug
    version: Literal["0.1"]
    scenario: ScenarioSpec
    first_bar: Annotated[Integer, Field(ge=0)] = 0
    bars: Annotated[Integer, Field(ge=1, le=1_000_000)]
    bar_ns: Annotated[Integer, Field(ge=0, le=86_400 * SECOND_NS)] = 0
    events_per_second: Annotated[Number, Field(ge=1, le=20_000)] = 500.0
    tick_int: Annotated[Integer, Field(ge=1, le=1_000_000 * SECOND_NS)] = 250_000_000
    start_price_ticks: Annotated[Integer, Field(ge=2_000, le=10_000_000)] = 86_000
    lots: Lots = Lots()
    depth: DepthProfile = DepthProfile()
    flow: Flow = Flow()
    symbol: Annotated[str, Field(strict=True, min_length=1, max_length=20)] = "MNQH6"
    product_type: ProductType = "future_mbo"

    @model_validator(mode="after")
    def _inside(self) -> Self:
        held = self.scenario.duration_bars
        if self.first_bar + self.bars > held:
            raise broken_rule(
                f"bars {self.first_bar} … {self.first_bar + self.bars - 1} are asked of a "
                f"scenario of {held}",
                f'write "bars" at most {max(held - self.first_bar, 1)}',
                "bars",
            )
        if 0 < self.bar_ns < SECOND_NS:
            raise broken_rule(
                f"bar_ns = {self.bar_ns} is less than a second",
                "write at least 1000000000, or 0 for the scenario's timeframe",
                "bar_ns",
            )
        return self

    @property
    def step_ns(self) -> int:
        """Length of one bar on the tape, nanoseconds."""
        return self.bar_ns or self.scenario.step_ns

    @property
    def start_ns(self) -> int:
        """Start of the tape, nanoseconds since 1970-01-01 UTC."""
        return self.scenario.start_ns + self.first_bar * self.step_ns

    @property
    def end_ns(self) -> int:
        """End of the tape: every event is earlier."""
        return self.start_ns + self.bars * self.step_ns

    @cached_property
    def recipe(self) -> Document:
        """Document without the seed of its scenario: what ``mbo_hash`` covers."""
        return {**self.document(), "scenario": self.scenario.market}

    @cached_property
    def mbo_hash(self) -> str:
        """``sha256:…`` over the canonical document without its scenario's seed."""
        return document_digest(self.recipe)

    @property
    def partition_key(self) -> str:
        """``{id}-{first 12 of the hash}``."""
        return f"{self.id}-{bare(self.mbo_hash)[:12]}"


class Band(NamedTuple):
    """The range that one statistic of a tape must keep."""

    name: str
    low: float
    high: float
    doc: str


INDEX_FUTURE: Final[tuple[Band, ...]] = (
    Band("adds_per_cancel", 1.0, 1.3, "records A over records C"),
    Band("modifies_per_add", 0.3, 0.9, "records M over records A"),
    Band("touched_share", 0.12, 0.40, "added orders that a fill touches"),
    Band("lifetime_median_s", 0.5, 20.0, "from the add to the end of an order"),
    Band("lifetime_p90_per_p10", 1e4, math.inf, "90 % over 10 % quantile of the lifetime"),
    Band("gap_variation", 3.0, math.inf, "deviation over mean of the time between records"),
    Band("equal_time_share", 0.10, 0.35, "records at the time of the record before"),
    Band("join_share", 0.4, 0.7, "adds at or inside the best price of their side"),
    Band("distance_p75_ticks", 3.0, 25.0, "75 % quantile of the distance of adds from it"),
    Band("tight_share", 0.7, 1.0, "time with a spread of one tick"),
    Band("size_median_lots", 0.5, 2.0, "50 % quantile of the size of adds"),
    Band("size_p90_lots", 2.0, 8.0, "90 % quantile"),
    Band("size_p99_lots", 8.0, 32.0, "99 % quantile"),
    Band("depth_first_per_fourth", 0.25, 0.9, "mean lots at the best price over the fourth"),
    Band("depth_rise", 1.02, math.inf, "mean lots, levels 3 and 4 over levels 1 and 2"),
    Band("depth_flat", 0.6, 1.6, "mean lots, levels 8 to 10 over levels 4 to 6"),
)
"""Measured on a real session of an index future, and widened."""

PROFILES: Final[Mapping[str, tuple[Band, ...]]] = {"index_future": INDEX_FUTURE}

MBO_SPEC: Final[TypeAdapter[MboSpec]] = TypeAdapter(MboSpec)

BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "first_bar + bars: at most the scenario's duration_bars",
    "bar_ns: 0, or at least a second",
    "lots: the quantiles ascend",
    "depth: near_ticks below reach_ticks",
    "flow: join_share + near_share at most 0.9",
    *(f"scenario: {rule}" for rule in SCENARIO_BEYOND_SCHEMA),
)
"""Rules of the document that its JSON Schema cannot express."""


def load_mbo_spec(data: bytes | str) -> MboSpec:
    """Read an MboSpec document, or a scenario, from its bytes.

    A document with a ``family`` is a scenario: its tape has every default, and its first
    `DEFAULT_BARS` bars. Pointers of problems lead into the document as it was given.

    Raises
    ------
    ContractError
        With every problem, its code, JSON pointer and hint.

    Examples
    --------
    >>> spec = load_mbo_spec('''{"id": "up", "version": "0.1", "timeframe": "1m",
    ...     "duration_bars": 100, "seed": 1, "family": "trend", "volume_model": "const",
    ...     "params": {"drift": 1, "sigma": 10}}''')
    >>> spec.bars, spec.scenario.id
    (30, 'up')
    """
    return mbo_spec_from(parse_document(data, "mbo spec"))


def mbo_spec_from(document: Document) -> MboSpec:
    """Validate a parsed MboSpec or scenario document, see `load_mbo_spec`."""
    if "family" in document and "scenario" not in document:
        return tape_of(validate(SCENARIO, document, "scenario"))
    return validate(MBO_SPEC, document, "mbo spec")


def tape_of(scenario: ScenarioSpec) -> MboSpec:
    """Return the tape of a scenario with every default."""
    bars = min(DEFAULT_BARS, scenario.duration_bars)
    return MboSpec(id=scenario.id, version="0.1", scenario=scenario, bars=bars)
