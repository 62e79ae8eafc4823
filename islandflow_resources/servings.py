"""Servings as they are tried and published: their pipeline looked up, their parts checked.

The document is ``contracts.experiment.ServingSpec``; its pipeline is ``pipelines``. What needs
the signals themselves is checked in ``experiments``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from contracts.document import validate
from contracts.errors import ContractError, NotFoundError
from contracts.experiment import SERVING as DOCUMENT
from contracts.experiment import ServingSpec
from contracts.grid import GridConfig
from islandflow_resources.database import Database
from islandflow_resources.instrument_lock import refuse_other_instrument
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import ReadyPipeline, ready_pipeline, registered_pipeline
from islandflow_resources.settings import load_settings
from islandflow_resources.spec_registry import (
    Entry,
    Kind,
    key_of,
    register_document,
    registered_document,
)

SERVING: Final = Kind("serving", "0.1", "write it out, or register it: islandflow dataset register")


@dataclass(frozen=True)
class ReadyServing:
    """A serving whose pipeline is written out and goes together with it.

    Attributes
    ----------
    spec : ServingSpec
        With the pipeline's document.
    pipeline : ReadyPipeline
    config : GridConfig
        Whole configuration of the dataset that it is served of.
    """

    spec: ServingSpec
    pipeline: ReadyPipeline
    config: GridConfig

    @property
    def key(self) -> str:
        """``{name}-{first 12 of the hash}``."""
        return key_of(self.spec.name, self.spec.serving_hash)


def ready_serving(
    store: ObjectStore, database: Database, spec: ServingSpec, base: GridConfig | None = None
) -> ReadyServing:
    """Write out the pipeline of a serving, and check them together.

    Parameters
    ----------
    base : GridConfig, optional
        Used where the pipeline brings none; by default the shipped one.

    Raises
    ------
    ContractError
        As ``pipelines.ready_pipeline``, below ``/pipeline``; ``SERVING_…`` where scoring,
        signal and projection do not go together with the pipeline.
    """
    pipeline = _pipeline(store, database, spec, base)
    assert pipeline.spec.config is not None
    config = spec.grid_config(pipeline.spec, pipeline.spec.config)
    refuse_other_instrument(load_settings(), config, f"the serving {spec.name}")
    whole = spec.model_copy(update={"pipeline": pipeline.spec})
    return ReadyServing(validate(DOCUMENT, whole.document(), "serving"), pipeline, config)


def register_serving(store: ObjectStore, database: Database, serving: ReadyServing) -> Entry:
    """Enter a serving with its pipeline written out."""
    spec = serving.spec
    return register_document(store, database, SERVING, spec.name, spec.document())


def registered_serving(database: Database, name: str) -> ServingSpec:
    """A registered serving by key, hash or name, with its pipeline written out.

    Raises
    ------
    NotFoundError
        ``SERVING_NOT_REGISTERED``.
    ContractError
        ``SERVING_AMBIGUOUS``.
    """
    return validate(DOCUMENT, registered_document(database, SERVING, name), "serving")


def _pipeline(
    store: ObjectStore, database: Database, spec: ServingSpec, base: GridConfig | None
) -> ReadyPipeline:
    """The pipeline of a serving; its problems lead into the serving's document."""
    try:
        named = spec.pipeline
        pipeline = registered_pipeline(database, named) if isinstance(named, str) else named
        return ready_pipeline(store, database, pipeline, base)
    except (ContractError, NotFoundError) as error:
        located = "" if isinstance(spec.pipeline, str) else error.loc
        others = tuple(replace(one, loc=f"/pipeline{one.loc}") for one in error.problems[1:])
        raise ContractError(
            error.code, error.message, f"/pipeline{located}", error.hints, others
        ) from None
