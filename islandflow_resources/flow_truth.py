"""A detection beside the truth of its tape: scores of one, the only place where both are read.

How they are judged is ``engine.evaluation``. The path of the detector, ``flow_folder``, never
comes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from contracts.canonical import Document
from contracts.digest import recipe_digest
from contracts.errors import ContractError, IntegrityError
from contracts.flow_columns import ALERTS, FLOW_PRINTS, HYPOTHESIS_ROWS
from contracts.labels import ExpectedOutputs, GroundTruthLabels, load_expected_outputs, load_labels
from contracts.tape import TapeSpec
from contracts.tape_columns import BURST_LABELS, PRINT_LABELS, SESSION_STATES
from contracts.tape_manifest import (
    LABEL_FILES,
    LABELS,
    OUTPUTS,
    PARAMETERS,
    ExpectedOutputManifest,
)
from engine.evaluation import VERSION, TapeScore, TapeTables, score_tape
from engine.evaluation.tables import NEEDED
from islandflow_resources.database import Database
from islandflow_resources.derived import Recipe, made_document
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.table_schemas import numbers_of
from islandflow_resources.tape_files import TABLES, TableReader
from islandflow_resources.tape_places import TapePlace

WHAT: Final = "tape_score"
_SAID: Final = (FLOW_PRINTS, HYPOTHESIS_ROWS, ALERTS)
_TRUE: Final = (PRINT_LABELS, BURST_LABELS, SESSION_STATES)


def score_of(detection: StoredDetection, place: TapePlace, spec: TapeSpec, seed: int) -> TapeScore:
    """Judge a detection by the labels of its tape.

    Parameters
    ----------
    place : TapePlace
        Of the tape, with its labels.

    Raises
    ------
    ContractError
        ``FLOW_SEED_TUNED`` if the policy was tuned on the seed, ``FLOW_TAPE_DIFFERS`` if the
        detection is of another tape.
    """
    detection.policy.refuse_tuned(seed)
    said = {schema.name: columns_of(detection.table(schema.name)) for schema in _SAID}
    true = {schema.name: columns_of(_whole(place, schema.name)) for schema in _TRUE}
    control = spec.control.at(spec.start_ns)
    return score_tape(
        TapeTables(**{**said, **true}),
        seed=seed,
        preset=control.preset_id,
        symbols=len(spec.universe),
        coverage_window_minutes=control.coverage_window_minutes,
    )


def stored_score(
    store: ObjectStore,
    database: Database,
    detection: StoredDetection,
    place: TapePlace,
    spec: TapeSpec,
    seed: int,
    labels_digest: str,
    market_key: str,
    run_id: str,
) -> Document:
    """The score of a detection, made once for the truth that it is judged by."""
    inputs = {"detection": detection.manifest.content_digest, "labels": labels_digest}
    recipe = Recipe(
        WHAT,
        recipe_digest(WHAT, version=VERSION, specs={}, inputs=inputs),
        f"reports/flow/{detection.manifest.detection_id}",
        VERSION,
        market_key,
        seed,
        {**inputs, "version": VERSION},
    )

    def make() -> Document:
        return score_of(detection, place, spec, seed).document()

    return made_document(store, database, recipe, make, run_id).document


def truth_documents(place: TapePlace) -> tuple[GroundTruthLabels, ExpectedOutputs]:
    """Labels of injections and what a detector should make of them."""
    return load_labels(place.get(LABELS)), load_expected_outputs(place.get(OUTPUTS))


def refuse_changed_truth(place: TapePlace, manifest: ExpectedOutputManifest) -> None:
    """Refuse parameters or labels that are not what the manifest of their tape says.

    Raises
    ------
    NotFoundError
        ``OBJECT_NOT_FOUND``.
    IntegrityError
        ``TAPE_FILE_DIFFERS`` with the file.
    """
    files = (*manifest.artifacts, *manifest.expected_output_contract.artifacts)
    stated = {one.path.rpartition("/")[2]: one.digest for one in files}
    for name in (PARAMETERS, *LABEL_FILES):
        found = place.digest(name)
        if found != stated[name]:
            said = f"its bytes have {found}, the manifest says {stated[name]}"
            hint = "move the tape away and make it again"
            raise IntegrityError("TAPE_FILE_DIFFERS", said, name, (hint,))


def refuse_other_tape(detection: StoredDetection, tape_digest: str) -> None:
    """Refuse a detection that is not of a tape.

    Raises
    ------
    ContractError
        ``FLOW_TAPE_DIFFERS``.
    """
    found = detection.manifest.tape_digest
    if found != tape_digest:
        raise ContractError(
            "FLOW_TAPE_DIFFERS",
            f"the detection is of the tape {found}, not of {tape_digest}",
            detection.key,
            ("name the tape that it was made from, or detect again",),
        )


def columns_of(table: pa.Table) -> Mapping[str, np.ndarray[Any, Any]]:
    """Columns that a judgement reads as arrays, texts as strings."""
    wanted = {name for names in NEEDED.values() for name in names}
    names = [name for name in table.column_names if name in wanted or name.startswith("z_")]
    return {name: _values(table.column(name)) for name in names}


def _values(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    if pa.types.is_dictionary(column.type):
        chunks = [
            np.array(chunk.dictionary.to_pylist(), dtype=object)[numbers_of(chunk.indices)]
            for chunk in column.chunks
            if len(chunk)
        ]
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=object)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.to_pylist(), dtype=object)
    return numbers_of(column)


def _whole(place: TapePlace, name: str) -> pa.Table:
    with place.open(f"{name}.parquet") as source:
        return pa.concat_tables(TableReader(source, name, TABLES[name]).tables())
