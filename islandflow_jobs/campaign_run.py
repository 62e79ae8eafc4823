"""Campaigns from the command line: check, run, resume, status, comparison.

A run is the job ``campaign`` in this process, or in several under Dagster's multiprocess executor,
and the job ``promotion`` behind it; what they do is the graph's. Aliases are ``serving_run``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from contracts.campaign import CampaignSpec
from contracts.errors import ContractError
from contracts.experiment import ExperimentSpec
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    import dagster as dg

    from islandflow_resources.campaigns import AnyCampaign

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster would tell of a failure in pages; what it comes to is told by `Ran.lines`."""
_SHOWN = 10
AnySpec: TypeAlias = CampaignSpec | ExperimentSpec


@dataclass(frozen=True, slots=True)
class Ran:
    """What there is to say of a run, and whether it went through."""

    lines: list[str]
    succeeded: bool


def check(resources: ResourceSet, spec: AnySpec) -> list[str]:
    """Check a campaign against the registry and the engine; what it would run.

    Raises
    ------
    ContractError
        With every problem at once.
    """
    resources.engine_runtime.prepare()
    from islandflow_resources.campaigns import ready_any

    return [_size(ready_any(spec, resources.store, resources.database))]


def register(resources: ResourceSet, spec: AnySpec) -> list[str]:
    """Register a campaign without running it; a sensor, a schedule or a person may."""
    campaign, new = _registered(resources, spec)
    return [f"{'registered' if new else 'unchanged'} {campaign.key}", _size(campaign)]


def run(resources: ResourceSet, spec: AnySpec, *, promote: bool = True) -> Ran:
    """Register a campaign, run it, and promote its winner if the gate lets it pass."""
    campaign, _ = _registered(resources, spec)
    return _run(resources, campaign, promote=promote)


def resume(resources: ResourceSet, name: str, *, promote: bool = True) -> Ran:
    """Run a registered campaign again: what is recorded is found, the rest made.

    Raises
    ------
    NotFoundError
        ``CAMPAIGN_NOT_REGISTERED``.
    """
    resources.engine_runtime.prepare()
    from islandflow_resources.campaigns import registered

    campaign, _ = _registered(resources, registered(resources.database, name).spec)
    return _run(resources, campaign, promote=promote)


def status(resources: ResourceSet, name: str | None) -> list[str]:
    """How far campaigns are: one line each, or all that is known of one."""
    resources.engine_runtime.prepare()
    from islandflow_resources.campaign_index import CampaignIndex
    from islandflow_resources.campaign_status import status_lines, status_of
    from islandflow_resources.campaigns import registered

    if name is not None:
        return status_lines(
            resources.store, resources.database, registered(resources.database, name)
        )
    rows = CampaignIndex(resources.database).campaigns()
    if not rows:
        return ["no campaign is registered: islandflow campaign run FILE"]
    return [
        status_of(
            resources.store, resources.database, registered(resources.database, row.campaign_key)
        )
        for row in rows
    ]


def compare(resources: ResourceSet, names: list[str], top: int = _SHOWN) -> list[str]:
    """The best candidates of some campaigns side by side, tab-separated below their names."""
    resources.engine_runtime.prepare()
    from islandflow_resources.campaign_reports import indexed
    from islandflow_resources.campaign_status import shown_params
    from islandflow_resources.campaigns import registered

    campaigns = {one.key: one for one in (registered(resources.database, name) for name in names)}
    rows: list[tuple[str, Any]] = []
    for key, campaign in campaigns.items():
        own = indexed(resources.database, campaign, top)
        if not own:
            raise ContractError(
                "CAMPAIGN_INCOMPLETE",
                f"the campaign {key} has no leaderboard yet",
                key,
                (f"run: islandflow campaign resume {key}",),
            )
        rows += [(key, row) for row in own]
    rows.sort(key=lambda pair: -(pair[1].score if pair[1].score is not None else float("-inf")))
    objectives = {row.objective for _, row in rows}
    if len(objectives) > 1:
        said = f"the campaigns maximise different objectives: {', '.join(sorted(objectives))}"
        hint = "compare campaigns of one objective"
        raise ContractError("CAMPAIGNS_INCOMPARABLE", said, " ".join(names), (hint,))
    head = ["campaign", "rank", "strategy", "params", "score", "trades", "worst_max_drawdown"]
    lines = ["\t".join(head)]
    for key, row in rows[:top]:
        metrics = row.metrics
        score = "-" if row.score is None else f"{row.score:.6g}"
        worst = metrics.get("worst_max_drawdown")
        told = "-" if worst is None else f"{worst:.4g}"
        shown = shown_params(campaigns[key], row.strategy_id, row.params)
        params = json.dumps(shown, sort_keys=True)
        cells = [key, str(row.rank), row.strategy_id, params, score, str(metrics["trades"]), told]
        lines.append("\t".join(cells))
    return lines


def campaign_job() -> dg.JobDefinition:
    """The job ``campaign``, for a process that has to load it by name."""
    from islandflow_jobs.definitions import defs

    return defs.resolve_job_def("campaign")


def _registered(resources: ResourceSet, spec: AnySpec) -> tuple[AnyCampaign, bool]:
    resources.engine_runtime.prepare()
    from islandflow_jobs.instance import open_instance
    from islandflow_jobs.registration import register_campaign

    with open_instance(resources.settings) as instance:
        return register_campaign(resources.store, resources.database, instance, spec)


def _run(resources: ResourceSet, campaign: AnyCampaign, *, promote: bool) -> Ran:
    from islandflow_jobs.instance import open_instance
    from islandflow_jobs.progress_bar import progress_bar
    from islandflow_jobs.run_failures import reasons
    from islandflow_resources.campaign_status import status_lines

    with open_instance(resources.settings) as instance:
        with progress_bar():
            run_id, success = _execute(resources, instance, campaign)
        if success and promote and _is_due(resources, campaign):
            run_id, success = _promote(instance, campaign)
        if not success:
            hint = f"then run: islandflow campaign resume {campaign.key}"
            told = f"run {run_id} failed: mend what is said above, {hint}"
            return Ran([*reasons(instance, run_id), told], succeeded=False)
        computed = _computed(instance, campaign)
    status = status_lines(resources.store, resources.database, campaign)
    return Ran([computed, *status], succeeded=True)


def _execute(
    resources: ResourceSet, instance: dg.DagsterInstance, campaign: AnyCampaign
) -> tuple[str, bool]:
    """Run the job ``campaign``: its run, and whether it went through."""
    import dagster as dg

    from islandflow_jobs.definitions import defs

    if resources.settings.executor != "multiprocess":
        done = defs.resolve_job_def("campaign").execute_in_process(
            instance=instance, partition_key=campaign.key, run_config=_QUIET, raise_on_error=False
        )
        return done.run_id, done.success
    tags = {"dagster/partition": campaign.key}
    job = dg.reconstructable(campaign_job)
    with dg.execute_job(job, instance, run_config=_QUIET, tags=tags) as result:
        return result.run_id, result.success


def _computed(instance: dg.DagsterInstance, campaign: AnyCampaign) -> str:
    """How many trials the newest run made, and how many it found."""
    import dagster as dg

    from islandflow_assets import keys

    wanted = dg.AssetRecordsFilter(
        dg.AssetKey(keys.CAMPAIGN_TRIALS), asset_partitions=[campaign.key]
    )
    [newest] = instance.fetch_materializations(wanted, limit=1).records
    assert newest.asset_materialization is not None
    metadata = newest.asset_materialization.metadata
    computed, trials = (int(str(metadata[name].value)) for name in ("computed", "trials"))
    return f"computed {computed:,} of {trials:,} trials, found the others recorded"


def _is_due(resources: ResourceSet, campaign: AnyCampaign) -> bool:
    """Whether there is a winner that the gate lets pass, and an alias for it."""
    from islandflow_resources.campaign_status import newest_dossier

    if campaign.spec.promotion is None or resources.settings.promotion == "dry_run":
        return False
    dossier = newest_dossier(resources.store, resources.database, campaign)
    return dossier is not None and dossier.passed


def _promote(instance: dg.DagsterInstance, campaign: AnyCampaign) -> tuple[str, bool]:
    from islandflow_jobs.definitions import defs

    done = defs.resolve_job_def("promotion").execute_in_process(
        instance=instance, partition_key=campaign.key, run_config=_QUIET, raise_on_error=False
    )
    return done.run_id, done.success


def _size(campaign: AnyCampaign) -> str:
    cells = len(campaign.cells)
    return (
        f"{campaign.sets:,} parameter sets x {cells:,} datasets = {campaign.trials:,} trials: "
        f"{campaign.key}"
    )
