"""Facts and observations: each fact once, resting on observations that are there."""

from islandflow_resources import flow_facts
from islandflow_resources.flow_chains import chain_of
from tests.islandflow_resources.flow_detections import (
    CALL,
    MS,
    OPEN_NS,
    detection,
    sweep_cluster,
    sweep_prints,
)

CHAIN = chain_of(detection(), "cluster:SPY:101")
QUIET = chain_of(detection(), "cluster:QQQ:205")


def facts_of(chain):
    """Values by slug, with unit and kind."""
    told = flow_facts.facts(chain, flow_facts.observed(chain))
    return {
        one["fact_id"].rpartition(":")[2]: (one["value"], one["unit"], one["kind"]) for one in told
    }


def test_a_sweep_is_told_in_facts():
    assert facts_of(CHAIN) == {
        "premium-size": (123_000.0, "usd", "premium_size"),
        "contract-size": (1_000, "contracts", "premium_size"),
        "aggressive-buy-ratio": (0.75, "ratio", "execution_aggression"),
        "aggressive-sell-ratio": (0.0, "ratio", "execution_aggression"),
        "net-directional-bias": (0.75, "ratio", "underlying_context"),
        "nbbo-coverage": (0.75, "ratio", "quote_quality"),
        "stale-quote-ratio": (0.25, "ratio", "quote_quality"),
        "option-spread-bps": (246.9, "bps", "quote_quality"),
        "option-type": ("call", None, "structure_shape"),
        "structure-type": ("single", None, "structure_shape"),
        "structure-legs": (1, "legs", "structure_shape"),
        "execution-iv": (0.25, "per_year", "execution_context"),
        "underlying-move-bps": (4.5, "bps", "underlying_context"),
        "eligibility-stale_quote_context": ("down_weighted", None, "eligibility_decision"),
        "eligibility-evidence_context_usable": ("accepted", None, "eligibility_decision"),
    }


def test_an_event_is_a_fact_only_where_one_is_scheduled():
    told = facts_of(QUIET)
    assert told["days-to-event"] == (1.5, "days", "event_context")
    assert told["event-context"] == (True, None, "event_context")
    assert not {"days-to-event", "event-context"} & facts_of(CHAIN).keys()


def test_without_quotes_nothing_is_said_of_quotes():
    blind = [{**one, "quote_age_ns": -1, "underlying_age_ns": -1} for one in sweep_prints()]
    told = facts_of(chain_of(detection(prints=blind), "cluster:SPY:101"))
    gone = {"option-spread-bps", "execution-iv", "underlying-move-bps"}
    assert facts_of(CHAIN).keys() - told.keys() == gone


def test_ids_of_facts_are_of_the_cluster():
    told = flow_facts.facts(CHAIN, flow_facts.observed(CHAIN))
    assert told[0]["fact_id"] == "fact:cluster:SPY:101:premium-size"


def test_observations_are_packets_prints_and_the_quotes_in_force():
    seen = flow_facts.observed(CHAIN)
    assert seen.packets == ("flowpacket:SPY:101", "flowpacket:SPY:103")
    assert seen.prints == tuple(f"option_prints:{seq}" for seq in (101, 102, 103, 104))
    # The second print stands on the same quote as the first: it is 20 ms later and older.
    before = (OPEN_NS - 5 * MS, OPEN_NS + 560 * MS, OPEN_NS - 1_360 * MS)
    assert seen.quotes == tuple(f"option-nbbo:{CALL}:{ns}" for ns in before)
    assert seen.underlying == tuple(f"equity-quote:SPY:{ns}" for ns in before)
    assert seen.calendar == ()
    assert flow_facts.observed(QUIET).calendar == ("event-calendar:QQQ",)


def test_every_observation_is_listed_once_with_its_role_and_time():
    listed = flow_facts.observations(CHAIN, flow_facts.observed(CHAIN))
    by_id = {one["observation_id"]: one for one in listed}
    assert len(by_id) == len(listed) == 2 + 4 + 3 + 3
    anchors = [name for name, one in by_id.items() if one["role"] == "anchor"]
    assert anchors == ["option_prints:101"]
    assert by_id["option_prints:102"] == {
        "observation_id": "option_prints:102",
        "kind": "option_print",
        "role": "member",
        "source_ts_ns": OPEN_NS + 20 * MS,
        "trace_id": "option_prints:102",
    }
    quote = by_id[f"option-nbbo:{CALL}:{OPEN_NS - 5 * MS}"]
    assert (quote["role"], quote["source_ts_ns"], quote["trace_id"]) == (
        "context",
        OPEN_NS - 5 * MS,
        None,
    )


def test_a_reason_rests_on_the_packets_that_have_it_and_the_clusters_own_on_all():
    decisions = flow_facts.eligibility(CHAIN)["decisions"]
    assert [(one["reason_code"], one["evidence_refs"]) for one in decisions] == [
        ("stale_quote_context", ["flowpacket:SPY:101", "flowpacket:SPY:103"]),
        ("evidence_context_usable", ["flowpacket:SPY:101"]),
    ]
    clean = chain_of(
        detection([sweep_cluster(status="accepted", reason_code="evidence_context_usable")]),
        "cluster:SPY:101",
    )
    assert [
        (one["reason_code"], one["evidence_refs"])
        for one in flow_facts.eligibility(clean)["decisions"]
    ] == [
        ("evidence_context_usable", ["flowpacket:SPY:101", "flowpacket:SPY:103"]),
        ("stale_quote_context", ["flowpacket:SPY:103"]),
    ]


def test_caveats_are_what_counts_against():
    assert flow_facts.quality(CHAIN) == {
        "grade": "strong",
        "quality_score": 0.85,
        "coverage_ratio": 0.75,
        "stale_ratio": 0.25,
        "caveats": ["stale_quote_context"],
    }
