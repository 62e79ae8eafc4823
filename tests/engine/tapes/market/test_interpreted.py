"""Kernels run by Python alone give the bytes that the compiled ones give."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from contracts.flow import ACTORS
from tests.engine.tapes.market.markets import CASES, digests, make

ROOT = Path(__file__).parents[4]


def test_interpreted_kernels_give_the_compiled_bytes_for_every_case():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.tapes.market.markets"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    interpreted = json.loads(done.stdout)
    assert interpreted["compiled"] is False
    assert interpreted["digests"] == digests()


def test_the_compared_cases_hold_every_actor_and_every_stream():
    tapes = [make(spec, 5) for spec in CASES.values()]
    actors = np.concatenate([tape["print_labels"]["actor"] for tape in tapes])
    assert set(actors) == set(ACTORS)
    assert all(
        len(tape[name]["seq"]) for tape in tapes for name in ("equity_prints", "option_nbbo")
    )
    assert any(tape["print_labels"]["package_id"].min() < 0 for tape in tapes)
