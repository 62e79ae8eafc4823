"""Scenario documents of every family and edge, and what the engine makes of them.

Parameters are named by what is special about them. The expected bars come from
tests/oracles/paths.py; documents drawn at random from tests/properties/scenarios.py.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from contracts.scenario import ScenarioSpec, load_scenario
from contracts.seeds import stream_id
from engine.mathx import log
from engine.paths import Bars, simulate
from engine.rng import fill_uniforms, to_normals

COLUMNS = ("ts_ns", "open_ticks", "high_ticks", "low_ticks", "close_ticks", "volume_lots")
FAMILIES = (
    "trend",
    "mean_revert",
    "level_revert",
    "vol_cluster",
    "shock_mix",
    "regime_switch",
)


def document(family: str, params: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a whole document around the parameters of a family."""
    return {
        "id": family,
        "version": "0.1",
        "timeframe": "1m",
        "duration_bars": 400,
        "seed": 1,
        "family": family,
        "volume_model": "lognormal",
        "params": params,
        **changes,
    }


def regimes(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"drift": drift, "sigma": sigma} for drift, sigma in pairs]


TWO = {"regimes": regimes((5, 10), (-8, 40)), "transition": [[0.95, 0.05], [0.1, 0.9]]}
PERIODIC = {"regimes": regimes((3, 10), (-3, 20)), "transition": [[0.0, 1.0], [1.0, 0.0]]}
ABSORBING = {
    "regimes": regimes((1, 5), (2, 10), (-1, 15), (0, 0), (0, 25)),
    "transition": [
        [0.7, 0.1, 0.1, 0.05, 0.05],
        [0.1, 0.8, 0.0, 0.1, 0.0],
        [0.0, 0.0, 0.5, 0.3, 0.2],
        [0.0, 0.0, 0.25, 0.5, 0.25],
        [0.0, 0.0, 0.1, 0.2, 0.7],
    ],
}
SLOW = {
    "regimes": regimes((0, 10), (0, 30)),
    "transition": [[1 - 1e-10, 1e-10], [3e-10, 1 - 3e-10]],
}
FINE = {"start_price": 87_654.321, "tick_size": 0.001}
COARSE = {"start_price": 3.0, "tick_size": 0.02, "timeframe": "4h"}

PLAIN: dict[str, dict[str, Any]] = {
    "trend": document("trend", {"drift": 2.0, "sigma": 30.0}),
    "mean_revert": document("mean_revert", {"kappa": 0.2, "theta": 1.0, "sigma": 8.0}),
    "level_revert": document("level_revert", {"kappa": 0.05, "sigma": 25.0, "level": 105.0}),
    "vol_cluster": document("vol_cluster", {"omega": 2.0, "alpha": 0.08, "beta": 0.9, "mu": 0.5}),
    "shock_mix": document("shock_mix", {"p_jump": 0.03, "jump_mu": -20.0, "jump_sigma": 80.0}),
    "regime_switch": document("regime_switch", TWO),
}
"""One everyday document of each family; the goldens are made of these."""

EDGES: dict[str, dict[str, Any]] = {
    "trend without noise": document("trend", {"drift": 3.0, "sigma": 0.0}),
    "trend that stands still": document("trend", {"drift": 0, "sigma": 0}, volume_model="const"),
    "trend on a fine grid": document("trend", {"drift": -4.0, "sigma": 55.0}, **FINE),
    "trend on a coarse grid": document("trend", {"drift": 0.0, "sigma": 15.0}, **COARSE),
    "trend over block borders": document(
        "trend", {"drift": 0.0, "sigma": 12.0}, duration_bars=2500, timeframe="1d"
    ),
    "returns that barely revert": document(
        "mean_revert", {"kappa": 1e-7, "theta": 0.0, "sigma": 0.001}
    ),
    "returns that revert at once": document(
        "mean_revert", {"kappa": 900.0, "theta": -2.0, "sigma": 300.0}
    ),
    "returns around a negative mean": document(
        "mean_revert",
        {"kappa": 1.7, "theta": -9.5, "sigma": 40.0},
        duration_bars=2100,
        **FINE,
    ),
    "level that barely reverts": document(
        "level_revert", {"kappa": 1e-9, "sigma": 20.0, "level": 1.0}
    ),
    "level that reverts at once": document(
        "level_revert", {"kappa": 5e4, "sigma": 900.0, "level": 250.0}
    ),
    "level far from the start": document(
        "level_revert",
        {"kappa": 0.01, "sigma": 12.0, "level": 20.0},
        duration_bars=1500,
        **FINE,
    ),
    "variance almost integrated": document(
        "vol_cluster", {"omega": 1e-4, "alpha": 0.05, "beta": 0.94999, "mu": 0.0}
    ),
    "variance of one past bar": document(
        "vol_cluster", {"omega": 50.0, "alpha": 0.9, "beta": 0.0, "mu": -1.0}, duration_bars=2100
    ),
    "variance that is constant": document(
        "vol_cluster", {"omega": 100.0, "alpha": 0.0, "beta": 0.0, "mu": 2.0}, **COARSE
    ),
    "no jump ever": document(
        "shock_mix", {"p_jump": 0, "jump_mu": 500, "jump_sigma": 500, "sigma": 25}
    ),
    "a jump before every bar": document(
        "shock_mix", {"p_jump": 1, "jump_mu": 1, "jump_sigma": 30, "sigma": 25}
    ),
    "jumps without diffusion": document(
        "shock_mix", {"p_jump": 0.5, "jump_mu": -2, "jump_sigma": 0, "sigma": 0}, **FINE
    ),
    "jumps over block borders": document(
        "shock_mix", {"p_jump": 0.5, "jump_mu": 0, "jump_sigma": 9, "sigma": 5}, duration_bars=2500
    ),
    "regimes that alternate": document("regime_switch", PERIODIC),
    "regimes that are absorbed": document("regime_switch", ABSORBING, duration_bars=2100),
    "regimes that almost never change": document("regime_switch", SLOW, **FINE),
    "volume without spread": document(
        "trend",
        {"drift": 0, "sigma": 10},
        volume={"mean_lots": 7.5, "sigma": 0, "response": 0},
    ),
    "volume that follows the move": document(
        "shock_mix",
        {"p_jump": 0.1, "jump_mu": 100, "jump_sigma": 200, "sigma": 4},
        volume={"mean_lots": 2e6, "sigma": 1.5, "response": 0.8},
    ),
}

CASES = {**{f"plain {family}": PLAIN[family] for family in FAMILIES}, **EDGES}


def load(doc: dict[str, Any]) -> ScenarioSpec:
    """Validate a document by way of its bytes, as a user's document is."""
    return load_scenario(json.dumps(doc))


def columns(bars: Bars) -> dict[str, list[int]]:
    """Return the stored columns as Python integers."""
    return {name: getattr(bars, name).tolist() for name in COLUMNS}


def digest(bars: Bars) -> str:
    """Return a digest of all columns and the label, little-endian, in order."""
    content = hashlib.blake2b(digest_size=20)
    for name in COLUMNS:
        content.update(getattr(bars, name).astype("<i8").tobytes())
    content.update(bars.label.astype("<i8").tobytes())
    return content.hexdigest()


def digests(seed: int = 5, bars: int = 260) -> dict[str, str]:
    """Return the digest of a short dataset of every case."""
    return {
        name: digest(simulate(load({**doc, "duration_bars": bars}), seed))
        for name, doc in CASES.items()
    }


def moments(spec: ScenarioSpec, seed: int, block: int = 777) -> dict[str, np.ndarray]:
    """Return r, mu, sigma, gap and label from the family's own kernel, block by block."""
    family = import_module(f"engine.paths.{spec.family}")
    n = spec.duration_bars
    found = {name: np.zeros(n) for name in ("r", "mu", "sigma", "gap")}
    label = np.zeros(n, dtype=np.int8)
    state = np.array([log(spec.start_price), 0.0])
    params = family.pack(spec)
    close = np.uint64(stream_id("paths", spec.family, "close"))
    own = np.uint64(stream_id("paths", spec.family, family.DRAWS or "none"))
    for first in range(0, n, block):
        part = slice(first, min(n, first + block))
        size = part.stop - first
        z, unused, u, v = np.zeros((4, size))
        fill_uniforms(np.uint64(seed), close, first, z, unused)
        fill_uniforms(np.uint64(seed), own, first, u, v)
        to_normals(z)
        arrays = [found[name][part] for name in ("r", "mu", "sigma", "gap")]
        family.step(first, z, u, v, params, state, *arrays, label[part])
        _advance(state, found["gap"][part], found["r"][part])
    return {**found, "label": label}


def _advance(state: np.ndarray, gap: np.ndarray, r: np.ndarray) -> None:
    accumulate: Callable[..., None] = import_module("engine.paths.kernels").accumulate
    accumulate(state, gap, r, np.empty_like(r), np.empty_like(r))


if __name__ == "__main__":
    compiled = hasattr(fill_uniforms, "py_func")
    sys.stdout.write(json.dumps({"compiled": compiled, "digests": digests()}))
