"""ScenarioSpec 0.1: the market that a seed realises.

One model per family; the union is discriminated by ``family``. The processes
themselves live in ``engine.paths``, one module per family with its version; the
stored table is ``columns.BARS``. All rates are per bar, `bps` = 1e-4 in log price.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Final, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, Field, TypeAdapter, WithJsonSchema, model_validator

from contracts.canonical import Document
from contracts.digest import bare, document_digest
from contracts.document import Integer, Model, Number, Seed, Slug, load, validate
from contracts.problems import broken_rule

Timeframe: TypeAlias = Literal["1m", "5m", "15m", "1h", "4h", "1d"]

TIMEFRAME_NS: Final[dict[str, int]] = {
    "1m": 60_000_000_000,
    "5m": 300_000_000_000,
    "15m": 900_000_000_000,
    "1h": 3_600_000_000_000,
    "4h": 14_400_000_000_000,
    "1d": 86_400_000_000_000,
}
MAX_BARS = 20_000_000
MAX_REGIMES = 16
ROW_SUM_TOLERANCE = 1e-9

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _instant(text: str) -> str:
    hint = 'write an instant such as "2024-01-01T00:00:00Z"'
    if not _INSTANT.fullmatch(text):
        raise broken_rule("the time has another form", hint, code="VALUE_INVALID")
    try:
        year = _moment(text).year
    except ValueError:
        message = f"{text} is not in the calendar"
        raise broken_rule(message, hint, code="VALUE_INVALID") from None
    if not 1970 <= year <= 2199:
        raise broken_rule(f"the year {year} lies outside 1970 … 2199", hint, code="VALUE_INVALID")
    return text


Instant = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_instant),
    WithJsonSchema({"type": "string", "pattern": f"^{_INSTANT.pattern}$"}),
]


class Volume(Model):
    """Parameters of the volume model.

    Attributes
    ----------
    mean_lots : float
        Lots per bar of ``const``, and median lots of ``lognormal`` at |r| = 0.
    sigma : float
        Standard deviation of the log volume.
    response : float
        Rise of the log-mean per unit of absolute return over σ.
    """

    mean_lots: Annotated[Number, Field(ge=1, le=1e9)] = 1000.0
    sigma: Annotated[Number, Field(ge=0, le=3)] = 0.5
    response: Annotated[Number, Field(ge=0, le=2)] = 0.3


class Trend(Model):
    """Geometric Brownian motion: drift in bps per bar, sigma in bps per √bar."""

    drift: Number
    sigma: Annotated[Number, Field(ge=0)]


class MeanRevert(Model):
    """Ornstein–Uhlenbeck process on returns: kappa per bar, theta and sigma in bps."""

    kappa: Annotated[Number, Field(gt=0)]
    theta: Number
    sigma: Annotated[Number, Field(gt=0)]


class LevelRevert(Model):
    """Ornstein–Uhlenbeck process on the log price around log(level)."""

    kappa: Annotated[Number, Field(gt=0)]
    sigma: Annotated[Number, Field(gt=0)]
    level: Annotated[Number, Field(ge=1e-9, le=1e15)]


class VolCluster(Model):
    """GARCH(1,1): omega in bps², mu in bps; α + β < 1."""

    omega: Annotated[Number, Field(gt=0)]
    alpha: Annotated[Number, Field(ge=0, lt=1)]
    beta: Annotated[Number, Field(ge=0, lt=1)]
    mu: Number

    @model_validator(mode="after")
    def _stationary(self) -> Self:
        if self.alpha + self.beta >= 1:
            raise broken_rule(
                f"alpha + beta = {self.alpha + self.beta:g} must stay below 1, "
                "else the variance has no stationary law",
                f'write "beta" below {1 - self.alpha:g}',
            )
        return self


class ShockMix(Model):
    """Diffusion with Bernoulli jumps between a close and the next open, in bps."""

    p_jump: Annotated[Number, Field(ge=0, le=1)]
    jump_mu: Number
    jump_sigma: Annotated[Number, Field(ge=0)]
    sigma: Annotated[Number, Field(ge=0)] = 10.0


class Regime(Trend):
    """One regime of a switching market: a trend of its own."""


class RegimeSwitch(Model):
    """Markov switching between trends; the regime per bar is a hidden label."""

    regimes: Annotated[tuple[Regime, ...], Field(min_length=2, max_length=MAX_REGIMES)]
    transition: Annotated[
        tuple[tuple[Annotated[Number, Field(ge=0, le=1)], ...], ...],
        Field(min_length=2, max_length=MAX_REGIMES),
    ]

    @model_validator(mode="after")
    def _row_stochastic(self) -> Self:
        n = len(self.regimes)
        if len(self.transition) != n or any(len(row) != n for row in self.transition):
            raise broken_rule(
                f"transition must be a {n} × {n} matrix, one row per regime",
                f"write {n} rows of {n} probabilities",
                "transition",
            )
        for index, row in enumerate(self.transition):
            if abs(sum(row) - 1.0) > ROW_SUM_TOLERANCE:
                raise broken_rule(
                    f"row {index} of transition sums to {sum(row):.12g}, not 1",
                    "divide the row by its sum",
                    "transition",
                    index,
                )
        if _closed_classes(self.transition) > 1:
            raise broken_rule(
                "the regimes fall into classes that never meet: no stationary law",
                "give one of the classes a probability above 0 to reach the other",
                "transition",
            )
        return self


def _closed_classes(transition: tuple[tuple[float, ...], ...]) -> int:
    """Count the classes of regimes that are never left; one means a unique law."""
    n = len(transition)
    reach = [{j for j in range(n) if transition[i][j] > 0} | {i} for i in range(n)]
    for _ in range(n):
        reach = [set().union(*(reach[j] for j in reach[i])) for i in range(n)]
    closed = {frozenset(r) for i, r in enumerate(reach) if all(i in reach[j] for j in r)}
    return len(closed)


class _Scenario(Model):
    """Fields that every family shares."""

    id: Slug
    version: Literal["0.1"]
    timeframe: Timeframe
    duration_bars: Annotated[Integer, Field(ge=100, le=MAX_BARS)]
    seed: Seed
    volume_model: Literal["const", "lognormal"]
    volume: Volume = Volume()
    start_price: Annotated[Number, Field(ge=1e-9, le=1e15)] = 100.0
    tick_size: Annotated[Number, Field(ge=1e-12, le=1e9)] = 0.01
    start_time: Instant = "2024-01-01T00:00:00Z"

    @property
    def start_ns(self) -> int:
        """Start of the first bar, nanoseconds since 1970-01-01 UTC."""
        return int(_moment(self.start_time).timestamp()) * 1_000_000_000

    @property
    def step_ns(self) -> int:
        """Length of a bar in nanoseconds."""
        return TIMEFRAME_NS[self.timeframe]

    @cached_property
    def market(self) -> Document:
        """Document without its seed: what ``scenario_hash`` covers."""
        return {key: value for key, value in self.document().items() if key != "seed"}

    @cached_property
    def scenario_hash(self) -> str:
        """``sha256:…`` over the canonical document without its seed."""
        return document_digest(self.market)

    @property
    def partition_key(self) -> str:
        """``{id}-{first 12 of the hash}``."""
        return f"{self.id}-{bare(self.scenario_hash)[:12]}"


class TrendScenario(_Scenario):
    """A market of family ``trend``."""

    family: Literal["trend"]
    params: Trend


class MeanRevertScenario(_Scenario):
    """A market of family ``mean_revert``."""

    family: Literal["mean_revert"]
    params: MeanRevert


class LevelRevertScenario(_Scenario):
    """A market of family ``level_revert``."""

    family: Literal["level_revert"]
    params: LevelRevert


class VolClusterScenario(_Scenario):
    """A market of family ``vol_cluster``."""

    family: Literal["vol_cluster"]
    params: VolCluster


class ShockMixScenario(_Scenario):
    """A market of family ``shock_mix``."""

    family: Literal["shock_mix"]
    params: ShockMix


class RegimeSwitchScenario(_Scenario):
    """A market of family ``regime_switch``."""

    family: Literal["regime_switch"]
    params: RegimeSwitch


ScenarioSpec: TypeAlias = Annotated[
    TrendScenario
    | MeanRevertScenario
    | LevelRevertScenario
    | VolClusterScenario
    | ShockMixScenario
    | RegimeSwitchScenario,
    Field(discriminator="family"),
]

FAMILIES: Final[tuple[str, ...]] = tuple(
    str(get_args(member.model_fields["family"].annotation)[0])
    for member in get_args(get_args(ScenarioSpec)[0])
)
"""Names of the families, in the order of the union."""

SCENARIO: Final[TypeAdapter[ScenarioSpec]] = TypeAdapter(ScenarioSpec)

BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "vol_cluster: alpha + beta < 1",
    "regime_switch: transition is square, one row per regime, rows sum to 1 within 1e-9",
    "regime_switch: one closed class of regimes, so that the stationary law is unique",
    "seed as a string: at most 2^63 - 1",
    "start_time: a real calendar instant between 1970 and 2199",
    "numbers: finite as doubles",
)
"""Rules of the document that its JSON Schema cannot express."""


def load_scenario(data: bytes | str) -> ScenarioSpec:
    """Read one scenario document from its bytes.

    Raises
    ------
    ContractError
        With every problem, its code, JSON pointer and hint.

    Examples
    --------
    >>> spec = load_scenario('''{"id": "up", "version": "0.1", "timeframe": "1m",
    ...     "duration_bars": 100, "seed": 1, "family": "trend", "volume_model": "const",
    ...     "params": {"drift": 1, "sigma": 10}}''')
    >>> spec.partition_key
    'up-832753b9ecfd'
    """
    return load(SCENARIO, data, "scenario")


def scenario_from(document: Document) -> ScenarioSpec:
    """Validate a document that is already parsed, e.g. one read from the database."""
    return validate(SCENARIO, document, "scenario")
