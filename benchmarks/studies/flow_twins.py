"""Counterfactual twins: a tape with one burst put into it beside the same tape without.

Taking the burst out must take its alert away and bring no other. Alerts of other bursts, which may
change because the burst moved prices, are counted apart, and so is what nobody's clusters said
only beside it. ``python -m benchmarks.studies.flow_twins FOLDER`` prints the section of
``docs/flow-evaluation.md``; bytes of twins are tested in ``engine.tapes.market``.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.studies.flow_sessions import Observed, kept_in, observed
from benchmarks.timing import table
from contracts.control import SECOND_NS
from contracts.flow import EXPECTED_CLASS, SUBTYPES, Subtype
from contracts.flow_policy import usual_policy
from contracts.smart_flow import HYPOTHESES
from contracts.tape import Injection, TapeSpec
from contracts.tape_columns import INJECTED
from contracts.tape_defaults import DEFAULT_SYMBOLS, default_profile, default_universe
from engine.evaluation.matching import alerts_of, clusters_of
from engine.evaluation.tables import places
from engine.evaluation.truth import bursts_of, minutes_of
from islandflow_resources.tape_specs import resolve

SEEDS: Final = tuple(range(22_001, 22_009))
LEVEL: Final = 0.95
SYMBOLS: Final = 4
SKIPS_S: Final = (0, 5_400, 10_800, 16_200)
"""Tapes of consecutive seeds begin so long after the open."""
DURATION_S: Final = 1_200
AFTER_S: Final = 300
"""The burst comes so long after a tape's begin; hedging waits for its move."""
NEAR_NS: Final = SECOND_NS
"""Alerts of nobody's clusters are the same if they are of one contract and begin within."""
UNIVERSE: Final = ("SPY", "QQQ", "NVDA", "TSLA", "AAPL", "AMD", "META", "AMZN")
WITH_EVENT: Final = ("NVDA", "TSLA", "AAPL", "META")
BURSTS: Final = tuple(one for one in SUBTYPES if EXPECTED_CLASS[one.family] in HYPOTHESES)


class Told(NamedTuple):
    """One alert.

    Attributes
    ----------
    burst : int
        Id of the burst that its cluster is of, 0 for nobody's.
    contract, hypothesis, direction : int
        Codes.
    start_ns, end_ns : int
    is_right : bool
    """

    burst: int
    contract: int
    hypothesis: int
    direction: int
    start_ns: int
    end_ns: int
    is_right: bool


@dataclass(frozen=True)
class Case:
    """What became of one burst that was put into a tape.

    Attributes
    ----------
    subtype : str
    seed : int
    printed, alerted, right : bool
        Whether it printed, was alerted, and as what it is.
    remains : bool
        Whether the twin has an alert on its contract at its time.
    added : int
        Nobody's alerts of the twin only, from the burst on.
    changed : int
        Alerts of other bursts that only one of the two has, or that say something else.
    beside : int
        Nobody's alerts that only the tape with the burst has.
    """

    subtype: str
    seed: int
    printed: bool
    alerted: bool
    right: bool
    remains: bool
    added: int
    changed: int
    beside: int

    @property
    def holds(self) -> bool:
        """Whether taking the burst out takes its alert away and adds none."""
        return not self.remains and self.added == 0


def case(subtype: Subtype, seed: int) -> Case:
    """Make a tape with a burst and its twin, and compare what is said of them.

    Raises
    ------
    ContractError
        ``FLOW_SEED_TUNED``.
    """
    usual_policy().refuse_tuned(seed)
    symbols = symbols_of(subtype, seed)
    low, high = subtype.notional_usd
    injection = Injection(
        id=subtype.name.replace("_", "-"),
        subtype=subtype.name,
        symbol=symbols[0],
        at_s=SKIPS_S[seed % len(SKIPS_S)] + AFTER_S,
        notional_usd=round(math.sqrt(low * high)),
        is_decoy=False,
    )
    spec = spec_of(symbols, seed, (injection,))
    seen = observed(spec, seed, usual_policy())
    told, twin = told_of(seen), _without(symbols, seed)
    printed = seen.bursts["burst_id"] > INJECTED
    first_ns = int(seen.bursts["start_ns"][printed].min()) if printed.any() else spec.end_ns
    return compared(subtype.name, seed, bool(printed.any()), first_ns, told, twin)


def compared(
    subtype: str,
    seed: int,
    printed: bool,
    first_ns: int,
    told: Sequence[Told],
    twin: Sequence[Told],
) -> Case:
    """What became of a burst, of the alerts with it and without it.

    Parameters
    ----------
    first_ns : int
        Time of its first print.
    told, twin : sequence of Told
        With it and without it.
    """
    mine = [one for one in told if one.burst > INJECTED]
    left = [one for one in told if one.burst <= INJECTED]
    added = changed = 0
    for one in twin:
        same = next((other for other in left if _is_same(one, other)), None)
        if same is None:
            changed += one.burst > 0
            added += one.burst == 0 and one.start_ns >= first_ns
            continue
        left.remove(same)
        changed += (one.hypothesis, one.direction) != (same.hypothesis, same.direction)
    return Case(
        subtype=subtype,
        seed=seed,
        printed=printed,
        alerted=bool(mine),
        right=any(one.is_right for one in mine),
        remains=any(_is_in_place(one, other) for one in twin for other in mine),
        added=added,
        changed=changed + sum(one.burst > 0 for one in left),
        beside=sum(one.burst == 0 for one in left),
    )


def told_of(seen: Observed) -> list[Told]:
    """The alerts of a tape with the bursts that they are of."""
    bursts = bursts_of(seen.tables.burst_labels, minutes_of(seen.tables.session_states).end_ns)
    clusters = clusters_of(seen.tables, bursts)
    alerts = alerts_of(seen.tables, clusters, bursts)
    rows = seen.detections.hypotheses
    order = rows["cluster_seq"].argsort()
    at = order[places(clusters.seq[alerts.cluster], rows["cluster_seq"][order])]
    return [
        Told(
            burst=int(bursts.ids[owner]) if owner >= 0 else 0,
            contract=int(rows["contract"][row]),
            hypothesis=said,
            direction=direction,
            start_ns=int(rows["start_ns"][row]),
            end_ns=int(rows["end_ns"][row]),
            is_right=right,
        )
        for owner, row, said, direction, right in zip(
            alerts.owner.tolist(),
            at.tolist(),
            alerts.said.tolist(),
            alerts.direction.tolist(),
            alerts.is_right.tolist(),
            strict=True,
        )
    ]


def symbols_of(subtype: Subtype, seed: int) -> tuple[str, ...]:
    """Symbols of a tape, the one of the burst first; one with an event if that is its cause."""
    chosen = WITH_EVENT if subtype.family == "event_driven" else UNIVERSE
    first = chosen[seed % len(chosen)]
    start = UNIVERSE.index(first)
    return tuple(UNIVERSE[(start + place) % len(UNIVERSE)] for place in range(SYMBOLS))


def spec_of(
    symbols: tuple[str, ...], seed: int, injections: tuple[Injection, ...] = ()
) -> TapeSpec:
    """Twenty minutes of a few symbols, with so many bursts for each as the defaults have."""
    known = {one.symbol: one for one in default_universe()}
    profile = default_profile()
    rate = round(profile.flow.bursts_per_minute * len(symbols) / DEFAULT_SYMBOLS, 2)
    session = {"skip_s": SKIPS_S[seed % len(SKIPS_S)], "duration_s": DURATION_S}
    return resolve(
        profile.model_copy(
            update={
                "universe": tuple(known[symbol] for symbol in symbols),
                "flow": profile.flow.model_copy(update={"bursts_per_minute": rate}),
                "session": profile.session.model_copy(update=session),
                "injections": injections,
            }
        )
    )


def kept(folder: Path, seed: int) -> list[Case]:
    """A burst of every subtype on tapes of one seed, read from the folder if it is there."""
    path = kept_in(folder) / f"twins-{seed}.json"
    if not path.exists():
        found = [asdict(case(subtype, seed)) for subtype in BURSTS]
        path.write_text(json.dumps(found), "utf-8")
    return [Case(**one) for one in json.loads(path.read_text("utf-8"))]


def section(folder: Path, seeds: Sequence[int] = SEEDS) -> tuple[str, int]:
    """The section of the page, and whether the level is missed, 0 or 1."""
    with ProcessPoolExecutor(2) as pool:
        cases = [one for some in pool.map(partial(kept, folder), seeds) for one in some]
    header = (
        *("profile", "cases", "printed", "alerted", "rightly", "held", "share", "alert remained"),
        *("alerts added", "other bursts' alerts changed", "nobody's alerts gone with it"),
    )
    families = {one.name: EXPECTED_CLASS[one.family] for one in BURSTS}
    groups = {name: [one for one in cases if families[one.subtype] == name] for name in HYPOTHESES}
    rows = [_row(name, mine) for name, mine in {**groups, "all": cases}.items()]
    alerted = [one for one in cases if one.alerted]
    share = sum(one.holds for one in alerted) / max(len(alerted), 1)
    verdict = "reached" if share >= LEVEL else "**not reached**"
    text = f"""## Counterfactual twins

A burst is put into twenty minutes of {SYMBOLS} symbols: every subtype that deserves an alert, on
{len({one.seed for one in cases})} seeds, at four times of the day. Without it, its alert must be \
gone and none be added, in at
least {LEVEL:.0%} of the cases in which it was alerted: {share:.1%}, {verdict}. Hedging waits for a
move of its symbol, and does not print if none comes.

{table(header, rows)}"""
    return text, int(share < LEVEL)


def _row(name: str, cases: Sequence[Case]) -> list[str]:
    alerted = [one for one in cases if one.alerted]
    held = sum(one.holds for one in alerted)
    counts = (
        *(len(cases), sum(one.printed for one in cases), len(alerted)),
        *(sum(one.right for one in alerted), held),
    )
    beside = (
        *(sum(one.remains for one in alerted), sum(one.added for one in alerted)),
        *(sum(one.changed for one in alerted), sum(one.beside for one in alerted)),
    )
    share = f"{held / len(alerted):.3f}" if alerted else "–"
    return [name, *(str(count) for count in counts), share, *(str(count) for count in beside)]


@cache
def _without(symbols: tuple[str, ...], seed: int) -> list[Told]:
    return told_of(observed(spec_of(symbols, seed), seed, usual_policy()))


def _is_same(one: Told, other: Told) -> bool:
    if one.burst or other.burst:
        return one.burst == other.burst
    return one.contract == other.contract and abs(one.start_ns - other.start_ns) <= NEAR_NS


def _is_in_place(one: Told, other: Told) -> bool:
    overlaps = one.start_ns <= other.end_ns and other.start_ns <= one.end_ns
    return one.contract == other.contract and overlaps


if __name__ == "__main__":
    print(section(Path(sys.argv[1]))[0])
