"""The order book event by event in plain Python: the oracle of ``engine.book``.

Written from sections 1 and 2 of docs/order-book.md alone. Here are the orders, depths, anomalies,
lattice and anchor; what the touches do to the cells is in order_cells.py, bins are in grid.py.
Under ``v2`` the depths are counted anew from the orders after every event.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.book.events import Events

SNAPSHOT = 32
LAST = 128

Touch = tuple[int, int, int, int]


class Event(NamedTuple):
    """One record; ``action`` and ``side`` are letters."""

    ts_ns: int
    action: str
    side: str
    order_id: int
    price_int: int
    size: int
    flags: int
    sequence: int


@dataclass
class Order:
    """A resting order; ``slot`` is −1 outside the lattice or without an anchor."""

    side: str
    price_int: int
    quantity: int
    slot: int
    awaited: int = 0


@dataclass
class Outcome:
    """What an event asks of the cells, in the order of the attributes."""

    time_ns: int
    touches: list[Touch] = field(default_factory=list)
    cleared: bool = False
    moved: bool = False
    synced: bool = False


def unpacked(events: Events) -> Iterator[Event]:
    """Give the rows of columns one by one."""
    columns = (
        events.ts_ns,
        events.action,
        events.side,
        events.order_id,
        events.price_int,
        events.size,
        events.flags,
        events.sequence,
    )
    for ts_ns, action, side, *others in zip(*(c.tolist() for c in columns), strict=True):
        yield Event(ts_ns, chr(action), chr(side), *others)


def tick_int_of(config: dict) -> int:
    """Ticks of a configuration in 1e-9 of the quote currency."""
    of_futures = config["product_type"] == "future_mbo"
    return round((config["tick_size"] if of_futures else config["bucket_size_dollars"]) / 1e-9)


class Book:
    """Orders, depths and best prices under the rules ``v1`` or ``v2``."""

    def __init__(self, compat: str, tick_int: int, slots: int):
        self.v2 = {"v1": False, "v2": True}[compat]
        self.tick_int = tick_int
        self.slots = slots
        self.anchor: int | None = None
        self.orders: dict[int, Order] = {}
        self.bid_depths: Counter[int] = Counter()
        self.ask_depths: Counter[int] = Counter()
        self.best_bid = 0
        self.best_ask = 0
        self.valid = False
        self.in_snapshot = False
        self.event_count = 0
        self.anomalies: Counter[str] = Counter()
        self.latest_ns: int | None = None
        self.sequence_before = 0

    # Lattice and anchor (2.1)

    def slot(self, price_int: int) -> int:
        """Give the slot of a price or −1."""
        if self.anchor is None:
            return -1
        found = round(price_int / self.tick_int) - self.anchor + self.slots // 2
        return found if 0 <= found < self.slots else -1

    def price(self, slot: int) -> int:
        return (self.anchor - self.slots // 2 + slot) * self.tick_int

    def mean_tick(self, bid: int, ask: int) -> int:
        return math.floor((bid + ask) / (2.0 * self.tick_int) + 0.5)

    def raw_best(self) -> tuple[int, int]:
        """Highest bid and lowest ask of the orders themselves, 0 where there is none."""
        live = [order for order in self.orders.values() if order.quantity > 0]
        bids = [order.price_int for order in live if order.side == "B"]
        asks = [order.price_int for order in live if order.side == "A"]
        return max(bids, default=0), min(asks, default=0)

    def set_anchor(self, tick: int) -> None:
        self.anchor = tick
        for order in self.orders.values():
            order.slot = self.slot(order.price_int)
        self.count_depths()
        self.find_best()

    def find_best(self) -> None:
        """Best prices of the depths; without an anchor they are kept by `raise_raw`."""
        if self.anchor is None:
            return
        bids = [slot for slot, depth in self.bid_depths.items() if depth > 0]
        asks = [slot for slot, depth in self.ask_depths.items() if depth > 0]
        self.best_bid = self.price(max(bids)) if bids else 0
        self.best_ask = self.price(min(asks)) if asks else 0

    def raise_raw(self, side: str, price_int: int) -> None:
        if self.anchor is not None:
            return
        if side == "B":
            self.best_bid = max(self.best_bid, price_int)
        elif self.best_ask == 0 or self.best_ask > price_int:
            self.best_ask = price_int

    def rescan_raw(self) -> None:
        if self.anchor is None:
            self.best_bid, self.best_ask = self.raw_best()

    def count_depths(self) -> None:
        self.bid_depths.clear()
        self.ask_depths.clear()
        for order in self.orders.values():
            self.shift_depth(order, order.quantity)

    def shift_depth(self, order: Order, change: int) -> None:
        if order.slot >= 0:
            depths = self.bid_depths if order.side == "B" else self.ask_depths
            depths[order.slot] += change

    @property
    def unconfirmed_fills(self) -> int:
        return sum(order.awaited > 0 for order in self.orders.values())

    # The steps of 2.2

    def apply(self, event: Event) -> Outcome:
        """Apply one event: steps 1 to 5; step 6 and the sync are the caller's."""
        self.count_anomalies(event)
        outcome = Outcome(self.advance_clock(event))
        self.event_count += 1
        was = self.in_snapshot
        self.follow_snapshot(event)
        outcome.touches = [touch for touch in self.operate(event) if touch[0] >= 0]
        outcome.cleared = self.v2 and event.action == "R"
        if self.v2:
            self.count_depths()
        self.find_best()
        self.settle_anchor(outcome, completed=was and not self.in_snapshot)
        if event.flags & LAST and self.best_bid > 0 and self.best_ask > 0:
            self.anomalies["crossed"] += self.best_bid >= self.best_ask
        return outcome

    def advance_clock(self, event: Event) -> int:
        latest = event.ts_ns if self.latest_ns is None else max(self.latest_ns, event.ts_ns)
        self.latest_ns = latest
        self.sequence_before = event.sequence
        return latest if self.v2 else event.ts_ns

    def follow_snapshot(self, event: Event) -> None:
        if event.action == "R" and event.flags & SNAPSHOT:
            self.in_snapshot = True
        if self.in_snapshot and event.flags & LAST:
            self.in_snapshot = False
            self.valid = True
        if not self.valid and not self.in_snapshot:
            self.valid = True

    def settle_anchor(self, outcome: Outcome, *, completed: bool) -> None:
        just_set = False
        if self.anchor is None and self.best_bid > 0 and self.best_ask > 0:
            self.set_anchor(self.mean_tick(self.best_bid, self.best_ask))
            just_set = True
        if completed and self.v2 and self.is_off_centre():
            self.set_anchor(self.mean_tick(*self.raw_best()))
            outcome.moved = True
            outcome.touches = []
        outcome.synced = (completed or just_set) and self.anchor is not None

    def is_off_centre(self) -> bool:
        bid, ask = self.raw_best()
        if self.anchor is None or bid <= 0 or ask <= 0:
            return False
        slot = self.mean_tick(bid, ask) - self.anchor + self.slots // 2
        return not self.slots // 4 <= slot < self.slots - self.slots // 4

    # Operations (2.3)

    def operate(self, event: Event) -> Iterable[Touch]:
        if event.action == "R":
            return self.clear()
        rules = {"A": self.add, "C": self.cancel, "M": self.modify, "F": self.fill}
        if event.action not in rules:
            return []
        return rules[event.action](event)

    def clear(self) -> list[Touch]:
        self.orders.clear()
        self.bid_depths.clear()
        self.ask_depths.clear()
        self.best_bid = self.best_ask = 0
        self.valid = False
        return []

    def add(self, event: Event) -> list[Touch]:
        if self.v2 and (event.order_id in self.orders or event.size == 0 or event.side == "N"):
            return []
        order = self.insert(event)
        self.raise_raw(order.side, order.price_int)
        return [(order.slot, event.size, 0, 0)]

    def insert(self, event: Event) -> Order:
        order = Order(event.side, event.price_int, event.size, self.slot(event.price_int))
        self.orders[event.order_id] = order
        self.shift_depth(order, order.quantity)
        return order

    def cancel(self, event: Event) -> list[Touch]:
        order = self.orders.get(event.order_id)
        if order is None or (self.v2 and event.size == 0):
            return []
        removed = min(event.size, order.quantity) if self.v2 else order.quantity
        return [self.take_out(event.order_id, removed)]

    def take_out(self, order_id: int, removed: int) -> Touch:
        order = self.orders[order_id]
        confirmed = min(order.awaited, removed)
        order.awaited -= confirmed
        self.shift_depth(order, -removed)
        order.quantity -= removed
        if order.quantity == 0:
            del self.orders[order_id]
        self.rescan_raw()
        return (order.slot, 0, removed - confirmed, 0)

    def modify(self, event: Event) -> list[Touch]:
        old = self.orders.get(event.order_id)
        if old is None:
            return self.modify_unknown(event)
        if self.v2 and event.size == 0:
            return [self.take_out(event.order_id, old.quantity)]
        if self.v2 and event.side == "N":
            event = event._replace(side=old.side)
        self.shift_depth(old, -old.quantity)
        # The order keeps its place among the orders: an id assigned again in a dictionary does.
        new = self.insert(event)
        self.rescan_raw()
        return moved(old, new)

    def modify_unknown(self, event: Event) -> list[Touch]:
        if self.v2:
            return self.add(event)
        self.insert(event)
        self.rescan_raw()
        return []

    def fill(self, event: Event) -> list[Touch]:
        order = self.orders.get(event.order_id)
        if order is None or (self.v2 and event.size == 0):
            return []
        if self.v2:
            filled = min(event.size, order.quantity - order.awaited)
            order.awaited += filled
            return [(order.slot, 0, 0, filled)]
        effective = min(event.size, order.quantity)
        self.shift_depth(order, -effective)
        order.quantity -= effective
        if order.quantity <= 0:
            del self.orders[event.order_id]
            self.rescan_raw()
        return [(order.slot, 0, 0, event.size)]

    # Anomalies (2.4), all but crossed, which the outcome of the event decides

    def count_anomalies(self, event: Event) -> None:
        order = self.orders.get(event.order_id)
        states = event.action in {"A", "M"}
        found = {
            "duplicate_add": event.action == "A" and order is not None,
            "unknown_cancel": event.action == "C" and order is None,
            "unknown_modify": event.action == "M" and order is None,
            "unknown_fill": event.action == "F" and order is None,
            "over_cancel": event.action == "C" and order and event.size > order.quantity,
            "over_fill": event.action == "F"
            and order
            and event.size > order.quantity - order.awaited,
            "zero_size": event.action in set("ACMF") and event.size == 0,
            "bad_side": states and event.side not in {"A", "B"},
            "side_change": event.action == "M" and order and {order.side, event.side} == {"A", "B"},
            "off_tick": states and event.price_int % self.tick_int != 0,
            "out_of_range": states and self.anchor is not None and self.slot(event.price_int) == -1,
        } | self.regressions(event)
        for name, happened in found.items():
            self.anomalies[name] += bool(happened)

    def regressions(self, event: Event) -> dict[str, bool]:
        if self.latest_ns is None:
            return {}
        numbered = event.sequence != 0 and self.sequence_before != 0
        return {
            "time_regression": event.ts_ns < self.latest_ns,
            "sequence_regression": numbered
            and event.ts_ns == self.latest_ns
            and event.sequence < self.sequence_before,
        }


def moved(old: Order, new: Order) -> list[Touch]:
    """Touches of a restated order."""
    if old.slot != new.slot:
        left = (old.slot, 0, old.quantity - old.awaited, 0)
        return [left, (new.slot, new.quantity, 0, 0)]
    if new.quantity > old.quantity:
        return [(new.slot, new.quantity - old.quantity, 0, 0)]
    pulled = max(old.quantity - new.quantity - old.awaited, 0)
    return [(new.slot, 0, pulled, 0)]
