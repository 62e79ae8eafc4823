"""Golden files of tests/golden/experiments, and the grid that the signals among them were made of.

An earlier harness made them, whose rules are ``v1``. The grid holds all 357 bins of the golden
stream of tests/golden/order-book, but only the columns that signals read.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tests.oracles import order_golden

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "experiments"
ROWS = 101


@cache
def table(name: str) -> dict[str, np.ndarray]:
    """Columns of ``harness_series``, ``harness_signals_small`` or another file."""
    read = pq.read_table(FOLDER / f"{name}.parquet")
    return {column: read[column].to_numpy() for column in read.column_names}


@cache
def meta() -> dict[str, dict]:
    """What each signal said of itself."""
    return json.loads((FOLDER / "harness_meta.json").read_text())["signals"]


@cache
def grid() -> dict[str, np.ndarray]:
    """Columns of the golden grid, (bins, 101), with the flow of ``v1``."""
    columns = table("small_signal_inputs") | table("harness_offline_flow_small")
    return {name: values.reshape(order_golden.BINS, ROWS) for name, values in columns.items()}


@cache
def settings() -> list[dict]:
    """Rows of the summary of trades; a null is none."""
    return pq.read_table(FOLDER / "harness_tpsl_summary.parquet").to_pylist()


def predictions() -> dict[str, list[float | None]]:
    """Values that entries of each mode are taken from; every seventh bin has no prediction."""
    signal = [float(value) for value in table("harness_series")["signal"]]
    odds = (1 / (1 + np.exp(-4 * table("harness_series")["signal"]))).tolist()
    return {
        "signal": list(signal),
        "confidence": [value if i % 7 else None for i, value in enumerate(signal)],
        "probability": [value if i % 7 else None for i, value in enumerate(odds)],
    }
