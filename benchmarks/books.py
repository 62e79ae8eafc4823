"""Order books and grids: events and bins per second, one core, beside a plain dictionary book.

Parity first: the dictionary book must end with the same best prices and orders, and one push
an event must give the same bits as batches. Streams have at least two million events. The
*shallow* ones repeat the golden stream of the tests, a book of a hundred orders; the others are
synthetic tapes with tens of thousands of live orders, of which *quiet* ones touch at most 250
slots and the *moving* one thousands.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.memory import growth_mb
from benchmarks.timing import median_seconds, table
from contracts.grid import GridConfig, grid_config_from
from contracts.mbo import MboSpec, mbo_spec_from
from engine.book import Book
from engine.book.api import prepared
from engine.book.events import ADD, BID, CANCEL, CLEAR, MODIFY, Events
from engine.grid import GridMachine
from engine.tapes.mbo import MboTape
from islandflow_resources.mbo_files import read_events

EVENTS = 2_100_000
LARGE = 10 * EVENTS
SLOTS = 8192
TICK = 250_000_000
PLAIN = 200_000
SINGLE = 100_000
SYMBOL = "MNQH6"
START_TICKS = 86_000
BIN_NS = 100_000_000
GOLDEN = Path(__file__).parents[1] / "tests/golden/order-book/small_events.parquet"
NEAR_TICKS = 100
RATES = {"500 a bin": 5_000.0, "50 a bin": 500.0}

_RUNTIME = {
    "product_type": "future_mbo",
    "symbol": SYMBOL,
    "symbol_root": "MNQ",
    "price_scale": 1e-9,
    "tick_size": 0.25,
    "bucket_size_dollars": 0.25,
    "rel_tick_size": 0.25,
    "grid_radius_ticks": 50,
    "cell_width_ms": 100,
    "n_absolute_ticks": SLOTS,
    "flow_windows": [5, 10, 20, 40],
    "flow_rollup_weights": [1.0, 1.0, 1.0, 1.0],
    "flow_derivative_weights": [0.55, 0.3, 0.15],
    "flow_tanh_scale": 3.0,
    "flow_neutral_threshold": 0.15,
    "flow_zscore_window_bins": 300,
    "flow_zscore_min_periods": 75,
    "projection_horizons_bins": [1, 2, 3, 4],
    "contract_multiplier": 2.0,
    "qty_unit": "contracts",
    "price_decimals": 2,
    "tau_velocity": 2.0,
    "tau_acceleration": 5.0,
    "tau_jerk": 10.0,
    "tau_rest_decay": 30.0,
    "c1_v_add": 1.0,
    "c2_v_rest_pos": 0.5,
    "c3_a_add": 0.3,
    "c4_v_pull": 1.0,
    "c5_v_fill": 1.5,
    "c6_v_rest_neg": 0.5,
    "c7_a_pull": 0.3,
}
_PROJECTION = {
    "projection_use_cubic": False,
    "projection_cubic_scale": 1 / 6,
    "projection_damping_lambda": 0.0,
}


def config(**changes: object) -> GridConfig:
    """The shipped configuration with some fields changed."""
    return grid_config_from({"runtime_config": _RUNTIME | changes, "projection": _PROJECTION})


def spec(rate: float, *, moving: bool) -> MboSpec:
    """A tape of so many events a second; a quiet one stays within a few ticks."""
    scenario = {
        "id": "moving" if moving else "quiet",
        "version": "0.1",
        "timeframe": "1m",
        "duration_bars": 2000,
        "seed": 1,
        "family": "level_revert" if not moving else "trend",
        "params": {"drift": 1.0, "sigma": 4.0}
        if moving
        else {"level": 21500, "kappa": 0.2, "sigma": 0.05},
        "volume_model": "const",
        "start_price": 21500,
        "tick_size": 0.25,
    }
    document = {
        "id": "bench",
        "version": "0.1",
        "scenario": scenario,
        "bars": 2000,
        "events_per_second": rate,
    }
    return mbo_spec_from(document)


@cache
def stream(rate: float, *, moving: bool) -> tuple[Events, ...]:
    """Batches of at least `EVENTS` events; those of a quiet tape without its far orders."""
    made = tuple(batches(rate, moving=moving, events=EVENTS if moving else EVENTS * 3 // 2))
    if moving:
        return made
    far = np.unique(np.concatenate([batch.order_id[_is_far(batch)] for batch in made]))
    return tuple(_without(batch, far) for batch in made)


def _is_far(batch: Events) -> np.ndarray:
    away = np.abs(batch.price_int // TICK - START_TICKS)
    return (away > NEAR_TICKS) & (batch.order_id != 0)


def _without(batch: Events, orders: np.ndarray) -> Events:
    kept = ~np.isin(batch.order_id, orders)
    return prepared(Events._make(column[kept] for column in batch))


def golden(per_bin: int, events: int) -> Iterator[Events]:
    """The golden stream again and again, its time scaled to so many events a bin."""
    (once,) = read_events(GOLDEN)
    bins = (int(once.ts_ns[-1]) - int(once.ts_ns[0])) / BIN_NS
    ts_ns = ((once.ts_ns - once.ts_ns[0]) * (once.rows / per_bin / bins)).astype(np.int64)
    for start in range(events // once.rows):
        later = once.ts_ns[0] + ts_ns + start * (int(ts_ns[-1]) + 1_000)
        yield prepared(once._replace(ts_ns=later))


@cache
def shallow(per_bin: int) -> tuple[Events, ...]:
    """`EVENTS` events of a small book."""
    return tuple(golden(per_bin, EVENTS))


def batches(rate: float, *, moving: bool, events: int) -> Iterator[Events]:
    """Batches of a tape until there are enough events."""
    tape, made = MboTape(spec(rate, moving=moving), 1), 0
    while made < events:
        batch = prepared(tape.next(65_536))
        made += batch.rows
        yield batch


def run() -> str:
    """Check parity, time all forms, and return the section of the report."""
    check_parity()
    cases = [(f"shallow, {each} a bin", shallow(each)) for each in (500, 50)]
    cases += [(f"quiet, {name}", stream(rate, moving=False)) for name, rate in RATES.items()]
    cases.append(("moving, 500 a bin", stream(RATES["500 a bin"], moving=True)))
    text = f"## Order books and grids, {EVENTS / 1e6:.1f} million events, one core\n\n"
    header = [
        "tape",
        "slots touched",
        "book, M events/s",
        "with forces, M events/s",
        "to grids, M events/s",
        "bins/s",
    ]
    text += table(header, [_row(*case) for case in cases])
    return text + "\n" + _peer() + _live() + _stored() + _memory()


def check_parity() -> None:
    """Refuse to time what is wrong."""
    events = stream(RATES["50 a bin"], moving=False)[0].part(0, 30_000)
    book = Book(SLOTS, TICK)
    book.push(events)
    best, orders = plain_book(events)
    if (book.best_bid_price_int, book.best_ask_price_int, book.order_count) != (*best, orders):
        raise AssertionError("the plain book ends otherwise")
    whole, single = GridMachine(config()), GridMachine(config())
    batch = list(whole.push(events))
    pieces = (events.part(i, i + 1) for i in range(events.rows))
    live = [bins for piece in pieces for bins in single.push(piece)]
    for name in batch[0].fields:
        ours = np.concatenate([bins.fields[name] for bins in batch])
        theirs = np.concatenate([bins.fields[name] for bins in live])
        if ours.tobytes() != theirs.tobytes():
            raise AssertionError(f"{name} differs between one push an event and batches")


def plain_book(events: Events) -> tuple[tuple[int, int], int]:
    """Best prices and number of orders, by dictionaries of orders and of depth."""
    orders: dict[int, tuple[int, int, int]] = {}
    depth: dict[int, dict[int, int]] = {0: {}, 1: {}}

    def shift(side: int, price: int, lots: int) -> None:
        level = depth[side].get(price, 0) + lots
        if level:
            depth[side][price] = level
        else:
            del depth[side][price]

    columns = (events.action, events.side, events.order_id, events.price_int, events.size)
    for action, side, order, price, size in zip(*(c.tolist() for c in columns), strict=True):
        if action == CLEAR:
            orders.clear()
            depth = {0: {}, 1: {}}
        elif action == ADD:
            orders[order] = (int(side == BID), price, size)
            shift(*orders[order])
        elif action in (CANCEL, MODIFY):
            its, at, held = orders.pop(order)
            shift(its, at, -held)
            left = held - size if action == CANCEL else size
            if left:
                orders[order] = (its, at if action == CANCEL else price, left)
                shift(*orders[order])
    return (max(depth[1], default=0), min(depth[0], default=0)), len(orders)


def _row(name: str, events: tuple[Events, ...]) -> list[str]:
    rows = sum(batch.rows for batch in events)
    book = median_seconds(lambda: _fill(Book(SLOTS, TICK), events), 3)
    # With bins longer than the tape no bin is closed: books and forces alone.
    forces = median_seconds(lambda: _drain(config(cell_width_ms=86_400_000), events), 3)
    seconds = median_seconds(lambda: _drain(config(), events), 3)
    machine = _drain(config(), events)
    return [
        name,
        f"{int((machine.cells()['last_event_id'] > 0).sum()):,}",
        f"{rows / book / 1e6:.1f}",
        f"{rows / forces / 1e6:.1f}",
        f"{rows / seconds / 1e6:.2f}",
        f"{machine.bin_count / seconds:,.0f}",
    ]


def _fill(book: Book, events: tuple[Events, ...]) -> None:
    for batch in events:
        book.push(batch)


def _drain(settings: GridConfig, events: tuple[Events, ...]) -> GridMachine:
    machine = GridMachine(settings)
    for batch in events:
        for _ in machine.push(batch):
            pass
    return machine


def _peer() -> str:
    events = stream(RATES["500 a bin"], moving=False)[0]
    few = events.part(0, min(events.rows, PLAIN))
    ours = median_seconds(lambda: _fill(Book(SLOTS, TICK), (few,)), 5)
    plain = median_seconds(lambda: plain_book(few), 3)
    return (
        f"A book of dictionaries in plain Python takes {plain / few.rows * 1e6:.2f} µs an event, "
        f"{plain / ours:.0f} × ours.\n\n"
    )


def _live() -> str:
    lines = []
    for name, rate in RATES.items():
        whole = stream(rate, moving=False)
        pieces = (batch.part(i, i + 1) for batch in whole for i in range(batch.rows))
        events = list(islice(pieces, SINGLE))
        machine, taken, closing = GridMachine(config()), [], []
        for event in events:
            start = time.perf_counter()
            closed = sum(bins.rows for bins in machine.push(event))
            (closing if closed else taken).append(time.perf_counter() - start)
        middle, late = np.quantile(np.array(closing) * 1e3, [0.5, 0.99])
        lines.append(
            f"{name}: {np.median(taken) * 1e6:.0f} µs an event, "
            f"a bin {middle:.2f} ms, p99 {late:.2f} ms"
        )
    return f"Live, one push an event, median ({SINGLE:,} events): {'; '.join(lines)}.\n\n"


def _stored() -> str:
    from islandflow_resources.grid_build import GridOrder, build_grid
    from islandflow_resources.grid_folder import read_manifest
    from islandflow_resources.mbo_writers import write_events

    found = []
    with tempfile.TemporaryDirectory() as home:
        for name, rate in RATES.items():
            path = Path(home) / f"{rate:.0f}.parquet"
            written = write_events(path, stream(rate, moving=False), symbol=SYMBOL)
            start = time.perf_counter()
            built = build_grid(GridOrder(path, config()), Path(home) / f"{rate:.0f}")
            read_manifest(built.folder)
            seconds = time.perf_counter() - start
            size = (built.folder / "grid.parquet").stat().st_size
            found.append(f"{name} {written.rows / seconds / 1e3:,.0f} ({size / 1e6:,.0f} MB)")
    return (
        f"From a parquet of events to a stored and verified dataset, thousand events/s: "
        f"{', '.join(found)}; run once.\n\n"
    )


def _memory() -> str:
    grown = [
        growth_mb(partial(_through, 200_000), partial(_through, events))
        for events in (EVENTS, LARGE)
    ]
    return (
        f"Memory that grids of the shallow stream add: {grown[0]:.0f} MB at "
        f"{EVENTS / 1e6:.0f} million events, {grown[1]:.0f} MB at {LARGE / 1e6:.0f} million.\n"
    )


def _through(events: int) -> None:
    machine = GridMachine(config())
    for batch in golden(500, events):
        for _ in machine.push(batch):
            pass
