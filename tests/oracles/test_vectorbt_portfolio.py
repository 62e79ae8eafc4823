"""The settings given to vectorbt mean what they should: against a ledger of twenty lines."""

import numpy as np
import pytest

from tests.oracles.vectorbt_portfolio import portfolio

pytestmark = pytest.mark.xdist_group("vectorbt")  # imported by one worker

BUY, SELL, CLOSE = 0, 1, 2
BARS = 200
CASES = [
    (seed, percent, fee_bps, slippage_bps, allow_short, sigma)
    for seed, (percent, fee_bps, slippage_bps) in enumerate(
        [(100, 1, 0.5), (100, 0, 0), (50, 10, 5), (7.5, 25, 40), (99.9, 100, 0)]
    )
    for allow_short in (True, False)
    for sigma in (0.002, 0.02, 0.1, 0.4, 1.0)
]


def ledger(close, decisions, percent, fee, slip, cash, allow_short):
    """Equity per bar, fills and rejections, from the description alone."""
    held, equity, fills, rejected = 0.0, [], [], 0
    for bar, (mid, decision) in enumerate(zip(close, decisions, strict=True)):
        wanted = {BUY: 1, SELL: -1 if allow_short else 0, CLOSE: 0}.get(decision)
        orders = [] if wanted is None or wanted == np.sign(held) else [0, wanted]
        for target in orders:
            side = target or -int(np.sign(held))
            price = mid * (1 + side * slip)
            qty = cash * percent / 100 / (price * (1 + fee)) if target else abs(held)
            if side == 0:
                continue
            after = cash - side * qty * price - qty * price * fee
            if qty <= 0 or after < -1e-9 * max(abs(cash), qty * price):
                rejected += 1
                break
            cash, held = after, held + side * qty if target else 0.0
            fills.append((bar, side, qty, price, qty * price * fee))
        equity.append(cash + held * mid)
    return np.array(equity), fills, rejected


def case(seed, percent, fee_bps, slippage_bps, allow_short, sigma):
    """What the ledger and what vectorbt make of one random walk and its decisions."""
    rng = np.random.default_rng([seed, int(sigma * 1000), allow_short])
    close = 100 * np.exp(np.cumsum(rng.normal(0, sigma, BARS)))
    decisions = rng.choice([BUY, SELL, CLOSE, -1], BARS, p=[0.15, 0.15, 0.05, 0.65])
    expected = ledger(
        close, decisions, percent, fee_bps * 1e-4, slippage_bps * 1e-4, 1e5, allow_short
    )
    buys, sales, closings = (decisions == action for action in (BUY, SELL, CLOSE))
    found = portfolio(
        close,
        buys,
        closings,
        sales,
        closings,
        percent=percent,
        fee_bps=fee_bps,
        slippage_bps=slippage_bps,
        initial_cash=1e5,
        allow_short=allow_short,
    )
    return *expected, *found


@pytest.mark.parametrize(
    ("seed", "percent", "fee_bps", "slippage_bps", "allow_short", "sigma"), CASES
)
def test_vectorbt_fills_as_the_ledger_does(
    seed, percent, fee_bps, slippage_bps, allow_short, sigma
):
    equity, fills, _, their_equity, their_fills = case(
        seed, percent, fee_bps, slippage_bps, allow_short, sigma
    )
    assert len(fills) > 5
    theirs = [(fill.bar, fill.side) for fill in their_fills]
    assert theirs == [fill[:2] for fill in fills]
    amounts = [(fill.qty, fill.price, fill.fee) for fill in their_fills]
    np.testing.assert_allclose(amounts, [fill[2:] for fill in fills], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(their_equity, equity, rtol=1e-9, atol=1e-9)


def test_the_cases_reverse_and_have_closings_that_cannot_be_paid():
    reversals, rejections = 0, 0
    for chosen in CASES:
        _, fills, rejected, _, _ = case(*chosen)
        bars = [fill[0] for fill in fills]
        reversals += len(bars) - len(set(bars))
        rejections += rejected
    assert reversals > 100
    assert rejections > 10
