"""Symbols of a synthetic market, their option chains, and the ids of option contracts.

Every field is mandatory: a profile says all of itself. A complete one to start from is
``contracts.tape_defaults``; expiries come from a real calendar, see
``islandflow_resources.market_calendar``.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from contracts.document import Integer, Model, Nanoseconds, Number
from contracts.errors import ContractError
from contracts.problems import broken_rule
from contracts.tape_columns import TICKS_PER_DOLLAR

MAX_SYMBOLS: Final = 500

Symbol = Annotated[str, Field(strict=True, pattern=r"^[A-Z][A-Z0-9]{0,5}$")]
"""One to six characters, so that it is the root of an OCC id."""
Day = Annotated[str, Field(strict=True, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Flag = Annotated[bool, Field(strict=True)]
Share = Annotated[Number, Field(ge=0, le=1)]


class SymbolProfile(Model):
    """An underlying, and how it trades.

    Attributes
    ----------
    symbol, security_type, sector : str
    start_price_cents : int
        Price at the first open.
    annual_vol : float
        Standard deviation of a year's log return.
    market_beta : float
        Of its return in that of the market factor.
    trades_per_second, option_prints_per_second : float
        Means over a session.
    quotes_per_trade : float
        Quote updates for one trade, besides those that a trade causes.
    spread_cents : float
        Usual spread; one cent is the least there is.
    off_exchange_share : float
        Of the prints.
    option_tick : str
        ``penny`` always, ``below_3`` a cent below three dollars and a nickel from there on,
        ``nickel`` a nickel below and a dime from there on.
    strike_step_cents : int
        Between neighbouring strikes.
    expiries : str
        ``daily`` lists every session of the coming days, ``weekly`` Fridays and monthlies,
        ``monthly`` third Fridays only.
    event_in_days : int
        Calendar days from the first session to the symbol's next scheduled event, such as
        earnings after the close; 0 if none is known.
    """

    symbol: Symbol
    security_type: Literal["etf", "stock"]
    sector: Annotated[str, Field(strict=True, pattern=r"^[a-z0-9_-]{1,64}$")]
    start_price_cents: Annotated[Integer, Field(ge=100, le=1_000_000)]
    annual_vol: Annotated[Number, Field(ge=0.05, le=2)]
    market_beta: Annotated[Number, Field(ge=-2, le=3)]
    trades_per_second: Annotated[Number, Field(ge=0.01, le=50)]
    quotes_per_trade: Annotated[Number, Field(ge=2, le=20)]
    option_prints_per_second: Annotated[Number, Field(ge=0, le=10)]
    spread_cents: Annotated[Number, Field(ge=1, le=100)]
    off_exchange_share: Annotated[Number, Field(ge=0, le=0.6)]
    option_tick: Literal["penny", "below_3", "nickel"]
    strike_step_cents: Annotated[Integer, Field(ge=50, le=10_000)]
    expiries: Literal["daily", "weekly", "monthly"]
    event_in_days: Annotated[Integer, Field(ge=0, le=365)]

    @model_validator(mode="after")
    def _strikes_below_the_price(self) -> Self:
        if self.strike_step_cents * 4 > self.start_price_cents:
            raise broken_rule(
                f"strike_step_cents = {self.strike_step_cents} is over a quarter of the price",
                f'write "strike_step_cents" at most {self.start_price_cents // 4}',
                "strike_step_cents",
            )
        return self


class ChainProfile(Model):
    """How many expiries and strikes are listed.

    Attributes
    ----------
    dailies, weeklies, monthlies : int
        Next expiries of each kind, where a symbol lists them.
    strikes_each_side : int
        Of the strike nearest to the price at the open.
    """

    dailies: Annotated[Integer, Field(ge=0, le=10)]
    weeklies: Annotated[Integer, Field(ge=0, le=12)]
    monthlies: Annotated[Integer, Field(ge=1, le=12)]
    strikes_each_side: Annotated[Integer, Field(ge=3, le=40)]


class Expiry(Model):
    """A day on which options expire, and which kinds of listing have it."""

    date: Day
    close_ns: Nanoseconds
    is_daily: Flag
    is_weekly: Flag
    is_monthly: Flag


class Session(Model):
    """A session of the exchange, and the expiries that are ahead at its open."""

    date: Day
    open_ns: Nanoseconds
    close_ns: Nanoseconds
    expiries: Annotated[tuple[Expiry, ...], Field(min_length=1, max_length=64)]


class Contract(NamedTuple):
    """An option contract.

    Attributes
    ----------
    root : str
    expiry : datetime.date
    right : str
        ``C`` or ``P``.
    strike_ticks : int
        In ``contracts.tape_columns.PRICE_INT``; a multiple of ten, a tenth of a cent.
    """

    root: str
    expiry: datetime.date
    right: str
    strike_ticks: int


_OCC: Final = re.compile(r"([A-Z][A-Z0-9]{0,5}) *([0-9]{6})([CP])([0-9]{8})")
_OCC_LENGTH: Final = 21
_STRIKE_TICKS: Final = TICKS_PER_DOLLAR // 1000


def occ_id(contract: Contract) -> str:
    """The canonical id: root padded to six, YYMMDD, right, strike in thousandths.

    Examples
    --------
    >>> occ_id(Contract("SPY", datetime.date(2026, 1, 16), "C", 5_000_000))
    'SPY   260116C00500000'
    """
    day = contract.expiry.strftime("%y%m%d")
    strike = contract.strike_ticks // _STRIKE_TICKS
    return f"{contract.root:<6}{day}{contract.right}{strike:08d}"


def parse_occ(text: str) -> Contract:
    """Read a canonical id.

    Raises
    ------
    ContractError
        ``OCC_ID_INVALID``.

    Examples
    --------
    >>> parse_occ("SPY   260116C00500000").strike_ticks
    5000000
    """
    match = _OCC.fullmatch(text) if len(text) == _OCC_LENGTH else None
    try:
        if match is None:
            raise ValueError
        day = datetime.datetime.strptime(match[2], "%y%m%d").replace(tzinfo=datetime.UTC).date()
    except ValueError:
        raise ContractError(
            "OCC_ID_INVALID",
            f"{text[:40]!r} is no id of an option contract",
            text[:40],
            ("write it as SPY   260116C00500000: root, YYMMDD, right, strike in thousandths",),
        ) from None
    return Contract(match[1], day, match[3], int(match[4]) * _STRIKE_TICKS)
