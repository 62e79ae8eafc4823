"""An alert for a terminal: why it is there in order of size, and every print with its market."""

import pytest

from islandflow_resources.flow_explain import explain
from islandflow_resources.flow_told import dollars, told, utc
from tests.islandflow_resources import flow_detections as made


def lines(name):
    tables = made.detection()
    return told(explain(tables, name, made.policy(), contributions=made.contributions))


def section(name, title):
    """Lines under a title."""
    every = lines(name)
    start = next(place for place, line in enumerate(every) if line.startswith(title))
    rest = [*every[start + 1 :], ""]
    return rest[: rest.index("")]


def test_an_alert_begins_with_its_verdict():
    head = lines(made.alert()["alert_id"])[:6]
    assert head[0] == "smartflow:alert:hypothesis:cluster:SPY:101"
    assert head[1] == ("  directional accumulation in SPY, bullish (institutional_directional)")
    assert head[2] == "  confidence 0.75, high; not a probability"
    assert head[3] == "  said 2026-01-08T14:30:10.640000000Z under policy by-hand 1.0"
    assert head[5] == (
        "  evidence strong, 0.85, down_weighted: stale_quote_context evidence_context_usable"
    )


def test_reasons_come_in_order_of_their_size_and_then_their_sum():
    told_lines = [line.split() for line in section("cluster:SPY:101", "why ")]
    assert told_lines[:3] == [["aggression", "+3.500"], ["size", "+2.250"], ["event", "-0.500"]]
    assert told_lines[-2:] == [["intercept", "-2.000"], ["together", "+3.250"]]
    sizes = [abs(float(value)) for _, value in told_lines[:-2]]
    assert sizes == sorted(sizes, reverse=True)


def test_alternatives_say_how_far_behind_they_are():
    first, *others = section("cluster:SPY:101", "alternatives")
    assert first.split()[:4] == ["retail_attention_flow", "-0.500", "3.750", "behind:"]
    assert len(others) == 2


def test_every_packet_is_told():
    first, second = section("cluster:SPY:101", "packets (2)")
    assert first.split()[0] == "flowpacket:SPY:101"
    assert "2 prints, 500 contracts, 61,500 dollars  evidence_context_usable" in first
    assert second.endswith("stale_quote_context")


def test_every_print_is_told_with_its_market():
    every = section("cluster:SPY:101", "prints (4)")
    assert every[0].split() == [
        "option_prints:101",
        "2026-01-08T14:30:00.000000000Z",
        *made.CALL.split(),
        *["1.23", "x", "200", "CBOE", "A", "1.20", "x", "1.23", "502.005"],
    ]
    assert [line.split()[8] for line in every] == ["A", "A", "AA", "STALE"]
    assert every[3].split()[4:7] == ["1.215", "x", "200"]


def test_what_has_no_quote_is_told_without_one():
    seen, blind = section("cluster:QQQ:205", "prints (2)")
    assert seen.endswith("0.40 x 0.50  430.00")
    assert blind.endswith("no quote  no underlying")


def test_without_an_alert_the_reasons_are_told():
    head = lines("cluster:QQQ:205")[:2]
    assert head[0] == "cluster:QQQ:205: no alert, insufficient_evidence inside_market_context"
    assert head[1] == "  closest to directional_accumulation"


@pytest.mark.parametrize(
    ("ticks", "text"),
    [(0, "0.00"), (1, "0.0001"), (100, "0.01"), (12_345, "1.2345"), (5_020_050.5, "502.00505")],
)
def test_prices_have_cents_and_what_is_finer(ticks, text):
    assert dollars(ticks) == text


def test_times_are_told_to_the_nanosecond():
    assert utc(0) == "1970-01-01T00:00:00.000000000Z"
    assert utc(made.OPEN_NS + 123_456_789) == "2026-01-08T14:30:00.123456789Z"
