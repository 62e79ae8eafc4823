"""A grid machine's state as a file: everything that is needed to go on, to the bit.

An Arrow file, one row an array, with its version, what it belongs to, and a digest over
every byte, checked before anything of it is believed; beside it files with the bins closed
before. What the state is made of is said by ``engine.grid.api``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from contracts.canonical import Document, canonical_json
from contracts.errors import ContractError, IntegrityError
from islandflow_resources.grid_tables import ROWS_PER_GROUP, read_groups
from islandflow_resources.mbo_files import file_digest

FORMAT: Final = "islandflow-grid-checkpoint/1"
_HEAD: Final = b"islandflow"
_DIGEST: Final = b"digest"
_BLANK: Final = b"blake3:" + b"0" * 64
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
    """The file of a checkpoint; its digest is over all of it with zeros for the digest."""
    names = sorted(arrays)
    solid = [np.ascontiguousarray(arrays[name]) for name in names]
    rows = [
        names,
        [array.dtype.str for array in solid],
        [list(array.shape) for array in solid],
        [array.tobytes() for array in solid],
    ]
    texts = {_HEAD: canonical_json({"format": FORMAT, **asdict(head)}), _DIGEST: _BLANK}
    table = pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(rows, _SCHEMA, strict=True)],
        schema=_SCHEMA.with_metadata(texts),
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue().to_pybytes()
    return data.replace(_BLANK, _digest(data))


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
            texts = file.schema.metadata or {}
            # Before any row is decoded: offsets that were changed lead anywhere in memory.
            _refuse_changed(data, texts[_DIGEST], where)
            text = json.loads(texts[_HEAD])
            if text.pop("format") != FORMAT:
                raise _unknown(where)
            rows = file.read_all().to_pylist()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise _damaged(where, " ".join(str(error).split())[:200]) from None
    arrays = {
        row["name"]: np.frombuffer(row["data"], dtype=np.dtype(row["dtype"])).reshape(row["shape"])
        for row in rows
    }
    return Checkpoint(CheckpointHead(**text), arrays)


class Parts:
    """Files with the bins closed before a checkpoint; no file is ever replaced by another.

    Parameters
    ----------
    folder : Path
        Where the checkpoints are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[Document] = []
        self._waiting: list[tuple[pa.Table, pa.Table]] = []
        self._waiting_rows = 0

    def append(self, bins: pa.Table, rows: pa.Table) -> None:
        """Keep closed bins and their rows for the next checkpoint."""
        self._waiting.append((bins, rows))
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= ROWS_PER_GROUP:
            self.write()

    def write(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        self.folder.mkdir(exist_ok=True)
        whole = [pa.concat_tables(tables) for tables in zip(*self._waiting, strict=True)]
        number = len(self.written)
        part: Document = {}
        for kind, table in zip(("bins", "grid"), whole, strict=True):
            temporary = self.folder / f".{number:06d}.{kind}.part"
            pq.write_table(table, temporary, compression="ZSTD", compression_level=1)
            digest = file_digest(temporary)
            # Named by what it holds: checkpoints of another build here may lean on its like.
            name = f"{number:06d}-{digest.removeprefix('blake3:')[:16]}.{kind}.parquet"
            temporary.replace(self.folder / name)
            part[kind] = {"name": name, "digest": digest}
        self.written.append(part)
        self._waiting, self._waiting_rows = [], 0


def read_parts(head: CheckpointHead, beside: Path) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Closed bins and their rows before a checkpoint, part by part.

    Raises
    ------
    IntegrityError
        ``CHECKPOINT_DAMAGED`` naming the file that is missing or has changed.
    """
    for part in head.parts:
        bins, rows = (_part(beside, part[kind]) for kind in ("bins", "grid"))
        yield bins, rows


def _part(beside: Path, part: Any) -> pa.Table:
    path = beside / str(part["name"])
    if not path.is_file() or file_digest(path) != part["digest"]:
        raise _damaged(str(path), "a file with the bins before it is missing or has changed")
    return pa.concat_tables(read_groups(path))


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


def _refuse_changed(data: bytes, digest: bytes, where: str) -> None:
    if len(digest) != len(_BLANK) or _digest(data.replace(digest, _BLANK)) != digest:
        raise _damaged(where, "its content is not what its digest says")


def _digest(data: bytes) -> bytes:
    return f"blake3:{blake3(data).hexdigest()}".encode()


def _unknown(where: str) -> ContractError:
    return ContractError(
        "CHECKPOINT_UNKNOWN",
        f"the checkpoint is not of the form {FORMAT}",
        where,
        ("make it again with this version",),
    )


def _damaged(where: str, reason: str) -> IntegrityError:
    return IntegrityError(
        "CHECKPOINT_DAMAGED",
        f"cannot trust the checkpoint: {reason}",
        where,
        ("use an earlier checkpoint, or build from the beginning",),
    )
