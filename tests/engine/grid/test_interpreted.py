"""The machine run by Python alone gives the bytes that the compiled one gives."""

import json
import os
import subprocess
import sys

from tests.architecture.sources import ROOT
from tests.engine.grid.runs import CASES, config, digests, whole


def test_interpreted_kernels_give_the_compiled_bytes_for_every_case():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.grid.runs"],
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


def test_the_cases_reach_what_is_rare():
    runs = {
        name: whole(config(**changes), events, compat)
        for name, (compat, changes, events) in CASES.items()
    }
    reached = {
        name.removeprefix("anomalies.")
        for columns in runs.values()
        for name, value in columns.items()
        if name.startswith("anomalies.") and value > 0
    }
    assert reached == {
        "duplicate_add", "unknown_cancel", "unknown_modify", "unknown_fill", "over_cancel",
        "over_fill", "zero_size", "bad_side", "side_change", "off_tick", "out_of_range",
        "time_regression", "sequence_regression", "crossed", "unconfirmed_fills",
    }  # fmt: skip
    assert any((columns["flow_state_code"] != 0).any() for columns in runs.values())
    assert any((columns["state_model_z1"] != 0).any() for columns in runs.values())
