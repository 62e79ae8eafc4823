"""Rates: a bucket for each client, refilled by the clock; over real sockets, 429 and 1013."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from islandflow_jobs.serve.access import LOOPBACK, Access
from islandflow_jobs.serve.app import Serving
from islandflow_jobs.serve.rates import (
    MAX_CLIENTS,
    Rate,
    Rates,
    client_of,
)
from tests.islandflow_jobs.serve.published import ALIAS
from tests.islandflow_jobs.serve.served import FAST, connected, read, serving
from tests.islandflow_jobs.serve.test_rest import ask


class Clock:
    def __init__(self):
        self.now_s = 1_000.0

    def __call__(self):
        return self.now_s


def allowed(rates, address):
    return rates.take(address) == 0


@given(
    st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60),
    st.sampled_from([0.5, 1.0, 4.0]),
    st.integers(1, 5),
)
def test_in_any_stretch_of_time_a_client_gets_no_more_than_its_burst_and_its_rate(
    pauses_s, per_second, burst
):
    clock = Clock()
    rates = Rates(Rate(per_second, burst), clock)
    taken_s = []
    for pause_s in pauses_s:
        clock.now_s += pause_s
        if allowed(rates, "192.0.2.1"):
            taken_s.append(clock.now_s)
    for first, last in itertools.combinations(range(len(taken_s)), 2):
        most = burst + (taken_s[last] - taken_s[first]) * per_second
        assert last - first + 1 <= most + 1e-6
    clock.now_s += burst / per_second + 1e-6
    assert [allowed(rates, "192.0.2.1") for _ in range(burst)] == [True] * burst


def test_who_waits_as_long_as_told_may_ask_again():
    clock = Clock()
    rates = Rates(Rate(0.25, 1), clock)
    rates.take("192.0.2.1")
    wait_s = rates.take("192.0.2.1")
    assert wait_s == 4
    clock.now_s += wait_s
    assert allowed(rates, "192.0.2.1")


def test_clients_do_not_share_a_bucket_but_addresses_of_one_network_do():
    rates = Rates(Rate(1.0, 1), Clock())
    assert allowed(rates, "192.0.2.1")
    assert allowed(rates, "192.0.2.2")
    assert allowed(rates, "2001:db8::1")
    assert not allowed(rates, "2001:db8::2")
    assert not allowed(rates, "::ffff:192.0.2.1")
    assert client_of("no address" * 100) == ("no address" * 100)[:64]


def test_a_flood_of_addresses_takes_no_more_memory():
    rates = Rates(Rate(1.0, 1), Clock())
    for number in range(MAX_CLIENTS + 100):
        rates.take(f"10.0.{number >> 8}.{number & 255}")
    assert len(rates._buckets) == MAX_CLIENTS


def test_without_a_rate_everybody_may_ask_as_often_as_they_like():
    rates = Rates(Rate(0.0, 1), Clock())
    assert {allowed(rates, "192.0.2.1") for _ in range(1_000)} == {True}


@pytest.fixture(scope="module")
def slow(home):
    """A server that answers five times and then for a while no more."""
    how = Serving(Access(LOOPBACK, "secret"), FAST, hello_s=0.2, rate=Rate(0.02, 5))
    with serving(home.resources, how) as address:
        yield address


def test_who_asks_too_often_is_told_when_to_come_back(slow):
    guesses = [ask(slow, "/v1/serving", authorization=f"Bearer {n}")[0] for n in range(5)]
    assert guesses == [401] * 5
    status, headers, answer = ask(slow, "/v1/serving", authorization="Bearer secret")
    assert (status, answer["error"]["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(headers["retry-after"]) <= 50
    with connected(slow, f"?serving={ALIAS}") as client:
        stream = read(client)
    assert stream.code == 1013
    assert "asks too often" in stream.reason
