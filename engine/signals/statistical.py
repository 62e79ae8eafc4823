"""Base of the statistical signals: a state, and a kernel that goes on from it bin by bin.

A signal is one file: its kernel ``run(state, fields, out)``, and its class with what it declares.
Adding one is that file and its line in ``registry``; see ``docs/signals.md``, "Adding a signal".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from engine.arrays import Floats
from engine.signals.definition import Definition
from engine.signals.state import SignalState


class Statistical(Definition):
    """A signal that is one compiled kernel.

    Attributes
    ----------
    run : callable
        ``run(state, fields, out)``: values of the next bins, shape (b,), from their rows,
        shape (columns, b, 2R + 1).
    """

    run: ClassVar[Callable[[SignalState, Floats, Floats], None]]

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        """State before the first bin.

        Parameters
        ----------
        params : dict
            All parameters, see `Definition.bound`.
        radius : int
            Rows on either side of the centre.
        cell_width_ms : int
        """
        raise NotImplementedError
