"""Does a tape have the statistics of a real session? Scorecards over many seeds.

Three markets and three rates, every band of the profile ``index_future``, and how far the mid
strays from the path. ``python -m benchmarks.studies.mbo_calibration`` prints the long study as
markdown tables, which stand in docs/mbo-tape.md; its short form is
tests/engine/tapes/mbo/test_calibration.py.
"""

import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from contracts.mbo import PROFILES, MboSpec, load_mbo_spec
from engine.book.events import TRADE
from engine.tapes.mbo import MboTape, Scorecard

FIXTURES = Path(__file__).parents[2] / "contracts" / "fixtures" / "mbo_specs"
MARKETS = ("quiet", "trending", "volatile")
RATES = {100.0: 120, 500.0: 60, 1000.0: 30}
"""Minutes of the tape at every rate, in events per second."""
SEEDS = 20


class Outcome(NamedTuple):
    """What one tape showed: its statistics, and beside the bands its rate and its distance."""

    values: dict[str, float]
    rate: float
    stray_ticks: float


def market(name: str, **changes: object) -> MboSpec:
    """One of the three markets, from its fixture."""
    spec = load_mbo_spec((FIXTURES / f"mbo_{name}.json").read_bytes())
    return spec.model_copy(update=changes)


def outcome(spec: MboSpec, seed: int) -> Outcome:
    """Make a tape and measure it on the way."""
    tape, card = MboTape(spec, seed), Scorecard(spec.tick_int)
    stray = 0.0
    for batch in tape.batches():
        card.add(batch)
        trades = batch.action == TRADE
        away = batch.price_int[trades] / spec.tick_int - tape.fair(batch.ts_ns[trades])
        stray = max(stray, float(np.abs(away).max(initial=0.0)))
    seconds = (spec.end_ns - spec.start_ns) / 1e9
    return Outcome(card.values(), card.counts()["events"] / seconds, stray)


def rejected(found: Sequence[Outcome], profile: str = "index_future") -> list[str]:
    """Names of the statistics that left their band on any of the tapes."""
    return [
        band.name
        for band in PROFILES[profile]
        if not all(band.low <= one.values[band.name] <= band.high for one in found)
    ]


def spread(values: Iterable[float]) -> str:
    """Lowest, median and highest of some values."""
    found = sorted(values)
    return " / ".join(f"{v:.4g}" for v in (found[0], statistics.median(found), found[-1]))


def table(found: dict[str, list[Outcome]]) -> list[str]:
    """Lines of a markdown table: a row a statistic, a column a market."""
    lines = [f"| statistic | band | {' | '.join(found)} |", "|---|---|" + "---|" * len(found)]
    for band in PROFILES["index_future"]:
        cells = [spread(one.values[band.name] for one in tapes) for tapes in found.values()]
        lines.append(f"| {band.name} | {band.low:g} … {band.high:g} | {' | '.join(cells)} |")
    rates = [spread(one.rate for one in tapes) for tapes in found.values()]
    strays = [spread(one.stray_ticks for one in tapes) for tapes in found.values()]
    lines.append(f"| events per second | | {' | '.join(rates)} |")
    lines.append(f"| furthest trade from the path, ticks | | {' | '.join(strays)} |")
    return lines


def main() -> int:
    """Print the long study; the exit code counts the rates at which a band was left."""
    failed = 0
    for rate, minutes in RATES.items():
        found = {
            name: [
                outcome(market(name, bars=minutes, events_per_second=rate), seed)
                for seed in range(SEEDS)
            ]
            for name in MARKETS
        }
        bad = sorted({name for tapes in found.values() for name in rejected(tapes)})
        failed += bool(bad)
        verdict = f"left: {', '.join(bad)}" if bad else "all bands hold"
        print(f"\n{SEEDS} seeds of {minutes} minutes at {rate:g} events/s: {verdict}.\n")
        print("\n".join(table(found)))
    return failed


if __name__ == "__main__":
    sys.exit(main())
