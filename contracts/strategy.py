"""StrategySpec 0.1: rules over bars, with a bound on their risk.

The shape of the document and its bounds. Expressions are plain strings here;
their grammar, types and static checks live in ``engine.dsl``; when and at which
price orders are filled, in ``engine.backtest``.
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal, Self, TypeAlias, cast

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from contracts.canonical import Document, Json, parse_document
from contracts.digest import document_digest
from contracts.document import Integer, Model, Number, Slug, validate
from contracts.errors import ContractError, Problem
from contracts.problems import broken_rule, renamed
from contracts.scenario import Timeframe

MAX_RULES = 32
MAX_PARAMS = 32
MAX_EXPRESSION_CHARS = 2000

Action: TypeAlias = Literal["buy", "sell", "close", "hold"]
Name = Annotated[str, Field(strict=True, pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Order(Model):
    """How a decision is carried out: at the market, or resting at a level.

    ``offset_bps`` counts from the deciding close; positive is away from the market.
    """

    type: Literal["market", "limit", "stop"] = "market"
    offset_bps: Annotated[Number, Field(ge=-5_000, le=5_000)] = 0.0

    @model_validator(mode="after")
    def _market_has_no_level(self) -> Self:
        if self.type == "market" and self.offset_bps:
            raise broken_rule(
                "a market order has no level",
                'remove "offset_bps", or write "type": "limit"',
                "offset_bps",
            )
        return self


class Rule(Model):
    """What to do on a bar whose condition is true; the first true rule decides."""

    condition: Annotated[
        str, Field(strict=True, alias="if", min_length=1, max_length=MAX_EXPRESSION_CHARS)
    ]
    then: Action
    order: Order = Order()


class Range(Model):
    """A parameter that a search may choose between ``min`` and ``max``."""

    default: Number
    min: Number
    max: Number
    step: Annotated[Number, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise broken_rule(
                f"min {self.min:g} is above max {self.max:g}", f'write "min": {self.max:g}'
            )
        if not self.min <= self.default <= self.max:
            raise broken_rule(
                f"default {self.default:g} lies outside min … max = {self.min:g} … {self.max:g}",
                f'write "default": {min(max(self.default, self.min), self.max):g}, between the two',
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


class RiskBps(Model):
    """Size a position so that its stop loses a share of equity, in bps."""

    type: Literal["risk_bps"]
    bps: Annotated[Number, Field(gt=0, le=10_000)]


Sizing: TypeAlias = Annotated[PercentEquity | FixedQty | RiskBps, Field(discriminator="type")]
Distance = Annotated[Number, Field(gt=0, lt=10_000)]
Gain = Annotated[Number, Field(gt=0, le=1_000_000)]


class Risk(Model):
    """How large a position may be, what ends it, and whether it may be short or on margin."""

    sizing: Sizing
    stop_loss_bps: Distance | None = None
    take_profit_bps: Gain | None = None
    trailing_stop_bps: Distance | None = None
    max_holding_bars: Annotated[Integer, Field(ge=1, le=10_000_000)] | None = None
    cooldown_bars: Annotated[Integer, Field(ge=1, le=10_000_000)] | None = None
    allow_short: Annotated[bool, Field(strict=True)] = False
    max_margin: Annotated[Number, Field(ge=0)] = 0.0

    @property
    def has_exit(self) -> bool:
        """Whether a position ends by itself, without a rule."""
        exits = (
            self.stop_loss_bps,
            self.take_profit_bps,
            self.trailing_stop_bps,
            self.max_holding_bars,
        )
        return any(level is not None for level in exits)

    @property
    def stop_bps(self) -> float | None:
        """Distance of the stop that ``risk_bps`` is measured against."""
        return self.stop_loss_bps if self.stop_loss_bps is not None else self.trailing_stop_bps


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
    "rules: what opens a position is followed by a rule or an exit that ends it",
    "rules/order: offset_bps is 0 for a market order",
    "risk: sizing by risk_bps has a stop_loss_bps or a trailing_stop_bps",
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
    _refuse_unbounded(document)
    try:
        spec = validate(STRATEGY, document, "strategy")
    except ContractError as error:
        first, *others = (_as_dsl(problem, document) for problem in error.problems)
        raise ContractError(
            first.code, first.message, first.loc, first.hints, tuple(others)
        ) from None
    _refuse_endless(spec)
    return spec


def _as_dsl(problem: Problem, document: Document) -> Problem:
    *parents, key = problem.loc.split("/")[1:] or [""]
    written = _object(document, parents).get(key)
    is_static = problem.loc == _COOLDOWN and isinstance(written, int | float) and written < 1
    code, hints = "DSL_STATIC_FAIL" if is_static else "DSL_SCHEMA_INVALID", problem.hints
    if problem.code.endswith("_FIELD_UNKNOWN") and hints[0].startswith("remove"):
        hints = (renamed(key, _fields(parents) - _object(document, parents).keys()),)
    if problem.code.endswith("_FIELD_MISSING"):
        hints = (f'add "{key}": {json.dumps(_example(key, _object(document, parents)))}',)
    return Problem(code, problem.message, problem.loc, hints)


def _fields(parents: list[str]) -> set[str]:
    """Keys that the object at a path may have."""
    names = ["strategy", *(part for part in parents if not part.isdigit())]
    place = "range" if names[1:2] == ["params"] else names[-1]
    return {
        field.alias or name
        for model in _MODELS.get(place, ())
        for name, field in model.model_fields.items()
    }


def _object(document: Document, parents: list[str]) -> Document:
    node: Json = document
    for part in parents:
        if isinstance(node, list):
            items = cast("list[Json]", node)
            node = items[int(part)] if part.isdigit() and int(part) < len(items) else None
        elif isinstance(node, dict):
            node = node.get(_key(part))
    return node if isinstance(node, dict) else {}


def _key(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _example(key: str, siblings: Document) -> Json:
    """What to write for a missing field; a bound of a range like its other numbers."""
    numbers = [siblings.get(name) for name in ("default", "min", "max")]
    like = next((number for number in numbers if isinstance(number, int | float)), 20)
    return _EXAMPLES.get(key, like)


def _refuse_unbounded(document: Document) -> None:
    """A document without a risk or a sizing is refused before its shape is looked at."""
    if "risk" not in document:
        raise _static("the strategy has no risk section", "/risk", f'add "risk": {{{_SIZING}}}')
    risk = document["risk"]
    if isinstance(risk, dict) and "sizing" not in risk:
        raise _static("the strategy has no sizing", "/risk/sizing", f"add {_SIZING}")


def _refuse_endless(spec: StrategySpec) -> None:
    """What opens a position needs something that ends it."""
    risk, actions = spec.risk, {rule.then for rule in spec.rules}
    if risk.sizing.type == "risk_bps" and risk.stop_bps is None:
        message = "sizing by risk_bps has no stop to measure the risk against"
        raise _static(message, "/risk/stop_loss_bps", 'add "stop_loss_bps": 100 to "risk"')
    if risk.has_exit or "close" in actions:
        return
    hint = f'add the rule {json.dumps(_LEAVES)}, or "stop_loss_bps": 100'
    if "buy" in actions and "sell" not in actions:
        raise _static("the strategy never leaves a long position", "/rules", hint)
    if "sell" in actions and "buy" not in actions and risk.allow_short:
        raise _static("the strategy never leaves a short position", "/rules", hint)


def _static(message: str, loc: str, hint: str) -> ContractError:
    return ContractError("DSL_STATIC_FAIL", message, loc, (hint,))


_SIZING: Final = '"sizing": {"type": "percent_equity", "percent": 100}'
_COOLDOWN: Final = "/risk/cooldown_bars"
_LEAVES: Final[Document] = {"if": "close < ma(close, 20)", "then": "close"}
_EXAMPLES: Final[Document] = {
    "id": "my_strategy",
    "name": "My strategy",
    "version": "0.1",
    "timeframe": "1m",
    "rules": [{"if": "close > ma(close, 20)", "then": "buy"}, _LEAVES],
    "if": "close > ma(close, 20)",
    "then": "close",
    "type": "percent_equity",
    "percent": 100,
    "qty": 1,
    "bps": 25,
}
_MODELS: Final[dict[str, tuple[type[Model], ...]]] = {
    "strategy": (StrategySpec,),
    "rules": (Rule,),
    "order": (Order,),
    "range": (Range,),
    "risk": (Risk,),
    "sizing": (PercentEquity, FixedQty, RiskBps),
    "metadata": (Notes,),
}
