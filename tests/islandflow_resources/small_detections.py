"""Small tapes and what is detected in them, made once a session: no market behind them.

The tape is that of ``plain_tape``: prints of options that come by chance, so under the usual policy
hardly anything is said of them. `bold` says something of nearly everything.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from contracts.flow_policy import ScoringPolicy, usual_policy
from contracts.smart_flow import HYPOTHESES
from islandflow_resources import flow_folder
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_places import TapePlace, local_place
from tests.graph import fast_folder
from tests.islandflow_resources.tape_tampering import written


def bold(*tuned: int, version: str = "7.0", **rules: float) -> ScoringPolicy:
    """The usual policy, but whatever leads is said; `tuned` are seeds that do not judge it."""
    usual = usual_policy().model_dump(mode="json")
    for name in HYPOTHESES:
        usual["hypotheses"][name] |= {"alert_z": -20, "high_z": 2.0}
    loose = {"min_margin": 0, "min_orders": 1, "min_premium_usd": 0, "min_coverage": 0}
    usual["rules"] |= {**loose, "max_stale": 1, **rules}
    usual["tuning"] = {"seeds": [str(seed) for seed in tuned], "markets": []}
    return ScoringPolicy.model_validate(usual | {"id": "bold", "version": version})


@dataclass(frozen=True)
class Made:
    """A folder in which a tape stands, and what is detected in it below ``found``."""

    folder: Path

    @property
    def tape(self) -> Path:
        """Folder of the tape."""
        [one] = (self.folder / "tapes").iterdir()
        return one

    @property
    def labels(self) -> Path:
        """Folder of its labels."""
        return self.folder / "labels" / self.tape.name

    @property
    def place(self) -> TapePlace:
        """Place of the tape with its labels."""
        return local_place(self.tape)

    @property
    def found(self) -> Path:
        """Folder that detections are put into."""
        return self.folder / "found"

    @property
    def store(self) -> FolderStore:
        """The same as a store."""
        return FolderStore(self.found)

    def detect(
        self, policy: ScoringPolicy | None = None, *, lateness_ns: int = 0
    ) -> StoredDetection:
        """Detect what is in the tape."""
        feed = TapeFeed(self.place)
        with tempfile.TemporaryDirectory() as folder:
            return flow_folder.detect(
                self.store, feed, policy or bold(), Path(folder), lateness_ns=lateness_ns
            )


@cache
def made_once() -> Made:
    """A tape and the detection of it under `bold`; not to be changed."""
    stack = ExitStack()
    atexit.register(stack.close)
    made = Made(stack.enter_context(fast_folder()) / "made")
    written(made.folder)
    made.detect()
    return made


def copy_of(made: Made, folder: Path) -> Made:
    """A copy that may be changed."""
    shutil.copytree(made.folder, folder)
    return Made(folder)
