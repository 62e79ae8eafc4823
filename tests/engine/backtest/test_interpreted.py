"""The engine run by Python alone gives the bytes that the compiled one gives."""

import json
import os
import subprocess
import sys

from tests.architecture.sources import ROOT
from tests.engine.backtest.cases import CASES, digests


def test_interpreted_kernels_give_the_compiled_bytes():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.backtest.cases"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    interpreted = json.loads(done.stdout)
    assert interpreted["compiled"] is False
    assert interpreted["digests"].keys() == CASES.keys()
    assert interpreted["digests"] == digests()
