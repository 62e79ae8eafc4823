"""Which boxes of the grid cover what is missing: pure arithmetic on keys.

A run takes a box of scenarios × seeds in the order of registration; these boxes
hold missing cells only. What is missing is decided in ``schedules``.
"""

from __future__ import annotations

from contracts.seeds import parse_seed
from islandflow_assets.partitions import Partition


def missing_ranges(
    scenarios: list[str], seeds: list[str], missing: set[str]
) -> list[tuple[Partition, Partition]]:
    """Corners of boxes that cover the missing cells and no others.

    Parameters
    ----------
    scenarios, seeds : list of str
        Keys of both dimensions, in the order of registration.
    missing : set of str
        Cells as ``scenario|seed``.

    Examples
    --------
    >>> [(str(a), str(b)) for a, b in missing_ranges(["x", "y"], ["1", "2"], {"x|2", "y|2"})]
    [('x|2', 'y|2')]
    """
    boxes: list[tuple[int, int, int, int]] = []
    above: dict[tuple[int, int], int] = {}
    for row, scenario in enumerate(scenarios):
        wanted = [f"{scenario}|{seed}" in missing for seed in seeds]
        above = {span: _extend(boxes, above.get(span), row, span) for span in _runs(wanted)}
    return [
        (
            Partition(scenarios[top], parse_seed(seeds[left])),
            Partition(scenarios[bottom], parse_seed(seeds[right])),
        )
        for top, bottom, left, right in boxes
    ]


def _runs(wanted: list[bool]) -> list[tuple[int, int]]:
    """First and last index of every unbroken run of true values."""
    starts = [i for i, on in enumerate(wanted) if on and (i == 0 or not wanted[i - 1])]
    stops = [i for i, on in enumerate(wanted) if on and (i + 1 == len(wanted) or not wanted[i + 1])]
    return list(zip(starts, stops, strict=True))


def _extend(
    boxes: list[tuple[int, int, int, int]], place: int | None, row: int, span: tuple[int, int]
) -> int:
    """Grow the box at a place, of the row above with the same seeds, or open a new one."""
    if place is None:
        boxes.append((row, row, *span))
        return len(boxes) - 1
    boxes[place] = (boxes[place][0], row, *span)
    return place
