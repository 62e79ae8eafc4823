"""Strategies, price series and costs at random, for the language and the engine below it.

`documents` draws strategies that compile or are refused for a static reason, `token_soup`
texts that hardly ever parse. What they must do is said by the tests of engine/dsl and
engine/backtest and by tests/oracles/backtest.py.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st

Document = dict[str, Any]
Columns = dict[str, np.ndarray]

FIELDS = ("open", "high", "low", "close", "volume")
PRICES = ("open", "high", "low", "close")
NAMES = (*FIELDS, "fast", "level")
STEP_NS = 60_000_000_000
TOKENS = (
    *"()+-*/<>=!,.&|^%$#@~?:;[]{}'\"\\`_",
    *("<=", ">=", "==", "!=", "**", "//", "<>", "->", ":=", "\n", "\t", "\r\n", "\x00", "\x0b"),
    *("and", "or", "not", "is", "in", "if", "lambda", "True", "none", "nan", "inf", "import"),
    *(*FIELDS, "fast", "CLOSE", "ma", "lag", "crossover", "crossunder", "ema", "ma(", "lag("),
    *("0", "1", "20", "1e308", "1e999", "9" * 40, "9" * 400, "1e-400", "0x1F", "1_000", "1.", ".5"),
    *("é", "２０", "ﬁ", "\U0001f600", "\u202e", "\ufeff", "ⅷ", "−", "∞"),
    *("ma(close, 20)", "close > 1", "lag(close, -1)", "__import__", "os.system"),
)

token_soup = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=40).map(" ".join)
"""Texts out of words and signs of the language and of others."""


def nested(shape: str, depth: int) -> str:
    """A condition nested as deep as asked in one of several ways."""
    return {
        "parentheses": "(" * depth + "close > 1" + ")" * depth,
        "not": "not " * depth + "close > 1",
        "minus": "close > " + "-" * depth + "1",
        "plus": "close > " + "+" * depth + "1",
        "sum": "close > " + "+".join(["open"] * depth),
        "product": "close > " + "*".join(["1"] * depth),
        "and": " and ".join(["close > open"] * depth),
        "or": "or ".join(f"low>{level}" for level in range(depth)),
        "calls": "ma(" * depth + "close" + ", 2)" * depth + " > 1",
        "right": "close > 1 or (" * depth + "open > 1" + ")" * depth,
    }[shape]


SHAPES = ("parentheses", "not", "minus", "plus", "sum", "product", "and", "or", "calls", "right")


def alternating(levels: int) -> str:
    """A condition in which every level leaves two values waiting for the next one."""
    opened = "".join(f"low > {99 + k} or high < {101 + k} and (" for k in range(levels))
    return opened + "close > open" + ")" * levels


def numbers(depth: int = 2) -> st.SearchStrategy[str]:
    """Numeric terms: fields, parameters, literals, arithmetic, means and lags of them."""
    leaf = st.sampled_from([*NAMES, "close", "close", "0", "1", "0.5", "99.5", "100", "101", "1e2"])
    if depth == 0:
        return leaf
    below = numbers(depth - 1)
    return st.one_of(
        leaf,
        st.builds("ma({}, {})".format, below, st.sampled_from(["1", "2", "3", "7", "fast"])),
        st.builds("lag({}, {})".format, below, st.sampled_from(["0", "1", "3", "fast"])),
        st.builds("({} {} {})".format, below, st.sampled_from("+-*/"), below),
        st.builds("-{}".format, below),
    )


def conditions(depth: int = 2) -> st.SearchStrategy[str]:
    """Conditions: comparisons, crossings and logic over them."""
    leaf = st.one_of(
        st.builds(
            "{} {} {}".format, numbers(), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
            numbers(),
        ),
        st.builds(
            "{}({}, {})".format, st.sampled_from(["crossover", "crossunder"]), numbers(1),
            numbers(1),
        ),
        st.sampled_from(["crossover(close, ma(close, fast))", "crossunder(close, ma(close, 3))"]),
    )  # fmt: skip
    if depth == 0:
        return leaf
    below = conditions(depth - 1)
    return st.one_of(
        leaf,
        st.builds("not ({})".format, below),
        st.builds("({}) {} ({})".format, below, st.sampled_from(["and", "or"]), below),
    )


def risks() -> st.SearchStrategy[Document]:
    """Sizings of both kinds, long only or short too, with and without margin."""
    percent = st.builds(
        lambda percent: {"type": "percent_equity", "percent": percent},
        st.sampled_from([100, 100, 50, 12.5]),
    )
    fixed = st.builds(
        lambda qty: {"type": "fixed_qty", "qty": qty}, st.sampled_from([1, 7.25, 900, 1500])
    )
    return st.fixed_dictionaries(
        {
            "sizing": st.one_of(percent, fixed),
            "allow_short": st.booleans(),
            "max_margin": st.sampled_from([0, 0, 5_000, 80_000]),
        }
    )


def documents() -> st.SearchStrategy[Document]:
    """Whole strategies of one to five rules, at least one of which leaves a position."""
    actions = st.sampled_from(["buy", "buy", "sell", "close", "hold"])
    rule = st.builds(lambda text, then: {"if": text, "then": then}, conditions(), actions)
    leaving = st.builds(
        lambda text, then: {"if": text, "then": then},
        conditions(1),
        st.sampled_from(["sell", "close"]),
    )
    rules = st.builds(lambda some, last: [*some, last], st.lists(rule, max_size=4), leaving)
    return st.builds(document, rules, risks())


def document(rules: list[Document], risk: Document | None = None) -> Document:
    """A strategy around rules, with the parameters that random expressions name."""
    return {
        "id": "drawn",
        "name": "Drawn at random",
        "version": "0.1",
        "timeframe": "1m",
        "rules": rules,
        "params": {"fast": {"default": 4, "min": 1, "max": 9}, "level": 100.5},
        "risk": risk or {"sizing": {"type": "percent_equity", "percent": 100}},
    }


def settings() -> st.SearchStrategy[Document]:
    """Delays 0 to 3 and costs from none to steep, with and without a volatility share."""
    return st.fixed_dictionaries(
        {
            "initial_cash": st.sampled_from([100_000.0, 1_234.5]),
            "bar_delay": st.integers(0, 3),
            "fee_bps": st.sampled_from([0.0, 1.0, 30.0]),
            "base_bps": st.sampled_from([0.0, 0.5, 25.0]),
            "k_vol": st.sampled_from([0.0, 0.0, 0.3, 2.0]),
            "window_bars": st.sampled_from([2, 5, 20]),
        }
    )


def series(max_bars: int = 90) -> st.SearchStrategy[Columns]:
    """Bars of several characters, in price units."""
    kinds = ("walk", "walk", "coarse", "flat", "zigzag", "up", "down", "jumps")
    return st.builds(bars, st.sampled_from(kinds), st.integers(2, max_bars), st.integers(0, 2**32))


def bars(kind: str, count: int, seed: int) -> Columns:
    """Open, high, low, close and volume around 100 units of a tick of 0.01."""
    rng = np.random.default_rng(seed)
    ticks = 10_000 + np.cumsum(_moves(kind, count, rng))
    close = np.maximum(ticks, 100)
    opened = np.append(close[0], close[:-1])
    spread = rng.integers(0, 20, (2, count))
    high = np.maximum(opened, close) + spread[0]
    low = np.maximum(np.minimum(opened, close) - spread[1], 1)
    ticks_by_name = {"open": opened, "high": high, "low": low, "close": close}
    columns = {name: value.astype(np.float64) * 0.01 for name, value in ticks_by_name.items()}
    return {**columns, "volume": rng.integers(1, 300, count).astype(np.float64)}


def _moves(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    match kind:
        case "coarse":
            return 100 * rng.integers(-1, 2, count)
        case "flat":
            return np.zeros(count, np.int64)
        case "zigzag":
            return np.where(np.arange(count) % 2, 50, -50)
        case "up":
            return rng.integers(0, 60, count)
        case "down":
            return -rng.integers(0, 60, count)
        case "jumps":
            return np.where(rng.random(count) < 0.1, rng.integers(-6000, 9000, count), 0)
        case _:
            return rng.integers(-90, 91, count)
