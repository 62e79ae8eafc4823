"""The newest rows of features, as many as training may reach back.

Rows are kept in a ring of fixed size, so a learner takes the same memory however long the
series is. Which of them are trained on is ``walk_forward``.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Floats


class History:
    """Rows by bin.

    Parameters
    ----------
    bins : int
        How many of the newest bins are kept.
    width : int
        Numbers in a row.
    """

    def __init__(self, bins: int, width: int) -> None:
        self._rows = np.empty((bins, width))

    def place(self, bin_: int) -> Floats:
        """Where the row of a bin is, to be written or read.

        Returns
        -------
        ndarray, shape (width,), float64
            A view.
        """
        return self._rows[bin_ % len(self._rows)]

    def rows(self, start: int, stop: int) -> Floats:
        """Copy of the rows of the bins start … stop − 1, all of which are still kept.

        Returns
        -------
        ndarray, shape (stop − start, width), float64
        """
        return self._rows[np.arange(start, stop) % len(self._rows)]
