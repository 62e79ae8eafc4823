"""What a learnt signal is: the series it sees, its learner, and its values over a series.

Parameters, columns, mode and thresholds are declared as those of every signal
(``engine.signals.definition``). When a learner trains, and on which rows, is ``walk_forward``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Floats, Ints
from engine.signals.definition import Definition


@dataclass(frozen=True, slots=True)
class Series:
    """What a learner sees of a dataset, of which it reads no row after the bin it is asked for.

    Attributes
    ----------
    columns : Mapping of str to ndarray, shape (bins, 2R + 1), float64
        Columns of the grid's rows by name, rows k = −R … R. All have the same shape.
    mid_price : ndarray, shape (bins,), float64
        Quote units, NaN where the book was not valid.
    ts_ns : ndarray, shape (bins,), int64
        Ends of the bins.
    cell_width_ms : int
    tick_size : float
        Quote units.
    """

    columns: Mapping[str, Floats]
    mid_price: Floats
    ts_ns: Ints
    cell_width_ms: int
    tick_size: float

    def __len__(self) -> int:
        """Number of bins."""
        return len(self.mid_price)


class Learner(Protocol):
    """A model that learns as it goes: every bin once, in order, from bin 0.

    Attributes
    ----------
    refits : int
        How often it was fitted, partial fits included.
    """

    refits: int

    def update(self, series: Series, bin_: int) -> float:
        """Prediction at a bin from rows up to it; NaN if there is none.

        There is none before the first fit, and where the book is not valid. The series may be
        longer than at the call before, but what it held must not have changed.

        Raises
        ------
        ContractError
            ``SIGNAL_BIN_OUT_OF_ORDER``; ``SIGNAL_COLUMNS_INVALID`` at the first bin.
        """
        ...


class MlSignal(Definition):
    """Base of the learnt signals, a subclass a file.

    The mode is ``probability`` (values are the probability that the mid rises first) or
    ``confidence`` (the sign says where to, the size how surely).
    """

    @classmethod
    def learner(cls, params: Mapping[str, float], cell_width_ms: int) -> Learner:
        """A new learner. Windows count bins, whatever their width.

        Parameters
        ----------
        params : Mapping of str to float
            Those that are not given have their defaults.
        cell_width_ms : int
            Width of a bin of the series that it will see.

        Raises
        ------
        ContractError
            ``SIGNAL_PARAMETER_UNKNOWN`` or ``SIGNAL_PARAMETER_INVALID``.
        ConfigurationError
            ``ML_EXTRA_MISSING`` when a library that the signal needs is not installed.
        """
        raise NotImplementedError


def predictions(signal: type[MlSignal], params: Mapping[str, float], series: Series) -> Floats:
    """Values of a signal at every bin: one learner, asked bin by bin.

    Returns
    -------
    ndarray, shape (bins,), float64
        NaN where there is no prediction.

    Raises
    ------
    ContractError, ConfigurationError
        As `MlSignal.learner` and `Learner.update`.
    """
    learner = signal.learner(params, series.cell_width_ms)
    return np.array([learner.update(series, bin_) for bin_ in range(len(series))], dtype=np.float64)


def check_columns(signal: type[MlSignal], series: Series) -> None:
    """Refuse a series without the columns or the rows that a signal reads.

    Raises
    ------
    ContractError
        ``SIGNAL_COLUMNS_INVALID``.
    """
    missing = [name for name in signal.columns if name not in series.columns]
    if missing:
        said = (
            f"the signal {signal.name} reads {', '.join(missing)}, which the series does not hold"
        )
        hints = (f"give the columns {', '.join(signal.columns)}",)
        raise ContractError("SIGNAL_COLUMNS_INVALID", said, missing[0], hints)
    shapes = {series.columns[name].shape for name in signal.columns}
    rows = 2 * signal.least_radius + 1
    shape = min(shapes)
    if len(shapes) > 1 or len(shape) != 2 or shape[1] < rows or shape[1] % 2 == 0:
        said = f"the signal {signal.name} cannot read columns of the shapes {sorted(shapes)}"
        hints = (
            f"give arrays of one shape (bins, 2R + 1) with R of at least {signal.least_radius}",
        )
        raise ContractError("SIGNAL_COLUMNS_INVALID", said, signal.columns[0], hints)
