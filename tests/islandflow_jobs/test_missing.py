"""Boxes over missing cells: exact cover, for any grid and any gaps."""

from hypothesis import given
from hypothesis import strategies as st

from islandflow_assets.partitions import Partition
from islandflow_jobs.missing import missing_ranges


@st.composite
def grids(draw):
    """Scenario keys, seed keys and a set of missing cells."""
    rows, columns = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    scenarios = draw(st.permutations([f"s{i}" for i in range(rows)]))
    numbers = draw(st.lists(st.integers(0, 2**63 - 1), min_size=columns, max_size=columns,
                            unique=True))  # fmt: skip
    seeds = [str(number) for number in numbers]
    cells = [f"{scenario}|{seed}" for scenario in scenarios for seed in seeds]
    missing = {cell for cell in cells if draw(st.booleans())}
    return scenarios, seeds, missing


def cells_of(box, scenarios, seeds):
    """Cells that Dagster makes of a range: the box, in the order of registration."""
    (first, last) = box
    rows = scenarios[scenarios.index(first.scenario_key) : scenarios.index(last.scenario_key) + 1]
    columns = seeds[seeds.index(str(first.seed)) : seeds.index(str(last.seed)) + 1]
    assert rows
    assert columns
    return [f"{row}|{column}" for row in rows for column in columns]


@given(grids())
def test_boxes_cover_every_missing_cell_once_and_no_other(grid):
    scenarios, seeds, missing = grid
    boxes = missing_ranges(scenarios, seeds, missing)
    covered = [cell for box in boxes for cell in cells_of(box, scenarios, seeds)]
    assert sorted(covered) == sorted(missing)


@given(grids())
def test_a_grid_of_which_everything_is_missing_is_one_box(grid):
    scenarios, seeds, _ = grid
    everything = {f"{scenario}|{seed}" for scenario in scenarios for seed in seeds}
    boxes = missing_ranges(scenarios, seeds, everything)
    assert len(boxes) == (1 if everything else 0)


def test_a_hole_splits_its_row_and_leaves_the_rows_beside_it_whole():
    missing = {f"{row}|{seed}" for row in "abc" for seed in (1, 2, 3)} - {"b|2"}
    boxes = missing_ranges(["a", "b", "c"], ["1", "2", "3"], missing)
    assert boxes == [
        (Partition("a", 1), Partition("a", 3)),
        (Partition("b", 1), Partition("b", 1)),
        (Partition("b", 3), Partition("b", 3)),
        (Partition("c", 1), Partition("c", 3)),
    ]


def test_missing_cells_that_are_registered_no_more_are_left_out():
    assert missing_ranges(["a"], ["1"], {"gone|1", "a|9"}) == []
