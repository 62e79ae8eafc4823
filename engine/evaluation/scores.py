"""Counts of one tape, which add up over tapes, and the document that they are stored as.

How they are counted is ``api``, what they come to ``pooling`` and ``curves``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum, prod
from typing import Final, cast

import numpy as np

from contracts.canonical import Document, Json
from contracts.control import PRESETS
from contracts.errors import ContractError
from contracts.flow import SUBTYPES
from contracts.regime import REGIMES
from contracts.smart_flow import HYPOTHESES
from engine.arrays import Floats, Ints
from engine.evaluation.tables import Column

LAYOUT: Final = "islandflow.tape-score.v1"

SAID: Final = len(HYPOTHESES)
_R: Final = len(REGIMES)
_S: Final = len(SUBTYPES)

Z_STEPS: Final = 16
"""Steps of a log-odds; their ends are exact in binary."""
Z_LIMIT: Final = 32
"""Log-odds beyond count for this."""
Z_LEVELS: Final = 2 * Z_LIMIT * Z_STEPS + 1
CONFIDENCE_STEPS: Final = 256
CONFIDENCE_LEVELS: Final = CONFIDENCE_STEPS + 1
RELIABILITY_BINS: Final = 10

COUNTS: Final[dict[str, tuple[int, ...]]] = {
    "alerts": (SAID, _R),
    "right": (SAID, _R),
    "repeated": (SAID, _R),
    "right_direction": (SAID,),
    "bursts": (_S, _R),
    "found": (_S, _R),
    "alerted": (_S, _R),
    "confusion": (_S + 1, _R, SAID + 1),
    "decoys": (_S,),
    "decoys_alerted": (_S,),
    "background": (2,),
    "coverage": (3,),
    "coverage_profiles": (2, SAID),
    "z_clusters": (SAID, Z_LEVELS),
    "z_bursts": (SAID, Z_LEVELS),
    "confidence_alerts": (SAID, CONFIDENCE_LEVELS),
    "confidence_bursts": (SAID, CONFIDENCE_LEVELS),
    "reliability": (SAID, RELIABILITY_BINS),
    "reliability_true": (SAID, RELIABILITY_BINS),
}
"""Shape of each count. The regime of an alert is that of the minute in which its cluster begins, a
burst's is the one that it is labelled with; ``alerted`` has an alert of any kind. ``confusion`` is
of clusters: subtype of the burst, or nobody's after them; regime of the minute; what was said, or
nothing after it. ``background`` and ``coverage`` see ``windows``, levels and bins ``curves``."""

SUMS: Final[dict[str, tuple[int, ...]]] = {
    "probability": (SAID, RELIABILITY_BINS),
    "squared_error": (SAID,),
}
"""Sums of what is no integer: of stated probabilities by bin, and of (probability − truth)²."""

DELAYS: Final = ("from_first_print", "from_last_print")
_SPARSE: Final = 200
"""From so many numbers on, a document holds those that are not 0, with their places."""


@dataclass(frozen=True, slots=True)
class TapeScore:
    """What one tape says of a detector.

    Attributes
    ----------
    seed : int
    preset : str
    symbols : int
    coverage_window_minutes : int
    counts : dict of str to ndarray, int64
        By the names and of the shapes of `COUNTS`.
    sums : dict of str to ndarray, float64
        By `SUMS`.
    delays_ns : dict of str to tuple of tuple of int
        By `DELAYS` and hypothesis: from a burst's print to its right alert, ascending.
    """

    seed: int
    preset: str
    symbols: int
    coverage_window_minutes: int
    counts: Mapping[str, Ints]
    sums: Mapping[str, Floats]
    delays_ns: Mapping[str, tuple[tuple[int, ...], ...]]

    def document(self) -> Document:
        """The score as JSON, which `tape_score` reads."""
        return {
            "layout": LAYOUT,
            "seed": str(self.seed),
            "preset": self.preset,
            "symbols": self.symbols,
            "coverage_window_minutes": self.coverage_window_minutes,
            "counts": {name: _packed(self.counts[name]) for name in COUNTS},
            "sums": {name: _packed(self.sums[name]) for name in SUMS},
            "delays_ns": {name: _by_hypothesis(self.delays_ns[name]) for name in DELAYS},
        }


def tape_score(document: Document) -> TapeScore:
    """The score that a document was made of.

    Raises
    ------
    ContractError
        ``EVALUATION_DOCUMENT_INVALID`` for anything that `TapeScore.document` does not write.
    """
    if document.get("layout") != LAYOUT:
        raise _invalid("/layout", f"it is not {LAYOUT}")
    try:
        score = TapeScore(
            seed=int(cast("str", document["seed"])),
            preset=cast("str", document["preset"]),
            symbols=int(cast("int", document["symbols"])),
            coverage_window_minutes=int(cast("int", document["coverage_window_minutes"])),
            counts=_unpacked(document["counts"], COUNTS, "int64"),
            sums=_unpacked(document["sums"], SUMS, "float64"),
            delays_ns=_delays(document["delays_ns"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _invalid("", str(error)) from error
    if score.preset not in PRESETS:
        raise _invalid("/preset", f"{str(score.preset)[:64]!r} is no preset")
    return score


def total_counts(scores: Iterable[TapeScore], name: str) -> Ints:
    """Sum over tapes of one of `COUNTS`."""
    total = np.zeros(COUNTS[name], dtype=np.int64)
    for score in scores:
        total += score.counts[name]
    return total


def total_sums(scores: Iterable[TapeScore], name: str) -> Floats:
    """Sum over tapes of one of `SUMS`, exact before it is rounded: their order changes nothing."""
    nothing = np.zeros((1, prod(SUMS[name])))
    rows: Floats = np.concatenate([nothing, *(one.sums[name].reshape(1, -1) for one in scores)])
    return np.array([fsum(column) for column in rows.T.tolist()]).reshape(SUMS[name])


def _by_hypothesis(delays: tuple[tuple[int, ...], ...]) -> Json:
    lists = [cast("Json", list(one)) for one in delays]
    return dict(zip(HYPOTHESES, lists, strict=True))


def _packed(values: Ints | Floats) -> Json:
    if values.size < _SPARSE:
        return cast("Json", values.tolist())
    flat = values.ravel()
    places = np.flatnonzero(flat)
    return {"places": cast("Json", places.tolist()), "values": cast("Json", flat[places].tolist())}


def _unpacked(packed: Json, shapes: Mapping[str, tuple[int, ...]], kind: str) -> dict[str, Column]:
    """Arrays by name, of the kind of ``numpy.dtype``."""
    documents = cast("dict[str, Json]", packed)
    found: dict[str, Column] = {}
    for name, shape in shapes.items():
        one = documents[name]
        if not isinstance(one, dict):
            found[name] = np.array(one, dtype=kind).reshape(shape)
            continue
        values = np.zeros(prod(shape), dtype=kind)
        values[np.array(one["places"], dtype=np.int64)] = np.array(one["values"], dtype=kind)
        found[name] = values.reshape(shape)
    return found


def _delays(packed: Json) -> dict[str, tuple[tuple[int, ...], ...]]:
    documents = cast("dict[str, dict[str, list[int]]]", packed)
    return {
        name: tuple(tuple(documents[name][hypothesis]) for hypothesis in HYPOTHESES)
        for name in DELAYS
    }


def _invalid(where: str, said: str) -> ContractError:
    message = f"this is no score of a tape: {said}"
    return ContractError(
        "EVALUATION_DOCUMENT_INVALID", message, where, ("evaluate the tape again",)
    )
