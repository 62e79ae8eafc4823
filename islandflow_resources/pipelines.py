"""Pipelines as they are run: references looked up, everything checked, their datasets made.

The document is ``contracts.pipeline``. A dataset needs its events first: a tape is made where
it is missing (``mbo_tapes``), a recorded file must be registered (``mbo_sources``); the grid
itself is ``grid_datasets``. Many pipelines at once are ``dataset_campaigns``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from contracts.errors import ContractError, NotFoundError
from contracts.grid import GridConfig
from contracts.mbo import MboSpec, mbo_spec_from
from contracts.pipeline import Capture, PipelineSpec, pipeline_from
from islandflow_resources import mbo_tapes
from islandflow_resources.book_checkpoints import find_checkpoint
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.grid_build import GridOrder, dataset_id_of
from islandflow_resources.grid_configs import shipped_config
from islandflow_resources.grid_datasets import MadeGrid, make_grid
from islandflow_resources.instrument_lock import refuse_other_instrument
from islandflow_resources.mbo_sources import MboSource, registered_source
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.settings import load_settings
from islandflow_resources.spec_registry import (
    Entry,
    Kind,
    key_of,
    register_document,
    registered_document,
)
from islandflow_resources.stored_files import StoredFile

T = TypeVar("T")
PIPELINE: Final = Kind(
    "pipeline", "0.1", "write it out, or register it: islandflow dataset register FILE"
)


@dataclass(frozen=True)
class ReadyPipeline:
    """A pipeline whose references are written out and which has passed every check.

    Attributes
    ----------
    spec : PipelineSpec
        With the tape's document and the base configuration.
    config : GridConfig
        Whole configuration of its dataset.
    """

    spec: PipelineSpec
    config: GridConfig

    @property
    def key(self) -> str:
        """``{name}-{first 12 of the hash}``: its partition."""
        return key_of(self.spec.name, self.spec.pipeline_hash)


@dataclass(frozen=True, slots=True)
class CapturedEvents:
    """The file of events of a capture.

    Attributes
    ----------
    what : {"tape", "recorded"}
    key : str
        Partition key of the tape, or key of the recorded file.
    seed : int, optional
        Of a tape.
    file : StoredFile
    content_digest : str
    """

    what: Literal["tape", "recorded"]
    key: str
    seed: int | None
    file: StoredFile
    content_digest: str


def ready_pipeline(
    store: ObjectStore, database: Database, spec: PipelineSpec, base: GridConfig | None = None
) -> ReadyPipeline:
    """Write out what a pipeline refers to, and check all that can be checked without events.

    Parameters
    ----------
    base : GridConfig, optional
        Used where the document brings none; by default the shipped one.

    Raises
    ------
    ContractError
        ``TAPE_NOT_REGISTERED``, ``TAPE_AMBIGUOUS``, ``SOURCE_NOT_REGISTERED``;
        ``INSTRUMENT_LOCKED`` or ``PIPELINE_INSTRUMENT`` if it is of another instrument than
        the environment or its events; ``SESSION_EMPTY`` if no event can lie in its session;
        ``PIPELINE_…`` where its overrides do not go together.
    """
    base = spec.config or base or shipped_config()
    config = spec.grid_config(base)
    refuse_other_instrument(load_settings(), config, f"the pipeline {spec.name}")
    capture = written_out(store, database, spec.capture)
    _refuse_other_events(store, database, config, capture)
    whole = spec.model_copy(update={"capture": capture, "config": base})
    # Read again, as it will be registered: what is hashed is what the document says.
    return ReadyPipeline(pipeline_from(whole.document()), config)


def register_pipeline(store: ObjectStore, database: Database, pipeline: ReadyPipeline) -> Entry:
    """Enter a pipeline with its references written out."""
    spec = pipeline.spec
    return register_document(store, database, PIPELINE, spec.name, spec.document())


def registered_pipeline(database: Database, name: str) -> PipelineSpec:
    """A registered pipeline by key, hash or name, with its references written out.

    Raises
    ------
    NotFoundError
        ``PIPELINE_NOT_REGISTERED``.
    ContractError
        ``PIPELINE_AMBIGUOUS``.
    """
    return pipeline_from(registered_document(database, PIPELINE, name))


def written_out(store: ObjectStore, database: Database, capture: Capture) -> Capture:
    """The capture with the document of its tape, whose own seed does not count.

    Raises
    ------
    ContractError
        As `ready_pipeline`, for its references.
    """
    if capture.recorded is not None:
        key = capture.recorded
        _found("/capture/recorded", lambda: registered_source(store, database, key))
        return capture
    tape = capture.tape
    if isinstance(tape, str):
        name = tape
        spec = _found("/capture/tape", lambda: mbo_tapes.named_spec(database, name))
    else:
        assert tape is not None
        spec = mbo_spec_from({**tape.recipe, "scenario": {**tape.scenario.market, "seed": "0"}})
    return capture.model_copy(update={"tape": spec})


def order_of(config: GridConfig, capture: Capture) -> GridOrder:
    """What is to be built, its events apart."""
    start_ns, end_ns = capture.start_ns, capture.end_ns
    return GridOrder(Path(), config, emit_from_ns=start_ns, emit_until_ns=end_ns)


def make_dataset(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    config: GridConfig,
    capture: Capture,
    workspace: Path,
    run_id: str,
) -> MadeGrid:
    """The dataset of a configuration and a capture: found and verified, or made.

    What cannot be made comes back with its problem, and is published nowhere; if that is the
    tape, the dataset has no name yet.

    Parameters
    ----------
    config : GridConfig
        The whole configuration, as of `ReadyPipeline` or ``ServingSpec.grid_config``.
    workspace : Path
        Local, for what is fetched and written on the way.

    Raises
    ------
    ContractError
        ``INSTRUMENT_LOCKED``, or whatever is wrong with the capture, see `written_out`.
    """
    start = time.perf_counter()
    refuse_other_instrument(load_settings(), config, "the configuration of the dataset")
    capture = written_out(store, database, capture)
    tape, order = capture.tape, order_of(config, capture)
    if isinstance(tape, MboSpec):
        ref = mbo_tapes.tape_ref(tape, capture.seed)
        made = mbo_tapes.make_tape(store, database, runtime, ref, workspace / "tape", run_id)
        if made.tape is None:
            seconds = time.perf_counter() - start
            return MadeGrid("", "", None, False, seconds, made.problem, made.is_damaged)
        file = made.tape.events
    else:
        file = _source(store, database, capture).events
        if order.emit_from_ns is not None:
            warm = find_checkpoint(store, database, order, file, workspace)
            order = replace(order, from_checkpoint=warm.path if warm else None)
    grid = make_grid(store, database, runtime, order, file, workspace, run_id)
    return replace(grid, seconds=time.perf_counter() - start)


def find_events(store: ObjectStore, database: Database, capture: Capture) -> CapturedEvents | None:
    """The events of a capture, their manifest verified; None if the tape is not made yet.

    Raises
    ------
    ContractError
        See `written_out`.
    IntegrityError
        If the manifest is not what was recorded.
    """
    capture = written_out(store, database, capture)
    if not isinstance(capture.tape, MboSpec):
        source = _source(store, database, capture)
        digest = source.events.digest
        return CapturedEvents("recorded", source.key, None, source.events, digest)
    ref = mbo_tapes.tape_ref(capture.tape, capture.seed)
    tape = mbo_tapes.find_tape(store, database, ref)
    if tape is None:
        return None
    key = ref.spec.partition_key
    return CapturedEvents("tape", key, ref.seed, tape.events, tape.content_digest)


def dataset_of(
    store: ObjectStore, database: Database, config: GridConfig, capture: Capture
) -> str | None:
    """Name of the dataset, whether it stands or not; None if its tape is not made yet."""
    events = find_events(store, database, capture)
    return None if events is None else dataset_id_of(order_of(config, capture), events.file.digest)


def _source(store: ObjectStore, database: Database, capture: Capture) -> MboSource:
    assert capture.recorded is not None
    return registered_source(store, database, capture.recorded)


def _found(loc: str, find: Callable[[], T]) -> T:
    """What a reference names; an unknown one is a problem of the document."""
    try:
        return find()
    except (NotFoundError, ContractError) as error:
        raise ContractError(error.code, error.message, loc, error.hints) from None


def _refuse_other_events(
    store: ObjectStore, database: Database, config: GridConfig, capture: Capture
) -> None:
    """Refuse events of another instrument, or of another time than the session."""
    symbol = config.runtime_config.symbol
    if isinstance(capture.tape, MboSpec):
        tape = capture.tape
        theirs, first_ns, last_ns = tape.symbol, tape.start_ns, tape.end_ns - 1
    else:
        source = _source(store, database, capture)
        theirs, first_ns = source.symbol or symbol, source.first_ns
        last_ns = int(str(source.manifest["last_ns"]))
    if theirs != symbol:
        raise ContractError(
            "PIPELINE_INSTRUMENT",
            f"the events are of {theirs}, the configuration is of {symbol}",
            "/capture",
            ("give a configuration of that instrument, or other events",),
        )
    start_ns, end_ns = capture.start_ns, capture.end_ns
    if start_ns is None or end_ns is None:
        return
    if end_ns <= first_ns or start_ns > last_ns:
        raise ContractError(
            "SESSION_EMPTY",
            f"the session from {start_ns} to {end_ns} holds no event: they are "
            f"from {first_ns} to {last_ns}, in nanoseconds since 1970",
            "/capture/dt",
            ("leave dt, start_time and end_time out for all events",),
        )
