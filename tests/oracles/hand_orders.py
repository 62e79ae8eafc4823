"""Hand-made scenarios of decisions and resting orders: when, where and in which order they fill.

Worked out from docs/backtest.md. The oracle is held to them in test_backtest.py, the engine in
tests/engine/backtest/test_orders.py; exits, sizes and costs are in hand_accounts.py.
"""

from tests.oracles.hand_case import (
    BUY,
    CLOSE,
    HOLD,
    LOW,
    ONE,
    SELL,
    SHORT,
    Bar,
    Case,
    Fill,
    limit,
    stop,
)

HIGH: Bar = (100, 102, 100, 101)


def _market() -> dict[str, Case]:
    bars: list[Bar] = [100, 101, 102, (103, 109, 101, 103)]
    delays = {
        f"a market order is filled at the close {delay} bars later": Case(
            [BUY], [1], bars, [(delay, 1, 100 + delay, "rule 0")], settings={"bar_delay": delay}
        )
        for delay in (0, 1, 2)
    }
    return delays | {
        "every decision in flight arrives for itself": Case(
            [BUY, CLOSE], [1, 2, 1, 2], [100, 101, 102, 103, 104, 105],
            [(2, 1, 102, "rule 0"), (3, -1, 103, "rule 1"), (4, 1, 104, "rule 0"),
             (5, -1, 105, "rule 1")],
            settings={"bar_delay": 2},
        ),
        "a decision that is already met does nothing and a plain sell opens nothing": Case(
            [BUY, SELL], [2, 1, 1, 2, 2], [100] * 7,
            [(2, 1, 100, "rule 0"), (4, -1, 100, "rule 1")],
        ),
        # Bar 0: buy, buy; bar 1: close, buy, hold is one conflict; bar 2: none; bar 3: buy, buy.
        "the first true rule decides and another action is a conflict": Case(
            [BUY, CLOSE, {"if": "volume >= 1", **BUY}, {"if": "volume == 2", **HOLD}],
            [1, 2, 0, 1], [100] * 5,
            [(1, 1, 100, "rule 0"), (2, -1, 100, "rule 1"), (4, 1, 100, "rule 0")], conflicts=1,
        ),
        "fees are a share of every notional": Case(
            [BUY, CLOSE], [1, 2], [100, 100, 110], [(1, 1, 100, "rule 0"), (2, -1, 110, "rule 1")],
            settings={"fee_bps": 50.0}, cash=1000 - 100.5 + 109.45,
        ),
        # The sell decided while long arrives on bar 2, whose stop-loss closed already: it opens.
        "what a decision means is settled when it is filled": Case(
            [BUY, SELL], [1, 2], [100, 100, (100, 100, 98, 98)],
            [(1, 1, 100, "rule 0"), (2, -1, 99, "stop_loss"), (2, -1, 98, "rule 1")],
            SHORT | {"stop_loss_bps": 100},
        ),
    }  # fmt: skip


def _resting() -> dict[str, Case]:
    bars: list[Bar] = [(100, 101, 98, 100), (100, 101, 99.5, 100), (100, 100, 99, 99.5)]
    two = [limit("buy"), limit("buy", 200), HOLD]
    low: Bar = (100, 100, 97, 99)
    high_close = [BUY, limit("close"), limit("buy")]
    return {
        # Level 100 · (1 − 0.01) = 99, from bar 1 on; bar 1 ends above it, bar 2 touches it exactly.
        "a limit is filled at its level without slippage once a bar touches it": Case(
            [limit("buy")], [1], bars, [(2, 1, 99, "rule 0")], settings={"base_bps": 50.0}
        ),
        "without delay an order does not rest on the bar that decided it": Case(
            [limit("buy")], [0, 1], [100, LOW, LOW], [(2, 1, 99, "rule 0")],
            settings={"bar_delay": 0},
        ),
        # Decided at 200, level 198; bar 1 at 190 is too early, bar 2 touches.
        "with a delay of two the level counts from the deciding close": Case(
            [limit("buy")], [1], [200, 190, (197, 199, 196, 197)], [(2, 1, 198, "rule 0")],
            settings={"bar_delay": 2},
        ),
        "a stop is filled at its level": Case(
            [stop("buy")], [1], [100, (100, 101, 99.5, 100)], [(1, 1, 101, "rule 0")]
        ),
        "a stop to buy is filled at a worse open": Case(
            [stop("buy")], [1], [100, (102, 103, 102, 103)], [(1, 1, 102, "rule 0")]
        ),
        "a stop to sell is filled at a worse open": Case(
            [stop("sell")], [1], [100, (98, 98, 97, 97.5)], [(1, -1, 98, "rule 0")], SHORT
        ),
        "a stop to sell rests below the market": Case(
            [stop("sell")], [1], [100, (100, 100, 99.5, 100), LOW], [(2, -1, 99, "rule 0")], SHORT
        ),
        # Rule 0 would buy at 99, rule 1 at 98.
        "a decision replaces the resting order": Case(
            two, [1, 2, 3], [100, 100, 100, 100, low], [(4, 1, 98, "rule 1")]
        ),
        "hold does not replace the resting order": Case(
            two, [1, 3, 3], [100, 100, 100, low], [(3, 1, 99, "rule 0")]
        ),
        "with a delay of two a decision replaces the order only when it arrives": Case(
            two, [1, 2], [100, 100, low, 100], [(2, 1, 99, "rule 0")], settings={"bar_delay": 2}
        ),
        "a market decision that does nothing removes the resting order": Case(
            [limit("buy"), CLOSE], [1, 2], [100, 100, (100, 100, 98, 99)], []
        ),
        "a resting close has the side of the position": Case(
            high_close, [1, 2], [100, 100, HIGH], [(1, 1, 100, "rule 0"), (2, -1, 101, "rule 1")]
        ),
        # Flat when it arrives on bar 2, it does not rest, though it removes the order to buy.
        "a resting close does not rest without a position": Case(
            high_close, [3, 2], [100, 100, (100, 102, 98, 100)], []
        ),
        # The buy limit arrives on bar 2 and is touched there while long; bar 4 is flat again.
        "an order that does nothing when touched is gone": Case(
            [BUY, limit("buy")], [1, 2], [100, 100, LOW, 100, LOW],
            [(1, 1, 100, "rule 0"), (3, -1, 100, "max_holding")], ONE | {"max_holding_bars": 2},
        ),
        # The same order, not touched until the position has ended on bar 3.
        "an order to buy waits while long": Case(
            [BUY, limit("buy")], [1, 2], [100, 100, 100, 100, LOW],
            [(1, 1, 100, "rule 0"), (3, -1, 100, "max_holding"), (4, 1, 99, "rule 1")],
            ONE | {"max_holding_bars": 2},
        ),
        "a plain sell that is touched while flat is gone": Case(
            [limit("sell"), BUY], [1, 0, 0, 0], [100, HIGH, 100, HIGH], []
        ),
    }  # fmt: skip


def _gaps() -> dict[str, Case]:
    below: list[Bar] = [100, (98, 98.5, 97, 98)]
    above: list[Bar] = [100, (103, 104, 102, 103)]
    near: list[Bar] = [100, (100.5, 102, 100, 101)]
    target: list[Bar] = [100, 100, (104, 105, 103, 104)]
    opened = {"gap_policy": "open"}
    gain = ONE | {"take_profit_bps": 200}
    bought: Fill = (1, 1, 100, "rule 0")
    return {
        "a limit that is gapped through is not filled": Case([limit("buy")], [1], below, []),
        "or it is filled at the open": Case(
            [limit("buy")], [1], below, [(1, 1, 98, "rule 0")], settings=opened
        ),
        "a limit to sell that is gapped through is not filled": Case(
            [limit("sell")], [1], above, [], SHORT
        ),
        "or it is sold at the open": Case(
            [limit("sell")], [1], above, [(1, -1, 103, "rule 0")], SHORT, opened
        ),
        "a negative offset puts the level towards the market": Case(
            [limit("buy", -100)], [1], near, [(1, 1, 101, "rule 0")]
        ),
        "a limit beyond the market is filled at the open": Case(
            [limit("buy", -100)], [1], near, [(1, 1, 100.5, "rule 0")], settings=opened
        ),
        "a target that is gapped through is not filled": Case([BUY], [1], target, [bought], gain),
        "or it is left at the open": Case(
            [BUY], [1], target, [bought, (2, -1, 104, "take_profit")], gain, opened
        ),
    }  # fmt: skip


def _order_inside() -> dict[str, Case]:
    bought: Fill = (1, 1, 100, "rule 0")
    loss = ONE | {"stop_loss_bps": 100}
    bars: list[Bar] = [100, 100, (100, 100, 98, 99)]
    worse = {50: (99, "stop_loss"), 100: (99, "stop_loss"), 150: (98.5, "rule 1")}
    # Bought at 100, a stop to close at 99.5, 99 or 98.5 rests on bar 2; the stop-loss is at 99.
    return {
        f"the worse of the stop-loss and an order {bps} bps away is filled": Case(
            [BUY, stop("close", bps)], [1, 2], bars, [bought, (2, -1, price, reason)], loss
        )
        for bps, (price, reason) in worse.items()
    } | {
        # Bar 2 touches the target, a limit at 101, and a stop to close with an offset of −1 %: 101.
        "at the same price a stop comes before a limit": Case(
            [BUY, stop("close", -100)], [1, 2], [100, 100, (101, 102, 100, 101)],
            [bought, (2, -1, 101, "rule 1")], ONE | {"take_profit_bps": 100},
        ),
        # Bar 2 touches the target at 101 and a limit to close there.
        "at the same price an exit comes before a limit": Case(
            [BUY, limit("close")], [1, 2], [100, 100, (100, 102, 100, 101)],
            [bought, (2, -1, 101, "take_profit")], ONE | {"take_profit_bps": 100},
        ),
        # Bar 2 touches the stop-loss at 99 and the limit at 101; flat then, bar 3 sells short.
        "when an exit is filled the resting order waits": Case(
            [BUY, limit("sell")], [1, 2], [100, 100, (100, 102, 98, 100), (100, 101, 100, 100)],
            [bought, (2, -1, 99, "stop_loss"), (3, -1, 101, "rule 1")],
            SHORT | {"stop_loss_bps": 100},
        ),
        # Bar 2 touches the target at 101 and a buy limit at 98, which would do nothing.
        "an order that would do nothing waits behind an exit": Case(
            [BUY, limit("buy", 200)], [1, 2], [100, 100, (100, 102, 97, 100), (100, 100, 97, 99)],
            [bought, (2, -1, 101, "take_profit"), (3, 1, 98, "rule 1")],
            ONE | {"take_profit_bps": 100},
        ),
    }  # fmt: skip


CASES: dict[str, Case] = {**_market(), **_resting(), **_gaps(), **_order_inside()}
