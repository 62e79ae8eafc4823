"""The finished tape of a live one: written as every tape is, and proved to be what was streamed.

The events are drawn once more from the spec with the control as used; so the files are those of
``islandflow tape make`` with the same log, to the byte, and the labels come to light only
here. The files themselves are ``tape_folder``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa

from contracts.columns import TableSchema
from contracts.errors import IntegrityError
from contracts.tape import tape_id, tape_recipe
from contracts.tape_columns import STREAMS
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.materialise import provenance
from islandflow_resources.table_digest import TableHasher
from islandflow_resources.tape_catalogue import catalogue_truth
from islandflow_resources.tape_folder import WrittenTape, find_tape, write_tape
from islandflow_resources.tape_inputs import TapeInputs, tape_inputs
from islandflow_resources.tape_live import LiveTape, Maker

_BATCHES: Final = 300
"""So many seconds are hashed at once."""


def inputs_of(live: LiveTape) -> TapeInputs:
    """What the tape that is made so far follows from, as ``tape make`` has it."""
    plan = live.plan
    return tape_inputs(plan.profile, live.spec(), plan.seed_bundle, plan.generator, plan.run_name)


def id_of(live: LiveTape) -> str:
    """Id of the whole tape, if the control stays as it is known."""
    plan = live.plan
    root_seed = plan.seed_bundle.root_seed
    return tape_id(tape_recipe(live.whole_spec(), root_seed, plan.generator))


def seal(
    live: LiveTape, make: Maker, progress: Callable[[int, int], None] | None = None
) -> WrittenTape:
    """Write what is made so far as a tape beside ``live``, or find that it is there.

    Raises
    ------
    IntegrityError
        ``LIVE_TAPE_DIFFERS`` naming the streams that do not say what the tape says; as of
        `write_tape`.
    ContractError
        As of `write_tape`.
    """
    inputs = inputs_of(live)
    store = FolderStore(live.folder.root)
    written = find_tape(store, inputs)
    if written is None:
        with tempfile.TemporaryDirectory(prefix=".tape-", dir=live.folder.root) as folder:
            written = write_tape(
                store,
                lambda: make(inputs.spec, inputs.seed_bundle.root_seed),
                inputs,
                Path(folder),
                provenance=provenance(inputs.run_id),
                catalogue=catalogue_truth,
                progress=progress,
            )
    _refuse_difference(live, written)
    return written


def stream_digest(path: Path, schema: TableSchema) -> str:
    """Content digest of what a stream's file says, ``blake3:…``, read batch by batch."""
    hasher = TableHasher(schema)
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
        while batches := list(islice(reader, _BATCHES)):
            hasher.update(pa.Table.from_batches(batches).combine_chunks())
    return hasher.digest()


def _refuse_difference(live: LiveTape, written: WrittenTape) -> None:
    wanted = written.manifest.event_hashes
    differing = [
        name
        for name, schema in STREAMS.items()
        if stream_digest(live.folder.stream_path(name), schema) != wanted.of(name).digest
    ]
    if differing:
        raise IntegrityError(
            "LIVE_TAPE_DIFFERS",
            f"{', '.join(differing)} of {live.folder} do not say what the tape says",
            str(written.place),
            ("report this: what was streamed is not what the same control makes",),
        )
