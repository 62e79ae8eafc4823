"""What the socket sends: the configuration, and of each bin a text and a batch of rows.

Every message is made into frames once and written as it is to every client. When and to whom
is ``feeds``; the bins come from ``islandflow_resources.signal_streams``.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import pyarrow as pa
from websockets.frames import Frame, Opcode

from contracts.grid import RuntimeConfig
from contracts.serving import PublishedSignal
from engine.grid.api import Bins
from islandflow_resources.grid_tables import MODEL_NAME, rows_schema, rows_table
from islandflow_resources.signal_streams import LiveBin
from islandflow_resources.table_schemas import arrow_schema

MODE: Final = "pre_prod"
FORMAT: Final = "dense_grid"
_TEXTS: Final = (
    "ts_ns",
    "bin_start_ns",
    "bin_end_ns",
    "spot_ref_price_int",
    "best_bid_price_int",
    "best_ask_price_int",
)
_NUMBERS: Final = ("bin_seq", "bin_event_count", "event_id")
_MODEL_FLOATS: Final = (
    "score",
    "base",
    *("d1", "d2", "d3", "z1", "z2", "z3"),
    *("bull_intensity", "bear_intensity", "mixed_intensity"),
)
_MODEL_PREFIX: Final = "state_model_"
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class EncodedBin:
    """A bin as it is sent: both messages in frames, and when its parts were done.

    Times are those of ``time.perf_counter_ns``.
    """

    number: int
    frames: bytes
    ingest_ns: int
    ready_ns: int
    encoded_ns: int


class Encoder:
    """Messages of one published signal.

    Parameters
    ----------
    spec : PublishedSignal
    serving_id : str
    """

    def __init__(self, spec: PublishedSignal, serving_id: str) -> None:
        runtime = spec.runtime_snapshot.runtime_config
        self.spec = spec
        self.serving_id = serving_id
        projections = [f"proj_score_h{ms}" for ms in runtime.horizons_ms]
        self._layout = rows_schema(projections)
        self._rows = 2 * runtime.grid_radius_ticks + 1
        # The bin's number is told by the text beside the rows.
        self.schema: pa.Schema = pa.schema(list(arrow_schema(self._layout))[1:])
        self._fields = [name for name in self.schema.names if name not in projections]
        self._projections = projections

    def head(self, name: str, stream: Mapping[str, Any]) -> bytes:
        """Frames of the first two messages of a connection: configuration and Arrow schema.

        Parameters
        ----------
        name : str
            What the client asked for.
        stream : mapping
            Where the stream stands.
        """
        schema = self.schema.serialize().to_pybytes()
        return text_frame(self.config(name, stream)) + _frame(Opcode.BINARY, schema)

    def config(self, name: str, stream: Mapping[str, Any]) -> dict[str, Any]:
        """The message ``runtime_config``."""
        spec, snapshot = self.spec, self.spec.runtime_snapshot
        runtime = snapshot.runtime_config
        resolved = runtime.resolved()
        return {
            "type": "runtime_config",
            **resolved,
            **snapshot.projection.model_dump(mode="json"),
            "state_model": state_model(runtime),
            "mode": MODE,
            "deployment_stage": MODE,
            "stream_format": FORMAT,
            "grid_schema_fields": self._fields,
            "projection_fields": self._projections,
            "grid_rows": self._rows,
            "effective_config_hash": resolved["config_version"],
            "signal": spec.signal.model_dump(mode="json"),
            "serving": {
                "serving_name": name,
                "serving_id": self.serving_id,
                "source": spec.source.model_dump(mode="json"),
                "dataset_id": spec.stream.dataset_id,
            },
            "stream": dict(stream),
        }

    def bins(self, live: Sequence[LiveBin]) -> list[EncodedBin]:
        """Frames of some bins, those that were closed together made together."""
        encoded: list[EncodedBin] = []
        for _, group in groupby(live, key=lambda one: id(one.bins)):
            some = list(group)
            batch = self._batch(some[0].bins)
            for one in some:
                rows = batch.slice(one.row * self._rows, self._rows).serialize().to_pybytes()
                frames = text_frame(self.update(one)) + _frame(Opcode.BINARY, rows)
                done = time.perf_counter_ns()
                encoded.append(EncodedBin(one.number, frames, one.ingest_ns, one.ready_ns, done))
        return encoded

    def update(self, one: LiveBin) -> dict[str, Any]:
        """The message ``grid_update`` of a bin."""
        ints = {name: int(values[one.row]) for name, values in one.bins.ints.items()}
        floats = {name: _number(float(v[one.row])) for name, v in one.bins.floats.items()}
        signal = self.spec.signal
        return {
            "type": "grid_update",
            **{name: str(ints[name]) for name in _TEXTS},
            **{name: ints[name] for name in _NUMBERS},
            "mid_price": floats["mid_price"],
            "book_valid": ints["book_valid"] != 0,
            "state_model_name": MODEL_NAME,
            **{f"state_model_{name}": floats[f"state_model_{name}"] for name in _MODEL_FLOATS},
            "state_model_ready": ints["state_model_ready"] != 0,
            "state_model_sample_count": ints["state_model_sample_count"],
            "state_model_dominant_state5_code": ints["state_model_dominant_state5_code"],
            "signal": {
                "name": signal.name,
                "value": _number(one.value),
                "threshold": signal.threshold,
            },
        }

    def _batch(self, bins: Bins) -> pa.RecordBatch:
        [batch] = rows_table(bins, self._layout).to_batches()
        return pa.RecordBatch.from_arrays(batch.columns[1:], schema=self.schema)


def state_model(runtime: RuntimeConfig) -> dict[str, Any]:
    """Name and parameters of the state model."""
    told = runtime.model_dump(mode="json")
    parameters = {
        name.removeprefix(_MODEL_PREFIX): value
        for name, value in told.items()
        if name.startswith(_MODEL_PREFIX)
    }
    return {"name": MODEL_NAME, **parameters}


def text_frame(message: Mapping[str, Any]) -> bytes:
    """Frame of a message of text."""
    return _frame(Opcode.TEXT, _to_json(message).encode())


def _frame(opcode: Opcode, data: bytes) -> bytes:
    return Frame(opcode, data).serialize(mask=False)


def _number(value: float) -> float | None:
    """JSON has no infinite numbers."""
    return value if math.isfinite(value) else None
