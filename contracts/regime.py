"""Regimes of a session, phases, and what each preset makes of them: tables.

How a session walks through them is ``engine.regimes``; who chooses the preset is
``contracts.control``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from contracts.control import Preset

Regime: TypeAlias = Literal[
    "trend_up",
    "trend_down",
    "mean_revert",
    "retail_chase",
    "event_ramp",
    "dealer_gamma",
    "arb_calm",
]
Phase: TypeAlias = Literal["open", "midday", "power_hour", "after_event"]

REGIMES: Final[tuple[Regime, ...]] = get_args(Regime)
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)

BUCKET_NS: Final = 300_000_000_000
"""A regime holds for a bucket of five minutes at least."""


class RegimeBase(NamedTuple):
    """Levels that a regime reverts to.

    Attributes
    ----------
    volatility, liquidity, cleanliness : float
        Cleanliness is that of quotes.
    off_exchange : float
        Share of the prints away from the exchanges, relative to 0.45.
    drift : float
        Direction of prices: +1, 0, −1.
    """

    volatility: float
    liquidity: float
    cleanliness: float
    off_exchange: float
    drift: int


REGIME_BASE: Final[Mapping[Regime, RegimeBase]] = {
    "trend_up": RegimeBase(0.72, 0.72, 0.64, 0.46, 1),
    "trend_down": RegimeBase(0.78, 0.66, 0.58, 0.52, -1),
    "mean_revert": RegimeBase(0.50, 0.84, 0.80, 0.34, 0),
    "retail_chase": RegimeBase(0.88, 0.62, 0.50, 0.58, 1),
    "event_ramp": RegimeBase(0.92, 0.56, 0.42, 0.54, 0),
    "dealer_gamma": RegimeBase(0.82, 0.66, 0.48, 0.50, 0),
    "arb_calm": RegimeBase(0.34, 0.90, 0.88, 0.30, 0),
}


class PresetBias(NamedTuple):
    """What a preset makes likely.

    Attributes
    ----------
    regimes : tuple of float
        Weight of each of `REGIMES`.
    focus, events : int
        How many symbols are in focus, and how many have an event.
    amplitude : float
        Of volatility and activity.
    event_threshold : float
        A session has an event if its uniform draw exceeds it.
    """

    regimes: tuple[float, ...]
    focus: int
    events: int
    amplitude: float
    event_threshold: float


PRESET_BIAS: Final[Mapping[Preset, PresetBias]] = {
    "balanced_demo": PresetBias((1.0, 0.95, 1.05, 0.95, 0.85, 0.95, 0.95), 3, 2, 1.00, 0.72),
    "event_day": PresetBias((0.9, 0.9, 0.75, 0.95, 1.9, 1.0, 0.55), 4, 3, 1.28, 0.0),
    "dealer_day": PresetBias((0.85, 0.85, 0.9, 0.85, 0.7, 1.95, 0.8), 3, 1, 1.12, 0.60),
    "retail_chase": PresetBias((1.1, 0.7, 0.6, 2.0, 0.95, 0.95, 0.45), 4, 1, 1.25, 0.60),
    "quiet_range": PresetBias((0.7, 0.7, 1.35, 0.45, 0.5, 0.75, 1.8), 2, 1, 0.72, 0.60),
}

PHASE_BIAS: Final[Mapping[Phase, tuple[float, ...]]] = {
    "open": (1.02, 1.02, 1.02, 1.02, 1.08, 1.02, 1.02),
    "midday": (1.0,) * 7,
    "power_hour": (1.03, 1.03, 1.03, 1.08, 1.03, 1.08, 1.03),
    "after_event": (1.0, 1.0, 1.0, 1.0, 1.24, 1.0, 1.0),
}
"""Factor of each of `REGIMES` in a phase."""

FAMILY_WEIGHTS: Final[Mapping[Regime, tuple[float, ...]]] = {
    "trend_up": (1.35, 1.05, 0.90, 0.78, 0.72, 0.82, 0.82),
    "trend_down": (1.20, 0.82, 0.88, 0.80, 0.78, 1.22, 0.85),
    "mean_revert": (0.92, 0.78, 0.80, 1.18, 1.28, 0.92, 1.20),
    "retail_chase": (1.04, 1.72, 0.90, 0.70, 0.58, 0.98, 0.72),
    "event_ramp": (1.08, 0.96, 1.95, 0.74, 0.62, 1.04, 0.58),
    "dealer_gamma": (0.94, 1.02, 0.78, 0.84, 0.92, 1.74, 0.76),
    "arb_calm": (0.68, 0.58, 0.62, 1.28, 1.78, 0.72, 1.34),
}
"""Weight of each of ``contracts.control.FAMILIES`` in a regime."""
