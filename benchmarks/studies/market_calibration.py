"""Does a synthetic session have the statistics of a real one? Scorecards over seeds and presets.

Every preset's tapes are pooled and judged by the bands of ``contracts.tape_bands``; all tapes
one by one give each statistic's interval for a single tape, which stands there too. Audit and
leak test look on. ``python -m benchmarks.studies.market_calibration [seeds [presets …]]`` prints
markdown tables.
"""

import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from contracts.control import PRESETS, ControlLog, ControlVersion, SyntheticControlState
from contracts.tape import TapeSpec
from contracts.tape_bands import POOLED_SESSIONS, TAPE_BANDS, Band
from contracts.tape_defaults import DEFAULT_SYMBOLS, default_profile
from engine.tapes.market.api import MarketTape
from engine.tapes.market.audit import Audit
from engine.tapes.market.leaks import LeakTest
from engine.tapes.market.scorecard import Scorecard
from islandflow_resources.tape_specs import resolve

TAIL_DEVIATIONS = 3.8906
"""Standard deviations that 99.99 % of a normal law lie within."""
QUARTER = 0.6745
SPARE = 1.5


@dataclass
class Outcome:
    """What the tapes of one preset showed."""

    card: Scorecard
    leaks: LeakTest
    singles: list[dict[str, float]] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    events: int = 0
    making_s: float = 0.0
    scoring_s: float = 0.0


def spec_of(preset: str, symbols: int = DEFAULT_SYMBOLS) -> TapeSpec:
    """One full session of the defaults under a preset."""
    state = SyntheticControlState.model_validate({"preset_id": preset})
    control = ControlLog(versions=(ControlVersion(effective_ns=0, control=state),))
    return resolve(default_profile(symbols).model_copy(update={"control": control}))


def outcome(spec: TapeSpec, seeds: Iterable[int]) -> Outcome:
    """Make tapes and measure them on the way, then together."""
    found = Outcome(Scorecard(spec), LeakTest(spec))
    for seed in seeds:
        tape, card = MarketTape(spec, seed), Scorecard(spec)
        audit, leaks = Audit(spec), LeakTest(spec)
        began_s = time.perf_counter()
        for batch in tape.batches():
            contracts = tape.contract_rows()
            made_s = time.perf_counter()
            card.add(batch, contracts)
            scored_s = time.perf_counter()
            audit.add(batch, contracts)
            leaks.add(batch, contracts)
            found.making_s += made_s - began_s
            found.scoring_s += scored_s - made_s
            found.events += batch.rows
            began_s = time.perf_counter()
        found.singles.append(card.values())
        found.card.merge(card)
        found.leaks.merge(leaks)
        for one in audit.findings():
            found.broken[f"{one.fact} of {one.stream}"] += one.violations
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Where 99.99 % of tapes lie: normal tails on each side of the median, as wide as its half.

    The deviation of a side is that of its nearer half of the values. Tails may be heavier than
    that: what was seen is always inside, with half its distance from the median to spare.
    """
    known = np.array([value for value in values if math.isfinite(value)])
    if known.size == 0:
        return -math.inf, math.inf
    low, middle, high = (float(q) for q in np.quantile(known, (0.25, 0.5, 0.75)))
    reach = TAIL_DEVIATIONS / QUARTER
    least = middle - SPARE * (middle - float(known.min()))
    most = middle + SPARE * (float(known.max()) - middle)
    return min(middle - reach * (middle - low), least), max(middle + reach * (high - middle), most)


def left_bands(found: dict[str, Outcome]) -> dict[str, list[str]]:
    """Bands that pooled tapes left, by preset."""
    return {
        preset: [row.name for row in one.card.rows("pooled") if not row.ok]
        for preset, one in found.items()
    }


def pooled_table(found: dict[str, Outcome]) -> list[str]:
    """Lines of a markdown table: a row a statistic, a column a preset; ✗ where a band is left."""
    lines = [f"| statistic | band | {' | '.join(found)} |", "|---|---|" + "---|" * len(found)]
    rows = [one.card.rows("pooled") for one in found.values()]
    for place, band in enumerate(TAPE_BANDS):
        cells = [f"{row[place].value:.4g}{'' if row[place].ok else ' ✗'}" for row in rows]
        lines.append(f"| {band.name} | {band.low:g} … {band.high:g} | {' | '.join(cells)} |")
    return lines


def single_row(band: Band, found: dict[str, Outcome]) -> str:
    """Quantiles of a statistic over all tapes, and the interval that follows."""
    values = [single[band.name] for one in found.values() for single in one.singles]
    known = np.array([value for value in values if math.isfinite(value)])
    if known.size == 0:
        return f"| {band.name} | {band.scope} | – | – | {len(values)} |"
    spread = " / ".join(f"{q:.4g}" for q in np.quantile(known, (0.0, 0.25, 0.5, 0.75, 1.0)))
    low, high = interval(values)
    return f"| {band.name} | {band.scope} | {spread} | {low:.4g} … {high:.4g} | {len(values)} |"


def single_table(found: dict[str, Outcome]) -> list[str]:
    """Lines of a markdown table: what single tapes showed, whatever their preset."""
    head = "| statistic | scope | least / quartiles / most | 99.99 % interval | tapes |"
    return [head, "|---|---|---|---|---|", *(single_row(band, found) for band in TAPE_BANDS)]


def leak_table(found: dict[str, Outcome]) -> list[str]:
    """Lines of a markdown table: the area of every field, a column a preset."""
    lines = [
        f"| stream | field | limit | {' | '.join(found)} |",
        "|---|---|---|" + "---|" * len(found),
    ]
    for rows in zip(*(one.leaks.rows() for one in found.values()), strict=True):
        cells = [f"{row.auc:.3f}{'' if row.ok else ' ✗'}" for row in rows]
        first = rows[0]
        lines.append(f"| {first.stream} | {first.field} | {first.limit:g} | {' | '.join(cells)} |")
    return lines


def main(arguments: Sequence[str]) -> int:
    """Print the study; the exit code counts the presets that left a band or broke a fact."""
    seeds = int(arguments[0]) if arguments else POOLED_SESSIONS
    presets = tuple(arguments[1:]) or PRESETS
    # Kernels are compiled here, so that times are those of the tapes.
    outcome(resolve(default_profile(1), duration_s=60), [0])
    found = {preset: outcome(spec_of(preset), range(1, seeds + 1)) for preset in presets}
    events = sum(one.events for one in found.values())
    scoring_s = sum(one.scoring_s for one in found.values())
    making_s = sum(one.making_s for one in found.values())
    print("# Calibration of the synthetic session\n\nWritten by `make studies`.\n")
    print(
        f"{seeds} sessions of each preset, {events:,} events; made at {events / making_s:,.0f} and"
    )
    print(f"scored at {events / scoring_s:,.0f} events/s, compilation included.")
    left, failed = left_bands(found), 0
    for preset, one in found.items():
        broken = {fact: count for fact, count in one.broken.items() if count}
        leaks = [f"{row.stream}.{row.field}" for row in one.leaks.rows() if not row.ok]
        failed += bool(left[preset] or broken or leaks)
        print(f"- {preset}: left {left[preset]}, broken {broken}, leaks {leaks}")
    print("\n## Pooled\n\n" + "\n".join(pooled_table(found)))
    print("\n## Single tapes\n\n" + "\n".join(single_table(found)))
    print("\n## Leaks\n\n" + "\n".join(leak_table(found)))
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
