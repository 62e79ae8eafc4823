"""A tape in stretches of five minutes, however its batches were cut.

A stretch is a row group of every stream, so the files of a tape do not depend on who made it
or how often it was interrupted. Batches are ``engine.tapes.market.events``; tables of them
``tape_tables``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from contracts.errors import ComputeError
from contracts.regime import BUCKET_NS
from contracts.tape import TapeSpec
from contracts.tape_columns import STREAMS
from engine.tapes.market.events import Batch, Columns

PRINTS = ("equity_prints", "option_prints")


class Bucket(NamedTuple):
    """A stretch of a tape: ``start_ns ≤ ts_ns < end_ns``."""

    start_ns: int
    end_ns: int


def buckets_of(spec: TapeSpec) -> list[Bucket]:
    """The stretches of a tape in order: multiples of five minutes, clipped to open hours."""
    found: list[Bucket] = []
    for session in spec.sessions:
        first = max(session.open_ns, spec.start_ns)
        last = min(session.close_ns, spec.end_ns)
        found += (
            Bucket(max(first, start), min(last, start + BUCKET_NS))
            for start in range(first // BUCKET_NS * BUCKET_NS, last, BUCKET_NS)
        )
    return found


def by_bucket(batches: Iterable[Batch], buckets: Iterable[Bucket]) -> Iterator[Batch]:
    """One batch for each of `buckets`, in order.

    Parameters
    ----------
    batches : iterable of Batch
        In order and without a gap inside a bucket.

    Raises
    ------
    ComputeError
        ``TAPE_EVENT_OUTSIDE`` for events between buckets, ``TAPE_INCOMPLETE``.
    """
    source = iter(batches)
    rest: Batch | None = None
    for bucket in buckets:
        parts: list[Batch] = []
        while not parts or parts[-1].end_ns < bucket.end_ns:
            rest = next(source, None) if rest is None else rest
            if rest is None:
                raise _incomplete(bucket)
            outside, inside = cut(rest, bucket.start_ns)
            _refuse_events(outside)
            part, rest = cut(inside, bucket.end_ns) if inside else (None, None)
            parts += [part] if part else []
        yield joined(parts)
    _refuse_events(rest)
    for batch in source:
        _refuse_events(batch)


def cut(batch: Batch, at_ns: int) -> tuple[Batch | None, Batch | None]:
    """A batch before and from a time on; None for a part without extent."""
    if at_ns >= batch.end_ns:
        return batch, None
    if at_ns <= batch.start_ns:
        return None, batch
    ends = {name: int(np.searchsorted(of["ts_ns"], at_ns)) for name, of in batch.streams.items()}
    # Labels stand in order of seq, and seq ascends with time.
    prints = sum(ends[name] for name in PRINTS)
    minutes = int(np.searchsorted(batch.session_states["ts_ns"], at_ns))
    before = Batch(
        batch.start_ns,
        at_ns,
        {name: _rows(of, 0, ends[name]) for name, of in batch.streams.items()},
        _rows(batch.print_labels, 0, prints),
        _rows(batch.session_states, 0, minutes),
        batch.focus[:minutes],
        batch.events[:minutes],
    )
    after = Batch(
        at_ns,
        batch.end_ns,
        {name: _rows(of, ends[name], None) for name, of in batch.streams.items()},
        _rows(batch.print_labels, prints, None),
        _rows(batch.session_states, minutes, None),
        batch.focus[minutes:],
        batch.events[minutes:],
    )
    return before, after


def joined(parts: list[Batch]) -> Batch:
    """Batches that follow on each other as one."""
    if len(parts) == 1:
        return parts[0]
    return Batch(
        parts[0].start_ns,
        parts[-1].end_ns,
        {name: _concatenated([part.streams[name] for part in parts]) for name in STREAMS},
        _concatenated([part.print_labels for part in parts]),
        _concatenated([part.session_states for part in parts]),
        [focus for part in parts for focus in part.focus],
        [events for part in parts for events in part.events],
    )


def _rows(columns: Columns, start: int, end: int | None) -> Columns:
    return {name: values[start:end] for name, values in columns.items()}


def _concatenated(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _refuse_events(batch: Batch | None) -> None:
    if batch is None or not batch.rows:
        return
    raise ComputeError(
        "TAPE_EVENT_OUTSIDE",
        f"{batch.rows} events from {batch.start_ns} to {batch.end_ns} are outside the tape",
        str(batch.start_ns),
        ("report this: the generator leaves its sessions",),
    )


def _incomplete(bucket: Bucket) -> ComputeError:
    return ComputeError(
        "TAPE_INCOMPLETE",
        f"the events end before {bucket.end_ns}",
        str(bucket.start_ns),
        ("report this: the generator stops before the end of the tape",),
    )
