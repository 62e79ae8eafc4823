"""The signal pca_ad: how unlike the latest minute the profile is, and to which side.

It learns from no label, so its training rows need neither purge nor embargo: they end at the bin
itself. The reference names the three ingredients; how they are put together is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.arrays import Floats
from engine.jit import kernel
from engine.signals.definition import Parameter, bins
from engine.signals.ml.definition import Learner, MlSignal, Series, check_columns
from engine.signals.ml.history import History
from engine.signals.ml.libraries import Components, components, load
from engine.signals.ml.readings import PRESSURE, VACUUM
from engine.signals.ml.walk_forward import in_order

_NO_VARIANCE: Final = 1e-12


@kernel
def _measures(rows: Floats, mean: Floats, axes: Floats, variances: Floats) -> Floats:
    """What a profile's distance from the components is, row by row.

    Returns
    -------
    ndarray, shape (rows, 3), float64
        Root mean square of what the components leave; Mahalanobis distance within them over
        the root of their number; tilt: mean of the bids' rows less that of the asks' rows.
    """
    out = np.empty((rows.shape[0], 3))
    width, radius = mean.shape[0], mean.shape[0] // 2
    rest = np.empty(width)
    for i in range(rows.shape[0]):
        bids, asks = 0.0, 0.0
        for j in range(width):
            rest[j] = rows[i, j] - mean[j]
            if j < radius:
                bids += rest[j]
            elif j > radius:
                asks += rest[j]
        far = 0.0
        for c in range(axes.shape[0]):
            score = 0.0
            for j in range(width):
                score += axes[c, j] * (rows[i, j] - mean[j])
            far += score * score / variances[c]
            for j in range(width):
                rest[j] -= score * axes[c, j]
        left = 0.0
        for j in range(width):
            left += rest[j] * rest[j]
        out[i, 0] = np.sqrt(left / width)
        out[i, 1] = np.sqrt(far / axes.shape[0])
        out[i, 2] = (bids - asks) / radius
    return out


@dataclass(frozen=True, slots=True)
class _Normal:
    """Components of the trailing profiles, and what their own measures are like."""

    parts: Components
    residual_mean: float
    residual_deviation: float
    tilt_deviation: float


class _Anomaly:
    """The learner: components of the trailing bins, and the distance from them."""

    def __init__(self, params: Mapping[str, float]) -> None:
        self.refits = 0
        self._count = int(params["components"])
        self._window_bins = int(params["window_bins"])
        self._first_bin, self._refit_bins = int(params["first_bin"]), int(params["refit_bins"])
        self._history: History | None = None
        self._normal: _Normal | None = None
        self._next = 0

    def update(self, series: Series, bin_: int) -> float:
        """Prediction at a bin, see `Learner`."""
        self._next = in_order(PcaAnomaly, bin_, self._next)
        pressure, vacuum = series.columns.get(PRESSURE), series.columns.get(VACUUM)
        if self._history is None or pressure is None or vacuum is None:
            check_columns(PcaAnomaly, series)
            pressure, vacuum = series.columns[PRESSURE], series.columns[VACUUM]
            self._history = History(self._window_bins, pressure.shape[1])
        row = self._history.place(bin_)
        np.subtract(pressure[bin_], vacuum[bin_], out=row)
        if bin_ >= self._first_bin and (bin_ - self._first_bin) % self._refit_bins == 0:
            self._refit(series, bin_, self._history)
        if self._normal is None or not series.mid_price[bin_] > 0.0 or not np.isfinite(row).all():
            return np.nan
        return _value(self._normal, row)

    def _refit(self, series: Series, bin_: int, history: History) -> None:
        start = max(0, bin_ + 1 - self._window_bins)
        rows = history.rows(start, bin_ + 1)
        mid = series.mid_price[start : bin_ + 1]
        rows = rows[(mid > 0.0) & np.isfinite(rows).all(axis=1)]
        if 2 * len(rows) < self._window_bins:
            return
        normal = _normal(components(rows, self._count), rows)
        if normal is not None:
            self._normal = normal
            self.refits += 1


def _normal(parts: Components, rows: Floats) -> _Normal | None:
    """What is normal in some rows; None if they are all alike."""
    varies = parts.variances > _NO_VARIANCE * max(float(parts.variances[0]), _NO_VARIANCE)
    if not varies.any():
        return None
    parts = Components(
        parts.mean, np.ascontiguousarray(parts.axes[varies]), parts.variances[varies]
    )
    found = _measures(rows, parts.mean, parts.axes, parts.variances)
    deviations = found.std(axis=0)
    return _Normal(parts, float(found[:, 0].mean()), float(deviations[0]), float(deviations[2]))


def _value(normal: _Normal, row: Floats) -> float:
    parts = normal.parts
    residual, far, tilt = _measures(row[None], parts.mean, parts.axes, parts.variances)[0].tolist()
    excess = residual - normal.residual_mean
    unlike = excess / normal.residual_deviation if normal.residual_deviation > 0.0 else 0.0
    side = np.tanh(tilt / normal.tilt_deviation) if normal.tilt_deviation > 0.0 else 0.0
    return float(0.5 * (max(0.0, unlike) + max(0.0, far - 1.0)) * side)


class PcaAnomaly(MlSignal):
    """How unlike the latest profiles of pressure less vacuum this one is, and to which side.

    The components are those of the profiles (all rows of the window) of the trailing bins whose
    book was valid, at least half of them. With ρ the root mean square of what the components do
    not explain, z its distance from its mean over those bins in standard deviations, m the
    Mahalanobis distance within the components over the root of their number, and τ the mean over
    the bids' rows less that over the asks' rows, each less its mean over those bins, the value is
    ½ (max(0, z) + max(0, m − 1)) · tanh(τ / σ_τ).
    """

    name = "pca_ad"
    doc = "distance of the profile from the principal components of the latest ones"
    columns = (PRESSURE, VACUUM)
    least_radius = 10
    mode = "confidence"
    thresholds = (0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
    parameters = (
        Parameter("components", 10.0, 1.0, 20.0, True, "principal components"),
        bins("window_bins", 600, "trailing bins that are normal", low=50),
        bins("first_bin", 700, "bin of the first fit", low=0),
        bins("refit_bins", 100, "bins from one fit to the next"),
    )

    @classmethod
    def learner(cls, params: Mapping[str, float], cell_width_ms: int) -> Learner:
        """A new learner, see `MlSignal`."""
        found = cls.bound(params)
        load("sklearn")
        return _Anomaly(found)
