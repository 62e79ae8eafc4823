"""The oracle gives what was worked out by hand from docs/backtest.md, bar by bar.

The oracle under test is tests/oracles/backtest.py; the engine is held to the same scenarios in
tests/engine/backtest/test_orders.py and compared with the oracle on random strategies in
test_agreement.py there.
"""

import pytest

from tests.oracles import backtest as oracle
from tests.oracles import hand_accounts, hand_orders
from tests.oracles.hand_case import BUY, SELL, Case

CASES = hand_orders.CASES | hand_accounts.CASES


def run(case: Case) -> oracle.Run:
    columns = {name: values.tolist() for name, values in case.columns.items()}
    return oracle.run(case.document, columns, case.flat_settings)


def test_no_scenario_hides_another():
    assert len(CASES) == len(hand_orders.CASES) + len(hand_accounts.CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_scenario_ends_as_worked_out(name):
    case = CASES[name]
    found = run(case)
    prices = [(fill.bar, fill.side, pytest.approx(fill.price), fill.reason) for fill in found.fills]
    assert prices == case.fills
    assert [fill.qty for fill in found.fills] == pytest.approx(case.sizes or [1] * len(case.fills))
    assert (found.rejected, found.conflicts) == (case.rejected, case.conflicts)
    assert case.cash is None or found.cash[-1] == pytest.approx(case.cash)


def test_decisions_fees_slippage_and_profits_are_written_down():
    case = Case(
        [BUY, SELL], [1, 2], [100, 200, 110], [], settings={"fee_bps": 50.0, "base_bps": 100.0}
    )
    found = run(case)
    assert found.decisions == [0, 1, -1]
    bought, sold = found.fills
    assert (bought.price, sold.price) == pytest.approx((202, 108.9))
    assert (bought.fee, sold.fee) == pytest.approx((1.01, 0.5445))
    assert (bought.slippage, sold.slippage) == pytest.approx((2, 1.1))
    assert (bought.realised_pnl, sold.realised_pnl) == pytest.approx((0, 108.9 - 202))
    assert found.equity == pytest.approx([1000, 1000 - 202 - 1.01 + 200, 1000 - 93.1 - 1.5545])
    assert found.qty == [0, 1, 0]


def test_recovery_is_open_if_the_longest_one_is():
    # Below the first peak for 2 bars, below the second for 1 or 3 up to the end.
    for last, wanted in (([104], (2, False)), ([104, 103, 104], (3, True))):
        equity = [99.0, 98.0, 105.0, *last]
        ts_ns = [60_000_000_000 * t for t in range(len(equity))]
        found = oracle.measure(oracle.Run(equity=equity, qty=[1] * len(equity)), ts_ns, 100.0, 1440)
        assert (found["recovery_bars"], found["recovery_open"]) == wanted
