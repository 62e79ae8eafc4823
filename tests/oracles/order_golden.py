"""The golden stream of tests/golden/order-book and how close a result has to come to it.

The files were made by an earlier engine, whose rules are ``v1``: 20 000 events, 357 bins with the
state model, the cells and orders at the end, and the rows of every third bin. `differences` says
where columns are not what the files hold; order_book.py is held to it, and so is the engine.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engine.book.events import Events

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "order-book"
BINS = 357
ROWS_EVERY = 3
Columns = Mapping[str, np.ndarray]


@cache
def config() -> dict:
    """``runtime_config`` and ``projection`` of the stream."""
    return json.loads((FOLDER / "small_config.json").read_text())


@cache
def table(name: str) -> dict[str, np.ndarray]:
    """Columns of ``bins``, ``grid``, ``engine_final`` or ``orders_final``."""
    read = pq.read_table(FOLDER / f"small_{name}.parquet")
    return {column: read[column].to_numpy() for column in read.column_names}


def first_bins(name: str, bins: int) -> dict[str, np.ndarray]:
    """Rows of ``bins`` or ``grid`` that belong to the first bins."""
    columns = table(name)
    kept = columns["bin_seq"] < bins
    return {column: values[kept] for column, values in columns.items()}


@cache
def events() -> Events:
    """Events of the stream; it numbers no messages."""
    read = table("events")
    letters = {name: np.array([*map(ord, read[name])], np.uint8) for name in ("action", "side")}
    return Events(
        read["ts_ns"],
        letters["action"],
        letters["side"],
        read["order_id"],
        read["price_int"],
        read["size"],
        read["flags"].astype(np.int32),
        np.zeros(len(read["ts_ns"]), np.int64),
    )


def columns_of(rows: Sequence[Mapping]) -> dict[str, np.ndarray]:
    """Turn rows into columns."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def tolerance(name: str, peak: float) -> float:
    """Give how far a column of floats may be off.

    Scores have no peak to speak of: their z divides by deviations that are rounding themselves.
    """
    if name == "flow_score" or name.startswith("proj_score_"):
        return 1e-6
    return (1e-11 if name.startswith("composite") else 1e-12) * peak


def differences(found: Columns, wanted: Columns, threshold: float = 1.0) -> list[str]:
    """Say which columns of the golden files are missing, of another length, or wrong.

    Integers and texts have to be equal, state codes unless the score is at the threshold.
    """
    said = []
    for name, values in wanted.items():
        if name not in found or found[name].shape != values.shape:
            said.append(f"{name}: missing or of another length")
        elif name == "flow_state_code":
            sure = np.abs(np.abs(wanted["flow_score"]) - threshold) > 1e-6
            said += _unequal(name, found[name][sure], values[sure])
        elif values.dtype == np.float64:
            said += _too_far(name, found[name], values)
        else:
            said += _unequal(name, found[name], values)
    return said


def _unequal(name: str, found: np.ndarray, wanted: np.ndarray) -> Iterable[str]:
    rows = np.flatnonzero(found != wanted)
    if rows.size:
        row = rows[0]
        yield f"{name}: {rows.size} differ, first in row {row}: {found[row]} for {wanted[row]}"


def _too_far(name: str, found: np.ndarray, wanted: np.ndarray) -> Iterable[str]:
    far = np.abs(found - wanted)
    worst = int(far.argmax())
    if not far.max() <= tolerance(name, float(np.abs(wanted).max())):
        yield f"{name}: off by {far.max():.3e} in row {worst}: {found[worst]} for {wanted[worst]}"
