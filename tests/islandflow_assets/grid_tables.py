"""Small tables of bins and rows of a grid, made from the numbers that a picture shows."""

import numpy as np
import pyarrow as pa

from contracts.grid import grid_config_from
from tests.oracles import order_golden

TICK = 250_000_000
START_NS = 1_770_390_000_000_000_000
WIDTH_NS = 100_000_000


def runtime(radius):
    """A configuration with a tick of 0.25 and bins of 100 ms."""
    found = grid_config_from(order_golden.config()).runtime_config
    return found.model_copy(update={"grid_radius_ticks": radius})


def bins_of(spot_ticks, **columns):
    """Bins around spots, 0 for none, with a spread of two ticks, from `START_NS` on."""
    spots = np.asarray(spot_ticks, dtype=np.int64) * TICK
    seq = np.arange(spots.size)
    has_spot = spots > 0
    made = {
        "bin_seq": seq,
        "bin_start_ns": START_NS + seq * WIDTH_NS,
        "bin_end_ns": START_NS + (seq + 1) * WIDTH_NS,
        "spot_ref_price_int": spots,
        "mid_price": spots / 1e9,
        "best_bid_price_int": np.where(has_spot, spots - TICK, 0),
        "best_ask_price_int": np.where(has_spot, spots + TICK, 0),
    }
    return pa.table({**made, **columns})


def rows_of(radius, **fields):
    """Rows of every bin and distance, from arrays of shape (bins, 2 · radius + 1)."""
    bins, places = next(iter(fields.values())).shape
    return pa.table(
        {
            "bin_seq": np.repeat(np.arange(bins, dtype=np.int32), places),
            "k": np.tile(np.arange(-radius, radius + 1, dtype=np.int32), bins),
            **{name: np.asarray(field).ravel() for name, field in fields.items()},
        }
    )
