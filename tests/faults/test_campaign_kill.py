"""``kill -9`` of a campaign at instants over its whole time, and ``campaign resume`` after it.

Two instants in the suite; ``make faults`` takes more and prints the table of docs/faults.md.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.faults.campaign_state import NAMES, CampaignState, check_served, chunk_rows, runs_of
from tests.faults.campaigns import ALIAS, INSTANTS, CampaignHome
from tests.faults.conftest import WholeCampaign
from tests.faults.report import Table
from tests.faults.test_kill import KILLED
from tests.journeys import children
from tests.journeys.forker import Forker

HEAD = ("kill", "after s", "during", "objects", "trials recorded", "computed then", "resume s")

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("journeys")]


def test_an_undisturbed_campaign_is_whole_and_served(whole_campaign: WholeCampaign):
    digests = whole_campaign.state.digests
    assert digests.keys() == NAMES | {f"served as {ALIAS}"}
    assert len(whole_campaign.state.trials) > 20


@pytest.mark.parametrize("instant", range(INSTANTS))
def test_a_killed_campaign_computes_only_what_is_not_recorded_and_ends_as_if_undisturbed(
    instant: int,
    campaign_home: CampaignHome,
    whole_campaign: WholeCampaign,
    forker: Forker,
    table: Table,
    tmp_path: Path,
):
    whole = whole_campaign.state
    # One instant in each of equal parts of the time, so that all of it is covered.
    share = (instant + random.Random(instant).random()) / INSTANTS
    home, at_s = _kill_a_run(share, campaign_home, whole_campaign, forker, tmp_path)
    killed, during = home.state, runs_of(home.environment).last_step
    chunks = chunk_rows(home.environment)
    _assert_nothing_partial(killed, whole)

    started_s = time.monotonic()
    _resume(home, forker, is_fresh=instant == 0)
    recovery_s = time.monotonic() - started_s
    runs = runs_of(home.environment)
    computed = runs.computed[-1]
    assert killed.recorded + computed == whole.recorded
    after = chunk_rows(home.environment)
    for recipe, row in chunks.items():
        assert (after[recipe].run_id, after[recipe].created_at) == (row.run_id, row.created_at)
    assert sum(row.rows for row in after.values() if row.run_id == runs.newest) == computed
    ended = home.state
    assert ended.digests == whole.digests
    assert ended == whole
    assert check_served(home.environment, ALIAS) == whole.digests[f"served as {ALIAS}"]
    _note(table, whole_campaign, recovery_s, at_s, during, killed, computed)


def _resume(home: CampaignHome, forker: Forker, *, is_fresh: bool) -> None:
    """Go on as a user does: once in a process of its own, then in forks of the warm one."""
    how = children.run if is_fresh else forker.run
    how(home.resume, home.environment).expect()


def _kill_a_run(
    share: float, untouched: CampaignHome, whole: WholeCampaign, forker: Forker, folder: Path
) -> tuple[CampaignHome, float]:
    """Kill a campaign after a share of its time; returns when that was."""
    objects, wait_s = whole.pace.at(share)
    for attempt in range(5):
        home = untouched.copied(folder / f"{attempt}" / "home", forker)
        started_s = time.monotonic()
        child = forker.start(home.run, home.environment)
        while home.objects < objects:
            assert time.monotonic() - started_s < children.TIMEOUT_S, child.output[-4000:]
            time.sleep(0.002)
        time.sleep(wait_s)
        child.kill()
        at_s = time.monotonic() - started_s
        if forker.wait(child).code == KILLED:
            return home, at_s
        wait_s /= 2
    raise AssertionError("five runs in a row ended before they were killed")


def _assert_nothing_partial(killed: CampaignState, whole: CampaignState) -> None:
    """Whatever is visible is what a whole run makes, and all of a promotion is there or nothing."""
    assert killed.state.objects.items() <= whole.state.objects.items()
    for ours, all_of_them in ((killed.state.rows, whole.state.rows), (killed.rows, whole.rows)):
        assert set(ours) <= set(all_of_them)
        assert len(ours) == len(set(ours))
    assert killed.digests.items() <= whole.digests.items()
    assert killed.trials.items() <= whole.trials.items()
    promoted = ("alias", "audit", "serving_specs")
    counts = [sum(row.startswith(name) for row in killed.rows) for name in promoted]
    assert counts in ([0, 0, 0], [2, 1, 1])


def _note(
    table: Table,
    whole: WholeCampaign,
    recovery_s: float,
    at_s: float,
    during: str,
    killed: CampaignState,
    computed: int,
) -> None:
    state = whole.state
    table.notes.append(
        f"An undisturbed campaign: {whole.pace.run_s:.1f} s, {state.recorded} trials in "
        f"{len(state.trials)} chunks, {len(state.state.objects)} objects."
    )
    step = f"`{during}`" if during else "before the first step"
    told = f"{killed.recorded} of {state.recorded}"
    objects = len(killed.state.objects)
    cells = (len(table.lines) + 1, f"{at_s:.2f}", step, objects, told, computed)
    table.add(recovery_s, *cells)
