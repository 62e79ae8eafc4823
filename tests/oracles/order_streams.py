"""Streams of market-by-order events to try a book on: well-formed, adversarial, tiny.

Functions of a seed, and hypothesis strategies on top of them. What a stream does to a book is said
by order_book.py; tapes that look like a market are made in ``engine.tapes.mbo``.
"""

import numpy as np
from hypothesis import strategies as st

from engine.book.events import Events
from tests.oracles.order_book import LAST, SNAPSHOT, Event

TICK_INT = 250_000_000
BIN_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000
MIDDLE_TICK = 400
SLOTS = 64
NO_EVENT = Event(START_NS, "N", "N", 0, 0, 0, LAST, 0)

SETTINGS = {
    "product_type": "future_mbo",
    "tick_size": 0.25,
    "bucket_size_dollars": 0.5,
    "grid_radius_ticks": 6,
    "cell_width_ms": 100,
    "n_absolute_ticks": SLOTS,
    "flow_windows": [2, 3, 5],
    "flow_rollup_weights": [1.0, 2.0, 0.5],
    "flow_derivative_weights": [0.55, 0.3, 0.15],
    "flow_tanh_scale": 3.0,
    "flow_neutral_threshold": 0.15,
    "flow_zscore_window_bins": 8,
    "flow_zscore_min_periods": 3,
    "projection_horizons_bins": [1, 4],
    "tau_velocity": 0.0015,
    "tau_acceleration": 0.05,
    "tau_jerk": 10.0,
    "tau_rest_decay": 0.3,
    "c1_v_add": 1.0,
    "c2_v_rest_pos": 0.5,
    "c3_a_add": 0.3,
    "c4_v_pull": 1.0,
    "c5_v_fill": 1.5,
    "c6_v_rest_neg": 0.5,
    "c7_a_pull": 0.3,
    "state_model_center_exclusion_radius": 1,
    "state_model_spatial_decay_power": 0.5,
    "state_model_zscore_window_bins": 6,
    "state_model_zscore_min_periods": 3,
    "state_model_tanh_scale": 2.0,
    "state_model_d1_weight": 1.0,
    "state_model_d2_weight": 0.5,
    "state_model_d3_weight": 0.25,
    "state_model_bull_pressure_weight": 1.0,
    "state_model_bull_vacuum_weight": 0.5,
    "state_model_bear_pressure_weight": 0.75,
    "state_model_bear_vacuum_weight": 1.0,
    "state_model_mixed_weight": 0.5,
}
"""A small configuration that no default hides behind; a bin is more than 50 ``tau_velocity``."""


def packed(rows: list[Event]) -> Events:
    """Turn events into columns."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(Event._fields)
    types = (np.int64, None, None, np.int64, np.int64, np.int64, np.int32, np.int64)
    return Events(
        *(
            np.array(column, dtype) if dtype else np.array([*map(ord, column)], np.uint8)
            for column, dtype in zip(columns, types, strict=True)
        )
    )


class Market:
    """A small market that never crosses and writes down what a feed would say of it."""

    def __init__(self, rng: np.random.Generator, start_ns: int):
        self.rng = rng
        self.now_ns = start_ns
        self.orders: dict[int, tuple[str, int, int]] = {}
        self.rows: list[Event] = []
        self.ids = 0

    def best(self, side: str) -> int:
        ticks = [tick for its, tick, _ in self.orders.values() if its == side]
        if side == "B":
            return max(ticks, default=MIDDLE_TICK - 1)
        return min(ticks, default=MIDDLE_TICK + 1)

    def write(self, action: str, side: str, order_id: int, tick: int, size: int, flags: int = 0):
        price_int = tick * TICK_INT
        number = len(self.rows) + 1
        row = Event(self.now_ns, action, side, order_id, price_int, size, flags, number)
        self.rows.append(row)

    def finish_message(self) -> None:
        if self.rows:
            self.rows[-1] = self.rows[-1]._replace(flags=self.rows[-1].flags | LAST)

    def place(self, flags: int = 0) -> None:
        side = "BA"[self.rng.integers(2)]
        self.ids += 1
        self.put("A", self.ids, side, self.passive_tick(side), int(self.rng.integers(1, 9)), flags)

    def passive_tick(self, side: str) -> int:
        away = int(self.rng.geometric(0.3)) - 1
        if side == "B":
            return self.best("A") - 1 - away
        return self.best("B") + 1 + away

    def put(self, action: str, order_id: int, side: str, tick: int, size: int, flags: int = 0):
        self.orders[order_id] = (side, tick, size)
        self.write(action, side, order_id, tick, size, flags)

    def any_order(self) -> int:
        return list(self.orders)[self.rng.integers(len(self.orders))]

    def cancel(self) -> None:
        order_id = self.any_order()
        side, tick, size = self.orders[order_id]
        gone = size if self.rng.random() < 0.8 else int(self.rng.integers(1, size + 1))
        self.reduce(order_id, gone)
        self.write("C", side, order_id, tick, gone)

    def reduce(self, order_id: int, gone: int) -> None:
        side, tick, size = self.orders.pop(order_id)
        if size > gone:
            self.orders[order_id] = (side, tick, size - gone)

    def modify(self) -> None:
        order_id = self.any_order()
        side, tick, _ = self.orders.pop(order_id)
        if self.rng.random() < 0.5:
            tick = self.passive_tick(side)
        self.put("M", order_id, side, tick, int(self.rng.integers(1, 9)))

    def trade(self) -> None:
        """Take from one side: the print, then each fill and what it leaves at the same time."""
        side = "BA"[self.rng.integers(2)]
        wanted = int(self.rng.integers(1, 12))
        tick = self.best(side)
        resting = [i for i, (its, at, _) in self.orders.items() if (its, at) == (side, tick)]
        if not resting:
            return
        self.write("T", "A" if side == "B" else "B", 0, tick, wanted)
        fills = {}
        for order_id in resting:
            size = min(wanted - sum(fills.values()), self.orders[order_id][2])
            if size > 0:
                fills[order_id] = size
                self.write("F", side, order_id, tick, size)
        for order_id, size in fills.items():
            self.confirm(order_id, size)

    def confirm(self, order_id: int, size: int) -> None:
        side, tick, held = self.orders[order_id]
        self.reduce(order_id, size)
        if held > size and self.rng.random() < 0.5:
            self.write("M", side, order_id, tick, held - size)
        else:
            self.write("C", side, order_id, tick, size)

    def snapshot(self, orders: int) -> None:
        self.orders.clear()
        self.write("R", "N", 0, 0, 0, SNAPSHOT)
        for _ in range(orders):
            self.place(SNAPSHOT)
        self.finish_message()

    def message(self) -> None:
        acts = [self.place, self.cancel, self.modify, self.trade]
        shares = [0.45, 0.25, 0.15, 0.15] if self.orders else [1.0, 0.0, 0.0, 0.0]
        acts[self.rng.choice(4, p=shares)]()
        self.finish_message()

    def wait(self, mean_ns: float, tied: float) -> None:
        if self.rng.random() >= tied:
            self.now_ns += int(self.rng.exponential(mean_ns))


def well_formed(
    seed: int,
    n: int,
    *,
    snapshot: int = 12,
    mean_ns: float = 4e6,
    tied: float = 0.2,
    start_ns: int = START_NS,
) -> Events:
    """Give ``n`` events as a feed sends them: a snapshot, then adds, cancels, modifies, trades.

    A trade is ``T``, an ``F`` for each order and then a ``C`` or ``M`` for each, all at one time,
    the last record of a message flagged. The book never crosses; a share of messages are at the
    time of the one before.
    """
    market = Market(np.random.default_rng(seed), start_ns)
    if snapshot:
        market.snapshot(snapshot)
    while len(market.rows) < n:
        market.wait(mean_ns, tied)
        market.message()
    return packed(market.rows[:n])


class Mischief:
    """Draws events that no feed should send."""

    def __init__(self, rng: np.random.Generator, ids: int, spread: int):
        self.rng = rng
        edges = [0, -1, 1, 2**63 - 1, -(2**63)]
        others = rng.integers(-(2**63), 2**63 - 1, max(ids - len(edges), 0)).tolist()
        self.ids = (edges + others)[:ids]
        self.spread = spread
        self.now_ns = START_NS
        self.middle = MIDDLE_TICK
        self.rows: list[Event] = []

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def tell_time(self) -> int:
        """Give the time of the next event: most often the same or soon, at times far or before."""
        kind = self.rng.choice(6, p=[0.35, 0.4, 0.1, 0.09, 0.01, 0.05])
        if kind == 1:
            self.now_ns += int(self.rng.integers(1, 2_000_000))
        elif kind == 2:
            passed = (self.now_ns - START_NS) // BIN_NS
            self.now_ns = START_NS + (passed + 1) * BIN_NS
        elif kind == 3:
            self.now_ns += int(self.rng.integers(1, BIN_NS // 4))
        elif kind == 4:
            self.now_ns += BIN_NS * int(self.rng.integers(3, 12)) + 7
        elif kind == 5:
            return self.now_ns - int(self.rng.integers(1, 2 * BIN_NS))
        return self.now_ns

    def price_int(self) -> int:
        price_int = (self.middle + int(self.rng.integers(-self.spread, self.spread + 1))) * TICK_INT
        kind = self.rng.random()
        if kind < 0.03:
            return price_int + int(self.rng.integers(1, TICK_INT))
        if kind < 0.05:
            return price_int + TICK_INT // 2
        if kind < 0.055:
            return int(self.rng.choice([0, 10**15]))
        if kind < 0.09:
            return price_int + int(self.rng.integers(-3, 4)) * SLOTS * TICK_INT // 4
        return price_int

    def event(self) -> Event:
        action = "ACMFTNR"[self.rng.choice(7, p=[0.38, 0.2, 0.18, 0.18, 0.03, 0.02, 0.01])]
        side = "BAN"[self.rng.choice(3, p=[0.48, 0.48, 0.04])]
        size = 0 if self.chance(0.05) else int(self.rng.integers(1, 12))
        flags = (LAST if self.chance(0.6) else 0) | (SNAPSHOT if self.chance(0.03) else 0)
        sequence = int(self.rng.integers(0, 4)) if self.chance(0.2) else len(self.rows) + 1
        order_id = self.ids[self.rng.integers(len(self.ids))]
        time_ns = self.tell_time()
        return Event(time_ns, action, side, order_id, self.price_int(), size, flags, sequence)

    def snapshot(self) -> list[Event]:
        """Give a snapshot, at times around another price, at times interrupted or all in one."""
        self.now_ns += 1
        start = NO_EVENT._replace(ts_ns=self.now_ns, action="R", flags=SNAPSHOT)
        if self.chance(0.25):
            return [start._replace(flags=SNAPSHOT | LAST)]
        if self.chance(0.5):
            self.middle += int(self.rng.integers(-SLOTS, SLOTS + 1))
        inner = []
        for _ in range(self.rng.integers(1, 14)):
            action = "A" if self.chance(0.9) else "R"
            event = self.event()._replace(ts_ns=self.now_ns, action=action, flags=SNAPSHOT)
            inner.append(event)
        inner[-1] = inner[-1]._replace(flags=SNAPSHOT | LAST)
        return [start, *inner]


def adversarial(seed: int, n: int, *, ids: int = 40, spread: int = 8) -> Events:
    """Give ``n`` events that break every rule of a feed.

    Ids are few and from the whole range of 64 bits, so that adds are repeated and cancels, fills
    and modifies are often of unknown orders or too large; times and sequences go back, lie just at
    the edges of bins or far apart; prices are off the tick, off the lattice or across the book;
    sizes are 0 and sides ``N``; books are cleared and snapshots come in the midst, some of one
    event.
    """
    mischief = Mischief(np.random.default_rng(seed), ids, spread)
    while len(mischief.rows) < n:
        mischief.rows += mischief.snapshot() if mischief.chance(0.01) else [mischief.event()]
    return packed(mischief.rows[:n])


_steps_ns = st.sampled_from([0, 0, 1, 1_000_000, BIN_NS // 2, BIN_NS, 3 * BIN_NS, -1, -BIN_NS])
_prices = st.one_of(
    st.integers(MIDDLE_TICK - 3, MIDDLE_TICK + 3).map(lambda tick: tick * TICK_INT),
    st.sampled_from(
        [
            MIDDLE_TICK * TICK_INT + TICK_INT // 2,
            MIDDLE_TICK * TICK_INT - 1,
            (MIDDLE_TICK + SLOTS // 2 - 1) * TICK_INT,
            (MIDDLE_TICK + SLOTS // 2) * TICK_INT,
            (MIDDLE_TICK - SLOTS // 2) * TICK_INT,
            (MIDDLE_TICK - SLOTS) * TICK_INT,
        ]
    ),
)
_drawn = st.builds(
    Event,
    ts_ns=_steps_ns,
    action=st.sampled_from("AAAACCMMFFTNR"),
    side=st.sampled_from("BABABAN"),
    order_id=st.sampled_from([0, 1, 2, -1, 2**62]),
    price_int=_prices,
    size=st.integers(0, 4),
    flags=st.sampled_from([0, LAST, LAST, SNAPSHOT, SNAPSHOT | LAST]),
    sequence=st.integers(0, 3),
)


def _in_time(rows: list[Event]) -> Events:
    """Take the drawn times for steps from one event to the next."""
    now_ns = START_NS
    timed = []
    for row in rows:
        now_ns += row.ts_ns
        timed.append(row._replace(ts_ns=now_ns))
    return packed(timed)


tiny = st.lists(_drawn, min_size=1, max_size=40).map(_in_time)
"""Short streams of few ids and prices, which shrink to the one event that matters."""

_seeds = st.integers(0, 2**32 - 1)
streams = st.one_of(
    tiny,
    st.builds(adversarial, _seeds, st.integers(1, 300)),
    st.builds(well_formed, _seeds, st.integers(1, 300)),
)
"""Any of the three kinds."""
