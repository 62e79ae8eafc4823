"""Events to bins, windows and labels in plain Python: the oracle of ``engine.grid``.

Written from section 4 of docs/order-book.md alone. `Grid` drives the book of order_book.py, the
cells of order_cells.py and the spectrum and state model of order_flow.py, and names everything as
the columns of the stored grid do.
"""

import math
from collections.abc import Iterator, Mapping

from engine.book.events import Events
from tests.oracles import order_book, order_flow
from tests.oracles.order_cells import Cell, Cells

NO_PROJECTION = {
    "projection_use_cubic": False,
    "projection_cubic_scale": 1 / 6,
    "projection_damping_lambda": 0.0,
}
LABELS = {
    (1, 1): (2, 1),
    (0, 1): (2, 1),
    (0, 0): (0, 0),
    (-1, 1): (0, 0),
}
OTHER_LABELS = (-1, -2)

Row = dict[str, float | int]
Bin = tuple[dict, list[Row]]


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


class Grid:
    """Events in, one bin and its rows out for each bin that closes.

    ``config`` is a runtime configuration, ``compat`` the rules, ``emit_from_ns`` the start of the
    first bin (that of the first event, if None).
    """

    def __init__(
        self,
        config: Mapping,
        compat: str = "v2",
        projection: Mapping = NO_PROJECTION,
        emit_from_ns: int | None = None,
    ):
        self.config = config
        self.projection = projection
        self.radius = config["grid_radius_ticks"]
        self.width_ns = int(config["cell_width_ms"] * 1e6)
        tick_int = order_book.tick_int_of(dict(config))
        self.book = order_book.Book(compat, tick_int, config["n_absolute_ticks"])
        self.cells = Cells(compat, config)
        self.flows: dict[int, order_flow.SlotFlow] = {}
        self.flow_rows: dict[int, Row] = {}
        self.model = order_flow.StateModel(config)
        self.start_ns = emit_from_ns
        self.opened = False
        self.bin_seq = 0
        self.bin_events = 0
        self.best_before: tuple[int, int] | None = None

    def run(self, events: Events) -> Iterator[Bin]:
        """Push every event, then finish."""
        for event in order_book.unpacked(events):
            yield from self.push(event)
        yield from self.finish()

    def push(self, event: order_book.Event) -> Iterator[Bin]:
        """Close the bins that end by an event's time, then apply and count it."""
        time_ns = event.ts_ns
        if self.book.v2 and self.book.latest_ns is not None:
            time_ns = max(time_ns, self.book.latest_ns)
        if self.start_ns is None:
            self.start_ns = time_ns
        self.opened = self.opened or time_ns >= self.start_ns
        while self.opened and time_ns >= self.start_ns + self.width_ns:
            yield self.close()
        self.apply(event)
        self.bin_events += self.opened

    def finish(self) -> Iterator[Bin]:
        if self.bin_events:
            yield self.close()

    def apply(self, event: order_book.Event) -> None:
        outcome = self.book.apply(event)
        bids, asks = self.book.bid_depths, self.book.ask_depths
        if outcome.cleared:
            self.cells.sync({}, {})
        if outcome.moved:
            self.cells.restart()
            self.flows.clear()
            self.flow_rows.clear()
        if outcome.synced:
            self.cells.sync(bids, asks)
        now = (outcome.time_ns, self.book.event_count)
        for slot, *flow in outcome.touches:
            self.cells.touch(slot, tuple(flow), now, (bids[slot], asks[slot]))

    def close(self) -> Bin:
        """Close the open bin and open the next."""
        end_ns = self.start_ns + self.width_ns
        self.cells.advance(end_ns)
        self.update_flow()
        spot = self.spot()
        labels, codes = self.labels()
        rows = [
            {"bin_seq": self.bin_seq, "k": k}
            | self.window_row(spot, k)
            | labels
            | {"state5_code": codes[k]}
            for k in range(-self.radius, self.radius + 1)
        ]
        record = self.record(end_ns, spot) | labels | self.model.push(codes)
        self.best_before = (self.book.best_bid, self.book.best_ask)
        self.start_ns = end_ns
        self.bin_seq += 1
        self.bin_events = 0
        return record, rows

    def update_flow(self) -> None:
        for slot, cell in self.cells.by_slot.items():
            if cell.last_ts_ns > 0 and slot not in self.flows:
                self.flows[slot] = order_flow.SlotFlow(self.config, self.projection, self.bin_seq)
        blank = Cell()
        for slot, flow in self.flows.items():
            cell = self.cells.by_slot.get(slot, blank)
            self.flow_rows[slot] = flow.push(cell.pressure, cell.vacuum)

    # Window (4.1)

    def spot(self) -> int:
        """Give the reference price, 0 if it has no slot."""
        bid, ask = self.book.best_bid, self.book.best_ask
        if bid <= 0 or ask <= 0:
            return 0
        tick_int = self.book.tick_int
        spot = math.floor(((bid + ask) / 2.0) / tick_int + 0.5) * tick_int
        return spot if self.book.slot(spot) >= 0 else 0

    def window_row(self, spot: int, k: int) -> Row:
        slot = self.book.slot(spot) + k
        inside = spot != 0 and 0 <= slot < self.book.slots
        cell = self.cells.by_slot.get(slot) if inside else None
        flow = self.flow_rows.get(slot) if inside else None
        return (cell or Cell()).row() | (flow or self.no_flow())

    def no_flow(self) -> Row:
        names = ["composite", *(f"composite_d{n}" for n in (1, 2, 3)), "flow_score"]
        names += [f"proj_score_h{horizon}" for horizon in order_flow.horizons_ms(self.config)]
        return dict.fromkeys(names, 0.0) | {"flow_state_code": 0}

    def record(self, end_ns: int, spot: int) -> dict:
        book = self.book
        return {
            "ts_ns": end_ns,
            "bin_seq": self.bin_seq,
            "bin_start_ns": self.start_ns,
            "bin_end_ns": end_ns,
            "bin_event_count": self.bin_events,
            "event_id": book.event_count,
            "spot_ref_price_int": spot,
            "mid_price": (book.best_bid + book.best_ask) * 0.5 * 1e-9 if spot else 0.0,
            "best_bid_price_int": book.best_bid,
            "best_ask_price_int": book.best_ask,
            "book_valid": book.valid,
            "anchor_tick_idx": -1 if book.anchor is None else book.anchor,
            "order_count": len(book.orders),
        }

    # Moves and labels (4.2)

    def labels(self) -> tuple[dict[str, int], dict[int, int]]:
        """Give the labels of the bin and the state5 code of each k."""
        bid_before, ask_before = self.best_before or (0, 0)
        ask_move = self.move(self.book.best_ask, ask_before)
        bid_move = self.move(self.book.best_bid, bid_before)
        ask, bid = sign(ask_move), sign(bid_move)
        labels = {
            "best_ask_move_ticks": ask_move,
            "best_bid_move_ticks": bid_move,
            "ask_reprice_sign": ask,
            "bid_reprice_sign": bid,
            "microstate_id": (ask + 1) * 3 + (bid + 1),
            "chase_up_flag": int(ask == bid == 1),
            "chase_down_flag": int(ask == bid == -1),
        }
        above, below = LABELS.get((ask, bid), OTHER_LABELS)
        ks = range(-self.radius, self.radius + 1)
        return labels, {k: above if k > 0 else below if k < 0 else 0 for k in ks}

    def move(self, now: int, before: int) -> int:
        if now <= 0 or before <= 0:
            return 0
        return round((now - before) / self.book.tick_int)

    # Final state

    def final_cells(self) -> list[Row]:
        """Every slot of the lattice, with the depths of the book."""
        rows = []
        for slot in range(self.book.slots):
            cell = self.cells.by_slot.get(slot) or Cell()
            depths = {
                "depth_bid_arr": self.book.bid_depths[slot],
                "depth_ask_arr": self.book.ask_depths[slot],
            }
            rows.append({"idx": slot} | cell.row() | {"last_ts_ns": cell.last_ts_ns} | depths)
        return rows

    def final_orders(self) -> list[dict]:
        """Every order, in the order of arrival."""
        return [
            {
                "order_id": order_id,
                "side": order.side,
                "price_int": order.price_int,
                "qty": order.quantity,
                "idx": order.slot,
            }
            for order_id, order in self.book.orders.items()
        ]
