"""A dictionary of orders, told every row of a tape, that refuses what no exchange would send.

Independent of the generator: it knows only the semantics of the records, and raises
`MalformedError` with the row. What it saw on the way is what the statistics are checked against.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

SNAPSHOT, LAST = 32, 128


class MalformedError(Exception):
    """A row that breaks a rule of the records."""


@dataclass
class Order:
    side: str
    price: int
    size: int
    born: int
    fresh: bool
    touched: bool = False


@dataclass
class Replay:
    """Orders by id, and their queues: side → price → ids in time priority."""

    orders: dict[int, Order] = field(default_factory=dict)
    queues: dict[str, dict[int, dict[int, None]]] = field(
        default_factory=lambda: {"B": {}, "A": {}}
    )
    bests: dict[str, int] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    lives: list[int] = field(default_factory=list)
    tops: list[tuple[int, int, int]] = field(default_factory=list)
    trading: tuple[str, int, int] | None = None
    filled: tuple[int, int] | None = None

    def best(self, side: str) -> int:
        return self.bests[side]

    def lots(self, side: str, price: int) -> int:
        return sum(self.orders[known].size for known in self.queues[side].get(price, ()))

    def enter(self, order_id: int, order: Order) -> None:
        self.orders[order_id] = order
        levels, side = self.queues[order.side], order.side
        levels.setdefault(order.price, {})[order_id] = None
        pick = max if side == "B" else min
        self.bests[side] = pick(order.price, self.bests.get(side, order.price))

    def leave(self, order_id: int) -> Order:
        order = self.orders.pop(order_id)
        queue = self.queues[order.side][order.price]
        del queue[order_id]
        if not queue:
            levels = self.queues[order.side]
            del levels[order.price]
            if order.price == self.bests[order.side]:
                self.bests[order.side] = max(levels) if order.side == "B" else min(levels)
        return order


def require(held: bool, what: str, row: tuple) -> None:
    if not held:
        raise MalformedError(f"{what}: {row}")


def rows_of(events) -> list[tuple]:
    """Rows as Python values: ts, action, side, id, price, size, flags, sequence."""
    columns = [column.tolist() for column in events]
    columns[1] = [chr(code) for code in columns[1]]
    columns[2] = [chr(code) for code in columns[2]]
    return list(zip(*columns, strict=True))


def groups_of(rows: list[tuple]) -> list[list[tuple]]:
    """Rows cut after every flag of a last record; one time and one sequence each."""
    groups, group = [], []
    for row in rows:
        group.append(row)
        if row[6] & LAST:
            groups.append(group)
            group = []
    require(not group, "the tape ends inside a group", tuple(group))
    for group in groups:
        require(len({(row[0], row[7]) for row in group}) == 1, "a group of two times", group[0])
    for before, after in pairwise(groups):
        require(before[0][0] < after[0][0], "time stands still", after[0])
        require(before[0][7] + 1 == after[0][7], "the sequence has a gap", after[0])
    return groups


def replay(rows: list[tuple]) -> Replay:
    """Tell a whole tape, snapshot first."""
    first, *rest = groups_of(rows)
    book = Replay()
    open_book(book, first)
    for group in rest:
        require(all(row[6] == 0 for row in group[:-1]), "flags inside a group", group[0])
        require(group[-1][6] == LAST, "flags of a last record", group[-1])
        for row in group:
            tell(book, row)
        close_trade(book, group[-1])
        bid, ask = book.best("B"), book.best("A")
        require(bid < ask, "the book is crossed or locked", group[-1])
        book.tops.append((group[0][0], bid, ask))
    return book


def open_book(book: Replay, group: list[tuple]) -> None:
    require(group[0][1:7] == ("R", "N", 0, 0, 0, SNAPSHOT), "no clear at the start", group[0])
    require(group[-1][6] == SNAPSHOT | LAST, "flags of the snapshot's end", group[-1])
    for row in group[1:]:
        ts, action, side, order_id, price, size, flags, _ = row
        require(action == "A" and flags & SNAPSHOT, "no add in the snapshot", row)
        require(order_id not in book.used and size > 0, "a bad add", row)
        book.used.add(order_id)
        book.enter(order_id, Order(side, price, size, ts, fresh=False))
    book.tops.append((group[0][0], book.best("B"), book.best("A")))


def tell(book: Replay, row: tuple) -> None:
    action = row[1]
    if book.filled:
        require(action in "CM", "a fill without its C or M", row)
        settle(book, row)
    elif action == "T":
        close_trade(book, row)
        require(row[3] == 0 and row[2] in "BA" and row[5] > 0, "a bad trade", row)
        book.trading = (row[2], row[4], row[5])
    elif action == "F":
        fill(book, row)
    else:
        close_trade(book, row)
        {"A": add, "C": cancel, "M": modify}[action](book, row)


def add(book: Replay, row: tuple) -> None:
    ts, _, side, order_id, price, size, *_ = row
    require(order_id not in book.used, "an id used twice", row)
    require(size > 0 and price > 0, "a bad add", row)
    book.used.add(order_id)
    book.enter(order_id, Order(side, price, size, ts, fresh=True))


def cancel(book: Replay, row: tuple) -> None:
    ts, _, side, order_id, price, size, *_ = row
    require(order_id in book.orders, "an unknown cancel", row)
    order = book.orders[order_id]
    require((order.side, order.price) == (side, price), "another order is cancelled", row)
    require(0 < size <= order.size, "more is cancelled than rests", row)
    order.size -= size
    if order.size == 0:
        book.leave(order_id)
        if order.fresh:
            book.lives.append(ts - order.born)


def modify(book: Replay, row: tuple) -> None:
    _, _, side, order_id, price, size, *_ = row
    require(order_id in book.orders, "an unknown modify", row)
    order = book.orders[order_id]
    require(order.side == side and size > 0, "a modify to another side or to nothing", row)
    require((order.price, order.size) != (price, size), "a modify of nothing", row)
    if price == order.price and size < order.size:
        order.size = size
        return
    book.leave(order_id)
    order.price, order.size = price, size
    book.enter(order_id, order)


def fill(book: Replay, row: tuple) -> None:
    _, _, side, order_id, price, size, *_ = row
    require(book.trading is not None, "a fill without a trade", row)
    aggressor, traded_price, left = book.trading or ("", 0, 0)
    require(order_id in book.orders, "an unknown fill", row)
    order = book.orders[order_id]
    require(side == order.side != aggressor, "a fill of the wrong side", row)
    require(price == order.price == traded_price == book.best(side), "not the best price", row)
    require(next(iter(book.queues[side][price])) == order_id, "out of turn", row)
    require(0 < size <= min(order.size, left), "an over-fill", row)
    book.trading = (aggressor, traded_price, left - size)
    book.filled = (order_id, size)
    order.touched = True


def settle(book: Replay, row: tuple) -> None:
    ts, action, side, order_id, price, size, *_ = row
    filled_id, filled = book.filled or (0, 0)
    book.filled = None
    order = book.orders[order_id]
    require((order_id, side, price) == (filled_id, order.side, order.price), "not settled", row)
    if action == "C":
        require(size == filled == order.size, "a fill that leaves something is cancelled", row)
        book.leave(order_id)
        if order.fresh:
            book.lives.append(ts - order.born)
        return
    require(size == order.size - filled > 0, "the rest is restated wrongly", row)
    order.size = size


def close_trade(book: Replay, row: tuple) -> None:
    require(book.filled is None, "a fill is not settled", row)
    require(book.trading is None or book.trading[2] == 0, "a trade without all its fills", row)
    book.trading = None


def mids(book: Replay, tick_int: int) -> tuple[np.ndarray, np.ndarray]:
    """Times of the groups and the mid after each, in ticks."""
    tops = np.array(book.tops, dtype=np.float64)
    return np.array([top[0] for top in book.tops]), (tops[:, 1] + tops[:, 2]) / (2 * tick_int)
