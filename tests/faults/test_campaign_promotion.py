"""Promotions of a finished campaign that die or race: the winner is served once, and whole.

Crashes between the statements of the registry's transaction alone are in
tests/islandflow_resources/test_registry_races.py; here the whole of ``promotion.promote`` dies, and
the commands around it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from islandflow_resources.registry import Registry
from islandflow_resources.resource_set import ResourceSet
from tests.faults.campaign_state import check_served
from tests.faults.campaign_worker import Worker
from tests.faults.campaigns import ALIAS, INSTANTS, CampaignHome
from tests.faults.report import Table
from tests.faults.test_kill import KILLED
from tests.journeys.forker import Forker

HEAD = ("kill", "of", "after s", "moved by then", "promotion after it s")
BY_HAND, JOB = "promote", "promotion_job"
SHOWN = {BY_HAND: "`serving promote`", JOB: "job `promotion`"}
DIED = -9

Copy = Callable[[], CampaignHome]

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("journeys")]


@pytest.fixture
def copy(finished_campaign: CampaignHome, forker: Forker, tmp_path: Path) -> Copy:
    """Makes copies of the home with the finished campaign."""
    folders = (tmp_path / f"{number}" / "home" for number in range(1_000))
    return lambda: finished_campaign.copied(next(folders), forker)


@pytest.fixture(scope="session")
def promotion_s(
    finished_campaign: CampaignHome, forker: Forker, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, float]:
    """Seconds that each way to promote takes when nobody disturbs it."""
    taken: dict[str, float] = {}
    for way in (BY_HAND, JOB):
        home = finished_campaign.copied(tmp_path_factory.mktemp(way) / "home", forker)
        started_s = time.monotonic()
        forker.run(getattr(home, way), home.environment).expect()
        taken[way] = time.monotonic() - started_s
        check_served(home.environment, ALIAS)
    return taken


@pytest.mark.parametrize("way", [BY_HAND, JOB])
@pytest.mark.parametrize("instant", range(max(1, INSTANTS // 3)))
def test_a_killed_promotion_that_is_repeated_moves_the_alias_once(
    instant: int, way: str, copy: Copy, promotion_s: dict[str, float], forker: Forker, table: Table
):
    parts = max(1, INSTANTS // 3)
    share = (instant + random.Random(instant).random()) / parts
    home, at_s = _killed(way, share * promotion_s[way], copy, forker)
    moves = _moves(home)
    assert len(moves) <= 1
    if moves:
        check_served(home.environment, ALIAS)
    started_s = time.monotonic()
    forker.run(getattr(home, way), home.environment).expect()
    recovery_s = time.monotonic() - started_s
    # By hand, asking again is another decision, which finds the alias where it is wanted.
    again = way == BY_HAND and bool(moves)
    check_served(home.environment, ALIAS, events=1 + again)
    number, told = len(table.lines) + 1, "yes" if moves else "no"
    table.add(recovery_s, number, SHOWN[way], f"{at_s:.2f}", told)


@pytest.mark.parametrize("way", [BY_HAND, JOB])
def test_of_two_promoters_at_once_one_moves_the_alias(way: str, copy: Copy, forker: Forker):
    home = copy()
    racers = [forker.start(getattr(home, way), home.environment) for _ in range(2)]
    for done in [forker.wait(racer) for racer in racers]:
        done.expect()
    events = len(_audit(home))
    assert events == 1 or (way == BY_HAND and events == 2)
    check_served(home.environment, ALIAS, events)


def test_a_promotion_that_dies_after_any_of_its_acts_is_completed_by_a_repetition(
    copy: Copy, worker: Worker
):
    home = copy()
    acts = worker.promote(home.environment, home.key)["acts"]
    serving_id = check_served(home.environment, ALIAS)
    assert sum(act.startswith("after serving/") for act in acts) == 3
    moved = acts.index("before the commit", _place(acts, "INSERT INTO alias_history"))
    for number in _chosen(len(acts)):
        home = copy()
        died = worker.promote(home.environment, home.key, die_at=number)
        assert died["code"] == DIED
        assert len(_moves(home)) == (number > moved + 1), acts[number - 1]
        assert worker.promote(home.environment, home.key)["code"] == 0
        assert check_served(home.environment, ALIAS) == serving_id


def _killed(way: str, wait_s: float, copy: Copy, forker: Forker) -> tuple[CampaignHome, float]:
    for _ in range(5):
        home = copy()
        started_s = time.monotonic()
        child = forker.start(getattr(home, way), home.environment)
        time.sleep(wait_s)
        child.kill()
        at_s = time.monotonic() - started_s
        if forker.wait(child).code == KILLED:
            return home, at_s
        wait_s /= 2
    raise AssertionError("five promotions in a row ended before they were killed")


def _chosen(acts: int) -> range:
    """Every act in the long form, every sixth and the last in the suite."""
    return range(acts, 0, -1 if INSTANTS > 3 else -6)


def _place(acts: list[str], beginning: str) -> int:
    return next(place for place, act in enumerate(acts) if act.startswith(beginning))


def _moves(home: CampaignHome) -> list[object]:
    database = ResourceSet.from_environment(_own(home)).database
    moves = Registry(database).history(ALIAS)
    database.dispose()
    return [*moves]


def _audit(home: CampaignHome) -> list[object]:
    database = ResourceSet.from_environment(_own(home)).database
    told = database.audit("promotion")
    database.dispose()
    return [*told]


def _own(home: CampaignHome) -> dict[str, str]:
    return {name: text for name, text in home.environment.items() if name.startswith("ISLANDFLOW_")}
