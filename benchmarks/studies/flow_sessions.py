"""Sessions with what is hidden in them beside what the detector made of them, for its studies.

A cluster is of the burst that most of its prints are of, if that is at least half of them;
decoys and everything else are background.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from contracts.control import ControlLog, ControlVersion, SyntheticControlState
from contracts.flow import ACTORS
from contracts.flow_policy import ScoringPolicy
from contracts.smart_flow import STRUCTURES, UNCLEAR
from contracts.tape import TapeSpec
from contracts.tape_defaults import DEFAULT_SYMBOLS, default_profile
from engine.arrays import Ints
from engine.flow.api import FlowDetector, events_of, joined
from engine.flow.rows import Columns, Detections
from engine.tapes.market import MarketTape
from islandflow_resources.tape_specs import resolve

_BURSTS = (ACTORS.index("burst"), ACTORS.index("injection"))
_OPTIONS = 1


class Judged(NamedTuple):
    """One session: what was detected, and what is true.

    Attributes
    ----------
    detections : Detections
    bursts : Columns
        As ``contracts.tape_columns.BURST_LABELS``, codes.
    of : ndarray, int64
        Row in `bursts` of each hypothesis, −1 if it is of nobody.
    events : int
    """

    detections: Detections
    bursts: Columns
    of: Ints
    events: int

    @property
    def classes(self) -> Ints:
        """True class of each hypothesis, `UNCLEAR` for background."""
        found = np.full(len(self.of), UNCLEAR)
        mine = self.of >= 0
        found[mine] = self.bursts["expected_class"][self.of[mine]]
        return found


def spec_of(preset: str, symbols: int = DEFAULT_SYMBOLS, **control: str) -> TapeSpec:
    """One full session of the defaults under a preset."""
    state = SyntheticControlState.model_validate({"preset_id": preset, **control})
    log = ControlLog(versions=(ControlVersion(effective_ns=0, control=state),))
    return resolve(default_profile(symbols).model_copy(update={"control": log}))


def judged(spec: TapeSpec, seed: int, policy: ScoringPolicy) -> Judged:
    """Make a session and detect what is in it, then look at the truth."""
    tape = MarketTape(spec, seed)
    detector = FlowDetector(len(spec.symbols), tape.event_calendar(), policy)
    parts: list[Detections] = []
    labels: list[Ints] = []
    events = 0
    for batch in tape.batches():
        detector.list_contracts(tape.contract_rows())
        parts.append(detector.push(events_of(batch.streams)))
        mine = batch.print_labels["stream"] == _OPTIONS
        names = ("seq", "actor", "burst_id")
        labels.append(np.stack([batch.print_labels[name][mine] for name in names], axis=1))
        events += batch.rows
    found = joined([*parts, detector.finish()])
    bursts = tape.burst_labels()
    return Judged(found, bursts, _owners(found, np.concatenate(labels), bursts), events)


def with_words(rows: Columns) -> Columns:
    """Hypotheses with words where ``engine.flow.quantities`` reads words."""
    words = {"right": ("C", "P"), "structure_type": STRUCTURES}
    return rows | {name: np.array(texts)[rows[name]] for name, texts in words.items()}


def _owners(found: Detections, labels: Ints, bursts: Columns) -> Ints:
    """Row of the burst that each hypothesis is of, −1 if of nobody."""
    hypotheses = found.hypotheses["cluster_seq"]
    order = np.argsort(hypotheses)
    prints = found.prints
    inside = prints["cluster_seq"] > 0
    rows = order[np.searchsorted(hypotheses[order], prints["cluster_seq"][inside])]
    place = np.searchsorted(labels[:, 0], prints["seq"][inside])
    is_burst = np.isin(labels[place, 1], _BURSTS)
    ids = np.sort(bursts["burst_id"])
    by_id = np.argsort(bursts["burst_id"])
    burst = by_id[np.searchsorted(ids, labels[place[is_burst], 2])]
    pairs, counts = np.unique(rows[is_burst] * len(ids) + burst, return_counts=True)
    totals = np.bincount(rows, minlength=len(hypotheses))
    owners = np.full(len(hypotheses), -1)
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        row, one = divmod(pair, len(ids))
        if 2 * count >= totals[row]:
            owners[row] = one
    return owners
