"""What is disturbed by wires, full disks and clocks, without Dagster: small, in this process.

Each takes a `ResourceSet`, does the whole of its work with the code that the graph runs, and may be
called again after it has failed. What it leaves is compared by ``campaign_state``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import engine.jit  # noqa: F401 - settles where this session's kernels lie, before any home could
from contracts.campaign import campaign_from
from contracts.scenario import scenario_from
from islandflow_resources import campaigns
from islandflow_resources.campaign_trials import run_trials
from islandflow_resources.campaigns import ReadyCampaign
from islandflow_resources.dossiers import Judged
from islandflow_resources.executors import InProcess
from islandflow_resources.judgement import judged_now
from islandflow_resources.market_tapes import MarketRef, make_market_tape
from islandflow_resources.materialise import dataset_ref, make_datasets
from islandflow_resources.promotion import Decision, promote
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.settings import PREFIX
from islandflow_resources.tape_requests import TapeRequest, resolved
from tests.faults.campaigns import document

RUN = "a disturbed run"
SEEDS = 2
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Operation:
    """A piece of work by its name."""

    name: str
    run: Callable[[ResourceSet, Path], None]


def opened(environment: Mapping[str, str]) -> ResourceSet:
    """Resources of an environment, fresh."""
    own = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
    return ResourceSet.from_environment(own)


def ready_campaign(resources: ResourceSet) -> ReadyCampaign:
    """The campaign, registered."""
    database = resources.database
    given = campaigns.ready(campaign_from(document(bars=1_000, seeds=1, listed=2)), database)
    campaigns.register(given, resources.store, database)
    found = campaigns.registered(database, given.key)
    assert isinstance(found, ReadyCampaign)
    return found


def campaign(resources: ResourceSet, _folder: Path) -> None:
    """A campaign from its registration to its dossier."""
    _judged(resources, ready_campaign(resources))


def promotion(resources: ResourceSet, _folder: Path) -> None:
    """The campaign, and the promotion of its winner."""
    ready = ready_campaign(resources)
    judged = _judged(resources, ready)
    assert ready.spec.promotion is not None
    decision = Decision(ready.spec.promotion.alias, "a test", "the gate was passed")
    place = (resources.store, resources.database, resources.engine_runtime)
    promote(*place, resources.keyring, ready, judged.dossier, judged.stored, decision)


def publication(resources: ResourceSet, _folder: Path) -> None:
    """Datasets of two markets, published."""
    seeds = range(1, SEEDS + 1)
    texts = document(bars=1_000)["scenarios"]
    refs = [dataset_ref(scenario_from(text), seed) for text in texts for seed in seeds]
    place = (resources.store, resources.database, resources.engine_runtime)
    assert all(one.dataset is not None for one in make_datasets(*place, refs, RUN))


def tape(resources: ResourceSet, folder: Path) -> None:
    """A tape of the synthetic market: three symbols, ten minutes."""
    from tests.islandflow_resources.small_markets import SEED, profile

    work = folder / f"work-{next(_NUMBERS)}"
    ref = MarketRef(resolved(TapeRequest(profile()), None), SEED)
    stores = (resources.store, resources.labels_store, resources.database)
    made = make_market_tape(*stores, resources.engine_runtime, ref, work, RUN)
    assert made.tape is not None, made.problem


def _judged(resources: ResourceSet, ready: ReadyCampaign) -> Judged:
    store, database, runtime = resources.store, resources.database, resources.engine_runtime
    executor = InProcess(store, database, runtime)
    run_trials(store, database, runtime, ready, executor, RUN, lambda _done, _of: None)
    return judged_now(store, database, runtime, ready, RUN)


CAMPAIGN = Operation("campaign", campaign)
PROMOTION = Operation("campaign and promotion", promotion)
PUBLICATION = Operation("datasets", publication)
TAPE = Operation("tape", tape)
