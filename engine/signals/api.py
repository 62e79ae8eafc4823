"""Signals as they are asked for: bins pushed in, values out; the same one by one and in batches.

`LiveSignal` is the one way in for datasets and streams alike, so that a stored series and a live
one are equal to the bit. What values are worth is ``evaluate``; the predecessor's whole-series
forms are `values_v1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from contracts.errors import ContractError
from contracts.grid import RuntimeConfig
from engine.arrays import Floats, Ints
from engine.signals.definition import Definition
from engine.signals.derivative import Derivative
from engine.signals.ml.definition import Learner, MlSignal, Series
from engine.signals.offline_flow import offline_flow
from engine.signals.registry import signal as signal_of
from engine.signals.state import COUNT
from engine.signals.statistical import Statistical
from engine.signals.whole_series import derivative_v1

VERSION: Final = "1"
FLOW: Final = ("flow_score", "flow_state_code")
CHANGES: Final = ("composite_d1", "composite_d2", "composite_d3")


def stacked(signal: type[Definition], columns: Mapping[str, Floats]) -> Floats:
    """Columns of a signal as one array, shape (columns, bins, 2R + 1), in its order.

    Raises
    ------
    ContractError
        ``SIGNAL_COLUMNS_INVALID``.
    """
    missing = [name for name in signal.columns if name not in columns]
    if missing:
        said = f"the signal {signal.name} reads {', '.join(missing)}, which is not there"
        hint = f"give the columns {', '.join(signal.columns)}"
        raise ContractError("SIGNAL_COLUMNS_INVALID", said, missing[0], (hint,))
    return np.stack([np.asarray(columns[name], dtype=np.float64) for name in signal.columns])


def refuse_narrow(signal: type[Definition], radius: int) -> None:
    """Refuse a grid whose window is narrower than what a signal reads.

    Raises
    ------
    ContractError
        ``SIGNAL_RADIUS``.
    """
    if radius >= signal.least_radius:
        return
    raise ContractError(
        "SIGNAL_RADIUS",
        f"the signal {signal.name} reads {signal.least_radius} rows on either side of the "
        f"centre, the grid has {radius}",
        signal.name,
        (f"let grid_radius_ticks be at least {signal.least_radius}",),
    )


class LiveSignal:
    """A signal that takes bins as they close.

    Parameters
    ----------
    name : str
    params : mapping of str to float
        What is not given has its default.
    radius_ticks, cell_width_ms : int
        Of the grid.
    tick_size : float

    Raises
    ------
    ContractError
        ``SIGNAL_UNKNOWN``, ``SIGNAL_PARAMETER_…``, ``SIGNAL_RADIUS``.
    ConfigurationError
        ``ML_EXTRA_MISSING``.

    Examples
    --------
    >>> import numpy as np
    >>> live = LiveSignal("msd", {}, 1, 100, 0.25)
    >>> rows = {"vacuum_variant": np.array([[1.0, 0.0, 3.0]])}
    >>> live.push(rows, np.array([100.0]), np.array([0]))
    array([2.])
    """

    def __init__(
        self,
        name: str,
        params: Mapping[str, float],
        radius_ticks: int,
        cell_width_ms: int,
        tick_size: float,
    ) -> None:
        self.signal = signal_of(name)
        self.params = self.signal.bound(params)
        refuse_narrow(self.signal, radius_ticks)
        self._state = None
        self._learnt = None
        if issubclass(self.signal, Statistical):
            self._state = self.signal.state(self.params, radius_ticks, cell_width_ms)
        elif issubclass(self.signal, MlSignal):
            learner = self.signal.learner(self.params, cell_width_ms)
            self._learnt = _Learnt(learner, self.signal, radius_ticks, cell_width_ms, tick_size)

    @property
    def bins(self) -> int:
        """Bins taken so far."""
        if self._state is not None:
            return int(self._state.sizes[COUNT])
        return 0 if self._learnt is None else self._learnt.bins

    @property
    def refits(self) -> int | None:
        """How often a learnt signal was fitted; None for a statistical one."""
        return None if self._learnt is None else self._learnt.refits

    def push(self, columns: Mapping[str, Floats], mid_price: Floats, ts_ns: Ints) -> Floats:
        """Take the next bins.

        Parameters
        ----------
        columns : mapping of str to ndarray, shape (b, 2R + 1)
        mid_price : ndarray, shape (b,), float64
            0 or NaN where the book has none.
        ts_ns : ndarray, shape (b,), int64

        Returns
        -------
        ndarray, shape (b,), float64
        """
        return self.push_stacked(stacked(self.signal, columns), mid_price, ts_ns)

    def push_stacked(self, fields: Floats, mid_price: Floats, ts_ns: Ints) -> Floats:
        """As `push`, with the columns `stacked`: for many signals on the same rows."""
        out = np.empty(fields.shape[1])
        if self._state is not None and issubclass(self.signal, Statistical):
            self.signal.run(self._state, fields, out)
        elif self._learnt is not None:
            self._learnt.run(fields, mid_price, ts_ns, out)
        return out


class _Learnt:
    """A learner and the series that it has seen, in arrays that grow by doubling."""

    def __init__(
        self, learner: Learner, signal: type[MlSignal], radius: int, width_ms: int, tick: float
    ) -> None:
        self._learner = learner
        self._signal = signal
        self._width_ms, self._tick = width_ms, tick
        self._fields = np.empty((len(signal.columns), 64, 2 * radius + 1))
        self._mid, self._ts = np.empty(64), np.empty(64, dtype=np.int64)
        self.bins = 0

    @property
    def refits(self) -> int:
        """How often it was fitted."""
        return self._learner.refits

    def run(self, fields: Floats, mid_price: Floats, ts_ns: Ints, out: Floats) -> None:
        """Take bins and predict at each."""
        first, last = self.bins, self.bins + fields.shape[1]
        while last > self._mid.size:
            self._fields = np.concatenate([self._fields, np.empty_like(self._fields)], axis=1)
            self._mid = np.concatenate([self._mid, np.empty_like(self._mid)])
            self._ts = np.concatenate([self._ts, np.empty_like(self._ts)])
        self._fields[:, first:last] = fields
        self._mid[first:last] = np.where(mid_price > 0.0, mid_price, np.nan)
        self._ts[first:last] = ts_ns
        self.bins = last
        columns = {
            name: self._fields[place, :last] for place, name in enumerate(self._signal.columns)
        }
        series = Series(columns, self._mid[:last], self._ts[:last], self._width_ms, self._tick)
        for bin_ in range(first, last):
            out[bin_ - first] = self._learner.update(series, bin_)


def values_v1(
    name: str, params: Mapping[str, float], columns: Mapping[str, Floats], runtime: RuntimeConfig
) -> Floats:
    """Values of a whole series as the predecessor's harness had them.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (bins, 2R + 1)
        Of the stored grid; flow is made again from ``composite_d1 … composite_d3`` where those
        are there.
    runtime : RuntimeConfig
        Of the grid.
    """
    signal = signal_of(name)
    radius, width_ms = runtime.grid_radius_ticks, runtime.cell_width_ms
    if signal is Derivative:
        return derivative_v1(columns["state5_code"], params, radius, width_ms)
    if set(FLOW) & set(signal.columns) and set(CHANGES) <= set(columns):
        scores, codes = offline_flow(np.stack([columns[name] for name in CHANGES]), runtime)
        columns = {**columns, "flow_score": scores, "flow_state_code": codes}
    live = LiveSignal(name, params, radius, width_ms, runtime.tick_size)
    fields = stacked(signal, columns)
    nothing = np.zeros(fields.shape[1])
    return live.push_stacked(fields, nothing, nothing.astype(np.int64))


def columns_v1(signal: type[Definition]) -> tuple[str, ...]:
    """Columns of the stored grid that the predecessor's form of a signal is made from."""
    if not set(FLOW) & set(signal.columns):
        return signal.columns
    return (*(one for one in signal.columns if one not in FLOW), *CHANGES)
