"""How far a campaign is, as lines that a person reads.

All of it follows from what is recorded; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.document import validate
from contracts.errors import NotFoundError
from contracts.serving import DOSSIER, Dossier
from engine.signals.registry import SIGNALS
from islandflow_resources.campaign_reports import indexed, newest
from islandflow_resources.campaign_tables import CANDIDATE_TABLE
from islandflow_resources.campaign_trials import listed_chunks
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import read_document
from islandflow_resources.dossiers import DOSSIER_DOCUMENT, VERSION
from islandflow_resources.experiment_trials import recorded_runs
from islandflow_resources.experiments import ReadyExperiment
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.registry import Registry

_SHOWN = 5
_RULE = ("threshold", "tp_ticks", "sl_ticks", "cooldown_bins")


def changed_params(signal: str, params: Mapping[str, float]) -> dict[str, float]:
    """Parameters of a signal that differ from its defaults; all of a signal that is gone."""
    known = SIGNALS.get(signal)
    defaults = {one.name: one.default for one in known.parameters} if known else {}
    return {name: params[name] for name in sorted(params) if params[name] != defaults.get(name)}


def newest_dossier(store: ObjectStore, database: Database, campaign: AnyCampaign) -> Dossier | None:
    """The newest dossier of a campaign, verified; None if it has none."""
    try:
        row = newest(database, campaign, DOSSIER_DOCUMENT, VERSION)
    except NotFoundError:
        return None
    return validate(DOSSIER, read_document(store, row.object_key, row.content_digest), "dossier")


def status_of(store: ObjectStore, database: Database, campaign: AnyCampaign) -> str:
    """One line: trials that are recorded, and what the gate said."""
    dossier = newest_dossier(store, database, campaign)
    verdict = "no dossier yet" if dossier is None else _verdict(dossier)
    return f"{campaign.key}: {_trials(store, database, campaign)}, {verdict}"


def status_lines(store: ObjectStore, database: Database, campaign: AnyCampaign) -> list[str]:
    """All that is known: trials, the best candidates, the gate's sentences, aliases."""
    lines = [f"campaign {campaign.key}: {_trials(store, database, campaign)}"]
    for row in indexed(database, campaign, _SHOWN):
        score = "undefined" if row.score is None else f"{row.score:.6g}"
        told = shown_params(campaign, row.strategy_id, row.params)
        params = ", ".join(f"{name} {value:g}" for name, value in told.items())
        lines.append(f"rank {row.rank}: {row.strategy_id} ({params}), {row.objective} {score}")
    dossier = newest_dossier(store, database, campaign)
    if dossier is None:
        return [*lines, f"no dossier yet: islandflow campaign resume {campaign.key}"]
    judged = [
        f"  {'met    ' if one.passed else 'not met'} {one.name}: {one.sentence}"
        for one in dossier.criteria
    ]
    return [*lines, _verdict(dossier), *judged, *_served(database, campaign)]


def shown_params(
    campaign: AnyCampaign, owner: str, params: Mapping[str, float]
) -> dict[str, float]:
    """What of a candidate's parameters a reader needs, in the order of reading."""
    if not isinstance(campaign, ReadyExperiment):
        return dict(sorted(params.items()))
    rule = {name: params[f"eval.{name}"] for name in _RULE}
    own = {
        name.removeprefix("signal."): value
        for name, value in params.items()
        if name.startswith("signal.")
    }
    which = {"variant": params["variant"]} if len(campaign.variants) > 1 else {}
    return {**rule, **changed_params(owner, own), **which}


def _trials(store: ObjectStore, database: Database, campaign: AnyCampaign) -> str:
    try:
        newest(database, campaign, CANDIDATE_TABLE)
    except NotFoundError:
        done = _recorded(store, database, campaign)
        return f"{done:,} of {campaign.trials:,} trials recorded"
    return f"all {campaign.trials:,} trials recorded"


def _recorded(store: ObjectStore, database: Database, campaign: AnyCampaign) -> int:
    """Trials of the searches that are known beforehand whose chunks are recorded."""
    if isinstance(campaign, ReadyExperiment):
        return recorded_runs(store, database, campaign)
    chunks = list(listed_chunks(campaign))
    datasets = database.find({chunk.dataset.recipe for chunk in chunks})
    recipes = {
        chunk.recipe(datasets[chunk.dataset.recipe].content_digest).digest: chunk.sets.size
        for chunk in chunks
        if chunk.dataset.recipe in datasets
    }
    return sum(recipes[recipe] for recipe in database.find(recipes))


def _verdict(dossier: Dossier) -> str:
    failed = [one.name for one in dossier.criteria if not one.passed]
    return "the gate passed" if dossier.passed else f"the gate refused: {', '.join(failed)}"


def _served(database: Database, campaign: AnyCampaign) -> list[str]:
    registry = Registry(database)
    own = {
        row.serving_id
        for row in registry.specs()
        if row.campaign_hash == campaign.spec.campaign_hash
    }
    if not own:
        return ["nothing of it is published"]
    served = [row for row in registry.aliases() if row.serving_id in own]
    lines = [f"published {one}" for one in sorted(own)]
    return [*lines, *(f"served as {row.alias}, revision {row.revision}" for row in served)]
