"""Prices, greeks and implied volatilities of many options at once, for readers of tapes.

Interest and dividends are zero. The kernels beneath are ``surface``, which the tape itself is
priced by; units are a year and 1.00 of volatility, never a day or a percent.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.arrays import Floats
from engine.jit import kernel
from engine.mathx import log
from engine.tapes.market.surface import implied_volatility, priced


class Greeks(NamedTuple):
    """Black–Scholes price and sensitivities, all of the shape of the arguments broadcast.

    Attributes
    ----------
    price : ndarray, float64
        In the unit of spot and strike.
    delta : ndarray, float64
        Change of the price with the spot; 0 … 1 for a call, −1 … 0 for a put.
    gamma : ndarray, float64
        Change of delta with the spot.
    vega : ndarray, float64
        Change of the price per 1.00 of annual volatility.
    theta : ndarray, float64
        Change of the price a year, ≤ 0, as time goes by.
    """

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats


def greeks(
    is_call: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    volatility: npt.ArrayLike,
    years: npt.ArrayLike,
) -> Greeks:
    """Price options and say how the prices move.

    Parameters
    ----------
    is_call : array_like of bool
        Call, else put.
    spot, strike : array_like of float
        Positive, in one unit.
    volatility : array_like of float
        Annual, 0.2 for 20 %; positive.
    years : array_like of float
        Time to expiry; positive.

    Returns
    -------
    Greeks
        NaN where an argument is not positive.

    Raises
    ------
    ValueError
        If the shapes cannot be broadcast.

    Notes
    -----
    Black and Scholes (1973) with the forward at the spot. With T = `years`, s = σ√T and
    d₁ = log(spot / strike) / s + s / 2: gamma is n(d₁) / (spot · s), vega spot · n(d₁) · √T,
    theta −spot · n(d₁) · σ / (2√T).
    """
    kinds, reals, shape = _columns(is_call, spot, strike, volatility, years)
    out = np.empty((5, kinds.shape[0]))
    _fill_greeks(out, kinds, *reals)
    return Greeks(*(row.reshape(shape) for row in out))


def implied_volatilities(
    is_call: npt.ArrayLike,
    price: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
) -> Floats:
    """Annual volatilities at which options are worth their prices.

    Parameters
    ----------
    is_call : array_like of bool
        Call, else put.
    price, spot, strike : array_like of float
        In one unit.
    years : array_like of float
        Time to expiry.

    Returns
    -------
    ndarray, float64
        Of the shape of the arguments broadcast; NaN where there is none, which is at or below
        the intrinsic value, at or above the spot (a put: the strike), and where an argument
        is not positive.

    Raises
    ------
    ValueError
        If the shapes cannot be broadcast.
    """
    kinds, reals, shape = _columns(is_call, price, spot, strike, years)
    out = np.empty(kinds.shape[0])
    _fill_volatilities(out, kinds, *reals)
    return out.reshape(shape)


def _columns(
    is_call: npt.ArrayLike, *reals: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], list[Floats], tuple[int, ...]]:
    kinds, *columns = np.broadcast_arrays(
        np.asarray(is_call, np.bool_), *(np.asarray(real, np.float64) for real in reals)
    )
    return kinds.flatten(), [column.flatten() for column in columns], kinds.shape


@kernel
def _fill_greeks(
    out: Floats,
    is_call: npt.NDArray[np.bool_],
    spot: Floats,
    strike: Floats,
    volatility: Floats,
    years: Floats,
) -> None:
    for i in range(is_call.shape[0]):
        if not (spot[i] > 0.0 and strike[i] > 0.0 and volatility[i] > 0.0 and years[i] > 0.0):
            out[:, i] = math.nan
            continue
        root = math.sqrt(years[i])
        deviation = volatility[i] * root
        k = log(strike[i] / spot[i])
        price, delta, slope = priced(is_call[i], spot[i], strike[i], k, deviation * deviation)
        out[0, i] = price
        out[1, i] = delta
        out[2, i] = slope / (spot[i] * spot[i] * deviation)
        out[3, i] = slope * root
        out[4, i] = -0.5 * slope * volatility[i] / root


@kernel
def _fill_volatilities(
    out: Floats,
    is_call: npt.NDArray[np.bool_],
    price: Floats,
    spot: Floats,
    strike: Floats,
    years: Floats,
) -> None:
    for i in range(is_call.shape[0]):
        out[i] = implied_volatility(is_call[i], price[i], spot[i], strike[i], years[i])
