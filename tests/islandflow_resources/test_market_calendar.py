"""Sessions and expiries against another library's calendar and what is known of past years."""

import datetime

import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from islandflow_resources.market_calendar import DAILIES, market_sessions

HOUR_NS = 3_600_000_000_000
NYSE = QuantLib.UnitedStates(QuantLib.UnitedStates.NYSE)


def is_open(day):
    return NYSE.isBusinessDay(QuantLib.Date(day.day, day.month, day.year))


def dates(session, kind):
    return [one.date for one in session.expiries if getattr(one, f"is_{kind}")]


@pytest.mark.parametrize(
    ("date", "open_hour", "close_hour"),
    [
        ("2026-01-14", 14.5, 21.0),
        ("2026-07-02", 13.5, 20.0),
        ("2025-07-03", 13.5, 17.0),
        ("2026-11-27", 14.5, 18.0),
        ("2026-12-24", 14.5, 18.0),
    ],
)
def test_open_and_close_follow_daylight_saving_and_half_days(date, open_hour, close_hour):
    [session] = market_sessions("XNYS", date, 1)
    midnight = datetime.datetime.fromisoformat(f"{date}T00:00:00+00:00").timestamp() * 1e9
    assert session.open_ns == midnight + open_hour * HOUR_NS
    assert session.close_ns == midnight + close_hour * HOUR_NS


@pytest.mark.parametrize(
    ("date", "following"),
    [
        ("2026-01-17", "2026-01-20"),
        ("2026-04-03", "2026-04-06"),
        ("2025-01-09", "2025-01-10"),
        ("2001-09-11", "2001-09-17"),
        ("2026-12-25", "2026-12-28"),
    ],
)
def test_a_day_on_which_it_is_closed_is_refused_with_the_next_open_one(date, following):
    with pytest.raises(ContractError) as caught:
        market_sessions("XNYS", date, 1)
    assert (caught.value.code, caught.value.loc) == ("SESSION_CLOSED", "/session/first_date")
    assert caught.value.hints == (f"the next session is {following}",)


@pytest.mark.parametrize("date", ["2026-02-30", "0000-01-01", "1989-12-29", "2201-01-05", "x"])
def test_a_day_that_does_not_exist_or_is_not_known_is_refused(date):
    with pytest.raises(ContractError, match="SESSION_DATE_INVALID"):
        market_sessions("XNYS", date, 1)


def test_weekly_expiries_are_fridays_or_the_day_before_a_holiday():
    [session] = market_sessions("XNYS", "2026-03-30", 1)
    assert dates(session, "weekly")[:3] == ["2026-04-02", "2026-04-10", "2026-04-17"]
    assert len(dates(session, "weekly")) == 12


def test_monthly_expiries_are_third_fridays_or_the_day_before_a_holiday():
    [session] = market_sessions("XNYS", "2025-04-01", 1)
    assert dates(session, "monthly")[:3] == ["2025-04-17", "2025-05-16", "2025-06-20"]
    assert len(dates(session, "monthly")) == 12


def test_the_day_of_a_session_is_among_its_expiries():
    [friday] = market_sessions("XNYS", "2026-01-16", 1)
    first = friday.expiries[0]
    assert (first.date, first.close_ns) == ("2026-01-16", friday.close_ns)
    assert (first.is_daily, first.is_weekly, first.is_monthly) == (True, True, True)
    [monday] = market_sessions("XNYS", "2026-01-26", 1)
    assert not monday.expiries[0].is_weekly


def test_an_expiry_on_a_half_day_ends_early():
    [session] = market_sessions("XNYS", "2026-11-23", 1)
    [half] = [one for one in session.expiries if one.date == "2026-11-27"]
    assert half.is_weekly
    assert half.close_ns % (24 * HOUR_NS) == 18 * HOUR_NS


def test_sessions_in_a_row_leave_out_holidays():
    row = market_sessions("XNYS", "2026-01-15", 3)
    assert [one.date for one in row] == ["2026-01-15", "2026-01-16", "2026-01-20"]


@settings(max_examples=40)
@given(st.sampled_from([2008, 2021, 2025]), st.integers(0, 350))
def test_sessions_and_expiries_agree_with_another_library(year, number):
    day = datetime.date(year, 1, 2) + datetime.timedelta(number)
    while not is_open(day):
        day += datetime.timedelta(1)
    [session] = market_sessions("XNYS", day.isoformat(), 1)
    ahead = [one for one in (day + datetime.timedelta(n) for n in range(40)) if is_open(one)]
    assert dates(session, "daily") == [one.isoformat() for one in ahead[:DAILIES]]
    assert session.expiries == tuple(sorted(session.expiries, key=lambda one: one.date))
    for kind in ("weekly", "monthly"):
        found = [datetime.date.fromisoformat(text) for text in dates(session, kind)]
        assert len(found) == 12
        for one in found:
            friday = one + datetime.timedelta(4 - one.weekday())
            between = [one + datetime.timedelta(n) for n in range(1, (friday - one).days + 1)]
            assert is_open(one)
            assert not any(is_open(later) for later in between)
            assert kind == "weekly" or 15 <= friday.day <= 21


@pytest.mark.parametrize("date", ["1990-01-02", "2200-12-31"])
def test_the_first_and_the_last_year_have_all_expiries(date):
    [session] = market_sessions("XNYS", date, 1)
    assert [len(dates(session, kind)) for kind in ("daily", "weekly", "monthly")] == [10, 12, 12]
