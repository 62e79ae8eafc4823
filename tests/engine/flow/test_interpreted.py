"""Kernels of the detector run by Python alone give the bytes that the compiled ones give."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.engine.flow.cases import digests

ROOT = Path(__file__).parents[3]


def test_interpreted_kernels_give_the_compiled_bytes():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.flow.cases"],
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
