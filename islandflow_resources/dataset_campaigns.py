"""Campaigns of datasets: expanded, checked whole, what is missing made, and summed up.

The document is ``contracts.pipeline.DatasetCampaign``, one dataset ``pipelines``. Every dataset
is published on its own and found again by what determines it, so that a campaign which was
killed goes on where it was; its summary is made once all of them stand.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from contracts.canonical import Document, Json
from contracts.digest import document_digest, recipe_digest
from contracts.document import validate
from contracts.errors import ContractError, Problem
from contracts.grid import GridConfig
from contracts.pipeline import DATASET_CAMPAIGN as DOCUMENT
from contracts.pipeline import DatasetCampaign, PipelineSpec
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedDocument, Recipe, made_document
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.grid_build import ENGINE
from islandflow_resources.grid_datasets import GridDataset, MadeGrid
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pipelines import ReadyPipeline, make_dataset, ready_pipeline
from islandflow_resources.progress import Progress
from islandflow_resources.spec_registry import (
    Entry,
    Kind,
    key_of,
    register_document,
    registered_document,
)

DATASET_CAMPAIGN: Final = Kind(
    "dataset_campaign", "0.1", "register it: islandflow dataset register FILE"
)
SUMMARY: Final = "dataset_campaign_summary"
_MAX_LISTED: Final = 100
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadyDatasetCampaign:
    """A campaign whose base is written out and whose pipelines have all been checked.

    Attributes
    ----------
    spec : DatasetCampaign
    """

    spec: DatasetCampaign

    @property
    def key(self) -> str:
        """``{id}-{first 12 of the hash}``: its partition."""
        return key_of(self.spec.id, self.spec.campaign_hash)

    @cached_property
    def pipelines(self) -> list[ReadyPipeline]:
        """The pipelines in their order."""
        return [_expanded(one) for one in self.spec.pipelines()]


@dataclass(frozen=True, slots=True)
class CampaignDataset:
    """One pipeline of a campaign, and what became of its dataset.

    ``dataset_id``, ``content_digest`` and ``bins`` are empty or 0 where there is a problem.
    """

    pipeline: str
    overrides: Document
    dataset_id: str
    content_digest: str
    bins: int
    used_cache: bool
    seconds: float
    problem: Problem | None = None
    is_damaged: bool = False

    @property
    def document(self) -> Document:
        """What the summary says of it: nothing that differs from run to run."""
        return {
            "pipeline": self.pipeline,
            "overrides": self.overrides,
            "dataset_id": self.dataset_id,
            "content_digest": self.content_digest,
            "bins": self.bins,
        }


@dataclass(frozen=True, slots=True)
class MadeCampaign:
    """What became of a campaign; its summary is stored once every dataset stands."""

    datasets: list[CampaignDataset]
    summary: DerivedDocument | None

    @property
    def problems(self) -> list[tuple[str, Problem]]:
        """What went wrong, by pipeline."""
        return [(one.pipeline, one.problem) for one in self.datasets if one.problem is not None]


def ready_dataset_campaign(
    store: ObjectStore, database: Database, spec: DatasetCampaign, base: GridConfig | None = None
) -> ReadyDatasetCampaign:
    """Write out the base of a campaign, and check every pipeline before the first dataset.

    Raises
    ------
    ContractError
        Problems of the base below ``/base``, those of combinations at ``/axes``: at most 100.
    """
    try:
        ready = ready_pipeline(store, database, spec.base, base)
    except ContractError as error:
        raise _located("/base", error.problems) from None
    whole = spec.model_copy(update={"base": ready.spec})
    campaign = ReadyDatasetCampaign(validate(DOCUMENT, whole.document(), "dataset_campaign"))
    found: list[Problem] = []
    for one in campaign.spec.pipelines():
        try:
            _expanded(one)
        except ContractError as error:
            told = one.pipeline.document()
            found += [_of_combination(problem, told) for problem in error.problems]
        if len(found) >= _MAX_LISTED:
            break
    if found:
        raise _located("", found[:_MAX_LISTED])
    return campaign


def register_dataset_campaign(
    store: ObjectStore, database: Database, campaign: ReadyDatasetCampaign
) -> Entry:
    """Enter a campaign with its references written out."""
    spec = campaign.spec
    return register_document(store, database, DATASET_CAMPAIGN, spec.id, spec.document())


def registered_dataset_campaign(database: Database, name: str) -> ReadyDatasetCampaign:
    """A registered campaign by key, hash or id.

    Raises
    ------
    NotFoundError
        ``DATASET_CAMPAIGN_NOT_REGISTERED``.
    ContractError
        ``DATASET_CAMPAIGN_AMBIGUOUS``.
    """
    document = registered_document(database, DATASET_CAMPAIGN, name)
    return ReadyDatasetCampaign(validate(DOCUMENT, document, "dataset_campaign"))


def make_dataset_campaign(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: ReadyDatasetCampaign,
    run_id: str,
    say: Callable[[str], None] = _LOGGER.info,
) -> MadeCampaign:
    """Make the datasets of a campaign that are missing, verify the others, and sum up.

    A dataset that cannot be made keeps no other from being made.

    Parameters
    ----------
    say : callable
        Takes lines about the progress.
    """
    progress = Progress("datasets", say)
    pipelines = campaign.pipelines
    datasets: list[CampaignDataset] = []
    progress(0, len(pipelines))
    for pipeline in pipelines:
        datasets.append(_dataset(store, database, runtime, pipeline, run_id))
        progress(len(datasets), len(pipelines))
    if any(one.problem for one in datasets):
        return MadeCampaign(datasets, None)
    return MadeCampaign(datasets, _summary(store, database, campaign, datasets, run_id))


def _dataset(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    pipeline: ReadyPipeline,
    run_id: str,
) -> CampaignDataset:
    spec = pipeline.spec
    with tempfile.TemporaryDirectory(prefix="islandflow-dataset-") as folder:
        made = make_dataset(
            store, database, runtime, pipeline.config, spec.capture, Path(folder), run_id
        )
    return _told(spec, made, made.dataset)


def _told(spec: PipelineSpec, made: MadeGrid, dataset: GridDataset | None) -> CampaignDataset:
    return CampaignDataset(
        spec.name,
        spec.pipeline.document(),
        made.dataset_id if dataset else "",
        dataset.content_digest if dataset else "",
        dataset.bins if dataset else 0,
        made.used_cache,
        made.seconds,
        made.problem,
        made.is_damaged,
    )


def _summary(
    store: ObjectStore,
    database: Database,
    campaign: ReadyDatasetCampaign,
    datasets: Sequence[CampaignDataset],
    run_id: str,
) -> DerivedDocument:
    """Which pipeline has which dataset, stored by its recipe."""
    rows: list[Json] = [one.document for one in datasets]
    inputs = {"datasets": document_digest({"rows": rows})}
    specs: dict[str, Json] = {"campaign": campaign.spec.document()}
    recipe = Recipe(
        what=SUMMARY,
        digest=recipe_digest(SUMMARY, version=ENGINE, specs=specs, inputs=inputs),
        folder=f"dataset_campaigns/{campaign.spec.id}",
        version=ENGINE,
        scenario_key=campaign.key,
    )
    document: Document = {
        "campaign_id": campaign.spec.id,
        "campaign_hash": campaign.spec.campaign_hash,
        "engine": ENGINE,
        "datasets": rows,
    }
    return made_document(store, database, recipe, lambda: document, run_id)


def _expanded(spec: PipelineSpec) -> ReadyPipeline:
    """A pipeline of a campaign: its base is written out already."""
    assert spec.config is not None
    return ReadyPipeline(spec, spec.grid_config(spec.config))


def _of_combination(problem: Problem, overrides: Document) -> Problem:
    told = ", ".join(f"{name} {value}" for name, value in sorted(overrides.items()))
    return Problem(problem.code, f"{problem.message} (with {told})", "/axes", problem.hints)


def _located(loc: str, problems: Sequence[Problem]) -> ContractError:
    located = [Problem(one.code, one.message, f"{loc}{one.loc}", one.hints) for one in problems]
    first = located[0]
    return ContractError(first.code, first.message, first.loc, first.hints, tuple(located[1:]))
