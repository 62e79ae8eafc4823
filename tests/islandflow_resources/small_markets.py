"""A small synthetic market for tests: three symbols, ten minutes, made once a session.

`made_market` gives a fresh copy of a store in which one tape stands, judged by nobody yet. Its
kernels take much longer to compile.
"""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from contracts.control import ControlLog, ControlVersion, SyntheticControlState
from contracts.tape import TapeProfile, profile_from
from contracts.tape_defaults import default_profile
from engine.tapes.market.api import MarketTape
from islandflow_resources import market_tapes
from islandflow_resources.database import Database
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.market_tapes import MarketRef, MarketTapeFiles, make_market_tape
from islandflow_resources.tape_requests import TapeRequest, resolved
from islandflow_resources.tape_specs import resolve

SYMBOLS = 3
SECONDS = 600
SEED = 1
DEPLOYED = {"log": "deployment"}
RUN = "run"


def profile(*, symbols: int = SYMBOLS, seconds: int = SECONDS, **changes: Any) -> TapeProfile:
    """A small profile; with ``control=DEPLOYED`` it follows the log of the deployment."""
    document = default_profile(symbols).model_dump(mode="json")
    document["session"]["duration_s"] = seconds
    session = {**document["session"], **changes.pop("session", {})}
    return profile_from({**document, "id": "small", "session": session, **changes})


def log_of(*states: tuple[int, dict[str, Any]]) -> ControlLog:
    """A log of times and what each sets beside the defaults; first of all the defaults hold."""
    versions = [ControlVersion(effective_ns=0, control=SyntheticControlState())]
    for effective_ns, fields in states:
        control = SyntheticControlState.model_validate(fields)
        versions.append(ControlVersion(effective_ns=effective_ns, control=control))
    return ControlLog(versions=tuple(versions))


def start_ns(one: TapeProfile) -> int:
    """Start of a profile's tape, nanoseconds."""
    return resolve(one, log_of()).start_ns


@dataclass(frozen=True)
class Market:
    """A store and a database, and the address of a tape in them."""

    store: FolderStore
    database: Database
    folder: Path
    ref: MarketRef

    @property
    def runtime(self) -> EngineRuntime:
        """A runtime that has settled nothing."""
        return EngineRuntime(threads=1, memory_mb=256, kernel_home=self.folder / "kernels")

    def make(self) -> market_tapes.MadeMarketTape:
        """Make or find the tape."""
        work = self.folder / "work"
        stores = self.store, self.store, self.database
        return make_market_tape(*stores, self.runtime, self.ref, work, RUN)

    @property
    def tape(self) -> MarketTapeFiles:
        """The tape, which must stand."""
        return market_tapes.standing_tape(self.store, self.store, self.database, self.ref)

    def path(self, name: str) -> Path:
        """A file of the tape or of its labels."""
        [found] = self.store.root.glob(f"*/{self.ref.inputs.tape_id}/{name}")
        return found


@contextmanager
def empty_market(folder: Path, seed: int = SEED) -> Iterator[Market]:
    """A market in a folder where nothing is made yet."""
    database = Database(f"sqlite:///{folder / 'db'}")
    ref = MarketRef(resolved(TapeRequest(profile()), None), seed)
    yield Market(FolderStore(folder / "objects"), database, folder, ref)
    database.dispose()


@contextmanager
def made_market(folder: Path) -> Iterator[Market]:
    """A market in a new folder, in which the tape stands."""
    shutil.copytree(_made(), folder, dirs_exist_ok=True)
    with empty_market(folder) as market:
        yield market


@cache
def _made() -> Path:
    """A folder of this session in which the tape stands; copy it."""
    from tests.graph import fast_folder

    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(fast_folder())
    with empty_market(folder) as market:
        made = market.make()
        assert made.tape is not None, made.problem
    return folder


class OffGridTape(MarketTape):
    """A tape as it must not be: quotes of equities between the cents, for one seed alone."""

    BAD_SEED = 2

    def advance(self, until_ns: int) -> Any:
        """Events, some of them off their grid."""
        batch = super().advance(until_ns)
        quotes = batch.streams["equity_quotes"]
        if self.seed == self.BAD_SEED:
            bad = np.flatnonzero(quotes["bid_ticks"] > 0)[::3]
            quotes["bid_ticks"][bad] -= 50
        return batch


def flip(path: Path, at: int = -1) -> None:
    """Change one byte of a file; in its middle by default."""
    data = bytearray(path.read_bytes())
    place = len(data) // 2 if at < 0 else at
    data[place] ^= 1
    path.write_bytes(bytes(data))
