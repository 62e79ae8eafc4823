"""Monte Carlo and walk-forward summaries of all registered strategies, a table for each dataset.

Made once by their recipe (``derived``); the numbers are ``robustness``. The best trials of a
campaign are ``campaign_robustness``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from contracts.backtest import BacktestSettings
from contracts.canonical import Document
from contracts.columns import MONTE_CARLO, WALK_FORWARD, TableSchema
from contracts.digest import recipe_digest
from contracts.errors import ContractError, IslandflowError, Problem
from contracts.search import GridSearch
from contracts.strategy import StrategySpec
from contracts.validation import MonteCarloSettings, WalkForwardSettings
from engine import montecarlo
from engine.search import make_search
from islandflow_resources import robustness
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.campaign_trials import slices
from islandflow_resources.database import Database
from islandflow_resources.datasets import Dataset
from islandflow_resources.derived import DerivedTable, Recipe, made_table
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.results import VERSION as BACKTEST_VERSION
from islandflow_resources.robustness import Cell, Row, table_of
from islandflow_resources.strategies import StrategyList
from islandflow_resources.trials import ParameterSets

MONTE_CARLO_VERSION = f"{BACKTEST_VERSION}.{robustness.MONTE_CARLO_VERSION}"
WALK_FORWARD_VERSION = f"{BACKTEST_VERSION}.{robustness.WALK_FORWARD_VERSION}"
MAX_SETS = 1_000
"""Most sets of a strategy that its walk-forward chooses from; a larger grid needs a campaign."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A table of one dataset, or the problem that kept it from being made.

    ``first`` is the outcome of the first strategy where it was computed now, to be drawn.
    """

    dataset: Dataset
    stored: DerivedTable | None
    problem: Problem | None = None
    first: montecarlo.MonteCarloOutcome | None = None


def make_monte_carlo(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    inputs: Iterable[Dataset],
    listed: StrategyList,
    settings: BacktestSettings,
    how: MonteCarloSettings,
    run_id: str,
) -> Iterator[Summary]:
    """Yield, for every dataset, its strategies at their defaults, resampled."""
    specs: Document = {"settings": settings.document(), "monte_carlo": how.document()}
    for dataset in inputs:
        drawn: list[montecarlo.MonteCarloOutcome] = []

        def rows(
            cell: Cell,
            fitting: list[StrategySpec],
            drawn: list[montecarlo.MonteCarloOutcome] = drawn,
        ) -> list[Row]:
            sets = [at_defaults(one) for one in fitting]
            found = robustness.monte_carlo(runtime, cell, sets, settings, how)
            drawn += found.outcomes[:1]
            return found.rows

        made = _made(
            store, database, dataset, listed, settings, specs, "monte_carlo_summary",
            MONTE_CARLO_VERSION, MONTE_CARLO, rows, run_id,
        )  # fmt: skip
        yield Summary(made.dataset, made.stored, made.problem, drawn[0] if drawn else None)


def make_walk_forward(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    inputs: Iterable[Dataset],
    listed: StrategyList,
    settings: BacktestSettings,
    how: WalkForwardSettings,
    objective: str,
    run_id: str,
) -> Iterator[Summary]:
    """Yield, for every dataset, its strategies walked forward over the grids of their ranges."""
    specs: Document = {
        "settings": settings.document(),
        "walk_forward": how.document(),
        "objective": objective,
    }
    for dataset in inputs:

        def rows(cell: Cell, fitting: list[StrategySpec]) -> list[Row]:
            return [
                row
                for one in fitting
                for row in robustness.walk_forward(
                    runtime, cell, grid_of(one), settings, how, objective
                )
            ]

        yield _made(
            store, database, dataset, listed, settings, specs, "walk_forward_summary",
            WALK_FORWARD_VERSION, WALK_FORWARD, rows, run_id,
        )  # fmt: skip


def at_defaults(spec: StrategySpec) -> ParameterSets:
    """The one set of a strategy's defaults."""
    names = tuple(spec.params)
    defaults = spec.bound_params
    return ParameterSets(spec, names, np.array([[defaults[name] for name in names]], np.float64))


def grid_of(spec: StrategySpec) -> list[ParameterSets]:
    """All sets of a strategy's ranges, five values of a range without a step.

    Raises
    ------
    ContractError
        ``WALK_FORWARD_TOO_MANY_SETS``.
    """
    search = make_search(spec, GridSearch(method="grid"))
    if search.size > MAX_SETS:
        raise ContractError(
            "WALK_FORWARD_TOO_MANY_SETS",
            f"the ranges of {spec.id} have {search.size:,} sets, at most {MAX_SETS:,} are searched",
            spec.id,
            ("widen the steps of its ranges, or search it in a campaign",),
        )
    batch = search.ask()
    assert batch is not None
    return list(slices(spec, batch))


def _made(
    store: ObjectStore,
    database: Database,
    dataset: Dataset,
    listed: StrategyList,
    settings: BacktestSettings,
    specs: Document,
    what: str,
    version: str,
    schema: TableSchema,
    rows: Callable[[Cell, list[StrategySpec]], list[Row]],
    run_id: str,
) -> Summary:
    ref, digest = dataset.ref, dataset.manifest.content_digest
    inputs = {"bars": digest, "strategies": listed.digest}
    recipe = Recipe(
        what,
        recipe_digest(what, version=version, specs=specs, inputs=inputs),
        f"validations/{what}/scenario={ref.spec.partition_key}/seed={ref.seed}",
        version,
        ref.spec.partition_key,
        ref.seed,
    )

    def make() -> pa.Table:
        data = BacktestData.of_dataset(dataset.table, ref.spec, digest)
        bars = data.first(settings.max_bars).bars.bars
        pairs = zip(listed.strategies, listed.programs, strict=True)
        fitting = [
            one
            for one, program in pairs
            if one.timeframe == ref.spec.timeframe and program.longest_window <= bars
        ]
        if not fitting:
            said = "no registered strategy fits the dataset"
            hint = "register one with: islandflow strategy register FILE"
            raise ContractError("STRATEGY_NONE_FITS", said, "", (hint,))
        return table_of(rows(Cell(ref.spec.partition_key, ref.seed, data.bars), fitting), schema)

    try:
        return Summary(dataset, made_table(store, database, recipe, schema, make, run_id))
    except IslandflowError as error:
        if error.retryable:
            raise
        return Summary(dataset, None, error.problems[0])
