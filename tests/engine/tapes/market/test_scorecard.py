"""Scorecards of market tapes: every statistic, against plain computations over the rows."""

import json
import math
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from contracts.control import ControlLog, ControlVersion, SyntheticControlState
from contracts.errors import ContractError
from contracts.tape_bands import BAND, TAPE_BANDS, Exempt
from contracts.tape_defaults import FLOW, QUOTES, default_universe
from engine.tapes.market import scorecard
from engine.tapes.market.scorecard import Scorecard
from tests.engine.tapes.market.drawn_streams import (
    MINUTE_NS,
    OPEN_NS,
    SECOND_NS,
    cut,
    drawn_market,
    small_scorecard,
    spec_of,
)
from tests.oracles.market_statistics import price_statistics
from tests.oracles.option_statistics import option_statistics
from tests.oracles.trade_statistics import (
    arrival_statistics,
    quote_statistics,
    size_statistics,
)

BINNED = {"return_tail_index", "size_tail_index"}
"""Of histograms; their accuracy is tested on samples of known law."""

ROOT = Path(__file__).parents[4]


@cache
def market(seed):
    return drawn_market(seed, spec_of(minutes=(390, 390, 210)))


def card_of(*drawn, borders=()):
    """Scorecard of several markets, pooled."""
    cards = []
    for one in drawn:
        card = Scorecard(one.spec)
        for batch in cut(one.batch, borders):
            card.add(batch, one.contracts)
        cards.append(card)
    for card in cards[1:]:
        cards[0].merge(card)
    return cards[0]


def plain(*drawn):
    tapes, chains = [one.tape for one in drawn], [one.chains for one in drawn]
    return {
        **price_statistics(tapes),
        **arrival_statistics(tapes),
        **quote_statistics(tapes),
        **size_statistics(tapes),
        **option_statistics(tapes, chains),
    }


def assert_same(found, expected):
    compared = set(expected) - BINNED
    assert {name: found[name] for name in compared} == pytest.approx(
        {name: expected[name] for name in compared}, rel=1e-9, abs=1e-12, nan_ok=True
    )
    for name in BINNED:
        assert found[name] == pytest.approx(expected[name], rel=0.1)


def test_every_statistic_of_a_tape_is_that_of_plain_loops_over_its_rows():
    found, expected = card_of(market(1)).values(), plain(market(1))
    assert_same(found, expected)
    silent = [name for name, value in found.items() if not math.isfinite(value)]
    assert silent in ([], ["sign_acf_exponent"])


def test_how_a_tape_is_cut_into_batches_changes_no_statistic():
    drawn = market(1)
    rng = np.random.default_rng(5)
    borders = rng.integers(drawn.batch.start_ns + 1, drawn.batch.end_ns, 60)
    first = drawn.spec.sessions[0]
    borders = [*borders.tolist(), first.open_ns + 5 * MINUTE_NS, first.close_ns]
    whole, many = card_of(drawn).values(), card_of(drawn, borders=borders).values()
    assert np.array_equal(list(whole.values()), list(many.values()), equal_nan=True)


def test_pooled_tapes_have_the_statistics_of_all_their_rows():
    drawn = (market(1), market(2))
    assert_same(card_of(*drawn).values(), plain(*drawn))


def test_asking_changes_nothing():
    drawn = market(1)
    card = Scorecard(drawn.spec)
    for batch in cut(drawn.batch, [drawn.spec.sessions[1].open_ns + 7 * MINUTE_NS + 1]):
        card.add(batch, drawn.contracts)
        card.rows("pooled")
        assert card.values() == pytest.approx(card.values(), rel=0, abs=0, nan_ok=True)
    assert card.values() == pytest.approx(card_of(drawn).values(), rel=0, abs=0, nan_ok=True)


def test_memory_does_not_grow_with_the_number_of_sessions():
    def held_bytes(card):
        parts = (card._equities._sums, card._equities._prices, card._equities.state)
        options = (card._options._sums, card._options._context.state)
        return sum(array.nbytes for part in (*parts, *options) for array in part)

    short = drawn_market(3, spec_of(minutes=(60,)), each=500)
    long = drawn_market(3, spec_of(minutes=(60,) * 5), each=500)
    assert held_bytes(card_of(short)) == held_bytes(card_of(long))


def test_a_list_of_contracts_may_grow_from_session_to_session():
    drawn = drawn_market(4, spec_of(minutes=(60, 60)), each=1500)
    early, late = cut(drawn.batch, [drawn.spec.sessions[1].open_ns])
    listed = len(drawn.contracts["symbol"]) // 2
    for name in ("option_nbbo", "option_prints"):
        early.streams[name]["contract"] //= 2
    grown, whole = Scorecard(drawn.spec), Scorecard(drawn.spec)
    grown.add(early, {name: column[:listed] for name, column in drawn.contracts.items()})
    whole.add(early, drawn.contracts)
    for card in (grown, whole):
        card.add(late, drawn.contracts)
    found, expected = grown.values(), whole.values()
    assert found == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


def test_a_list_of_contracts_that_shrinks_is_refused():
    drawn = drawn_market(4, spec_of(minutes=(60, 60)), each=200)
    early, late = cut(drawn.batch, [drawn.spec.sessions[1].open_ns])
    card = Scorecard(drawn.spec)
    card.add(early, drawn.contracts)
    with pytest.raises(ContractError) as refused:
        card.add(late, {name: column[:-1] for name, column in drawn.contracts.items()})
    assert refused.value.code == "TAPE_CONTRACTS_SHRUNK"


def test_tapes_of_other_symbols_are_not_pooled():
    card = Scorecard(spec_of(("SPY", "MSFT")))
    with pytest.raises(ContractError) as refused:
        card.merge(Scorecard(spec_of(("SPY", "UNH"))))
    assert refused.value.code == "SCORECARD_UNIVERSES_DIFFER"


def test_what_needs_a_whole_session_is_silent_on_a_part_of_one():
    spec = spec_of(minutes=(390,))
    start = spec.start_ns + 1805 * SECOND_NS
    part = spec.model_copy(update={"start_ns": start, "end_ns": start + 3600 * SECOND_NS})
    drawn = drawn_market(6, spec, each=8000)
    (_, middle, _) = cut(drawn.batch, [part.start_ns, part.end_ns])
    card = Scorecard(part)
    card.add(middle, drawn.contracts)
    found = card.values()
    silent = {"edge_volume_share", "midday_trade_rate", "open_midday_trades"}
    silent |= {"open_midday_volatility", "clock_free_acf_20m"}
    assert {name for name in silent if not math.isnan(found[name])} == set()
    trades = middle.streams["equity_prints"]["condition"] < 3
    assert found["quotes_per_trade"] == len(middle.streams["equity_quotes"]["seq"]) / trades.sum()
    assert math.isfinite(found["variance_ratio_5m"])
    assert math.isfinite(found["put_skew"])


def test_bands_of_pooled_tapes_judge_every_statistic_and_silence_is_no_answer():
    card = Scorecard(spec_of())
    rows = card.rows("pooled")
    assert [row.name for row in rows] == [band.name for band in TAPE_BANDS]
    assert all((row.low, row.high) == (BAND[row.name].low, BAND[row.name].high) for row in rows)
    assert all(math.isnan(row.value) and not row.ok for row in rows)


def test_a_small_tape_is_judged_by_exact_bands_alone():
    rows = {row.name: row for row in card_of(market(1)).rows("single")}
    assert set(rows) == {band.name for band in TAPE_BANDS if band.scope == "both"}
    judged = {name for name, row in rows.items() if math.isfinite(row.high - row.low)}
    assert judged == {"off_grid_share", "known_reference_share", "near_quote_share"}
    assert not any(rows[name].ok for name in judged)
    assert all(row.ok for name, row in rows.items() if name not in judged)


USUAL = [one.symbol for one in default_universe()]
HIGH = {"load_profile_id": "firehose"}


def control_of(*changes):
    """A control whose versions take effect at the start and ten minutes after it each."""
    return ControlLog(
        versions=tuple(
            ControlVersion(
                effective_ns=(OPEN_NS + place * 600 * SECOND_NS) * bool(place),
                control=SyntheticControlState.model_validate(change),
            )
            for place, change in enumerate(changes)
        )
    )


def test_a_tape_of_the_usual_market_is_judged_by_its_own_intervals(monkeypatch):
    drawn = drawn_market(7, spec_of(USUAL, minutes=(390,)), each=3000)
    value = card_of(drawn).values()["odd_lot_share"]
    band = BAND["odd_lot_share"]._replace(single_low=value + 0.01, single_high=1.0)
    silent = BAND["clock_free_acf_20m"]._replace(scope="both", single_low=0.0, single_high=1.0)
    monkeypatch.setattr(scorecard, "TAPE_BANDS", (band, silent))
    told, unknown = card_of(drawn).rows("single")
    assert (told.value, told.low, told.high, told.ok) == (value, value + 0.01, 1.0, False)
    assert math.isnan(unknown.value)
    assert unknown.ok


@pytest.mark.parametrize(
    ("symbols", "minutes", "changes"),
    [
        (USUAL[:-1], (390,), {}),
        (USUAL, (210,), {}),
        (USUAL, (390, 210), {}),
        (USUAL, (390,), {"quotes": QUOTES.model_copy(update={"late_share": 0.02})}),
        (USUAL, (390,), {"flow": FLOW.model_copy(update={"branching": 0.1})}),
        (USUAL, (390,), {"control": control_of(HIGH)}),
        (USUAL, (390,), {"control": control_of({}, HIGH)}),
    ],
    ids=["symbols", "half_day", "one_half_day", "quotes", "flow", "load", "later_load"],
)
def test_intervals_of_the_usual_market_judge_no_other(monkeypatch, symbols, minutes, changes):
    band = BAND["odd_lot_share"]._replace(single_low=0.99, single_high=1.0)
    monkeypatch.setattr(scorecard, "TAPE_BANDS", (band,))
    drawn = drawn_market(8, spec_of(symbols, minutes, **changes), each=300)
    (row,) = card_of(drawn).rows("single")
    assert (row.low, row.high, row.ok) == (-math.inf, math.inf, True)
    assert not card_of(drawn).rows("pooled")[0].value > 0.99


def test_a_load_that_is_over_before_the_tape_begins_is_no_other_market(monkeypatch):
    band = BAND["odd_lot_share"]._replace(single_low=0.99, single_high=1.0)
    monkeypatch.setattr(scorecard, "TAPE_BANDS", (band,))
    before = ControlVersion(
        effective_ns=OPEN_NS - SECOND_NS, control=SyntheticControlState(preset_id="event_day")
    )
    first = ControlVersion(effective_ns=0, control=SyntheticControlState.model_validate(HIGH))
    spec = spec_of(USUAL, (390,), control=ControlLog(versions=(first, before)))
    assert not card_of(drawn_market(9, spec, each=300)).rows("single")[0].ok


def test_a_preset_that_a_band_does_not_hold_for_is_not_judged_by_it(monkeypatch):
    exempt = Exempt("event_day", "a reason")
    band = BAND["odd_lot_share"]._replace(low=0.99, high=1.0, exception=(exempt,))
    monkeypatch.setattr(scorecard, "TAPE_BANDS", (band,))
    drawn = market(1)
    control = control_of({}, {"preset_id": "event_day"})
    changed = drawn.spec.model_copy(update={"control": control})
    (judged,) = card_of(drawn).rows("pooled")
    (passed,) = card_of(drawn._replace(spec=changed)).rows("pooled")
    assert (judged.ok, passed.ok) == (False, True)
    assert passed.value == judged.value
    card = card_of(drawn)
    card.merge(card_of(drawn._replace(spec=changed)))
    assert card.rows("pooled")[0].ok


def test_interpreted_kernels_give_the_compiled_statistics():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.tapes.market.drawn_streams"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(json.dumps(small_scorecard()))
