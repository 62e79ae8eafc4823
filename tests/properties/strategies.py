"""Strategies, price series and costs at random, for the language and the engine below it.

`documents` draws strategies that compile or are refused for a static reason, `busy` makes some
that trade a lot, `token_soup` draws texts that hardly ever parse. What they must do is said by the
tests of engine/dsl and engine/backtest and by tests/oracles/backtest.py.
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
    *("rsi", "atr(", "bbands", "stdev", "slope", "highest", "lowest(", "upper", "middle"),
    *("0", "1", "20", "1e308", "1e999", "9" * 40, "9" * 400, "1e-400", "0x1F", "1_000", "1.", ".5"),
    *("é", "２０", "ﬁ", "\U0001f600", "\u202e", "\ufeff", "ⅷ", "−", "∞"),
    *("ma(close, 20)", "bbands(close, 5, 2, lower)"),
    *("close > 1", "lag(close, -1)", "__import__", "os.system"),
)

EXITS = ("stop_loss_bps", "take_profit_bps", "trailing_stop_bps")
LENGTHS = ("max_holding_bars", "cooldown_bars")
ONE_WINDOW = ("ma", "ema", "rsi", "stdev", "highest", "lowest")
WINDOWS = st.sampled_from(["1", "2", "3", "7", "fast"])

LIVELY = (
    "close > open", "close < open", "volume > 150", "volume < 60", "close > lag(close, 1)",
    "crossover(close, ma(close, fast))", "crossunder(close, ma(close, 3))", "rsi(close, 3) < 40",
    "close > bbands(close, 7, 1, upper)", "close <= lag(lowest(low, 5), 1)",
    "high - low > atr(fast)", "slope(close, 3) > 0 and volume > 100",
)  # fmt: skip
"""Conditions that are true on some bars of most series and false on others."""

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
    """Numeric terms: fields, parameters, literals, arithmetic and every function of them."""
    leaf = st.sampled_from([*NAMES, "close", "close", "0", "1", "0.5", "99.5", "100", "101", "1e2"])
    if depth == 0:
        return leaf
    below = numbers(depth - 1)
    return st.one_of(
        leaf,
        st.builds("ma({}, {})".format, below, WINDOWS),
        st.builds("{}({}, {})".format, st.sampled_from(ONE_WINDOW), below, WINDOWS),
        st.builds("lag({}, {})".format, below, st.sampled_from(["0", "1", "3", "fast"])),
        st.builds("slope({}, {})".format, below, st.sampled_from(["2", "3", "8"])),
        st.builds("atr({})".format, WINDOWS),
        st.builds(
            "bbands({}, {}, {}, {})".format, below, WINDOWS, st.sampled_from(["0", "1", "2.5"]),
            st.sampled_from(["upper", "middle", "lower"]),
        ),
        st.builds("({} {} {})".format, below, st.sampled_from("+-*/"), below),
        st.builds("-{}".format, below),
    )  # fmt: skip


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
        st.sampled_from(LIVELY),
    )  # fmt: skip
    if depth == 0:
        return leaf
    below = conditions(depth - 1)
    return st.one_of(
        leaf,
        st.builds("not ({})".format, below),
        st.builds("({}) {} ({})".format, below, st.sampled_from(["and", "or"]), below),
    )


def orders() -> st.SearchStrategy[Document | None]:
    """Orders of every kind, or none, away from the market, at it and beyond it."""
    offset = st.sampled_from([0, 5, 20, 33.3, 50, 100, 180, -7.5, -50, -120])
    resting = st.fixed_dictionaries(
        {"type": st.sampled_from(["limit", "stop"])}, optional={"offset_bps": offset}
    )
    return st.one_of(st.none(), st.just({"type": "market"}), resting, resting)


def ruled(text: str, then: str, order: Document | None) -> Document:
    """A rule, with an order if there is one to place."""
    rule = {"if": text, "then": then}
    return rule if order is None or then == "hold" else rule | {"order": order}


def risks() -> st.SearchStrategy[Document]:
    """Sizings of every kind, exits in any combination, long only or short too, with margin."""
    bps = st.sampled_from([10, 33.3, 75, 100, 250, 900])
    bars_held = st.sampled_from([1, 2, 5, 15])
    exits = dict.fromkeys(EXITS, bps) | dict.fromkeys(LENGTHS, bars_held)
    return st.fixed_dictionaries({}, optional=exits).flatmap(_sized)


def _sized(exits: Document) -> st.SearchStrategy[Document]:
    sizing = [
        {"type": "percent_equity", "percent": percent} for percent in (100, 100, 50, 12.5)
    ] + [{"type": "fixed_qty", "qty": qty} for qty in (1, 7.25, 900, 1500)]
    if "stop_loss_bps" in exits or "trailing_stop_bps" in exits:
        sizing += [{"type": "risk_bps", "bps": bps} for bps in (5, 10, 25, 80, 300)]
    return st.fixed_dictionaries(
        {
            **{name: st.just(value) for name, value in exits.items()},
            "sizing": st.sampled_from(sizing),
            "allow_short": st.booleans(),
            "max_margin": st.sampled_from([0, 0, 5_000, 80_000]),
        }
    )


def documents() -> st.SearchStrategy[Document]:
    """Whole strategies of two to five rules, at least one of which leaves a position."""
    text = st.one_of(st.sampled_from(LIVELY), st.sampled_from(LIVELY), conditions())

    def rules(*actions: str) -> st.SearchStrategy[Document]:
        return st.builds(ruled, text, st.sampled_from(actions), orders())

    some = st.lists(rules("buy", "buy", "sell", "close", "hold"), max_size=3)
    whole = st.builds(
        lambda first, others, last: [first, *others, last],
        rules("buy", "buy", "sell", "hold"), some, rules("sell", "close"),
    )  # fmt: skip
    return st.builds(_ended, whole, risks())


def _ended(rules: list[Document], risk: Document) -> Document:
    """A strategy that also ends what its sells open: the last rule closes if nothing else does."""
    ends = {*EXITS, "max_holding_bars"} & {*risk}
    if not ends and not {"buy", "close"} & {rule["then"] for rule in rules}:
        rules = [*rules[:-1], rules[-1] | {"then": "close"}]
    return document(rules, risk)


def busy(seed: int, max_bars: int = 150) -> tuple[Document, Columns, Document]:
    """A strategy, bars and settings that trade a lot, drawn from a seed and not by hypothesis.

    Random examples are mostly quiet; here one of a few rules of `LIVELY` decides on most bars.
    """
    rng = np.random.default_rng(seed)

    def pick(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    texts = rng.permutation(LIVELY).tolist()
    order = [
        pick(None, {"type": pick("limit", "stop"), "offset_bps": pick(0, 10, 33.3, 60, 100, -20)})
        for _ in range(4)
    ]
    actions = ("buy", "sell", pick("buy", "sell", "close", "hold"), "close")
    rules = [ruled(*each) for each in zip(texts, actions, order, strict=False)]
    distances = {name: pick(25, 70, 100, 150.5) for name in EXITS if rng.random() < 0.4}
    lengths = {name: pick(1, 3, 8) for name in LENGTHS if rng.random() < 0.25}
    sizing = pick(
        {"type": "percent_equity", "percent": pick(100, 40)}, {"type": "fixed_qty", "qty": 5.5}
    )
    if "stop_loss_bps" in distances or "trailing_stop_bps" in distances:
        sizing = pick(sizing, {"type": "risk_bps", "bps": pick(10, 20)})
    margin = {"allow_short": pick(True, True, False), "max_margin": pick(0, 30_000)}
    flat = {
        "initial_cash": 100_000.0, "bar_delay": pick(0, 1, 1, 2, 5), "fee_bps": pick(0.0, 3.0),
        "base_bps": pick(0.0, 2.0), "k_vol": pick(0.0, 0.5), "window_bars": pick(2, 5, 20),
        "gap_policy": pick("touch", "open"), "lot_size": pick(None, 0.37, 7),
    }  # fmt: skip
    columns = bars(pick("walk", "wide", "gaps", "jumps", "coarse"), max_bars, seed)
    return document(rules, {"sizing": sizing} | distances | lengths | margin), columns, flat


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
    """Delays 0 to 3, costs from none to steep, both gap policies, with lots and without."""
    return st.fixed_dictionaries(
        {
            "initial_cash": st.sampled_from([100_000.0, 1_234.5]),
            "bar_delay": st.integers(0, 3),
            "fee_bps": st.sampled_from([0.0, 1.0, 30.0]),
            "base_bps": st.sampled_from([0.0, 0.5, 25.0]),
            "k_vol": st.sampled_from([0.0, 0.0, 0.3, 2.0]),
            "window_bars": st.sampled_from([2, 5, 20]),
            "gap_policy": st.sampled_from(["touch", "open"]),
            "lot_size": st.sampled_from([None, None, 0.37, 1, 30]),
        }
    )


def series(max_bars: int = 90) -> st.SearchStrategy[Columns]:
    """Bars of several characters, in price units."""
    kinds = (
        "walk", "walk", "coarse", "flat", "zigzag", "up", "down", "jumps", "wide", "gaps", "gaps",
        "gaps up", "gaps down",
    )  # fmt: skip
    counts = st.sampled_from([2, 3, 10, 20, *range(max_bars // 2, max_bars + 1)])
    return st.builds(bars, st.sampled_from(kinds), counts, st.integers(0, 2**32))


def bars(kind: str, count: int, seed: int) -> Columns:
    """Open, high, low, close and volume around 100 units of a tick of 0.01.

    A bar opens at the last close, except where the kind speaks of gaps: there two of five bars
    open up to 1.50 away from it.
    """
    rng = np.random.default_rng(seed)
    ticks = 10_000 + np.cumsum(_moves(kind, count, rng))
    close = np.maximum(ticks, 100)
    opened = np.append(close[0], close[:-1])
    spread = rng.integers(0, 150 if kind == "wide" else 20, (2, count))
    if kind.startswith("gaps"):
        opened = np.maximum(opened + _gaps(kind, count, rng), 100)
    high = np.maximum(opened, close) + spread[0]
    low = np.maximum(np.minimum(opened, close) - spread[1], 1)
    ticks_by_name = {"open": opened, "high": high, "low": low, "close": close}
    columns = {name: value.astype(np.float64) * 0.01 for name, value in ticks_by_name.items()}
    return {**columns, "volume": rng.integers(1, 300, count).astype(np.float64)}


def _gaps(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    lowest, highest = {"gaps up": (0, 151), "gaps down": (-150, 1)}.get(kind, (-150, 151))
    return np.where(rng.random(count) < 0.4, rng.integers(lowest, highest, count), 0)


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
