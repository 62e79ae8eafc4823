"""Flow spectrum, projections and state model in plain Python.

Written from sections 5 and 6 of docs/order-book.md alone: a list of values for each slot, a sorted
window for each median. The cells whose forces come in here are in order_cells.py, the bins whose
rows go out in grid.py.
"""

import math
import statistics
from collections.abc import Mapping, Sequence

CODES = (-2, -1, 0, 1, 2)


def clipped(score: float) -> float:
    """Bring a score into [−1, 1]; not a number is 0."""
    return 0.0 if math.isnan(score) else min(max(score, -1.0), 1.0)


def middle_and_scale(values: Sequence[float]) -> tuple[float, float]:
    """Give the median and 1.4826 times the median distance from it."""
    middle = statistics.median(values)
    return middle, 1.4826 * statistics.median([abs(value - middle) for value in values])


def blend(z: Sequence[float], weights: Sequence[float], tanh_scale: float) -> float:
    """Weigh the squeezed z values into a score."""
    total = 0.0
    for value, weight in zip(z, weights, strict=True):
        total += weight * math.tanh(value / tanh_scale)
    return clipped(total / (abs(weights[0]) + abs(weights[1]) + abs(weights[2])))


class Cascade:
    """First, second and third differences of a value; all 0 on the first."""

    def __init__(self, before: Sequence[float] | None = None):
        self.before = before

    def push(self, value: float, dt_s: float) -> tuple[float, float, float]:
        if self.before is None:
            self.before = (value, 0.0, 0.0, 0.0)
            return (0.0, 0.0, 0.0)
        d1 = (value - self.before[0]) / dt_s
        d2 = (d1 - self.before[1]) / dt_s
        d3 = (d2 - self.before[2]) / dt_s
        self.before = (value, d1, d2, d3)
        return d1, d2, d3


class Scorer:
    """Flow scores of one slot from its d1, d2, d3; ``bins`` zeros came before."""

    def __init__(self, config: Mapping, bins: int = 0):
        self.config = config
        self.channels = [[0.0] * bins for _ in range(3)]
        weights = config["flow_derivative_weights"]
        self.weights = [weight / sum(weights) for weight in weights]

    def z(self, channel: list[float]) -> float:
        if len(channel) < self.config["flow_zscore_min_periods"]:
            return 0.0
        middle, scale = middle_and_scale(channel[-self.config["flow_zscore_window_bins"] :])
        return (channel[-1] - middle) / scale if scale > 1e-9 else 0.0

    def push(self, derivatives: Sequence[float]) -> float:
        for channel, value in zip(self.channels, derivatives, strict=True):
            channel.append(value)
        z = [self.z(channel) for channel in self.channels]
        return blend(z, self.weights, self.config["flow_tanh_scale"])

    def code(self, score: float) -> int:
        threshold = self.config["flow_neutral_threshold"]
        return (score >= threshold) - (score <= -threshold)


class SlotFlow:
    """The spectrum of one slot, first touched after ``bins`` bins."""

    def __init__(self, config: Mapping, projection: Mapping, bins: int):
        self.config = config
        self.projection = projection
        zeros = (0.0,) * 4 if bins else None
        self.composites = [0.0] * bins
        self.sums = [0.0] * len(config["flow_windows"])
        self.derive = Cascade(zeros)
        self.derive_score = Cascade(zeros)
        self.scorer = Scorer(config, bins)

    def push(self, pressure: float, vacuum: float) -> dict[str, float | int]:
        """Give the row of a closed bin."""
        dt_s = int(self.config["cell_width_ms"] * 1e6) / 1e9
        rolled = self.roll((pressure - vacuum) / (abs(pressure) + abs(vacuum) + 1e-12))
        derivatives = self.derive.push(rolled, dt_s)
        score = self.scorer.push(derivatives)
        row = {"composite": rolled}
        row |= {f"composite_d{n}": value for n, value in enumerate(derivatives, 1)}
        row |= {"flow_score": score, "flow_state_code": self.scorer.code(score)}
        return row | self.project(score, self.derive_score.push(score, dt_s))

    def roll(self, composite: float) -> float:
        """Add a composite to the running sums, then mix them."""
        stored = len(self.composites)
        weights = self.config["flow_rollup_weights"]
        rolled = 0.0
        for i, window in enumerate(self.config["flow_windows"]):
            if stored >= window:
                self.sums[i] -= self.composites[-window]
            self.sums[i] += composite
            rolled += (weights[i] / sum(weights)) * (self.sums[i] / min(stored + 1, window))
        self.composites.append(composite)
        return rolled

    def project(self, score: float, slopes: Sequence[float]) -> dict[str, float]:
        found = {}
        for horizon_ms in horizons_ms(self.config):
            h = horizon_ms / 1000
            p = score + slopes[0] * h + 0.5 * slopes[1] * h * h
            if self.projection["projection_use_cubic"]:
                p += self.projection["projection_cubic_scale"] * slopes[2] * h * h * h
            if self.projection["projection_damping_lambda"] > 0:
                p *= math.exp(-self.projection["projection_damping_lambda"] * h)
            found[f"proj_score_h{horizon_ms}"] = clipped(p)
        return found


def horizons_ms(config: Mapping) -> list[int]:
    """Horizons of projection in milliseconds."""
    return [int(bins * config["cell_width_ms"]) for bins in config["projection_horizons_bins"]]


class StateModel:
    """The state model of section 6: one push a bin, with the state5 codes by k."""

    def __init__(self, config: Mapping):
        self.config = {
            name.removeprefix("state_model_"): value
            for name, value in config.items()
            if name.startswith("state_model_")
        }
        self.dt_s = config["cell_width_ms"] / 1000
        self.weights = self.spatial_weights(config["grid_radius_ticks"])
        self.derive = Cascade()
        self.channels: list[list[float]] = [[], [], []]

    def spatial_weights(self, radius: int) -> dict[int, float]:
        inner = self.config["center_exclusion_radius"]
        power = self.config["spatial_decay_power"]
        weights = dict.fromkeys(range(-radius, radius + 1), 1.0)
        for k in weights:
            if inner > 0 and abs(k) <= inner:
                weights[k] = 0.0
            if power > 0:
                weights[k] *= 1.0 / max(abs(k), 1) ** power
        total = sum(weights.values())
        return {k: weight / total for k, weight in weights.items()}

    def z(self, channel: list[float]) -> float:
        window = channel[-self.config["zscore_window_bins"] :]
        if len(window) < self.config["zscore_min_periods"]:
            return 0.0
        middle, scale = middle_and_scale(window)
        if scale > 1e-12:
            return (window[-1] - middle) / scale
        mean = sum(window) / len(window)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in window) / len(window))
        return 0.0 if deviation <= 1e-12 else (window[-1] - mean) / deviation

    def push(self, state5_codes: Mapping[int, int]) -> dict:
        """Give the columns ``state_model_*`` of a bin."""
        # Outwards from the middle, so that both halves of a window have the same sum to the bit.
        outwards = sorted(self.weights, key=abs)
        intensity = {
            code: sum(self.weights[k] for k in outwards if state5_codes[k] == code)
            for code in CODES
        }
        c = self.config
        bull = c["bull_pressure_weight"] * intensity[1] + c["bull_vacuum_weight"] * intensity[2]
        bear = c["bear_pressure_weight"] * intensity[-1] + c["bear_vacuum_weight"] * intensity[-2]
        base = (bull - bear) * min(max(1.0 - c["mixed_weight"] * intensity[0], 0.0), 1.0)
        fields = self.score(base) | {
            "name": "derivative",
            "sample_count": len(self.channels[0]),
            "base": base,
            "bull_intensity": bull,
            "bear_intensity": bear,
            "mixed_intensity": intensity[0],
            "dominant_state5_code": max(reversed(CODES), key=lambda code: intensity[code]),
        }
        return {f"state_model_{name}": value for name, value in fields.items()}

    def score(self, base: float) -> dict[str, float | bool]:
        derivatives = self.derive.push(base, self.dt_s)
        for channel, value in zip(self.channels, derivatives, strict=True):
            channel.append(value)
        weights = [self.config[f"d{n}_weight"] for n in (1, 2, 3)]
        z = [self.z(channel) for channel in self.channels]
        held = min(len(self.channels[0]), self.config["zscore_window_bins"])
        found: dict[str, float | bool] = {"score": blend(z, weights, self.config["tanh_scale"])}
        found["ready"] = held >= self.config["zscore_min_periods"]
        for n in (1, 2, 3):
            found |= {f"d{n}": derivatives[n - 1], f"z{n}": z[n - 1]}
        return found
