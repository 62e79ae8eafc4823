"""``ads_pfp_svac``: three signals in one, each joining once it is warm.

Windows are milliseconds here, so that one choice fits bins of any width.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.arrays import Floats
from engine.jit import kernel
from engine.signals import ads, pfp
from engine.signals.definition import Parameter, scale, weight
from engine.signals.msd import imbalance
from engine.signals.rolling import average
from engine.signals.state import COUNT, RADIUS, SignalState, empty_state
from engine.signals.statistical import Statistical

SMOOTH, FLOOR, ADS, PFP, SVAC = range(7, 12)
LEVEL = pfp.TRACE + 8
VACUUM = 3


@kernel
def run(state: SignalState, fields: Floats, out: Floats) -> None:
    """Values of some bins."""
    params, sizes, traces = state.params, state.sizes, state.traces
    for bin_ in range(out.shape[0]):
        seen = sizes[COUNT]
        vacuum = imbalance(fields, VACUUM, bin_, sizes[RADIUS], True)
        traces[LEVEL] = average(traces[LEVEL], abs(vacuum), params[SMOOTH], seen)
        total = params[SVAC] * (vacuum / max(traces[LEVEL], params[FLOOR]))
        weights = params[SVAC]
        front = pfp.step(state, fields, bin_)
        if seen + 1 >= sizes[pfp.LAG]:
            total += params[PFP] * front
            weights += params[PFP]
        slope = ads.step(state, ads.asymmetry(fields, bin_, sizes[RADIUS]), 0)
        if seen + 1 >= sizes[ads.Z_WINDOW]:
            total += params[ADS] * slope
            weights += params[ADS]
        out[bin_] = total / weights if weights > 0.0 else 0.0
        sizes[COUNT] += 1


class AdsPfpSvac(Statistical):
    """Blend of ``ads``, ``pfp`` and the vacuum's asymmetry over its own level."""

    name = "ads_pfp_svac"
    doc = "ads, pfp and normalised msd, weighted over those that are warm"
    columns = ("v_add", "v_pull", "v_fill", "vacuum_variant")
    least_radius = ads.REACH
    threshold_rule = "percentiles"
    parameters = (
        scale("slope_fast_ms", 1_000.0, "window of the first slope"),
        scale("slope_mid_ms", 2_500.0, "window of the second slope"),
        scale("slope_slow_ms", 5_000.0, "window of the third slope"),
        scale("zscore_window_ms", 20_000.0, "window of the z"),
        scale("lag_ms", 500.0, "by how much the far activity is earlier"),
        Parameter("ema_alpha", 0.1, 1e-6, 1.0, False, "weight of the newest value of pfp"),
        Parameter("level_alpha", 0.05, 1e-6, 1.0, False, "and of the vacuum's level"),
        scale("level_floor", 1e-6, "least level"),
        weight("ads_weight", 0.4, "of ads"),
        weight("pfp_weight", 0.3, "of pfp"),
        weight("svac_weight", 0.3, "of the vacuum's asymmetry"),
    )
    run = staticmethod(run)

    @classmethod
    def warm_bins(cls, params: Mapping[str, float], cell_width_ms: int) -> int:
        return max(round(params["zscore_window_ms"] / cell_width_ms), 2) - 1

    @classmethod
    def state(cls, params: Mapping[str, float], radius: int, cell_width_ms: int) -> SignalState:
        def bins_of(name: str, least: int) -> int:
            return max(round(params[name] / cell_width_ms), least)

        slopes = [bins_of(f"slope_{name}_ms", 2) for name in ("fast", "mid", "slow")]
        window, lag = bins_of("zscore_window_ms", 2), bins_of("lag_ms", 1)
        own = [
            *(3.0, 0.40, 0.35, 0.25),
            *(params["ema_alpha"], 0.6, 0.4),
            *(params["level_alpha"], params["level_floor"]),
            *(params[f"{name}_weight"] for name in ("ads", "pfp", "svac")),
        ]
        longest = max(*slopes, window, lag) + 1
        return empty_state(
            own, [window, *slopes, lag], LEVEL + 1, (pfp.RING + 4, longest), (3, window), radius
        )
