"""Evidence of smart flow: ids made and read back, grades by the predecessor's levels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.flow_evidence import (
    alert_id,
    cluster_id,
    cluster_of,
    grade_of,
    hypothesis_event_id,
    hypothesis_id,
    insight_id,
    packet_id,
)

SYMBOLS = st.from_regex(r"\A[A-Z][A-Z0-9]{0,5}\Z")
NUMBERS = st.integers(1, 10**18)


def test_ids_are_spelled_as_the_predecessor_spelled_them():
    cluster = cluster_id("SPY", 4711)
    assert cluster == "cluster:SPY:4711"
    assert packet_id("SPY", 4711) == "flowpacket:SPY:4711"
    assert hypothesis_id(cluster) == "hypothesis:cluster:SPY:4711"
    assert hypothesis_event_id(cluster) == "smartflow:hypothesis:cluster:SPY:4711"
    assert insight_id(cluster) == "smartflow:insight:hypothesis:cluster:SPY:4711"
    assert alert_id(cluster) == "smartflow:alert:hypothesis:cluster:SPY:4711"


@given(SYMBOLS, NUMBERS)
def test_every_id_of_a_cluster_leads_back_to_it(symbol, number):
    cluster = cluster_id(symbol, number)
    ids = [make(cluster) for make in (alert_id, insight_id, hypothesis_event_id, hypothesis_id)]
    assert {cluster_of(one) for one in (cluster, *ids)} == {(symbol, number)}


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "SPY:4711",
        "cluster:spy:4711",
        "cluster:SPY:0",
        "cluster:SPY:007",
        "cluster:SPY:4711\n",
        "cluster:SPY:٤",
        "flowpacket:SPY:4711",
        "smartflow:alert:cluster:SPY:4711",
        "smartflow:hypothesis:hypothesis:cluster:SPY:4711",
        "smartflow:alert:hypothesis:cluster:TOOLONG:1",
    ],
)
def test_what_is_no_id_of_a_cluster_is_refused_with_an_example(wrong):
    with pytest.raises(ContractError) as refused:
        cluster_of(wrong)
    assert refused.value.code == "FLOW_ID_INVALID"
    assert "smartflow:alert:hypothesis:cluster:" in refused.value.hints[0]


@pytest.mark.parametrize(
    ("quality", "grade"),
    [
        (1.0, "strong"),
        (0.82, "strong"),
        (0.8199, "usable"),
        (0.55, "usable"),
        (0.5499, "thin"),
        (0.2001, "thin"),
        (0.2, "poor"),
        (0.0, "poor"),
    ],
)
def test_a_grade_begins_where_the_predecessors_did(quality, grade):
    assert grade_of(quality) == grade
