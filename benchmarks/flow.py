"""Detection of smart flow: events a second on one core, in memory and from files to files.

Parity first: a tape in pieces of a second must have the bytes of the same tape in one piece, and
what is stored the digests of what is said in memory. The predecessor's figures are those that
were measured of its whole pipeline elsewhere.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.memory import growth_mb
from benchmarks.timing import table
from contracts.control import SECOND_NS
from contracts.flow_columns import DETECTIONS
from contracts.flow_policy import usual_policy
from contracts.tape import SeedBundle, TapeProfile
from contracts.tape_defaults import default_profile
from engine.arrays import Ints
from engine.flow.api import FlowDetector, events_of, joined
from engine.flow.rows import Columns, Detections
from engine.tapes.market import VERSION, MarketTape
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.flow_folder import StoredDetection, detect
from islandflow_resources.flow_tables import detection_tables, detection_texts
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.table_digest import TableHasher
from islandflow_resources.tape_folder import write_tape
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_places import TapePlace
from islandflow_resources.tape_specs import resolve

SEED: Final = 7
RUNS: Final = 5
SYMBOLS: Final = 24
MANY: Final = 100
SHORT_S, LONG_S = 1_800, 9_000
PREDECESSOR: Final = (3_000, 2_000)
WANTED: Final = 500_000


class Recorded:
    """A tape in memory, as the detector takes it.

    Attributes
    ----------
    symbols : tuple of str
    contracts : list of str
    rows, calendar : Columns
    batches : list of dict of str to ndarray
    events : int
    """

    def __init__(self, symbols: int, seconds: int, step_s: int = 300) -> None:
        spec = resolve(_profile(symbols, seconds))
        tape = MarketTape(spec, SEED)
        self.symbols = spec.symbols
        self.batches: list[dict[str, Ints]] = []
        self.events = 0
        for until in range(step_s, seconds + step_s, step_s):
            batch = tape.advance(spec.start_ns + until * SECOND_NS)
            self.batches.append(events_of(batch.streams))
            self.events += batch.rows
        self.contracts = tape.contracts
        self.rows: Columns = tape.contract_rows()
        self.calendar = tape.event_calendar()

    def detected(self) -> Detections:
        """Everything that is said of it."""
        detector = FlowDetector(len(self.symbols), self.calendar)
        detector.list_contracts(self.rows)
        said = [detector.push(batch) for batch in self.batches]
        return joined([*said, detector.finish()])


def run() -> str:
    """Parity, then the section of the results."""
    _check_batches()
    rows: list[tuple[str, ...]] = []
    for symbols in (SYMBOLS, MANY):
        tape = Recorded(symbols, SHORT_S)
        rows.append(_row(f"in memory, {symbols} symbols", _median_rate(lambda t=tape: _timed(t))))
    with tempfile.TemporaryDirectory() as folder:
        short, long, warm_up = (
            _written(Path(folder) / str(seconds), seconds) for seconds in (SHORT_S, LONG_S, 60)
        )
        _check_stored(short)
        rows.append(_row("from a stored tape to tables", _median_rate(lambda: _timed_files(short))))
        grown = [growth_mb(_Detected(warm_up), _Detected(place)) for place in (short, long)]
    head = ("", "events/s", f"× {WANTED:,} wanted", "× predecessor's 2,000 … 3,000")
    return (
        "## Detection of smart flow (`benchmarks/flow.py`)\n\n"
        f"CPU seconds of one core, median of {RUNS}; the first {SHORT_S // 60} minutes of a "
        "session, four streams, from the events\nto prints, packets, hypotheses and dark events; "
        "with files also to alerts and smart-money events,\nthe tape's digests compared before. "
        "The predecessor's figures are those that were measured of it elsewhere.\n\n"
        f"{table(head, rows)}\n"
        f"Memory on top while detecting in a stored tape of {SHORT_S // 60} minutes: "
        f"{grown[0]:.0f} MB, of {LONG_S // 60} minutes: {grown[1]:.0f} MB.\n"
    )


def _row(name: str, rate: float) -> tuple[str, ...]:
    beside = " … ".join(f"{rate / one:,.0f}×" for one in PREDECESSOR)
    return name, f"{rate:,.0f}", f"{rate / WANTED:.1f}", beside


def _profile(symbols: int, seconds: int) -> TapeProfile:
    profile = default_profile(symbols)
    session = profile.session.model_copy(update={"duration_s": seconds})
    return profile.model_copy(update={"session": session})


def _timed(tape: Recorded) -> tuple[int, float]:
    start = time.process_time()
    tape.detected()
    return tape.events, time.process_time() - start


def _written(folder: Path, seconds: int) -> Path:
    """The folder of a stored tape."""
    profile = _profile(SYMBOLS, seconds)
    spec = resolve(profile)
    bundle = SeedBundle(seed=SEED, namespace="default", partition="market")
    inputs = tape_inputs(profile, spec, bundle, VERSION, "benchmark")
    source = MarketTape(spec, bundle.root_seed)
    store = FolderStore(folder / "store")
    write_tape(store, lambda: source, inputs, folder / "work", provenance={})
    [tape] = (folder / "store" / "tapes").iterdir()
    return tape


def _stored(tape: Path, folder: Path) -> tuple[TapeFeed, StoredDetection]:
    feed = TapeFeed(TapePlace(FolderStore(tape), ""))
    found = detect(FolderStore(folder / "found"), feed, usual_policy(), folder / "work")
    return feed, found


def _timed_files(tape: Path) -> tuple[int, float]:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        _, found = _stored(tape, Path(folder))
        return found.manifest.events, time.process_time() - start


class _Detected:
    """Detects in a stored tape; a class, so that another process can be given it."""

    def __init__(self, tape: Path) -> None:
        self.tape = tape

    def __call__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            _stored(self.tape, Path(folder))


def _median_rate(action: Callable[[], tuple[int, float]]) -> float:
    action()
    rates = [events / seconds for events, seconds in (action() for _ in range(RUNS))]
    return statistics.median(rates)


def _check_batches() -> None:
    whole = Recorded(6, 360, step_s=360).detected()
    cut = Recorded(6, 360, step_s=1).detected()
    for name, one, other in zip(Detections._fields, whole, cut, strict=True):
        for column, values in one.items():
            if values.tobytes() != other[column].tobytes():
                raise AssertionError(f"{column} of {name} depends on how the tape is cut")
    if not np.count_nonzero(~whole.hypotheses["abstained"]):
        raise AssertionError("nothing is said of the tape that parity is checked on")


def _check_stored(tape: Path) -> None:
    recorded = Recorded(SYMBOLS, SHORT_S)
    texts = detection_texts(recorded.symbols, recorded.contracts)
    found = recorded.detected()
    said = detection_tables(found, texts, recorded.symbols, usual_policy())
    with tempfile.TemporaryDirectory() as folder:
        _, stored = _stored(tape, Path(folder))
    for name, schema in DETECTIONS.items():
        hasher = TableHasher(schema)
        hasher.update(said[name])
        if hasher.digest() != stored.manifest.tables[name].digest:
            raise AssertionError(f"{name} differs between memory and files")


if __name__ == "__main__":
    print(run())
