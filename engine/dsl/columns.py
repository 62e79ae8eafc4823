"""Indicator columns: each unique (function, source, parameter) once per dataset.

An undefined value (warm-up, division by zero) is NaN inside the engine and
nowhere else. Which columns a strategy needs is decided in ``program``.
"""

from __future__ import annotations

import math

import numpy as np

from engine.arrays import Floats
from engine.dsl.program import ColumnSpec
from engine.jit import kernel


@kernel
def moving_average(x: Floats, n: int, out: Floats) -> None:
    """Simple mean of the last n values; undefined while any of them is.

    The running sum carries what rounding lost (Neumaier 1974), so that a mean depends
    neither on the length of the series nor on a value that has left its window.
    """
    total, lost, filled = 0.0, 0.0, 0
    for i in range(x.shape[0]):
        if math.isnan(x[i]):
            total, lost, filled = 0.0, 0.0, 0
            out[i] = math.nan
            continue
        filled += 1
        total, lost = add(total, lost, x[i])
        if filled > n:
            total, lost = add(total, lost, -x[i - n])
        if not math.isfinite(total):
            total, lost = 0.0, 0.0
            for j in range(i - min(n, filled) + 1, i + 1):
                total, lost = add(total, lost, x[j])
        mean = (total + lost) / n
        out[i] = mean if filled >= n and math.isfinite(mean) else math.nan


@kernel
def add(total: float, lost: float, value: float) -> tuple[float, float]:
    """Sum and the rounding error it leaves out, after one more value."""
    after = total + value
    if abs(total) >= abs(value):
        return after, lost + ((total - after) + value)
    return after, lost + ((value - after) + total)


def fill_columns(specs: tuple[ColumnSpec, ...], fields: dict[str, Floats]) -> Floats:
    """Compute the columns of a program on one dataset.

    Parameters
    ----------
    specs : tuple of ColumnSpec
        In an order in which sources come first.
    fields : dict of str to ndarray, shape (bars,), float64
        ``open high low close volume`` in price units and lots.

    Returns
    -------
    ndarray, shape (max(len(specs), 1), bars), float64
        Undefined values are NaN.
    """
    bars = fields["close"].shape[0]
    table = np.empty((max(len(specs), 1), bars))
    for index, spec in enumerate(specs):
        table[index] = _column(spec, [table[source] for source in spec.sources], fields)
    return table


def _column(spec: ColumnSpec, sources: list[Floats], fields: dict[str, Floats]) -> Floats:
    if spec.function in fields:
        return fields[spec.function]
    bars = fields["close"].shape[0]
    if spec.function == "constant":
        return np.full(int(bars), spec.value, dtype=np.float64)
    if spec.function == "ma":
        out = np.empty(bars)
        moving_average(sources[0], int(spec.value), out)
        return out
    if spec.function == "lag":
        return _lagged(sources[0], int(spec.value))
    return _elementwise(spec.function, sources)


def _lagged(source: Floats, bars: int) -> Floats:
    out = np.full(source.shape[0], np.nan)
    kept = max(source.shape[0] - bars, 0)
    out[source.shape[0] - kept :] = source[:kept]
    return out


def _elementwise(function: str, sources: list[Floats]) -> Floats:
    if function == "neg":
        return -sources[0]
    with np.errstate(all="ignore"):
        if function == "+":
            value = sources[0] + sources[1]
        elif function == "-":
            value = sources[0] - sources[1]
        elif function == "*":
            value = sources[0] * sources[1]
        else:
            value = sources[0] / sources[1]
    return np.where(np.isfinite(value), value, np.nan)
