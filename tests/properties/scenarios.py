"""Scenario documents at random: valid for the contract, sensible or absurd for a market.

`documents` draws what a person could have meant, `wild_documents` every number the
contract lets pass, `grid` an even cover of wide ranges. Named documents with known
edges are in tests/engine/paths/markets.py.
"""

import warnings
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy.stats import qmc

Document = dict[str, Any]
Unit = np.ndarray

FAMILIES = ("trend", "mean_revert", "level_revert", "vol_cluster", "shock_mix", "regime_switch")
MAX_REGIMES = 5
DIMENSIONS = 6 + 2 * MAX_REGIMES + MAX_REGIMES**2


def documents(family: str | None = None, bars: int = 150) -> st.SearchStrategy[Document]:
    """Markets that a person could have meant; some are still refused."""
    params = {
        "trend": st.fixed_dictionaries({"drift": _bps(20), "sigma": _sigma(200)}),
        "mean_revert": st.fixed_dictionaries(
            {"kappa": _kappa(0.01, 5), "theta": _bps(5), "sigma": _sigma(40, 0.01)}
        ),
        "level_revert": st.fixed_dictionaries(
            {"kappa": _kappa(1e-3, 5), "sigma": _sigma(100, 0.01), "level": st.floats(50, 200)}
        ),
        "vol_cluster": st.builds(
            _garch, st.floats(0.01, 500), st.floats(0, 0.9), st.floats(0, 0.999), _bps(5)
        ),
        "shock_mix": st.fixed_dictionaries(
            {"p_jump": st.floats(0, 1), "jump_mu": _bps(50), "jump_sigma": _sigma(200)},
            optional={"sigma": _sigma(50)},
        ),
        "regime_switch": _regimes(_bps(10), _sigma(100), st.integers(0, 20)),
    }
    return _whole(params, family, bars, st.floats(1, 1e5), st.sampled_from([1e-5, 1e-3, 0.01]))


def wild_documents(family: str | None = None, bars: int = 110) -> st.SearchStrategy[Document]:
    """Every number that the contract lets pass, up to the largest and smallest doubles."""
    any_number = st.floats(allow_nan=False, allow_infinity=False)
    positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
    not_negative = st.floats(min_value=0, allow_infinity=False)
    below_one = st.floats(0, 1, exclude_max=True)
    price, tick = st.floats(1e-9, 1e15), st.floats(1e-12, 1e9)
    params = {
        "trend": st.fixed_dictionaries({"drift": any_number, "sigma": not_negative}),
        "mean_revert": st.fixed_dictionaries(
            {"kappa": positive, "theta": any_number, "sigma": positive}
        ),
        "level_revert": st.fixed_dictionaries(
            {"kappa": positive, "sigma": positive, "level": price}
        ),
        "vol_cluster": st.fixed_dictionaries(
            {"omega": positive, "alpha": below_one, "beta": below_one, "mu": any_number}
        ).filter(lambda p: p["alpha"] + p["beta"] < 1),
        "shock_mix": st.fixed_dictionaries(
            {
                "p_jump": st.floats(0, 1),
                "jump_mu": any_number,
                "jump_sigma": not_negative,
                "sigma": not_negative,
            }
        ),
        "regime_switch": _regimes(any_number, not_negative, st.integers(0, 10**6)),
    }
    return _whole(params, family, bars, price, tick)


def grid(family: str, points: int, bars: int = 100) -> list[Document]:
    """Cover wide ranges of every parameter evenly, by a scrambled Sobol sequence."""
    sequence = qmc.Sobol(DIMENSIONS, rng=np.random.default_rng(FAMILIES.index(family)))
    with warnings.catch_warnings():  # the count need not be a power of two here
        warnings.simplefilter("ignore", UserWarning)
        units = sequence.random(points)
    return [_at(family, unit, bars) for unit in units]


def _at(family: str, unit: Unit, bars: int) -> Document:
    tick = _power(unit[0], -6, -1)
    start = tick * _power(unit[1], 1.8, 12.1)
    return {
        "id": "point",
        "version": "0.1",
        "timeframe": "1h",
        "duration_bars": bars,
        "seed": 0,
        "family": family,
        "volume_model": "lognormal" if unit[2] < 0.8 else "const",
        "volume": {
            "mean_lots": _power(unit[3], 0, 9),
            "sigma": 3 * unit[4],
            "response": 2 * unit[5],
        },
        "start_price": start,
        "tick_size": tick,
        "params": _params(family, unit[6:], start),
    }


def _params(family: str, unit: Unit, start: float) -> Document:
    drift, sigma = _signed(unit[0], -3, 3.5), _power(unit[1], -4, 4)
    match family:
        case "trend":
            return {"drift": drift, "sigma": sigma if unit[2] < 0.9 else 0.0}
        case "mean_revert":
            return {"kappa": _power(unit[2], -7, 3), "theta": drift, "sigma": sigma}
        case "level_revert":
            level = min(max(start * 10 ** _signed(unit[3], -4, 0.8), 1e-6), 1e12)
            return {"kappa": _power(unit[2], -7, 3), "sigma": sigma, "level": level}
        case "vol_cluster":
            persistence = 1 - _power(unit[2], -14, 0)
            alpha = persistence * unit[3]
            beta = max(0.0, persistence - alpha)
            return {"omega": _power(unit[1], -12, 6), "alpha": alpha, "beta": beta, "mu": drift}
        case "shock_mix":
            return {
                "p_jump": min(1.0, _power(unit[2], -4, 0.2)),
                "jump_mu": drift,
                "jump_sigma": _power(unit[3], -3, 4),
                "sigma": sigma,
            }
        case _:
            return _switching(unit)


def _switching(unit: Unit) -> Document:
    n = 2 + int(unit[0] * (MAX_REGIMES - 1))
    pairs = unit[: 2 * n].reshape(n, 2)
    weights = unit[2 * MAX_REGIMES : 2 * MAX_REGIMES + n * n].reshape(n, n) ** 8
    rows = weights / weights.sum(axis=1, keepdims=True)
    return {
        "regimes": [
            {"drift": _signed(one, -3, 3), "sigma": _power(two, -4, 3.5)} for one, two in pairs
        ],
        "transition": rows.tolist(),
    }


def _power(unit: float, low: float, high: float) -> float:
    return float(10.0 ** (low + (high - low) * unit))


def _signed(unit: float, low: float, high: float) -> float:
    size = _power(abs(2 * unit - 1), low, high)
    return size if unit > 0.5 else -size


def _whole(
    params: dict[str, st.SearchStrategy[Document]],
    family: str | None,
    bars: int,
    start: st.SearchStrategy[float],
    tick: st.SearchStrategy[float],
) -> st.SearchStrategy[Document]:
    names = (family,) if family else FAMILIES

    def one(name: str) -> st.SearchStrategy[Document]:
        return st.fixed_dictionaries(
            {
                "id": st.just("drawn"),
                "version": st.just("0.1"),
                "timeframe": st.sampled_from(["1m", "5m", "15m", "1h", "4h", "1d"]),
                "duration_bars": st.integers(100, bars),
                "seed": st.integers(0, 2**63 - 1),
                "family": st.just(name),
                "volume_model": st.sampled_from(["const", "lognormal"]),
                "params": params[name],
            },
            optional={"start_price": start, "tick_size": tick, "volume": _volume()},
        )

    return st.sampled_from(names).flatmap(one)


def _volume() -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries(
        {},
        optional={
            "mean_lots": st.floats(1, 1e9),
            "sigma": st.floats(0, 3),
            "response": st.floats(0, 2),
        },
    )


def _bps(size: float) -> st.SearchStrategy[float]:
    return st.floats(-size, size)


def _sigma(size: float, least: float = 0.0) -> st.SearchStrategy[float]:
    return st.floats(least, size)


def _kappa(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high)


def _garch(omega: float, alpha: float, persistence: float, mu: float) -> Document:
    alpha = min(alpha, persistence)
    return {"omega": omega, "alpha": alpha, "beta": persistence - alpha, "mu": mu}


@st.composite
def _regimes(
    draw: st.DrawFn,
    drift: st.SearchStrategy[float],
    sigma: st.SearchStrategy[float],
    weight: st.SearchStrategy[int],
) -> Document:
    n = draw(st.integers(2, MAX_REGIMES))
    pair = st.fixed_dictionaries({"drift": drift, "sigma": sigma})
    rows = []
    for index in range(n):
        row = draw(st.lists(weight, min_size=n, max_size=n))
        row[(index + 1) % n] += 1  # a way around through all regimes: one closed class
        rows.append([value / sum(row) for value in row])
    return {"regimes": draw(st.lists(pair, min_size=n, max_size=n)), "transition": rows}
