"""Checks of tapes and their figures, without a tape."""

import pytest

from contracts.errors import Problem
from islandflow_assets import keys
from islandflow_assets.market_verdicts import (
    CHECKS,
    check_specs,
    checks_of,
    figures_table,
    scorecard_table,
    verdicts_of,
)
from islandflow_assets.outcomes import Outcome
from islandflow_assets.partitions import MarketCell
from islandflow_resources.tape_reports import DETERMINISM, DIGEST, Judgement

CELL = MarketCell("small-0123456789ab", 1)
PARITY = {
    "symbol": "SPY",
    "start_ns": "1",
    "end_ns": "2",
    "rows": {"equity_quotes": 3, "option_prints": 4},
    "difference": None,
    "loc": None,
}


def figure(name, value, low=None, high=None, *, section="realism", ok=True):
    found = {"section": section, "name": name, "value": value, "low": low, "high": high}
    return {**found, "ok": ok, "detail": ""}


def judgement(*figures, problems=None, parity=None):
    report = {"events": 1, "figures": list(figures), "series": {}}
    return Judgement(report, parity or PARITY, problems or {})


def rows(table):
    return [record.data for record in table.records]


def test_every_check_blocks_and_is_described():
    specs = check_specs(keys.TAPE, CHECKS)
    assert [spec.name for spec in specs] == list(CHECKS)
    assert all(spec.blocking and spec.description for spec in specs)


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (DIGEST, keys.DIGEST_MATCHES),
        ("schema", keys.SCHEMA_HOLDS),
        ("order", keys.ORDER_IS_TOTAL),
        ("labels", keys.LABELS_STAY_APART),
        ("arbitrage", keys.NO_STATIC_ARBITRAGE),
        ("ticks", keys.TICK_GRIDS_HOLD),
        ("prints", keys.PRINTS_MATCH_QUOTES),
        ("realism", keys.REALISM_HOLDS),
        (DETERMINISM, keys.DETERMINISM_HOLDS),
    ],
)
def test_a_problem_of_a_section_fails_its_check_and_no_other(section, name):
    problem = Problem("WRONG", "it is wrong")
    found = checks_of(judgement(problems={section: problem}))
    assert {one: said for one, said in found.items() if said} == {name: problem}
    assert list(found) == list(CHECKS)


def test_a_tape_that_cannot_be_proved_reaches_only_what_proves_it():
    found = checks_of(Judgement(None, None, {DIGEST: Problem("WRONG", "it is wrong")}))
    assert set(found) == {
        keys.DIGEST_MATCHES,
        keys.SCHEMA_HOLDS,
        keys.ORDER_IS_TOTAL,
        keys.LABELS_STAY_APART,
    }


def test_figures_are_gathered_over_tapes_beside_their_band():
    first = [figure("put_skew", 1.2, 1.005, 2.0), figure("fano_1s", 3.0, 2.0)]
    second = [figure("put_skew", 0.9, 1.005, 2.0, ok=False), figure("fano_1s", None, 2.0)]
    assert rows(figures_table([first, second])) == [
        {
            "figure": "put_skew",
            "least": "0.9",
            "greatest": "1.2",
            "band": "1.005 … 2",
            "outside": 1,
        },
        {
            "figure": "fano_1s",
            "least": "3",
            "greatest": "3",
            "band": "at least 2",
            "outside": 0,
        },
    ]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(None, None, "not judged"), (None, 0.52, "at most 0.52"), (0.0, 0.0, "0")],
)
def test_a_band_is_said_in_words(low, high, said):
    assert rows(figures_table([[figure("x", 0.0, low, high)]]))[0]["band"] == said


def test_each_check_shows_the_figures_of_its_section():
    one = judgement(
        figure("put_skew", 1.2), figure("quotes_broken", 0.0, 0.0, 0.0, section="ticks")
    )
    outcomes = [Outcome(CELL, checks_of(one))]
    found = {verdict.name: verdict for verdict in verdicts_of(outcomes, [one])}
    assert list(found) == list(CHECKS)
    assert all(verdict.passed == 1 for verdict in found.values())
    shown = found[keys.TICK_GRIDS_HOLD].metadata["figures"]
    assert [row["figure"] for row in rows(shown)] == ["quotes_broken"]
    assert found[keys.NO_STATIC_ARBITRAGE].metadata == {}
    [slice_] = rows(found[keys.DETERMINISM_HOLDS].metadata["slices"])
    assert (slice_["symbol"], slice_["rows"], slice_["equal"]) == ("SPY", 7, True)


def test_a_scorecard_says_what_each_statistic_is_and_whether_it_was_judged():
    report = {
        "figures": [
            figure("put_skew", 0.9, 1.005, 2.0, ok=False),
            figure("fano_1s", 3.0, 2.0),
            figure("call_skew", 0.9),
            figure("odd_lot_share", None, 0.25, 0.6),
            figure("anything", 1.0, section="ticks"),
        ]
    }
    found = rows(scorecard_table(report))
    assert [row["verdict"] for row in found] == ["outside", "ok", "not judged", "not measured"]
    assert "implied volatility 5 % below spot" in found[0]["meaning"]
