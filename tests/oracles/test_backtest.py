"""Scenarios of a few bars, worked out by hand from docs/backtest.md, one for each convention.

The oracle under test is tests/oracles/backtest.py; the engine is compared with it on random
strategies in tests/engine/backtest/test_agreement.py. A volume of k lets rule k − 1 decide, and
0 none; a bar that is one number never moves.
"""

import math

import pytest

from tests.oracles import backtest as oracle

ONE = {"sizing": {"type": "fixed_qty", "qty": 1}}
SHORT = ONE | {"allow_short": True, "max_margin": 10_000}
BUY, SELL, CLOSE, HOLD = ({"then": then} for then in ("buy", "sell", "close", "hold"))


def limit(then, bps=100):
    return {"then": then, "order": {"type": "limit", "offset_bps": bps}}


def stop(then, bps=100):
    return {"then": then, "order": {"type": "stop", "offset_bps": bps}}


def run(rules, asked, bars, risk=ONE, **settings):
    """Run rules on bars of (open, high, low, close), ``asked`` saying which decides on each."""
    wide = [bar if isinstance(bar, tuple) else (bar,) * 4 for bar in bars]
    names = ("open", "high", "low", "close")
    columns = {name: [float(bar[k]) for bar in wide] for k, name in enumerate(names)}
    columns["volume"] = [float(volume) for volume in asked] + [0.0] * (len(bars) - len(asked))
    free = {"fee_bps": 0.0, "base_bps": 0.0, "k_vol": 0.0, "window_bars": 20}
    document = {
        "rules": [{"if": f"volume == {k}", **rule} for k, rule in enumerate(rules, start=1)],
        "risk": risk,
    }
    return oracle.run(document, columns, {"initial_cash": 1000.0, "bar_delay": 1} | free | settings)


def trades(result):
    return [(fill.bar, fill.side, pytest.approx(fill.price), fill.reason) for fill in result.fills]


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_a_market_order_is_filled_at_the_close_delay_bars_later(delay):
    result = run([BUY], [1], [100, 101, 102, (103, 109, 101, 103)], bar_delay=delay)
    assert trades(result) == [(delay, 1, 100 + delay, "rule 0")]
    # 1000 − (100 + d) of cash and one unit worth 103 at the end
    assert result.equity[-1] == 1000 - (100 + delay) + 103


def test_every_decision_in_flight_arrives_for_itself():
    result = run([BUY, CLOSE], [1, 2, 1, 2], [100, 101, 102, 103, 104, 105], bar_delay=2)
    found = [(fill.bar, fill.side, fill.price) for fill in result.fills]
    assert found == [(2, 1, 102), (3, -1, 103), (4, 1, 104), (5, -1, 105)]


def test_a_decision_that_is_already_met_does_nothing_and_a_plain_sell_opens_nothing():
    result = run([BUY, SELL], [2, 1, 1, 2, 2], [100] * 7)
    assert [(fill.bar, fill.side) for fill in result.fills] == [(2, 1), (4, -1)]
    assert result.counts == {"fills": 2, "rejected": 0, "conflicts": 0}


def test_the_first_true_rule_decides_and_another_action_is_a_conflict():
    rules = [
        BUY,
        CLOSE,
        {"if": "volume >= 1", "then": "buy"},
        {"if": "volume == 2", "then": "hold"},
    ]
    # bar 0: buy, buy; bar 1: close, buy, hold is one conflict; bar 2: nothing; bar 3: buy, buy
    result = run(rules, [1, 2, 0, 1], [100] * 5)
    assert result.decisions == [0, 1, -1, 0, -1]
    assert result.conflicts == 1


def test_a_limit_is_filled_at_its_level_without_slippage_once_a_bar_touches_it():
    # Level 100 · (1 − 0.01) = 99, from bar 1 on; bar 1 ends above it, bar 2 touches it exactly.
    bars = [(100, 101, 98, 100), (100, 101, 99.5, 100), (100, 100, 99, 99.5)]
    result = run([limit("buy")], [1], bars, base_bps=50.0)
    assert trades(result) == [(2, 1, 99, "rule 0")]
    assert result.fills[0].slippage == 0


def test_without_delay_an_order_does_not_rest_on_the_bar_that_decided_it():
    bars = [100, (100, 100, 98, 100), (100, 100, 98, 100)]
    result = run([limit("buy")], [0, 1], bars, bar_delay=0)
    assert trades(result) == [(2, 1, 99, "rule 0")]


def test_with_a_delay_of_two_the_level_counts_from_the_deciding_close():
    # Decided at 200, level 198; bar 1 (190) is too early, bar 2 touches.
    bars = [200, 190, (197, 199, 196, 197)]
    assert trades(run([limit("buy")], [1], bars, bar_delay=2)) == [(2, 1, 198, "rule 0")]


@pytest.mark.parametrize(("policy", "price"), [("touch", None), ("open", 98)])
def test_a_limit_that_is_gapped_through_is_filled_at_the_open_or_not_at_all(policy, price):
    bars = [100, (98, 98.5, 97, 98)]
    wanted = [] if price is None else [(1, 1, price, "rule 0")]
    assert trades(run([limit("buy")], [1], bars, gap_policy=policy)) == wanted
    # Mirrored: sold short at 101, bar 1 opens at 103.
    bars = [100, (103, 104, 102, 103)]
    wanted = [] if price is None else [(1, -1, 103, "rule 0")]
    assert trades(run([limit("sell")], [1], bars, SHORT, gap_policy=policy)) == wanted


@pytest.mark.parametrize(("policy", "price"), [("touch", 101), ("open", 100.5)])
def test_a_negative_offset_puts_the_level_towards_the_market(policy, price):
    bars = [100, (100.5, 102, 100, 101)]
    result = run([limit("buy", -100)], [1], bars, gap_policy=policy)
    assert trades(result) == [(1, 1, price, "rule 0")]


def test_a_stop_is_filled_at_its_level_or_at_a_worse_open():
    inside, beyond = (100, 101, 99.5, 100), (102, 103, 102, 103)
    assert trades(run([stop("buy")], [1], [100, inside])) == [(1, 1, 101, "rule 0")]
    assert trades(run([stop("buy")], [1], [100, beyond])) == [(1, 1, 102, "rule 0")]
    below = (98, 98, 97, 97.5)
    assert trades(run([stop("sell")], [1], [100, below], SHORT)) == [(1, -1, 98, "rule 0")]


def test_a_decision_replaces_the_resting_order_and_hold_does_not():
    # Rule 0 would buy at 99, rule 1 at 98; both wait, hold in between changes nothing.
    rules = [limit("buy"), limit("buy", 200), HOLD]
    low = (100, 100, 97, 99)
    replaced = run(rules, [1, 2, 3], [100, 100, 100, 100, low])
    assert trades(replaced) == [(4, 1, 98, "rule 1")]
    assert trades(run(rules, [1, 3, 3], [100, 100, 100, low])) == [(3, 1, 99, "rule 0")]
    # With a delay of 2 the second decision replaces the first on bar 3 and not before.
    early = run(rules, [1, 2], [100, 100, low, 100], bar_delay=2)
    assert trades(early) == [(2, 1, 99, "rule 0")]


def test_a_market_decision_that_does_nothing_removes_the_resting_order():
    result = run([limit("buy"), CLOSE], [1, 2], [100, 100, (100, 100, 98, 99)])
    assert result.fills == []


def test_a_resting_close_has_the_side_of_the_position_and_does_not_rest_without_one():
    rules = [BUY, limit("close"), limit("buy")]
    high = (100, 102, 100, 101)
    assert trades(run(rules, [1, 2], [100, 100, high])) == [
        (1, 1, 100, "rule 0"),
        (2, -1, 101, "rule 1"),
    ]
    # Flat when it arrives on bar 2, it does not rest, though it removes the order to buy.
    assert run(rules, [3, 2], [100, 100, (100, 102, 98, 100)]).fills == []


def test_an_order_that_does_nothing_when_touched_is_gone():
    # The buy limit arrives on bar 2 and is touched there while long; sold on bar 3, bar 4 is free.
    low = (100, 100, 98, 100)
    result = run([BUY, limit("buy"), CLOSE], [1, 2, 0, 0], [100, 100, low, 100, low])
    assert trades(result) == [(1, 1, 100, "rule 0")]
    risk = ONE | {"max_holding_bars": 2}
    result = run([BUY, limit("buy")], [1, 2], [100, 100, low, 100, low], risk)
    assert [fill.reason for fill in result.fills] == ["rule 0", "max_holding"]


def test_exits_act_from_the_bar_after_the_fill():
    # Bought at 99 inside bar 1, whose low is below the stop at 99 · 0.99 = 98.01; bar 2 touches.
    risk = ONE | {"stop_loss_bps": 100}
    bars = [100, (100, 100, 97, 98.5), (98.5, 98.5, 98, 98.2)]
    assert trades(run([limit("buy")], [1], bars, risk)) == [
        (1, 1, 99, "rule 0"),
        (2, -1, 98.01, "stop_loss"),
    ]


@pytest.mark.parametrize(
    ("bar", "price", "reason"),
    [
        ((100, 100, 99, 99.5), 99, "stop_loss"),
        ((97, 98, 96, 97), 97, "stop_loss"),  # gapped through: at the open
        ((100, 103, 100, 101), 102, "take_profit"),
        ((100, 103, 98, 101), 99, "stop_loss"),  # both: the worse one
    ],
)
def test_a_long_position_leaves_at_its_stop_its_target_or_the_worse_of_both(bar, price, reason):
    risk = ONE | {"stop_loss_bps": 100, "take_profit_bps": 200}
    result = run([BUY], [1], [100, 100, bar], risk)
    assert trades(result)[1:] == [(2, -1, price, reason)]


@pytest.mark.parametrize(
    ("bar", "price", "reason"),
    [
        ((100, 101, 100, 100), 101, "stop_loss"),
        ((103, 104, 102, 103), 103, "stop_loss"),
        ((100, 100, 97, 98), 98, "take_profit"),
        ((100, 103, 97, 100), 101, "stop_loss"),
    ],
)
def test_exits_of_a_short_position_are_mirrored(bar, price, reason):
    risk = SHORT | {"stop_loss_bps": 100, "take_profit_bps": 200}
    result = run([SELL], [1], [100, 100, bar], risk)
    assert trades(result)[1:] == [(2, 1, price, reason)]


@pytest.mark.parametrize(("policy", "found"), [("touch", 0), ("open", 1)])
def test_a_target_that_is_gapped_through_follows_the_gap_policy(policy, found):
    risk = ONE | {"take_profit_bps": 200}
    result = run([BUY], [1], [100, 100, (104, 105, 103, 104)], risk, gap_policy=policy)
    assert trades(result)[1:] == [(2, -1, 104, "take_profit")][:found]


def test_a_trailing_stop_looks_at_the_bars_between_the_fill_and_this_one():
    # The fill at the close of bar 1 ignores its high of 120. Bar 2: 2 % below 100 is 98, though
    # its own high is 110. Bar 3: 110 · 0.98 = 107.8.
    risk = ONE | {"trailing_stop_bps": 200}
    bars = [100, (100, 120, 100, 100), (100, 110, 99, 109), (109, 109, 107, 108)]
    assert trades(run([BUY], [1], bars, risk))[1:] == [(3, -1, 107.8, "trailing_stop")]
    # Short: lows; 90 · 1.02 = 91.8, opened at 93 already.
    bars = [100, (100, 100, 80, 100), (100, 101, 90, 91), (93, 94, 92, 92)]
    result = run([SELL], [1], bars, SHORT | {"trailing_stop_bps": 200})
    assert trades(result)[1:] == [(3, 1, 93, "trailing_stop")]


def test_at_the_same_price_the_stop_loss_is_the_reason():
    # Bar 2: both stops at 98; with a gap both are filled at the open.
    risk = ONE | {"stop_loss_bps": 200, "trailing_stop_bps": 200}
    for bar, price in (((99, 99, 97, 98), 98), ((96, 97, 95, 96), 96)):
        assert trades(run([BUY], [1], [100, 100, bar], risk))[1:] == [(2, -1, price, "stop_loss")]


def test_the_worse_of_an_exit_and_the_resting_order_is_filled():
    # Bought at 100, a stop to close at 99.5 or 98.5 rests on bar 2; the stop-loss is at 99.
    risk = ONE | {"stop_loss_bps": 100}
    for bps, price, reason in ((50, 99, "stop_loss"), (150, 98.5, "rule 1")):
        result = run([BUY, stop("close", bps)], [1, 2], [100, 100, (100, 100, 98, 99)], risk)
        assert trades(result)[1:] == [(2, -1, price, reason)]
    # At 99 both: the exit.
    result = run([BUY, stop("close", 100)], [1, 2], [100, 100, (100, 100, 98, 99)], risk)
    assert trades(result)[1:] == [(2, -1, 99, "stop_loss")]


def test_at_the_same_price_a_stop_comes_before_a_limit():
    # Bar 2 touches the target, a limit at 101, and a stop to close with an offset of −1 %: 101 too.
    risk = ONE | {"take_profit_bps": 100}
    bars = [100, 100, (101, 102, 100, 101)]
    result = run([BUY, stop("close", -100)], [1, 2], bars, risk)
    assert trades(result)[1:] == [(2, -1, 101, "rule 1")]


def test_when_an_exit_is_filled_the_resting_order_waits():
    # Bar 2 touches the stop-loss at 99 and the limit at 101; flat then, bar 3 sells short at 101.
    risk = SHORT | {"stop_loss_bps": 100}
    bars = [100, 100, (100, 102, 98, 100), (100, 101, 100, 100)]
    result = run([BUY, limit("sell")], [1, 2], bars, risk)
    assert trades(result)[1:] == [(2, -1, 99, "stop_loss"), (3, -1, 101, "rule 1")]


def test_an_order_that_would_do_nothing_waits_behind_an_exit():
    # Long at 100; bar 2 touches the target at 101 and a buy limit at 98, which is then worse.
    # The exit is filled all the same; the limit buys on bar 3.
    risk = ONE | {"take_profit_bps": 100}
    bars = [100, 100, (100, 102, 97, 100), (100, 100, 97, 99)]
    result = run([BUY, limit("buy", 200)], [1, 2], bars, risk)
    assert trades(result)[1:] == [(2, -1, 101, "take_profit"), (3, 1, 98, "rule 1")]


def test_what_a_decision_means_is_settled_when_it_is_filled():
    # The sell decided while long arrives on bar 2, whose stop-loss already closed: it opens short.
    risk = SHORT | {"stop_loss_bps": 100}
    result = run([BUY, SELL], [1, 2], [100, 100, (100, 100, 98, 98)], risk)
    assert trades(result)[1:] == [(2, -1, 99, "stop_loss"), (2, -1, 98, "rule 1")]


def test_a_position_is_closed_at_the_close_after_the_most_bars_it_may_last():
    risk = ONE | {"max_holding_bars": 2}
    result = run([BUY], [1], [100, 101, 102, 103, 104], risk)
    assert trades(result) == [(1, 1, 101, "rule 0"), (3, -1, 103, "max_holding")]


def test_a_reversal_closes_first_and_counts_its_bars_anew():
    # Long on bar 1, short on bar 3: held 0 bars there, closed on bar 5. 1000 + 2 for the long
    # position (101 to 103), − 2 for the short one (103 to 105).
    risk = SHORT | {"max_holding_bars": 2}
    result = run([BUY, SELL], [1, 0, 2], [100, 101, 102, 103, 104, 105], risk)
    assert [(fill.bar, fill.side, fill.reason) for fill in result.fills] == [
        (1, 1, "rule 0"),
        (3, -1, "rule 1"),
        (3, -1, "rule 1"),
        (5, 1, "max_holding"),
    ]
    assert [fill.realised_pnl for fill in result.fills] == [0, 2, 0, -2]
    assert result.cash[-1] == 1000


def test_nothing_is_opened_in_a_cooldown_and_a_resting_order_waits():
    # Closed on bar 2: nothing on bars 2 and 3. The market buy of bar 3 is lost, that of bar 4 is
    # filled.
    risk = ONE | {"cooldown_bars": 1}
    result = run([BUY, CLOSE], [1, 2, 1, 1], [100] * 5, risk)
    assert [(fill.bar, fill.side) for fill in result.fills] == [(1, 1), (2, -1), (4, 1)]
    # A limit that arrives on bar 3 is touched there in vain, and filled on bar 4.
    low = (100, 100, 98, 100)
    result = run([BUY, CLOSE, limit("buy")], [1, 2, 3], [100, 100, 100, low, low], risk)
    assert trades(result)[2:] == [(4, 1, 99, "rule 2")]


def test_with_a_cooldown_a_reversal_only_closes():
    bars, asked = [100, 100, 100], [1, 2]
    assert run([BUY, SELL], asked, bars, SHORT).qty == [0, 1, -1]
    assert run([BUY, SELL], asked, bars, SHORT | {"cooldown_bars": 1}).qty == [0, 1, 0]
    # A touched order that reverses closes as well, and is gone.
    bars = [100, 100, (100, 101, 100, 100), 100, (100, 101, 100, 100)]
    result = run([BUY, limit("sell")], asked, bars, SHORT | {"cooldown_bars": 1})
    assert result.qty == [0, 1, 0, 0, 0]


def test_sizes_are_rounded_down_to_whole_lots_and_nothing_is_rejected():
    # 1000 / (300 · 1.01) = 3.3003…; lots of 0.5: 3, lots of 4: nothing.
    risk = {"sizing": {"type": "percent_equity", "percent": 100}}
    for lot, qty in ((None, 1000 / 303), (0.5, 3), (4, 0)):
        result = run([BUY], [1], [300, 300], risk, fee_bps=100.0, lot_size=lot)
        assert result.qty[-1] == pytest.approx(qty)
        assert result.rejected == (qty == 0)


def test_risk_sizing_loses_its_share_of_equity_at_the_stop():
    # 1 % of 1000 is 10; a stop 2 % below 100 loses 2 per unit: 5 units. A trailing stop of 4 %
    # counts only without a stop-loss: 2.5 units.
    risk = {"sizing": {"type": "risk_bps", "bps": 100}, "trailing_stop_bps": 400}
    assert run([BUY], [1], [100, 100], risk).qty[-1] == pytest.approx(2.5)
    risk["stop_loss_bps"] = 200
    result = run([BUY], [1], [100, 100, 97], risk)
    assert result.qty[1] == pytest.approx(5)
    assert trades(result)[1:] == [(2, -1, 97, "stop_loss")]


def test_slippage_counts_returns_up_to_the_fill_at_a_close_and_up_to_the_bar_before_inside():
    # Closes 100, 110, 100, 110: returns ±x, x = ln 1.1. With one return there is none: 0. On bar
    # 2 the deviation of (x, −x) is x, on bar 3 that of (x, −x, x) is x · √8 / 3.
    x, bars = math.log(1.1), [100, 110, 100, (101, 115, 100, 110)]
    costs = {"k_vol": 0.1, "base_bps": 10.0}
    for asked, deviation in (([1], 0), ([0, 1], x), ([0, 0, 1], x * math.sqrt(8) / 3)):
        [fill] = run([BUY], asked, bars, **costs).fills
        close = 100 if len(asked) == 2 else 110
        assert fill.price == pytest.approx(close * (1.001 + 0.1 * deviation))
        assert fill.slippage == pytest.approx(fill.price - close)
    # The stop to buy at 100 · 1.1 on bar 3 knows of bar 2 only.
    [fill] = run([stop("buy", 1000)], [0, 0, 1], bars, **costs).fills
    assert fill.price == pytest.approx(110 * (1.001 + 0.1 * x))


def test_fees_are_a_share_of_every_notional():
    result = run([BUY, CLOSE], [1, 2], [100, 100, 110], fee_bps=50.0)
    assert [fill.fee for fill in result.fills] == pytest.approx([0.5, 0.55])
    assert result.cash[-1] == pytest.approx(1000 - 100.5 + 109.45)


def test_an_opening_fill_beyond_the_margin_is_rejected_and_an_order_gone_with_it():
    eleven = {"sizing": {"type": "fixed_qty", "qty": 11}}
    assert run([BUY], [1], [100, 100], eleven).counts["rejected"] == 1
    assert run([BUY], [1], [100, 100], eleven | {"max_margin": 100}).qty[-1] == 11
    low = (100, 100, 98, 99)
    result = run([limit("buy")], [1], [100, low, low], eleven)
    assert (result.rejected, result.fills) == (1, [])


def test_a_closing_fill_that_cannot_be_paid_is_rejected_and_nothing_is_opened_after_it():
    # 10 sold at 100: cash 2000. Bought back at 250 they cost 2500, 500 more than there is.
    risk = {"sizing": {"type": "fixed_qty", "qty": 10}, "allow_short": True}
    result = run([SELL, BUY], [1, 2], [100, 100, 250, 250], risk)
    assert (result.rejected, result.qty) == (1, [0, -10, -10, -10])
    # An exit is tried again, and counted, on every bar that touches it.
    result = run([SELL], [1], [100, 100, 250, 250], risk | {"stop_loss_bps": 100})
    assert (result.rejected, result.qty[-1]) == (2, -10)


def test_recovery_is_open_if_the_longest_one_is():
    # Below the first peak for 2 bars, below the second for 1 or 3 up to the end.
    for last, wanted in (([104], (2, False)), ([104, 103, 104], (3, True))):
        equity = [99.0, 98.0, 105.0, *last]
        ts_ns = [60_000_000_000 * t for t in range(len(equity))]
        found = oracle.measure(oracle.Run(equity=equity, qty=[1] * len(equity)), ts_ns, 100.0, 1440)
        assert (found["recovery_bars"], found["recovery_open"]) == wanted
