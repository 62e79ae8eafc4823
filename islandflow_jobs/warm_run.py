"""``islandflow warm``: kernels compiled before they are wanted, by small work of every kind.

A kernel is compiled for the arguments that it is called with, so nothing less than calling it
will do. What is made lies in a folder that is thrown away, only the kernels stay. Where they are
kept is ``islandflow_resources.engine_runtime``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from contracts.backtest import BacktestSettings
from contracts.document import load
from contracts.experiment import EvalSettings
from contracts.mbo import load_mbo_spec
from contracts.scenario import ScenarioSpec, load_scenario
from contracts.strategy import StrategySpec, load_strategy
from contracts.tape import load_profile
from contracts.validation import MONTE_CARLO, WALK_FORWARD
from islandflow_resources.resource_set import ResourceSet

FIXTURES: Final = Path(__file__).resolve().parent.parent / "contracts" / "fixtures"
_RUN: Final = "warm"
_SCENARIO: Final = "scenario_trend_up_mid"
_SWEPT: Final = "strategy_ma_crossover"
_PROFILE: Final = "tape_profile_injected"
_JUDGED: Final = "tape_profile_two_symbols"
_THRESHOLDS: Final = (0.5,)


def warm(resources: ResourceSet) -> Iterator[str]:
    """Compile the kernels of every domain into the kernel cache; a line as each is done.

    Kernels of signals that learn are compiled where they are fitted, on libraries that not every
    installation has, and are left out.

    Raises
    ------
    ConfigurationError
        ``KERNEL_HOME_NOT_WRITABLE``.
    """
    started = time.perf_counter()
    resources.engine_runtime.prepare()
    from numba.core import config

    import engine.jit  # noqa: F401 - settles the folder before anything of the engine is imported

    folder = Path(str(config.CACHE_DIR))  # pyright: ignore[reportAttributeAccessIssue]
    kept = _kernels(folder)
    before = kept
    with tempfile.TemporaryDirectory(prefix="islandflow-warm-") as scratch:
        for name, work in _WORK:
            place = Path(scratch) / name
            place.mkdir()
            begun = time.perf_counter()
            work(_aside(resources, place), place)
            took, now = time.perf_counter() - begun, _kernels(folder)
            yield f"{name}: {now - before} kernels compiled, {took:.1f} s"
            before = now
    took = time.perf_counter() - started
    yield f"{before} kernels in {folder}, {before - kept} of them new, {took:.1f} s"


def _kernels(folder: Path) -> int:
    """Kernels of a cache folder: numba keeps an index file of each."""
    return sum(1 for _ in folder.rglob("*.nbi"))


def _aside(resources: ResourceSet, home: Path) -> ResourceSet:
    """The same machine in an embedded profile of its own."""
    settings = replace(
        resources.settings,
        profile="embedded",
        home=home,
        database_url=f"sqlite:///{home / 'islandflow.db'}",
        s3=None,
        labels_s3=None,
    )
    made = ResourceSet(settings)
    made.database.migrate()
    return made


def _scenario(name: str) -> ScenarioSpec:
    return load_scenario((FIXTURES / "scenarios" / f"{name}.json").read_bytes())


def _strategies() -> list[StrategySpec]:
    files = sorted((FIXTURES / "strategies").glob("*.json"))
    return [load_strategy(file.read_bytes()) for file in files]


def _bars(resources: ResourceSet, _: Path) -> None:
    """A dataset of every family."""
    from islandflow_resources.materialise import dataset_ref, make_datasets

    names = sorted(file.stem for file in (FIXTURES / "scenarios").glob("*.json"))
    refs = [dataset_ref(_scenario(name), 1) for name in names]
    place = resources.store, resources.database, resources.engine_runtime
    for _made in make_datasets(*place, refs, _RUN):
        pass


def _backtests(resources: ResourceSet, _: Path) -> None:
    """All strategies on one dataset, alone, in a sweep, resampled and walked forward."""
    from islandflow_resources.evaluations import make_results
    from islandflow_resources.materialise import dataset_ref, make_datasets
    from islandflow_resources.strategies import StrategyList
    from islandflow_resources.trials import TrialChunk, make_chunks
    from islandflow_resources.validations import at_defaults, make_monte_carlo, make_walk_forward

    place = resources.store, resources.database, resources.engine_runtime
    scenario, settings, strategies = _scenario(_SCENARIO), BacktestSettings(), _strategies()
    made = make_datasets(*place, [dataset_ref(scenario, 1)], _RUN)
    inputs = [one.dataset for one in made if one.dataset is not None]
    for _made in make_results(*place, inputs, StrategyList.of(strategies), settings, _RUN):
        pass
    chunks = [TrialChunk(scenario, 1, at_defaults(one), settings, 0, 0) for one in strategies]
    for _chunk in make_chunks(*place, chunks, _RUN):
        pass
    swept = StrategyList.of([one for one in strategies if one.id == _SWEPT])
    for file in sorted((FIXTURES / "monte_carlo_settings").glob("*.json")):
        how = load(MONTE_CARLO, file.read_bytes(), file.name)
        for _made in make_monte_carlo(*place, inputs, swept, settings, how, _RUN):
            pass
    for file in sorted((FIXTURES / "walk_forward_settings").glob("*.json")):
        walk = load(WALK_FORWARD, file.read_bytes(), file.name)
        for _made in make_walk_forward(*place, inputs, swept, settings, walk, "sharpe", _RUN):
            pass
    _luck()


def _luck() -> None:
    """How much of a campaign's result is luck, on figures that stand for its candidates."""
    import numpy as np

    from engine import validate

    sums = np.arange(64, dtype=np.float64).reshape(8, 8) % 7.0 - 3.0
    moments = validate.BlockMoments(np.full(8, 50, np.int64), sums, sums * sums + 1.0)
    validate.overfitting(moments, 8)
    validate.combinatorial(moments, 8)


def _books(resources: ResourceSet, folder: Path) -> None:
    """A tape of orders and its statistics, book and levels, grids and signals by both rules."""
    from islandflow_jobs import book_run, experiment_run, grid_run
    from islandflow_resources.mbo_tapes import make_tape, tape_ref

    spec = load_mbo_spec((FIXTURES / "mbo_specs" / "mbo_quiet.json").read_bytes())
    events, config = folder / "tape.dbn", FIXTURES / "grid_configs" / "grid_shipped.json"
    place = resources.store, resources.database, resources.engine_runtime
    make_tape(*place, tape_ref(spec, 1), folder, _RUN)
    book_run.make(resources, spec, 1, events)
    book_run.check(resources, events, None)
    book_run.levels(resources, events, 10, folder / "levels.parquet", None)
    for compat in ("v1", "v2"):
        request = grid_run.Request(events, config, compat, full=True, checkpoint_every=10_000)
        grid_run.build(resources, request, folder / compat)
        wanted = experiment_run.Series(
            str(folder / compat), "", {}, experiment_run.parse_compat(compat)
        )
        experiment_run.write_signals(resources, wanted, folder / f"{compat}.parquet")
    series = experiment_run.Evaluation(
        folder / "v2.parquet",
        "derivative",
        "signal",
        _THRESHOLDS,
        spec.scenario.tick_size,
        EvalSettings(),
    )
    experiment_run.evaluate(resources, series, folder / "evaluated")


def _sessions(resources: ResourceSet, folder: Path) -> None:
    """A session of equities and options, judged and proved, and what is detected in it."""
    from islandflow_jobs import flow_run, tape_run
    from islandflow_resources.market_tapes import MarketRef, make_market_tape
    from islandflow_resources.tape_reports import judged
    from islandflow_resources.tape_requests import TapeRequest, resolved

    judge = load_profile((FIXTURES / "tape_profiles" / f"{_JUDGED}.json").read_bytes())
    ref = MarketRef(resolved(TapeRequest(judge), None), 1)
    store, database = resources.store, resources.database
    made = make_market_tape(store, store, database, resources.engine_runtime, ref, folder, _RUN)
    if made.tape is not None:
        judged(store, database, made.tape, _RUN)
    file = FIXTURES / "tape_profiles" / f"{_PROFILE}.json"
    request = tape_run.MakeRequest(
        profile=file, seed="1", run_name=_RUN, out=folder / "tape", duration_s=600
    )
    tape_run.make(resources, request, load_profile(file.read_bytes()), None)
    tape_run.verify(resources, folder / "tape", None, with_labels=True)
    flow_run.detect(resources, folder / "tape", folder / "found", None, 0.0)
    list(flow_run.evaluate(resources, folder / "tape", folder / "found", None, as_json=False))


_WORK: Final = (
    ("bars", _bars),
    ("backtests", _backtests),
    ("books", _books),
    ("sessions", _sessions),
)
