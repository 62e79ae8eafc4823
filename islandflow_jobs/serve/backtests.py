"""Backtests on request: ``/t0`` on 1,000 bars, ``/t1`` on up to 50,000, found or computed.

Results are those of ``islandflow_resources.evaluations``, as for the command line; bars come
from a scenario in the request or from a stored dataset. How requests enter is ``backtest_api``.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, TypeAdapter

from contracts.backtest import BacktestSettings
from contracts.canonical import Document, parse_document
from contracts.costs import Costs
from contracts.document import Integer, Model, Number, Seed, validate
from contracts.errors import ContractError, Problem
from contracts.scenario import ScenarioSpec, scenario_from
from contracts.strategy import StrategySpec, strategy_from
from engine.dsl import compile_strategy
from islandflow_jobs.serve.answers import BacktestAnswer, Curve, Fill
from islandflow_resources import datasets
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.evaluations import make_result
from islandflow_resources.materialise import dataset_ref, find_datasets
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.results import ResultRef, StoredResult

Tier: TypeAlias = Literal["t0", "t1"]
TIER_BARS: Final[dict[Tier, int]] = {"t0": 1_000, "t1": 50_000}
MAX_SCENARIO_BARS: Final = 500_000
_KEPT_DATA: Final = 8


class ScenarioRef(Model):
    """A registered scenario by its partition key, and the seed of a stored dataset."""

    ref: Annotated[str, Field(strict=True, pattern=r"^[a-z0-9_-]{1,128}$")]
    seed: Seed


def _form(value: object) -> str:
    is_reference = isinstance(value, dict) and "ref" in value
    return "reference" if is_reference or isinstance(value, ScenarioRef) else "document"


AnyScenario: TypeAlias = Annotated[
    Annotated[ScenarioSpec, Tag("document")] | Annotated[ScenarioRef, Tag("reference")],
    Discriminator(_form),
]


class BacktestRequest(Model):
    """A strategy, the bars to run it on, and what trading costs."""

    strategy: StrategySpec
    scenario: AnyScenario
    costs: Costs = Costs()
    initial_cash: Annotated[Number, Field(gt=0, le=1e15)] = 100_000.0
    bar_delay: Annotated[Integer, Field(ge=0, le=100)] = 1
    gap_policy: Literal["touch", "open"] = "touch"
    lot_size: Annotated[Number, Field(gt=0, le=1e12)] | None = None

    def settings(self, max_bars: int) -> BacktestSettings:
        """The same as settings of a backtest."""
        return BacktestSettings(
            initial_cash=self.initial_cash,
            bar_delay=self.bar_delay,
            gap_policy=self.gap_policy,
            lot_size=self.lot_size,
            max_bars=max_bars,
            costs=self.costs,
        )


REQUEST: Final[TypeAdapter[BacktestRequest]] = TypeAdapter(BacktestRequest)


class Backtests:
    """Backtests of one server; may be run by several threads at once.

    Parameters
    ----------
    resources : ResourceSet
    """

    def __init__(self, resources: ResourceSet) -> None:
        self._resources = resources
        self._data: OrderedDict[tuple[str, int], BacktestData] = OrderedDict()
        self._lock = Lock()

    def run(self, tier: Tier, body: bytes) -> BacktestAnswer:
        """One backtest, computed or found.

        Raises
        ------
        ContractError
            For any part of the request that is not right.
        """
        request = checked_request(body)
        resources, strategy = self._resources, request.strategy
        resources.engine_runtime.prepare()
        data = self._bars(request.scenario).first(TIER_BARS[tier])
        if data.bars.timeframe != strategy.timeframe:
            raise ContractError(
                "BACKTEST_TIMEFRAME",
                f"the strategy trades {strategy.timeframe}, the bars are {data.bars.timeframe}",
                "/strategy/timeframe",
                (f"write {data.bars.timeframe}, or give bars of {strategy.timeframe}",),
            )
        program = compile_strategy(strategy, bars=data.bars.bars)
        ref = ResultRef(strategy, program, request.settings(TIER_BARS[tier]), data)
        stored, _ = make_result(resources.store, resources.engine_runtime, ref)
        return self._answer(tier, stored)

    def _bars(self, scenario: ScenarioSpec | ScenarioRef) -> BacktestData:
        if isinstance(scenario, ScenarioRef):
            return self._stored(scenario)
        if scenario.duration_bars > MAX_SCENARIO_BARS:
            raise ContractError(
                "SCENARIO_TOO_LONG",
                f"the scenario has {scenario.duration_bars} bars, "
                f"a request at most {MAX_SCENARIO_BARS}",
                "/scenario/duration_bars",
                ("register the scenario, make it with a job, and give its key and a seed",),
            )
        return self._simulated(scenario)

    def _simulated(self, scenario: ScenarioSpec) -> BacktestData:
        """Bars of a scenario; the last few are kept, so that a request repeated is found."""
        from engine import paths

        key = scenario.scenario_hash, scenario.seed
        with self._lock:
            if key in self._data:
                self._data.move_to_end(key)
                return self._data[key]
        ref = datasets.DatasetRef(scenario, scenario.seed, paths.version(scenario))
        with self._resources.engine_runtime.computing():
            bars = paths.simulate(scenario, scenario.seed)
        table, digest = datasets.table_of(bars), datasets.digest_of(ref, bars)
        # Only what a tier can see is kept.
        data = BacktestData.of_dataset(table, scenario, digest).first(max(TIER_BARS.values()))
        with self._lock:
            self._data[key] = data
            while len(self._data) > _KEPT_DATA:
                self._data.popitem(last=False)
        return data

    def _stored(self, wanted: ScenarioRef) -> BacktestData:
        from contracts.errors import NotFoundError

        resources = self._resources
        try:
            row = resources.database.scenario(wanted.ref)
        except NotFoundError as error:
            raise ContractError(error.code, error.message, "/scenario/ref", error.hints) from None
        spec = scenario_from({**row.spec, "seed": str(wanted.seed)})
        ref = dataset_ref(spec, wanted.seed)
        runtime = resources.engine_runtime
        for dataset in find_datasets(resources.store, resources.database, runtime, [ref]):
            digest = dataset.manifest.content_digest
            return BacktestData.of_dataset(dataset.table, spec, digest)
        raise ContractError(
            "DATASET_NOT_MADE",
            f"there is no dataset of {wanted.ref} with seed {wanted.seed}",
            "/scenario/seed",
            ("materialise it, or give the scenario's document",),
        )

    def _answer(self, tier: Tier, stored: StoredResult) -> BacktestAnswer:
        store, result = self._resources.store, stored.result
        curve = stored.equity(store).to_pydict()
        fills: list[dict[str, Any]] = stored.trades(store).to_pylist()
        return BacktestAnswer(
            tier=tier,
            cache_key=result.cache_key,
            used_cache=stored.used_cache,
            bars=result.bars,
            equity=Curve(
                ts_ns=[str(ts_ns) for ts_ns in curve["ts_ns"]],
                equity=curve["equity"],
                cash=curve["cash"],
                position_qty=curve["position_qty"],
            ),
            trades=[Fill(**{**fill, "ts_ns": str(fill["ts_ns"])}) for fill in fills],
            metrics=result.metrics,
            reasons=result.reasons,
        )


def checked_request(body: bytes) -> BacktestRequest:
    """A request read from its bytes.

    Raises
    ------
    ContractError
        Every problem at once, each with its pointer into the request.
    """
    document = parse_document(body, "request")
    # The parts' own readers know more of what was meant than the whole does.
    parts = {"strategy": strategy_from, "scenario": _scenario_from}
    problems: list[Problem] = []
    for name, read in parts.items():
        part = document.get(name)
        if isinstance(part, dict):
            problems += _problems(name, part, read)
    if problems:
        first, *others = problems
        raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
    return validate(REQUEST, document, "request")


def _scenario_from(document: Document) -> object:
    return None if "ref" in document else scenario_from(document)


def _problems(name: str, part: Document, read: Any) -> list[Problem]:
    try:
        read(part)
    except ContractError as error:
        return [
            Problem(one.code, one.message, f"/{name}{one.loc}", one.hints) for one in error.problems
        ]
    return []
