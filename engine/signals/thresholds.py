"""Thresholds of a signal: its own, or such as follow from values that were seen before.

Definitions: ``docs/signals.md``, "Thresholds". Which values are calibrated on is the caller's: a
part that nothing is evaluated on or, in the predecessor's form, the series itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Floats
from engine.signals.definition import Definition

PERCENTS: Final = (50.0, 70.0, 80.0, 90.0, 95.0, 99.0)
V1_FIRST_BIN: Final = 300
_DIGITS: Final = 6


def thresholds(signal: type[Definition], calibration: Floats) -> tuple[float, ...]:
    """Thresholds to try.

    Parameters
    ----------
    signal : type of Definition
    calibration : ndarray, shape (n,), float64
        Values that a rule other than ``fixed`` is applied to.

    Raises
    ------
    ContractError
        ``CALIBRATION_EMPTY`` if they give no threshold.
    """
    if signal.threshold_rule == "fixed":
        return signal.thresholds
    rule = _percentiles if signal.threshold_rule == "percentiles" else _spread
    found = rule(calibration) if calibration.size else ()
    levels = sorted({round(float(one), _DIGITS) for one in found} - {0.0})
    positive = tuple(one for one in levels if one > 0.0)
    if positive or signal.thresholds:
        return positive or signal.thresholds
    raise ContractError(
        "CALIBRATION_EMPTY",
        f"no threshold of {signal.name} follows from the {calibration.size} values "
        "that it is calibrated on",
        "/eval/calibration_share",
        ("write thresholds, or give the calibration a larger share",),
    )


def _percentiles(values: Floats) -> Sequence[float]:
    """High percentiles of the absolute values."""
    return [float(one) for one in np.percentile(np.abs(values), PERCENTS)]


def _spread(values: Floats) -> Sequence[float]:
    """Steps from half the interquartile range to the tails."""
    p5, p25, p75, p95 = (float(one) for one in np.percentile(values, [5.0, 25.0, 75.0, 95.0]))
    near, far = max(abs(p75), abs(p25)), max(abs(p95), abs(p5))
    return [0.5 * (p75 - p25), p75 - p25, near, 0.5 * (near + far), far]
