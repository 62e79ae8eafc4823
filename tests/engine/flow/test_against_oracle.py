"""The detector says what its page says: integers and words equal, floats within 1e-9."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.flow_features import QUANTITIES
from contracts.smart_flow import DARK_EVENTS, NBBO_SIDES, STRUCTURES
from engine.flow.api import joined
from tests.engine.flow.feeds import (
    MS,
    SECOND,
    START,
    arrays,
    calendar,
    chain,
    detected,
    detector,
    drawn_policy,
    equity_print,
    equity_quote,
    feed,
    listed,
    nbbo,
    numbered,
    option_print,
    policy,
)
from tests.engine.flow.told_rows import differences, rows_of
from tests.oracles import smart_flow, smart_flow_verdicts

T = START
DAY_S = 86_400


def both(under, events):
    """What the engine says and what the oracle says."""
    found = rows_of(detected(detector(under), events))
    return found, smart_flow.detect(2, chain(), calendar(), under, events)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), level=st.integers(0, 2**32), count=st.integers(1, 250))
def test_a_drawn_feed_under_a_drawn_policy(seed, level, count):
    found, wanted = both(drawn_policy(level), feed(seed, count))
    assert differences(found, wanted) == []


def test_a_long_feed():
    found, wanted = both(policy(3, {"min_print_usd": 0.5}), feed(3, 3000))
    assert differences(found, wanted) == []


def test_drawn_feeds_reach_every_side_structure_and_end_of_a_cluster():
    seen = Counter()
    for seed in range(6):
        told = smart_flow.detect(2, chain(), calendar(), drawn_policy(seed), feed(seed, 400))
        seen.update(row["nbbo_side"] for row in told["flow_prints"])
        seen.update(row["structure_type"] for row in told["flow_packets"])
        seen.update(row["status"] for row in told["smart_flow_hypotheses"])
        seen.update(row["type"] for row in told["dark_events"])
        seen.update(f"packets {row['packets'] > 1}" for row in told["smart_flow_hypotheses"])
        seen.update(f"abstained {row['abstained']}" for row in told["smart_flow_hypotheses"])
        seen.update(f"passes {row['signal_pass']}" for row in told["flow_prints"])
    wanted = {*NBBO_SIDES, *STRUCTURES, *DARK_EVENTS, "accepted", "down_weighted", "rejected"}
    wanted |= {f"{name} {flag}" for name in ("packets", "abstained") for flag in (True, False)}
    assert wanted - set(seen) == set()
    assert seen["passes True"] > 0 < seen["passes False"]


def pressed(*times_ns, price=20_200, size=40, contract=0):
    """Prints of a quoted contract at such times after the start."""
    prints = [option_print(T + at, contract, price, size) for at in times_ns]
    return numbered([equity_quote(T), nbbo(T, contract), *prints])


@pytest.mark.parametrize(
    ("grouping", "times_ns", "clusters", "packets"),
    [
        ({}, (1, 6 * SECOND + 1), 1, 2),
        ({}, (1, 6 * SECOND + 2), 2, 2),
        ({"quiet_s": 10.0}, (1, *range(9 * SECOND, 60 * SECOND, 9 * SECOND)), 1, 7),
        ({"longest_s": 5.0}, (1, 3 * SECOND, 5 * SECOND + 1), 1, 3),
        ({"longest_s": 5.0}, (1, 3 * SECOND, 5 * SECOND + 2), 2, 3),
        ({}, (1, 500 * MS + 1), 1, 1),
        ({}, (1, 500 * MS + 2), 1, 2),
    ],
)
def test_limits_of_time_are_met_to_the_nanosecond(grouping, times_ns, clusters, packets):
    under = policy(0, grouping)
    found, wanted = both(under, pressed(*times_ns))
    assert differences(found, wanted) == []
    assert len(found["smart_flow_hypotheses"]) == clusters
    assert len(found["flow_packets"]) == packets


@pytest.mark.parametrize(
    ("gap_ns", "sizes", "contracts", "legs"),
    [
        (5 * MS, (10, 10), (0, 1), [2, 2]),
        (5 * MS + 1, (10, 10), (0, 1), [1, 1]),
        (1, (10, 11), (0, 1), [1, 1]),
        (1, (10, 10), (0, 0), [1, 1]),
        (1, (10, 10), (0, 6), [1, 1]),
        (1, (10, 10), (0, 12), [1, 1]),
        (5 * MS, (10,) * 5, (0, 1, 2, 3, 4), [4, 4, 4, 4, 1]),
    ],
)
def test_legs_of_an_order_are_of_one_size_symbol_and_expiry_and_close_together(
    gap_ns, sizes, contracts, legs
):
    prints = [
        option_print(T + place * gap_ns, contract, 20_000, size)
        for place, (size, contract) in enumerate(zip(sizes, contracts, strict=True))
    ]
    found, wanted = both(policy(0), numbered(prints))
    assert differences(found, wanted) == []
    ordered = sorted(found["flow_prints"], key=lambda row: row["seq"])
    assert [row["legs"] for row in ordered] == legs


def test_an_order_waits_for_a_leg_over_a_second_that_starts_no_later_than_a_leg_gap_after_it():
    for late_ns, legs in ((0, 2), (-1, 1)):
        first = T + SECOND - 5 * MS + late_ns
        prints = [option_print(first, 0, 20_000), option_print(T + SECOND, 1, 20_000)]
        found, wanted = both(policy(0), numbered(prints))
        assert differences(found, wanted) == []
        assert {row["legs"] for row in found["flow_prints"]} == {legs}


def test_a_cluster_is_told_at_the_first_second_more_than_quiet_and_a_leg_gap_after_it():
    under = policy(0)
    at_the_limit = 1 * SECOND - 5 * MS
    for late_ns, told_s in ((0, 8), (-1, 7)):
        found, _ = both(under, pressed(at_the_limit + late_ns))
        (row,) = found["smart_flow_hypotheses"]
        assert row["emitted_ns"] == T + told_s * SECOND


def test_a_packet_is_compared_with_none_of_the_cluster_after_its_own():
    under = policy(0, {"packet_ms": 1.0, "quiet_s": 0.5, "min_print_usd": 0.5})
    sizes = ((1, 10), (10, 20), (20, 40), (600, 5), (610, 80))
    prints = [option_print(T + at * MS, 0, 20_200, size) for at, size in sizes]
    found, wanted = both(under, numbered([nbbo(T), *prints]))
    assert differences(found, wanted) == []
    assert len(found["smart_flow_hypotheses"]) == 2
    assert [row["packet_seq"] for row in found["flow_packets"]] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("quotes", "reason"),
    [
        ([(9_960, 10_040), (9_950, 10_050)], "evidence_context_usable"),
        ([(9_950, 10_050), (9_950, 10_050)], "evidence_context_usable"),
        ([(9_960, 10_040), (9_930, 10_070)], "wide_quote_context"),
        ([(9_990, 10_010), (9_945, 10_055)], "evidence_context_usable"),
    ],
)
def test_quotes_are_wide_if_their_mean_is_above_the_level(quotes, reason):
    events = [equity_quote(T)]
    for place, (bid, ask) in enumerate(quotes):
        events += [nbbo(T + place, 0, bid, ask), option_print(T + place, 0, ask, 400)]
    found, wanted = both(policy(0, rules={"wide_spread_bps": 100.0}), numbered(events))
    assert differences(found, wanted) == []
    assert found["smart_flow_hypotheses"][0]["reason_code"] == reason


@pytest.mark.parametrize(("inside", "reason"), [(12, "evidence_context_usable"), (13, "inside")])
def test_thirteen_of_twenty_prints_between_the_quotes_are_inside(inside, reason):
    prices = [20_000] * inside + [20_200] * (20 - inside)
    prints = [option_print(T + 1 + at, 0, price, 40) for at, price in enumerate(prices)]
    found, wanted = both(policy(0), numbered([equity_quote(T), nbbo(T), *prints]))
    assert differences(found, wanted) == []
    assert found["smart_flow_hypotheses"][0]["reason_code"].startswith(reason)


@pytest.mark.parametrize(("sigmas", "direction"), [(-0.49, "bullish"), (-0.51, "bearish")])
def test_hedging_has_the_sign_of_a_move_of_half_a_usual_one_else_that_of_the_flow(
    sigmas, direction
):
    low = {"alert_z": -20.0, "high_z": -19.0}
    under = policy(0, rules={"min_margin": 0.0, "min_orders": 1}, levels=low)
    hedging = under.hypotheses["hedge_rebalance"]
    sure = {
        name: one.model_copy(update={"intercept": 90.0}) for name, one in hedging.patterns.items()
    }
    hedging = hedging.model_copy(update={"patterns": sure})
    under = under.model_copy(
        update={"hypotheses": {**under.hypotheses, "hedge_rebalance": hedging}}
    )
    moved = round(1_000_000 * math.exp(sigmas * 0.3 * math.sqrt(180 / (252 * 23_400))))
    events = [
        equity_quote(T, 0, 999_900, 1_000_100),
        equity_quote(T + 200 * SECOND, 0, moved - 100, moved + 100),
        nbbo(T + 200 * SECOND),
        option_print(T + 201 * SECOND, 0, 20_200, 40),
    ]
    found, wanted = both(under, numbered(events))
    assert differences(found, wanted) == []
    (row,) = found["smart_flow_hypotheses"]
    assert (row["hypothesis_type"], row["direction"]) == ("hedge_rebalance", direction)


@pytest.mark.parametrize(
    ("bid", "ask", "price", "side", "aggressor"),
    [
        (19_900, 20_100, 20_101, "AA", 1),
        (19_900, 20_100, 20_100, "A", 1),
        (19_900, 20_100, 20_000, "MID", 0),
        (19_900, 20_100, 19_900, "B", -1),
        (19_900, 20_100, 19_899, "BB", -1),
        (20_000, 20_000, 20_000, "A", 1),
        (20_100, 20_000, 20_050, "AA", 1),
        (0, 20_000, 1, "MID", 0),
        (19_900, 0, 20_000, "MISSING", 0),
    ],
)
def test_the_side_of_a_print(bid, ask, price, side, aggressor):
    events = numbered([nbbo(T, 0, bid, ask), option_print(T + 1, 0, price, 10)])
    (row,) = both(policy(0), events)[0]["flow_prints"]
    assert (row["nbbo_side"], row["aggressor"]) == (side, aggressor)


def test_an_old_quote_is_stale_and_its_sides_still_count():
    events = [nbbo(T), *(option_print(T + at, 0) for at in (1000 * MS, 1000 * MS + 1))]
    found, wanted = both(policy(0), numbered(events))
    assert differences(found, wanted) == []
    assert [row["nbbo_side"] for row in found["flow_prints"]] == ["A", "STALE"]
    assert [row["aggressor"] for row in found["flow_prints"]] == [1, 1]


def test_the_move_of_the_underlying_is_that_of_180_seconds():
    moves = [equity_quote(T + at * SECOND, 0, 990_000 + 100 * at, 990_200 + 100 * at)
             for at in range(0, 400, 7)]  # fmt: skip
    prints = [option_print(T + at * SECOND + 5, 0, 20_000, 100) for at in (3, 100, 179, 183, 390)]
    events = numbered(sorted([nbbo(T), *moves, *prints], key=lambda event: event["ts_ns"]))
    found, wanted = both(policy(0), events)
    assert differences(found, wanted) == []
    moved = [row["underlying_move_bps"] for row in found["smart_flow_hypotheses"]]
    assert moved[0] == 0.0
    assert moved[-1] == pytest.approx(1e4 * 182 * 100 / 1_010_000, rel=0.03)


def test_a_tenor_is_that_of_the_nearest_expiry_that_has_been_quoted():
    """The symbol lists two, five hours and 17 days ahead; who asks for 7 days gets the first."""
    near, far = 0, 6
    events = [
        equity_quote(T),
        nbbo(T, near),
        option_print(T + 1, near, 20_200, 40),
        nbbo(T + SECOND, far),
        option_print(T + 20 * SECOND, near, 20_200, 40),
        option_print(T + 40 * SECOND, far, 20_200, 40),
    ]
    found, wanted = both(policy(0), numbered(events))
    assert differences(found, wanted) == []
    told = [row["tenors"] for row in found["smart_flow_hypotheses"]]
    assert told == [0b11111111, 0b00000111, 0b11111000]


def test_tenors_go_by_what_is_listed_quoted_and_to_come():
    """Four expiries: one ends while the feed runs, two lie as far from 7 days, one comes late.

    The tie goes to the earlier; half a minute later the other one is nearer.
    """
    times_s = {"ends": 20, "before": 6 * DAY_S, "after": 8 * DAY_S + 60, "late": 45 * DAY_S}
    contracts = [
        {"symbol": 0, "expiry_ns": T + at * SECOND, "strike_ticks": 1_000_000, "right": "C"}
        for at in times_s.values()
    ]
    ends, before, after, late = range(4)
    quotes = [nbbo(T, code) for code in (ends, before, after)]
    first = [equity_quote(T), *quotes, option_print(T + SECOND, ends, 20_200, 40)]
    second = [
        *(option_print(T + 30 * SECOND, code, 20_200, 40) for code in (before, after)),
        option_print(T + 31 * SECOND, late, 20_200, 40),
        nbbo(T + 50 * SECOND, late),
        option_print(T + 60 * SECOND, after, 20_200, 40),
    ]
    events = numbered([*first, *second])
    made = detector(policy(0), contracts[:3])
    parts = [made.push(arrays(events[: len(first)]))]
    made.list_contracts(listed(contracts))
    parts.append(made.push(arrays(events[len(first) :])))
    found = rows_of(joined([*parts, made.finish()]))
    wanted = smart_flow.detect(2, contracts, calendar(), policy(0), events)
    assert differences(found, wanted) == []
    told = [(row["contract"], row["tenors"]) for row in found["smart_flow_hypotheses"]]
    assert told == [
        (ends, 0b00000011),
        (before, 0b00000111),
        (after, 0b11111000),
        (late, 0b11110000),
        (after, 0b00001100),
    ]


def test_a_print_across_the_bid_and_the_ask_of_a_quote_makes_dark_events():
    quote = equity_quote(T, 0, 999_900, 1_000_100)
    prints = [
        equity_print(T + 1, 1_000_000, 2_000),
        equity_print(T + 2, 1_000_000, 1_999),
        equity_print(T + 3, 1_000_000, 9_000, condition="CANCEL"),
        *(equity_print(T + at, 1_000_100, 750) for at in range(4, 8)),
        *(equity_print(T + at, 999_900, 750, off_exchange=False) for at in range(8, 12)),
    ]
    found, wanted = both(policy(0), numbered([quote, *prints]))
    assert differences(found, wanted) == []
    assert [(row["type"], row["prints"], row["shares"]) for row in found["dark_events"]] == [
        ("absorbed_block", 1, 2_000),
        ("stealth_accumulation", 4, 3_000),
    ]


def test_dark_prints_count_among_the_last_64_within_a_minute():
    events = []
    for place in range(200):
        at = T + place * 300 * MS
        events += [equity_quote(at), equity_print(at + 1, 1_000_100, 200)]
    found, wanted = both(policy(0), numbered(events))
    assert differences(found, wanted) == []
    assert [row["prints"] for row in found["dark_events"]] == [15, 64]


def test_the_oracle_measures_every_quantity():
    under = policy(0)
    events = feed(1, 60)
    market = smart_flow.Market(2, chain(), calendar(), under)
    for event in events:
        market.see(event)
    cluster = next(iter(market.open.values()))
    facts = {
        **smart_flow_verdicts.counted(cluster["orders"]),
        **smart_flow_verdicts.placed(cluster),
        "activity": 0.0,
        "asked": cluster["tenors"],
    }
    assert list(smart_flow_verdicts.quantities(facts)) == [one.name for one in QUANTITIES]
