"""The campaign that is disturbed, homes that know it, and how an undisturbed run of it goes on.

What a run leaves is ``campaign_state``; the commands are those of ``tests.journeys.children``.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.faults.campaign_state import CampaignState, campaign_state_of
from tests.journeys import children, homes
from tests.journeys.forker import Forker
from tests.journeys.homes import Home
from tests.journeys.state import store_of

INSTANTS = int(os.environ.get("FAULT_INSTANTS", "2"))
"""Kills of a campaign; the long form takes 30."""
ALIAS = "best"
BARS = 20_000
SEEDS = 5
# Small enough that chunks are recorded eight by eight, not all at once.
MEMORY = {"ISLANDFLOW_MEMORY_MB": "64"}
_OPEN_GATE: dict[str, Any] = {
    "min_trades": 1,
    "min_out_of_sample": None,
    "min_deflated_sharpe": None,
    "max_overfitting": None,
    "max_ruin": None,
    # Asked for, so that the dossier tells of it, and met however busy the machine is.
    "max_latency_ms": 60_000.0,
}
_ROBUSTNESS: dict[str, Any] = {
    "best": 12,
    "monte_carlo": {"paths": 2_000},
    "walk_forward": {"folds": 4},
    "overfitting": {"blocks": 8, "probes": 3},
}


def document(bars: int = BARS, seeds: int = SEEDS, listed: int = 6) -> dict[str, Any]:
    """Two markets, a strategy on a grid of ``listed ** 2`` sets, and one searched by Optuna.

    The second search is told what the first half of it gave: it must ask for the same again.
    """
    crossing = _strategy(
        "ma_crossover",
        fast={"default": 5, "min": 5, "max": 5 * listed, "step": 5},
        slow={"default": 60, "min": 60, "max": 40 + 20 * listed, "step": 20},
    )
    learning = {"method": "optuna", "trials": 12, "batch": 6, "seed": 1}
    return {
        "id": "disturbed",
        "version": "0.1",
        "scenarios": [
            json.loads(children.scenario(name).read_text("utf-8")) | {"duration_bars": bars}
            for name in ("trend_up_mid", "vol_cluster_low")
        ],
        "seeds": f"1-{seeds}",
        "strategies": [
            {"strategy": crossing},
            {"strategy": _strategy("rsi_reversion"), "search": learning},
        ],
        "robustness": _ROBUSTNESS,
        "gate": _OPEN_GATE,
        "promotion": {"alias": ALIAS},
    }


def _strategy(name: str, **params: Any) -> dict[str, Any]:
    path = children.FIXTURES / "strategies" / f"strategy_{name}.json"
    text = json.loads(path.read_text("utf-8"))
    return {**text, "params": text["params"] | params}


@dataclass(frozen=True, slots=True)
class CampaignHome:
    """A home in which a campaign is registered.

    Attributes
    ----------
    home : Home
    key : str
        Partition key of the campaign.
    """

    home: Home
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which commands see it."""
        return self.home.environment

    @property
    def run(self) -> list[str]:
        """Command line of the whole campaign."""
        return children.islandflow("campaign", "run", self.home.folder / "campaign.json")

    @property
    def run_unpromoted(self) -> list[str]:
        """Command line of the campaign without the promotion of its winner."""
        return [*self.run, "--no-promote"]

    @property
    def resume(self) -> list[str]:
        """Command line that goes on with it."""
        return children.islandflow("campaign", "resume", self.key)

    @property
    def promote(self) -> list[str]:
        """Command line that promotes its winner by hand."""
        return children.islandflow("serving", "promote", self.key, "--reason", "it won")

    @property
    def promotion_job(self) -> list[str]:
        """Command line of the run that the sensor of promotions asks for."""
        [research, *_] = children.research(Path(), "", "")
        tags = json.dumps({"dagster/partition": self.key})
        command = [research, "job", "execute", "-m", "islandflow_jobs.definitions"]
        return [*command, "-j", "promotion", "--tags", tags]

    @property
    def state(self) -> CampaignState:
        """What it holds now."""
        return campaign_state_of(self.environment)

    @property
    def objects(self) -> int:
        """How many are visible now."""
        return len(store_of(self.environment).keys())

    def copied(self, folder: Path, forker: Forker) -> CampaignHome:
        """The same home elsewhere."""
        home = self.home.copied(folder, forker)
        return CampaignHome(replace(home, environment=home.environment | MEMORY), self.key)


def registered(forker: Forker, folder: Path, campaign: dict[str, Any]) -> CampaignHome:
    """A fresh embedded home in which a campaign is registered, and nothing was run."""
    environment = children.embedded(homes.fresh(folder)) | MEMORY
    file = folder / "campaign.json"
    file.write_text(json.dumps(campaign), "utf-8")
    command = children.islandflow("campaign", "register", file)
    [key] = children.registered(forker.run(command, environment).expect())
    lines = forker.run(children.islandflow("env"), environment).expect()
    return CampaignHome(Home(folder, {**environment, **children.exported(lines)}, (), 0), key)


@dataclass(frozen=True, slots=True)
class Pace:
    """How an undisturbed run goes on: how many objects it has stored when.

    Attributes
    ----------
    run_s : float
        Seconds from the start of the command to its end.
    seen : list of tuple of float and int
        Seconds since the start and visible objects, whenever they became more.
    """

    run_s: float
    seen: list[tuple[float, int]]

    def at(self, share: float) -> tuple[int, float]:
        """Objects to wait for, and seconds from then on, for a share of the run's time.

        Progress is counted in objects first because a busy machine makes any clock miss.
        """
        at_s = share * self.run_s
        since_s, objects = max(one for one in self.seen if one[0] <= at_s)
        return objects, at_s - since_s


def paced(campaign: CampaignHome, forker: Forker) -> Pace:
    """Run a campaign to its end and write down how it went on."""
    seen = [(0.0, campaign.objects)]
    started_s = time.monotonic()
    child = forker.start(campaign.run, campaign.environment)
    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(forker.wait, child)
        while not ended.done():
            objects = campaign.objects
            if objects > seen[-1][1]:
                seen.append((time.monotonic() - started_s, objects))
            time.sleep(0.005)
    ended.result().expect()
    return Pace(time.monotonic() - started_s, seen)
