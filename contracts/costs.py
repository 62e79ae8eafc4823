"""Costs of trading: fee and slippage, as documents.

How they enter a fill lives in ``engine.backtest``.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from contracts.document import Integer, Model, Number


class Slippage(Model):
    """Slippage in bps against the trader: ``base_bps + k_vol · rolling_vol``.

    ``rolling_vol`` is the population deviation, in bps, of the last
    ``window_bars`` log returns of the close, up to the bar of the fill.
    """

    base_bps: Annotated[Number, Field(ge=0, le=1000)] = 0.5
    k_vol: Annotated[Number, Field(ge=0, le=10)] = 0.0
    window_bars: Annotated[Integer, Field(ge=2, le=10_000)] = 20


class Costs(Model):
    """Fee in bps of notional for every fill, and slippage for market orders."""

    fee_bps: Annotated[Number, Field(ge=0, le=1000)] = 1.0
    slippage: Slippage = Slippage()


COSTS: Final[TypeAdapter[Costs]] = TypeAdapter(Costs)
