"""A batch: what shares a call changes nothing, and no decision sees a later bar.

What one evaluation gives is tested in test_agreement.py.
"""

import dataclasses

import numpy as np
import pytest

from engine.backtest import Evaluation, Outcome, run
from tests.engine.backtest.cases import (
    LONG_SHORT,
    crossover,
    curves,
    dataset,
    digest,
    evaluation,
    outcome,
)
from tests.properties.strategies import bars, document

COSTS = {"fee_bps": 1.0, "base_bps": 1.0, "k_vol": 0.5}
RULES = [
    [
        {"if": "crossover(ma(close, fast), ma(close, 9))", "then": "buy"},
        {"if": "crossunder(ma(close, fast), ma(close, 9))", "then": "sell"},
    ],
    [{"if": "close > lag(high, 1)", "then": "buy"}, {"if": "close < lag(low, 1)", "then": "sell"}],
    [
        {"if": "ma(volume, 5) > volume and close > open", "then": "buy"},
        {"if": "not close > ma(close, 30)", "then": "close"},
    ],
]
LENGTHS = (300, 40, 700, 2, 150)


def batch() -> tuple[list, list[Evaluation]]:
    """Datasets of several lengths, and every strategy at two delays on each."""
    data = [
        dataset(bars(kind, count, seed))
        for seed, (kind, count) in enumerate(
            zip(("walk", "jumps", "walk", "up", "coarse"), LENGTHS, strict=True)
        )
    ]
    asked = [
        evaluation(document(rules, LONG_SHORT), COSTS | {"bar_delay": delay}, index)
        for index in range(len(data))
        for rules in RULES
        for delay in (1, 2)
    ]
    return data, asked


def digests(found: list[Outcome]) -> list[str]:
    return [digest(one) for one in found]


def test_a_batch_gives_what_its_evaluations_give_one_by_one():
    data, asked = batch()
    alone = [digest(run(data, [one])[0]) for one in asked]
    assert digests(run(data, asked)) == alone
    assert digests(run(data, asked[::-1])) == alone[::-1]
    assert len(set(alone)) > 20


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_byte(threads):
    data, asked = batch()
    assert digests(run(data, asked * 5, threads)) == digests(run(data, asked * 5))


def test_curves_are_kept_only_where_asked_and_are_nobody_elses():
    data, asked = batch()
    quiet = [dataclasses.replace(one, keep_curves=False) for one in asked]
    loud = run(data, asked)
    for one, other in zip(run(data, quiet), loud, strict=True):
        assert one.curves is None
        assert one.report == other.report
        assert (one.fills, one.final_equity) == (other.fills, other.final_equity)
    before = digests(loud)
    run(data, asked[::-1])
    assert digests(loud) == before


def test_an_empty_batch_gives_nothing():
    assert run([], []) == []
    assert run([], [], 2) == []


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("delay", [0, 1, 3])
def test_bars_after_a_bar_change_nothing_up_to_it(rules, delay):
    strategy, cost = document(rules, LONG_SHORT), COSTS | {"bar_delay": delay}
    columns, others = bars("walk", 300, 8), bars("jumps", 300, 9)
    whole = curves(outcome(strategy, columns, cost))
    for cut in (2, 3, 57, 150, 256, 257, 299):
        mixed = {
            name: np.append(values[:cut], others[name][cut:]) for name, values in columns.items()
        }
        short = {name: values[:cut] for name, values in columns.items()}
        for changed in (mixed, short):
            found = curves(outcome(strategy, changed, cost))
            for name in ("equity", "cash", "qty"):
                assert found[name][:cut].tobytes() == whole[name][:cut].tobytes()
            early = [rows[rows[:, 0] < cut] for rows in (found["trades"], whole["trades"])]
            assert early[0].tobytes() == early[1].tobytes()
    assert len(whole["trades"]) > 10


def test_the_crossover_does_not_see_later_bars_either():
    columns = bars("walk", 3000, 11)
    whole = curves(outcome(crossover(), columns, COSTS))
    for cut in range(150, 3000, 475):
        found = curves(outcome(crossover(), {k: v[:cut] for k, v in columns.items()}, COSTS))
        assert found["equity"].tobytes() == whole["equity"][:cut].tobytes()
    assert len(whole["trades"]) > 20
