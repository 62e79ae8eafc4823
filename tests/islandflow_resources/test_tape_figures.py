"""Figures of a tape: which there are, and which leave their bands when a tape is doctored."""

import pytest

from contracts.canonical import canonical_json
from contracts.tape_bands import ID_AUC, MARKET_AUC, TAPE_BANDS
from contracts.tape_columns import STREAMS
from engine.tapes.market.arbitrage import KINDS, ArbitrageReport, Violation
from islandflow_resources import market_tapes, tape_figures
from islandflow_resources.tape_figures import limits_of_figures, measured
from tests.islandflow_resources.small_markets import OffGridTape, empty_market, made_market


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with made_market(tmp_path_factory.mktemp("figures") / "made") as market:
        yield market


@pytest.fixture(scope="module")
def sound(market):
    return measured(market.tape)


def of(document, section):
    return {one["name"]: one for one in document["figures"] if one["section"] == section}


def test_a_sound_tape_leaves_no_band_and_says_how_much_was_looked_at(market, sound):
    assert all(one["ok"] for one in sound["figures"])
    plan = market.tape.manifest.replay_plan
    assert sound["events"] == plan.event_count
    schema, order = of(sound, "schema"), of(sound, "order")
    for name in STREAMS:
        assert schema[f"{name}_rows"]["value"] == getattr(plan.counts, name)
        assert order[f"{name}_rows_ordered_asked"]["value"] == getattr(plan.counts, name)
    assert order["streams_numbers_ascend_broken"]["value"] == 0
    assert schema["row_groups"]["value"] == 2


def test_every_band_of_a_single_tape_is_a_figure_of_realism(sound):
    expected = [band.name for band in TAPE_BANDS if band.scope == "both"]
    assert list(of(sound, "realism")) == expected
    assert of(sound, "realism")["off_grid_share"]["high"] == 0


def test_leaks_are_judged_by_the_limit_of_their_field(sound):
    leaks = {name: one for name, one in of(sound, "labels").items() if name.endswith("_auc")}
    assert leaks["option_prints_together_auc"]["high"] == ID_AUC
    assert leaks["option_prints_notional_auc"]["high"] == MARKET_AUC
    assert all("standard error" in one["detail"] for one in leaks.values())
    assert {"equity_prints_exchange_auc", "option_prints_seq_digit_auc"} <= leaks.keys()


def test_every_kind_of_arbitrage_was_looked_for(sound):
    arbitrage = of(sound, "arbitrage")
    for kind in KINDS:
        assert arbitrage[f"{kind}_checked"]["value"] > 100
        assert (arbitrage[f"{kind}_violated"]["value"], arbitrage[f"{kind}_violated"]["high"]) == (
            0,
            0,
        )


def test_an_arbitrage_is_told_with_its_contracts_and_numbers(market, monkeypatch):
    first = Violation("parity", 0, 1, 2, (0, 1), (7, 8), 2.5)
    counts = dict.fromkeys(KINDS, 0)
    report = ArbitrageReport(counts, {**counts, "parity": 3}, {"parity": first}, 1, 1, 1, 0, 0)
    monkeypatch.setattr(tape_figures.ArbitrageAudit, "finish", lambda _: report)
    found = of(measured(market.tape), "arbitrage")["parity_violated"]
    assert (found["ok"], found["value"]) == (False, 3)
    assert "seq 7, 8, 2.5 ticks" in found["detail"]
    assert found["detail"].startswith("first SPY")


def test_quotes_off_their_grid_are_counted_and_leave_the_band_of_realism_too(tmp_path, monkeypatch):
    monkeypatch.setattr(market_tapes, "MarketTape", OffGridTape)
    with empty_market(tmp_path, OffGridTape.BAD_SEED) as market:
        made = market.make()
        document = measured(made.tape)
        quotes = made.tape.manifest.event_hashes.equity_quotes.rows
    broken = of(document, "ticks")["equity_quotes_on_grid_broken"]
    assert not broken["ok"]
    assert broken["value"] == pytest.approx(quotes / 3, rel=0.02)
    assert broken["detail"].startswith("first seq ")
    share = of(document, "realism")["off_grid_share"]
    assert (share["ok"], 0 < share["value"] < 0.5) == (False, True)
    assert all(one["ok"] for one in of(document, "schema").values())


def test_figures_are_a_document(sound):
    assert canonical_json(sound)
    for one in sound["figures"]:
        assert one.keys() == {"section", "name", "value", "low", "high", "ok", "detail"}


def test_every_limit_that_judges_is_among_those_that_are_told():
    told = limits_of_figures()
    assert list(told["bands"]) == [band.name for band in TAPE_BANDS]
    assert told["bands"]["off_grid_share"][1:5] == [0, 0, 0, 0]
    assert told["bands"]["fano_1s"][2] is None
    assert told["leaks"][:2] == [ID_AUC, MARKET_AUC]
    assert canonical_json(told)
