"""Control of the synthetic market: what an operator may set, and from when on it holds.

A control log is append-only: versions with effective times. A tape depends on the
versions that are effective before its end and on nothing else of them: neither who wrote
one nor when. The log of a deployment is kept by ``islandflow_resources.control_log``; what
the settings do is ``engine.regimes`` and ``engine.tapes.market``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, TypeAlias, cast, get_args

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from contracts.canonical import Document, Json
from contracts.digest import document_digest
from contracts.document import Integer, Model, Nanoseconds, Number, Seed, validate
from contracts.errors import ContractError, Problem
from contracts.problems import broken_rule

Profile: TypeAlias = Literal[
    "institutional_directional",
    "retail_whale",
    "event_driven",
    "vol_seller",
    "arbitrage",
    "hedge_reactive",
]
Preset: TypeAlias = Literal[
    "balanced_demo", "event_day", "dealer_day", "retail_chase", "quiet_range"
]
DemoProfileId: TypeAlias = Literal["market-command", "event-response", "quiet-range", "stress-tape"]
LoadProfileId: TypeAlias = Literal["steady", "active", "firehose"]

PROFILES: Final[tuple[Profile, ...]] = get_args(Profile)
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)
NOISE: Final = "neutral_noise"
FAMILIES: Final[tuple[str, ...]] = (*PROFILES, NOISE)
"""The six profiles, and the noise that belongs to none."""

LOW, NORMAL, HIGH = 0.6, 1.0, 1.6
WEIGHTS: Final = (LOW, NORMAL, HIGH)
WINDOWS_MINUTES: Final = (10, 20, 30)
SECOND_NS: Final = 1_000_000_000
MAX_VERSIONS: Final = 1000
"""Most versions of a log: one that is written out in full stays well below a document's size."""


def _known_weight(value: float) -> float:
    if value in WEIGHTS:
        return value
    raise broken_rule(
        f"{value:g} is none of the weights {LOW:g}, {NORMAL:g}, {HIGH:g}",
        "write 0.6 (low), 1.0 (normal) or 1.6 (high)",
        code="VALUE_INVALID",
    )


Weight = Annotated[
    Number, AfterValidator(_known_weight), Field(json_schema_extra={"enum": list(WEIGHTS)})
]


def _known_window(value: int) -> int:
    if value in WINDOWS_MINUTES:
        return value
    said = f"{value} minutes is no window of coverage"
    raise broken_rule(said, "write 10, 20 or 30", code="VALUE_INVALID")


Window = Annotated[
    Integer,
    AfterValidator(_known_window),
    Field(json_schema_extra={"enum": list(WINDOWS_MINUTES)}),
]


class ProfileWeights(Model):
    """How much of the bursts is of each profile: 0.6 low, 1.0 normal, 1.6 high."""

    institutional_directional: Weight = NORMAL
    retail_whale: Weight = NORMAL
    event_driven: Weight = NORMAL
    vol_seller: Weight = NORMAL
    arbitrage: Weight = NORMAL
    hedge_reactive: Weight = NORMAL


class SyntheticControlState(Model):
    """What an operator sets.

    Attributes
    ----------
    demo_profile_id : str
        Template that was applied last; fields set after it win, see `modified`.
    load_profile_id : str
        Rates and volume of everything, see `LOAD_PROFILES`; never what a burst is.
    preset_id : str
        Which regimes are likely.
    coverage_assist : bool
        Whether profiles that were not seen for long become likelier.
    coverage_window_minutes : int
        The window that coverage looks back, one of `WINDOWS_MINUTES`.
    shared_seed : int
        Seed where a partition gives none.
    profile_weights : ProfileWeights
    """

    demo_profile_id: DemoProfileId = "market-command"
    load_profile_id: LoadProfileId = "steady"
    preset_id: Preset = "balanced_demo"
    coverage_assist: Annotated[bool, Field(strict=True)] = True
    coverage_window_minutes: Window = 20
    shared_seed: Seed = 11
    profile_weights: ProfileWeights = ProfileWeights()

    @property
    def load(self) -> LoadProfile:
        """Multipliers of the load profile."""
        return LOAD_PROFILES[self.load_profile_id]

    def fields(self) -> Document:
        """Every field by its JSON pointer, as a document writes it; weights one by one.

        Examples
        --------
        >>> SyntheticControlState().fields()["/profile_weights/arbitrage"]
        1.0
        """
        written = self.model_dump(mode="json")
        weights = cast(Document, written.pop("profile_weights"))
        plain = {f"/{name}": value for name, value in written.items()}
        return plain | {f"/profile_weights/{name}": value for name, value in weights.items()}

    def modified(self) -> tuple[str, ...]:
        """Pointers of the fields that differ from the template of the demo profile."""
        return differing(templated(self.demo_profile_id), self)

    @cached_property
    def control_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())


class LoadProfile(NamedTuple):
    """Multipliers of a load profile.

    Attributes
    ----------
    rate : int
        Of every arrival.
    volume : int
        Of the bursts and prints that one arrival brings.
    mode : str
        Name of the predecessor's generator mode.
    """

    rate: int
    volume: int
    mode: str


LOAD_PROFILES: Final[Mapping[LoadProfileId, LoadProfile]] = {
    "steady": LoadProfile(1, 1, "realistic"),
    "active": LoadProfile(2, 1, "active"),
    "firehose": LoadProfile(4, 2, "firehose"),
}

DEMO_PROFILES: Final[Mapping[DemoProfileId, Document]] = {
    "market-command": {},
    "event-response": {
        "load_profile_id": "active",
        "preset_id": "event_day",
        "shared_seed": 23,
        "profile_weights": {"event_driven": HIGH, "hedge_reactive": HIGH, "arbitrage": LOW},
    },
    "quiet-range": {
        "preset_id": "quiet_range",
        "coverage_window_minutes": 30,
        "shared_seed": 37,
        "profile_weights": {"vol_seller": HIGH, "arbitrage": HIGH, "retail_whale": LOW},
    },
    "stress-tape": {
        "load_profile_id": "firehose",
        "preset_id": "dealer_day",
        "coverage_window_minutes": 10,
        "shared_seed": 53,
    },
}
"""What each template sets; all else of it is the default."""

DEMO_SCENARIOS: Final[Mapping[DemoProfileId, tuple[str, ...]]] = {
    "market-command": (
        "institutional-directional-flow",
        "retail-attention-call-chase",
        "structure-arbitrage-calm",
        "no-alert-wide-quote-chop",
    ),
    "event-response": (
        "event-noise-positioning",
        "hedge-reactive-put-flow",
        "institutional-directional-flow",
    ),
    "quiet-range": (
        "structure-arbitrage-calm",
        "volatility-seller-supply",
        "no-alert-wide-quote-chop",
    ),
    "stress-tape": (
        "institutional-directional-flow",
        "retail-attention-call-chase",
        "event-noise-positioning",
        "volatility-seller-supply",
        "hedge-reactive-put-flow",
        "structure-arbitrage-calm",
        "no-alert-wide-quote-chop",
    ),
}
"""Catalogue scenarios of each template, in order."""


class ControlVersion(Model):
    """A control state, and when it takes effect.

    Attributes
    ----------
    effective_ns : int
        A whole second; the tape follows `control` from then on.
    control : SyntheticControlState
    """

    effective_ns: Nanoseconds
    control: SyntheticControlState

    @model_validator(mode="after")
    def _whole_second(self) -> Self:
        if self.effective_ns % SECOND_NS:
            raise broken_rule(
                f"effective_ns = {self.effective_ns} is not a whole second",
                f"write {self.effective_ns // SECOND_NS * SECOND_NS}",
                "effective_ns",
            )
        return self


class ControlLog(Model):
    """Versions in the order of their effective times; the first holds from ever on."""

    versions: Annotated[tuple[ControlVersion, ...], Field(min_length=1, max_length=MAX_VERSIONS)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        times = [version.effective_ns for version in self.versions]
        for index, (earlier, later) in enumerate(pairwise(times), start=1):
            if later <= earlier:
                raise broken_rule(
                    f"version {index} takes effect at {later}, not after {earlier}",
                    f"write a whole second after {earlier}",
                    "versions",
                    index,
                    "effective_ns",
                )
        return self

    def at(self, ns: int) -> SyntheticControlState:
        """The state in force at a time; before the first version, that one."""
        held = self.versions[0].control
        for version in self.versions:
            if version.effective_ns <= ns:
                held = version.control
        return held

    def until(self, end_ns: int) -> ControlLog:
        """The part that a tape up to `end_ns` (excluded) depends on, without idle versions.

        A version equal to the one before it is left out: saving the same again changes
        nothing.
        """
        kept: list[ControlVersion] = []
        for version in self.versions:
            is_idle = bool(kept) and kept[-1].control == version.control
            if not kept or (version.effective_ns < end_ns and not is_idle):
                kept.append(version)
        return ControlLog(versions=tuple(kept))

    @cached_property
    def control_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())


GENESIS: Final = ControlVersion(effective_ns=0, control=SyntheticControlState())
"""What holds from ever on where nothing was ever set: every default."""

CONTROL_STATE: Final[TypeAdapter[SyntheticControlState]] = TypeAdapter(SyntheticControlState)
CONTROL_VERSION: Final[TypeAdapter[ControlVersion]] = TypeAdapter(ControlVersion)
CONTROL_LOG: Final[TypeAdapter[ControlLog]] = TypeAdapter(ControlLog)

STATE_BEYOND_SCHEMA: Final[tuple[str, ...]] = ("shared_seed as a string: at most 2^63 - 1",)
"""Rules of a state that its JSON Schema cannot express."""
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "versions: effective_ns ascends strictly and is a whole second",
    "effective_ns as a string: at most 2^63 - 1",
    *(f"control: {rule}" for rule in STATE_BEYOND_SCHEMA),
)
"""Rules of a log that its JSON Schema cannot express."""


def templated(demo_profile_id: DemoProfileId) -> SyntheticControlState:
    """The state that a demo profile's template gives."""
    return SyntheticControlState.model_validate(
        {"demo_profile_id": demo_profile_id, **DEMO_PROFILES[demo_profile_id]}
    )


def differing(one: SyntheticControlState, other: SyntheticControlState) -> tuple[str, ...]:
    """Pointers of the fields in which two states differ, in the order of the fields."""
    theirs = other.fields()
    return tuple(place for place, value in one.fields().items() if value != theirs[place])


def patched(state: SyntheticControlState, patch: Document) -> SyntheticControlState:
    """`state` with some fields set anew; profile weights are merged key by key.

    A patch that names a demo profile starts from its template, so that the other fields of
    the same patch win over the template.

    Raises
    ------
    ContractError
        ``CONTROL_…`` with pointer and hint, if the result is no valid state.

    Examples
    --------
    >>> patched(SyntheticControlState(), {"demo_profile_id": "quiet-range"}).preset_id
    'quiet_range'
    """
    named: Any = patch.get("demo_profile_id")
    is_template = isinstance(named, str) and named in DEMO_PROFILES
    start: Any = (templated(cast(Any, named)) if is_template else state).model_dump(mode="json")
    weights = patch.get("profile_weights", {})
    merged: Json = weights
    if isinstance(weights, dict):
        merged = {**start["profile_weights"], **weights}
    return validate(CONTROL_STATE, {**start, **patch, "profile_weights": merged}, "control")


def replaced(document: Document) -> SyntheticControlState:
    """The state that a whole document says: what it leaves out is not guessed.

    Raises
    ------
    ContractError
        ``CONTROL_…`` with pointer and hint: ``CONTROL_FIELD_MISSING`` for each field left out.

    Examples
    --------
    >>> replaced(SyntheticControlState().model_dump(mode="json")) == SyntheticControlState()
    True
    """
    found: list[Problem] = []
    state = SyntheticControlState()
    try:
        state = validate(CONTROL_STATE, document, "control")
    except ContractError as error:
        found += error.problems
    missing = [place for place in state.fields() if not _gives(document, place)]
    found += (
        Problem(
            "CONTROL_FIELD_MISSING",
            f'the field "{place.rpartition("/")[2]}" is missing',
            place,
            ("add the field, or patch: a patch says only what changes",),
        )
        for place in missing
    )
    if not found:
        return state
    first, *others = sorted(found, key=lambda problem: problem.loc)
    raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))


def _gives(document: Document, place: str) -> bool:
    """Whether a field is given; weights that are no object are told of by the model."""
    *above, name = place.split("/")[1:]
    holder = document.get("profile_weights", {}) if above else document
    return not isinstance(holder, dict) or name in holder
