"""Statistics of when equities trade, on which side, and how prices answer.

The sums are made by ``kernels_scorecard``. What each statistic must be is
``contracts.tape_bands.ARRIVAL_BANDS``.
"""

from __future__ import annotations

import math

import numpy as np

from contracts.tape_bands import EDGE_MINUTES
from engine.arrays import Floats
from engine.tapes.market import scorecard_layout as at
from engine.tapes.market.scorecard_figures import decay_exponent, mean_of, ratio
from engine.tapes.market.scorecard_layout import EquitySums


def arrival_values(sums: EquitySums) -> dict[str, float]:
    """Every statistic of arrivals by the name of its band."""
    acf = sign_acf(sums)
    near = mean_of(_response(row, at.NEAR_RESPONSE, at.NEAR_PAIRS) for row in sums.counts)
    far = mean_of(_response(row, at.FAR_RESPONSE, at.FAR_PAIRS) for row in sums.counts)
    return {
        **_shape_values(sums),
        "arrival_variation": mean_of(
            _variation(int(row[at.GAPS]), gaps)
            for row, gaps in zip(sums.counts, sums.gaps, strict=True)
        ),
        "fano_1s": mean_of(_fano(row, int(sums.seconds[0])) for row in sums.counts),
        "sign_acf_least": float(acf.min()),
        "sign_acf_exponent": decay_exponent(acf),
        "response_10": near,
        "response_100_per_10": ratio(far, near),
    }


def sign_acf(sums: EquitySums) -> Floats:
    """Autocorrelation of the signs of trades by lag, over all symbols' trades."""
    signed = sums.counts[:, at.SIGNED]
    mean = sums.counts[:, at.SIGN_SUM] / np.maximum(signed, 1)
    pairs = sums.pairs[:, ::-1].astype(np.float64)
    centred = sums.products[:, ::-1] - (mean * mean)[:, None] * pairs
    wholes = ((1.0 - mean * mean)[:, None] * pairs).sum(axis=0)
    known = wholes > 0.0
    return np.where(known, centred.sum(axis=0) / np.where(known, wholes, 1.0), math.nan)


def _shape_values(sums: EquitySums) -> dict[str, float]:
    """How trading is spread over the whole sessions."""
    edges: list[float] = []
    middays: list[float] = []
    opens: list[float] = []
    sessions, minutes = float(sums.seconds[1]), float(sums.seconds[2])
    for trades, shares in sums.windows.transpose(0, 2, 1).astype(np.float64):
        edges.append(ratio(float(shares[at.OPENING] + shares[at.CLOSING]), float(shares[at.WHOLE])))
        midday = ratio(float(trades[at.MIDDAY]), 0.25 * minutes)
        middays.append(ratio(midday, ratio(float(trades[at.WHOLE]), minutes)))
        opens.append(ratio(ratio(float(trades[at.OPENING]), EDGE_MINUTES * sessions), midday))
    return {
        "edge_volume_share": mean_of(edges),
        "midday_trade_rate": mean_of(middays),
        "open_midday_trades": mean_of(opens),
    }


def _variation(gaps: int, sums: Floats) -> float:
    """Deviation over mean of the times between trades."""
    mean = ratio(float(sums[0]), gaps)
    square = ratio(float(sums[1]), gaps)
    return ratio(math.sqrt(max(square - mean * mean, 0.0)), mean) if mean > 0.0 else math.nan


def _fano(counts: np.ndarray[tuple[int], np.dtype[np.int64]], seconds: int) -> float:
    """Variance over mean of the trades in a second."""
    mean = ratio(int(counts[at.TRADES]), seconds)
    square = ratio(int(counts[at.SQUARES]), seconds)
    return ratio(square - mean * mean, mean) if mean > 0.0 else math.nan


def _response(
    counts: np.ndarray[tuple[int], np.dtype[np.int64]], response: int, pairs: int
) -> float:
    """Mean signed move of the mid over the mean spread."""
    move = 0.5 * ratio(int(counts[response]), int(counts[pairs]))
    return ratio(move, ratio(int(counts[at.SPREADS]), int(counts[at.SIGNED])))
