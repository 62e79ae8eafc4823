"""Published specs of book signals: made of a winner, and run again to give the same numbers.

A spec carries the whole configuration of its grid, one rule, and the stream that it serves.
Storing is ``drafts``, deciding ``promotion``; serving ``islandflow_jobs.serve``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from contracts.columns import TRIAL_CHUNKS
from contracts.digest import bare, document_digest
from contracts.errors import ContractError, IntegrityError
from contracts.serving import (
    Dossier,
    Evidence,
    PublishedSignal,
    ServedSignal,
    SignalSource,
    StreamSource,
)
from contracts.signal_columns import SIGNAL_EVIDENCE, SIGNAL_TRIALS
from engine.digest import engine_digest
from engine.signals.api import VERSION as SIGNALS_VERSION
from engine.signals.evaluate import Rule
from engine.signals.measure import COUNTS
from engine.signals.registry import signal as signal_of
from islandflow_resources.campaign_reports import newest
from islandflow_resources.campaign_tables import CHUNK_TABLE
from islandflow_resources.database import Database
from islandflow_resources.derived import read_table
from islandflow_resources.drafts import Draft
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiment_stages import Chosen, chosen_of, stages_of
from islandflow_resources.experiments import ReadyExperiment, first_bin_of
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import find_events
from islandflow_resources.signal_data import SignalData, signal_values
from islandflow_resources.signal_trials import evaluator_of
from islandflow_resources.tables import content_digest, read_verified


def draft_signal(
    store: ObjectStore,
    database: Database,
    experiment: ReadyExperiment,
    dossier: Dossier,
    dossier_digest: str,
) -> Draft:
    """The spec of an experiment's winner, not stored yet.

    Raises
    ------
    ContractError
        ``PROMOTION_NO_WINNER``; ``PROMOTION_V1`` for results of ``compat: v1``.
    """
    winner, how = dossier.winner, experiment.spec.settings
    if winner is None:
        said = f"the experiment {experiment.key} has no winner: {dossier.criteria[0].sentence}"
        raise ContractError("PROMOTION_NO_WINNER", said, experiment.key)
    if how.compat == "v1":
        said = f"the experiment {experiment.key} repeats the results of v1"
        hint = 'evaluate with "compat": "v2"'
        raise ContractError("PROMOTION_V1", said, experiment.key, (hint,))
    row = {"params": winner.params, "strategy_id": winner.strategy_id, "set_id": winner.set_id}
    chosen = chosen_of(experiment, row)
    first_bin, evidence = _evidence(store, database, experiment, chosen, winner.candidate)
    digest = content_digest(evidence, SIGNAL_EVIDENCE)
    promotion, rule = experiment.spec.promotion, chosen.rule
    spec = PublishedSignal(
        kind="signal",
        version="0.1",
        name=experiment.spec.id,
        description=promotion.description if promotion else "",
        runtime_snapshot=chosen.variant.config,
        stream=_stream(store, database, experiment, evidence),
        signal=ServedSignal(
            name=chosen.signal,
            version=signal_of(chosen.signal).version,
            params=chosen.params,
            threshold=rule.threshold,
        ),
        settings=how.model_copy(
            update={
                "tp_ticks": (rule.tp_ticks,),
                "sl_ticks": (rule.sl_ticks,),
                "cooldown_bins": (rule.cooldown_bins,),
                "thresholds": (rule.threshold,),
                # What was left out for calibration is written as bins: it depends on no dataset.
                "warmup_bins": first_bin,
                "calibration_share": 0.0,
            }
        ),
        evidence=Evidence(
            object_key=f"serving/evidence/{bare(digest)}.parquet",
            content_digest=digest,
            rows=evidence.num_rows,
        ),
        source=SignalSource(
            campaign_id=experiment.spec.id,
            campaign_key=experiment.key,
            campaign_hash=experiment.spec.campaign_hash,
            set_id=winner.set_id,
            run_id=evidence["run_id"][0].as_py(),
            datasets=evidence.num_rows,
            datasets_digest=document_digest([*evidence["dataset_digest"].to_pylist()]),
            serving_hash=chosen.variant.serving.serving_hash,
            pipeline_hash=chosen.variant.pipeline.pipeline_hash,
            dossier_digest=dossier_digest,
            engine_digest=engine_digest(),
            signals_version=SIGNALS_VERSION,
        ),
    )
    return Draft(spec, evidence)


def signal_difference(
    runtime: EngineRuntime, spec: PublishedSignal, data: SignalData, expected: dict[str, Any]
) -> str | None:
    """Run a spec on one dataset of its evidence and compare to the bit; what differs first."""
    if data.config.identity() != spec.runtime_snapshot.identity():
        return "the dataset was made with another configuration"
    told, signal = spec.settings, signal_of(spec.signal.name)
    if signal.version != spec.signal.version:
        return f"the signal is of version {signal.version}, published is {spec.signal.version}"
    params = signal.bound(dict(spec.signal.params))
    values = signal_values(data, runtime, signal, [params])[0]
    evaluator = evaluator_of(data, told, told.warmup_bins)
    rule = Rule(spec.signal.threshold, told.tp_ticks[0], told.sl_ticks[0], told.cooldown_bins[0])
    found = evaluator.run(values, [rule], signal.mode)
    counts = {name: int(found.counts[0, place]) for place, name in enumerate(COUNTS)}
    numbers: dict[str, Any] = {**counts, **{name: c[0] for name, c in found.columns.items()}}
    for name in _COMPARED:
        ours, theirs = numbers[name], expected[name]
        if _bits(ours) != _bits(theirs):
            return f"{name} is {ours!r}, published is {theirs!r}"
    return None


def prove_signal(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    experiment: ReadyExperiment,
    made: Draft,
) -> Iterator[tuple[str, str]]:
    """Run the spec again on every dataset of its evidence: dataset and what differs there."""
    assert isinstance(made.spec, PublishedSignal)
    expected = {row["dataset_id"]: row for row in made.evidence.to_pylist()}
    config = made.spec.runtime_snapshot.identity()
    variant = next(one for one in experiment.variants if one.config.identity() == config)
    for stage in stages_of(store, database, runtime, experiment, variant, ""):
        dataset = stage.data.dataset
        row = expected.pop(dataset.dataset_id, None)
        if row is None:
            continue
        difference = signal_difference(runtime, made.spec, stage.data, row)
        if dataset.content_digest != row["dataset_digest"]:
            theirs = row["dataset_digest"]
            difference = f"the tables are {dataset.content_digest}, published is {theirs}"
        if difference is not None:
            yield dataset.dataset_id, difference
    yield from ((name, "the dataset does not verify") for name in expected)


_COMPARED = tuple(
    name
    for name in SIGNAL_TRIALS.names[
        SIGNAL_TRIALS.names.index("n_signals") : SIGNAL_TRIALS.names.index("return_power_1")
    ]
)


def _stream(
    store: ObjectStore, database: Database, experiment: ReadyExperiment, evidence: pa.Table
) -> StreamSource:
    """The events of the first dataset of the evidence."""
    capture = experiment.captures[0]
    events = find_events(store, database, capture)
    assert events is not None
    return StreamSource(
        what=events.what,
        key=events.key,
        seed=events.seed,
        events_digest=events.file.digest,
        start_ns=capture.start_ns,
        end_ns=capture.end_ns,
        dataset_id=evidence["dataset_id"][0].as_py(),
    )


def _evidence(
    store: ObjectStore,
    database: Database,
    experiment: ReadyExperiment,
    chosen: Chosen,
    candidate: int,
) -> tuple[int, pa.Table]:
    """First bin that was traded, and the rows of one candidate, a dataset each."""
    index = read_table(store, newest(database, experiment, CHUNK_TABLE), TRIAL_CHUNKS).to_pylist()
    rows: list[pa.Table] = []
    for chunk in index:
        place = candidate - chunk["first_candidate"]
        if not 0 <= place < chunk["trials"]:
            continue
        table = read_verified(store, chunk["object_key"], SIGNAL_TRIALS, chunk["content_digest"])
        if table["set_id"][place].as_py() != chosen.set_id:
            raise _outdated(experiment, candidate)
        row = table.slice(place, 1).select(SIGNAL_EVIDENCE.names[2:])
        for column, name in enumerate(("dataset_id", "dataset_digest")):
            told = chunk["scenario_key"] if name == "dataset_id" else chunk[name]
            row = row.add_column(
                column, pa.field(name, pa.string(), nullable=False), pa.array([told])
            )
        rows.append(row.replace_schema_metadata(None))
    if not rows:
        raise _outdated(experiment, candidate)
    return _first_bin(store, database, experiment, chosen, rows[0]), pa.concat_tables(
        rows
    ).combine_chunks()


def _first_bin(
    store: ObjectStore,
    database: Database,
    experiment: ReadyExperiment,
    chosen: Chosen,
    row: pa.Table,
) -> int:
    """First bin that is traded, which follows from the bins of the first dataset."""
    dataset_id = row["dataset_id"][0].as_py()
    known = database.artefacts(what="grid_dataset", scenario_key=dataset_id)
    return first_bin_of(experiment.spec.settings, known[0].rows)


def _outdated(experiment: ReadyExperiment, candidate: int) -> IntegrityError:
    return IntegrityError(
        "DOSSIER_OUTDATED",
        f"candidate {candidate} of {experiment.key} is not what its dossier judged: "
        "the trials were gathered again since",
        experiment.key,
        (f"judge it again: islandflow experiment resume {experiment.key}",),
    )


def _bits(value: Any) -> str:
    if value is None or math.isnan(value):
        return "null"
    return float(value).hex()
