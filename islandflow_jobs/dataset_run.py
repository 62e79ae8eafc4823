"""What ``islandflow dataset …`` does, as functions that return lines.

Arguments are read in ``cli_datasets``; pipelines and their datasets are
``islandflow_resources.pipelines``, many at once ``dataset_campaigns``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from contracts.document import Model, validate
from contracts.errors import ContractError, Problem
from contracts.experiment import SERVING, ServingSpec
from contracts.pipeline import DATASET_CAMPAIGN, PIPELINE, DatasetCampaign, PipelineSpec
from contracts.yaml_text import parse_text
from islandflow_jobs.documents import read_file
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.dataset_campaigns import CampaignDataset, ReadyDatasetCampaign
    from islandflow_resources.pipelines import ReadyPipeline

T = TypeVar("T", bound=Model)
Spec: TypeAlias = PipelineSpec | DatasetCampaign | ServingSpec


@dataclass(frozen=True, slots=True)
class Made:
    """Lines to print, and the problems of what could not be made."""

    lines: list[str]
    problems: list[Problem]


def load_spec(data: bytes) -> Spec:
    """A pipeline, a campaign of datasets or a serving, told apart by what only it has.

    Raises
    ------
    ContractError
        With every problem at once.
    """
    document = parse_text(data, "document")
    if "base" in document:
        return validate(DATASET_CAMPAIGN, document, "dataset_campaign")
    if "capture" not in document and {"signal", "scoring", "projection"} & document.keys():
        return validate(SERVING, document, "serving")
    if isinstance(document.get("pipeline"), str):
        return validate(SERVING, document, "serving")
    return validate(PIPELINE, document, "pipeline")


def check(resources: ResourceSet, specs: Sequence[Spec]) -> list[str]:
    """Check documents against the registry without making anything; what they ask for."""
    resources.engine_runtime.prepare()
    return [f"ok {_asked(resources, spec)}" for spec in specs]


def register(resources: ResourceSet, specs: Sequence[Spec]) -> list[str]:
    """Register pipelines, campaigns of datasets and servings; all are checked first."""
    resources.engine_runtime.prepare()
    from islandflow_jobs import registration
    from islandflow_jobs.instance import open_instance

    for spec in specs:
        _asked(resources, spec)
    store, database = resources.store, resources.database
    with open_instance(resources.settings) as instance:
        done = [
            registration.register_dataset_spec(store, database, instance, spec) for spec in specs
        ]
    return [f"{'registered' if one.new else 'unchanged'} {one.key}" for one in done]


def make(resources: ResourceSet, pipelines: Sequence[str], seed: int | None) -> Made:
    """Make the datasets of pipelines, or find them again: files, or names of registered ones.

    Parameters
    ----------
    seed : int, optional
        Of the tapes, instead of what the pipelines say.
    """
    resources.engine_runtime.prepare()
    ready = [_pipeline(resources, one, seed) for one in pipelines]
    made = Made([], [])
    for pipeline in ready:
        _make(resources, pipeline, made)
    return made


def campaign(resources: ResourceSet, name: str) -> Made:
    """Make what is missing of a campaign's datasets: a file, or the name of a registered one."""
    resources.engine_runtime.prepare()
    from islandflow_jobs.progress_bar import progress_bar
    from islandflow_resources.dataset_campaigns import make_dataset_campaign

    ready = _campaign(resources, name)
    store, database, runtime = resources.store, resources.database, resources.engine_runtime
    with progress_bar():
        made = make_dataset_campaign(store, database, runtime, ready, "cli")
    lines = [f"campaign {ready.key}: {_counted(made.datasets)}"]
    lines += [_row(one) for one in made.datasets if one.problem is None]
    if made.summary is not None:
        lines.append(f"summary {store.uri(made.summary.key)}, {made.summary.content_digest}")
    problems = [
        Problem(one.code, f"{pipeline}: {one.message}", one.loc, one.hints)
        for pipeline, one in made.problems
    ]
    return Made(lines, problems)


def list_datasets(resources: ResourceSet) -> list[str]:
    """Datasets that are recorded, one a line, tab-separated below a head."""
    rows = resources.database.artefacts(what="grid_dataset")
    if not rows:
        return ["no dataset is recorded: islandflow dataset make PIPELINE"]
    lines = ["dataset\tsymbol\tbins\tcell_width_ms\tradius_ticks\trules\tcontent_digest"]
    for row in rows:
        recipe: dict[str, Any] = row.recipe
        runtime = recipe["config"]["runtime_config"]
        cells = [row.scenario_key, runtime["symbol"], row.rows, runtime["cell_width_ms"]]
        cells += [runtime["grid_radius_ticks"], recipe["compat"], row.content_digest]
        lines.append("\t".join(str(cell) for cell in cells))
    return lines


def _asked(resources: ResourceSet, spec: Spec) -> str:
    """Name of what a document asks for, after all its checks."""
    from islandflow_resources.dataset_campaigns import ready_dataset_campaign
    from islandflow_resources.pipelines import dataset_of, ready_pipeline
    from islandflow_resources.servings import ready_serving

    store, database = resources.store, resources.database
    if isinstance(spec, DatasetCampaign):
        many = ready_dataset_campaign(store, database, spec)
        return f"{many.key}: {len(many.pipelines)} datasets"
    if isinstance(spec, ServingSpec):
        serving = ready_serving(store, database, spec)
        return f"{serving.key}: {serving.spec.signal.name} of {serving.pipeline.key}"
    one = ready_pipeline(store, database, spec)
    dataset_id = dataset_of(store, database, one.config, one.spec.capture)
    return f"{one.key}: {dataset_id or 'its tape is not made yet'}"


def _make(resources: ResourceSet, pipeline: ReadyPipeline, made: Made) -> None:
    from islandflow_resources.pipelines import make_dataset

    with tempfile.TemporaryDirectory(prefix="islandflow-dataset-") as folder:
        grid = make_dataset(
            resources.store,
            resources.database,
            resources.engine_runtime,
            pipeline.config,
            pipeline.spec.capture,
            Path(folder),
            "cli",
        )
    if grid.dataset is None:
        assert grid.problem is not None
        made.problems.append(grid.problem)
        return
    word = "found" if grid.used_cache else "made"
    made.lines.append(f"{word} {grid.dataset_id} of {pipeline.key} in {grid.seconds:.1f} s")
    made.lines.append(f"{grid.dataset.bins} bins, {grid.dataset.content_digest}")


def _pipeline(resources: ResourceSet, name: str, seed: int | None) -> ReadyPipeline:
    from islandflow_resources.pipelines import ready_pipeline, registered_pipeline

    database = resources.database
    spec = _read(name, PipelineSpec) if _is_file(name) else registered_pipeline(database, name)
    if seed is not None:
        spec = spec.model_copy(update={"capture": spec.capture.model_copy(update={"seed": seed})})
    return ready_pipeline(resources.store, database, spec)


def _campaign(resources: ResourceSet, name: str) -> ReadyDatasetCampaign:
    from islandflow_resources.dataset_campaigns import (
        ready_dataset_campaign,
        registered_dataset_campaign,
    )

    database = resources.database
    if not _is_file(name):
        return registered_dataset_campaign(database, name)
    return ready_dataset_campaign(resources.store, database, _read(name, DatasetCampaign))


def _is_file(name: str) -> bool:
    """Whether an argument is a path: a name has neither a dot nor a slash."""
    return "." in name or "/" in name or Path(name).is_file()


def _read(name: str, wanted: type[T]) -> T:
    spec = load_spec(read_file(Path(name)))
    if isinstance(spec, wanted):
        return spec
    said = f"{name} is no {wanted.__name__}, but a {type(spec).__name__}"
    hint = "make a pipeline with `dataset make`, a campaign with `dataset campaign`"
    raise ContractError("DOCUMENT_OF_ANOTHER_KIND", said, name, (hint,))


def _counted(datasets: Sequence[CampaignDataset]) -> str:
    standing = [one for one in datasets if one.problem is None]
    found = sum(one.used_cache for one in standing)
    return f"{len(standing)} of {len(datasets)} datasets stand, {found} stood before"


def _row(one: CampaignDataset) -> str:
    return "\t".join([one.pipeline, one.dataset_id, str(one.bins), one.content_digest])
