"""What is hidden in a tape, as codes: its bursts and decoys, and its minutes with their regimes.

Made of the tables of truth alone; what was said of them is ``matching`` and ``windows``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from contracts.errors import ContractError
from contracts.flow import ACTORS, EXPECTED_CLASS, SUBTYPE_NAMES, SUBTYPES
from contracts.regime import REGIMES
from contracts.smart_flow import DIRECTIONS, HYPOTHESIS_NAMES
from contracts.tape_bands import MINUTE_NS
from engine.arrays import Ints
from engine.evaluation.tables import Bools, Column, Columns, coded

CLASS_OF_SUBTYPE: Final[Ints] = np.array(
    [HYPOTHESIS_NAMES.index(EXPECTED_CLASS[one.family]) for one in SUBTYPES], dtype=np.int64
)
"""Code of the hypothesis that each subtype of ``contracts.flow`` should be taken for."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """Bursts, injections and decoys that printed, in ascending order of their ids.

    Attributes
    ----------
    ids : ndarray, shape (bursts,), int64
    is_actor, is_decoy : ndarray, shape (bursts,), bool
        A burst or an injection; a decoy.
    subtype, regime, direction : ndarray, shape (bursts,), int64
        Codes in ``contracts.flow.SUBTYPES``, ``contracts.regime.REGIMES`` and
        ``contracts.smart_flow.DIRECTIONS``.
    wanted : ndarray, shape (bursts,), int64
        What it should be taken for, a code in ``contracts.smart_flow.HYPOTHESIS_NAMES``.
    start_ns, end_ns : ndarray, shape (bursts,), int64
        Times of the first and the last print.
    symbol : ndarray, shape (bursts,), of texts
    """

    ids: Ints
    is_actor: Bools
    is_decoy: Bools
    subtype: Ints
    regime: Ints
    direction: Ints
    wanted: Ints
    start_ns: Ints
    end_ns: Ints
    symbol: Column


def bursts_of(labels: Columns, end_ns: int) -> Bursts:
    """Bursts that have a print and end before `end_ns`.

    Raises
    ------
    ContractError
        ``EVALUATION_WORD_UNKNOWN``, or ``EVALUATION_CLASS_UNEXPECTED`` where the class that is
        expected of a burst is not its subtype's.
    """
    kept = np.flatnonzero((labels["prints"] > 0) & (labels["end_ns"] < end_ns))
    kept = kept[np.argsort(labels["burst_id"][kept], kind="stable")]
    rows = {name: column[kept] for name, column in labels.items()}
    actor = coded(rows["actor"], ACTORS, "burst_labels.actor")
    subtype = coded(rows["subtype"], SUBTYPE_NAMES, "burst_labels.subtype")
    wanted = coded(rows["expected_class"], HYPOTHESIS_NAMES, "burst_labels.expected_class")
    is_actor = (actor == ACTORS.index("burst")) | (actor == ACTORS.index("injection"))
    _check_classes(rows["burst_id"], wanted, CLASS_OF_SUBTYPE[subtype], is_actor)
    return Bursts(
        ids=rows["burst_id"].astype(np.int64),
        is_actor=is_actor,
        is_decoy=actor == ACTORS.index("decoy"),
        subtype=subtype,
        regime=coded(rows["regime"], REGIMES, "burst_labels.regime"),
        direction=coded(rows["direction"], DIRECTIONS, "burst_labels.direction"),
        wanted=wanted,
        start_ns=rows["start_ns"].astype(np.int64),
        end_ns=rows["end_ns"].astype(np.int64),
        symbol=rows["symbol"],
    )


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes of a tape's sessions, in order.

    Attributes
    ----------
    starts_ns : ndarray, shape (minutes,), int64
    regime : ndarray, shape (minutes,), int64
        Code in ``contracts.regime.REGIMES``.
    """

    starts_ns: Ints
    regime: Ints

    @property
    def end_ns(self) -> int:
        """End of the last minute."""
        return int(self.starts_ns[-1]) + MINUTE_NS

    def of(self, ts_ns: Ints) -> Ints:
        """Number of the last minute that has begun at each time, 0 before the first."""
        return np.maximum(np.searchsorted(self.starts_ns, ts_ns, side="right") - 1, 0)

    def sessions(self) -> list[tuple[int, int]]:
        """First minute of each unbroken run of minutes, and the one after its last."""
        breaks = np.flatnonzero(np.diff(self.starts_ns) != MINUTE_NS) + 1
        edges = [0, *breaks.tolist(), self.starts_ns.size]
        return list(pairwise(edges))


def minutes_of(states: Columns) -> Minutes:
    """Minutes of the states of a session.

    Raises
    ------
    ContractError
        ``EVALUATION_TAPE_EMPTY`` without a minute, ``EVALUATION_WORD_UNKNOWN``.
    """
    if not states["ts_ns"].size:
        raise ContractError(
            "EVALUATION_TAPE_EMPTY",
            "session_states has no minute, so there is nothing to judge",
            "session_states",
            ("give the states of the whole tape",),
        )
    order = np.argsort(states["ts_ns"], kind="stable")
    regime = coded(states["regime"], REGIMES, "session_states.regime")
    return Minutes(states["ts_ns"][order].astype(np.int64), regime[order])


def _check_classes(ids: Column, wanted: Ints, usual: Ints, is_actor: Bools) -> None:
    strange = np.flatnonzero(is_actor & (wanted != usual))
    if strange.size:
        first = int(strange[0])
        said, own = HYPOTHESIS_NAMES[int(wanted[first])], HYPOTHESIS_NAMES[int(usual[first])]
        raise ContractError(
            "EVALUATION_CLASS_UNEXPECTED",
            f"burst {int(ids[first])} is to be called {said}, its subtype {own}",
            f"burst_labels.expected_class[{int(ids[first])}]",
            ("give the labels as the tape was made with them",),
        )
