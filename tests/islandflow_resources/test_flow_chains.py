"""Chains of evidence: found by the id of an alert or a cluster, and read off as plain numbers."""

import numpy as np
import pytest

from contracts.errors import ContractError, NotFoundError
from contracts.flow_columns import FLOW_PACKETS, FLOW_PRINTS
from islandflow_resources import flow_chains
from islandflow_resources.flow_chains import chain_of, chains
from tests.islandflow_resources.flow_detections import (
    CALL,
    PUT,
    QUIET,
    SWEEP,
    alert,
    detection,
    packets,
    quiet_prints,
    row,
    sweep_prints,
)

ALERT = "smartflow:alert:hypothesis:cluster:SPY:101"


def numbers(rows, name):
    return [one[name] for one in rows]


@pytest.mark.parametrize("name", [ALERT, "cluster:SPY:101", "hypothesis:cluster:SPY:101"])
def test_an_alert_is_found_down_to_its_prints(name):
    chain = chain_of(detection(), name)
    assert chain.id == "cluster:SPY:101"
    assert chain.alert == alert()
    assert numbers(chain.packets, "packet_seq") == [101, 103]
    assert numbers(chain.prints, "seq") == [101, 102, 103, 104]


def test_a_cluster_without_an_alert_is_found_by_its_own_id():
    chain = chain_of(detection(), "cluster:QQQ:205")
    assert chain.alert is None
    assert numbers(chain.prints, "seq") == [205, 206]


def test_rows_come_in_order_however_the_tables_are_sorted():
    tables = {name: one.take(np.arange(one.num_rows)[::-1]) for name, one in detection().items()}
    assert chain_of(tables, ALERT) == chain_of(detection(), ALERT)


def test_the_alert_on_what_nothing_was_said_of_is_refused_with_the_reasons():
    with pytest.raises(NotFoundError) as refused:
        chain_of(detection(), "smartflow:alert:hypothesis:cluster:QQQ:205")
    assert refused.value.code == "FLOW_ALERT_UNKNOWN"
    assert "insufficient_evidence" in refused.value.message
    assert "cluster:QQQ:205" in refused.value.hints[0]


@pytest.mark.parametrize("name", ["cluster:SPY:102", "cluster:QQQ:101"])
def test_a_cluster_of_another_number_or_symbol_is_unknown(name):
    with pytest.raises(NotFoundError) as refused:
        chain_of(detection(), name)
    assert (refused.value.code, refused.value.loc) == ("FLOW_CLUSTER_UNKNOWN", name)


def test_a_table_that_is_not_there_is_named():
    tables = detection()
    del tables["flow_packets"]
    with pytest.raises(ContractError) as refused:
        chain_of(tables, ALERT)
    assert (refused.value.code, refused.value.loc) == ("FLOW_TABLE_MISSING", "flow_packets")


def test_a_cluster_without_its_prints_is_no_chain():
    with pytest.raises(ContractError) as refused:
        chain_of(detection(prints=quiet_prints()), ALERT)
    assert refused.value.code == "FLOW_CHAIN_BROKEN"


def test_several_chains_are_read_at_once_and_numbers_of_none_left_out():
    found = chains(detection(), {SWEEP, QUIET, 9})
    assert set(found) == {SWEEP, QUIET}
    assert found[QUIET] == chain_of(detection(), "cluster:QQQ:205")


def test_ratios_are_shares_of_the_prints():
    sweep, quiet = (chain_of(detection(), f"cluster:{one}") for one in ("SPY:101", "QQQ:205"))
    assert flow_chains.buy_ratio(sweep) == 0.75
    assert flow_chains.sell_ratio(sweep) == 0.0
    assert flow_chains.coverage(sweep.cluster) == 0.75
    assert flow_chains.unquoted(quiet.cluster) == 0.5
    assert flow_chains.directional_bias(sweep) == 0.75
    assert flow_chains.directional_bias(quiet) == 0.0


@pytest.mark.parametrize(
    ("legs", "bias"),
    [
        ([(CALL, 1), (CALL, 1)], 1.0),
        ([(PUT, 1), (PUT, 1)], -1.0),
        ([(PUT, -1)], 1.0),
        ([(CALL, 1), (PUT, 1)], 0.0),
        ([(CALL, 1), (CALL, 0), (CALL, 0), (PUT, 1)], 0.0),
        ([(CALL, 1), (CALL, 0)], 0.5),
    ],
)
def test_calls_bought_and_puts_sold_want_the_underlying_up(legs, bias):
    rows = [
        row(FLOW_PRINTS, seq=n, contract=contract, aggressor=side, cluster_seq=SWEEP)
        for n, (contract, side) in enumerate(legs, 1)
    ]
    chain = chain_of(detection(prints=rows), "cluster:SPY:101")
    assert flow_chains.directional_bias(chain) == bias


def test_the_most_aggressive_packet_counts_and_only_prints_with_a_quote():
    assert flow_chains.most_aggressive(packets()) == 1.0
    half = row(FLOW_PACKETS, bb_prints=1, mid_prints=1, stale_prints=6)
    assert flow_chains.most_aggressive([half]) == 0.5
    assert flow_chains.most_aggressive([row(FLOW_PACKETS, missing_prints=3)]) is None


def test_what_is_not_known_is_none_and_not_a_number():
    sweep, quiet = (chain_of(detection(), f"cluster:{one}") for one in ("SPY:101", "QQQ:205"))
    assert flow_chains.days_to_event(sweep) is None
    assert flow_chains.days_to_event(quiet) == 1.5
    assert flow_chains.execution_iv(sweep) == 0.25
    assert flow_chains.underlying_move_bps(quiet) == -12.0
    blind = [{**one, "underlying_age_ns": -1} for one in sweep_prints()]
    alone = chain_of(detection(prints=blind), ALERT)
    assert flow_chains.underlying_move_bps(alone) is None


def test_the_right_is_told_of_all_prints():
    sweep, quiet = (chain_of(detection(), f"cluster:{one}") for one in ("SPY:101", "QQQ:205"))
    assert flow_chains.option_type(sweep) == "call"
    assert flow_chains.option_type(quiet) == "put"
    both = [*sweep_prints(), row(FLOW_PRINTS, seq=105, contract=PUT, cluster_seq=SWEEP)]
    assert flow_chains.option_type(chain_of(detection(prints=both), ALERT)) == "mixed"


def test_reasons_of_the_cluster_come_before_those_of_its_packets():
    found = flow_chains.reason_codes(chain_of(detection(), "cluster:QQQ:205"))
    assert list(found) == ["insufficient_premium", "inside_market_context"]
