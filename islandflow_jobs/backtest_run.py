"""One backtest from the command line: a strategy, bars from anywhere, and a folder for the answer.

The result is cached in the store of the profile under its request; the folder gets
copies, and ``result.json`` says whether the cache was used. Batches over the grid
are the jobs; files from elsewhere are read by ``islandflow_resources.bar_files``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.backtest import SETTINGS, BacktestSettings
from contracts.canonical import Document, canonical_json, parse_document
from contracts.costs import COSTS
from contracts.document import load
from contracts.errors import ContractError
from contracts.scenario import ScenarioSpec, load_scenario
from contracts.seeds import parse_seed
from contracts.strategy import StrategySpec
from islandflow_jobs.documents import read_file
from islandflow_jobs.operations import checked_strategy
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.backtest_data import BacktestData

_SHOWN = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate", "profit_factor")
_RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for, as it was written.

    Attributes
    ----------
    strategy : Path
    data : str
        File of bars, address of a stored dataset, or scenario document.
    out : Path
        Folder for the answer.
    seed : str
        Only for a scenario document; its own by default.
    costs, settings : Path or None
        Costs alone, or all settings.
    bars_per_day : float or None
    sessions : bool
        What files from elsewhere must state.
    """

    strategy: Path
    data: str
    out: Path
    seed: str = ""
    costs: Path | None = None
    settings: Path | None = None
    bars_per_day: float | None = None
    sessions: bool = False

    @property
    def is_stored(self) -> bool:
        """Whether the data are an object of the store."""
        return "://" in self.data

    @property
    def is_scenario(self) -> bool:
        """Whether the data are a scenario, to be simulated."""
        return not self.is_stored and self.data.lower().endswith(".json")

    def documents(self) -> dict[str, tuple[Path, Callable[[bytes], object]]]:
        """Files of the documents and how each is read, by the argument of `run`.

        Raises
        ------
        ContractError
            ``ARGUMENTS_INVALID`` if options contradict each other.
        """
        self._refuse_contradictions()
        found: dict[str, tuple[Path, Callable[[bytes], object]]] = {}
        found["strategy"] = self.strategy, checked_strategy
        if self.settings is not None:
            found["settings"] = self.settings, _load_settings
        if self.costs is not None:
            found["settings"] = self.costs, _load_costs
        if self.is_scenario:
            found["scenario"] = Path(self.data), load_scenario
        return found

    def _refuse_contradictions(self) -> None:
        is_file = not (self.is_scenario or self.is_stored)
        both, one = "--settings holds the costs already", "give one of --costs and --settings"
        ours = "our own bars trade around the clock, which needs no saying"
        contradictions = (
            (self.costs and self.settings, "--costs", both, one),
            (
                self.seed and not self.is_scenario,
                "--seed",
                "only a scenario document has a seed",
                "",
            ),
            (self.bars_per_day is not None and not is_file, "--bars-per-day", ours, ""),
            (self.sessions and not is_file, "--sessions", ours, ""),
        )
        for holds, option, message, hint in contradictions:
            if holds:
                hints = (hint or f"leave {option} out",)
                raise ContractError("ARGUMENTS_INVALID", message, option, hints)


def run(
    resources: ResourceSet,
    request: Request,
    strategy: StrategySpec,
    settings: BacktestSettings | None = None,
    scenario: ScenarioSpec | None = None,
) -> list[str]:
    """Run one backtest, or find it, and copy the answer to the folder; lines to print.

    Raises
    ------
    ContractError
        For any input that is not right; nothing has been written then.
    """
    settings = settings or BacktestSettings()
    seed = parse_seed(request.seed) if request.seed else None
    _refuse_unwritable(request.out)
    resources.engine_runtime.prepare()
    from engine.dsl import compile_strategy
    from islandflow_resources.evaluations import make_result
    from islandflow_resources.results import ResultRef

    data = _data(resources.store, request, strategy, scenario, seed).first(settings.max_bars)
    if data.bars.timeframe != strategy.timeframe:
        raise ContractError(
            "BACKTEST_TIMEFRAME",
            f"{request.strategy} trades {strategy.timeframe}, the data are {data.bars.timeframe}",
            "--data",
            (f"give data of {strategy.timeframe}, or change the strategy's timeframe",),
        )
    program = compile_strategy(strategy, bars=data.bars.bars)
    ref = ResultRef(strategy, program, settings, data)
    _refuse_other_answer(request.out, ref.cache_key)
    stored, quarantined = make_result(resources.store, resources.engine_runtime, ref)
    answer = stored.result.model_copy(update={"used_cache": stored.used_cache}).document()
    _copy(resources.store, ref.prefix, request.out, answer)
    metrics = stored.result.metrics
    shown = ", ".join(f"{name} {_told(metrics[name])}" for name in _SHOWN)
    return [
        *(f"quarantined {resources.store.uri(key)}" for key in quarantined),
        f"{'found' if stored.used_cache else 'computed'} {ref.cache_key}",
        f"{stored.result.bars} bars, {stored.result.fills} fills: {shown}",
        f"wrote {request.out}",
    ]


def _load_settings(data: bytes) -> BacktestSettings:
    return load(SETTINGS, data, "settings")


def _load_costs(data: bytes) -> BacktestSettings:
    return BacktestSettings(costs=load(COSTS, data, "costs"))


def _data(
    store: ObjectStore,
    request: Request,
    strategy: StrategySpec,
    scenario: ScenarioSpec | None,
    seed: int | None,
) -> BacktestData:
    from islandflow_resources.backtest_data import BacktestData
    from islandflow_resources.bar_files import read_bar_file

    if scenario is not None:
        return _simulated(scenario, scenario.seed if seed is None else seed)
    if request.is_stored:
        return _stored(store, request.data)
    file = read_bar_file(
        Path(request.data), strategy.timeframe, request.bars_per_day, request.sessions
    )
    return BacktestData.of_file(file)


def _simulated(scenario: ScenarioSpec, seed: int) -> BacktestData:
    """Bars of a scenario, made here and stored nowhere."""
    from engine import paths
    from islandflow_resources import datasets
    from islandflow_resources.backtest_data import BacktestData

    ref = datasets.DatasetRef(scenario, seed, paths.version(scenario))
    bars = paths.simulate(scenario, seed)
    digest = datasets.digest_of(ref, bars)
    return BacktestData.of_dataset(datasets.table_of(bars), scenario, digest)


def _stored(store: ObjectStore, uri: str) -> BacktestData:
    """Bars of a dataset of the store, verified, whether or not it is registered here."""
    from islandflow_resources import datasets
    from islandflow_resources.backtest_data import BacktestData

    folder, _, name = store.parse_uri(uri).rpartition("/")
    if not folder.startswith("scenarios/") or name != "dataset.parquet":
        hint = "give the URI that the UI shows, e.g. …/seed=1/v1.1/dataset.parquet"
        raise ContractError("URI_NOT_A_DATASET", f"{uri!r} is not a dataset", "--data", (hint,))
    dataset = datasets.read_at(store, folder)
    digest = dataset.manifest.content_digest
    return BacktestData.of_dataset(dataset.table, dataset.ref.spec, digest)


def _refuse_unwritable(out: Path) -> None:
    """Refuse a folder that cannot be made or written to, before anything is computed."""
    place = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        what = "is not a folder" if not place.is_dir() else "is not writable"
        raise _unwritable(out, f"{place} {what}")


def _refuse_other_answer(out: Path, cache_key: str) -> None:
    """A folder holds one answer: another one, or anything else, is never written over."""
    from islandflow_resources.results import FILES

    there = [name for name in (_RESULT, *FILES) if (out / name).exists()]
    if not there or _held(out / _RESULT) == cache_key:
        return
    raise ContractError(
        "ANSWER_EXISTS",
        f"{out} holds {', '.join(there)}, and not as the answer to this request, {cache_key}",
        "--out",
        ("give another folder, or move what is there",),
    )


def _held(path: Path) -> object:
    """Cache key of the answer at a path, if it is one."""
    try:
        return parse_document(read_file(path), "result").get("cache_key")
    except ContractError:
        return None


def _copy(store: ObjectStore, prefix: str, out: Path, answer: Document) -> None:
    from islandflow_resources.results import FILES

    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (out / name).write_bytes(store.get(f"{prefix}/{name}"))
        (out / _RESULT).write_bytes(canonical_json(answer) + b"\n")
    except OSError as error:
        raise _unwritable(out, error.strerror) from error


def _unwritable(out: Path, why: str | None) -> ContractError:
    return ContractError(
        "FOLDER_NOT_WRITABLE",
        f"cannot write the answer to {out}: {why}",
        "--out",
        ("give a folder that is yours to write",),
    )


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
