"""Clocks that jump: nothing is lost, told twice or in another order, and nothing young deleted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from contracts.errors import IslandflowError, StoreUnavailableError
from islandflow_resources.database import Database
from islandflow_resources.garbage import Stores, sweep
from islandflow_resources.registry import Registry
from islandflow_resources.retries import Patience, patiently
from tests.faults.campaign_state import campaign_state_of, check_served
from tests.faults.campaigns import ALIAS, INSTANTS, MEMORY
from tests.faults.clock import HOUR_S, jumping
from tests.faults.operations import PROMOTION, opened
from tests.faults.report import Table
from tests.faults.wired import Servers, Whole, assert_rows_stand
from tests.islandflow_resources.promotions import check_whole, promotion
from tests.journeys import children

HEAD = ("clock", "when", "undisturbed s", "took s", "more s")
JUMPS = [(20, 24)]
if INSTANTS > 3:
    # An undisturbed campaign reads its clock some sixty times.
    JUMPS = [(2 + 50 * one // INSTANTS, 24 if one % 2 else -1) for one in range(INSTANTS)]

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("journeys")]


@pytest.mark.parametrize(("reading", "hours"), JUMPS)
def test_a_jump_in_the_middle_changes_nothing_of_what_is_made(
    reading: int, hours: int, whole_operations: Whole, table: Table, tmp_path: Path
):
    whole, whole_s = whole_operations.of(PROMOTION)
    environment = children.embedded(tmp_path / "home") | MEMORY
    resources = opened(environment)
    with jumping(jump=(reading, hours * HOUR_S)) as wall:
        started_s = time.monotonic()
        PROMOTION.run(resources, tmp_path)
        took_s = time.monotonic() - started_s
    assert wall.readings > reading
    assert campaign_state_of(environment) == whole
    # Another process, whose clock is right again, finds all of it.
    PROMOTION.run(resources, tmp_path)
    resources.database.dispose()
    assert campaign_state_of(environment) == whole
    check_served(environment, ALIAS)
    when = f"at reading {reading} of {wall.readings}"
    cells = (f"jumps by {hours:+d} h", when, f"{whole_s:.1f}", f"{took_s:.1f}")
    table.add(max(took_s - whole_s, 0.0), *cells)


def test_a_store_that_refuses_a_wrong_clock_fails_the_run_by_name_and_the_next_run_completes(
    servers: Servers, whole_operations: Whole, table: Table, tmp_path: Path
):
    whole, whole_s = whole_operations.of(PROMOTION)
    resources = opened(servers.environment)
    resources.store.patience = Patience(total_s=0.3)  # type: ignore[attr-defined]
    with jumping(jump=(30, -HOUR_S)), pytest.raises(StoreUnavailableError) as caught:
        PROMOTION.run(resources, tmp_path)
    assert caught.value.code == "CLOCK_SKEWED"
    assert caught.value.retryable
    assert "set the clock" in caught.value.problems[0].hints[0]
    assert_rows_stand(servers.environment)
    started_s = time.monotonic()
    PROMOTION.run(resources, tmp_path)
    took_s = time.monotonic() - started_s
    resources.database.dispose()
    assert campaign_state_of(servers.environment) == whole
    cells = ("jumps by -1 h, S3 refuses", "the next run", f"{whole_s:.1f}", f"{took_s:.1f}")
    table.add(took_s, *cells)


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_sweep_by_a_wrong_clock_deletes_nothing(kind: str, servers: Servers, tmp_path: Path):
    home = {"folder": children.embedded(tmp_path / "own"), "s3": servers.environment}[kind]
    resources = opened(home)
    store = resources.store
    store.put_if_absent("trials/of-a-run.parquet", b"half")
    store.keys()
    # S3 takes requests of clocks that are a quarter of an hour away, and no others.
    codes = {"GC_CLOCK_WRONG"} if kind == "folder" else {"CLOCK_SKEWED"}
    if kind == "s3":
        store.patience = Patience(total_s=0.2)  # type: ignore[attr-defined]
    for hours in (-1, 24 * 8):
        with jumping(hours * HOUR_S), pytest.raises(IslandflowError) as caught:
            sweep(Stores(store, store), resources.database)
        assert {caught.value.code} == codes
    assert store.get("trials/of-a-run.parquet") == b"half"
    resources.database.dispose()


def test_promotions_stay_in_order_whatever_the_clock_says(tmp_path: Path):
    registry = Registry(Database(f"sqlite:///{tmp_path}/x.db"))
    for number, hours in enumerate((0, -1, 24, -48, 0), start=1):
        with jumping(hours * HOUR_S):
            registry.promote(promotion(number))
    check_whole(registry, "champion", [promotion(number).event_id for number in range(1, 6)])
    times = [move.at for move in registry.history("champion")]
    assert times != sorted(times), "the clock did not jump"
    registry.database.dispose()


@pytest.mark.parametrize("hours", [-1, 24])
def test_patience_does_not_hear_the_wall(hours: int):
    tries: list[float] = []

    def fail() -> None:
        tries.append(time.monotonic())
        raise ConnectionError

    with jumping(jump=(2, hours * HOUR_S)), pytest.raises(TimeoutError):
        patiently(
            lambda: (time.time(), fail()),
            what="wait",
            transient=lambda error: isinstance(error, ConnectionError),
            give_up=lambda tried, _: TimeoutError(tried),
            patience=Patience(total_s=0.3, first_s=0.02, longest_s=0.05),
        )
    assert len(tries) > 3
    assert tries[-1] - tries[0] < 1.0
