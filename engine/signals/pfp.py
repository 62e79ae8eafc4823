"""``pfp``: whether activity near the best price leads activity further away."""

from __future__ import annotations

from collections.abc import Mapping

from engine.arrays import Floats
from engine.jit import inlined, kernel
from engine.signals.definition import Parameter, bins, weight
from engine.signals.rolling import average, mean_of
from engine.signals.state import COUNT, FIRST, RADIUS, SignalState, empty_state
from engine.signals.statistical import Statistical

# Places behind those of `ads`, so that both fit into one state.
ALPHA, ADDED, PULLED = 4, 5, 6
LAG = FIRST + 4
TRACE, RING = 6, 4
V_ADD, V_PULL, V_FILL = 0, 1, 2
NEAR, FAR, REACH = 3, 5, 12
FLOOR = 1e-12


@inlined
def lead(state: SignalState, zone: int, near: float, far: float) -> float:
    """Near activity times the far one of some bins ago, over that with the far one of now."""
    seen, lag, ring = state.sizes[COUNT], state.sizes[LAG], state.rings[RING + zone]
    before = ring[(seen - lag) % ring.shape[0]] if seen >= lag else 0.0
    ring[seen % ring.shape[0]] = far
    at, alpha = TRACE + 2 * zone, state.params[ALPHA]
    state.traces[at] = average(state.traces[at], near * before, alpha, seen)
    state.traces[at + 1] = average(state.traces[at + 1], near * far, alpha, seen)
    return state.traces[at] / (state.traces[at + 1] + FLOOR)


@inlined
def active(fields: Floats, bin_: int, first: int, last: int) -> float:
    """Mean of adds and fills."""
    return mean_of(fields, V_ADD, bin_, first, last) + mean_of(fields, V_FILL, bin_, first, last)


@kernel
def step(state: SignalState, fields: Floats, bin_: int) -> float:
    """Leads of the bid less those of the ask, of what is active; the reverse of what is pulled."""
    centre = state.sizes[RADIUS]
    bid_in, bid_out = (centre - NEAR, centre - 1), (centre - REACH, centre - FAR)
    ask_in, ask_out = (centre + 1, centre + NEAR), (centre + FAR, centre + REACH)
    bid = lead(
        state,
        0,
        active(fields, bin_, bid_in[0], bid_in[1]),
        active(fields, bin_, bid_out[0], bid_out[1]),
    )
    ask = lead(
        state,
        1,
        active(fields, bin_, ask_in[0], ask_in[1]),
        active(fields, bin_, ask_out[0], ask_out[1]),
    )
    pulled_bid = lead(
        state,
        2,
        mean_of(fields, V_PULL, bin_, bid_in[0], bid_in[1]),
        mean_of(fields, V_PULL, bin_, bid_out[0], bid_out[1]),
    )
    pulled_ask = lead(
        state,
        3,
        mean_of(fields, V_PULL, bin_, ask_in[0], ask_in[1]),
        mean_of(fields, V_PULL, bin_, ask_out[0], ask_out[1]),
    )
    return state.params[ADDED] * (bid - ask) + state.params[PULLED] * (pulled_ask - pulled_bid)


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    for bin_ in range(out.shape[0]):
        out[bin_] = step(state, fields, bin_)
        state.sizes[COUNT] += 1


class Pfp(Statistical):
    """Pressure front propagation: activity that moves from near the best price outwards."""

    name = "pfp"
    doc = "how far near activity leads far activity, bid against ask"
    columns = ("v_add", "v_pull", "v_fill")
    least_radius = REACH
    threshold_rule = "percentiles"
    parameters = (
        bins("lag_bins", 5, "by how much the far activity is earlier"),
        Parameter("ema_alpha", 0.1, 1e-6, 1.0, False, "weight of the newest value"),
        weight("add_weight", 0.6, "of what is added and filled"),
        weight("pull_weight", 0.4, "of what is pulled"),
    )
    run = staticmethod(run)

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        weights = [params["ema_alpha"], params["add_weight"], params["pull_weight"]]
        lag = params["lag_bins"]
        return empty_state(
            [0.0] * ALPHA + weights,
            [0] * (LAG - FIRST) + [lag],
            TRACE + 8,
            (RING + 4, int(lag) + 1),
            (0, 0),
            radius,
        )
