"""The partitions of the graph, and which keys a run was asked for.

``scenario`` × ``seed``, ``tape`` × ``seed`` (of orders), ``market`` × ``seed``, ``campaign``,
``source``, ``pipeline`` and ``dataset_campaign``, all dynamic: keys are added when such a thing is
registered (``islandflow_jobs.registration``). Parameters and trials are rows, never partitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import dagster as dg

from contracts.errors import ConfigurationError
from contracts.seeds import parse_seed

SCENARIO: Final = dg.DynamicPartitionsDefinition(name="scenario")
SEED: Final = dg.DynamicPartitionsDefinition(name="seed")
CAMPAIGN: Final = dg.DynamicPartitionsDefinition(name="campaign")
TAPE: Final = dg.DynamicPartitionsDefinition(name="tape")
MARKET: Final = dg.DynamicPartitionsDefinition(name="market")
SOURCE: Final = dg.DynamicPartitionsDefinition(name="source")
PIPELINE: Final = dg.DynamicPartitionsDefinition(name="pipeline")
DATASET_CAMPAIGN: Final = dg.DynamicPartitionsDefinition(name="dataset_campaign")
GRID: Final = dg.MultiPartitionsDefinition({"scenario": SCENARIO, "seed": SEED})
TAPES: Final = dg.MultiPartitionsDefinition({"tape": TAPE, "seed": SEED})
MARKETS: Final = dg.MultiPartitionsDefinition({"market": MARKET, "seed": SEED})

_RANGE_START: Final = "dagster/asset_partition_range_start"
_RANGE_END: Final = "dagster/asset_partition_range_end"
_SCENARIO_TAG: Final = "dagster/partition/scenario"
_SEED_TAG: Final = "dagster/partition/seed"
_TEMPORARY_HOME: Final = ".tmp_dagster_home_"


class Cell(Protocol):
    """Whatever a batch consists of; its text is its key."""

    @property
    def key(self) -> str:
        """The cell as Dagster names it."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One cell of the grid."""

    scenario_key: str
    seed: int

    @property
    def key(self) -> dg.MultiPartitionKey:
        """The cell as Dagster names it."""
        return dg.MultiPartitionKey({"scenario": self.scenario_key, "seed": str(self.seed)})

    def __str__(self) -> str:
        return f"{self.scenario_key}|{self.seed}"


@dataclass(frozen=True, slots=True, order=True)
class TapeCell:
    """One tape and seed."""

    tape_key: str
    seed: int

    @property
    def key(self) -> dg.MultiPartitionKey:
        """The cell as Dagster names it, dimensions in the order of their names."""
        return dg.MultiPartitionKey({"tape": self.tape_key, "seed": str(self.seed)})

    def __str__(self) -> str:
        return f"{self.seed}|{self.tape_key}"


@dataclass(frozen=True, slots=True, order=True)
class MarketCell:
    """One synthetic market and seed."""

    market_key: str
    seed: int

    @property
    def key(self) -> dg.MultiPartitionKey:
        """The cell as Dagster names it."""
        return dg.MultiPartitionKey({"market": self.market_key, "seed": str(self.seed)})

    def __str__(self) -> str:
        return f"{self.market_key}|{self.seed}"


@dataclass(frozen=True, slots=True, order=True)
class SourceCell:
    """One recorded file."""

    source_key: str

    @property
    def key(self) -> str:
        """The cell as Dagster names it."""
        return self.source_key

    def __str__(self) -> str:
        return self.source_key


@dataclass(frozen=True, slots=True, order=True)
class NamedCell:
    """One registered document: a pipeline, or a campaign of datasets."""

    name: str

    @property
    def key(self) -> str:
        """The cell as Dagster names it."""
        return self.name

    def __str__(self) -> str:
        return self.name


def refuse_temporary(instance: dg.DagsterInstance) -> None:
    """Refuse the instance that Dagster's commands make, and delete, without a home.

    An instance in memory is let through: whoever makes one knows that it forgets.

    Raises
    ------
    ConfigurationError
        ``DAGSTER_HOME_UNSET``.
    """
    if not Path(instance.root_directory).name.startswith(_TEMPORARY_HOME):
        return
    raise ConfigurationError(
        "DAGSTER_HOME_UNSET",
        "Dagster uses a temporary instance, which knows no registered partition",
        "DAGSTER_HOME",
        ('run first: eval "$(islandflow env)"',),
    )


def requested(context: dg.AssetExecutionContext) -> list[Partition]:
    """Cells that this step is to make, sorted.

    Raises
    ------
    ConfigurationError
        As `refuse_temporary`.
    ContractError
        ``SEED_NOT_AN_INTEGER`` for a seed key that was not registered through
        islandflow.
    """
    refuse_temporary(context.instance)
    start, end = context.run.tags.get(_RANGE_START), context.run.tags.get(_RANGE_END)
    if start is not None and start == end:
        # Dagster reads both dimensions several times to find what lies between equal ends.
        scenario_key, _, seed = start.partition("|")
        return [Partition(scenario_key, parse_seed(seed))]
    cells: list[Partition] = []
    for key in context.partition_keys:
        assert isinstance(key, dg.MultiPartitionKey)
        parts = key.keys_by_dimension
        cells.append(Partition(parts["scenario"], parse_seed(parts["seed"])))
    return sorted(cells)


def requested_tapes(context: dg.AssetExecutionContext) -> list[TapeCell]:
    """Tapes that this step is to make, sorted, see `requested`."""
    refuse_temporary(context.instance)
    start, end = context.run.tags.get(_RANGE_START), context.run.tags.get(_RANGE_END)
    if start is not None and start == end:
        seed, _, tape_key = start.partition("|")
        return [TapeCell(tape_key, parse_seed(seed))]
    cells: list[TapeCell] = []
    for key in context.partition_keys:
        assert isinstance(key, dg.MultiPartitionKey)
        parts = key.keys_by_dimension
        cells.append(TapeCell(parts["tape"], parse_seed(parts["seed"])))
    return sorted(cells)


def requested_markets(context: dg.AssetExecutionContext) -> list[MarketCell]:
    """Synthetic markets that this step is to make, sorted, see `requested`."""
    refuse_temporary(context.instance)
    start, end = context.run.tags.get(_RANGE_START), context.run.tags.get(_RANGE_END)
    if start is not None and start == end:
        market_key, _, seed = start.partition("|")
        return [MarketCell(market_key, parse_seed(seed))]
    cells: list[MarketCell] = []
    for key in context.partition_keys:
        assert isinstance(key, dg.MultiPartitionKey)
        parts = key.keys_by_dimension
        cells.append(MarketCell(parts["market"], parse_seed(parts["seed"])))
    return sorted(cells)


def requested_sources(context: dg.AssetExecutionContext) -> list[SourceCell]:
    """Recorded files that this step is to look at, sorted, see `requested`."""
    refuse_temporary(context.instance)
    return sorted(SourceCell(key) for key in context.partition_keys)


def requested_documents(context: dg.AssetExecutionContext) -> list[NamedCell]:
    """Documents whose datasets this step is to make, sorted, see `requested`."""
    refuse_temporary(context.instance)
    return sorted(NamedCell(key) for key in context.partition_keys)


def requested_by_run(context: dg.AssetExecutionContext) -> list[Partition]:
    """Cells that the whole run was asked for, seen from an unpartitioned asset."""
    tags = context.run.tags
    start, end = tags.get(_RANGE_START), tags.get(_RANGE_END)
    if start is None or end is None:
        cell = tags.get(_SCENARIO_TAG), tags.get(_SEED_TAG)
        return [Partition(cell[0], parse_seed(cell[1]))] if cell[0] and cell[1] else []
    instance = context.instance
    scenarios = _between(
        list(instance.get_dynamic_partitions("scenario")), start.split("|")[0], end.split("|")[0]
    )
    seeds = _between(
        list(instance.get_dynamic_partitions("seed")), start.split("|")[1], end.split("|")[1]
    )
    return sorted(Partition(name, parse_seed(seed)) for name in scenarios for seed in seeds)


def range_tags(first: Cell, last: Cell) -> dict[str, str]:
    """Tags of a run over the box between two cells, in the order of registration."""
    return {_RANGE_START: str(first), _RANGE_END: str(last)}


def _between(keys: list[str], first: str, last: str) -> list[str]:
    return keys[keys.index(first) : keys.index(last) + 1]
