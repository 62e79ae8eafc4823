"""Stored bars that somebody changed are refused with the bar.

Bars as they were made pass; that those keep the guards is tested in test_guards.py.
"""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from contracts.errors import UnrepresentableError
from engine.paths import Bars, audit, simulate
from tests.engine.paths.markets import CASES, FAMILIES, PLAIN, load

BAR = 1237
LONG = {family: {**doc, "duration_bars": 2000} for family, doc in PLAIN.items()}
Columns = dict[str, np.ndarray]


def copied(bars: Bars) -> Columns:
    return {field.name: getattr(bars, field.name).copy() for field in fields(Bars)}


def refusal(doc: dict, bars: Bars, seed: int = 2) -> UnrepresentableError:
    with pytest.raises(UnrepresentableError) as caught:
        audit(load(doc), seed, bars)
    assert caught.value.code == "SCENARIO_UNREPRESENTABLE"
    return caught.value


def high_below_the_close(c: Columns) -> None:
    c["high_ticks"][BAR] = max(c["open_ticks"][BAR], c["close_ticks"][BAR]) - 1


def low_above_the_open(c: Columns) -> None:
    c["low_ticks"][BAR] = min(c["open_ticks"][BAR], c["close_ticks"][BAR]) + 1


def close_out_of_band(c: Columns) -> None:
    c["close_ticks"][BAR] = c["open_ticks"][BAR] * 3
    c["high_ticks"][BAR] = c["open_ticks"][BAR] * 4
    c["open_ticks"][BAR + 1] = c["close_ticks"][BAR]


def low_below_a_hundred_ticks(c: Columns) -> None:
    c["low_ticks"][BAR] = 99


def high_above_a_million_million_ticks(c: Columns) -> None:
    c["high_ticks"][BAR] = 10**12 + 1


def price_below_zero(c: Columns) -> None:
    for name in ("open_ticks", "high_ticks", "low_ticks", "close_ticks"):
        c[name][BAR] = -c[name][BAR]


def gap_without_a_jump(c: Columns) -> None:
    c["open_ticks"][BAR] += 1
    c["high_ticks"][BAR] += 1


def no_volume(c: Columns) -> None:
    c["volume_lots"][BAR] = 0


def volume_below_zero(c: Columns) -> None:
    c["volume_lots"][BAR] = -5


def time_off_the_grid(c: Columns) -> None:
    c["ts_ns"][BAR] += 1


def time_twice(c: Columns) -> None:
    c["ts_ns"][BAR] = c["ts_ns"][BAR - 1]


TAMPERINGS: list[Callable[[Columns], None]] = [
    high_below_the_close,
    low_above_the_open,
    close_out_of_band,
    low_below_a_hundred_ticks,
    high_above_a_million_million_ticks,
    price_below_zero,
    gap_without_a_jump,
    no_volume,
    volume_below_zero,
    time_off_the_grid,
    time_twice,
]


@pytest.mark.parametrize("name", CASES)
def test_bars_as_they_were_made_pass(name):
    spec = load(CASES[name])
    assert audit(spec, 2, simulate(spec, 2)) is None


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_changed_bar_is_named(family, tampering):
    made = copied(simulate(load(LONG[family]), 2))
    assert made["label"][BAR] == 0 or family == "regime_switch"
    tampering(made)
    error = refusal(LONG[family], Bars(**made))
    assert error.loc == f"bar {BAR}"
    assert f"at bar {BAR}" in error.message


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_and_the_last_bar_are_checked_like_the_others(family):
    for bar in (0, 1023, 1024, 1999):
        made = copied(simulate(load(LONG[family]), 2))
        made["high_ticks"][bar] = made["low_ticks"][bar] - 1
        assert refusal(LONG[family], Bars(**made)).loc == f"bar {bar}"


def test_a_gap_on_the_border_of_two_blocks_is_found():
    made = copied(simulate(load(LONG["trend"]), 2))
    made["open_ticks"][1024] -= 1
    made["low_ticks"][1024] -= 1
    assert refusal(LONG["trend"], Bars(**made)).loc == "bar 1024"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_row_is_named(family):
    made = copied(simulate(load(LONG[family]), 2))
    fewer = Bars(**{name: np.delete(column, BAR) for name, column in made.items()})
    assert "1999 bars" in refusal(LONG[family], fewer).message
    last_repeated = {
        name: np.append(np.delete(column, BAR), column[-1]) for name, column in made.items()
    }
    assert refusal(LONG[family], Bars(**last_repeated)).loc == f"bar {BAR}"


def test_bars_of_another_market_are_refused():
    calm = {**LONG["trend"], "params": {"drift": 0.0, "sigma": 0.01}}
    assert refusal(calm, simulate(load(LONG["trend"]), 2)).loc == "bar 0"


def test_the_first_of_two_broken_bars_is_named():
    bars = simulate(load(LONG["trend"]), 2)
    volume = bars.volume_lots.copy()
    volume[[1500, 40]] = 0
    assert refusal(LONG["trend"], replace(bars, volume_lots=volume)).loc == "bar 40"
