"""A registry of a million results: what the leaderboard asks of it, on SQLite and PostgreSQL.

Rows are made through the project's models. One in a hundred is of other settings: the ranking of
those is that of an ordinary study in an old registry, the ranking of the rest that of everything.
Parity before any clock: rows counted, and every leaderboard equal to medians taken here from the
numbers as they were drawn.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from benchmarks import load_boards
from benchmarks.load_timing import spent
from contracts.backtest import METRICS, BacktestSettings
from contracts.digest import document_digest
from contracts.scenario import ScenarioSpec, scenario_from
from contracts.strategy import StrategySpec, strategy_from
from engine import paths
from engine.backtest import SeedResult, rank_strategies
from islandflow_resources import datasets, summaries
from islandflow_resources.database import Database
from islandflow_resources.models import Artefact, RunResult, Scenario, Strategy
from islandflow_resources.results import VERSION
from islandflow_resources.strategies import compiled
from tests.graph import CALM, CROSSOVER
from tests.postgres import run_postgres

STRATEGIES = 100
SEEDS_A_SCENARIO = 100
BARS = 1_000
SMALL_SHARE = 100
"""One dataset of so many has its results under the settings of the small study."""
WANTED_MS = 200
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """What was registered, and the numbers of every result by dataset and strategy."""

    everything: BacktestSettings
    study: BacktestSettings
    strategies: list[StrategySpec]
    small: int
    sharpe: Floats
    total_return: Floats
    max_drawdown: Floats
    trades: Floats


def rows(results: int, *, postgres: bool) -> list[list[str]]:
    """Lines of the table."""
    with tempfile.TemporaryDirectory() as folder:
        lines = _measure("SQLite", f"sqlite:///{folder}/islandflow.db", results)
    if postgres:
        with run_postgres() as server:
            lines += _measure("PostgreSQL", server.url(server.create_database()), results)
    return lines


def _measure(where: str, url: str, results: int) -> list[list[str]]:
    with _database(url) as database:
        worlds: list[World] = []
        filled = spent(lambda: worlds.append(fill(database, results)), runs=1, warm=0)
        [world] = worlds
        board = _check(database, world, results)
        small, all_ = world.small * STRATEGIES, results - world.small * STRATEGIES
        ranked = spent(lambda: rank_strategies(board), runs=1, warm=0)
        board.clear()  # a million objects make each collection of garbage a long one
        study = spent(lambda: summaries.current_results(database, world.study), runs=7)
        everything = spent(
            lambda: summaries.current_results(database, world.everything), runs=1, warm=0
        )
        asked = load_boards.rows(where, database, results)
    per, wanted = f"{results:,} rows of results", f"{WANTED_MS} ms"
    return [
        *asked,
        study.line_ms(f"{where}: leaderboard of {small:,} of {per}", wanted),
        everything.line(f"{where}: gathering {all_:,} of {per}", ""),
        ranked.line(f"{where}: ranking these {all_:,} in memory", ""),
        filled.line(f"{where}: recording {per}", ""),
    ]


def fill(database: Database, results: int) -> World:
    """Record scenarios, strategies, datasets and their results."""
    count = results // STRATEGIES
    draw = np.random.Generator(np.random.Philox(9))
    shape = count, STRATEGIES
    world = World(
        everything=BacktestSettings(),
        study=BacktestSettings(initial_cash=50_000.0),
        strategies=[_strategy(number) for number in range(STRATEGIES)],
        small=max(1, count // SMALL_SHARE),
        sharpe=draw.normal(size=shape),
        total_return=draw.normal(0.0, 0.1, size=shape),
        max_drawdown=-draw.random(size=shape),
        trades=draw.integers(0, 200, size=shape).astype(np.float64),
    )
    for spec in world.strategies:
        document = spec.document()
        row = Strategy(strategy_hash=spec.strategy_hash, strategy_id=spec.id, spec=document)
        database.register_strategy(row)
    meanings = [compiled(spec).ir_hash for spec in world.strategies]
    if len(set(meanings)) != STRATEGIES:
        raise AssertionError("every strategy must mean something else")
    for start in range(0, count, SEEDS_A_SCENARIO):
        spec = scenario_from({**CALM, "id": f"market{start}", "duration_bars": BARS})
        database.register_scenario(
            Scenario(
                scenario_hash=spec.scenario_hash,
                scenario_key=spec.partition_key,
                scenario_id=spec.id,
                spec=spec.market,
            )
        )
        numbers = range(start, min(start + SEEDS_A_SCENARIO, count))
        artefacts = [_dataset(spec, number) for number in numbers]
        database.record(artefacts)
        load_boards.bulk(database, RunResult, _results(world, spec, artefacts, start))
    load_boards.analyse(database, RunResult)
    load_boards.analyse(database, Artefact)
    return world


def _strategy(number: int) -> StrategySpec:
    fast = f"ma(close, {number + 2})"
    rules = [
        {"if": f"crossover({fast}, ma(close, 200))", "then": "buy"},
        {"if": f"crossunder({fast}, ma(close, 200))", "then": "sell"},
    ]
    document: dict[str, Any] = {**CROSSOVER, "id": f"crossover{number}", "rules": rules}
    return strategy_from(document)


def _dataset(spec: ScenarioSpec, number: int) -> Artefact:
    return Artefact(
        recipe_digest=document_digest({"recipe": number}),
        what=datasets.WHAT,
        scenario_key=spec.partition_key,
        seed=number % SEEDS_A_SCENARIO,
        version=paths.version(spec),
        content_digest=document_digest({"dataset": number}),
        object_key=f"scenarios/{spec.partition_key}/{number}/bars.parquet",
        rows=BARS,
        recipe={"market": spec.market},
    )


def _results(
    world: World, spec: ScenarioSpec, artefacts: list[Artefact], start: int
) -> Iterator[dict[str, Any]]:
    others = dict.fromkeys(METRICS, 0.123456789)
    hashes = [one.strategy_hash for one in world.strategies]
    market = {"scenario_key": spec.partition_key, "scenario_hash": spec.scenario_hash}
    study, everything = world.study.settings_hash, world.everything.settings_hash
    for place, dataset in enumerate(artefacts, start=start):
        is_small = place < world.small
        money = (world.study if is_small else world.everything).initial_cash
        for number, strategy in enumerate(world.strategies):
            own = {
                "sharpe": float(world.sharpe[place, number]),
                "total_return": float(world.total_return[place, number]),
                "max_drawdown": float(world.max_drawdown[place, number]),
                "trades": float(world.trades[place, number]),
            }
            yield {
                **market,
                "cache_key": f"sha256:{place:032x}{number:032x}",
                "seed": dataset.seed,
                "strategy_id": strategy.id,
                "strategy_hash": hashes[number],
                "dataset_digest": dataset.content_digest,
                "settings_hash": study if is_small else everything,
                "version": VERSION,
                "bars": BARS,
                "trades": int(own["trades"]),
                "final_equity": money * (1.0 + own["total_return"]),
                "sharpe": own["sharpe"],
                "max_drawdown": own["max_drawdown"],
                "metrics": others | own,
            }


def _check(database: Database, world: World, results: int) -> list[SeedResult]:
    """Rows are there, and both leaderboards say what the drawn numbers say; the larger one's."""
    count = select(func.count()).select_from(RunResult)
    stored = database.read("count", lambda connection: connection.execute(count).scalar_one())
    if stored != results:
        raise AssertionError(f"{stored} of {results} rows are stored")
    parts = ((world.study, slice(0, world.small)), (world.everything, slice(world.small, None)))
    gathered: list[SeedResult] = []
    for settings, part in parts:
        gathered = [one.result for one in summaries.current_results(database, settings)]
        shown, drawn = [_shown(row) for row in rank_strategies(gathered)], _naive(world, part)
        # A median of an even number is interpolated, here halved: they differ in the last digit.
        if not all(map(_is_same, shown, drawn)) or len(shown) != len(drawn):
            raise AssertionError("the leaderboard differs from the numbers as they were drawn")
    return gathered


def _shown(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("strategy_id", "results", "median_sharpe", "worst_max_drawdown", "share_profitable")
    return tuple(row[name] for name in names)


def _is_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    near = math.isclose(one[2], other[2], rel_tol=1e-12, abs_tol=1e-15)
    return near and one[:2] + one[3:] == other[:2] + other[3:]


def _naive(world: World, part: slice) -> list[tuple[Any, ...]]:
    """Leaderboard of some datasets, column by column, the largest median first."""
    sharpe = np.median(world.sharpe[part], axis=0)
    worst = world.max_drawdown[part].min(axis=0)
    gains = (world.total_return[part] > 0).mean(axis=0)
    count = len(world.sharpe[part])
    return [
        (world.strategies[k].id, count, float(sharpe[k]), float(worst[k]), float(gains[k]))
        for k in np.argsort(-sharpe, kind="stable").tolist()
    ]


@contextmanager
def _database(url: str) -> Iterator[Database]:
    database = Database(url)
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    try:
        yield database
    finally:
        database.dispose()
