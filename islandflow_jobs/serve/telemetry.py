"""Times of every bin on its way to the clients, as lines of JSON in a file.

``{"bin", "ingest_us", "ready_us", "encoded_us", "queued_us", …}``: each step in µs since the
one before. Every 200 bins of a stream a line with percentiles of each step. Figures for
Prometheus are ``gauges``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from islandflow_jobs.serve.messages import EncodedBin

STEPS: Final = ("ready_us", "encoded_us", "queued_us", "total_us")
SUMMARY_BINS: Final = 200


class Telemetry:
    """A file of times; nothing where there is no file.

    Parameters
    ----------
    path : Path or None
        Appended to.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("a", encoding="utf-8")
        self._times: dict[str, list[tuple[float, ...]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, serving_id: str, one: EncodedBin, queued_ns: int) -> None:
        """Take the times of a bin that has been handed to all clients."""
        if self._file is None:
            return
        marks = (one.ingest_ns, one.ready_ns, one.encoded_ns, queued_ns)
        steps = [(b - a) / 1_000 for a, b in pairwise(marks)]
        times = (*steps, (queued_ns - one.ingest_ns) / 1_000)
        told = {"serving_id": serving_id, "bin": one.number}
        self._write({**told, **dict(zip(STEPS, times, strict=True))})
        kept = self._times.setdefault(serving_id, [])
        kept.append(times)
        if len(kept) == SUMMARY_BINS:
            self._write({"serving_id": serving_id, "summary": summary(kept)})
            kept.clear()

    def _write(self, line: dict[str, object]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def summary(times: Sequence[tuple[float, ...]]) -> dict[str, dict[str, float]]:
    """Percentiles (nearest rank) of each step."""
    found: dict[str, dict[str, float]] = {}
    for name, values in zip(STEPS, zip(*times, strict=True), strict=True):
        ordered = sorted(values)
        ranks = {f"p{q}": ordered[-(-q * len(ordered) // 100) - 1] for q in (50, 95, 99)}
        found[name] = {**ranks, "max": ordered[-1]}
    return found
