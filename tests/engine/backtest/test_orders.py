"""The engine gives what was worked out by hand: orders, exits, cooldowns, sizes and slippage.

The scenarios are in tests/oracles/hand_orders.py and hand_accounts.py, where the oracle is held to
them too. Random strategies against the oracle are in test_agreement.py.
"""

import numpy as np
import pytest

from engine.backtest import audit
from tests.engine.backtest.cases import curves, outcome, reason
from tests.oracles import hand_accounts, hand_orders

CASES = hand_orders.CASES | hand_accounts.CASES
EXACT = 1e-12
TRADES = ("bar", "side", "qty", "price", "fee")


@pytest.mark.parametrize("name", CASES)
def test_a_scenario_ends_as_worked_out(name):
    case = CASES[name]
    found = outcome(case.document, case.columns, case.flat_settings)
    kept = curves(found)
    rows = kept["trades"].tolist()
    told = [(row[0], row[1], pytest.approx(row[3], rel=EXACT), reason(row[7])) for row in rows]
    assert told == case.fills
    sizes = case.sizes or [1] * len(case.fills)
    assert [row[2] for row in rows] == pytest.approx(sizes, rel=EXACT)
    assert (found.rejected_orders, found.conflicts) == (case.rejected, case.conflicts)
    assert case.cash is None or kept["cash"][-1] == pytest.approx(case.cash, rel=EXACT)


@pytest.mark.parametrize("name", CASES)
def test_the_books_of_a_scenario_are_in_order(name):
    case = CASES[name]
    kept = curves(outcome(case.document, case.columns, case.flat_settings))
    trades = dict(zip(TRADES, kept["trades"].T, strict=False))
    audit(
        case.columns["close"], kept["equity"], kept["cash"], kept["qty"], trades, 1000.0,
        allow_short=case.risk.get("allow_short", False), max_margin=case.risk.get("max_margin", 0),
    )  # fmt: skip
    assert np.isfinite(kept["equity"]).all()
