"""Names of the array types that kernels take, written once."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Labels: TypeAlias = npt.NDArray[np.int8]
