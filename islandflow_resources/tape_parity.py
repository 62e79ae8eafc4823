"""A tape made again in part: five minutes of one symbol, compared with what is stored.

A symbol alone is the same as within its tape, so that a slice proves the determinism of the whole
at the cost of one symbol. Which slice is drawn by the tape's digest and the engine's, and another
engine proves another one. Every byte of a tape is proved in ``tape_loader``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from contracts.canonical import Document
from contracts.digest import recipe_digest
from contracts.errors import Problem
from contracts.seeds import stream_id
from contracts.tape import TapeSpec
from contracts.tape_columns import PRINT_LABELS, STREAMS
from engine.digest import engine_digest
from engine.tapes.market.api import MarketTape
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedDocument, Recipe, made_document
from islandflow_resources.market_tapes import MarketTapeFiles
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.table_schemas import numbers_of
from islandflow_resources.tape_buckets import PRINTS, buckets_of
from islandflow_resources.tape_files import TABLES, TableReader, rows_digest
from islandflow_resources.tape_places import TapePlace
from islandflow_resources.tape_rows import first_difference
from islandflow_resources.tape_tables import stream_tables, tape_texts, truth_tables

WHAT: Final = "tape_parity"
VERSION: Final = "1"
_HINT: Final = "keep the tape: the engine's version must change with whatever it makes"


@dataclass(frozen=True, slots=True)
class Slice:
    """A symbol in a stretch of a tape.

    Attributes
    ----------
    symbol : str
    group : int
        Row group of the streams.
    start_ns, end_ns : int
    """

    symbol: str
    group: int
    start_ns: int
    end_ns: int


def tape_parity(
    store: ObjectStore, database: Database, tape: MarketTapeFiles, run_id: str
) -> DerivedDocument:
    """What became of a slice made again: symbol, times, rows, and the problem if it differs.

    Once for a tape and an engine; see `problem_of`.
    """
    engine, ref = engine_digest(), tape.ref
    inputs = {"tape": tape.content_digest, "labels": tape.labels_digest}
    digest = recipe_digest(WHAT, version=VERSION, specs={"engine": engine}, inputs=inputs)
    recipe = Recipe(
        WHAT,
        digest,
        f"reports/market/{ref.inputs.tape_id}/parity",
        VERSION,
        ref.tape.key,
        ref.seed,
        {"tape": tape.content_digest, "engine": engine},
    )
    return made_document(store, database, recipe, lambda: compared(tape, engine), run_id)


def problem_of(parity: Document) -> Problem | None:
    """What is wrong with a slice; None if it is the same to the byte."""
    if parity["difference"] is None:
        return None
    return Problem("TAPE_NOT_REPRODUCED", str(parity["difference"]), str(parity["loc"]), (_HINT,))


def chosen_slice(spec: TapeSpec, *names: str) -> Slice:
    """The slice that some names draw."""
    buckets = buckets_of(spec)
    symbol = spec.symbols[stream_id("parity", "symbol", *names) % len(spec.symbols)]
    group = stream_id("parity", "bucket", *names) % len(buckets)
    return Slice(symbol, group, *buckets[group])


def compared(tape: MarketTapeFiles, engine: str) -> Document:
    """Make a slice again and compare it."""
    spec = tape.ref.tape.spec
    part = chosen_slice(spec, tape.content_digest, engine)
    stored = stored_slice(tape.place, part)
    made = made_slice(spec, tape.ref.seed, part)
    found: Document = {
        "symbol": part.symbol,
        "row_group": part.group,
        "start_ns": str(part.start_ns),
        "end_ns": str(part.end_ns),
        "rows": {name: table.num_rows for name, table in stored.items()},
        "difference": None,
        "loc": None,
    }
    for name, table in stored.items():
        schema = TABLES[name]
        if rows_digest(table, schema) == rows_digest(made[name], schema):
            continue
        differs = first_difference(table, made[name], schema)
        told = (
            f"{part.symbol} from {part.start_ns} on, row {differs.row if differs else 0} of {name}"
        )
        found["difference"] = f"{told}: {differs} when it is made again"
        found["loc"] = f"{name}.parquet, row group {part.group}"
        break
    return found


def stored_slice(place: TapePlace, part: Slice) -> dict[str, pa.Table]:
    """Stored rows of a slice: of the streams, and of the labels of its prints."""
    tables = {name: _of_symbol(_read(place, name, part.group), part.symbol) for name in STREAMS}
    seqs = np.concatenate([numbers_of(tables[name].column("seq")) for name in PRINTS])
    labels = _read(place, PRINT_LABELS.name, part.group)
    mine = np.isin(numbers_of(labels.column("seq")), seqs)
    return {**tables, PRINT_LABELS.name: labels.take(_places(mine))}


def made_slice(spec: TapeSpec, seed: int, part: Slice) -> dict[str, pa.Table]:
    """The same rows made again, from the start of the tape and without any other symbol."""
    source = MarketTape(spec, seed, (part.symbol,))
    for bucket in buckets_of(spec)[: part.group]:
        source.advance(bucket.end_ns)
    batch = source.advance(part.end_ns)
    texts = tape_texts(spec.symbols)
    texts.list_contracts(source.contracts)
    truth = truth_tables(batch, texts)
    return {**stream_tables(batch, texts), PRINT_LABELS.name: truth[PRINT_LABELS.name]}


def _read(place: TapePlace, name: str, group: int) -> pa.Table:
    with place.open(f"{name}.parquet") as source:
        return TableReader(source, name, TABLES[name]).read(group)


def _of_symbol(table: pa.Table, symbol: str) -> pa.Table:
    """Rows of an underlying and its contracts."""
    column = "symbol" if "symbol" in table.column_names else "contract"
    if not table.num_rows:
        return table
    chunk = table.column(column).chunk(0)
    mine = [text[:6].rstrip() == symbol for text in chunk.dictionary.to_pylist()]
    return table.take(_places(np.array(mine, np.bool_)[numbers_of(chunk.indices)]))


def _places(kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Array:
    return pa.array(np.flatnonzero(kept))
