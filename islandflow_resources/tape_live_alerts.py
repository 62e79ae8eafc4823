"""Alerts of a live tape as they are said: the detector beside the tape, a line an alert.

``live/alerts.jsonl`` follows from the streams and is written anew at each start; it says what a
detection of the finished tape says. The detector gets the events alone, no label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from contracts.flow_columns import ALERTS
from contracts.flow_policy import ScoringPolicy
from contracts.smart_flow import PROFILES_OF
from engine.flow.api import FlowDetector, events_of
from engine.flow.rows import Columns, Detections
from engine.tapes.market.events import Batch
from islandflow_resources.flow_tables import detection_tables, detection_texts
from islandflow_resources.tape_folder import TapeEvents

_WIDE: Final = tuple(column.name for column in ALERTS.columns if column.kind == "int64")


class LiveAlerts:
    """Detects in what a live tape makes; a context manager that closes its file.

    Parameters
    ----------
    path : Path
        Is written anew.
    symbols : sequence of str
        The universe.
    policy : ScoringPolicy
    """

    def __init__(self, path: Path, symbols: Sequence[str], policy: ScoringPolicy) -> None:
        self.path, self.policy = path, policy
        self._symbols = tuple(symbols)
        self._detector: FlowDetector | None = None
        self._contracts: list[str] = []
        self._file = path.open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def hear(self, batch: Batch, source: TapeEvents) -> None:
        """Take what the tape has made, and write what can be said then."""
        if self._detector is None:
            calendar: Columns = source.event_calendar()
            self._detector = FlowDetector(len(self._symbols), calendar, self.policy)
        if len(source.contracts) > self._detector.contracts:
            self._contracts = source.contracts
            self._detector.list_contracts(source.contract_rows())
        self._write(self._detector.push(events_of(batch.streams)))

    def finish(self) -> None:
        """Say what is still open, at the end of the tape."""
        if self._detector is not None:
            self._write(self._detector.finish())

    def _write(self, found: Detections) -> None:
        if found.hypotheses["abstained"].all():
            return
        texts = detection_texts(self._symbols, self._contracts)
        table = detection_tables(found, texts, self._symbols, self.policy)[ALERTS.name]
        for row in table.to_pylist():
            wide = {name: str(row[name]) for name in _WIDE}
            self._file.write(json.dumps({**row, **wide}, separators=(",", ":")) + "\n")
        self._file.flush()


def live_alerts(path: Path) -> Iterator[dict[str, Any]]:
    """Alerts of a live tape so far, a line that is not whole left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)


def hits(alerts: Sequence[tuple[int, str]], since_ns: int, until_ns: int) -> dict[str, int]:
    """Alerts of each profile that were said in ``since_ns < t ≤ until_ns``.

    Parameters
    ----------
    alerts : sequence of (int, str)
        Time at which one was said, and its profile.
    """
    counts = dict.fromkeys(PROFILES_OF.values(), 0)
    for emitted_ns, profile in alerts:
        if since_ns < emitted_ns <= until_ns:
            counts[profile] += 1
    return counts
