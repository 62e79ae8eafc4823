"""A strategy executed bar by bar in plain Python: the oracle of ``engine.backtest``.

Written from docs/backtest.md alone, with its own ledger. `run` gives the curve, the fills and the
counts; `measure`, the metrics, is written in metrics.py. Conditions are evaluated by
tests/oracles/expressions.py; scenarios worked out by hand are in test_backtest.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.oracles import expressions
from tests.oracles.metrics import measure

__all__ = ["NO_RULE", "Fill", "Run", "measure", "run", "slippage_bps"]

BPS = 1e-4
NO_RULE = -1


@dataclass
class Fill:
    """One fill; ``rule`` decided it, or is `NO_RULE` and ``leave`` names the exit."""

    bar: int
    side: int
    qty: float
    price: float
    fee: float
    slippage: float
    realised_pnl: float
    rule: int
    leave: str = ""

    @property
    def reason(self) -> str:
        return self.leave or f"rule {self.rule}"


@dataclass
class Run:
    """Everything a run leaves behind: columns per bar, fills and counts."""

    equity: list[float] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    qty: list[float] = field(default_factory=list)
    decisions: list[int] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    rejected: int = 0
    conflicts: int = 0

    @property
    def counts(self) -> dict[str, int]:
        return {"fills": len(self.fills), "rejected": self.rejected, "conflicts": self.conflicts}


@dataclass
class Decision:
    """What a rule asked for on the close of a bar; ``kind`` is market, limit or stop."""

    action: str
    rule: int
    kind: str
    offset: float
    close: float


@dataclass
class Touch:
    """Something to fill: at a price before slippage, on a side, up to a position of ``target``."""

    kind: str
    side: int
    price: float
    target: int
    rule: int = NO_RULE
    leave: str = ""


@dataclass
class Resting:
    """An order that waits for its level."""

    decision: Decision
    side: int
    level: float


def run(document: dict, columns: expressions.Columns, settings: dict) -> Run:
    """Execute a strategy document on float columns.

    ``settings`` holds initial_cash, bar_delay, fee_bps, base_bps, k_vol, window_bars, and may hold
    gap_policy ("touch" without it) and lot_size (none without it).
    """
    rules, delay = Rules(document, columns), settings["bar_delay"]
    account = Account(document["risk"], columns, settings)
    decided: list[Decision | None] = []
    for bar, close in enumerate(columns["close"]):
        arrived = decided[bar - delay] if 1 <= delay <= bar else None
        if arrived is not None:
            account.arrive(arrived)
        account.inside(bar)
        decided.append(rules.decide(bar, account.result))
        due = decided[bar] if delay == 0 else arrived
        if due is not None and due.kind == "market":
            account.at_close(bar, account.target(due.action), due.rule)
        account.leave_when_held_too_long(bar)
        account.mark(close)
        if delay == 0 and due is not None:
            account.arrive(due)
    return account.result


class Rules:
    """The rules of a strategy, asked bar by bar."""

    def __init__(self, document: dict, columns: expressions.Columns):
        self.rules = document["rules"]
        self.conditions = [expressions.parse(rule["if"]) for rule in self.rules]
        self.params = {
            name: float(value["default"] if isinstance(value, dict) else value)
            for name, value in document.get("params", {}).items()
        }
        self.columns = columns
        self.memo: dict = {}

    def decide(self, bar: int, result: Run) -> Decision | None:
        """The decision of a bar, None without one and for hold; writes down what was decided."""
        true = [
            rule
            for rule, condition in enumerate(self.conditions)
            if expressions.value_at(condition, bar, self.columns, self.params, self.memo) is True
        ]
        result.decisions.append(true[0] if true else NO_RULE)
        if len({self.rules[rule]["then"] for rule in true}) > 1:
            result.conflicts += 1
        if not true or self.rules[true[0]]["then"] == "hold":
            return None
        chosen = self.rules[true[0]]
        order = chosen.get("order") or {}
        offset = order.get("offset_bps", 0.0) * BPS
        close = self.columns["close"][bar]
        return Decision(chosen["then"], true[0], order.get("type", "market"), offset, close)


class Account:
    """Cash, the position and the resting order, moved through one bar after the other."""

    def __init__(self, risk: dict, columns: expressions.Columns, settings: dict):
        self.risk, self.columns, self.settings = risk, columns, settings
        self.cash = settings["initial_cash"]
        self.qty = 0.0
        self.average = 0.0
        self.opened = -1
        self.emptied: int | None = None
        self.resting: Resting | None = None
        self.result = Run()

    @property
    def held(self) -> int:
        """1 while long, -1 while short, 0 while flat."""
        return (self.qty > 0) - (self.qty < 0)

    def target(self, action: str) -> int:
        """The position that an action asks for."""
        if action == "sell" and not self.risk.get("allow_short", False):
            return 0
        return {"buy": 1, "sell": -1, "close": 0}[action]

    def arrive(self, decision: Decision) -> None:
        self.resting = None
        side = {"buy": 1, "sell": -1, "close": -self.held}[decision.action]
        if decision.kind == "market" or side == 0:
            return
        away = -side if decision.kind == "limit" else side
        self.resting = Resting(decision, side, decision.close * (1 + away * decision.offset))

    def inside(self, bar: int) -> None:
        """Fill at most one of the touched: the worst price, then a stop, an exit, the stop-loss."""
        exits, order = self._touched_exits(bar), self._touched_order(bar)
        if exits and order is not None and order.target == self.held:
            order = None
        touched = exits if order is None else [*exits, order]
        if not touched:
            return
        assert len({one.side for one in touched}) == 1, "all that is touched has one side"
        worst = max(touched, key=lambda one: (one.side * one.price, one.kind == "stop"))
        if worst is order:
            self.resting = None
        slip = self._slippage(bar - 1) if worst.kind == "stop" else 0.0
        self._execute(bar, worst, slip)

    def at_close(self, bar: int, target: int, rule: int = NO_RULE, leave: str = "") -> None:
        price = self.columns["close"][bar]
        side = target or -self.held
        self._execute(bar, Touch("market", side, price, target, rule, leave), self._slippage(bar))

    def leave_when_held_too_long(self, bar: int) -> None:
        most = self.risk.get("max_holding_bars")
        if most is not None and self.held != 0 and bar - self.opened >= most:
            self.at_close(bar, 0, leave="max_holding")

    def mark(self, close: float) -> None:
        self.result.equity.append(self.cash + self.qty * close)
        self.result.cash.append(self.cash)
        self.result.qty.append(self.qty)

    def _touched_exits(self, bar: int) -> list[Touch]:
        """The touched exits of the position, the stop-loss before the trailing stop."""
        if self.held == 0:
            return []
        later = slice(self.opened + 1, bar)
        best = max([self.average, *self.columns["high"][later]])
        if self.held < 0:
            best = min([self.average, *self.columns["low"][later]])
        exits = [
            ("stop_loss", "stop", self.average, -self.held),
            ("trailing_stop", "stop", best, -self.held),
            ("take_profit", "limit", self.average, self.held),
        ]
        touched = []
        for name, kind, start, direction in exits:
            bps = self.risk.get(f"{name}_bps")
            if bps is None:
                continue
            price = self._touch(bar, kind, -self.held, start * (1 + direction * (bps * BPS)))
            if price is not None:
                touched.append(Touch(kind, -self.held, price, 0, leave=name))
        return touched

    def _touched_order(self, bar: int) -> Touch | None:
        """The resting order if it is touched; one that would open waits while nothing may."""
        if self.resting is None:
            return None
        decision, side = self.resting.decision, self.resting.side
        target = self.target(decision.action)
        if self.held == 0 and target != 0 and self._cooling(bar):
            return None
        price = self._touch(bar, decision.kind, side, self.resting.level)
        if price is None:
            return None
        return Touch(decision.kind, side, price, target, decision.rule)

    def _touch(self, bar: int, kind: str, side: int, level: float) -> float | None:
        """The price before slippage at which a level is filled on a bar, None if it is not."""
        opened, high, low = (self.columns[name][bar] for name in ("open", "high", "low"))
        if kind == "stop":
            if side > 0:
                return max(opened, level) if high >= level else None
            return min(opened, level) if low <= level else None
        if self.settings.get("gap_policy", "touch") == "touch":
            return level if low <= level <= high else None
        if side > 0:
            return min(opened, level) if low <= level else None
        return max(opened, level) if high >= level else None

    def _cooling(self, bar: int) -> bool:
        pause = self.risk.get("cooldown_bars")
        return pause is not None and self.emptied is not None and bar - self.emptied <= pause

    def _slippage(self, bar: int) -> float:
        return slippage_bps(self.columns["close"], bar, self.settings) * BPS

    def _execute(self, bar: int, touch: Touch, slip: float) -> None:
        """Close what is there, then open what is asked for."""
        if self.held == touch.target:
            return
        price = touch.price * (1 + touch.side * slip)
        if self.held != 0 and not self._fill(bar, touch, abs(self.qty), price):
            return
        if touch.target != 0 and not self._cooling(bar):
            self._fill(bar, touch, self._size(price), price)

    def _size(self, price: float) -> float:
        """The quantity to open at a price, 0 if there is none."""
        if price <= 0:
            return 0.0
        sizing, fee = self.risk["sizing"], self.settings["fee_bps"] * BPS
        if sizing["type"] == "fixed_qty":
            qty = sizing["qty"]
        elif sizing["type"] == "risk_bps":
            stop = self.risk.get("stop_loss_bps") or self.risk["trailing_stop_bps"]
            qty = self.cash * (sizing["bps"] / stop) / price
        else:
            qty = self.cash * (sizing["percent"] / 100) / (price * (1 + fee))
        lot = self.settings.get("lot_size")
        return qty if lot is None else math.floor(qty / lot) * lot

    def _fill(self, bar: int, touch: Touch, qty: float, price: float) -> bool:
        """Fill, or reject and count."""
        notional = qty * price
        fee = notional * (self.settings["fee_bps"] * BPS)
        cash = self.cash - touch.side * notional - fee
        rounding = 1e-9 * max(self.cash + self.qty * price, notional)
        floor = -self.risk.get("max_margin", 0.0)
        if qty <= 0 or price <= 0 or cash < floor - rounding:
            self.result.rejected += 1
            return False
        closing = self.held != 0
        pnl = self.qty * (price - self.average) if closing else 0.0
        self.cash = cash
        self.qty = 0.0 if closing else touch.side * qty
        self.average = 0.0 if closing else price
        if closing:
            self.emptied = bar
        else:
            self.opened = bar
        slip = qty * abs(price - touch.price)
        self.result.fills.append(
            Fill(bar, touch.side, qty, price, fee, slip, pnl, touch.rule, touch.leave)
        )
        return True


def slippage_bps(closes: Sequence[float], t: int, settings: dict) -> float:
    """Slippage with the returns up to bar ``t``: a base and a share of their deviation."""
    first = max(1, t - settings["window_bars"] + 1)
    returns = [1e4 * math.log(closes[u] / closes[u - 1]) for u in range(first, t + 1)]
    mean = math.fsum(returns) / max(1, len(returns))
    deviation = math.sqrt(math.fsum((r - mean) ** 2 for r in returns) / max(1, len(returns)))
    return settings["base_bps"] + settings["k_vol"] * deviation
