"""Tapes that stand and have passed, for whoever goes on from one: a part of it verified.

Making and judging are ``market_tapes`` and ``tape_reports``; here nothing is made but what was
lost of a judgement. A tape that did not pass is as good as none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.canonical import Document
from contracts.digest import document_digest, recipe_digest
from contracts.errors import IntegrityError, IslandflowError, Problem
from islandflow_resources.database import Database
from islandflow_resources.derived import Recipe, made_document
from islandflow_resources.market_tapes import MarketRef, MarketTapeFiles, standing_tape
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.table_schemas import numbers_of
from islandflow_resources.tape_replay import ReplayBatch, replay_batches
from islandflow_resources.tape_reports import judged, refuse_unsound

WHAT: Final = "tape_replay"
VERSION: Final = "1"


@dataclass(frozen=True)
class SoundTape:
    """A tape that passed, or the reason that there is none.

    Attributes
    ----------
    ref : MarketRef
    tape : MarketTapeFiles or None
    report : Document or None
        See ``tape_reports``.
    replayed : Document or None
        Events, and seconds, of a replay of the whole tape, if it was asked for.
    seconds : float
        That finding it took.
    problem : Problem or None
    is_damaged : bool
        Whether that is a matter of integrity.
    """

    ref: MarketRef
    tape: MarketTapeFiles | None
    report: Document | None
    replayed: Document | None
    seconds: float
    problem: Problem | None = None
    is_damaged: bool = False


def sound_tape(
    store: ObjectStore,
    labels_store: ObjectStore,
    database: Database,
    ref: MarketRef,
    run_id: str,
    *,
    files: Sequence[str] = (),
    replay: bool = False,
) -> SoundTape:
    """A tape that stands and has passed, some of its files verified.

    Parameters
    ----------
    files : sequence of str
        Names of files whose bytes are compared with the manifest.
    replay : bool
        Whether the tape is replayed whole, once for each tape.
    """
    start = time.perf_counter()
    try:
        tape = standing_tape(store, labels_store, database, ref)
        _verify(tape, files)
        judgement = judged(store, database, tape, run_id)
        refuse_unsound(judgement, str(ref))
        replayed = _replay(store, database, tape, run_id) if replay else None
    except IslandflowError as error:
        if error.retryable:
            raise
        is_damaged, seconds = isinstance(error, IntegrityError), time.perf_counter() - start
        return SoundTape(ref, None, None, None, seconds, error.problems[0], is_damaged)
    return SoundTape(ref, tape, judgement.report, replayed, time.perf_counter() - start)


def plan_digest(tape: MarketTapeFiles) -> str:
    """What the replay plan of a tape says, and about which events."""
    plan = tape.manifest.replay_plan.document()
    return document_digest({"plan": plan, "tape": tape.content_digest})


def _verify(tape: MarketTapeFiles, files: Sequence[str]) -> None:
    manifest = tape.manifest
    stated = {
        one.path.rpartition("/")[2]: one
        for one in (*manifest.artifacts, *manifest.expected_output_contract.artifacts)
    }
    for name in files:
        found = tape.place.digest(name)
        if found != stated[name].digest:
            raise IntegrityError(
                "TAPE_FILE_DIFFERS",
                f"its bytes have {found}, the manifest says {stated[name].digest}",
                stated[name].path,
                ("move the tape away and make it again",),
            )


def _replay(store: ObjectStore, database: Database, tape: MarketTapeFiles, run_id: str) -> Document:
    """Replay a tape whole, or find that it has been."""
    ref = tape.ref
    digest = recipe_digest(WHAT, version=VERSION, inputs={"plan": plan_digest(tape)})
    folder = f"reports/market/{ref.inputs.tape_id}/replay"
    recipe = Recipe(WHAT, digest, folder, VERSION, ref.tape.key, ref.seed)
    return made_document(store, database, recipe, lambda: _replayed(tape), run_id).document


def _replayed(tape: MarketTapeFiles) -> Document:
    plan = tape.manifest.replay_plan
    events, last = 0, (-1, -1, -1)
    for batch in replay_batches(tape.place):
        keys = _keys(batch)
        events += len(keys[0])
        last = _refuse_disorder(tape, last, keys)
    if events != plan.event_count:
        said = f"{events} events were replayed, the plan says {plan.event_count}"
        raise _differs(tape, said)
    return {"events": events, "last_ts_ns": str(last[0])}


def _keys(batch: ReplayBatch) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Time, time of receipt and number of the events of a stretch, in the order of replay."""
    tables = list(batch.tables.values())
    starts = np.cumsum([0, *(table.num_rows for table in tables)])[:-1]
    places = starts[batch.streams] + batch.rows
    return [
        np.concatenate([numbers_of(table.column(name)) for table in tables])[places]
        for name in ("ts_ns", "ingest_ns", "seq")
    ]


def _refuse_disorder(
    tape: MarketTapeFiles,
    last: tuple[int, int, int],
    keys: list[np.ndarray[tuple[int], np.dtype[np.int64]]],
) -> tuple[int, int, int]:
    """The key of the last event; every one comes after the one before."""
    if not len(keys[0]):
        return last
    ts, ingest, seq = (np.diff(of, prepend=first) for of, first in zip(keys, last, strict=True))
    forward = (ts > 0) | ((ts == 0) & ((ingest > 0) | ((ingest == 0) & (seq > 0))))
    if forward.all():
        return int(keys[0][-1]), int(keys[1][-1]), int(keys[2][-1])
    at = int(forward.argmin())
    raise _differs(tape, f"seq {keys[2][at]} is replayed after a later event")


def _differs(tape: MarketTapeFiles, said: str) -> IntegrityError:
    hints = ("move the tape away and make it again",)
    return IntegrityError("TAPE_ORDER_BROKEN", said, str(tape.place), hints)
