"""The oracle of trades gives every row of the golden summary, and what was worked out by hand."""

import math

import numpy as np
import pytest

from tests.oracles import signal_golden as golden
from tests.oracles.barrier_trades import (
    NORMAL_QUANTILE,
    Market,
    Rule,
    account,
    figures,
    interval,
)

GOLDEN = golden.settings()
FLAT, UP, DOWN = 0.0, 1.0, -1.0
MS = 1_000_000


def market(mids, valid=None, spread=None, tick=0.5):
    ts_ns = [100 * MS * i for i in range(1, len(mids) + 1)]
    return Market(ts_ns, mids, tick, valid, spread or [1.0] * len(mids))


def rule(**changed):
    wanted = {"threshold": 0.5, "tp_ticks": 4, "sl_ticks": 2, "max_hold_bins": 10}
    return Rule(**(wanted | {"first_bin": 0, "cooldown_bins": 1} | changed))


def outcomes(values, on, **changed):
    found = account(values, on, rule(**changed))
    return [
        (each.bin_idx, each.direction, each.outcome, each.exit_bin, each.outcome_price)
        for each in found.trades
    ]


@pytest.mark.parametrize("mode", ["signal", "probability", "confidence"])
def test_every_row_of_the_golden_summary_is_reproduced_to_the_bit(mode):
    series, values = golden.table("harness_series"), golden.predictions()[mode]
    on = Market(series["ts_ns"].tolist(), series["mid_price"].tolist(), 0.25)
    rows = [row for row in GOLDEN if row["mode"] == mode]
    assert len(rows) > 20
    for row in rows:
        names = ("threshold", "tp_ticks", "sl_ticks", "max_hold_bins", "cooldown_bins")
        by = Rule(
            **{name: row[name] for name in names},
            first_bin=row["warmup_bins"],
            mode=mode,
            compat="v1",
        )
        found = figures(account(values, on, by), on, "v1")
        for name, value in found.items():
            missing = isinstance(row[name], float) and math.isnan(row[name])
            assert math.isnan(value) if missing else value == row[name], (name, row)


def test_the_golden_summary_covers_rows_without_trades_and_exits_at_no_price():
    assert sum(row["n_signals"] == 0 for row in GOLDEN) == 9
    assert all(row["n_up"] is None for row in GOLDEN if row["n_signals"] == 0)
    assert max(row["mean_pnl_ticks"] for row in GOLDEN) > 600


def test_v2_leaves_at_the_barrier_and_v1_at_the_mid():
    mids = [100.0, 101.0, 103.0, 100.0]
    values = [UP, FLAT, FLAT, FLAT]
    assert outcomes(values, market(mids)) == [(0, 1, "tp", 2, 102.0)]
    assert outcomes(values, market(mids), compat="v1") == [(0, 1, "tp", 2, 103.0)]
    assert outcomes([-value for value in values], market(mids)) == [(0, -1, "sl", 1, 101.0)]
    assert outcomes([DOWN, 0, 0, 0], market([100.0, 99, 97, 100])) == [(0, -1, "tp", 2, 98.0)]


def test_v2_prices_no_bin_whose_book_or_mid_is_not_valid():
    mids, values = [100.0, 0.0, 104.0, 100.5, 0.0], [UP, FLAT, FLAT, FLAT, FLAT]
    valid = [True, True, False, True, True]
    on = market(mids, valid)
    assert outcomes(values, on) == [(0, 1, "timeout", 3, 100.5)]
    assert outcomes(values, on, compat="v1") == [(0, 1, "tp", 2, 104.0)]
    still = market([100.0, 0.0, 100.0, 100.5, 0.0])
    assert outcomes(values, still, compat="v1") == [(0, 1, "timeout", 4, 0.0)]
    assert outcomes([FLAT, UP, UP, FLAT, FLAT], on) == []
    assert outcomes([FLAT, UP, DOWN, UP, FLAT], on, compat="v1", cooldown_bins=1)[0][0] == 2


def test_a_trade_with_no_price_to_end_at_is_dropped_and_counted():
    on = market([100.0, 0.0, 0.0, 101.0])
    found = account([UP, FLAT, FLAT, FLAT], on, rule(max_hold_bins=3))
    assert (found.trades, found.unpriced) == ([], 1)
    assert figures(found, on)["unpriced"] == 1
    at_the_end = account([FLAT, FLAT, FLAT, UP], on, rule())
    assert (at_the_end.trades, at_the_end.unpriced) == ([], 1)
    of_v1 = account([FLAT, FLAT, FLAT, UP], on, rule(compat="v1"))
    assert [each.pnl_ticks for each in of_v1.trades] == [0.0]


def test_a_hold_ends_before_its_last_bin():
    mids = [100.0] * 5 + [110.0]
    values = [UP] + [FLAT] * 5
    assert outcomes(values, market(mids), max_hold_bins=5) == [(0, 1, "timeout", 4, 100.0)]
    assert outcomes(values, market(mids), max_hold_bins=6) == [(0, 1, "tp", 5, 102.0)]


def test_one_position_at_a_time_takes_no_entry_before_the_exit_of_the_last():
    mids = [100.0, 100.0, 100.0, 102.0, 102.0, 102.0]
    values = [UP, FLAT, DOWN, UP, FLAT, FLAT]
    assert [each[0] for each in outcomes(values, market(mids))] == [0, 3]
    every = outcomes(values, market(mids), positions="overlapping")
    assert [each[0] for each in every] == [0, 2, 3]
    # What the position suppresses is lost: the state stays up from bin 2 on.
    lost = outcomes([UP, FLAT, UP, UP, UP, UP], market(mids))
    assert [each[0] for each in lost] == [0]


def test_a_cooldown_loses_an_entry_but_not_a_change_of_state():
    mids, values = [100.0] * 8, [UP, FLAT, UP, UP, DOWN, DOWN, FLAT, UP]
    free = {"positions": "overlapping", "max_hold_bins": 2}
    assert [e[0] for e in outcomes(values, market(mids), **free)] == [0, 2, 4]
    assert [e[0] for e in outcomes(values, market(mids), cooldown_bins=3, **free)] == [0, 4]
    assert [e[0] for e in outcomes(values, market(mids), first_bin=3, **free)] == [3, 4]


def test_an_entry_that_cannot_be_priced_takes_the_cooldown():
    mids, values = [0.0, 100.0, 100.0, 100.0, 100.0], [UP, DOWN, FLAT, UP, FLAT]
    assert [e[0] for e in outcomes(values, market(mids), cooldown_bins=3)] == [3]
    assert [e[0] for e in outcomes(values, market(mids), cooldown_bins=1)] == [1]


def test_predictions_enter_by_their_level_and_none_is_no_prediction():
    mids = [100.0] * 6
    free = {"positions": "overlapping", "max_hold_bins": 2, "cooldown_bins": 1}
    odds = [0.6, None, 0.4, math.nan, 0.5, 0.55]
    found = outcomes(odds, market(mids), mode="probability", threshold=0.55, **free)
    assert [each[:2] for each in found] == [(0, 1), (2, -1)]
    sure = [0.3, None, -0.3, 0.1, 0.0, -0.9]
    found = outcomes(sure, market(mids), mode="confidence", threshold=0.2, **free)
    assert [each[:2] for each in found] == [(0, 1), (2, -1)]


def test_costs_are_half_of_both_spreads_with_fees_and_slippage_twice():
    mids, values = [100.0, 100.0, 102.0, 100.0], [UP, FLAT, FLAT, FLAT]
    on = market(mids, spread=[1.0, 2.0, 3.0, 1.0])
    paid = {"fee_ticks": 0.25, "slippage_ticks": 0.5}
    (trade,) = account(values, on, rule(**paid)).trades
    assert (trade.cost_ticks, trade.pnl_ticks) == (0.5 + 1.5 + 0.5 + 1.0, 4 - 3.5)
    (trade,) = account(values, on, rule(spread=1.25, **paid)).trades
    assert (trade.cost_ticks, trade.pnl_ticks) == (2.75, 1.25)
    gaps = market(mids, spread=[math.nan, 2.0, math.nan, 1.0])
    (trade,) = account(values, gaps, rule()).trades
    assert trade.cost_ticks == 0.0 + 1.0


def test_figures_of_v2_add_totals_and_an_interval():
    mids = [100.0, 102.0, 102.0, 101.0, 101.0]
    on = market(mids)
    found = account([UP, FLAT, UP, FLAT, FLAT], on, rule())
    said = figures(found, on)
    assert [each.pnl_ticks for each in found.trades] == [3.0, -3.0]
    assert (said["n_signals"], said["tp_rate"], said["sl_rate"]) == (2, 0.5, 0.5)
    assert (said["total_pnl_ticks"], said["mean_cost_ticks"]) == (0.0, 1.0)
    assert said["events_per_hour"] == pytest.approx(2 / (0.4 / 3600))
    assert said["median_time_to_outcome_ms"] == 100.0
    reach = NORMAL_QUANTILE * math.sqrt(18) / math.sqrt(2)
    assert (said["ci_low"], said["ci_high"]) == pytest.approx((-reach, reach))
    assert interval([1.0]) == {"ci_low": None, "ci_high": None}


def test_a_random_walk_pays_the_barriers_or_what_it_drifted():
    mids = (100 + np.cumsum(np.random.default_rng(5).integers(-1, 2, 400)) * 0.5).tolist()
    values = np.random.default_rng(6).normal(0, 0.6, 400).tolist()
    found = account(values, market(mids), rule(spread=0.0))
    assert {each.outcome for each in found.trades} == {"tp", "sl", "timeout"}
    for each in found.trades:
        within = {"tp": each.pnl_ticks == 4, "sl": each.pnl_ticks == -2}
        assert within.get(each.outcome, -2 < each.pnl_ticks < 4)
    ends = [each.exit_bin for each in found.trades]
    starts = [each.bin_idx for each in found.trades]
    assert all(start >= end for start, end in zip(starts[1:], ends, strict=False))
