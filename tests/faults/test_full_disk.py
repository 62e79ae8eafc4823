"""A campaign on a disk that is full before it ends: a named error, nothing torn, then all of it.

Sizes are drawn over what an undisturbed campaign takes; objects and registry lie on the same disk.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.campaign_state import campaign_state_of, check_served
from tests.faults.campaign_worker import Worker
from tests.faults.campaigns import ALIAS, INSTANTS
from tests.faults.operations import PROMOTION
from tests.faults.report import Table
from tests.faults.wired import Whole, assert_part_of, assert_rows_stand
from tests.journeys import children

HEAD = ("disk of kB", "made small by", "error", "objects then", "undisturbed s", "next run s")
DRAWS = INSTANTS if INSTANTS > 3 else 1

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("journeys")]


@pytest.mark.parametrize("draw", range(DRAWS))
def test_a_run_on_a_full_disk_fails_by_name_and_completes_when_there_is_room(
    draw: int,
    worker: Worker,
    whole_operations: Whole,
    table: Table,
    tmp_path: Path,
):
    whole, whole_s = whole_operations.of(PROMOTION)
    # A disk of 88 % of what an undisturbed run takes was once enough. Below the least even the
    # tables do not fit, which is drawn, too, in the long form.
    share = 0.8 * (draw + random.Random(draw).random()) / DRAWS
    all_bytes, largest_bytes = (int(share * one) for one in whole_operations.taken(PROMOTION))
    told = worker.on_a_disk(tmp_path, all_bytes, largest_bytes)
    first = told["first"]
    assert first["code"] in {"STORE_FULL", "DATABASE_FULL"}, first
    assert first["retryable"]
    assert "free space" in first["hints"][0]
    failed = children.embedded(tmp_path / "failed")
    left = campaign_state_of(failed)
    assert_part_of(left, whole)
    assert_rows_stand(failed)
    assert told["again"] == {}
    again = children.embedded(tmp_path / "again")
    assert campaign_state_of(again) == whole
    check_served(again, ALIAS)
    objects, size_kb = len(left.state.objects), told["size_bytes"] >> 10
    cells = (size_kb, told["way"], first["code"], objects, f"{whole_s:.1f}")
    table.add(told["took_s"], *cells)
