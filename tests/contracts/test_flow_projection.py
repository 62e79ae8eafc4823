"""Alerts: an alert agrees with the projection it carries, in everything that both say.

Single broken documents are in contracts/fixtures/invalid/smart_flow_alerts.
"""

import copy
import json

import pytest

from contracts.errors import ContractError
from contracts.flow_projection import load_alert
from tests.contracts.fixture_files import FOLDER

SWEEP = json.loads((FOLDER / "smart_flow_alerts" / "alert_sweep.json").read_text("utf-8"))
OTHER = "cluster:SPY:102"
AGREED = (
    ("alert_id", f"smartflow:alert:hypothesis:{OTHER}"),
    ("hypothesis_id", f"hypothesis:{OTHER}"),
    ("insight_id", f"smartflow:insight:hypothesis:{OTHER}"),
    ("symbol", "QQQ"),
    ("hypothesis_type", "hedge_rebalance"),
    ("profile", "hedge_reactive"),
    ("direction", "bearish"),
    ("policy_confidence", 0.76),
    ("band", "medium"),
    ("evidence_quality", 0.84),
    ("emitted_ns", "1767882600000000001"),
    ("trigger/projection_trace_id", f"smartflow:hypothesis:{OTHER}"),
    ("evidence_refs", ["option_prints:101"]),
    ("projection/trace_id", f"smartflow:hypothesis:{OTHER}"),
    ("projection/hypothesis/event_id", f"smartflow:hypothesis:{OTHER}"),
    ("projection/hypothesis/hypothesis_id", f"hypothesis:{OTHER}"),
    ("projection/hypothesis/symbol", "QQQ"),
    ("projection/hypothesis/hypothesis_type", "hedge_rebalance"),
    ("projection/hypothesis/direction", "bearish"),
    ("projection/hypothesis/emitted_ns", "1767882999000000000"),
    ("projection/hypothesis/evidence_refs", ["option_prints:101"]),
    ("projection/hypothesis/alternatives", []),
    ("projection/insight/insight_id", f"smartflow:insight:hypothesis:{OTHER}"),
    ("projection/insight/hypothesis_id", f"hypothesis:{OTHER}"),
    ("projection/insight/hypothesis_type", "hedge_rebalance"),
    ("projection/insight/direction", "bearish"),
    ("projection/insight/confidence", 0.76),
    ("projection/insight/band", "medium"),
    ("projection/insight/evidence_refs", ["option_prints:101"]),
    ("projection/insight/alternatives", []),
    ("projection/hypothesis/score/confidence/policy_confidence", 0.76),
    ("projection/hypothesis/score/confidence/evidence_quality", 0.84),
    ("projection/evidence/quality/quality_score", 0.84),
)
"""Each is said in two places at least: changed in one, the two contradict one another."""


def changed(path, value):
    """The alert with another value in one place."""
    document = copy.deepcopy(SWEEP)
    *above, last = path.split("/")
    node = document
    for name in above:
        node = node[name]
    assert node[last] != value
    node[last] = value
    return document


def refusal(document) -> ContractError:
    with pytest.raises(ContractError) as refused:
        load_alert(json.dumps(document))
    return refused.value


def test_an_alert_reads_back_as_it_was_written():
    alert = load_alert(json.dumps(SWEEP))
    assert load_alert(json.dumps(alert.document())) == alert
    assert alert.document() == SWEEP


@pytest.mark.parametrize(("path", "value"), AGREED, ids=[path for path, _ in AGREED])
def test_an_alert_and_its_projection_agree(path, value):
    error = refusal(changed(path, value))
    assert error.code == "SMART_FLOW_ALERT_RULE_BROKEN"
    assert all(problem.hints[0] for problem in error.problems)


ABSTAINED = {"abstained": True, "reasons": ["insufficient_evidence"], "source_reasons": []}


def test_nothing_that_was_abstained_from_is_an_alert():
    document = copy.deepcopy(SWEEP)
    event, insight = document["projection"]["hypothesis"], document["projection"]["insight"]
    for one in (event, insight):
        one |= {"hypothesis_type": "unclear", "direction": "unknown", "abstention": ABSTAINED}
    event["score"]["confidence"] |= {"policy_confidence": 0.0, "conviction": 0.0}
    insight |= {"confidence": 0.0, "band": "low"}
    error = refusal(document)
    assert error.loc == "/projection/hypothesis/abstention"
    assert "abstained" in error.message


@pytest.mark.parametrize("still", ["hypothesis_type", "direction", "confidence"])
def test_what_is_abstained_from_says_nothing(still):
    document = copy.deepcopy(SWEEP)
    event = document["projection"]["hypothesis"]
    silent = {"hypothesis_type": "unclear", "direction": "unknown"}
    event |= {name: word for name, word in silent.items() if name != still}
    event["abstention"] = ABSTAINED
    if still != "confidence":
        event["score"]["confidence"]["policy_confidence"] = 0.0
    assert refusal(document).loc.startswith("/projection/hypothesis")


@pytest.mark.parametrize("name", ["packet_ids", "evidence_refs"])
def test_nothing_rests_on_what_was_not_observed(name):
    document = changed(f"projection/hypothesis/{name}", ["flowpacket:SPY:999"])
    document["projection"]["insight"]["evidence_refs"] = document["projection"]["hypothesis"][
        "evidence_refs"
    ]
    error = refusal(document)
    assert error.loc == f"/projection/hypothesis/{name}/0"
    assert "flowpacket:SPY:999 is not among the observations" in error.message
