"""One backtest from the command line: a strategy, bars from anywhere, and a folder for the answer.

The result is cached in the store of the profile under its request; the folder gets
copies, and ``result.json`` says whether the cache was used. Batches over the grid
are the jobs; files from elsewhere are read by ``islandflow_resources.bar_files``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.backtest import SETTINGS, BacktestSettings
from contracts.canonical import Document, canonical_json, parse_document
from contracts.document import validate
from contracts.errors import ContractError
from contracts.scenario import ScenarioSpec, load_scenario
from contracts.seeds import parse_seed
from contracts.strategy import StrategySpec, load_strategy
from islandflow_jobs.documents import read_file
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.backtest_data import BacktestData

_SHOWN = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate", "profit_factor")


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for, as it was written.

    Attributes
    ----------
    strategy : Path
    data : str
        File of bars, address of a stored dataset, or scenario document.
    seed : str
        Only for a scenario document; its own by default.
    costs, settings : Path or None
        Costs alone, or all settings.
    out : Path
        Folder for the answer.
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


def run(resources: ResourceSet, request: Request) -> list[str]:
    """Run one backtest, or find it, and copy the answer to the folder; lines to print.

    Raises
    ------
    ContractError
        For any input that is not right; nothing has been written then.
    """
    strategy = load_strategy(read_file(request.strategy))
    settings = _settings(request)
    scenario = _scenario(request)
    resources.engine_runtime.prepare()
    from engine.dsl import compile_strategy
    from islandflow_resources.evaluations import make_result
    from islandflow_resources.results import ResultRef

    compile_strategy(strategy)
    data = _data(resources.store, request, strategy, scenario).first(settings.max_bars)
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
    answer: Document = {**stored.result.document(), "used_cache": stored.used_cache}
    _copy(resources.store, ref.prefix, request.out, answer)
    metrics = stored.result.metrics
    shown = ", ".join(f"{name} {_told(metrics[name])}" for name in _SHOWN)
    return [
        *(f"quarantined {resources.store.uri(key)}" for key in quarantined),
        f"{'found' if stored.used_cache else 'computed'} {ref.cache_key}",
        f"{stored.result.bars} bars, {stored.result.fills} fills: {shown}",
        f"wrote {request.out}",
    ]


def _settings(request: Request) -> BacktestSettings:
    if request.costs is not None and request.settings is not None:
        raise ContractError(
            "ARGUMENTS_INVALID", "--settings holds the costs already", "--costs",
            ("give one of --costs and --settings",),
        )  # fmt: skip
    document: Document = {}
    if request.settings is not None:
        document = parse_document(read_file(request.settings), "settings")
    if request.costs is not None:
        document = {"costs": parse_document(read_file(request.costs), "costs")}
    return validate(SETTINGS, document, "settings")


def _scenario(request: Request) -> ScenarioSpec | None:
    """The scenario document that the data argument names, if it names one."""
    if not request.data.endswith(".json") or "://" in request.data:
        if request.seed:
            raise ContractError(
                "ARGUMENTS_INVALID", "only a scenario document has a seed", "--seed",
                ("leave --seed out, or give a scenario document as --data",),
            )  # fmt: skip
        return None
    return load_scenario(read_file(Path(request.data)))


def _data(
    store: ObjectStore, request: Request, strategy: StrategySpec, scenario: ScenarioSpec | None
) -> BacktestData:
    from islandflow_resources.backtest_data import BacktestData
    from islandflow_resources.bar_files import read_bar_file

    if scenario is not None:
        return _simulated(scenario, parse_seed(request.seed) if request.seed else scenario.seed)
    if "://" in request.data:
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


def _refuse_other_answer(out: Path, cache_key: str) -> None:
    """A folder holds one answer: another one is never written over."""
    path = out / "result.json"
    if not path.exists():
        return
    held = parse_document(read_file(path), "result").get("cache_key")
    if held != cache_key:
        raise ContractError(
            "ANSWER_EXISTS",
            f"{out} holds the answer to another request, {held}; ours is {cache_key}",
            "--out",
            ("give another folder, or move what is there",),
        )


def _copy(store: ObjectStore, prefix: str, out: Path, answer: Document) -> None:
    from islandflow_resources.results import FILES

    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (out / name).write_bytes(store.get(f"{prefix}/{name}"))
        (out / "result.json").write_bytes(canonical_json(answer) + b"\n")
    except OSError as error:
        raise ContractError(
            "FOLDER_NOT_WRITABLE",
            f"cannot write the answer to {out}: {error.strerror}",
            "--out",
            ("give a folder that is yours to write",),
        ) from error


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
