"""Overfitting run by Python alone gives the bytes that the compiled kernels give."""

import json
import os
import subprocess
import sys

import numpy as np

from engine.stats import normal_cdf
from engine.validate import BlockMoments, combinatorial, deflated_sharpe, kernels, overfitting
from tests.architecture.sources import ROOT


def figures() -> dict[str, object]:
    """Everything that kernels compute here, floats by their bytes."""
    returns = np.random.default_rng(4).normal(0, 0.01, (7, 16, 11))
    returns[3] = returns[1]
    returns[5] = 0.0
    returns[6, 8:] = 0.0
    moments = BlockMoments(np.full(16, 11), returns.sum(axis=2), (returns**2).sum(axis=2))
    found: dict[str, object] = {}
    for blocks in (2, 4, 8):
        made = overfitting(moments, blocks)
        arrays = (made.logits, made.chosen, made.in_sample, made.out_of_sample)
        found[f"pbo of {blocks}"] = [made.pbo, *(values.tobytes().hex() for values in arrays)]
    found["paths"] = combinatorial(moments, 8).path_sharpes.tobytes().hex()
    found["cdf"] = [normal_cdf(x).hex() for x in np.linspace(-38, 38, 501).tolist()]
    found["deflated"] = deflated_sharpe(0.2, 500, -0.4, 4.0, 30, 0.004)
    return found


def test_interpreted_kernels_give_the_compiled_bytes():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.validate.test_interpreted"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    interpreted = json.loads(done.stdout)
    assert interpreted["compiled"] is False
    assert interpreted["figures"] == figures()


if __name__ == "__main__":
    compiled = hasattr(kernels.judge_splits, "py_func")
    sys.stdout.write(json.dumps({"compiled": compiled, "figures": figures()}))
