"""The six tables that a detection is judged by, checked, and their words as codes.

Columns are those of ``contracts.flow_columns`` and ``contracts.tape_columns``, texts decoded. Who
reads them from a store is ``islandflow_resources``; which cluster is of which burst ``matching``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from contracts.errors import ContractError
from engine.arrays import Ints

Column: TypeAlias = npt.NDArray[Any]
Columns: TypeAlias = Mapping[str, Column]

NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "flow_prints": ("seq", "ts_ns", "cluster_seq"),
    "smart_flow_hypotheses": ("cluster_seq", "start_ns"),
    "smart_flow_alerts": (
        "cluster_seq",
        "symbol",
        "emitted_ns",
        "start_ns",
        "hypothesis_type",
        "direction",
        "confidence",
        "band",
    ),
    "print_labels": ("seq", "stream", "actor", "burst_id"),
    "burst_labels": (
        "burst_id",
        "actor",
        "subtype",
        "symbol",
        "start_ns",
        "end_ns",
        "prints",
        "expected_class",
        "direction",
        "regime",
    ),
    "session_states": ("ts_ns", "regime"),
}
"""What is read of each table; of the hypotheses also every ``z_…``."""

Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TapeTables:
    """What was said of one tape, and the truth about it: columns by name, one table each.

    Attributes
    ----------
    flow_prints, smart_flow_hypotheses, smart_flow_alerts : Columns
        Of ``contracts.flow_columns``.
    print_labels, burst_labels, session_states : Columns
        Of ``contracts.tape_columns``. Texts are strings, not codes; rows may be in any order.

    Raises
    ------
    ContractError
        ``EVALUATION_COLUMN_MISSING``, ``EVALUATION_COLUMNS_UNEQUAL`` or, where a row's number
        comes twice, ``EVALUATION_ROW_REPEATED``.
    """

    flow_prints: Columns
    smart_flow_hypotheses: Columns
    smart_flow_alerts: Columns
    print_labels: Columns
    burst_labels: Columns
    session_states: Columns

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        _check_unique("flow_prints", "seq", self.flow_prints["seq"])
        _check_unique("burst_labels", "burst_id", self.burst_labels["burst_id"])
        _check_unique("session_states", "ts_ns", self.session_states["ts_ns"])
        for name in ("smart_flow_hypotheses", "smart_flow_alerts"):
            _check_unique(name, "cluster_seq", getattr(self, name)["cluster_seq"])


def coded(values: Column, words: Sequence[str], where: str) -> Ints:
    """Place of each text among `words`.

    Parameters
    ----------
    values : ndarray, shape (n,), of texts
    words : sequence of str
    where : str
        Table and column, for the error.

    Raises
    ------
    ContractError
        ``EVALUATION_WORD_UNKNOWN``.
    """
    found = np.full(values.shape[0], -1, dtype=np.int64)
    for code, word in enumerate(words):
        found[np.asarray(values == word, dtype=bool)] = code
    strange = np.flatnonzero(found < 0)
    if strange.size:
        raise ContractError(
            "EVALUATION_WORD_UNKNOWN",
            f"{str(values[strange[0]])[:64]!r} in {where} is none of {', '.join(words)}",
            f"{where}[{int(strange[0])}]",
            ("decode the column's codes before a detection is judged",),
        )
    return found


def places(keys: Ints, ordered: Ints) -> Ints:
    """Place of each key in ascending numbers, −1 for those that are not among them."""
    found = np.full(keys.shape[0], -1, dtype=np.int64)
    at = np.searchsorted(ordered, keys)
    inside = np.flatnonzero(at < ordered.size)
    known = inside[ordered[at[inside]] == keys[inside]]
    found[known] = at[known]
    return found


def _check(name: str, columns: Columns) -> None:
    missing = [column for column in NEEDED[name] if column not in columns]
    if missing:
        raise ContractError(
            "EVALUATION_COLUMN_MISSING",
            f"{name} has no column {missing[0]}, which a detection is judged by",
            f"{name}.{missing[0]}",
            (f"give {', '.join(NEEDED[name])}",),
        )
    first = NEEDED[name][0]
    rows = columns[first].shape[0]
    for column in NEEDED[name]:
        if columns[column].shape != (rows,):
            raise ContractError(
                "EVALUATION_COLUMNS_UNEQUAL",
                f"{name}.{column} has the shape {columns[column].shape}, {first} {rows} rows",
                f"{name}.{column}",
                ("give one value for each row",),
            )


def _check_unique(table: str, column: str, values: Column) -> None:
    found, counts = np.unique(values, return_counts=True)
    repeated = found[counts > 1]
    if repeated.size:
        raise ContractError(
            "EVALUATION_ROW_REPEATED",
            f"{table} has {column} {int(repeated[0])} twice",
            f"{table}.{column}",
            ("give each row once, and the tables of one tape only",),
        )
