"""Trades of the engine and their figures are those of the oracle, and the golden ones under ``v1``.

Series drawn at random with holes in the prices, all modes, barriers, holds and cooldowns. The
oracle is tests/oracles/barrier_trades.py; signals are held against theirs in
test_against_oracle.py.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.signals.barriers import Market
from engine.signals.evaluate import Evaluator, Rule, Terms
from tests.oracles import barrier_trades as trades
from tests.oracles import signal_golden as golden


def trades_market(seed: int, bins: int, holes: float, tick: float) -> trades.Market:
    """A walk on half ticks with bins that have no price; the spread is that of every bin."""
    rng = np.random.default_rng(seed)
    mid = 500.0 + np.cumsum(rng.integers(-3, 4, bins)) * tick / 2
    mid[rng.random(bins) < holes] = 0.0
    ts_ns = 10**18 + np.cumsum(rng.integers(1, 400, bins)) * 1_000_000
    spread = rng.integers(1, 6, bins).astype(float)
    return trades.Market(ts_ns.tolist(), mid.tolist(), tick, None, spread.tolist())


def engine_market(on: trades.Market, *, spread: float | None = None) -> Market:
    of_bins = on.spread_ticks if spread is None else [spread] * len(on.mid)
    return Market(
        np.array(on.mid), np.array(of_bins, np.float64), np.array(on.ts_ns, np.int64), on.tick
    )


def evaluator(on: trades.Market, rule: trades.Rule) -> Evaluator:
    v2 = rule.compat == "v2"
    terms = Terms(
        max_hold_bins=rule.max_hold_bins,
        first_bin=rule.first_bin,
        single=v2 and rule.positions == "single",
        at_barrier=v2,
        extra_ticks=2 * rule.fee_ticks + 2 * rule.slippage_ticks if v2 else 0.0,
    )
    spread = None if rule.spread == "quoted" else float(rule.spread)
    market = engine_market(on, spread=spread if v2 else 0.0)
    return Evaluator(market, terms, [(rule.tp_ticks, rule.sl_ticks)])


def rule_of(rule: trades.Rule) -> Rule:
    return Rule(rule.threshold, rule.tp_ticks, rule.sl_ticks, rule.cooldown_bins)


def assert_agreement(values: list, on: trades.Market, rule: trades.Rule) -> int:
    """Hold trades and figures against the oracle; the number of trades."""
    wanted = trades.account(values, on, rule)
    ours = evaluator(on, rule)
    array = np.array([math.nan if value is None else value for value in values], np.float64)
    found = ours.trades(array, rule_of(rule), rule.mode)
    rows = zip(found["bin_idx"], found["direction"], found["outcome"], strict=True)
    assert [(int(i), direction, outcome) for i, direction, outcome in rows] == [
        (each.bin_idx, "up" if each.direction > 0 else "down", each.outcome)
        for each in wanted.trades
    ]
    for name in ("entry_price", "outcome_price", "time_to_outcome_ms"):
        assert np.array_equal(found[name], [getattr(each, name) for each in wanted.trades]), name
    for name in ("pnl_ticks", "cost_ticks"):
        theirs = [getattr(each, name) for each in wanted.trades]
        assert np.allclose(found[name], theirs, rtol=0, atol=1e-9), name
    figures = trades.figures(wanted, on, rule.compat)
    assert_same_figures(ours.run(array, [rule_of(rule)], rule.mode), figures, rule.compat)
    return len(wanted.trades)


def assert_same_figures(found, figures: dict, compat: str) -> None:
    counts, columns = found.counts[0].tolist(), found.columns
    assert counts[:3] == [figures[name] or 0 for name in ("n_signals", "n_up", "n_down")]
    if compat == "v2":
        assert counts[-1] == figures["unpriced"]
    for name, value in figures.items():
        if name in columns:
            wanted = math.nan if value is None else value
            assert columns[name][0] == pytest.approx(wanted, rel=1e-12, abs=1e-12, nan_ok=True)


@given(
    seed=st.integers(0, 2**32 - 1),
    bins=st.sampled_from([2, 40, 250]),
    holes=st.sampled_from([0.0, 0.1, 0.8]),
    mode=st.sampled_from(["signal", "probability", "confidence"]),
    compat=st.sampled_from(["v1", "v2"]),
    positions=st.sampled_from(["single", "overlapping"]),
    barriers=st.sampled_from([(4, 2), (2, 2), (1, 6), (12, 9)]),
    max_hold_bins=st.sampled_from([1, 2, 15, 1000]),
    cooldown_bins=st.sampled_from([1, 3, 30]),
    first_bin=st.sampled_from([0, 1, 17]),
    spread=st.sampled_from(["quoted", 0.0, 1.5]),
)
@settings(max_examples=150, deadline=None)
def test_trades_on_random_series_with_holes_are_those_of_the_oracle(
    seed, bins, holes, mode, compat, barriers, **rule
):
    rng = np.random.default_rng(seed)
    drawn_values = rng.normal(0, 0.5, bins) if mode != "probability" else rng.random(bins)
    values = np.round(drawn_values, 1)
    values[rng.random(bins) < 0.2] = math.nan
    first_bin = min(rule.pop("first_bin"), bins - 1)
    assert_agreement(
        values.tolist(),
        trades_market(seed, bins, holes, 0.25),
        trades.Rule(
            threshold=0.6 if mode == "probability" else 0.3,
            tp_ticks=barriers[0],
            sl_ticks=barriers[1],
            mode=mode,
            compat=compat,
            first_bin=first_bin,
            fee_ticks=0.35,
            slippage_ticks=0.5,
            **rule,
        ),
    )


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize("positions", ["single", "overlapping"])
def test_trades_on_a_tick_that_is_no_power_of_two_are_those_of_the_oracle(positions, holes):
    values = np.round(np.random.default_rng(3).normal(0, 0.5, 800), 1).tolist()
    rule = trades.Rule(0.3, 3, 2, 40, 10, 2, positions=positions, fee_ticks=0.1)
    assert assert_agreement(values, trades_market(4, 800, holes, 0.25), rule) > 50
    assert assert_agreement(values, trades_market(4, 800, holes, 0.01), rule) > 50


@pytest.mark.parametrize("mode", ["signal", "probability", "confidence"])
def test_every_row_of_the_golden_summary_is_reproduced(mode):
    series, predictions = golden.table("harness_series"), golden.predictions()[mode]
    on = trades.Market(series["ts_ns"].tolist(), series["mid_price"].tolist(), 0.25)
    array = np.array([math.nan if value is None else value for value in predictions], np.float64)
    for row in golden.settings():
        if row["mode"] != mode:
            continue
        names = ("threshold", "tp_ticks", "sl_ticks", "max_hold_bins", "cooldown_bins")
        rule = trades.Rule(
            **{name: row[name] for name in names},
            first_bin=row["warmup_bins"],
            mode=mode,
            compat="v1",
        )
        found = evaluator(on, rule).run(array, [rule_of(rule)], mode)
        assert found.counts[0, :3].tolist() == [
            row[name] or 0 for name in ("n_signals", "n_up", "n_down")
        ]
        for name in row.keys() & found.columns.keys():
            value = found.columns[name][0]
            assert value == row[name] or (math.isnan(value) and math.isnan(row[name])), name
