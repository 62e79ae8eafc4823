"""Where things stand in the arrays of a grid machine: names of columns, nothing else."""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.arrays import Floats, Ints, Labels
from engine.book.layout import BookState

CHAINS: Final = 5  # add, pull, fill, bid depth, ask depth

V: Final = 0
A: Final = 5
J: Final = 10
V_REST: Final = 15
A_REST: Final = 16
J_REST: Final = 17
MASS: Final = 18  # add, pull, fill
BID: Final = 21
ASK: Final = 22
REST: Final = 23
PRESSURE: Final = 24
VACUUM: Final = 25
SUM: Final = 26  # added, pulled, filled since the base time
BASE_BID: Final = 29
BASE_ASK: Final = 30
RATE: Final = 31
CELL_WIDTH: Final = 40

LAST_TS: Final = 0
LAST_EVENT: Final = 1
BASE_TS: Final = 2
FRESH: Final = 3
ROW: Final = 4
TIMES_WIDTH: Final = 5

ROW_SLOT: Final = 0
WARM: Final = 1

ROLLED: Final = 0
D1: Final = 1
D2: Final = 2
D3: Final = 3
SCORE: Final = 4
S1: Final = 5
S2: Final = 6
S3: Final = 7
WINDOW_SUM: Final = 8  # one a window

RADIUS: Final = 0
WIDTH_NS: Final = 1
Z_WINDOW: Final = 2
Z_MIN: Final = 3
MODEL_WINDOW: Final = 4
MODEL_MIN: Final = 5
CUBIC: Final = 6
WINDOWS: Final = 7
HORIZONS: Final = 8
EMIT_FROM: Final = 9
STARTED: Final = 10
BIN_START: Final = 11
BIN_END: Final = 12
BIN_EVENTS: Final = 13
BINS: Final = 14
ACTIVE: Final = 15
HAS_BEFORE: Final = 16
BID_BEFORE: Final = 17
ASK_BEFORE: Final = 18
PLACE: Final = 19  # of this bin in the rings of differences
LEAVING: Final = 20  # place of the bin that leaves the window of z
COMPOSITE: Final = 21  # of this bin in the rings of composites
FRAME_WIDTH: Final = 22  # then the length of each window, and the place of the bin that leaves it

TAU_V: Final = 0
TAU_A: Final = 1
TAU_J: Final = 2
TAU_REST: Final = 3
C1: Final = 4
C2: Final = 5
C3: Final = 6
C4: Final = 7
C5: Final = 8
C6: Final = 9
C7: Final = 10
W1: Final = 11
W2: Final = 12
W3: Final = 13
TANH: Final = 14
NEUTRAL: Final = 15
MODEL_W1: Final = 16
MODEL_W2: Final = 17
MODEL_W3: Final = 18
MODEL_TANH: Final = 19
BULL_PRESSURE: Final = 20
BULL_VACUUM: Final = 21
BEAR_PRESSURE: Final = 22
BEAR_VACUUM: Final = 23
MIXED: Final = 24
WEIGHT_BELOW: Final = 25
WEIGHT_CENTRE: Final = 26
WEIGHT_ABOVE: Final = 27
WEIGHT_ALL: Final = 28
CUBIC_SCALE: Final = 29
DAMPING: Final = 30
CELL_S: Final = 31
MODEL_S: Final = 32
PARAMS_WIDTH: Final = 33  # then one weight a window, then one horizon in seconds a projection

M_BASE: Final = 0
M_D1: Final = 1
M_D2: Final = 2
M_D3: Final = 3
M_Z: Final = 4
M_SCORE: Final = 7
M_BULL: Final = 8
M_BEAR: Final = 9
M_MIXED: Final = 10
MODEL_WIDTH: Final = 11

BIN_INTS: Final = (
    "ts_ns",
    "bin_seq",
    "bin_start_ns",
    "bin_end_ns",
    "bin_event_count",
    "event_id",
    "spot_ref_price_int",
    "best_bid_price_int",
    "best_ask_price_int",
    "book_valid",
    "best_ask_move_ticks",
    "best_bid_move_ticks",
    "ask_reprice_sign",
    "bid_reprice_sign",
    "microstate_id",
    "chase_up_flag",
    "chase_down_flag",
    "state_model_ready",
    "state_model_sample_count",
    "state_model_dominant_state5_code",
    "anchor_tick_idx",
    "order_count",
)
BIN_FLOATS: Final = (
    "mid_price",
    "state_model_base",
    "state_model_d1",
    "state_model_d2",
    "state_model_d3",
    "state_model_z1",
    "state_model_z2",
    "state_model_z3",
    "state_model_score",
    "state_model_bull_intensity",
    "state_model_bear_intensity",
    "state_model_mixed_intensity",
)
_INPUTS: Final = ("add", "pull", "fill", "rest_depth", "bid_depth", "ask_depth")
FIELDS: Final = (
    "pressure_variant",
    "vacuum_variant",
    "add_mass",
    "pull_mass",
    "fill_mass",
    "rest_depth",
    "bid_depth",
    "ask_depth",
    *(f"{order}_{name}" for order in "vaj" for name in _INPUTS),
)
CELL_COLUMNS: Final = (
    *(PRESSURE, VACUUM, MASS, MASS + 1, MASS + 2, REST, BID, ASK),
    *(V, V + 1, V + 2, V_REST, V + 3, V + 4),
    *(A, A + 1, A + 2, A_REST, A + 3, A + 4),
    *(J, J + 1, J + 2, J_REST, J + 3, J + 4),
)
SPECTRUM: Final = ("composite", "composite_d1", "composite_d2", "composite_d3", "flow_score")


class GridState(NamedTuple):
    """All that a grid machine is; n slots, p rows for slots ever touched.

    Attributes
    ----------
    market : BookState
    frame : ndarray, shape (FRAME_WIDTH + 2 windows,), int64
        Lengths, the open bin, the number of bins and of rows in use, places in rings.
    params : ndarray, shape (PARAMS_WIDTH + windows + horizons,), float64
    cells : ndarray, shape (n, CELL_WIDTH), float64
    times : ndarray, shape (n, TIMES_WIDTH), int64
        Last touch or advance, its event, base time, row of a slot (−1: never touched).
    rows : ndarray, shape (p, 2), int64
        Slot, and whether `ranks` are kept up to date.
    traces : ndarray, shape (p, WINDOW_SUM + windows), float64
        Latest rolled composite, its differences, score, its differences, window sums.
    composites : ndarray, shape (p, longest window), float64
        Ring over bins.
    rings, ranks : ndarray, shape (p, 3, z window + 3) and (p, 3, z window), float64
        Latest differences by bin, and sorted.
    model : ndarray, shape (MODEL_WIDTH,), float64
    model_rings, model_ranks : ndarray, shape (3, model window), float64
    """

    market: BookState
    frame: Ints
    params: Floats
    cells: Floats
    times: Ints
    rows: Ints
    traces: Floats
    composites: Floats
    rings: Floats
    ranks: Floats
    model: Floats
    model_rings: Floats
    model_ranks: Floats


class GridOutput(NamedTuple):
    """Room for b closed bins of 2R + 1 rows.

    Attributes
    ----------
    ints, floats : ndarray, shape (b, BIN_INTS) and (b, BIN_FLOATS), int64 and float64
    fields : ndarray, shape (FIELDS + SPECTRUM + horizons, b, 2R + 1), float64
    codes : ndarray, shape (2, b, 2R + 1), int8
        ``flow_state_code`` and ``state5_code``.
    events : ndarray, shape (b, 2R + 1), int64
        ``last_event_id``.
    """

    ints: Ints
    floats: Floats
    fields: Floats
    codes: Labels
    events: Ints
