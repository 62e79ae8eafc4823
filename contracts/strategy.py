"""StrategySpec 0.1: rules over bars, with a bound on their risk.

The shape of the document and its bounds. Expressions are plain strings here;
their grammar, types and static checks live in ``engine.dsl``. This version
executes market orders; resting orders and exits inside the bar are not part of
the document yet, so they are refused as unknown keys.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from contracts.canonical import Document, parse_document
from contracts.digest import document_digest
from contracts.document import Model, Number, Slug, validate
from contracts.errors import ContractError, Problem
from contracts.problems import broken_rule
from contracts.scenario import Timeframe

MAX_RULES = 32
MAX_PARAMS = 32
MAX_EXPRESSION_CHARS = 2000

Action: TypeAlias = Literal["buy", "sell", "close", "hold"]
Name = Annotated[str, Field(strict=True, pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Rule(Model):
    """What to do on a bar whose condition is true; the first true rule decides."""

    condition: Annotated[
        str, Field(strict=True, alias="if", min_length=1, max_length=MAX_EXPRESSION_CHARS)
    ]
    then: Action


class Range(Model):
    """A parameter that a search may choose between ``min`` and ``max``."""

    default: Number
    min: Number
    max: Number
    step: Annotated[Number, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min <= self.default <= self.max:
            raise broken_rule(
                f"default {self.default:g} lies outside min … max = {self.min:g} … {self.max:g}",
                "write a default between min and max",
            )
        return self


class PercentEquity(Model):
    """Size a position as a share of equity at the fill, net of the fee."""

    type: Literal["percent_equity"]
    percent: Annotated[Number, Field(gt=0, le=100)]


class FixedQty(Model):
    """Size a position as a fixed quantity."""

    type: Literal["fixed_qty"]
    qty: Annotated[Number, Field(gt=0, le=1e12)]


Sizing: TypeAlias = Annotated[PercentEquity | FixedQty, Field(discriminator="type")]


class Risk(Model):
    """How large a position may be and whether it may be short or on margin."""

    sizing: Sizing
    allow_short: Annotated[bool, Field(strict=True)] = False
    max_margin: Annotated[Number, Field(ge=0)] = 0.0


class Notes(Model):
    """Free text that changes no behaviour but is part of the document."""

    tags: Annotated[tuple[Slug, ...], Field(max_length=32)] = ()
    notes: Annotated[
        tuple[Annotated[str, Field(strict=True, max_length=500)], ...], Field(max_length=32)
    ] = ()


def _parameter_kind(value: object) -> str:
    return "range" if isinstance(value, dict | Range) else "number"


Parameter: TypeAlias = Annotated[
    Annotated[Number, Tag("number")] | Annotated[Range, Tag("range")],
    Discriminator(_parameter_kind),
]


class StrategySpec(Model):
    """A strategy as it is registered, hashed and executed."""

    id: Slug
    name: Annotated[str, Field(strict=True, min_length=1, max_length=120)]
    version: Literal["0.1"]
    timeframe: Timeframe
    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)]
    params: Annotated[dict[Name, Parameter], Field(max_length=MAX_PARAMS)] = {}  # noqa: RUF012
    risk: Risk
    metadata: Notes = Notes()

    @property
    def strategy_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    @property
    def bound_params(self) -> dict[str, float]:
        """Parameters as numbers: a range stands for its default."""
        return {
            name: value.default if isinstance(value, Range) else value
            for name, value in self.params.items()
        }


STRATEGY: Final[TypeAdapter[StrategySpec]] = TypeAdapter(StrategySpec)

BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "params: default lies between min and max",
    "rules: expressions parse, type-check and look at no later bar",
    "rules: a strategy that buys also sells or closes",
    "numbers: finite as doubles",
)
"""Rules of the document that its JSON Schema cannot express."""


def load_strategy(data: bytes | str) -> StrategySpec:
    """Read one strategy document from its bytes; expressions are not checked yet.

    Raises
    ------
    ContractError
        ``DSL_SCHEMA_INVALID`` with every problem, its JSON pointer and hint, or
        ``DSL_STATIC_FAIL`` for a document that does not bound its risk.
    """
    return strategy_from(parse_document(data, "strategy"))


def strategy_from(document: Document) -> StrategySpec:
    """Validate a document that is already parsed, see `load_strategy`."""
    if "risk" not in document:
        raise _unbounded("the strategy has no risk section", "/risk")
    try:
        spec = validate(STRATEGY, document, "strategy")
    except ContractError as error:
        first, *others = (_as_dsl(problem) for problem in error.problems)
        raise ContractError(
            first.code, first.message, first.loc, first.hints, tuple(others)
        ) from None
    if spec.rules and all(rule.then in ("buy", "hold") for rule in spec.rules):
        raise _unbounded("the strategy never leaves a position", "/rules")
    return spec


def _as_dsl(problem: Problem) -> Problem:
    return Problem("DSL_SCHEMA_INVALID", problem.message, problem.loc, problem.hints)


def _unbounded(message: str, loc: str) -> ContractError:
    hint = (
        'add "risk": {"sizing": {"type": "percent_equity", "percent": 100}} '
        'and a rule with "then": "close"'
    )
    return ContractError("DSL_STATIC_FAIL", message, loc, (hint,))
