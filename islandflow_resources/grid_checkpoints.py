"""A grid machine's state as a file: everything that is needed to go on, to the bit.

An Arrow file, one row an array, with its version, what it belongs to, and a digest over
all of it, checked before anything of it is believed. What the state is made of is said by
``engine.grid.api``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from blake3 import blake3

from contracts.canonical import Document, canonical_json
from contracts.errors import ContractError, IntegrityError

FORMAT: Final = "islandflow-grid-checkpoint/1"
_HEAD: Final = b"islandflow"
_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("dtype", pa.string(), nullable=False),
        pa.field("shape", pa.list_(pa.int64()), nullable=False),
        pa.field("data", pa.large_binary(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class CheckpointHead:
    """What a checkpoint belongs to.

    Attributes
    ----------
    identity : dict
        Configuration, rules, source and engine; a run with another must not go on from it.
    rows_taken : int
        Events of the source that are in it.
    bins : int
        Bins closed so far.
    parts : list of dict
        Files with the bins closed so far, beside the checkpoint: name, digest.
    """

    identity: Document
    rows_taken: int
    bins: int
    parts: list[Document]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A state that was read back whole."""

    head: CheckpointHead
    arrays: dict[str, npt.NDArray[Any]]


def write_checkpoint(
    path: Path, head: CheckpointHead, arrays: Mapping[str, npt.NDArray[Any]]
) -> str:
    """Write a checkpoint in one go; its file digest, ``blake3:…``.

    The bytes are the same for the same state.
    """
    data = checkpoint_bytes(head, arrays)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(data)
    temporary.replace(path)
    return f"blake3:{blake3(data).hexdigest()}"


def checkpoint_bytes(head: CheckpointHead, arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The file of a checkpoint."""
    names = sorted(arrays)
    solid = [np.ascontiguousarray(arrays[name]) for name in names]
    rows = [
        names,
        [array.dtype.str for array in solid],
        [list(array.shape) for array in solid],
        [array.tobytes() for array in solid],
    ]
    text = {"format": FORMAT, **asdict(head)}
    texts = {_HEAD: canonical_json(text), b"digest": _digest(text, rows).encode()}
    table = pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(rows, _SCHEMA, strict=True)],
        schema=_SCHEMA.with_metadata(texts),
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, every byte of its content checked.

    Raises
    ------
    ContractError
        ``CHECKPOINT_MISSING`` if there is no such file; ``CHECKPOINT_UNKNOWN`` if it is of
        another version.
    IntegrityError
        ``CHECKPOINT_DAMAGED``.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ContractError(
            "CHECKPOINT_MISSING",
            f"the checkpoint cannot be read: {error.strerror or error}",
            str(path),
            ("name a file that --checkpoint-every or `islandflow book warm` has written",),
        ) from None
    return parse_checkpoint(data, str(path))


def parse_checkpoint(data: bytes, where: str) -> Checkpoint:
    """The checkpoint that a file's bytes are, see `read_checkpoint`."""
    try:
        with pa.ipc.open_file(pa.BufferReader(data)) as file:
            table = file.read_all()
        texts = table.schema.metadata or {}
        text = json.loads(texts[_HEAD])
        rows = [table.column(name).to_pylist() for name in _SCHEMA.names]
        found = _digest(text, rows)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise _damaged(where, " ".join(str(error).split())[:200]) from None
    if texts[b"digest"].decode() != found:
        raise _damaged(where, "its content is not what its digest says")
    if text.pop("format") != FORMAT:
        raise ContractError(
            "CHECKPOINT_UNKNOWN",
            f"the checkpoint is not of the form {FORMAT}",
            where,
            ("make it again with this version",),
        )
    arrays = {
        name: np.frombuffer(data, dtype=np.dtype(kind)).reshape(shape)
        for name, kind, shape, data in zip(*rows, strict=True)
    }
    return Checkpoint(CheckpointHead(**text), arrays)


def refuse_other_run(checkpoint: Checkpoint, identity: Document, where: str) -> None:
    """Refuse to go on from a checkpoint of another configuration, source or engine.

    Raises
    ------
    ContractError
        ``CHECKPOINT_OF_ANOTHER_RUN``, naming what differs.
    """
    theirs = checkpoint.head.identity
    names = sorted(identity.keys() | theirs.keys())
    other = [name for name in names if identity.get(name) != theirs.get(name)]
    if not other:
        return
    raise ContractError(
        "CHECKPOINT_OF_ANOTHER_RUN",
        f"the build cannot go on from the checkpoint: its {' and '.join(other)} differ",
        where,
        ("use the events, the configuration and the rules that the checkpoint was made with",),
    )


def _digest(text: Document, rows: list[list[Any]]) -> str:
    hasher = blake3(canonical_json(text))
    for name, kind, shape, data in zip(*rows, strict=True):
        hasher.update(canonical_json([name, kind, shape, str(len(data))]))
        hasher.update(data)
    return f"blake3:{hasher.hexdigest()}"


def _damaged(where: str, reason: str) -> IntegrityError:
    return IntegrityError(
        "CHECKPOINT_DAMAGED",
        f"cannot trust the checkpoint: {reason}",
        where,
        ("use an earlier checkpoint, or build from the beginning",),
    )
