"""Settings of a synthetic session: how prices, surfaces, quotes and flow behave.

Every field is mandatory. They are parts of the documents in ``tape``; what the numbers do is
``docs/market-tape.md``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.document import Model, Number
from contracts.market import Share


class PriceProfile(Model):
    """How prices move.

    Attributes
    ----------
    market_vol, sector_vol : float
        Of the factors, a year.
    slow_vol_sd, fast_vol_sd : float
        Deviation of the two parts of log volatility.
    slow_vol_s, fast_vol_s : float
        Times in which they revert, seconds.
    leverage : float
        Correlation of returns and changes of volatility.
    jumps_per_session : float
        Of each symbol, besides those of scheduled events.
    event_jump_bps : float
        Deviation of the jump of a symbol at its session's event.
    """

    market_vol: Annotated[Number, Field(ge=0, le=1)]
    sector_vol: Annotated[Number, Field(ge=0, le=1)]
    slow_vol_sd: Annotated[Number, Field(ge=0, le=1)]
    slow_vol_s: Annotated[Number, Field(ge=600, le=100_000)]
    fast_vol_sd: Annotated[Number, Field(ge=0, le=1)]
    fast_vol_s: Annotated[Number, Field(ge=30, le=10_000)]
    leverage: Annotated[Number, Field(ge=-0.95, le=0)]
    jumps_per_session: Annotated[Number, Field(ge=0, le=50)]
    event_jump_bps: Annotated[Number, Field(ge=0, le=500)]


class SurfaceProfile(Model):
    """The implied-volatility surface (Gatheral and Jacquier 2014, SSVI).

    Attributes
    ----------
    rho_etf, rho_stock : float
        Skew.
    eta, gamma : float
        Of the power law φ(θ) = η θ^−γ (1 + θ)^(γ − 1).
    premium : float
        At-the-money volatility over the annual one.
    reversion_per_year : float
        Of the short variance to the long one.
    spot_beta : float
        Change of log variance for a log return of the underlying.
    pressure_half_life_s : float
        Of the change that demand makes.
    event_move : float
        Log move that the surface expects of an event, in the expiries behind it.
    """

    rho_etf: Annotated[Number, Field(ge=-0.95, le=0)]
    rho_stock: Annotated[Number, Field(ge=-0.95, le=0)]
    eta: Annotated[Number, Field(gt=0, le=1)]
    gamma: Annotated[Number, Field(gt=0, le=0.5)]
    premium: Annotated[Number, Field(ge=0.5, le=2)]
    reversion_per_year: Annotated[Number, Field(ge=0.1, le=50)]
    spot_beta: Annotated[Number, Field(ge=-20, le=0)]
    pressure_half_life_s: Annotated[Number, Field(ge=5, le=3600)]
    event_move: Annotated[Number, Field(ge=0, le=0.2)]


class QuoteProfile(Model):
    """What is wrong with quotes and reports, as shares; and when chains are quoted anew.

    Attributes
    ----------
    wide_share, locked_share, crossed_share, one_sided_share, stale_share : float
        Of the quotes; a stale quote is one that is not renewed before a print.
    late_share, cancel_share, correct_share : float
        Of the equity prints.
    reprice_sigmas : float
        Move of the underlying, in usual moves of a second, that reprices its whole chain.
    """

    wide_share: Share
    locked_share: Share
    crossed_share: Share
    one_sided_share: Share
    stale_share: Share
    late_share: Share
    cancel_share: Share
    correct_share: Share
    reprice_sigmas: Annotated[Number, Field(ge=0.5, le=100)]


class FlowProfile(Model):
    """Background flow and bursts.

    Attributes
    ----------
    branching : float
        Trades that one trade calls forth.
    sweep_share, block_share, package_share : float
        Of the background orders in options.
    bursts_per_minute : float
        Over the whole universe, in the mean of a session of the preset ``balanced_demo``.
    decoys_per_burst : float
    spacing_s : float
        Least time between bursts of one subtype on one symbol.
    impact_bps : float
        Passing move of the underlying for one trade of usual size.
    """

    branching: Annotated[Number, Field(ge=0, le=0.85)]
    sweep_share: Share
    block_share: Share
    package_share: Share
    bursts_per_minute: Annotated[Number, Field(ge=0, le=120)]
    decoys_per_burst: Annotated[Number, Field(ge=0, le=10)]
    spacing_s: Annotated[Number, Field(ge=0, le=3600)]
    impact_bps: Annotated[Number, Field(ge=0, le=10)]
