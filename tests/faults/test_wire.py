"""Object store and database through wires that lie, cut and delay: nothing is lost, or told twice.

Campaigns, promotions and the publication of datasets; tapes are in ``test_tape_wire``. A few draws
in the suite, many and every kind by itself in ``make faults``.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from contracts.errors import StoreUnavailableError
from islandflow_resources.retries import Patience
from tests.faults import wire
from tests.faults.campaign_state import campaign_state_of, check_served
from tests.faults.campaigns import ALIAS, INSTANTS
from tests.faults.operations import CAMPAIGN, PROMOTION, PUBLICATION, Operation, opened
from tests.faults.report import Table
from tests.faults.wire import POSTGRES_KINDS, S3_KINDS, Faults
from tests.faults.wired import (
    HEAD,
    LONG,
    Servers,
    Whole,
    assert_part_of,
    assert_rows_stand,
    check_driven,
)

__all__ = ["HEAD"]

DRAWS = [
    (PROMOTION, 1, S3_KINDS, POSTGRES_KINDS),
    (PUBLICATION, 2, S3_KINDS, POSTGRES_KINDS),
]
if LONG:
    DRAWS += [
        (operation, seed, S3_KINDS, POSTGRES_KINDS)
        for operation in (CAMPAIGN, PROMOTION, PUBLICATION)
        for seed in range(10, 10 + INSTANTS // 3)
    ]
    DRAWS += [
        (operation, 100 + seed, kinds, others)
        for operation in (PROMOTION, PUBLICATION)
        for seed, (kinds, others) in enumerate(
            [*(((kind,), ()) for kind in S3_KINDS), *(((), (kind,)) for kind in POSTGRES_KINDS)]
        )
        # Datasets that are new are published without reading any.
        if (operation, kinds) != (PUBLICATION, ("cut download",))
    ]

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("journeys")]


@pytest.mark.parametrize(("operation", "seed", "kinds", "others"), DRAWS)
def test_what_goes_through_bad_wires_ends_as_if_they_had_been_good(
    operation: Operation,
    seed: int,
    kinds: tuple[str, ...],
    others: tuple[str, ...],
    servers: Servers,
    whole_operations: Whole,
    table: Table,
):
    check_driven(
        operation, (Faults(seed, kinds), Faults(seed, others)), servers, whole_operations, table
    )
    if operation is PROMOTION:
        check_served(servers.environment, ALIAS)


@pytest.mark.parametrize("seed", range(3) if LONG else [0])
@pytest.mark.parametrize("kind", [wire.FULL, "503"] if LONG else [wire.FULL])
def test_a_store_that_takes_no_more_fails_the_run_by_name_and_the_next_run_completes(
    kind: str,
    seed: int,
    servers: Servers,
    whole_operations: Whole,
    table: Table,
    tmp_path: Path,
):
    whole, whole_s = whole_operations.of(PROMOTION)
    # Some objects are refused for good, so that it fails in the middle.
    faults = Faults(seed, (kind,), share=0.15, most=1_000_000, is_lasting=True)
    with servers.wired(faults, Faults(seed, ())) as environment:
        resources = opened(environment)
        resources.store.patience = Patience(total_s=0.3)  # type: ignore[attr-defined]
        with pytest.raises(StoreUnavailableError) as caught:
            PROMOTION.run(resources, tmp_path)
        resources.database.dispose()
    assert caught.value.code == ("STORE_FULL" if kind == wire.FULL else "STORE_UNAVAILABLE")
    assert caught.value.retryable
    assert caught.value.problems[0].hints
    left = campaign_state_of(servers.environment)
    assert_part_of(left, whole)
    assert_rows_stand(servers.environment)
    resources = opened(servers.environment)
    started_s = time.monotonic()
    PROMOTION.run(resources, tmp_path)
    took_s = time.monotonic() - started_s
    resources.database.dispose()
    assert campaign_state_of(servers.environment) == whole
    name = f"{PROMOTION.name}, which fails, and the next run"
    table.add(
        took_s, name, f"{kind} to some objects for good", "", f"{whole_s:.1f}", f"{took_s:.1f}"
    )
