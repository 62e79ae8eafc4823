"""Which objects of a store are referenced: by what rows name, and by what is published.

`AREAS` is the authoritative list of what lies where and what keeps it; whatever is below no area
is not ours. An object is referenced if its area is kept as a whole, or a row of the registry names
it, or it belongs to a publication: a folder that holds its seal, the manifest that is written
last, or that a row names anything in. Seals are not opened: a damaged one still keeps its folder,
so that it can be repaired. What becomes of everything else is ``garbage``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select, union

from contracts import flow_manifest, tape_manifest
from contracts.digest import bare
from islandflow_resources.database import Database
from islandflow_resources.models import (
    AliasMove,
    Artefact,
    Campaign,
    RunResult,
    Scenario,
    ServingSpecRow,
    SignalRun,
)
from islandflow_resources.results import prefix_of

_LABELS: Final = "labels/"
_COLUMNS: Final[tuple[Any, ...]] = (
    Artefact.object_key,
    Artefact.manifest_key,
    SignalRun.object_key,
    ServingSpecRow.object_key,
    ServingSpecRow.gate_key,
    AliasMove.gate_key,
)
"""Columns that hold keys."""


@dataclass(frozen=True, slots=True)
class Area:
    """A known prefix of keys.

    Attributes
    ----------
    prefix : str
        Ends in a slash. Of several that fit a key, the longest counts.
    what : str
        What lies there, for people.
    seal : str
        Name of the object that is written last into a publication; empty where there are none.
    depth : int
        Parts of a key that name the folder of a publication.
    is_kept : bool
        Nothing of it is ever garbage: it was put in or decided by people, or no row names it.
    """

    prefix: str
    what: str
    seal: str = ""
    depth: int = 0
    is_kept: bool = False


AREAS: Final = (
    Area("backtests/", "results of backtests", "result.json", 2),
    Area("campaigns/", "what campaigns derived, and dossiers"),
    Area("checkpoints/", "order books to start from"),
    Area("compute-logs/", "what runs printed", is_kept=True),
    Area("control/", "the control log as documents"),
    Area("dataset_campaigns/", "campaigns of datasets"),
    Area("datasets/", "datasets of grids", "manifest.json", 2),
    Area("detections/", "what was detected in tapes", flow_manifest.MANIFEST, 2),
    Area("inbox/", "documents that wait", is_kept=True),
    Area("labels/", "the truth about tapes, kept with its tape", "manifest.json", 2),
    Area("labels/scenarios/", "the truth about scenarios, with its dataset", "manifest.json", 5),
    Area("market_tapes/", "specs of tapes"),
    Area("pipelines/", "pipelines of datasets"),
    Area("quarantine/", "what was damaged or refused", is_kept=True),
    Area("registered/", "documents that were taken in", is_kept=True),
    Area("registries/", "marks of the registries that name objects here", is_kept=True),
    Area("reports/", "verdicts over tapes and detections"),
    Area("scenarios/", "datasets of scenarios", "manifest.json", 5),
    Area("serving/", "published specs and their evidence", is_kept=True),
    Area("servings/", "documents of servings"),
    Area("sources/mbo/", "recorded files", "manifest.json", 3),
    Area("strategies/", "strategies and lists of what they mean", is_kept=True),
    Area("summaries/", "summaries and leaderboards, which only events name", is_kept=True),
    Area("tape_requests/", "requests for tapes"),
    Area("tapes/", "sessions of equities and options", tape_manifest.MANIFEST, 2),
    Area("tapes/mbo/", "market-by-order tapes", "manifest.json", 6),
    Area("trades/", "trades of signals"),
    Area("trials/", "trials of campaigns and experiments"),
    Area("validations/", "Monte Carlo and walk-forward"),
)
_LONGEST_FIRST: Final = sorted(AREAS, key=lambda area: -len(area.prefix))


@dataclass(frozen=True, slots=True)
class Marks:
    """What is referenced.

    Attributes
    ----------
    keys : frozenset of str
        Objects that rows name.
    publications : frozenset of str
        Folders, each ending in a slash, of which everything is kept.
    """

    keys: frozenset[str]
    publications: frozenset[str]

    def keep(self, key: str) -> bool:
        """Whether an object of a known area is referenced."""
        area = area_of(key)
        if area is None or area.is_kept or key in self.keys:
            return True
        return publication_of(key, area) in self.publications


def area_of(key: str) -> Area | None:
    """The area of a key; None if it is not ours."""
    return next((area for area in _LONGEST_FIRST if key.startswith(area.prefix)), None)


def publication_of(key: str, area: Area) -> str:
    """Folder of the publication that a key belongs to; empty if it can belong to none.

    Labels belong to the publication of what they are the truth about.
    """
    own = key
    if key.startswith(_LABELS):
        own = key.removeprefix(_LABELS)
        own = own if own.startswith("scenarios/") else f"tapes/{own}"
    parts = own.split("/")
    if not area.seal or len(parts) <= area.depth:
        return ""
    return "/".join(parts[: area.depth]) + "/"


def marks_of(named: Iterable[str], listed: Iterable[str]) -> Marks:
    """What is referenced, by the keys that rows name and those that lie in the store."""
    keys = frozenset(named)
    folders = {_publication(key) for key in keys}
    folders |= {
        _publication(key)
        for key in listed
        if (area := area_of(key)) and area.seal and key.endswith(f"/{area.seal}")
    }
    return Marks(keys, frozenset(folders - {""}))


def named_by_rows(database: Database) -> frozenset[str]:
    """Every key that a row of the registry names, or that follows from one."""
    return database.read("find what rows name", _named)


def _named(connection: Connection) -> frozenset[str]:
    found = connection.scalars(union(*(select(column.label("key")) for column in _COLUMNS)))
    keys = {key for key in found if key}
    campaigns = connection.scalars(select(Campaign.campaign_key))
    keys |= {f"campaigns/{key}/campaign.json" for key in campaigns}
    results = connection.scalars(select(RunResult.cache_key))
    keys |= {f"{prefix_of(key)}/result.json" for key in results}
    scenarios = connection.execute(select(Scenario.scenario_id, Scenario.scenario_hash))
    return frozenset(keys | {scenario_spec_key(name, digest) for name, digest in scenarios})


def scenario_spec_key(scenario_id: str, scenario_hash: str) -> str:
    """Key of a scenario's document, which a run makes some time after it was registered."""
    return f"scenarios/{scenario_id}/{bare(scenario_hash)}/spec.json"


def _publication(key: str) -> str:
    area = area_of(key)
    return "" if area is None else publication_of(key, area)
