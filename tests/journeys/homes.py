"""Homes with scenarios and a strategy registered, and the runs that start in them.

A home is a folder and the variables under which commands see it; in the services profile the
servers hold the data. The commands themselves are in ``children``.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.journeys import children, kernels
from tests.journeys.forker import Forker


@dataclass(frozen=True, slots=True)
class Home:
    """A registered home.

    Attributes
    ----------
    folder : Path
        Holds ``home`` and the run's configuration.
    environment : dict of str to str
        As a shell has it after ``eval "$(islandflow env)"``.
    scenario_keys : tuple of str
        In the order of registration.
    seeds : int
        1 … seeds are registered, and no others.
    """

    folder: Path
    environment: dict[str, str]
    scenario_keys: tuple[str, ...]
    seeds: int

    @property
    def partitions(self) -> list[str]:
        """Every cell as ``scenario|seed``."""
        seeds = range(1, self.seeds + 1)
        return [f"{key}|{seed}" for key in self.scenario_keys for seed in seeds]

    @property
    def research(self) -> list[str]:
        """Command line of the job over every cell, in one run."""
        return children.research(_config(self.folder), self.partitions[0], self.partitions[-1])

    def research_one(self, partition: str) -> list[str]:
        """Command line of the job over one cell."""
        return children.research_one(_config(self.folder), partition)

    def copied(self, folder: Path, forker: Forker) -> Home:
        """The same home elsewhere; embedded, since servers are not copied."""
        shutil.copytree(self.folder, folder, symlinks=True)
        environment = _evaluated(forker, children.embedded(folder / "home"))
        return Home(folder, environment, self.scenario_keys, self.seeds)


def registered(
    forker: Forker, environment: dict[str, str], folder: Path, files: Sequence[Path], seeds: int
) -> Home:
    """Register scenario files × seeds 1 … `seeds` and the strategy in a fresh home."""
    command = children.islandflow("scenario", "register", *files, "--seeds", f"1-{seeds}")
    keys = children.registered(forker.run(command, environment).expect())
    forker.run(children.islandflow("strategy", "register", children.STRATEGY), environment).expect()
    _config(folder).write_text(children.RUN_CONFIG, "utf-8")
    return Home(folder, _evaluated(forker, environment), tuple(keys), seeds)


def fresh(folder: Path) -> Path:
    """Make an empty home in `folder`, with its kernels compiled already."""
    folder.mkdir(parents=True)
    return kernels.link(folder / "home")


def _evaluated(forker: Forker, environment: dict[str, str]) -> dict[str, str]:
    lines = forker.run(children.islandflow("env"), environment).expect()
    return {**environment, **children.exported(lines)}


def _config(folder: Path) -> Path:
    return folder / "research.yaml"
