"""The engine's account is vectorbt's on 300 random series and strategies, with costs and no delay.

vectorbt gets the decisions of tests/oracles/expressions.py and none of the engine's; how it is
asked, and what it cannot say, is told in tests/oracles/vectorbt_portfolio.py. Orders, exits, margin
and lots are compared with the oracle in test_agreement.py.
"""

from typing import NamedTuple

import numpy as np
import pytest

from tests.engine.backtest.cases import curves, outcome
from tests.oracles import expressions
from tests.oracles.vectorbt_portfolio import VectorbtFill, portfolio
from tests.properties.strategies import LIVELY, Columns, Document, bars, document

pytestmark = pytest.mark.xdist_group("vectorbt")  # imported by one worker

EXACT = 1e-9
BARS = 90
BLOCKS = range(12)
PER_BLOCK = 25
PARAMS = {"fast": 4.0, "level": 100.5}


class Drawn(NamedTuple):
    """A strategy of market orders, its bars, and the costs it pays."""

    strategy: Document
    columns: Columns
    flat: Document


def drawn(seed: int) -> Drawn:
    rng = np.random.default_rng([seed, 300])

    def pick(*values):
        return values[rng.integers(len(values))]

    texts = rng.permutation(LIVELY)[:4].tolist()
    actions = ("buy", "sell", pick("buy", "sell", "close", "hold"), "close")
    rules = [{"if": text, "then": then} for text, then in zip(texts, actions, strict=True)]
    sizing = {"type": "percent_equity", "percent": pick(100, 100, 99.5, 60, 12.5)}
    flat = {
        "initial_cash": pick(1_000.0, 100_000.0), "bar_delay": 0, "k_vol": 0.0,
        "fee_bps": pick(0.5, 3.0, 25.0), "base_bps": pick(0.5, 2.0, 40.0),
    }  # fmt: skip
    columns = bars(pick("walk", "wide", "gaps", "jumps", "coarse"), BARS, seed)
    return Drawn(
        document(rules, {"sizing": sizing, "allow_short": pick(True, False)}), columns, flat
    )


def decisions(strategy: Document, columns: Columns) -> np.ndarray:
    """What is decided on every bar: the action of the first true rule."""
    trees = [expressions.parse(rule["if"]) for rule in strategy["rules"]]
    plain, memo = {name: values.tolist() for name, values in columns.items()}, {}
    decided = []
    for bar in range(BARS):
        true = [
            rule["then"]
            for rule, tree in zip(strategy["rules"], trees, strict=True)
            if expressions.value_at(tree, bar, plain, PARAMS, memo) is True
        ]
        decided.append(true[0] if true else "hold")
    return np.array(decided)


def theirs(one: Drawn) -> tuple[np.ndarray, list[VectorbtFill]]:
    decided, risk = decisions(one.strategy, one.columns), one.strategy["risk"]
    buys, sales, closings = (decided == action for action in ("buy", "sell", "close"))
    return portfolio(
        one.columns["close"], buys, closings, sales, closings,
        percent=risk["sizing"]["percent"], fee_bps=one.flat["fee_bps"],
        slippage_bps=one.flat["base_bps"], initial_cash=one.flat["initial_cash"],
        allow_short=risk["allow_short"],
    )  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS)
def test_equity_and_fills_are_those_of_vectorbt(block):
    fills = reversals = 0
    for seed in range(block * PER_BLOCK, (block + 1) * PER_BLOCK):
        one = drawn(seed)
        equity, wanted = theirs(one)
        kept = curves(outcome(*one))
        rows = kept["trades"]
        assert rows[:, :2].tolist() == [[fill.bar, fill.side] for fill in wanted], f"seed {seed}"
        amounts = [[fill.qty, fill.price, fill.fee] for fill in wanted]
        np.testing.assert_allclose(rows[:, 2:5], np.reshape(amounts, (-1, 3)), rtol=EXACT, atol=0)
        np.testing.assert_allclose(kept["equity"], equity, rtol=EXACT, atol=0)
        fills += len(wanted)
        reversals += len(wanted) - len({fill.bar for fill in wanted})
    assert fills > 10 * PER_BLOCK
    assert reversals > 2 * PER_BLOCK
