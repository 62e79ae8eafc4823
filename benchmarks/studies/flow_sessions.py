"""Sessions with what is hidden in them beside what the detector made of them, for its studies.

Tapes are made and looked at in memory. Which cluster is of which burst is the rule of
``engine.evaluation.matching``, which figures follow from it ``flow_evaluation``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from contracts.control import ControlLog, ControlVersion, SyntheticControlState
from contracts.digest import bare
from contracts.flow_columns import ALERTS, FLOW_PRINTS, HYPOTHESIS_ROWS
from contracts.flow_policy import ScoringPolicy, usual_policy
from contracts.smart_flow import STRUCTURES, UNCLEAR
from contracts.tape import TapeSpec
from contracts.tape_columns import BURST_LABELS, PRINT_LABELS, SESSION_STATES
from contracts.tape_defaults import DEFAULT_SYMBOLS, SESSION, default_profile
from engine.arrays import Ints
from engine.evaluation import VERSION as EVALUATION_VERSION
from engine.evaluation import TapeTables
from engine.evaluation.matching import clusters_of
from engine.evaluation.tables import NEEDED, places
from engine.evaluation.truth import bursts_of, minutes_of
from engine.flow.api import VERSION as DETECTOR_VERSION
from engine.flow.api import FlowDetector, events_of, joined
from engine.flow.rows import Columns, Detections
from engine.tapes.market import VERSION as TAPE_VERSION
from engine.tapes.market import MarketTape
from engine.tapes.market.events import VOCABULARIES
from islandflow_resources.flow_tables import detection_tables, detection_texts
from islandflow_resources.flow_truth import columns_of
from islandflow_resources.tape_specs import resolve

_OPTIONS: Final = 1
_CLUSTER: Final = NEEDED[HYPOTHESIS_ROWS.name]


class Observed(NamedTuple):
    """One tape: what was said of it, and what is true.

    Attributes
    ----------
    detections : Detections
    tables : TapeTables
        The same with its words, and the truth; labels are those of option prints.
    bursts : Columns
        As ``contracts.tape_columns.BURST_LABELS``, codes.
    events : int
    detecting_s : float
        CPU seconds of the detector.
    """

    detections: Detections
    tables: TapeTables
    bursts: Columns
    events: int
    detecting_s: float


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


class Market(NamedTuple):
    """What a session is made of, beside its preset.

    Attributes
    ----------
    first_date : str
    symbols : int
    load : str
    """

    first_date: str = SESSION.first_date
    symbols: int = DEFAULT_SYMBOLS
    load: str = "steady"

    @property
    def slug(self) -> str:
        """How a file calls it."""
        return f"{self.first_date}-{self.symbols}-{self.load}"

    def name(self, seed: int) -> str:
        """How a table calls it."""
        weekday = date.fromisoformat(self.first_date).strftime("%a")
        load = "" if self.load == "steady" else f", {self.load}"
        return f"{seed}: {weekday} {self.first_date}, {self.symbols} symbols{load}"


USUAL_MARKET: Final = Market()


def spec_of(preset: str, market: Market = USUAL_MARKET) -> TapeSpec:
    """One full session of the defaults under a preset."""
    control = {"preset_id": preset, "load_profile_id": market.load}
    state = SyntheticControlState.model_validate(control)
    log = ControlLog(versions=(ControlVersion(effective_ns=0, control=state),))
    session = SESSION.model_copy(update={"first_date": market.first_date})
    profile = default_profile(market.symbols)
    return resolve(profile.model_copy(update={"control": log, "session": session}))


def kept_in(folder: Path) -> Path:
    """Folder below `folder` for what was found under the usual policy by these versions."""
    versions = ".".join((TAPE_VERSION, DETECTOR_VERSION, EVALUATION_VERSION))
    kept = folder / f"{bare(usual_policy().policy_digest)[:12]}-{versions}"
    kept.mkdir(parents=True, exist_ok=True)
    return kept


def observed(spec: TapeSpec, seed: int, policy: ScoringPolicy) -> Observed:
    """Make a tape and detect what is in it, then take down the truth."""
    tape = MarketTape(spec, seed)
    detector = FlowDetector(len(spec.symbols), tape.event_calendar(), policy)
    parts: list[Detections] = []
    labels: list[Columns] = []
    states: list[Columns] = []
    events, detecting_s = 0, 0.0
    for batch in tape.batches():
        contracts = tape.contract_rows()
        began_s = time.process_time()
        detector.list_contracts(contracts)
        parts.append(detector.push(events_of(batch.streams)))
        detecting_s += time.process_time() - began_s
        mine = batch.print_labels["stream"] == _OPTIONS
        labels.append({name: values[mine] for name, values in batch.print_labels.items()})
        states.append(batch.session_states)
        events += batch.rows
    began_s = time.process_time()
    rest = detector.finish()
    detecting_s += time.process_time() - began_s
    found, bursts = joined([*parts, rest]), tape.burst_labels()
    true = {
        PRINT_LABELS.name: _together(labels),
        BURST_LABELS.name: bursts,
        SESSION_STATES.name: _together(states),
    }
    tables = TapeTables(
        **_said(found, spec.symbols, tape.contracts, policy),
        **{name: _worded(name, columns, spec.symbols) for name, columns in true.items()},
    )
    return Observed(found, tables, bursts, events, detecting_s)


def judged(spec: TapeSpec, seed: int, policy: ScoringPolicy) -> Judged:
    """Make a session and detect what is in it, then look at the truth."""
    seen = observed(spec, seed, policy)
    return Judged(seen.detections, seen.bursts, owners_of(seen), seen.events)


def owners_of(seen: Observed) -> Ints:
    """Row in `Observed.bursts` of the burst that each hypothesis is of, −1 if of nobody's."""
    end_ns = minutes_of(seen.tables.session_states).end_ns
    bursts = bursts_of(seen.tables.burst_labels, end_ns)
    clusters = clusters_of(seen.tables, bursts)
    order = np.argsort(seen.bursts["burst_id"])
    rows = np.append(order[places(bursts.ids, seen.bursts["burst_id"][order])], -1)
    owners = rows[clusters.owner]
    return owners[places(seen.detections.hypotheses["cluster_seq"], clusters.seq)]


def with_words(rows: Columns) -> Columns:
    """Hypotheses with words where ``engine.flow.quantities`` reads words."""
    words = {"right": ("C", "P"), "structure_type": STRUCTURES}
    return rows | {name: np.array(texts)[rows[name]] for name, texts in words.items()}


def _said(
    found: Detections, symbols: Sequence[str], contracts: Sequence[str], policy: ScoringPolicy
) -> dict[str, Mapping[str, Any]]:
    """What a judgement reads of a detection, with words in the alerts, the only ones read."""
    rows = found.hypotheses
    said = ~rows["abstained"]
    alone = Detections(
        *({name: values[:0] for name, values in part.items()} for part in found)
    )._replace(hypotheses={name: values[said] for name, values in rows.items()})
    texts = detection_texts(symbols, contracts)
    alerts = detection_tables(alone, texts, symbols, policy)[ALERTS.name]
    wanted = [name for name in rows if name in _CLUSTER or name.startswith("z_")]
    return {
        FLOW_PRINTS.name: {name: found.prints[name] for name in NEEDED[FLOW_PRINTS.name]},
        HYPOTHESIS_ROWS.name: {name: rows[name] for name in wanted},
        ALERTS.name: columns_of(alerts),
    }


def _together(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _worded(table: str, columns: Mapping[str, Ints], symbols: tuple[str, ...]) -> Columns:
    """The columns of a table of truth that are read, with words for codes."""
    words = {name: texts for (of, name), texts in VOCABULARIES.items() if of == table}
    words |= {"symbol": symbols}
    return {
        name: np.array(words[name], dtype=object)[columns[name]] if name in words else columns[name]
        for name in NEEDED[table]
    }
