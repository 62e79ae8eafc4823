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
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, TypeAlias, get_args

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from contracts.canonical import Document
from contracts.digest import document_digest
from contracts.document import Model, Nanoseconds, Number, Seed, validate
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
SECOND_NS: Final = 1_000_000_000


def _known_weight(value: float) -> float:
    if value in WEIGHTS:
        return value
    raise broken_rule(
        f"{value:g} is none of the weights {LOW:g}, {NORMAL:g}, {HIGH:g}",
        "write 0.6 (low), 1.0 (normal) or 1.6 (high)",
    )


Weight = Annotated[
    Number, AfterValidator(_known_weight), Field(json_schema_extra={"enum": list(WEIGHTS)})
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
        The window that coverage looks back.
    shared_seed : int
        Seed where a partition gives none.
    profile_weights : ProfileWeights
    """

    demo_profile_id: DemoProfileId = "market-command"
    load_profile_id: LoadProfileId = "steady"
    preset_id: Preset = "balanced_demo"
    coverage_assist: bool = True
    coverage_window_minutes: Literal[10, 20, 30] = 20
    shared_seed: Seed = 11
    profile_weights: ProfileWeights = ProfileWeights()

    @property
    def load(self) -> LoadProfile:
        """Multipliers of the load profile."""
        return LOAD_PROFILES[self.load_profile_id]

    def modified(self) -> tuple[str, ...]:
        """Pointers of the fields that differ from the template of the demo profile."""
        template = templated(self.demo_profile_id)
        found = [
            f"/{name}"
            for name in (
                "load_profile_id",
                "preset_id",
                "coverage_assist",
                "coverage_window_minutes",
                "shared_seed",
            )
            if getattr(self, name) != getattr(template, name)
        ]
        mine, theirs = self.profile_weights, template.profile_weights
        changed = [name for name in PROFILES if getattr(mine, name) != getattr(theirs, name)]
        return (*found, *(f"/profile_weights/{name}" for name in changed))


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

    versions: Annotated[tuple[ControlVersion, ...], Field(min_length=1, max_length=1000)]

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


CONTROL_STATE: Final[TypeAdapter[SyntheticControlState]] = TypeAdapter(SyntheticControlState)
CONTROL_LOG: Final[TypeAdapter[ControlLog]] = TypeAdapter(ControlLog)

BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "versions: effective_ns ascends strictly and is a whole second",
)


def templated(demo_profile_id: DemoProfileId) -> SyntheticControlState:
    """The state that a demo profile's template gives."""
    return SyntheticControlState.model_validate(
        {"demo_profile_id": demo_profile_id, **DEMO_PROFILES[demo_profile_id]}
    )


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
    known = named in DEMO_PROFILES
    start: Any = (templated(named) if known else state).model_dump(mode="json")
    weights: Any = patch.get("profile_weights", {})
    merged: Any = weights
    if isinstance(weights, dict):
        merged = {**start["profile_weights"], **weights}
    return validate(CONTROL_STATE, {**start, **patch, "profile_weights": merged}, "control")
