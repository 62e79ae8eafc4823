"""The catalogue of scenarios: seven named tape profiles, each with one burst put into its market.

A scenario is a running market of a few symbols in which one order of a known kind appears,
beside decoys that look like it and lack its cause. Without its injections the same profile
is the counterfactual twin. What is true of a scenario, and what a detector should make of
it, is ``contracts.tape_expectations``; ids, times of day and symbols are those of the
predecessor.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from contracts.canonical import Document
from contracts.control import ControlLog, ControlVersion, SyntheticControlState, patched
from contracts.errors import ContractError
from contracts.labels import ScenarioFamily
from contracts.market import SymbolProfile
from contracts.tape import (
    USUAL_NAMESPACE,
    USUAL_PARTITION,
    Injection,
    SeedBundle,
    SessionProfile,
    TapeProfile,
)
from contracts.tape_defaults import (
    CHAIN,
    DEFAULT_SYMBOLS,
    FLOW,
    PRICES,
    QUOTES,
    SURFACE,
    default_universe,
)

DATE: Final = "2026-01-08"
"""A Thursday: what a stock lists next expires tomorrow."""
NOTHING: Final[Mapping[str, float]] = MappingProxyType({})
DECOY_BEFORE_S: Final = 420
"""The decoy on the same symbol comes so long before the injection."""
DECOY_AFTER_S: Final = 300
"""The decoy on another symbol comes so long after it."""


class CatalogueScenario(NamedTuple):
    """A market, and what is put into it.

    Attributes
    ----------
    id, family : str
    symbols : tuple of str
        The universe: the scenario's symbol first, then the one of the other decoy.
    subtype : str
        Of the injection and its decoys.
    notional_usd : float
        Premium of each.
    skip_s, duration_s : int
        The tape begins `skip_s` seconds after the open.
    after_s : int
        The injection comes so long after the tape's begin, or waits from then on.
    seed : int
        With it the scenario is what it says.
    control : dict
        What is set on top of the default control.
    symbol, quotes, surface : mapping of str to float
        What is set anew of the scenario's symbol, and of the market.
    """

    id: str
    family: ScenarioFamily
    symbols: tuple[str, ...]
    subtype: str
    notional_usd: float
    skip_s: int
    duration_s: int
    after_s: int
    seed: int
    control: Document
    symbol: Mapping[str, float | str] = NOTHING
    quotes: Mapping[str, float] = NOTHING
    surface: Mapping[str, float] = NOTHING

    @property
    def injection_ids(self) -> tuple[str, str, str]:
        """Ids of the injection, the decoy on its symbol and the one on the other."""
        return self.id, f"{self.id}-decoy-same", f"{self.id}-decoy-other"


SCENARIOS: Final[tuple[CatalogueScenario, ...]] = (
    CatalogueScenario(
        id="institutional-directional-flow",
        family="institutional_directional_flow",
        symbols=("SPY", "QQQ", "NVDA", "XOM"),
        subtype="call_sweep",
        notional_usd=180_000.0,
        skip_s=0,
        duration_s=1800,
        after_s=840,
        seed=314,
        control={},
    ),
    CatalogueScenario(
        id="retail-attention-call-chase",
        family="retail_attention_flow",
        symbols=("NVDA", "TSLA", "AMD", "SPY"),
        subtype="0dte_call_chase",
        notional_usd=60_000.0,
        skip_s=2400,
        duration_s=1800,
        after_s=840,
        seed=307,
        control={"preset_id": "retail_chase"},
    ),
    CatalogueScenario(
        id="event-noise-positioning",
        family="event_noise_flow",
        symbols=("TSLA", "JPM", "NVDA", "SPY"),
        subtype="earnings_vol_probe",
        notional_usd=90_000.0,
        skip_s=15_300,
        duration_s=1800,
        after_s=840,
        seed=309,
        control={"preset_id": "event_day"},
        symbol={"event_in_days": 1},
    ),
    CatalogueScenario(
        id="volatility-seller-supply",
        family="volatility_seller_behavior",
        symbols=("SPY", "QQQ", "IWM", "XOM"),
        subtype="cash_secured_put_write",
        notional_usd=140_000.0,
        skip_s=5700,
        duration_s=1800,
        after_s=840,
        seed=304,
        control={"preset_id": "quiet_range"},
        # options cost twice what the underlying moves: a reason to sell them
        surface={"premium": 2.0},
    ),
    CatalogueScenario(
        id="hedge-reactive-put-flow",
        family="hedge_reactive_flow",
        symbols=("QQQ", "SPY", "IWM", "NVDA"),
        subtype="reactive_put_wall",
        notional_usd=80_000.0,
        skip_s=16_500,
        duration_s=2400,
        # it waits for a fall of its symbol
        after_s=600,
        seed=318,
        control={"preset_id": "dealer_day"},
    ),
    CatalogueScenario(
        id="structure-arbitrage-calm",
        family="structure_arbitrage_flow",
        symbols=("IWM", "SPY", "QQQ", "XOM"),
        subtype="box_spread",
        notional_usd=120_000.0,
        skip_s=10_500,
        duration_s=1800,
        after_s=840,
        seed=306,
        control={"preset_id": "quiet_range"},
    ),
    CatalogueScenario(
        id="no-alert-wide-quote-chop",
        family="no_alert_negative",
        symbols=("SPY", "QQQ", "IWM"),
        subtype="stale_quote_noise",
        notional_usd=3_000.0,
        skip_s=20_400,
        duration_s=1500,
        after_s=840,
        seed=336,
        control={"preset_id": "dealer_day"},
        # few trade it, so it is quoted wide, in nickels, and not often
        symbol={
            "spread_cents": 60.0,
            "trades_per_second": 0.5,
            "option_prints_per_second": 0.1,
            "option_tick": "nickel",
        },
        quotes={"wide_share": 0.04, "stale_share": 0.5, "one_sided_share": 0.005},
    ),
)
"""The catalogue, in its order: six that deserve an alert and one that does not."""

_BY_ID: Final = {one.id: one for one in SCENARIOS}
SCENARIO_IDS: Final = tuple(_BY_ID)


def scenario(scenario_id: str) -> CatalogueScenario:
    """The scenario of a name.

    Raises
    ------
    ContractError
        ``TAPE_SCENARIO_UNKNOWN``.
    """
    if scenario_id in _BY_ID:
        return _BY_ID[scenario_id]
    raise ContractError(
        "TAPE_SCENARIO_UNKNOWN",
        f"{scenario_id[:64]!r} is no scenario of the catalogue",
        "/scenario_id",
        (f"choose one of {', '.join(SCENARIO_IDS)}",),
    )


def scenario_profile(scenario_id: str) -> TapeProfile:
    """The complete profile of a scenario.

    Examples
    --------
    >>> scenario_profile("structure-arbitrage-calm").injections[0].subtype
    'box_spread'
    """
    one = scenario(scenario_id)
    universe = _universe(one)
    share = len(universe) / DEFAULT_SYMBOLS
    flow = {"bursts_per_minute": round(FLOW.bursts_per_minute * share, 2)}
    control = patched(SyntheticControlState(), one.control)
    return TapeProfile(
        id=one.id,
        version="0.1",
        universe=universe,
        chain=CHAIN,
        prices=PRICES,
        surface=SURFACE.model_copy(update=dict(one.surface)),
        quotes=QUOTES.model_copy(update=dict(one.quotes)),
        flow=FLOW.model_copy(update=flow),
        injections=_injections(one),
        session=SessionProfile(
            exchange="XNYS",
            first_date=DATE,
            count=1,
            skip_s=one.skip_s,
            duration_s=one.duration_s,
        ),
        control=ControlLog(versions=(ControlVersion(effective_ns=0, control=control),)),
    )


def scenario_seeds(scenario_id: str) -> SeedBundle:
    """The seed with which a scenario is what it says, under the usual names."""
    seed = scenario(scenario_id).seed
    return SeedBundle(seed=seed, namespace=USUAL_NAMESPACE, partition=USUAL_PARTITION)


def _universe(one: CatalogueScenario) -> tuple[SymbolProfile, ...]:
    known = {profile.symbol: profile for profile in default_universe()}
    known[one.symbols[0]] = known[one.symbols[0]].model_copy(update=dict(one.symbol))
    return tuple(known[symbol] for symbol in one.symbols)


def _injections(one: CatalogueScenario) -> tuple[Injection, ...]:
    at_s = one.skip_s + one.after_s
    mine, other = one.symbols[:2]
    placed = (
        (mine, at_s, False),
        (mine, at_s - DECOY_BEFORE_S, True),
        (other, at_s + DECOY_AFTER_S, True),
    )
    return tuple(
        Injection.model_validate(
            {
                "id": name,
                "subtype": one.subtype,
                "symbol": symbol,
                "at_s": when_s,
                "notional_usd": one.notional_usd,
                "is_decoy": is_decoy,
            }
        )
        for name, (symbol, when_s, is_decoy) in zip(one.injection_ids, placed, strict=True)
    )
