"""Option quotes that were really emitted, judged by QuantLib and by the audit of arbitrage."""

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from contracts.market import parse_occ
from engine.tapes.market.api import MarketTape
from engine.tapes.market.arbitrage import audit_arbitrage
from tests.engine.tapes.market.markets import market_spec

YEAR_NS = 365 * 86_400 * 1_000_000_000
SAMPLED = 1_500


@pytest.fixture(scope="module")
def quoted(plain):
    """Two-sided quotes that state a volatility, with spot, strike, years and right of each."""
    rows = []
    nbbo = plain["option_nbbo"]
    spots = {name: spot_of(plain, name) for name in plain.spec.symbols}
    closes = dict(
        zip(
            plain["option_contracts"]["contract"],
            plain["option_contracts"]["expiry_ns"],
            strict=True,
        )
    )
    known = np.flatnonzero(nbbo["iv_ppm"] > 0)
    for row in known[:: max(1, len(known) // SAMPLED)]:
        contract = parse_occ(str(nbbo["contract"][row]))
        ts_ns = int(nbbo["ts_ns"][row])
        times, mids = spots[contract.root]
        spot = float(mids[np.searchsorted(times, ts_ns, side="right") - 1])
        years = (int(closes[str(nbbo["contract"][row])]) - ts_ns) / YEAR_NS
        rows.append(
            (
                contract,
                spot,
                years,
                int(nbbo["bid_ticks"][row]),
                int(nbbo["ask_ticks"][row]),
                nbbo["iv_ppm"][row] * 1e-6,
            )
        )
    return rows


def spot_of(tape, symbol):
    """Times and mids of the clean quotes of an underlying, ticks; wide ones are no clean ones."""
    quotes = tape["equity_quotes"]
    mine = quotes["symbol"] == symbol
    bid, ask = quotes["bid_ticks"][mine].astype(float), quotes["ask_ticks"][mine].astype(float)
    width = ask - bid
    clean = (bid > 0) & (width > 0) & (width < 6.5 * np.median(width[width > 0]))
    return quotes["ts_ns"][mine][clean], 0.5 * (bid + ask)[clean]


def black(contract, spot, volatility, years):
    """Price and vega per 1.00 of volatility, from QuantLib."""
    right = ql.Option.Call if contract.right == "C" else ql.Option.Put
    deviation = volatility * math.sqrt(years)
    payoff = ql.PlainVanillaPayoff(right, float(contract.strike_ticks))
    model = ql.BlackCalculator(payoff, spot, deviation)
    return model.value(), model.vega(years)


def tick_at(spec, contract, price):
    """The greater minimum variation on either side of a price, ticks of the tape."""
    kind = next(one.option_tick for one in spec.universe if one.symbol == contract.root)
    below, above = {"penny": (100, 100), "below_3": (100, 500), "nickel": (500, 1000)}[kind]
    return above if price > 30_000 else below


def test_the_stated_volatility_is_that_of_the_mid_within_half_a_tick_of_vega(quoted, plain):
    assert len(quoted) >= SAMPLED
    off = []
    for contract, spot, years, bid, ask, stated in quoted:
        price, vega = black(contract, spot, stated, years)
        tick = tick_at(plain.spec, contract, ask)
        # a millionth of volatility is what the column rounds to
        off.append((abs(price - 0.5 * (bid + ask)) - 1e-6 * vega) / tick)
    assert max(off) <= 0.5, f"worst {max(off):.4f} ticks"


def test_a_volatility_implied_from_the_mid_is_the_stated_one_within_half_a_tick_of_vega(
    quoted, plain
):
    checked = 0
    for contract, spot, years, bid, ask, stated in quoted:
        _, vega = black(contract, spot, stated, years)
        tick = tick_at(plain.spec, contract, ask)
        if vega < 20.0 * tick:  # where vega bends within a tick, no line does
            continue
        right = ql.Option.Call if contract.right == "C" else ql.Option.Put
        deviation = ql.blackFormulaImpliedStdDev(
            right, float(contract.strike_ticks), spot, 0.5 * (bid + ask)
        )
        implied = deviation / math.sqrt(years)
        assert abs(implied - stated) <= 0.55 * tick / vega + 1e-6, (contract, implied, stated)
        checked += 1
    assert checked > SAMPLED // 2


def test_calls_and_puts_keep_parity_within_their_spreads(plain):
    """Judged where the underlying's next quote comes: by then a repriced chain is whole."""
    nbbo = plain["option_nbbo"]
    spots = {name: spot_of(plain, name) for name in plain.spec.symbols}
    standing = {}
    for name, ts_ns, bid, ask, iv in zip(
        nbbo["contract"],
        nbbo["ts_ns"],
        nbbo["bid_ticks"].astype(int),
        nbbo["ask_ticks"].astype(int),
        nbbo["iv_ppm"],
        strict=True,
    ):
        contract = parse_occ(str(name))
        place = int(np.searchsorted(spots[contract.root][0], ts_ns, side="right")) - 1
        pair = (contract.root, contract.expiry, contract.strike_ticks, place)
        standing.setdefault(pair, {})[contract.right] = (bid, ask) if iv else None
    checked = 0
    for (root, expiry, strike, place), quotes in standing.items():
        if quotes.get("C") is None or quotes.get("P") is None:
            continue
        (call_bid, call_ask), (put_bid, put_ask) = quotes["C"], quotes["P"]
        forward = spots[root][1][place] - strike
        assert call_bid - put_ask <= forward <= call_ask - put_bid, (root, expiry, strike, place)
        checked += 1
    assert checked > 1_000


def test_no_clean_quotes_of_a_tape_can_be_arbitraged():
    spec = market_spec(seconds=600)
    tape = MarketTape(spec, 11)
    batches = list(tape.batches())
    report = audit_arbitrage(tape.contract_rows(), len(spec.universe), batches)
    assert min(report.checked.values()) > 10_000
    assert report.ok, report.first


def test_quotes_without_noise_or_delay_would_be_found_if_they_crossed_the_surface():
    """The audit sees the very tape when its bids are lifted over its asks by a few ticks."""
    spec = market_spec(seconds=120)
    tape = MarketTape(spec, 11)
    batches = list(tape.batches())
    for batch in batches:
        nbbo = batch.streams["option_nbbo"]
        nbbo["bid_ticks"][::2] += 4_000
        nbbo["ask_ticks"][::2] += 4_000
    report = audit_arbitrage(tape.contract_rows(), len(spec.universe), batches)
    assert report.violated["parity"] > 0
    assert report.violated["vertical"] > 0
