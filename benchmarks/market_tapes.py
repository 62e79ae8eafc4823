"""Synthetic sessions of equities and options: events a second on one core, made and stored.

Parity first: a symbol alone must be its slice of the whole, and a tape cut into seconds the
same as one cut into minutes. Timed in the same run: a plain Python loop that draws quotes and
prints without any model, in the manner of the predecessor's simplest generator.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.memory import growth_mb
from benchmarks.timing import table
from contracts.tape import SeedBundle, TapeProfile, TapeSpec
from contracts.tape_columns import STREAMS
from contracts.tape_defaults import default_profile
from engine.tapes.market import VERSION, MarketTape
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_folder import WrittenTape, write_tape
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_specs import resolve

SEED = 7
RUNS = 5
SKIP_S = 7_200
SHORT_S, LONG_S = 1_800, 9_000
PREDECESSOR = {"simplest generator": 94_000, "hosted generator": 5_500}


def run() -> str:
    """Parity, then the section of the results."""
    _check_parity()
    rows: list[tuple[str, str, str, str]] = []
    plain = _median_rate(lambda: _plain(300_000))
    rows.append(("plain Python loop, no model", f"{plain:,.0f}", "1.0", ""))
    for symbols in (24, 100):
        spec = _spec(symbols, SHORT_S)
        rate = _median_rate(lambda spec=spec: _made(spec))
        beside = ", ".join(f"{rate / one:,.0f}×" for one in PREDECESSOR.values())
        name = f"made, {symbols} symbols, all streams and labels"
        rows.append((name, f"{rate:,.0f}", f"{rate / plain:.1f}", beside))
    stored = _median_rate(lambda: _stored(24, SHORT_S))
    beside = ", ".join(f"{stored / one:,.1f}×" for one in PREDECESSOR.values())
    rows.append(("made, stored and read back", f"{stored:,.0f}", f"{stored / plain:.1f}", beside))
    verified = _verified_rate()
    rows.append(("verified by the loader", f"{verified:,.0f}", f"{verified / plain:.1f}", ""))
    head = ("", "events/s", "× plain", f"× predecessor's {' and '.join(PREDECESSOR)}")
    short, long = (growth_mb(_warm_up, _Stored(seconds)) for seconds in (SHORT_S, LONG_S))
    return (
        "## Synthetic sessions (`benchmarks/market_tapes.py`)\n\n"
        "CPU seconds of one core, median of "
        f"{RUNS}; {SHORT_S // 60} minutes, made from {SKIP_S // 3600} hours after the open on, "
        "stored from the open on.\nThe predecessor's figures are those that were measured of it "
        "elsewhere.\n\n"
        f"{table(head, rows)}\n"
        f"Memory on top while storing {SHORT_S // 60} minutes: {short:.0f} MB, "
        f"{LONG_S // 60} minutes: {long:.0f} MB.\n"
    )


def _spec(symbols: int, seconds: int) -> TapeSpec:
    return resolve(_profile(symbols, seconds))


def _profile(symbols: int, seconds: int) -> TapeProfile:
    profile = default_profile(symbols)
    session = profile.session.model_copy(update={"skip_s": 0, "duration_s": SKIP_S + seconds})
    return profile.model_copy(update={"session": session})


def _made(spec: TapeSpec) -> tuple[int, float]:
    """Events after the start of the window, and the seconds that they took."""
    tape = MarketTape(spec, SEED)
    tape.advance(spec.start_ns + SKIP_S * 1_000_000_000)
    start = time.process_time()
    events = sum(batch.rows for batch in tape.batches())
    return events, time.process_time() - start


def _stored(symbols: int, seconds: int) -> tuple[int, float]:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        events = _events(_write(Path(folder), symbols, seconds))
        return events, time.process_time() - start


def _write(folder: Path, symbols: int, seconds: int) -> WrittenTape:
    profile = _profile(symbols, seconds - SKIP_S)
    spec = resolve(profile)
    bundle = SeedBundle(seed=SEED, namespace="default", partition="market")
    inputs = tape_inputs(profile, spec, bundle, VERSION, "benchmark")
    source = MarketTape(spec, bundle.root_seed)
    store = FolderStore(folder / "store")
    return write_tape(store, lambda: source, inputs, folder / "work", provenance={})


def _events(written: WrittenTape) -> int:
    counts = written.manifest.run.counts
    return sum(getattr(counts, name) for name in STREAMS)


class _Stored:
    """Stores a tape of some seconds; a class, so that another process can be given it."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __call__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), 24, self.seconds)


def _warm_up() -> None:
    _Stored(60)()


def _verified_rate() -> float:
    with tempfile.TemporaryDirectory() as folder:
        written = _write(Path(folder), 24, SHORT_S)
        events = _events(written)

        def verify() -> tuple[int, float]:
            start = time.process_time()
            verify_tape(written.place)
            return events, time.process_time() - start

        return _median_rate(verify)


def _median_rate(action: Callable[[], tuple[int, float]]) -> float:
    action()
    rates = [events / seconds for events, seconds in (action() for _ in range(RUNS))]
    return statistics.median(rates)


def _plain(events: int) -> tuple[int, float]:
    """A quote and a print in turn, as dictionaries, around a price drawn anew each time."""
    rng = random.Random(SEED)
    start = time.process_time()
    made: list[dict[str, object]] = []
    for step in range(events // 2):
        middle = 500.0 * (1.0 + (2.0 * rng.random() - 1.0) * 8e-4)
        bid, ask = round(middle - 0.02, 2), round(middle + 0.02, 2)
        made.append({"kind": "quote", "ts": step * 250, "seq": 2 * step, "bid": bid, "ask": ask})
        price = ask if rng.random() < 0.5 else bid
        size = max(1, round(120 * (0.75 + 0.55 * rng.random())))
        made.append(
            {
                "kind": "print",
                "ts": step * 250 + 1,
                "seq": 2 * step + 1,
                "price": price,
                "size": size,
            }
        )
    return len(made), time.process_time() - start


def _check_parity() -> None:
    spec = _spec(6, 60 - SKIP_S)
    whole = MarketTape(spec, SEED).advance(spec.end_ns)
    cut = MarketTape(spec, SEED)
    seconds = [cut.advance(spec.start_ns + second * 1_000_000_000) for second in range(1, 61)]
    alone = MarketTape(spec, SEED, symbols=(spec.symbols[1],)).advance(spec.end_ns)
    for name in STREAMS:
        parts = np.concatenate([one.streams[name]["seq"] for one in seconds])
        if not np.array_equal(parts, whole.streams[name]["seq"]):
            raise AssertionError(f"{name} depends on how the tape is cut")
    quotes = whole.streams["equity_quotes"]
    mine = quotes["symbol"] == 1
    if not np.array_equal(alone.streams["equity_quotes"]["ask_ticks"], quotes["ask_ticks"][mine]):
        raise AssertionError("a symbol alone is not its slice of the whole")


if __name__ == "__main__":
    print(run())
