"""A synthetic market's tape made through wires to store and database that lie, cut and delay.

Beside ``test_wire``, since its kernels are those of the market.
"""

from __future__ import annotations

import pytest

from tests.faults.campaigns import INSTANTS
from tests.faults.operations import TAPE
from tests.faults.report import Table
from tests.faults.wire import POSTGRES_KINDS, S3_KINDS, Faults
from tests.faults.wired import HEAD, LONG, Servers, Whole, check_driven

__all__ = ["HEAD"]

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("seed", range(INSTANTS // 3) if LONG else [2])
def test_a_tape_made_through_bad_wires_is_the_one_made_through_good_ones(
    seed: int, servers: Servers, whole_operations: Whole, table: Table
):
    # Tapes lie in many files that are written one after another: fewer faults take long enough.
    faults = Faults(seed, S3_KINDS, 0.1), Faults(seed, POSTGRES_KINDS, 0.5)
    check_driven(TAPE, faults, servers, whole_operations, table)
