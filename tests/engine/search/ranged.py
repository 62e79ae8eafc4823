"""A strategy with any ranges: ``fast`` and ``slow`` count bars, ``level`` and ``width`` do not."""

from typing import Any

from hypothesis import strategies as st

from contracts.strategy import StrategySpec, strategy_from

RULES = [
    {"if": "ma(close, fast) > ma(close, slow) * level and close > width", "then": "buy"},
    {"if": "close < bbands(close, 20, width, lower)", "then": "close"},
]
PLAIN: dict[str, Any] = {"fast": 5, "slow": 20, "level": 1, "width": 2}


def ranged(**ranges: Any) -> StrategySpec:
    """The strategy; a parameter of which nothing is said is a number."""
    return strategy_from(
        {
            "id": "ranged",
            "name": "Ranged",
            "version": "0.1",
            "timeframe": "1m",
            "rules": RULES,
            "params": {**PLAIN, **ranges},
            "risk": {"sizing": {"type": "percent_equity", "percent": 100}},
        }
    )


def between(low: float, high: float, step: float | None = None) -> dict[str, float]:
    """A range whose default is its lower bound."""
    bounds = {"default": low, "min": low, "max": high}
    return bounds if step is None else {**bounds, "step": step}


_hundredths = st.integers(0, 100).map(lambda hundredths: hundredths / 100)
_steps = st.one_of(st.none(), st.sampled_from([0.1, 0.25, 0.3, 0.07, 1.0, 2.0]))
_whole_steps = st.one_of(st.none(), st.sampled_from([1.0, 2.0, 3.0, 7.0]))
_plain = st.builds(
    lambda low, width, step: between(low, low + width, step), _hundredths, _hundredths, _steps
)
_bars = st.builds(
    lambda low, width, step: between(low, low + width, step),
    st.integers(1, 30),
    st.integers(0, 9),
    _whole_steps,
)
any_ranges = st.fixed_dictionaries(
    {}, optional={"fast": _bars, "slow": _bars, "level": _plain, "width": _plain}
)
"""Ranges of some of the parameters, from one value to dozens."""
