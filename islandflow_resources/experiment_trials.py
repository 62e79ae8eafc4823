"""All trials of an experiment: datasets made where they are missing, chunks, candidates.

Whoever runs an experiment again finds what is recorded and makes the rest, in the same order, so
that the result does not depend on who was interrupted when. One chunk is ``signal_trials``; what
is made of the candidates, ``campaign_reports`` as for strategies.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from contracts.canonical import Document, canonical_json
from contracts.columns import CANDIDATES, TRIAL_CHUNKS, TableSchema
from contracts.digest import document_digest, recipe_digest
from contracts.errors import ContractError, IntegrityError
from contracts.pipeline import Capture
from engine.signals.definition import Definition
from islandflow_resources.campaign_tables import (
    CANDIDATE_TABLE,
    CHUNK_TABLE,
    VERSION,
    CampaignTrials,
    RefusedDataset,
)
from islandflow_resources.candidates import Board, CandidateRows, SignalSets, candidates_table
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedTable, Recipe, made_table
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiments import Entry, ReadyExperiment, Variant, first_bin_of
from islandflow_resources.grid_datasets import WHAT as GRID_DATASET
from islandflow_resources.grid_datasets import GridDataset, MadeGrid
from islandflow_resources.models import SignalRun
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import dataset_of, make_dataset
from islandflow_resources.signal_data import SignalData
from islandflow_resources.signal_runs import OUTCOME, best_outcome, record_runs
from islandflow_resources.signal_trials import (
    MAX_SETS,
    Calibration,
    SignalChunk,
    levels_of,
    make_chunk,
)
from islandflow_resources.table_schemas import array_of, doubles_of, from_arrays, strings_of

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class _Slice:
    """Parameter sets of one entry, and what has come together of them."""

    entry: Entry
    sets: tuple[dict[str, float], ...]
    levels: list[tuple[float, ...]] | None = None
    board: Board | None = None


@dataclass(slots=True)
class _Gathered:
    """What has come together so far."""

    total: int
    done: int = 0
    made: int = 0
    rows: list[CandidateRows] = field(default_factory=list)
    chunks: list[dict[str, object]] = field(default_factory=list)
    refused: list[RefusedDataset] = field(default_factory=list)


def run_signal_trials(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    run_id: str,
    progress: Progress,
) -> CampaignTrials:
    """Make all trials of an experiment that are not recorded yet, and gather all of them."""
    start = time.perf_counter()
    gathered = _Gathered(experiment.trials)
    progress(0, gathered.total)
    for variant in experiment.variants:
        _run_variant(store, database, runtime, experiment, variant, run_id, gathered, progress)
    if not gathered.chunks:
        raise _nothing_made(gathered)
    tables = _stored(store, database, experiment, gathered, run_id)
    seconds = time.perf_counter() - start
    return CampaignTrials(*tables, gathered.done, gathered.made, tuple(gathered.refused), seconds)


def datasets_of(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    variant: Variant,
    run_id: str,
) -> Iterator[tuple[Capture, MadeGrid]]:
    """Datasets of a variant one after another, each verified or made; local files go again."""
    for capture in experiment.captures:
        with tempfile.TemporaryDirectory(prefix="islandflow-grid-") as folder:
            made = make_dataset(
                store, database, runtime, variant.config, capture, Path(folder), run_id
            )
            yield capture, made


def slices_of(experiment: ReadyExperiment) -> Iterator[tuple[Entry, tuple[dict[str, float], ...]]]:
    """Parameter sets of all entries in chunks of `MAX_SETS`."""
    for entry in experiment.entries:
        for start in range(0, len(entry.sets), MAX_SETS):
            yield entry, entry.sets[start : start + MAX_SETS]


def chunk_of(
    experiment: ReadyExperiment,
    variant: Variant,
    signal: type[Definition],
    sets: tuple[dict[str, float], ...],
    calibration: Calibration,
) -> SignalChunk:
    """A chunk of an experiment."""
    gap = experiment.spec.robustness.overfitting.gap_bars
    return SignalChunk(variant, signal, sets, experiment.spec.settings, gap, calibration)


def calibration_of(experiment: ReadyExperiment, dataset: GridDataset) -> Calibration:
    """What follows from the first dataset of a variant.

    Raises
    ------
    ContractError
        ``EXPERIMENT_TOO_SHORT`` if that leaves no bin to trade in.
    """
    how = experiment.spec.settings
    return Calibration(dataset.content_digest, first_bin_of(how, dataset.bins))


def recorded_runs(store: ObjectStore, database: Database, experiment: ReadyExperiment) -> int:
    """Runs whose chunks are recorded, of the datasets that stand."""
    found: dict[str, int] = {}
    for variant in experiment.variants:
        calibration: Calibration | None = None
        for capture in experiment.captures:
            name = dataset_of(store, database, variant.config, capture)
            rows = database.artefacts(what=GRID_DATASET, scenario_key=name) if name else []
            if not rows:
                break
            digest = rows[0].content_digest
            calibration = calibration or Calibration(
                digest, first_bin_of(experiment.spec.settings, rows[0].rows)
            )
            for entry, sets in slices_of(experiment):
                chunk = chunk_of(experiment, variant, entry.signal, sets, calibration)
                found[chunk.recipe(rows[0].scenario_key or "", digest).digest] = chunk.runs
    return sum(found[recipe] for recipe in database.find(found))


def _run_variant(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    variant: Variant,
    run_id: str,
    gathered: _Gathered,
    progress: Progress,
) -> None:
    slices = [_Slice(entry, sets) for entry, sets in slices_of(experiment)]
    calibration: Calibration | None = None
    bars: list[int] = []
    first_candidate = _count(gathered.rows)
    for capture, made in datasets_of(store, database, runtime, experiment, variant, run_id):
        if made.dataset is None:
            gathered.refused.append(_refused(variant, capture, made))
            if calibration is None:
                break
            gathered.done += _runs(experiment, slices)
            continue
        calibration = calibration or calibration_of(experiment, made.dataset)
        bars.append(max(made.dataset.bins - calibration.first_bin, 0))
        data, at = SignalData(made.dataset), first_candidate
        for one in slices:
            chunk = chunk_of(experiment, variant, one.entry.signal, one.sets, calibration)
            found = make_chunk(store, database, runtime, chunk, data, one.levels, run_id)
            one.levels = one.levels or levels_of(chunk, found.table)
            one.board = one.board or _board(experiment, chunk, found.table, bars)
            one.board.add(len(bars) - 1, _with_metrics(experiment, found.table))
            record_runs(database, _index_rows(experiment, chunk, made.dataset, found))
            gathered.chunks.append(_chunk_row(chunk, capture, made.dataset, found, at))
            gathered.made += 0 if found.used_cache else chunk.runs
            gathered.done += chunk.runs
            at += found.table.num_rows
            progress(gathered.done, gathered.total)
    gathered.rows += [one.board.rows for one in slices if one.board is not None]


def _board(
    experiment: ReadyExperiment, chunk: SignalChunk, trials: pa.Table, bars: list[int]
) -> Board:
    sets = SignalSets(
        chunk.signal.name,
        document_digest(
            {
                "signal": [chunk.signal.name, str(chunk.signal.version)],
                "config": chunk.variant.digest,
            }
        ),
        trials["set_id"].to_pylist(),
        [_of_variant(text, chunk.variant.number) for text in trials["params"].to_pylist()],
    )
    datasets = len(experiment.captures)
    return Board(sets, experiment.spec.objective, bars, chunk.gap_bins, datasets)


def _of_variant(text: str, number: int) -> str:
    """Parameters of a candidate with the number of its configuration in this experiment."""
    return canonical_json({**json.loads(text), "variant": number}).decode()


def _with_metrics(experiment: ReadyExperiment, trials: pa.Table) -> pa.Table:
    """Trials with what a leaderboard asks of any candidate; few signals have no score."""
    how, objective = experiment.spec.settings, experiment.spec.objective
    signals = doubles_of(trials["n_signals"].cast(pa.float64()))
    enough = signals >= how.min_signals
    score = np.where(enough, doubles_of(trials[objective]), np.nan)
    returns = doubles_of(trials["total_pnl_ticks"]) / how.capital_ticks
    table = trials.append_column("trades", array_of(signals))
    table = table.append_column("total_return", array_of(returns))
    place = table.column_names.index(objective)
    return table.set_column(place, objective, pa.array(score))


def _index_rows(
    experiment: ReadyExperiment, chunk: SignalChunk, dataset: GridDataset, found: DerivedTable
) -> list[SignalRun]:
    """A row of the index for every run of a chunk."""
    how, rows = experiment.spec.settings, found.table.select([*_INDEXED, *OUTCOME]).to_pylist()
    first, made = 0, []
    while first < len(rows):
        last = first
        while last < len(rows) and rows[last]["run_id"] == rows[first]["run_id"]:
            last += 1
        row, best = rows[first], best_outcome(rows[first:last], how.min_signals)
        params = chunk.sets[len(made) // len(chunk.barriers)]
        made.append(
            SignalRun(
                run_id=row["run_id"],
                campaign_hash=experiment.spec.campaign_hash,
                campaign_key=experiment.key,
                experiment=experiment.spec.id,
                dataset_id=dataset.dataset_id,
                signal=chunk.signal.name,
                params=dict(params),
                tp_ticks=row["tp_ticks"],
                sl_ticks=row["sl_ticks"],
                max_hold_bins=how.max_hold_bins,
                warmup_bins=how.warmup_bins,
                cooldown_bins=row["cooldown_bins"],
                **({} if best is None else {name: best[name] for name in OUTCOME}),
                object_key=found.key,
                content_digest=found.content_digest,
                first_row=first,
                row_count=last - first,
                version=VERSION,
            )
        )
        first = last
    return made


_INDEXED = ("run_id", "tp_ticks", "sl_ticks", "cooldown_bins")


def _chunk_row(
    chunk: SignalChunk, capture: Capture, dataset: GridDataset, found: DerivedTable, first: int
) -> dict[str, object]:
    return {
        "scenario_key": dataset.dataset_id,
        "seed": capture.seed,
        "strategy_id": chunk.signal.name,
        "first_candidate": first,
        "trials": found.table.num_rows,
        "dataset_digest": dataset.content_digest,
        "recipe_digest": found.recipe,
        "content_digest": found.content_digest,
        "object_key": found.key,
    }


def _stored(
    store: ObjectStore,
    database: Database,
    experiment: ReadyExperiment,
    gathered: _Gathered,
    run_id: str,
) -> tuple[DerivedTable, DerivedTable]:
    """Store what was gathered under the digest of the chunks that it was gathered from."""
    content = [str(one["content_digest"]) for one in gathered.chunks]
    specs: Document = {"campaign": experiment.spec.campaign_hash, "chunks": [*content]}

    def store_as(what: str, schema: TableSchema, table: pa.Table) -> DerivedTable:
        digest = recipe_digest(what, version=VERSION, specs=specs)
        recipe = Recipe(what, digest, f"{experiment.folder}/{what}", VERSION, experiment.key)
        return made_table(store, database, recipe, schema, lambda: table, run_id)

    candidates = candidates_table(gathered.rows)
    index = {
        column.name: _column([one[column.name] for one in gathered.chunks], column.kind)
        for column in TRIAL_CHUNKS.columns
    }
    return (
        store_as(CANDIDATE_TABLE, CANDIDATES, candidates),
        store_as(CHUNK_TABLE, TRIAL_CHUNKS, from_arrays(TRIAL_CHUNKS, index)),
    )


def _column(values: Sequence[object], kind: str) -> pa.Array:
    if kind == "string":
        return strings_of([str(one) for one in values])
    return array_of(np.array(values, dtype=kind))


def _refused(variant: Variant, capture: Capture, made: MadeGrid) -> RefusedDataset:
    assert made.problem is not None
    if made.is_damaged:
        first = made.problem
        raise IntegrityError(first.code, first.message, first.loc, first.hints)
    where = capture.recorded or f"seed {capture.seed}"
    return RefusedDataset(f"{variant.pipeline.name}, {where}", made.problem)


def _runs(experiment: ReadyExperiment, slices: Sequence[_Slice]) -> int:
    return sum(len(one.sets) for one in slices) * len(experiment.rules)


def _count(rows: Sequence[CandidateRows]) -> int:
    return sum(one.sets.size for one in rows)


def _nothing_made(gathered: _Gathered) -> ContractError:
    problem = gathered.refused[0].problem
    return ContractError(problem.code, problem.message, problem.loc, problem.hints)
