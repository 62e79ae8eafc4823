"""The cells of the grid in plain Python: masses, chains, pressure and vacuum.

Written from section 3 of docs/order-book.md alone. The touches come from order_book.py; who calls
`Cells.advance`, and when, is in grid.py.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

MASSES = ("add", "pull", "fill")
INPUTS = (*MASSES, "bid_depth", "ask_depth")
ORDERS = ("v", "a", "j")


@dataclass
class Cell:
    """One slot; ``chains`` holds [velocity, acceleration, jerk] of each input.

    ``base_ns``, ``waiting``, ``sums`` and ``base_depths`` are of ``v2``: the time up to which the
    chains have advanced, whether touches wait to be settled, their flow, and the depths then.
    """

    masses: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MASSES, 0.0))
    chains: dict[str, list[float]] = field(default_factory=lambda: {n: [0.0] * 3 for n in INPUTS})
    bid: float = 0.0
    ask: float = 0.0
    pressure: float = 0.0
    vacuum: float = 0.0
    last_ts_ns: int = 0
    last_event_id: int = 0
    first_ns: int = 0
    base_ns: int = 0
    waiting: bool = False
    sums: list[float] = field(default_factory=lambda: [0.0] * 3)
    base_depths: tuple[float, float] = (0.0, 0.0)

    def rest(self, order: int) -> float:
        """Velocity (0), acceleration (1) or jerk (2) of rest depth."""
        return self.chains["bid_depth"][order] + self.chains["ask_depth"][order]

    def row(self) -> dict[str, float | int]:
        """Columns of the cell under the names of the grid."""
        row: dict[str, float | int] = {
            "pressure_variant": self.pressure,
            "vacuum_variant": self.vacuum,
        }
        row |= {f"{name}_mass": mass for name, mass in self.masses.items()}
        row |= {"rest_depth": self.bid + self.ask, "bid_depth": self.bid, "ask_depth": self.ask}
        for order, letter in enumerate(ORDERS):
            row |= {f"{letter}_{name}": chain[order] for name, chain in self.chains.items()}
            row[f"{letter}_rest_depth"] = self.rest(order)
        return row | {"last_event_id": self.last_event_id}


def alpha(dt_s: float, tau_s: float) -> float:
    """Share of the new value after an interval."""
    if dt_s <= 0:
        return 0.0
    ratio = dt_s / tau_s
    return 1.0 if ratio > 50 else 1.0 - math.exp(-ratio)


class Cells:
    """Every cell that was ever touched or synchronised, by slot."""

    def __init__(self, compat: str, config: Mapping[str, float]):
        self.v2 = {"v1": False, "v2": True}[compat]
        self.config = config
        self.taus = [config[f"tau_{name}"] for name in ("velocity", "acceleration", "jerk")]
        self.by_slot: dict[int, Cell] = {}

    def at(self, slot: int) -> Cell:
        return self.by_slot.setdefault(slot, Cell())

    def restart(self) -> None:
        """Every cell afresh: the anchor moved."""
        self.by_slot.clear()

    def sync(self, bids: Mapping[int, int], asks: Mapping[int, int]) -> None:
        """Take over the depths of the book; no flow."""
        for slot in {*self.by_slot, *bids, *asks}:
            cell = self.at(slot)
            cell.bid, cell.ask = float(bids.get(slot, 0)), float(asks.get(slot, 0))
            cell.base_depths = (cell.bid, cell.ask)

    # A touch (3.2)

    def touch(self, slot: int, flow: tuple[int, ...], now: tuple[int, int], book: tuple[int, int]):
        """Apply a touch.

        ``flow`` is added, pulled, filled; ``now`` the time and the event's id; ``book`` the
        depths of bid and ask at the slot.
        """
        cell = self.at(slot)
        time_ns, event_id = now
        later = cell.last_ts_ns > 0 and time_ns > cell.last_ts_ns
        dt_s = (time_ns - cell.last_ts_ns) / 1e9 if later else 0.0
        for name, change in zip(MASSES, flow, strict=True):
            kept = math.exp(-dt_s / self.config["tau_rest_decay"]) if later else 1.0
            cell.masses[name] = cell.masses[name] * kept + change
        if self.v2:
            self.touch_v2(cell, flow, time_ns, book)
        else:
            self.touch_v1(cell, flow, dt_s, book)
        cell.last_event_id = event_id
        cell.last_ts_ns = time_ns

    def touch_v1(self, cell: Cell, flow: tuple[int, ...], dt_s: float, book: tuple[int, int]):
        changes = [*flow, book[0] - cell.bid, book[1] - cell.ask]
        cell.bid, cell.ask = float(book[0]), float(book[1])
        if dt_s > 0:
            self.step(cell, [change / dt_s for change in changes], dt_s)
        self.set_forces(cell)

    def touch_v2(self, cell: Cell, flow: tuple[int, ...], time_ns: int, book: tuple[int, int]):
        if cell.last_ts_ns > 0 and time_ns > cell.last_ts_ns > cell.base_ns:
            self.settle(cell, cell.last_ts_ns)
        cell.bid, cell.ask = float(book[0]), float(book[1])
        if cell.last_ts_ns == 0:
            cell.first_ns = cell.base_ns = time_ns
        if cell.first_ns == time_ns:
            cell.base_depths = (cell.bid, cell.ask)
            return
        cell.waiting = True
        cell.sums = [total + change for total, change in zip(cell.sums, flow, strict=True)]

    def settle(self, cell: Cell, time_ns: int) -> None:
        """Let what waits flow into the chains, up to a time after the base time."""
        dt_s = (time_ns - cell.base_ns) / 1e9
        depths = (cell.bid, cell.ask)
        changes = [depth - base for depth, base in zip(depths, cell.base_depths, strict=True)]
        self.step(cell, [change / dt_s for change in (*cell.sums, *changes)], dt_s)
        self.set_forces(cell)
        self.rebase(cell, time_ns)

    def rebase(self, cell: Cell, time_ns: int) -> None:
        cell.base_ns = time_ns
        cell.sums = [0.0] * 3
        cell.base_depths = (cell.bid, cell.ask)
        cell.waiting = False

    def step(self, cell: Cell, rates: list[float], dt_s: float) -> None:
        """Step the five chains with an input rate each (3.1)."""
        alphas = [alpha(dt_s, tau) for tau in self.taus]
        for name, rate in zip(INPUTS, rates, strict=True):
            v, a, j = cell.chains[name]
            new_v = alphas[0] * rate + (1.0 - alphas[0]) * v
            new_a = alphas[1] * ((new_v - v) / dt_s) + (1.0 - alphas[1]) * a
            new_j = alphas[2] * ((new_a - a) / dt_s) + (1.0 - alphas[2]) * j
            if all(map(math.isfinite, (new_v, new_a, new_j))):
                cell.chains[name] = [new_v, new_a, new_j]

    def set_forces(self, cell: Cell) -> None:
        c = self.config
        v = {name: chain[0] for name, chain in cell.chains.items()}
        a = {name: chain[1] for name, chain in cell.chains.items()}
        v_rest = cell.rest(0)
        cell.pressure = (
            c["c1_v_add"] * v["add"]
            + c["c2_v_rest_pos"] * max(v_rest, 0.0)
            + c["c3_a_add"] * max(a["add"], 0.0)
        )
        cell.vacuum = (
            c["c4_v_pull"] * v["pull"]
            + c["c5_v_fill"] * v["fill"]
            + c["c6_v_rest_neg"] * max(-v_rest, 0.0)
            + c["c7_a_pull"] * max(a["pull"], 0.0)
        )

    # Advance (3.3)

    def advance(self, time_ns: int) -> None:
        """Let every cell decay up to the end of a bin."""
        for cell in self.by_slot.values():
            if 0 < cell.last_ts_ns < time_ns:
                self.advance_cell(cell, time_ns)

    def advance_cell(self, cell: Cell, time_ns: int) -> None:
        dt_s = (time_ns - cell.last_ts_ns) / 1e9
        for name in MASSES:
            cell.masses[name] *= math.exp(-dt_s / self.config["tau_rest_decay"])
        if self.v2 and cell.last_ts_ns > cell.base_ns:
            self.settle(cell, cell.last_ts_ns)
        if self.v2 and cell.waiting:
            self.settle(cell, time_ns)
        else:
            self.decay(cell, dt_s)
            self.set_forces(cell)
        if self.v2:
            self.rebase(cell, time_ns)
        cell.pressure = cell.pressure if math.isfinite(cell.pressure) else 0.0
        cell.vacuum = cell.vacuum if math.isfinite(cell.vacuum) else 0.0
        cell.last_ts_ns = time_ns

    def decay(self, cell: Cell, dt_s: float) -> None:
        alphas = [1.0 - math.exp(-dt_s / tau) for tau in self.taus]
        keeps = [1.0 - share for share in alphas]
        for name, (v, a, j) in cell.chains.items():
            new_v = keeps[0] * v
            new_a = alphas[1] * ((new_v - v) / dt_s) + keeps[1] * a
            new_j = alphas[2] * ((new_a - a) / dt_s) + keeps[2] * j
            cell.chains[name] = [x if math.isfinite(x) else 0.0 for x in (new_v, new_a, new_j)]
