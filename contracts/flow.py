"""Bursts of option flow: the 22 hidden subtypes in seven families, as data.

What a burst prints is made by ``engine.tapes.market``; what is said of one afterwards is
``contracts.labels``. Nothing here is ever on a market event.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from contracts.smart_flow import HypothesisType

Right: TypeAlias = Literal["C", "P", "either"]

EXPECTED_CLASS: Final[dict[str, HypothesisType]] = {
    "institutional_directional": "directional_accumulation",
    "retail_whale": "retail_attention_flow",
    "event_driven": "event_positioning",
    "vol_seller": "volatility_supply",
    "arbitrage": "structure_arbitrage",
    "hedge_reactive": "hedge_rebalance",
    "neutral_noise": "unclear",
}
"""What a detector should call a burst of a family."""


class Leg(NamedTuple):
    """One contract of a burst.

    Attributes
    ----------
    right : str
        ``C``, ``P`` or ``same``, the right that the burst has.
    moneyness : float
        Strike over spot that is looked for, 0 for the burst's own.
    steps : int
        Strikes away from there.
    side : int
        +1 as the burst trades, −1 the other way round.
    """

    right: Literal["C", "P", "same"]
    moneyness: float
    steps: int
    side: int


class Subtype(NamedTuple):
    """How a burst of one kind trades.

    Attributes
    ----------
    name, family : str
    right : str
    weight : float
        Within all subtypes.
    cycles : tuple of int
        Prints of each leg, least and most.
    notional_usd : tuple of float
        Premium of the whole burst, least and most.
    tenors_days : tuple of int
        Days to expiry that are looked for.
    moneyness : float
        Strike over spot.
    buy, sell, inside : float
        Share of the prints at or through the ask, at or through the bid, between them.
    gap_ms : float
        Mean time between its prints.
    drift : int
        +1 pays up as it goes, −1 gives way, 0 neither.
    legs : tuple of Leg
    hedge_share : float
        Part of its delta that dealers hedge with shares.
    informed_bps : float
        Move of the underlying in its direction that it knows of.
    """

    name: str
    family: str
    right: Right
    weight: float
    cycles: tuple[int, int]
    notional_usd: tuple[float, float]
    tenors_days: tuple[int, ...]
    moneyness: float
    buy: float
    sell: float
    inside: float
    gap_ms: float
    drift: int
    legs: tuple[Leg, ...]
    hedge_share: float
    informed_bps: float


ANY_TENOR: Final = (0, 1, 7, 14, 28, 45, 60, 90)
SINGLE: Final = (Leg("same", 0.0, 0, 1),)
STRADDLE: Final = (Leg("C", 1.0, 0, 1), Leg("P", 1.0, 0, 1))
VERTICAL: Final = (Leg("same", 0.0, -1, 1), Leg("same", 0.0, 1, -1))
CONVERSION: Final = (Leg("C", 1.0, 0, 1), Leg("P", 1.0, 0, -1), Leg("C", 1.0, 2, -1))
BOX: Final = (
    Leg("C", 1.0, -1, 1),
    Leg("C", 1.0, 1, -1),
    Leg("P", 1.0, -1, -1),
    Leg("P", 1.0, 1, 1),
)

_INST, _RETAIL, _EVENT = "institutional_directional", "retail_whale", "event_driven"
_VOL, _ARB, _HEDGE, _NOISE = "vol_seller", "arbitrage", "hedge_reactive", "neutral_noise"

# fmt: off
SUBTYPES: Final[tuple[Subtype, ...]] = (
    Subtype("call_sweep", _INST, "C", 1.2, (6, 10), (90e3, 260e3), (7, 14, 28),
            1.01, 0.88, 0.04, 0.08, 25.0, 1, SINGLE, 0.5, 12.0),
    Subtype("put_sweep", _INST, "P", 1.15, (6, 10), (90e3, 260e3), (7, 14, 28),
            0.99, 0.88, 0.04, 0.08, 25.0, 1, SINGLE, 0.5, 12.0),
    Subtype("ask_lift_accumulation", _INST, "either", 0.95, (6, 9), (60e3, 160e3), (14, 28, 45),
            1.0, 0.84, 0.06, 0.1, 900.0, 0, SINGLE, 0.4, 8.0),
    Subtype("far_dated_conviction", _INST, "either", 0.72, (5, 8), (80e3, 200e3), (60, 90),
            1.0, 0.82, 0.06, 0.12, 400.0, 1, SINGLE, 0.4, 8.0),
    Subtype("0dte_call_chase", _RETAIL, "C", 1.2, (14, 24), (28e3, 80e3), (0, 1),
            1.015, 0.72, 0.06, 0.22, 350.0, 1, SINGLE, 0.3, 0.0),
    Subtype("short_dated_put_panic", _RETAIL, "P", 0.92, (12, 20), (24e3, 76e3), (0, 1, 7),
            0.985, 0.7, 0.08, 0.22, 350.0, 1, SINGLE, 0.3, 0.0),
    Subtype("attention_contract_spike", _RETAIL, "either", 0.84, (12, 18), (20e3, 60e3), (1, 7),
            1.02, 0.68, 0.08, 0.24, 500.0, 0, SINGLE, 0.3, 0.0),
    Subtype("earnings_vol_probe", _EVENT, "either", 0.9, (4, 7), (40e3, 110e3), (14, 28),
            1.0, 0.74, 0.08, 0.18, 250.0, 0, STRADDLE, 0.1, 0.0),
    Subtype("pre_event_directional_ramp", _EVENT, "C", 1.1, (5, 9), (50e3, 130e3), (7, 14),
            1.02, 0.78, 0.08, 0.14, 300.0, 1, SINGLE, 0.3, 6.0),
    Subtype("post_gap_followthrough", _EVENT, "either", 0.88, (5, 8), (40e3, 110e3), (7, 14),
            1.0, 0.76, 0.1, 0.14, 300.0, 1, SINGLE, 0.3, 6.0),
    Subtype("covered_call_overwrite", _VOL, "C", 0.82, (5, 8), (70e3, 180e3), (28, 45, 60),
            1.04, 0.06, 0.78, 0.16, 600.0, -1, SINGLE, 0.2, 0.0),
    Subtype("cash_secured_put_write", _VOL, "P", 0.82, (5, 8), (70e3, 180e3), (28, 45, 60),
            0.96, 0.06, 0.78, 0.16, 600.0, -1, SINGLE, 0.2, 0.0),
    Subtype("short_straddle_harvest", _VOL, "either", 1.15, (4, 7), (80e3, 200e3), (28, 45),
            1.0, 0.06, 0.82, 0.12, 250.0, -1, STRADDLE, 0.1, 0.0),
    Subtype("parity_vertical", _ARB, "C", 1.0, (4, 7), (60e3, 160e3), (28, 45),
            1.0, 0.38, 0.14, 0.48, 60.0, 0, VERTICAL, 0.1, 0.0),
    Subtype("conversion_reversal", _ARB, "either", 0.76, (4, 7), (60e3, 160e3), (28, 45),
            1.0, 0.34, 0.16, 0.5, 60.0, 0, CONVERSION, 0.0, 0.0),
    Subtype("box_spread", _ARB, "either", 0.66, (4, 7), (60e3, 160e3), (28, 45),
            1.0, 0.3, 0.2, 0.5, 60.0, 0, BOX, 0.0, 0.0),
    Subtype("gamma_pinch_call_hedge", _HEDGE, "C", 0.92, (6, 10), (36e3, 100e3), (0, 1),
            1.0, 0.78, 0.08, 0.14, 120.0, 1, SINGLE, 0.2, 0.0),
    Subtype("reactive_put_wall", _HEDGE, "P", 1.15, (6, 10), (40e3, 110e3), (0, 1),
            1.0, 0.78, 0.08, 0.14, 120.0, 1, SINGLE, 0.2, 0.0),
    Subtype("dealer_unwind", _HEDGE, "either", 0.88, (6, 9), (36e3, 96e3), (0, 1),
            1.0, 0.08, 0.76, 0.16, 150.0, -1, SINGLE, 0.2, 0.0),
    Subtype("single_print_mid", _NOISE, "either", 1.2, (1, 2), (500.0, 5e3), ANY_TENOR,
            1.0, 0.18, 0.18, 0.64, 300.0, 0, SINGLE, 0.0, 0.0),
    Subtype("two_sided_scalp", _NOISE, "either", 1.0, (2, 4), (800.0, 7e3), ANY_TENOR,
            1.0, 0.24, 0.24, 0.52, 400.0, 0, SINGLE, 0.0, 0.0),
    Subtype("stale_quote_noise", _NOISE, "either", 0.86, (1, 3), (600.0, 5500.0), ANY_TENOR,
            1.0, 0.2, 0.2, 0.6, 400.0, 0, SINGLE, 0.0, 0.0),
)
# fmt: on
"""Every subtype; its place is its code in labels and kernels."""

SUBTYPE_NAMES: Final = tuple(subtype.name for subtype in SUBTYPES)

ACTORS: Final = ("background", "burst", "decoy", "hedge", "injection")
"""Who a print belongs to; its place is its code."""
