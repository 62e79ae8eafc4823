"""Which cells a step and a run were asked for, seen from inside real runs."""

import contextlib

import dagster as dg
import pytest

from contracts.errors import ConfigurationError, ContractError
from islandflow_assets.partitions import (
    GRID,
    MARKETS,
    SOURCE,
    TAPES,
    MarketCell,
    Partition,
    SourceCell,
    TapeCell,
    range_tags,
    refuse_temporary,
    requested,
    requested_by_run,
    requested_markets,
    requested_sources,
    requested_tapes,
)
from tests.graph import fast_folder

SCENARIOS = ("zebra", "apple", "mango")
SEEDS = ("7", "1", "30", "2")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("scenario", list(SCENARIOS))
        instance.add_dynamic_partitions("seed", list(SEEDS))
        yield instance


def asked(instance, *, tags=None, partition_key=None):
    """What a partitioned asset and an unpartitioned one after it say they were asked for."""
    seen = {}

    @dg.asset(partitions_def=GRID, backfill_policy=dg.BackfillPolicy.single_run())
    def cell(context) -> None:
        seen["step"] = requested(context)

    @dg.asset(deps=[cell])
    def gathered(context) -> None:
        seen["run"] = requested_by_run(context)

    job = dg.define_asset_job("probe", [cell, gathered], executor_def=dg.in_process_executor)
    definitions = dg.Definitions(assets=[cell, gathered], jobs=[job])
    definitions.resolve_job_def("probe").execute_in_process(
        instance=instance, tags=tags, partition_key=partition_key
    )
    return seen["step"], seen["run"]


def test_a_run_of_one_cell_is_asked_for_that_cell(instance):
    cell = Partition("apple", 30)
    assert asked(instance, partition_key=cell.key) == ([cell], [cell])


def test_the_dimension_tags_of_a_command_line_ask_for_one_cell(instance):
    tags = {"dagster/partition/scenario": "mango", "dagster/partition/seed": "2"}
    cell = Partition("mango", 2)
    assert asked(instance, tags=tags) == ([cell], [cell])


def test_a_range_asks_for_the_box_in_the_order_of_registration(instance):
    tags = range_tags(Partition("zebra", 1), Partition("apple", 30))
    box = [Partition("apple", 1), Partition("apple", 30), Partition("zebra", 1)]
    box.append(Partition("zebra", 30))
    assert asked(instance, tags=tags) == (box, box)


def test_a_range_of_one_cell_asks_for_one(instance):
    cell = Partition("zebra", 7)
    assert asked(instance, tags=range_tags(cell, cell)) == ([cell], [cell])


def test_seeds_sort_as_numbers_and_not_as_texts(instance):
    cells, _ = asked(instance, tags=range_tags(Partition("apple", 7), Partition("apple", 2)))
    assert [cell.seed for cell in cells] == [1, 2, 7, 30]


def test_an_unpartitioned_run_is_asked_for_no_cell(instance):
    seen = []

    @dg.asset
    def gathered(context) -> None:
        seen.append(requested_by_run(context))

    assert dg.materialize([gathered], instance=instance).success
    assert seen == [[]]


def test_a_seed_that_is_no_integer_is_refused(instance):
    instance.add_dynamic_partitions("seed", ["seven"])
    with pytest.raises(ContractError) as caught:
        asked(instance, partition_key=dg.MultiPartitionKey({"scenario": "apple", "seed": "seven"}))
    assert caught.value.code == "SEED_NOT_AN_INTEGER"


def test_a_cell_is_named_as_dagster_names_it():
    cell = Partition("apple-0123", 2**63 - 1)
    assert str(cell) == str(cell.key) == f"apple-0123|{2**63 - 1}"


def test_a_run_on_the_instance_of_a_command_without_a_home_fails_with_the_hint():
    with fast_folder() as place, contextlib.ExitStack() as stack:
        home = place / ".tmp_dagster_home_x1"
        home.mkdir()
        instance = stack.enter_context(dg.DagsterInstance.local_temp(str(home)))
        instance.add_dynamic_partitions("scenario", list(SCENARIOS))
        instance.add_dynamic_partitions("seed", list(SEEDS))
        with pytest.raises(ConfigurationError) as caught:
            asked(instance, partition_key=Partition("apple", 1).key)
    assert caught.value.code == "DAGSTER_HOME_UNSET"
    assert "islandflow env" in caught.value.hints[0]


def test_instances_in_memory_and_in_a_home_are_let_through(instance, graph):
    refuse_temporary(instance)
    refuse_temporary(graph.instance)
    assert graph.instance.is_persistent


@pytest.mark.parametrize("cells", [[("b", 7)], [("b", 7), ("a", 1)]])
@pytest.mark.parametrize(
    ("dimension", "partitions", "kind", "asked_for"),
    [
        ("tape", TAPES, TapeCell, requested_tapes),
        ("market", MARKETS, MarketCell, requested_markets),
    ],
)
def test_a_step_over_tapes_or_markets_sees_its_cells(dimension, partitions, kind, asked_for, cells):
    seen = []

    @dg.asset(partitions_def=partitions, backfill_policy=dg.BackfillPolicy.single_run())
    def made(context) -> None:
        seen.append(asked_for(context))

    wanted = [kind(*cell) for cell in cells]
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(dimension, ["b", "a"])
        instance.add_dynamic_partitions("seed", ["7", "1"])
        job = dg.Definitions(assets=[made]).resolve_implicit_global_asset_job_def()
        tags = range_tags(wanted[0], wanted[-1])
        assert job.execute_in_process(instance=instance, tags=tags).success
        assert job.execute_in_process(instance=instance, partition_key=wanted[0].key).success
    names, seeds = {name for name, _ in cells}, {seed for _, seed in cells}
    box = sorted(kind(name, seed) for name in names for seed in seeds)
    assert seen == [box, [wanted[0]]]
    assert [str(cell) for cell in wanted] == [str(cell.key) for cell in wanted]


def test_a_step_over_sources_sees_its_cells():
    seen = []

    @dg.asset(partitions_def=SOURCE, backfill_policy=dg.BackfillPolicy.single_run())
    def made(context) -> None:
        seen.append(requested_sources(context))

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("source", ["z", "a"])
        job = dg.Definitions(assets=[made]).resolve_implicit_global_asset_job_def()
        tags = range_tags(SourceCell("z"), SourceCell("a"))
        assert job.execute_in_process(instance=instance, tags=tags).success
        assert job.execute_in_process(instance=instance, partition_key="z").success
    assert seen == [[SourceCell("a"), SourceCell("z")], [SourceCell("z")]]
    assert SourceCell("z").key == str(SourceCell("z")) == "z"
