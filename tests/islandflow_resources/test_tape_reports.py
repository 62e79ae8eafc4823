"""Reports of tapes: made once, and what they say is wrong."""

import json

import pytest

from contracts.errors import NotFoundError, Problem
from islandflow_resources import market_tapes, tape_reports
from islandflow_resources.tape_reports import (
    DETERMINISM,
    DIGEST,
    Judgement,
    figures_of,
    judged,
    refuse_unsound,
    tape_report,
)
from tests.islandflow_resources.small_markets import (
    RUN,
    OffGridTape,
    empty_market,
    flip,
    made_market,
)


@pytest.fixture
def market(tmp_path):
    with made_market(tmp_path / "made") as market:
        yield market


def figure(section, name, value, low, high, detail=""):
    return {
        "section": section,
        "name": name,
        "value": value,
        "low": low,
        "high": high,
        "ok": False,
        "detail": detail,
    }


def test_a_sound_tape_has_no_problem_and_is_judged_once(market):
    first = judged(market.store, market.database, market.tape, RUN)
    assert first.problems == {}
    assert first.parity["difference"] is None
    refuse_unsound(first, "a tape")
    before = {key: market.store.get(key) for key in market.store.keys("reports/")}
    assert len(before) == 2
    assert judged(market.store, market.database, market.tape, RUN) == first
    assert {key: market.store.get(key) for key in market.store.keys("reports/")} == before


def test_other_limits_judge_anew(market, monkeypatch):
    first = tape_report(market.store, market.database, market.tape, RUN)
    monkeypatch.setattr(tape_reports, "limits_of_figures", lambda: {"bands": {"fano_1s": [2.5]}})
    other = tape_report(market.store, market.database, market.tape, RUN)
    assert (other.used_cache, other.document) == (False, first.document)
    assert other.key != first.key


def test_a_damaged_report_is_put_aside_and_made_again(market):
    report = tape_report(market.store, market.database, market.tape, RUN)
    flip(market.store.root / report.key)
    again = tape_report(market.store, market.database, market.tape, RUN)
    assert (again.used_cache, again.document) == (False, report.document)
    assert len(market.store.keys("quarantine/")) == 1


def test_a_tape_that_cannot_be_proved_has_no_report_and_is_told_by_section(market):
    tape = market.tape
    flip(market.path("option_nbbo.parquet"))
    path = market.path("equity_prints.parquet")
    path.write_bytes(path.read_bytes()[:100])
    judgement = judged(market.store, market.database, tape, RUN)
    assert (judgement.report, judgement.parity) == (None, None)
    assert DIGEST in judgement.problems
    assert market.store.keys("reports/") == []
    with pytest.raises(NotFoundError) as caught:
        refuse_unsound(judgement, "the tape")
    assert caught.value.message.startswith("the tape did not pass: ")


@pytest.mark.parametrize(
    ("code", "section"),
    [
        ("TAPE_LABEL_ON_EVENT", "labels"),
        ("TAPE_ORDER_BROKEN", "order"),
        ("TAPE_SEQ_REPEATED", "order"),
        ("TABLE_COLUMN_MISSING", "schema"),
        ("TAPE_VALUE_UNKNOWN", "schema"),
        ("TAPE_COUNT_DIFFERS", DIGEST),
        ("TAPE_LABELS_DIFFER", DIGEST),
    ],
)
def test_what_the_proof_finds_belongs_to_a_section(market, monkeypatch, code, section):
    def broken(place):
        problem = Problem(code, "something", "somewhere")
        raise tape_reports.IntegrityError(code, "something", "somewhere", (), (problem,))

    monkeypatch.setattr(tape_reports, "verify_tape", broken)
    problems = judged(market.store, market.database, market.tape, RUN).problems
    assert {name: one.code for name, one in problems.items()} == {section: code}


def test_a_tape_of_another_engine_says_which_band_it_leaves_and_by_how_much(tmp_path, monkeypatch):
    monkeypatch.setattr(market_tapes, "MarketTape", OffGridTape)
    with empty_market(tmp_path, OffGridTape.BAD_SEED) as market:
        tape = market.make().tape
        judgement = judged(market.store, market.database, tape, RUN)
    problems = judgement.problems
    assert {name: one.code for name, one in problems.items()} == {
        "ticks": "TAPE_OFF_GRID",
        "realism": "TAPE_UNREALISTIC",
        DETERMINISM: "TAPE_NOT_REPRODUCED",
    }
    [share] = [one["value"] for one in figures_of(judgement.report)
               if (one["section"], one["name"]) == ("realism", "off_grid_share")]  # fmt: skip
    told = problems["realism"]
    assert f"off_grid_share is {share:.6g}, above 0 by {share:.3g}" in told.message
    assert (told.loc, str(market.ref) in told.message) == ("off_grid_share", True)


def test_every_figure_outside_is_told_whichever_way_it_leaves(market, monkeypatch):
    figures = [
        figure("realism", "put_skew", 0.9, 1.005, 2.0),
        figure("realism", "fano_1s", 1.5, 2.0, None),
        figure("realism", "sign_acf_exponent", None, 0.3, 0.8),
        figure("labels", "option_prints_delay_auc", 0.75, None, 0.52, "standard error 0.01"),
    ]
    report = {"events": 1, "figures": figures, "series": {}}
    monkeypatch.setattr(tape_reports, "measured", lambda _: report)
    problems = judged(market.store, market.database, market.tape, RUN).problems
    assert problems["realism"].message.endswith(
        "put_skew is 0.9, below 1.005 by 0.105; fano_1s is 1.5, below 2 by 0.5; "
        "sign_acf_exponent is not defined"
    )
    assert problems["labels"].code == "TAPE_LABELS_LEAK"
    assert problems["labels"].message.endswith(
        "option_prints_delay_auc is 0.75, above 0.52 by 0.23 (standard error 0.01)"
    )


def test_a_report_stands_as_json_beside_the_others_of_its_tape(market):
    report = tape_report(market.store, market.database, market.tape, RUN)
    assert report.key.startswith(f"reports/market/{market.ref.inputs.tape_id}/")
    stored = json.loads(market.store.get(report.key))
    assert stored["tape"] == market.tape.content_digest
    assert stored == report.document


def test_the_first_problem_refuses(market):
    problems = {"realism": Problem("TAPE_UNREALISTIC", "too calm", "fano_1s", ("be wilder",))}
    with pytest.raises(NotFoundError) as caught:
        refuse_unsound(Judgement({}, {}, problems), "this one")
    assert caught.value.code == "TAPE_UNREALISTIC"
    assert (caught.value.loc, caught.value.hints) == ("fano_1s", ("be wilder",))
