"""TapeProfile and TapeSpec 0.1: a synthetic session of equities and options.

A profile is what a person writes: every field is mandatory, the session is named by its
date, the control log is held or named. A spec is what it means: open and close, expiries
and the control that holds are written out, and with a seed it determines every byte. How one
becomes the other is ``islandflow_resources.tape_specs``; the model is
``engine.tapes.market``, in words ``docs/market-tape.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, TypeAdapter, model_validator

from contracts.canonical import Document, Json, parse_document
from contracts.control import SECOND_NS, ControlLog
from contracts.digest import bare, document_digest, recipe_digest
from contracts.document import Integer, Model, Nanoseconds, Number, Seed, Slug, validate
from contracts.errors import ContractError, Problem
from contracts.flow import SUBTYPE_NAMES
from contracts.market import (
    MAX_SYMBOLS,
    ChainProfile,
    Day,
    Flag,
    Session,
    Symbol,
    SymbolProfile,
)
from contracts.problems import broken_rule
from contracts.seeds import stream_id
from contracts.tape_columns import STREAMS
from contracts.tape_settings import FlowProfile, PriceProfile, QuoteProfile, SurfaceProfile

WHAT: Final = "market_tape"
VERSION: Final = "0.1"
MAX_INJECTIONS: Final = 1000


def _known_subtype(name: str) -> str:
    if name in SUBTYPE_NAMES:
        return name
    near = get_close_matches(name, SUBTYPE_NAMES, 1) or SUBTYPE_NAMES[:1]
    said, hint = f"{name[:40]!r} is no subtype of bursts", f'write "{near[0]}" or another subtype'
    raise broken_rule(said, hint, code="VALUE_INVALID")


SubtypeName = Annotated[
    str,
    Field(strict=True, json_schema_extra={"enum": list(SUBTYPE_NAMES)}),
    AfterValidator(_known_subtype),
]


class Injection(Model):
    """A burst, or a decoy that looks like one, that is put into the running market.

    Attributes
    ----------
    id : str
        Names its randomness, so that other injections do not change it.
    at_s : int
        Seconds after the first open.
    notional_usd : float
        Premium of the whole burst.
    """

    id: Slug
    subtype: SubtypeName
    symbol: Symbol
    at_s: Annotated[Integer, Field(ge=0, le=100_000_000)]
    notional_usd: Annotated[Number, Field(ge=100, le=1e9)]
    is_decoy: Flag


class _Market(Model):
    """What profile and spec share."""

    id: Slug
    version: Literal["0.1"]
    universe: Annotated[tuple[SymbolProfile, ...], Field(min_length=1, max_length=MAX_SYMBOLS)]
    chain: ChainProfile
    prices: PriceProfile
    surface: SurfaceProfile
    quotes: QuoteProfile
    flow: FlowProfile
    injections: Annotated[tuple[Injection, ...], Field(max_length=MAX_INJECTIONS)]

    @model_validator(mode="after")
    def _names_hold(self) -> Self:
        symbols = [one.symbol for one in self.universe]
        for index, symbol in enumerate(symbols):
            if symbol in symbols[:index]:
                said, hint = f"{symbol} is listed twice", "leave it out here"
                raise broken_rule(said, hint, "universe", index, "symbol")
        ids = [one.id for one in self.injections]
        for index, injection in enumerate(self.injections):
            if injection.symbol not in symbols:
                said = f"{injection.symbol} is not in the universe"
                hint = f"write one of {', '.join(symbols[:8])}"
                raise broken_rule(said, hint, "injections", index, "symbol")
            if injection.id in ids[:index]:
                said, hint = f"{injection.id} is given twice", "give it an id of its own"
                raise broken_rule(said, hint, "injections", index, "id")
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols in the order of the universe."""
        return tuple(one.symbol for one in self.universe)


class SessionProfile(Model):
    """Which sessions of which exchange, and which part of them the tape shows.

    Attributes
    ----------
    exchange : str
    first_date : str
        A day on which it is open.
    count : int
        Sessions in a row.
    skip_s, duration_s : int
        The tape shows `duration_s` seconds from `skip_s` after the first open on; a duration
        of 0 reaches to the last close.
    """

    exchange: Literal["XNYS"]
    first_date: Day
    count: Annotated[Integer, Field(ge=1, le=60)]
    skip_s: Annotated[Integer, Field(ge=0, le=100_000_000)]
    duration_s: Annotated[Integer, Field(ge=0, le=100_000_000)]


class NamedControl(Model):
    """The control log of this deployment, as it stands when the tape is resolved."""

    log: Literal["deployment"]


def _holds_or_names(control: Any) -> Literal["held", "named"]:
    """Which of the two is meant, so that only its problems are told."""
    is_named = isinstance(control, NamedControl) or (
        isinstance(control, dict) and "log" in control and "versions" not in control
    )
    return "named" if is_named else "held"


class TapeProfile(_Market):
    """What a tape is made from, as a person writes it; nothing has a default."""

    session: SessionProfile
    control: Annotated[
        Annotated[ControlLog, Tag("held")] | Annotated[NamedControl, Tag("named")],
        Discriminator(_holds_or_names),
    ]


class TapeSpec(_Market):
    """A tape, the seed apart, with everything written out.

    Attributes
    ----------
    sessions : tuple of Session
        In order.
    start_ns, end_ns : int
        The tape holds the events of ``start_ns ≤ ts_ns < end_ns``.
    control : ControlLog
        The part of the log that is effective before `end_ns`.
    """

    sessions: Annotated[tuple[Session, ...], Field(min_length=1, max_length=60)]
    start_ns: Nanoseconds
    end_ns: Nanoseconds
    control: ControlLog

    @model_validator(mode="after")
    def _window_inside(self) -> Self:
        first, last = self.sessions[0].open_ns, self.sessions[-1].close_ns
        if not first <= self.start_ns < self.end_ns <= last:
            raise broken_rule(
                f"the tape from {self.start_ns} to {self.end_ns} leaves its sessions, "
                f"{first} to {last}",
                "choose a start and a duration inside them",
                "start_ns",
            )
        if self.start_ns % SECOND_NS or self.end_ns % SECOND_NS:
            said = "start and end of a tape are whole seconds"
            raise broken_rule(said, "leave out the part of a second", "start_ns")
        return self

    @cached_property
    def tape_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    @property
    def partition_key(self) -> str:
        """``{id}-{first 12 of the hash}``."""
        return f"{self.id}-{bare(self.tape_hash)[:12]}"


class SeedBundle(Model):
    """A seed, and the names that tell runs of the same seed apart.

    Attributes
    ----------
    seed : int
    namespace, partition : str
        With other than the usual names the same seed is another one, see `root_seed`.
    """

    seed: Seed
    namespace: Slug
    partition: Slug

    @property
    def root_seed(self) -> int:
        """The seed that everything is drawn from: the seed itself under the usual names."""
        if (self.namespace, self.partition) == (USUAL_NAMESPACE, USUAL_PARTITION):
            return self.seed
        return stream_id(self.namespace, self.partition, str(self.seed)) >> 1


USUAL_NAMESPACE: Final = "default"
USUAL_PARTITION: Final = "market"

TAPE_PROFILE: Final[TypeAdapter[TapeProfile]] = TypeAdapter(TapeProfile)
TAPE_SPEC: Final[TypeAdapter[TapeSpec]] = TypeAdapter(TapeSpec)
SEED_BUNDLE: Final[TypeAdapter[SeedBundle]] = TypeAdapter(SeedBundle)

BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "universe: no symbol twice; strike_step_cents at most a quarter of start_price_cents",
    "injections: symbols of the universe, no id twice",
    "control: effective_ns ascends strictly and is a whole second",
)

SPEC_BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    *BEYOND_SCHEMA,
    "start_ns and end_ns: whole seconds, from the first open to the last close, in order",
)

ORDER_BY: Final = ("ts", "ingest_ts", "seq", "trace_id")
"""What the events of a tape are ordered by; no two have the same seq."""


def load_profile(data: bytes | str) -> TapeProfile:
    """Read a TapeProfile from its bytes.

    Raises
    ------
    ContractError
        With every problem, its code, JSON pointer and hint.
    """
    return profile_from(parse_document(data, "tape profile"))


def profile_from(document: Document) -> TapeProfile:
    """Validate a parsed profile, see `load_profile`.

    A field that its model would fill in with a default, as those of a control state, must
    be there all the same: a profile says all of itself.
    """
    profile = validate(TAPE_PROFILE, document, "tape profile")
    missing = list(_left_out(document, profile.model_dump(mode="json"), ""))
    if missing:
        first, *others = [_missing(at) for at in missing]
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    return profile


def _left_out(given: Json, whole: Json, at: str) -> Iterator[str]:
    """Pointers of the fields of `whole` that `given` does not have."""
    if isinstance(given, dict) and isinstance(whole, dict):
        for name, value in whole.items():
            if name in given:
                yield from _left_out(given[name], value, f"{at}/{name}")
            else:
                yield f"{at}/{name}"
    elif isinstance(given, list) and isinstance(whole, list):
        for index, (mine, theirs) in enumerate(zip(given, whole, strict=True)):
            yield from _left_out(mine, theirs, f"{at}/{index}")


def _missing(at: str) -> Problem:
    name = at.rpartition("/")[2]
    said, hint = f'the field "{name}" is missing', f'add the field "{name}"'
    return Problem("TAPE_PROFILE_FIELD_MISSING", said, at, (hint,))


def spec_from(document: Any) -> TapeSpec:
    """Validate a parsed spec."""
    return validate(TAPE_SPEC, document, "tape spec")


def tape_recipe(spec: TapeSpec, seed: int, version: str) -> str:
    """Recipe digest of a tape, ``sha256:…``."""
    return recipe_digest(WHAT, version=version, specs={"tape": spec.document()}, seed=seed)


def tape_id(recipe: str) -> str:
    """Name of a tape in keys and folders: the first sixteen digits of its recipe digest."""
    return bare(recipe)[:16]


def trace_id(stream: str, seq: int) -> str:
    """Name of an event on its tape.

    Examples
    --------
    >>> trace_id("option_prints", 4711)
    'option_prints:4711'
    """
    assert stream in STREAMS
    return f"{stream}:{seq}"
