"""Validate, allocate, call the kernels block by block, map status to errors.

A dataset is walked in fixed blocks with one scratch set, so memory beside the
result is constant. Datasets are independent: callers run many in threads (the
kernels hold no GIL), and neither threads nor order can change a number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.errors import UnrepresentableError
from contracts.scenario import FAMILIES, ScenarioSpec
from contracts.seeds import checked_seed, stream_id
from engine import status
from engine.mathx import log
from engine.paths import kernels
from engine.rng import Floats, fill_uniforms, to_normals

Ints = npt.NDArray[np.int64]

VERSION: Final = "1"
BLOCK: Final = 1024


@dataclass(frozen=True, slots=True)
class Bars:
    """One dataset in columns.

    Attributes
    ----------
    ts_ns, open_ticks, high_ticks, low_ticks, close_ticks, volume_lots : ndarray
        Shape (n,), int64.
    label : ndarray, shape (n,), int8
        Hidden label of each bar: the regime, or 1 where a jump came before it.
    """

    ts_ns: Ints
    open_ticks: Ints
    high_ticks: Ints
    low_ticks: Ints
    close_ticks: Ints
    volume_lots: Ints
    label: npt.NDArray[np.int8]

    @property
    def rows(self) -> int:
        """Number of bars."""
        return int(self.ts_ns.shape[0])


def version(spec: ScenarioSpec) -> str:
    """Version of what `simulate` computes: shared part, a dot, the family's part."""
    return f"{VERSION}.{_family(spec).VERSION}"


def domain_version() -> str:
    """Version of the whole domain: the shared part and every family's."""
    families = [_module(name).VERSION for name in sorted(FAMILIES)]
    return f"{VERSION}.{'-'.join(families)}"


def simulate(spec: ScenarioSpec, seed: int) -> Bars:
    """Make the bars of one scenario and seed.

    Parameters
    ----------
    spec : ScenarioSpec
        Validated scenario; its own ``seed`` is not used.
    seed : int
        0 … 2⁶³ − 1.

    Raises
    ------
    UnrepresentableError
        ``SCENARIO_UNREPRESENTABLE`` with the bar, if a guard does not hold.
    """
    n = spec.duration_bars
    ts_ns = spec.start_ns + spec.step_ns * np.arange(n, dtype=np.int64)
    opened, high, low, closed, volume = (np.empty(n, dtype=np.int64) for _ in range(5))
    bars = Bars(ts_ns, opened, high, low, closed, volume, np.zeros(n, dtype=np.int8))
    _walk(spec, seed, bars, generate=True)
    return bars


def audit(spec: ScenarioSpec, seed: int, bars: Bars) -> None:
    """Check stored bars against every guard of the scenario.

    The conditional moments are recomputed from the seed; the prices are read.

    Raises
    ------
    UnrepresentableError
        ``SCENARIO_UNREPRESENTABLE`` with the first bar that breaks a guard.
    """
    if bars.rows != spec.duration_bars:
        raise UnrepresentableError(
            "SCENARIO_UNREPRESENTABLE",
            f"{spec.id}: {bars.rows} bars are stored, the scenario has {spec.duration_bars}",
            "/duration_bars",
        )
    off = np.flatnonzero(bars.ts_ns != spec.start_ns + spec.step_ns * np.arange(bars.rows))
    if off.size:
        _refuse(spec, status.TIME_OFF_GRID, int(off[0]))
    _walk(spec, seed, bars, generate=False)


def _family(spec: ScenarioSpec) -> Any:
    """Module of the family, found by name: a new family needs no registration."""
    return _module(spec.family)


def _module(family: str) -> Any:
    return import_module(f"engine.paths.{family}")


def _walk(spec: ScenarioSpec, seed: int, bars: Bars, *, generate: bool) -> None:
    family = _family(spec)
    key = np.uint64(checked_seed(seed))
    close, extent, own = (
        np.uint64(stream_id("paths", spec.family, name))
        for name in ("close", "range", family.DRAWS or "none")
    )
    params = family.pack(spec)
    state = np.array([log(spec.start_price), 0.0])
    scratch = np.zeros((10, BLOCK))
    previous = -1
    for first in range(0, bars.rows, BLOCK):
        n = min(BLOCK, bars.rows - first)
        z, zv, u, v, r, mu, sigma, gap, open_log, close_log = scratch[:, :n]
        label = bars.label[first : first + n] if generate else np.empty(n, dtype=np.int8)
        if family.DRAWS:
            fill_uniforms(key, own, first, u, v)
        fill_uniforms(key, close, first, z, zv)
        to_normals(z)
        family.step(first, z, u, v, params, state, r, mu, sigma, gap, label)
        kernels.accumulate(state, gap, r, open_log, close_log)
        outcome = kernels.representable(open_log, close_log, spec.tick_size)
        sound = n if outcome[0] == status.OK else outcome[1]
        block = slice(first, first + sound)
        z, zv, u, v, r, mu, sigma, gap, open_log, close_log = scratch[:, :sound]
        opened, high, low, closed = (
            column[block]
            for column in (bars.open_ticks, bars.high_ticks, bars.low_ticks, bars.close_ticks)
        )
        volume = bars.volume_lots[block]
        if generate:
            fill_uniforms(key, extent, first, u, v)
            kernels.ticks(
                open_log, close_log, sigma, u, v, spec.tick_size, opened, high, low, closed
            )
            _volume(spec, r, gap, sigma, zv, volume)
        held = kernels.guard(previous, mu, sigma, gap, opened, high, low, closed, volume)
        _require(spec, first, held)
        _require(spec, first, outcome)
        previous = int(closed[-1])


def _volume(
    spec: ScenarioSpec, r: Floats, gap: Floats, sigma: Floats, z: Floats, volume: Ints
) -> None:
    model = spec.volume
    if spec.volume_model == "const":
        volume[:] = math.floor(model.mean_lots + 0.5)
        return
    to_normals(z)
    kernels.lots(r, gap, sigma, z, model.mean_lots, model.sigma, model.response, volume)


def _require(spec: ScenarioSpec, first: int, outcome: tuple[int, int]) -> None:
    code, index = outcome
    if code != status.OK:
        _refuse(spec, code, first + index)


def _refuse(spec: ScenarioSpec, code: int, bar: int) -> None:
    raise UnrepresentableError(
        "SCENARIO_UNREPRESENTABLE",
        f"{spec.id}: {status.REASONS[code]} at bar {bar}",
        f"bar {bar}",
        ("lower sigma, drift or duration_bars, or choose another start_price or tick_size",),
    )
