"""Sessions of an exchange and the expiries ahead of them, from its real calendar.

Half days and holidays are those of ``exchange-calendars``, which is imported where it is used:
with pandas it takes seconds. What a session is stands in ``contracts.market``; which of the
expiries a symbol lists is decided by ``engine.tapes.market``.
"""

from __future__ import annotations

import datetime
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from contracts.errors import ContractError
from contracts.market import Expiry, Session

DAILIES: Final = 10
WEEKLIES: Final = 12
MONTHLIES: Final = 12
"""Expiries ahead of a session, its own day included: as many as a chain may list."""
FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2200

_DAY: Final = datetime.timedelta(days=1)
_WEEK: Final = datetime.timedelta(days=7)
_FRIDAY: Final = 4
_WHERE: Final = "/session/first_date"


class _Days(NamedTuple):
    """Sessions of some years: dates, and nanoseconds of open and close."""

    dates: tuple[datetime.date, ...]
    opens: tuple[int, ...]
    closes: tuple[int, ...]

    def up_to(self, day: datetime.date) -> datetime.date:
        """The last session on or before a day."""
        return self.dates[bisect_right(self.dates, day) - 1]

    def close_of(self, day: datetime.date) -> int:
        return self.closes[bisect_left(self.dates, day)]


def market_sessions(exchange: str, first_date: str, count: int) -> tuple[Session, ...]:
    """Sessions in a row, each with the expiries ahead of it.

    Dailies are the next sessions; weeklies Fridays, monthlies third Fridays, or the last
    session before one that is a holiday. The day of a session is among its own expiries.

    Parameters
    ----------
    exchange : str
        ``XNYS``.
    first_date : str
        As YYYY-MM-DD, a day on which the exchange is open.
    count : int
        Number of sessions.

    Raises
    ------
    ContractError
        ``SESSION_CLOSED`` with the next open day as hint, ``SESSION_DATE_INVALID``.

    Examples
    --------
    >>> [one.date for one in market_sessions("XNYS", "2026-01-16", 2)]
    ['2026-01-16', '2026-01-20']
    """
    day = _day(first_date)
    days = _days(exchange, day.year)
    start = bisect_left(days.dates, day)
    if days.dates[start] != day:
        hint = f"the next session is {days.dates[start].isoformat()}"
        raise ContractError("SESSION_CLOSED", f"{exchange} is closed on {day}", _WHERE, (hint,))
    return tuple(_session(days, place) for place in range(start, start + count))


def _session(days: _Days, place: int) -> Session:
    day = days.dates[place]
    dailies = set(days.dates[place : place + DAILIES])
    weeklies = set(islice(_ahead(days, day, _fridays), WEEKLIES))
    monthlies = set(islice(_ahead(days, day, _third_fridays), MONTHLIES))
    expiries = tuple(
        Expiry(
            date=date.isoformat(),
            close_ns=days.close_of(date),
            is_daily=date in dailies,
            is_weekly=date in weeklies,
            is_monthly=date in monthlies,
        )
        for date in sorted(dailies | weeklies | monthlies)
    )
    return Session(
        date=day.isoformat(),
        open_ns=days.opens[place],
        close_ns=days.closes[place],
        expiries=expiries,
    )


def _ahead(
    days: _Days,
    day: datetime.date,
    fridays: Callable[[datetime.date], Iterator[datetime.date]],
) -> Iterator[datetime.date]:
    """Expiries from `day` on that belong to Fridays."""
    for friday in fridays(day):
        expiry = days.up_to(friday)
        # A week without any session has no expiry.
        if expiry >= day and friday - expiry < _WEEK:
            yield expiry


def _fridays(day: datetime.date) -> Iterator[datetime.date]:
    """Every Friday from that of the week of `day` on."""
    friday = day + (_FRIDAY - day.weekday()) * _DAY
    while True:
        yield friday
        friday += _WEEK


def _third_fridays(day: datetime.date) -> Iterator[datetime.date]:
    """The third Friday of every month from that of `day` on."""
    first = day.replace(day=1)
    while True:
        yield first + ((_FRIDAY - first.weekday()) % 7 + 14) * _DAY
        first = (first + 31 * _DAY).replace(day=1)


def _day(text: str) -> datetime.date:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        hint = "write a day that exists as YYYY-MM-DD"
        said = f"{text[:40]!r} is no day"
        raise ContractError("SESSION_DATE_INVALID", said, _WHERE, (hint,)) from None
    if FIRST_YEAR <= day.year <= LAST_YEAR:
        return day
    said = f"{day} is not between {FIRST_YEAR} and {LAST_YEAR}"
    hint = f"write a day from {FIRST_YEAR}-01-02 on"
    raise ContractError("SESSION_DATE_INVALID", said, _WHERE, (hint,))


@lru_cache(maxsize=4)
def _days(exchange: str, year: int) -> _Days:
    """Sessions of three years: whatever begins in the first has its expiries among them."""
    with warnings.catch_warnings():
        # What pandas is going to change is the library's concern.
        warnings.simplefilter("ignore")
        import exchange_calendars

        calendar = exchange_calendars.get_calendar(
            exchange, start=f"{year - 1}-12-15", end=f"{year + 2}-12-31"
        )
        return _Days(
            tuple(session.date() for session in calendar.sessions),
            tuple(int(ns) for ns in calendar.opens_nanos),
            tuple(int(ns) for ns in calendar.closes_nanos),
        )
