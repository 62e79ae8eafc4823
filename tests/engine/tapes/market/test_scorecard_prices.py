"""Statistics of prices, arrivals and smiles on streams whose law is known."""

import numpy as np
import pytest

from contracts.tape_bands import BAND
from engine.tapes.market.scorecard import Scorecard
from tests.engine.tapes.market.drawn_streams import (
    DAY_NS,
    MINUTE_NS,
    OPEN_NS,
    SECOND_NS,
    batch_of,
    columns_of,
    contract_columns,
    empty,
    spec_of,
)
from tests.oracles.option_statistics import Listed

NAMES = ("SPY", "MSFT", "UNH", "TSLA")
LOOKS = 2340
NOTHING = contract_columns([])


def quotes_of(spec, paths, spread=100):
    """A quote of every symbol every ten seconds, half a second before it is looked at."""
    rows = []
    for symbol, path in enumerate(paths):
        mids = np.rint(np.exp(path) * 1e5).astype(np.int64) * 100
        for day, session in enumerate(spec.sessions):
            at = session.open_ns + np.arange(LOOKS + 1) * 10 * SECOND_NS - SECOND_NS // 2 + symbol
            at[0] = session.open_ns + 1 + symbol
            part = mids[day * LOOKS : day * LOOKS + LOOKS + 1]
            width = np.broadcast_to(spread, part.shape)
            rows.append((at, np.full(len(at), symbol), part, part + width))
    ts, symbol, bid, ask = (np.concatenate(column) for column in zip(*rows, strict=True))
    columns = {"ts_ns": ts, "ingest_ns": ts + 1, "seq": (ts - spec.start_ns) * 512 + symbol}
    sizes = {"bid_size": np.ones(len(ts)), "ask_size": np.ones(len(ts))}
    rest = {"symbol": symbol, "bid_ticks": bid, "ask_ticks": ask, **sizes}
    return columns_of("equity_quotes", {**columns, **rest})


def walk(rng, sessions, vol, shocks=None):
    """A log price every ten seconds whose steps have the deviations `vol`."""
    n = sessions * LOOKS + 1
    shocks = rng.normal(size=n) if shocks is None else shocks
    return np.cumsum(shocks * vol)


def values_of(paths, sessions, spread=100):
    spec = spec_of(NAMES[: len(paths)], minutes=(390,) * sessions)
    card = Scorecard(spec)
    streams = {"equity_quotes": quotes_of(spec, paths, spread)}
    card.add(batch_of(spec.start_ns, spec.end_ns, **streams), NOTHING)
    return card.values()


def test_independent_normal_returns_are_a_martingale_without_tails_or_clusters():
    rng = np.random.default_rng(1)
    found = values_of([walk(rng, 20, 2e-4) for _ in range(4)], 20)
    for minutes in (5, 10, 30, 60):
        assert found[f"variance_ratio_{minutes}m"] == pytest.approx(1.0, abs=0.1)
    assert found["return_acf_1m"] == pytest.approx(0.0, abs=0.02)
    assert found["return_ljung_box_p"] > 1e-3
    assert found["excess_kurtosis_1m"] == pytest.approx(0.0, abs=0.1)
    assert found["abs_return_acf_20m"] == pytest.approx(0.0, abs=0.02)
    assert found["clock_free_acf_20m"] == pytest.approx(0.0, abs=0.02)
    assert found["leverage_correlation"] == pytest.approx(0.0, abs=0.05)
    assert found["open_midday_volatility"] == pytest.approx(1.0, abs=0.05)
    assert found["return_tail_index"] > 5


def test_returns_that_come_back_or_go_on_leave_the_variance_ratios():
    rng = np.random.default_rng(2)
    level = np.zeros(10 * LOOKS + 1)
    for k in range(1, len(level)):
        level[k] = 0.99 * level[k - 1] + rng.normal(0, 2e-4)
    found = values_of([level], 10)
    assert found["variance_ratio_60m"] < 0.4
    trend = np.repeat(rng.normal(0, 2e-4, 10 * LOOKS // 180 + 1), 180)[: 10 * LOOKS + 1]
    found = values_of([np.cumsum(trend + rng.normal(0, 2e-4, len(trend)))], 10)
    assert found["variance_ratio_30m"] > 2.0
    assert found["return_ljung_box_p"] < 1e-4


def test_volatility_that_only_follows_the_clock_is_told_from_one_that_clusters():
    rng = np.random.default_rng(3)
    clock = 1e-4 * np.tile(0.5 + 3 * np.exp(-np.arange(LOOKS) / 300), 12)
    clock = np.append(clock, clock[-1])
    by_clock = values_of([walk(rng, 12, clock) for _ in range(4)], 12)
    slow = np.zeros(12 * LOOKS + 1)
    for k in range(1, len(slow)):
        slow[k] = 0.998 * slow[k - 1] + rng.normal(0, 0.04)
    by_cluster = values_of([walk(rng, 12, 1e-4 * np.exp(slow)) for _ in range(4)], 12)
    assert by_clock["abs_return_acf_20m"] > BAND["abs_return_acf_20m"].low
    assert by_clock["clock_free_acf_20m"] == pytest.approx(0.0, abs=0.02)
    assert by_clock["open_midday_volatility"] > 2.0
    assert by_cluster["clock_free_acf_20m"] > 0.1
    assert by_cluster["excess_kurtosis_1m"] > 2.0
    assert by_cluster["return_ljung_box_p"] > 1e-3


def test_returns_that_share_a_factor_do_not_fail_the_joint_test():
    rng = np.random.default_rng(4)
    common = rng.normal(size=6 * LOOKS + 1)
    paths = [walk(rng, 6, 2e-4, common + 0.2 * rng.normal(size=len(common))) for _ in range(4)]
    assert values_of(paths, 6)["return_ljung_box_p"] > 1e-3


def test_falls_that_raise_volatility_and_spreads_that_follow_it_are_seen():
    rng = np.random.default_rng(5)
    shocks, heat = rng.normal(size=8 * LOOKS + 1), np.zeros(8 * LOOKS + 1)
    for k in range(1, len(heat)):
        heat[k] = 0.98 * heat[k - 1] - 0.05 * shocks[k - 1]
    spread = (100 * np.rint(4 * np.exp(heat[: LOOKS + 1]))).astype(np.int64).clip(100, 900)
    paths = [walk(rng, 8, 2e-4 * np.exp(heat), shocks) for _ in range(2)]
    assert values_of(paths, 8)["leverage_correlation"] < -0.1
    one_day = [path[: LOOKS + 1] for path in paths]
    assert values_of(one_day, 1, spread)["spread_volatility_correlation"] > 0.3
    assert values_of(paths, 8)["one_cent_share"] == 1.0


def trades_of(spec, ts, **columns):
    """Lit trades of one symbol at the bid, or as said."""
    n = len(ts)
    rows = {
        "ts_ns": ts,
        "ingest_ns": ts + 1,
        "seq": (ts - spec.start_ns) * 512 + 7,
        "symbol": np.zeros(n),
        "price_ticks": np.full(n, 100_000),
        "size": np.full(n, 100),
        "exchange": np.zeros(n),
        "condition": np.zeros(n),
        "off_exchange": np.zeros(n),
        "ref_seq": np.zeros(n),
    }
    return columns_of("equity_prints", {**rows, **columns})


def arrivals_of(ts, spec=None, **columns):
    spec = spec or spec_of(("MSFT",), minutes=(390,))
    card = Scorecard(spec)
    quote = {
        "ts_ns": np.array([spec.start_ns]),
        "ingest_ns": np.array([spec.start_ns + 1]),
        "seq": np.array([1]),
        "symbol": np.zeros(1),
        "bid_ticks": np.array([100_000]),
        "ask_ticks": np.array([100_200]),
        "bid_size": np.ones(1),
        "ask_size": np.ones(1),
    }
    streams = {
        "equity_quotes": columns_of("equity_quotes", quote),
        "equity_prints": trades_of(spec, ts, **columns),
    }
    card.add(batch_of(spec.start_ns, spec.end_ns, **streams), NOTHING)
    return card.values()


def test_poisson_arrivals_are_neither_clustered_nor_shaped():
    rng = np.random.default_rng(6)
    length = 390 * MINUTE_NS
    ts = OPEN_NS + 1 + np.unique(rng.integers(0, length - 1, 20_000))
    found = arrivals_of(ts)
    assert found["arrival_variation"] == pytest.approx(1.0, abs=0.03)
    assert found["fano_1s"] == pytest.approx(1.0, abs=0.05)
    assert found["midday_trade_rate"] == pytest.approx(1.0, abs=0.05)
    assert found["open_midday_trades"] == pytest.approx(1.0, abs=0.1)
    assert found["edge_volume_share"] == pytest.approx(60 / 390, abs=0.01)


def test_arrivals_that_call_forth_others_are_clustered():
    rng = np.random.default_rng(7)
    parents = OPEN_NS + 1 + rng.integers(0, 389 * MINUTE_NS, 4_000)
    children = np.repeat(parents, 4) + rng.integers(0, 200_000_000, 16_000)
    found = arrivals_of(np.unique(np.concatenate([parents, children])))
    assert found["arrival_variation"] > 1.8
    assert found["fano_1s"] > 3.5


def test_signs_that_persist_as_a_power_have_its_exponent():
    rng = np.random.default_rng(8)
    lengths = (rng.pareto(1.5, 60_000) + 1).astype(np.int64)
    sides = np.repeat(rng.choice((-1, 1), 60_000), lengths)[:120_000]
    ts = OPEN_NS + 2 + np.arange(len(sides)) * 190_000_000
    prices = 100_100 + 100 * sides
    found = arrivals_of(ts, price_ticks=prices)
    assert found["sign_acf_least"] > 0.0
    assert found["sign_acf_exponent"] == pytest.approx(0.5, abs=0.2)
    assert found["response_10"] == 0.0
    shuffled = arrivals_of(ts, price_ticks=rng.permutation(prices))
    assert shuffled["sign_acf_least"] < 0.0


def test_trades_at_the_mid_take_the_sign_of_the_last_change_of_price():
    spec = spec_of(("MSFT",), minutes=(390,))
    ts = OPEN_NS + 2 + np.arange(4_000) * SECOND_NS
    prices = np.where(np.arange(4_000) % 2 == 0, 100_000, 100_100)
    found = arrivals_of(ts, spec, price_ticks=prices)
    assert found["sign_acf_least"] == pytest.approx(-1.0, abs=1e-3)


@pytest.mark.parametrize(("slope", "ordered"), [(-0.5, 1.0), (0.5, 0.0), (0.0, 0.0)])
def test_smiles_are_read_between_strikes(slope, ordered):
    spec = spec_of(("MSFT",), minutes=(60,))
    listed = [
        Listed(0, OPEN_NS + 28 * DAY_NS, strike, is_put)
        for strike in range(80_000, 120_001, 3_000)
        for is_put in (False, True)
    ]
    n = len(listed)
    ts = OPEN_NS + 10 + np.arange(n)
    strikes = np.array([one.strike for one in listed])
    iv = np.rint((0.3 + slope * (strikes / 100_100 - 1.0)) * 1e6)
    rows = {
        "ts_ns": ts,
        "ingest_ns": ts,
        "seq": (ts - spec.start_ns) * 512 + 3,
        "contract": np.arange(n),
        "bid_ticks": np.full(n, 1000),
        "ask_ticks": np.full(n, 1100) + 5 * np.abs(strikes - 100_100) // 1000 * 100,
        "bid_size": np.ones(n),
        "ask_size": np.ones(n),
        "iv_ppm": iv,
    }
    quote = {**empty("equity_quotes")}
    quote = {name: np.ones(1) for name in quote}
    quote |= {"ts_ns": ts[:1] - 1, "seq": np.array([1]), "symbol": np.zeros(1)}
    quote |= {"bid_ticks": np.array([100_000]), "ask_ticks": np.array([100_200])}
    card = Scorecard(spec)
    streams = {
        "equity_quotes": columns_of("equity_quotes", quote),
        "option_nbbo": columns_of("option_nbbo", rows),
    }
    card.add(batch_of(spec.start_ns, spec.end_ns, **streams), contract_columns(listed))
    found = card.values()
    assert found["put_skew"] == pytest.approx((0.3 - 0.05 * slope) / 0.3, abs=1e-4)
    assert found["call_skew"] == pytest.approx((0.3 + 0.05 * slope) / 0.3, abs=1e-4)
    assert found["skew_ordered_share"] == ordered
    assert found["width_far_per_near"] > 1.5
