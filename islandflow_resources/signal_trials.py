"""Trials of signals in chunks: parameter sets of one signal on one grid dataset, made once.

A chunk is the unit of resumption: it is stored under its recipe, recorded, and never made again.
Which chunks an experiment needs is ``experiment_trials``; what their rows mean,
``docs/signals.md``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa

from contracts.canonical import Document, canonical_json
from contracts.digest import bare, document_digest, recipe_digest
from contracts.experiment import EvalSettings
from contracts.signal_columns import SIGNAL_TRIALS
from contracts.validation import BLOCKS
from engine.signals.api import VERSION as SIGNALS_VERSION
from engine.signals.definition import Definition
from engine.signals.evaluate import Evaluated, Evaluator, Rule, Terms
from engine.signals.measure import COUNTS
from engine.signals.ml import versions
from engine.signals.registry import LEARNT
from engine.signals.thresholds import V1_FIRST_BIN, thresholds
from islandflow_resources.database import Database
from islandflow_resources.derived import Recipe, made_table
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.experiments import Variant, set_id_of, told_params
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.signal_data import Floats, SignalData, signal_values, signal_values_v1
from islandflow_resources.table_schemas import array_of, from_arrays, nullable_of, strings_of

WHAT: Final = "signal_trials"
MAX_SETS: Final = 64
"""Most parameter sets of a chunk."""
_FLOATS: Final = (
    "tp_rate", "sl_rate", "timeout_rate", "events_per_hour", "median_time_to_outcome_ms",
    "mean_pnl_ticks", "ci_low", "ci_high", "total_pnl_ticks", "mean_cost_ticks", "sharpe",
    "max_drawdown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where thresholds come from, and from which bin on anything is traded.

    Attributes
    ----------
    dataset_digest : str
        Of the experiment's first dataset.
    first_bin : int
    """

    dataset_digest: str
    first_bin: int


@dataclass(frozen=True)
class SignalChunk:
    """Some parameter sets of one signal on one dataset.

    Attributes
    ----------
    variant : Variant
    signal : type of Definition
    sets : tuple of dict
    settings : EvalSettings
    gap_bins : int
    calibration : Calibration
    """

    variant: Variant
    signal: type[Definition]
    sets: tuple[dict[str, float], ...]
    settings: EvalSettings
    gap_bins: int
    calibration: Calibration

    @property
    def barriers(self) -> list[tuple[int, int, int]]:
        """Take-profit, stop-loss and cooldown of every run of a set."""
        how = self.settings
        return list(itertools.product(how.tp_ticks, how.sl_ticks, how.cooldown_bins))

    @property
    def runs(self) -> int:
        """Runs of the chunk, each a row for every threshold."""
        return len(self.sets) * len(self.barriers)

    @cached_property
    def specs(self) -> Document:
        """What besides the dataset the trials depend on."""
        return {
            "config": self.variant.digest,
            "signal": [self.signal.name, str(self.signal.version)],
            **libraries_of(self.signal),
            "sets": [dict(one) for one in self.sets],
            "settings": self.settings.document(),
            "gap_bins": self.gap_bins,
            "first_bin": self.calibration.first_bin,
        }

    def recipe(self, dataset_id: str, dataset_digest: str) -> Recipe:
        """Recipe over a dataset."""
        digest = recipe_digest(
            WHAT,
            version=SIGNALS_VERSION,
            specs=self.specs,
            inputs={"grid": dataset_digest, "calibration": self.calibration.dataset_digest},
        )
        folder = f"trials/dataset={dataset_id}/signal={self.signal.name}"
        detail: Document = {"signal": self.signal.name, "sets": document_digest(self.specs)}
        return Recipe(WHAT, digest, folder, SIGNALS_VERSION, dataset_id, None, detail)

    def run_id(self, dataset_digest: str, params: dict[str, float], rule: Sequence[int]) -> str:
        """Identity of one run."""
        digest = recipe_digest(
            "signal_run",
            version=SIGNALS_VERSION,
            specs={**self.specs, "sets": [dict(params)], "rule": [*rule]},
            inputs={"grid": dataset_digest, "calibration": self.calibration.dataset_digest},
        )
        return bare(digest)[:32]


def libraries_of(signal: type[Definition]) -> Document:
    """Versions of the libraries that a learnt signal's values follow from; else nothing."""
    return {"libraries": dict(versions())} if signal.name in LEARNT else {}


def make_chunk(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    chunk: SignalChunk,
    data: SignalData,
    levels: Sequence[tuple[float, ...]] | None,
    run_id: str,
) -> Any:
    """The trials of a chunk: found whole, or made, stored and recorded.

    Parameters
    ----------
    levels : sequence of tuple of float, optional
        Thresholds of every set; None for the first dataset, on which they are calibrated.

    Returns
    -------
    DerivedTable
    """
    dataset = data.dataset
    recipe = chunk.recipe(dataset.dataset_id, dataset.content_digest)

    def make() -> pa.Table:
        with runtime.computing():
            values = values_of(data, runtime, chunk)
            own = levels or [
                calibrated(chunk, data, row, one)
                for row, one in zip(values, chunk.sets, strict=True)
            ]
            return trials_table(chunk, data, runtime, values, own)

    return made_table(store, database, recipe, SIGNAL_TRIALS, make, run_id)


def levels_of(chunk: SignalChunk, trials: pa.Table) -> list[tuple[float, ...]]:
    """Thresholds of every set, as a chunk's trials tell them."""
    found: dict[str, dict[float, None]] = {}
    for params, threshold in zip(
        trials["params"].to_pylist(), trials["threshold"].to_pylist(), strict=True
    ):
        told = json.loads(params)
        own = {name: value for name, value in told.items() if name.startswith("signal.")}
        found.setdefault(canonical_json(own).decode(), {})[threshold] = None
    wanted = [
        canonical_json({f"signal.{name}": value for name, value in one.items()}).decode()
        for one in chunk.sets
    ]
    return [tuple(found[one]) for one in wanted]


def values_of(data: SignalData, runtime: EngineRuntime, chunk: SignalChunk) -> Floats:
    """Values of a chunk's sets, shape (sets, bins)."""
    if chunk.settings.compat == "v1":
        return signal_values_v1(data, chunk.signal, chunk.sets)
    return signal_values(data, runtime, chunk.signal, chunk.sets)


def calibrated(
    chunk: SignalChunk, data: SignalData, values: Floats, params: dict[str, float]
) -> tuple[float, ...]:
    """Thresholds of one set: those that are asked for, else by the signal's rule."""
    if chunk.settings.thresholds is not None:
        return tuple(chunk.settings.thresholds)
    warm = chunk.signal.warm_bins(params, data.runtime.cell_width_ms)
    if chunk.settings.compat == "v1":
        return thresholds(chunk.signal, values[warm or V1_FIRST_BIN :])
    first, stop = max(warm, chunk.settings.warmup_bins), chunk.calibration.first_bin
    seen = values[first:stop]
    return thresholds(chunk.signal, seen[np.isfinite(seen)])


def evaluator_of(
    data: SignalData, settings: EvalSettings, first_bin: int, gap_bins: int = 0
) -> Evaluator:
    """Rules of some settings on a dataset."""
    pairs = list(itertools.product(settings.tp_ticks, settings.sl_ticks))
    if settings.compat == "v1":
        terms = Terms(
            settings.max_hold_bins,
            settings.warmup_bins,
            single=False,
            at_barrier=False,
            capital_ticks=settings.capital_ticks,
            gap_bins=gap_bins,
        )
        return Evaluator(data.market_v1, terms, pairs)
    costs, market = settings.costs, data.market
    if costs.spread_ticks is not None:
        market = market._replace(spread_ticks=np.full(data.bins, costs.spread_ticks))
    terms = Terms(
        settings.max_hold_bins,
        first_bin,
        single=settings.positions == "single",
        at_barrier=True,
        extra_ticks=2.0 * costs.fee_ticks + 2.0 * costs.slippage_ticks,
        capital_ticks=settings.capital_ticks,
        gap_bins=gap_bins,
    )
    return Evaluator(market, terms, pairs)


def rules_of(barriers: Sequence[tuple[int, int, int]], levels: Sequence[float]) -> list[Rule]:
    """Rules of one set: barriers and cooldowns, each with every threshold."""
    return [Rule(level, tp, sl, cooldown) for tp, sl, cooldown in barriers for level in levels]


def trials_table(
    chunk: SignalChunk,
    data: SignalData,
    runtime: EngineRuntime,
    values: Floats,
    levels: Sequence[tuple[float, ...]],
) -> pa.Table:
    """Evaluate a chunk.

    Parameters
    ----------
    values : ndarray, shape (sets, bins), float64
    levels : sequence of tuple of float
        Thresholds of every set.
    """
    evaluator = evaluator_of(data, chunk.settings, chunk.calibration.first_bin, chunk.gap_bins)

    def evaluate(index: int) -> pa.Table:
        rules = rules_of(chunk.barriers, levels[index])
        found = evaluator.run(values[index], rules, chunk.signal.mode)
        return _rows(chunk, data.dataset.content_digest, index, rules, found)

    with ThreadPoolExecutor(runtime.threads) as pool:
        parts = list(pool.map(evaluate, range(len(chunk.sets))))
    return pa.concat_tables(parts).combine_chunks()


def _rows(
    chunk: SignalChunk, digest: str, index: int, rules: Sequence[Rule], found: Evaluated
) -> pa.Table:
    params, columns = chunk.sets[index], found.columns
    keys = [(one.tp_ticks, one.sl_ticks, one.cooldown_bins) for one in rules]
    runs = {key: chunk.run_id(digest, params, key) for key in dict.fromkeys(keys)}
    told = [told_params(params, key, rule.threshold) for key, rule in zip(keys, rules, strict=True)]
    ids = [set_id_of(chunk.variant, chunk.signal, params, one) for one in told]
    return from_arrays(
        SIGNAL_TRIALS,
        {
            "run_id": strings_of([runs[key] for key in keys]),
            "set_id": strings_of(ids),
            "params": strings_of([canonical_json(dict(one)).decode() for one in told]),
            "tp_ticks": array_of(np.array([key[0] for key in keys], dtype=np.int64)),
            "sl_ticks": array_of(np.array([key[1] for key in keys], dtype=np.int64)),
            "cooldown_bins": array_of(np.array([key[2] for key in keys], dtype=np.int64)),
            "threshold": array_of(np.array([rule.threshold for rule in rules])),
            **{
                name: array_of(np.ascontiguousarray(found.counts[:, COUNTS.index(name)]))
                for name in ("n_signals", "n_up", "n_down", "unpriced")
            },
            **{name: nullable_of(columns[name]) for name in _FLOATS},
            **{f"return_power_{k + 1}": nullable_of(found.powers[:, k].copy()) for k in range(4)},
            **{f"block_sum_{b:02}": nullable_of(found.sums[:, b].copy()) for b in range(BLOCKS)},
            **{
                f"block_squares_{b:02}": nullable_of(found.squares[:, b].copy())
                for b in range(BLOCKS)
            },
        },
    )
