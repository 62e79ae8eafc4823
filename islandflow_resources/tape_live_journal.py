"""The journal of a live tape: a line a second, written before the events of that second.

A second is made once its line is there. From then on what its events are is fixed, for the line
says which control took effect; so whatever a kill cuts off is made again to the same bytes. A
line that is torn was never whole, and nothing of its second is published. The streams
themselves are ``tape_live_streams``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from contracts.control import CONTROL_VERSION
from contracts.document import validate
from contracts.errors import ContractError, IntegrityError
from contracts.tape_columns import STREAMS
from islandflow_resources.tape_live_control import Told

JOURNAL: Final = "journal.jsonl"


class Entry(NamedTuple):
    """A second that is made.

    Attributes
    ----------
    second_ns : int
        Its start.
    wall_ns : int
        When it was published first.
    rows : dict of str to int
        Events of each stream.
    ends : dict of str to int
        Bytes of each stream's file up to its end.
    control : tuple of Told
        Versions that took effect with it.
    """

    second_ns: int
    wall_ns: int
    rows: Mapping[str, int]
    ends: Mapping[str, int]
    control: tuple[Told, ...] = ()

    def line(self) -> bytes:
        """The entry as it is stored."""
        control = [
            {"revision": one.revision, **one.version.model_dump(mode="json")}
            for one in self.control
        ]
        document = {
            "second_ns": str(self.second_ns),
            "wall_ns": str(self.wall_ns),
            "rows": dict(self.rows),
            "ends": dict(self.ends),
            **({"control": control} if control else {}),
        }
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


class Journal:
    """The file, open for appending.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def entries(self) -> list[Entry]:
        """Every second that is made; a torn last line is cut off.

        Raises
        ------
        IntegrityError
            ``LIVE_JOURNAL_DAMAGED`` naming the line.
        """
        found: list[Entry] = []
        whole = 0
        for number, line in enumerate(self._lines(), start=1):
            if line.endswith(b"\n"):
                found.append(self._entry(number, line))
                whole += len(line)
        os.ftruncate(self._file, whole)
        return found

    def append(self, entry: Entry) -> None:
        """Say that a second is made, before anything of it is published."""
        line = entry.line()
        if os.write(self._file, line) != len(line):
            raise OSError("the journal took only a part of a line: is the disk full?")

    def sync(self) -> None:
        """Let what was written outlive the machine."""
        os.fsync(self._file)

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield from file

    def _entry(self, number: int, line: bytes) -> Entry:
        try:
            return _entry_of(json.loads(line))
        except (ValueError, KeyError, TypeError, ContractError) as error:
            raise IntegrityError(
                "LIVE_JOURNAL_DAMAGED",
                f"line {number} of the journal does not say which second was made: {error}",
                f"{self.path}, line {number}",
                ("name another folder: what is made there cannot be gone on with",),
            ) from error


def read_entries(path: Path) -> list[Entry]:
    """Every whole line of a journal that somebody else may be writing."""
    lines = path.read_bytes().splitlines(keepends=True)
    return [_entry_of(json.loads(line)) for line in lines if line.endswith(b"\n")]


def _entry_of(document: Any) -> Entry:
    control = tuple(
        Told(
            int(one["revision"]),
            validate(
                CONTROL_VERSION,
                {name: one[name] for name in ("effective_ns", "control")},
                "control",
            ),
        )
        for one in document.get("control", ())
    )
    rows, ends = ({name: int(document[key][name]) for name in STREAMS} for key in ("rows", "ends"))
    return Entry(int(document["second_ns"]), int(document["wall_ns"]), rows, ends, control)
