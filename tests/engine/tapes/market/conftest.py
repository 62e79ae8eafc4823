"""Tapes that several test files look at, made once."""

import pytest

from tests.engine.tapes.market.markets import Made, make, market_spec


@pytest.fixture(scope="session")
def busy() -> Made:
    """Twenty minutes of three symbols with bursts of every kind."""
    return make(market_spec(seconds=1200, flow={"bursts_per_minute": 30.0}), 1)


@pytest.fixture(scope="session")
def plain() -> Made:
    """Five minutes, as many bursts as usual."""
    return make(market_spec(seconds=300), 3)
