"""The configuration of grids that is shipped, which holds where nobody gives another.

What its parameters do is in ``docs/order-book.md``, the model in ``contracts.grid``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import contracts
from contracts.grid import GridConfig, load_grid_config

SHIPPED_GRID: Final = Path(contracts.__file__).parent / "fixtures/grid_configs/grid_shipped.json"


def shipped_config() -> GridConfig:
    """The shipped configuration."""
    return load_grid_config(SHIPPED_GRID.read_bytes())
