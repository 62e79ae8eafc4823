"""A scenario and a seed are the same bytes in any process, thread and order.

Against what the bytes should be they are tested in test_agreement.py and test_golden.py.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contracts.errors import ContractError
from engine.paths import simulate
from tests.engine.paths.markets import CASES, FAMILIES, PLAIN, digest, digests, load

ROOT = Path(__file__).parents[3]
JOBS = [(family, seed) for family in FAMILIES for seed in range(6)]


def made(job: tuple[str, int]) -> str:
    family, seed = job
    return digest(simulate(load({**PLAIN[family], "duration_bars": 5000}), seed))


@pytest.mark.parametrize("compiled_for", [{}, {"NUMBA_CPU_NAME": "generic"}], ids=["own", "any"])
def test_another_process_makes_the_same_bytes_also_compiled_for_any_cpu(compiled_for):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.paths.markets"],
        cwd=ROOT,
        env={**os.environ, **compiled_for},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"compiled": True, "digests": digests()}


def test_one_thread_two_threads_and_the_reverse_order_make_the_same_bytes():
    alone = {job: made(job) for job in JOBS}
    for threads in (1, 2):
        with ThreadPoolExecutor(threads) as pool:
            assert dict(zip(JOBS, pool.map(made, JOBS), strict=True)) == alone
    assert {job: made(job) for job in reversed(JOBS)} == alone
    assert len(set(alone.values())) == len(JOBS)


def test_the_seed_argument_counts_and_the_documents_default_does_not():
    doc = PLAIN["trend"]
    assert digest(simulate(load({**doc, "seed": 44}), 3)) == digest(simulate(load(doc), 3))
    assert digest(simulate(load(doc), 4)) != digest(simulate(load(doc), 3))


def test_the_order_of_keys_and_the_form_of_numbers_change_nothing():
    doc = CASES["plain shock_mix"]
    turned = dict(reversed(doc.items()))
    turned["params"] = {"jump_sigma": 80, "sigma": 10.0, "jump_mu": -20, "p_jump": 0.03}
    assert digest(simulate(load(turned), 3)) == digest(simulate(load(doc), 3))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_outside_63_bits_is_refused(seed):
    with pytest.raises(ContractError) as refusal:
        simulate(load(PLAIN["trend"]), seed)
    assert refusal.value.code == "SEED_OUT_OF_RANGE"
