"""Following the first hint mends what people typically get wrong, within two rounds.

The one who follows is hint_follower.py; codes and places of refusals are in test_check.py.
"""

import copy
from typing import Any

import pytest

from engine.dsl.check import FUNCTIONS
from engine.dsl.hints import ALIASES, nearest, spelling
from tests.contracts.fixture_files import INDEX, INVALID, document, valid_files
from tests.engine.dsl.hint_follower import followed, refused
from tests.properties import documents

ROUNDS = 2
FIXTURES = {
    path.stem.removeprefix("strategy_"): document(path) for path in valid_files("strategies")
}
TYPOS = [
    # spelling of names
    "sma(close, 20) > ma(close, 50)",
    "mA(close, 20) > close",
    "MA(close, 20) > close",
    "Close > open",
    "CLOSE > OPEN",
    "clsoe > open",
    "close > ma(clos, 20)",
    "RSI(close, 14) < 30",
    "rsii(close, 14) < 30",
    "crossover(ma(close, fats), close)",
    "cross_above(close, ma(close, 20))",
    "crosover(close, open)",
    "std(close, 20) > 1",
    "max(high, 20) < close",
    "shift(close, 1) < close",
    "price > open",
    "close > bbands(close, 20, 2, uper)",
    "close > bbands(close, 20, 2, 'upper')",
    "close > bbands(close, 20, 2, top)",
    "close > ta.ema(close, 20)",
    "bar.close > 100",
    "df['close'] > 100",
    "close > ma(close, window)",
    "close > threshold",
    # spelling of operators and numbers
    "close = open",
    "close === open",
    "close => open",
    "close =< open",
    "close <> open",
    "close >> open",
    "close ≥ open",
    "close > open && volume > 10",
    "close > open || volume > 10",
    "close>open&&volume>10",
    "close > open & volume > 10",
    "!crossover(close, open)",
    "not crossover(close, open) AND volume > 10",
    "close > open OR volume > 10",
    "NOT close > open",
    "close ** 2 > 100",
    "close ^ 2 > 100",
    "ma(close, 3) ** 2 > 100",
    "close > .5",
    "close > 1_000",
    "volume > 1,000",
    "close > 100.",
    "close > '100'",
    "close − open > 1",
    "1 < close < 3",
    "close above open",
    # calls
    "close[1] < close",
    "close[-1] < close",
    "ma(close, 20)[1] < close",
    "close.shift(1) < close",
    "close.rolling(20).mean() < close",
    "ma[close, 20] < close",
    "ma(close 20) < close",
    "ma(close, ) < close",
    "ma(close) < close",
    "ma() < close",
    "ma(20) < close",
    "ma(20, close) < close",
    "ma(close, 20, 3) < close",
    "atr(close, 14) > 1",
    "atr(high, low, close, 14) > 1",
    "rsi(14) < 30",
    "bbands(close, 20, upper) < close",
    "bbands(close, 20, 2) < close",
    "bbands(20, 2, upper) < close",
    "crossover(close)",
    "ma < close",
    "ma(close, 20 < close",
    "ma(close, 20)) < close",
    "(close > open and volume > 10",
    # types and values
    "ma(close, 20)",
    "close",
    "close - open",
    "close > open and volume",
    "crossover(close, open) > 0",
    "ma(close > open, 20) > 0.5",
    "true",
    "ma(close, 0) < close",
    "ma(close, -5) < close",
    "ma(close, 2.5) < close",
    "ma(close, 1000000) < close",
    "slope(close, 1) > 0",
    "ma(close, fast * 2) < close",
    "ma(close, close) < open",
    "lag(close, -1) > close",
    "lag(close, -fast) > close",
    "lag(close, -0.5) > close",
    "close < bbands(close, 20, -2, lower)",
    "close > 1e999",
    "1 > 2",
    # left over
    "close > open and",
    "close > open;",
    "close >",
    "close > open volume > 10",
    "if close > open",
    "close > open # a comment",
    " ",
]


def edited(name: str, *path: Any, value: Any = None, remove: bool = False) -> dict[str, Any]:
    """A fixture with one place of it changed."""
    if remove:
        return documents.removed(FIXTURES[name], path)
    changed = copy.deepcopy(FIXTURES[name])
    documents.value_at(changed, path[:-1])[path[-1]] = value
    return changed


def renamed(name: str, *path: Any, to: str) -> dict[str, Any]:
    """A fixture with one key of it spelt otherwise."""
    changed = copy.deepcopy(FIXTURES[name])
    parent = documents.value_at(changed, path[:-1])
    parent[to] = parent.pop(path[-1])
    return changed


def typed(text: str) -> dict[str, Any]:
    return edited("ma_crossover", "rules", 0, "if", value=text)


LIMIT = ("rules", 0, "order")
DOCUMENTS = {
    "no risk": edited("ma_crossover", "risk", remove=True),
    "no sizing": edited("rsi_reversion", "risk", "sizing", remove=True),
    "no exit": edited("rsi_reversion", "rules", value=[{"if": "close > open", "then": "buy"}])
    | {"risk": FIXTURES["ma_crossover"]["risk"]},
    "no exit of a short": edited("ma_crossover", "rules", 0, remove=True)
    | {"risk": FIXTURES["ma_crossover"]["risk"] | {"allow_short": True}},
    "no stop to size by": edited("fixed_risk_trend", "risk", "stop_loss_bps", remove=True),
    "no sizing type": edited("ma_crossover", "risk", "sizing", value={"percent": 50}),
    "no percent": edited("ma_crossover", "risk", "sizing", value={"type": "percent_equity"}),
    "no id": edited("momentum", "id", remove=True),
    "no name": edited("momentum", "name", remove=True),
    "no version": edited("momentum", "version", remove=True),
    "no timeframe": edited("momentum", "timeframe", remove=True),
    "no rules": edited("momentum", "rules", remove=True),
    "no condition": edited("momentum", "rules", 0, "if", remove=True),
    "no action": edited("momentum", "rules", 0, "then", remove=True),
    "no default": edited("momentum", "params", "length", "default", remove=True),
    "no max": edited("momentum", "params", "length", "max", remove=True),
    "cooldown 0": edited("rsi_reversion", "risk", "cooldown_bars", value=0),
    "cooldown as text": edited("rsi_reversion", "risk", "cooldown_bars", value="15"),
    "holding 0 bars": edited("rsi_reversion", "risk", "max_holding_bars", value=0),
    "holding a fraction": edited("rsi_reversion", "risk", "max_holding_bars", value=2.5),
    "percent 150": edited("ma_crossover", "risk", "sizing", "percent", value=150),
    "percent 0": edited("ma_crossover", "risk", "sizing", "percent", value=0),
    "percent as text": edited("ma_crossover", "risk", "sizing", "percent", value="50"),
    "percent with its sign": edited("ma_crossover", "risk", "sizing", "percent", value="50%"),
    "stop of everything": edited("rsi_reversion", "risk", "stop_loss_bps", value=10_000),
    "negative stop": edited("rsi_reversion", "risk", "stop_loss_bps", value=-150),
    "short as text": edited("fixed_risk_trend", "risk", "allow_short", value="true"),
    "short as a number": edited("fixed_risk_trend", "risk", "allow_short", value=1),
    "market with offset": edited("limit_pullback", *LIMIT, "type", value="market"),
    "offset without type": edited("limit_pullback", *LIMIT, "type", remove=True),
    "order misspelt": edited("limit_pullback", *LIMIT, "type", value="limt"),
    "order in capitals": edited("limit_pullback", *LIMIT, "type", value="LIMIT"),
    "unknown order": edited("limit_pullback", *LIMIT, "type", value="iceberg"),
    "offset key": renamed("limit_pullback", *LIMIT, "offset_bps", to="offset"),
    "offset too far": edited("limit_pullback", *LIMIT, "offset_bps", value=50_000),
    "stop key": renamed("rsi_reversion", "risk", "stop_loss_bps", to="stop_loss"),
    "trailing key": renamed("momentum", "risk", "trailing_stop_bps", to="trailing_stop_bp"),
    "sizing key": renamed("momentum", "risk", "sizing", to="size"),
    "rules key": renamed("momentum", "rules", to="rule"),
    "then key": renamed("momentum", "rules", 0, "then", to="than"),
    "capital key": renamed("momentum", "timeframe", to="timeFrame"),
    "default key": renamed("momentum", "params", "length", "default", to="defualt"),
    "unknown key": edited("momentum", "comment", value="mine"),
    "unknown key of a rule": edited("momentum", "rules", 0, "comment", value="mine"),
    "sizing misspelt": edited("ma_crossover", "risk", "sizing", "type", value="percent"),
    "action misspelt": edited("ma_crossover", "rules", 0, "then", value="bu"),
    "action in capitals": edited("ma_crossover", "rules", 1, "then", value="SELL"),
    "unknown action": edited("rsi_reversion", "rules", 1, "then", value="long"),
    "timeframe misspelt": edited("momentum", "timeframe", value="1min"),
    "version newer": edited("momentum", "version", value="1.0"),
    "version as a number": edited("momentum", "version", value=0.1),
    "id with spaces": edited("momentum", "id", value="My momentum"),
    "default outside": edited("momentum", "params", "length", "default", value=500),
    "min above max": edited("momentum", "params", "length", "min", value=500),
    "parameter as text": edited("momentum", "params", "length", value="60"),
    "parameter of a field's name": edited("momentum", "params", "close", value=3),
    "parameter in capitals": renamed("ma_crossover", "params", "fast", to="Fast"),
    "parameter forgotten": edited("ma_crossover", "params", "slow", remove=True),
    "parameter misspelt": renamed("ma_crossover", "params", "slow", to="slwo"),
    "window 0 by default": edited("ma_crossover", "params", "fast", value=0),
    "buys and sells": edited(
        "ma_crossover", "rules", 1, "if", value=FIXTURES["ma_crossover"]["rules"][0]["if"]
    ),
    "tag with a space": edited("momentum", "metadata", "tags", 0, value="my tag"),
    **{text: typed(text) for text in TYPOS},
}


def mended_after(written: dict[str, Any]) -> list[str]:
    """What was followed, hint by hint, until the strategy compiled or the rounds were over."""
    told = []
    for _ in range(ROUNDS):
        problem = refused(written)
        if problem is None:
            break
        told.append(str(problem))
        written = followed(written, problem)
    return told if refused(written) is None else [*told, f"then {refused(written)}"]


def test_following_the_first_hint_mends_nearly_every_typical_mistake_within_two_rounds():
    told = {name: mended_after(written) for name, written in DOCUMENTS.items()}
    assert all(told.values()), [name for name in told if not told[name]]
    lost = {name: hints for name, hints in told.items() if hints[-1].startswith("then ")}
    assert len(told) >= 150
    assert len(lost) <= 0.05 * len(told), lost


def test_a_window_longer_than_the_data_is_mended_too():
    written = typed("close > ma(close, 5000)")
    problem = refused(written, bars=1000)
    assert problem is not None
    assert refused(followed(written, problem), bars=1000) is None


@pytest.mark.parametrize(
    "name", [name for name in INDEX if name.startswith("strategies/expression_")]
)
def test_a_broken_expression_of_the_fixtures_is_mended(name):
    assert not mended_after(document(INVALID / name))[-1].startswith("then ")


@pytest.mark.parametrize(
    ("text", "at", "hint"),
    [
        ("close = 1", 6, "write == instead of ="),
        ("close[1] > 1", 5, "write lag(close, 1) instead of close[1]"),
        ("close AND open", 6, "write and instead of AND"),
        ("a&&b", 1, "write a and b instead of a&&b"),
        ("1 < close < 3", 10, "write and close < instead of <"),
        ("ma(close 20)", 9, "write , 20 instead of 20"),
        ("close > 1)", 9, "remove )"),
        ("(close > 1", 10, "add ) at the end"),
        ("close > 1 and", 13, "remove and at the end"),
        ("close > 5%", 9, "remove %"),
        ("close \x00 5", 6, "write a condition, e.g. close > ma(close, 20)"),
        ("  ", 0, "write close > ma(close, 20)"),
        ("close > 1", 9, "write close > ma(close, 20)"),
        ("'" + "x" * 300 + "'", 0, "write it as in close > ma(close, 20)"),
    ],
)
def test_a_hint_says_what_to_write_at_the_place(text, at, hint):
    assert spelling(text, at) == hint


def test_a_word_of_another_language_means_a_name_of_this_one_if_it_is_known_there():
    assert nearest("SMA", FUNCTIONS) == "ma"
    assert nearest("mx", ["level"]) is None
    assert nearest("max", ["maxi", "close"]) == "maxi"
    known = {*FUNCTIONS, "close", "volume", "upper", "middle", "lower"}
    assert set(ALIASES.values()) <= known
    assert not set(ALIASES) & known
