"""Hand-made scenarios of exits, cooldowns, sizes, rejections and slippage.

Worked out from docs/backtest.md. The oracle is held to them in test_backtest.py, the engine in
tests/engine/backtest/test_orders.py; what orders do is in hand_orders.py.
"""

import math

from tests.oracles.hand_case import (
    BUY,
    CLOSE,
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

TEN = {"sizing": {"type": "fixed_qty", "qty": 10}, "allow_short": True}
ELEVEN = {"sizing": {"type": "fixed_qty", "qty": 11}}
ALL = {"sizing": {"type": "percent_equity", "percent": 100}}
LN = math.log(1.1)


def _exits() -> dict[str, Case]:
    both = {"stop_loss_bps": 100, "take_profit_bps": 200}
    trailing = {"trailing_stop_bps": 200}
    two_stops = {"stop_loss_bps": 200, "trailing_stop_bps": 200}
    bought, sold = (1, 1, 100, "rule 0"), (1, -1, 100, "rule 0")
    longs: dict[str, tuple[Bar, float, str]] = {
        "at its stop": ((100, 100, 99, 99.5), 99, "stop_loss"),
        "at an open below its stop": ((97, 98, 96, 97), 97, "stop_loss"),
        "at its target": ((100, 103, 100, 101), 102, "take_profit"),
        "at the worse of both": ((100, 103, 98, 101), 99, "stop_loss"),
    }
    shorts: dict[str, tuple[Bar, float, str]] = {
        "at its stop": ((100, 101, 100, 100), 101, "stop_loss"),
        "at an open above its stop": ((103, 104, 102, 103), 103, "stop_loss"),
        "at its target": ((100, 100, 97, 98), 98, "take_profit"),
        "at the worse of both": ((100, 103, 97, 100), 101, "stop_loss"),
    }
    cases = {
        f"a long position leaves {how}": Case(
            [BUY], [1], [100, 100, bar], [bought, (2, -1, price, reason)], ONE | both
        )
        for how, (bar, price, reason) in longs.items()
    } | {
        f"a short position leaves {how}": Case(
            [SELL], [1], [100, 100, bar], [sold, (2, 1, price, reason)], SHORT | both
        )
        for how, (bar, price, reason) in shorts.items()
    }
    return cases | {
        # Bought at 99 inside bar 1, whose low is below the stop at 99 · 0.99 = 98.01.
        "exits act from the bar after the fill": Case(
            [limit("buy")], [1], [100, (100, 100, 97, 98.5), (98.5, 98.5, 98, 98.2)],
            [(1, 1, 99, "rule 0"), (2, -1, 98.01, "stop_loss")], ONE | {"stop_loss_bps": 100},
        ),
        # The fill at the close of bar 1 ignores its high of 120. Bar 2: 2 % below 100 is 98, though
        # its own high is 110. Bar 3: 110 · 0.98 = 107.8.
        "a trailing stop looks at the bars between the fill and this one": Case(
            [BUY], [1], [100, (100, 120, 100, 100), (100, 110, 99, 109), (109, 109, 107, 108)],
            [bought, (3, -1, 107.8, "trailing_stop")], ONE | trailing,
        ),
        # 90 · 1.02 = 91.8, opened at 93 already.
        "a trailing stop of a short position looks at the lows": Case(
            [SELL], [1],
            [100, (100, 100, 80, 100), (100, 101, 90, 91), (93, 94, 92, 92)],
            [sold, (3, 1, 93, "trailing_stop")], SHORT | trailing,
        ),
        # The first position saw 110; the second starts at 100: 98 and not 107.8.
        "a trailing stop of the next position starts anew": Case(
            [BUY, CLOSE], [1, 0, 2, 1],
            [100, 100, (100, 110, 100, 109), 109, 100, 99, (99, 99, 97, 98)],
            [bought, (3, -1, 109, "rule 1"), (4, 1, 100, "rule 0"), (6, -1, 98, "trailing_stop")],
            ONE | trailing,
        ),
        "at the same price the stop-loss is the reason": Case(
            [BUY], [1], [100, 100, (99, 99, 97, 98)], [bought, (2, -1, 98, "stop_loss")],
            ONE | two_stops,
        ),
        "at the same open the stop-loss is the reason": Case(
            [BUY], [1], [100, 100, (96, 97, 95, 96)], [bought, (2, -1, 96, "stop_loss")],
            ONE | two_stops,
        ),
        "a position is closed at the close after the most bars it may last": Case(
            [BUY], [1], [100, 101, 102, 103, 104],
            [(1, 1, 101, "rule 0"), (3, -1, 103, "max_holding")], ONE | {"max_holding_bars": 2},
        ),
        # Long on bar 1, short on bar 3: held 0 bars there, closed on bar 5. 1000 + 2 for the long
        # position (101 to 103), − 2 for the short one (103 to 105).
        "a reversal closes first and counts its bars anew": Case(
            [BUY, SELL], [1, 0, 2], [100, 101, 102, 103, 104, 105],
            [(1, 1, 101, "rule 0"), (3, -1, 103, "rule 1"), (3, -1, 103, "rule 1"),
             (5, 1, 105, "max_holding")],
            SHORT | {"max_holding_bars": 2}, cash=1000,
        ),
    }  # fmt: skip


def _cooldowns() -> dict[str, Case]:
    bought: Fill = (1, 1, 100, "rule 0")
    pause = {"cooldown_bars": 1}
    reversal = [bought, (2, -1, 100, "rule 1"), (2, -1, 100, "rule 1")]
    touch: Bar = (100, 101, 100, 100)
    return {
        # Closed on bar 2: nothing on bars 2 and 3. The market buy of bar 3 is lost.
        "nothing is opened in a cooldown": Case(
            [BUY, CLOSE], [1, 2, 1, 1], [100] * 5,
            [bought, (2, -1, 100, "rule 1"), (4, 1, 100, "rule 0")], ONE | pause,
        ),
        # A limit that arrives on bar 3 is touched there in vain, and filled on bar 4.
        "a resting order waits in a cooldown": Case(
            [BUY, CLOSE, limit("buy")], [1, 2, 3], [100, 100, 100, LOW, LOW],
            [bought, (2, -1, 100, "rule 1"), (4, 1, 99, "rule 2")], ONE | pause,
        ),
        "a reversal opens without a cooldown": Case(
            [BUY, SELL], [1, 2], [100] * 3, reversal, SHORT
        ),
        "with a cooldown a reversal only closes": Case(
            [BUY, SELL], [1, 2], [100] * 3, reversal[:2], SHORT | pause
        ),
        "with a cooldown a touched order that reverses closes and is gone": Case(
            [BUY, limit("sell")], [1, 2], [100, 100, touch, 100, touch],
            [bought, (2, -1, 101, "rule 1")], SHORT | pause,
        ),
        "an exit begins the cooldown": Case(
            [BUY], [1, 1, 1, 1], [100, 100, (100, 100, 99, 100), 100, 100],
            [bought, (2, -1, 99, "stop_loss"), (4, 1, 100, "rule 0")],
            ONE | pause | {"stop_loss_bps": 100},
        ),
    }  # fmt: skip


def _sizes() -> dict[str, Case]:
    dear: list[Bar] = [300, 300]
    risk = {"sizing": {"type": "risk_bps", "bps": 100}, "trailing_stop_bps": 400}
    bought: Fill = (1, 1, 100, "rule 0")
    costs = {"fee_bps": 100.0}
    sold: Fill = (1, -1, 100, "rule 0")
    return {
        # 1000 / (300 · 1.01) = 3.3003…; lots of 0.5: 3, lots of 4: nothing.
        "the whole of equity is sized net of the fee": Case(
            [BUY], [1], dear, [(1, 1, 300, "rule 0")], ALL, costs, [1000 / 303]
        ),
        "sizes are rounded down to whole lots": Case(
            [BUY], [1], dear, [(1, 1, 300, "rule 0")], ALL, costs | {"lot_size": 0.5}, [3]
        ),
        "a size of no lot is rejected": Case(
            [BUY], [1], dear, [], ALL, costs | {"lot_size": 4}, rejected=1
        ),
        # 1 % of 1000 is 10; a stop 2 % below 100 loses 2 per unit: 5 units.
        "risk sizing loses its share of equity at the stop": Case(
            [BUY], [1], [100, 100, 97], [bought, (2, -1, 97, "stop_loss")],
            risk | {"stop_loss_bps": 200}, sizes=[5, 5],
        ),
        "without a stop-loss risk is measured against the trailing stop": Case(
            [BUY], [1], [100, 100], [bought], risk, sizes=[2.5]
        ),
        "an opening fill beyond the margin is rejected": Case(
            [BUY], [1], [100, 100], [], ELEVEN, rejected=1
        ),
        "an opening fill up to the margin is filled": Case(
            [BUY], [1], [100, 100], [bought], ELEVEN | {"max_margin": 100}, sizes=[11], cash=-100
        ),
        "an order that is rejected is gone": Case(
            [limit("buy")], [1], [100, (100, 100, 98, 99), (100, 100, 98, 99)], [], ELEVEN,
            rejected=1,
        ),
        # 10 sold at 100: cash 2000. Bought back at 250 they cost 2500, 500 more than there is.
        "a closing fill that cannot be paid is rejected and nothing is opened after it": Case(
            [SELL, BUY], [1, 2], [100, 100, 250, 250], [sold], TEN, sizes=[10], rejected=1
        ),
        "an exit that cannot be paid is tried again on every bar that touches it": Case(
            [SELL], [1], [100, 100, 250, 250], [sold], TEN | {"stop_loss_bps": 100}, sizes=[10],
            rejected=2,
        ),
        # The stop-loss at 101 costs 250 · 10; the limit to close at 99 is touched on bar 3 too.
        "an exit that is rejected has taken the bar all the same": Case(
            [SELL, limit("close")], [1, 2], [100, 100, 250, (250, 250, 90, 250), (99, 99, 90, 90)],
            [sold, (4, 1, 99, "rule 1")], TEN | {"stop_loss_bps": 100}, sizes=[10, 10], rejected=2,
        ),
    }  # fmt: skip


def _slippages() -> dict[str, Case]:
    # Closes 100, 110, 100, 110: returns ±x, x = ln 1.1. With one return there is none: 0. On bar
    # 2 the deviation of (x, −x) is x, on bar 3 that of (x, −x, x) is x · √8 / 3.
    bars: list[Bar] = [100, 110, 100, (101, 115, 100, 110)]
    costs = {"k_vol": 0.1, "base_bps": 10.0}
    asked = {1: (110, 0.0), 2: (100, LN), 3: (110, LN * math.sqrt(8) / 3)}
    return {
        f"slippage at the close of bar {bar} knows its return": Case(
            [BUY], [0] * (bar - 1) + [1], bars,
            [(bar, 1, close * (1.001 + 0.1 * deviation), "rule 0")], settings=costs,
        )
        for bar, (close, deviation) in asked.items()
    } | {
        # The stop to buy at 100 · 1.1 on bar 3 knows of bar 2 only.
        "slippage of a stop inside a bar knows the bar before": Case(
            [stop("buy", 1000)], [0, 0, 1], bars, [(3, 1, 110 * (1.001 + 0.1 * LN), "rule 0")],
            settings=costs,
        ),
        # Bought at 100.5: the stop is at 99.495, the target at 101.505.
        "a stop-loss slips": Case(
            [BUY], [1], [100, 100, (100, 100, 99, 99)],
            [(1, 1, 100.5, "rule 0"), (2, -1, 99.495 * 0.995, "stop_loss")],
            ONE | {"stop_loss_bps": 100}, {"base_bps": 50.0},
        ),
        "a target does not slip": Case(
            [BUY], [1], [100, 100, (100, 102, 100, 101)],
            [(1, 1, 100.5, "rule 0"), (2, -1, 101.505, "take_profit")],
            ONE | {"take_profit_bps": 100}, {"base_bps": 50.0},
        ),
    }  # fmt: skip


CASES: dict[str, Case] = {**_exits(), **_cooldowns(), **_sizes(), **_slippages()}
