"""What a campaign has left, in a form in which two homes can be compared.

Objects and artefacts are those of ``tests.journeys.state``; here come the rows of campaigns and of
what is served, and what Dagster knows of the runs. Nothing here makes or changes anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import select

from islandflow_assets import keys
from islandflow_resources import store_marks
from islandflow_resources.database import Database
from islandflow_resources.models import (
    Alias,
    AliasMove,
    Artefact,
    AuditEntry,
    Base,
    Campaign,
    CampaignCandidate,
    ServingSpecRow,
)
from islandflow_resources.published import read_evidence, read_published
from islandflow_resources.registry import Registry
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.settings import PREFIX
from islandflow_resources.trials import WHAT
from tests.journeys.state import State, state_of

NAMES = frozenset(
    {
        "campaign_candidates",
        "campaign_chunks",
        "campaign_leaderboard",
        "campaign_monte_carlo",
        "campaign_walk_forward",
        "overfit_report",
        "promotion_dossier",
    }
)
"""What a campaign derives from its trials, each once."""
_TABLES = (Campaign, CampaignCandidate, ServingSpecRow, Alias, AliasMove, AuditEntry)
_TOLD_BY_THE_RUN = frozenset(
    {"at", "created_at", "git_commit", "promoted_at", "registered_at", "updated_at"}
)
_RUN = re.compile(r'"run [0-9a-f-]{36}"')


@dataclass(frozen=True, slots=True)
class CampaignState:
    """Everything that must not depend on what was interrupted when.

    Attributes
    ----------
    state : State
    rows : list of str
        Every row of campaigns, served specs, aliases, history and audit, as sorted JSON.
    digests : dict of str to str
        Content digest of all that `NAMES` lists; of what is served, the id.
    trials : dict of str to int
        Trials of every recorded chunk by its recipe.
    """

    state: State
    rows: list[str]
    digests: dict[str, str]
    trials: dict[str, int]

    @property
    def recorded(self) -> int:
        """Trials that are recorded."""
        return sum(self.trials.values())


def campaign_state_of(environment: Mapping[str, str]) -> CampaignState:
    """State of the only campaign in what the variables point to."""
    resources = _resources(environment)
    database = resources.database
    artefacts = database.artefacts()
    digests = {row.what: row.content_digest for row in artefacts if row.what in NAMES}
    assert len(digests) == sum(row.what in NAMES for row in artefacts), "something is there twice"
    served = {f"served as {row.alias}": row.serving_id for row in Registry(database).aliases()}
    rows = sorted(text for table in _TABLES for text in _texts(database, table))
    trials = {row.recipe_digest: row.rows for row in artefacts if row.what == WHAT}
    database.dispose()
    return CampaignState(state_of(environment), rows, digests | served, trials)


def chunk_rows(environment: Mapping[str, str]) -> dict[str, Artefact]:
    """Rows of all recorded chunks by their recipe, with the run that made them."""
    database = _resources(environment).database
    rows = {row.recipe_digest: row for row in database.artefacts(what=WHAT)}
    database.dispose()
    return rows


def check_served(environment: Mapping[str, str], alias: str, events: int = 1) -> str:
    """One move, a line of the audit log for each event, a spec that is whole; its serving id."""
    resources = _resources(environment)
    registry = Registry(resources.database)
    [move] = registry.history(alias)
    [now] = [row for row in registry.aliases() if row.alias == alias]
    assert (now.serving_id, now.revision) == (move.to_serving_id, 1)
    told = [row for row in resources.database.audit("promotion") if row.subject == alias]
    assert len(told) == events
    [moved] = [row for row in told if row.detail["moved"]]
    assert moved.detail["event_id"] == move.event_id
    assert {row.detail["to"] for row in told} == {move.to_serving_id}
    assert (moved.detail["reason"], moved.actor) == (move.reason, move.actor)
    spec = read_published(resources.store, resources.keyring, move.to_serving_id)
    assert read_evidence(resources.store, spec).num_rows == spec.source.datasets
    resources.database.dispose()
    return move.to_serving_id


@dataclass(frozen=True, slots=True)
class Runs:
    """What Dagster knows of the runs in a home, oldest first.

    Attributes
    ----------
    computed : list of int
        Trials that were computed, by each run that has made `campaign_trials` whole.
    last_step : str
        Step that was started last; empty if none was.
    newest : str
        Id of the newest run that has made `campaign_trials` whole; empty if none has.
    """

    computed: list[int]
    last_step: str
    newest: str


def runs_of(environment: Mapping[str, str]) -> Runs:
    """Look at Dagster's own storage of a home."""
    with dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]) as instance:
        wanted = dg.AssetRecordsFilter(dg.AssetKey(keys.CAMPAIGN_TRIALS))
        records = instance.fetch_materializations(wanted, limit=10, ascending=True).records
        events = [record.asset_materialization for record in records]
        computed = [int(str(event.metadata["computed"].value)) for event in events if event]
        newest = records[-1].run_id if records else ""
        return Runs(computed, _last_step(instance), newest)


def _last_step(instance: dg.DagsterInstance) -> str:
    started = [
        (entry.timestamp, entry.step_key or "")
        for run in instance.get_runs()
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
    ]
    return max(started, default=(0.0, ""))[1]


def _texts(database: Database, table: type[Base]) -> list[str]:

    columns = {column.key for column in table.__table__.columns} - _TOLD_BY_THE_RUN
    return [
        f"{table.__tablename__} {_text({name: getattr(row, name) for name in columns})}"
        for row in database.select("look at a table", select(table))
        if getattr(row, "action", "") != store_marks.ACTION  # who the registry is
    ]


def _text(told: dict[str, object]) -> str:
    """Sorted JSON, in which whoever promoted as a run is just a run."""
    return _RUN.sub('"run"', json.dumps(told, sort_keys=True))


def _resources(environment: Mapping[str, str]) -> ResourceSet:
    own = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
    return ResourceSet.from_environment(own)
