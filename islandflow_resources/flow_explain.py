"""Why there is an alert, or why there is none: the whole chain as a document, and as lines.

The chain is read in ``flow_chains``, its facts told in ``flow_facts``; what each axis adds to
a score is said by ``engine.flow.scoring``. No label is read here: whether an alert is right is
judged in ``flow_expectations``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Final, TypeAlias

from contracts.canonical import Document, Json
from contracts.document import validate
from contracts.errors import ContractError
from contracts.flow_evidence import hypothesis_event_id, hypothesis_id, insight_id
from contracts.flow_features import AXES
from contracts.flow_policy import ScoringPolicy
from contracts.flow_projection import (
    ALERT,
    MAX_ALTERNATIVES,
    PROJECTION,
    WHAT,
    ExplainabilityProjection,
    SmartFlowAlertEvent,
)
from contracts.flow_scores import SCORE_TOLERANCE
from contracts.smart_flow import (
    CONTRACT_VERSION,
    HYPOTHESES,
    MODEL_VERSION,
    POLICY_VERSION,
    PROJECTION_VERSION,
    band_of,
)
from engine.flow import scoring
from engine.mathx import exp
from islandflow_resources import flow_chains, flow_facts
from islandflow_resources.flow_chains import Chain, Row, Tables, chain_of

Contributions: TypeAlias = Callable[[Row, ScoringPolicy], Mapping[str, Mapping[str, float]]]
"""Log-odds by hypothesis, then by axis and ``intercept``, of a row of hypotheses."""

INTERCEPT: Final = "intercept"
_CHANNEL: Final = "smart-flow"
_REASONS_TOLD: Final = 3
_NEUTRAL: Final = ("volatility_supply", "structure_arbitrage")


@dataclass(frozen=True, slots=True)
class Explained:
    """A cluster with its explanation.

    Attributes
    ----------
    chain : Chain
    projection : ExplainabilityProjection
    alert : SmartFlowAlertEvent or None
        None if nothing was said aloud.
    policy : ScoringPolicy
    """

    chain: Chain
    projection: ExplainabilityProjection
    alert: SmartFlowAlertEvent | None
    policy: ScoringPolicy


def explain(
    tables: Tables,
    any_id: str,
    policy: ScoringPolicy,
    *,
    contributions: Contributions = scoring.contributions,
) -> Explained:
    """Explain an alert, or what was made of a cluster.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        Of one detection, by the names of ``contracts.flow_columns.DETECTIONS``.
    any_id : str
        ``smartflow:alert:hypothesis:cluster:<symbol>:<number>`` or the id of the cluster.
    policy : ScoringPolicy
        That the detection was made under.
    contributions : callable
        What each axis adds to the log-odds of a row.

    Raises
    ------
    ContractError
        ``FLOW_ID_INVALID``, ``FLOW_TABLE_MISSING``, ``FLOW_POLICY_DIFFERS``, or every way in
        which the tables contradict one another as ``SMART_FLOW_ALERT_RULE_BROKEN``.
    NotFoundError
        ``FLOW_CLUSTER_UNKNOWN`` or ``FLOW_ALERT_UNKNOWN``.
    """
    chain = chain_of(tables, any_id)
    parts = contributions(chain.cluster, policy)
    _refuse_other_policy(chain, policy, parts)
    document = _projection(chain, policy, parts)
    if chain.alert is None:
        return Explained(chain, validate(PROJECTION, document, WHAT), None, policy)
    alert = validate(ALERT, _alert(chain, chain.alert, document), WHAT)
    return Explained(chain, alert.projection, alert, policy)


def leading(row: Row) -> str:
    """The hypothesis that speaks first for a cluster, whether it was said or not."""
    if not row["abstained"]:
        return row["hypothesis_type"]
    return max(HYPOTHESES, key=lambda name: row[f"z_{name}"])


def _refuse_other_policy(
    chain: Chain, policy: ScoringPolicy, parts: Mapping[str, Mapping[str, float]]
) -> None:
    stored = chain.alert["policy_digest"] if chain.alert else policy.policy_digest
    wrong = f"it was made under {stored}, not under" if stored != policy.policy_digest else ""
    for name in HYPOTHESES:
        z, total = chain.cluster[f"z_{name}"], fsum(parts[name].values())
        if abs(total - z) > SCORE_TOLERANCE * max(1.0, abs(z)):
            wrong = wrong or f"its score of {name} is {z:g}, and {total:g} under"
    if wrong:
        raise ContractError(
            "FLOW_POLICY_DIFFERS",
            f"{chain.id} is not of this policy: {wrong} {policy.id} {policy.version}",
            chain.id,
            ("give the policy that is stored with the detection",),
        )


def _projection(
    chain: Chain, policy: ScoringPolicy, parts: Mapping[str, Mapping[str, float]]
) -> Document:
    row, seen = chain.cluster, flow_facts.observed(chain)
    first = leading(row)
    shared: Document = {
        "hypothesis_id": hypothesis_id(chain.id),
        "hypothesis_type": row["hypothesis_type"],
        "direction": row["direction"],
        "evidence_refs": [*seen.members],
        "abstention": _abstention(chain),
        "alternatives": _alternatives(row, first, parts),
    }
    event: Document = {
        **shared,
        "event_id": hypothesis_event_id(chain.id),
        "cluster_id": chain.id,
        "packet_ids": [*seen.packets],
        **{name: row[name] for name in ("symbol", "contract", "structure_type")},
        **{name: row[name] for name in ("start_ns", "end_ns", "emitted_ns")},
        "score": _score(chain, policy, first, parts[first]),
        "generated_from": "flow_evidence_cluster",
    }
    insight: Document = {
        **shared,
        "insight_id": insight_id(chain.id),
        "label": _label(row),
        "summary": summary(chain),
        "confidence": row["confidence"],
        "band": band_of(row["confidence"]),
    }
    return {
        "contract_version": CONTRACT_VERSION,
        "projection_version": PROJECTION_VERSION,
        "source_channel": _CHANNEL,
        "trace_id": hypothesis_event_id(chain.id),
        "hypothesis": event,
        "insight": insight,
        "evidence": {
            "observations": flow_facts.observations(chain, seen),
            "facts": flow_facts.facts(chain, seen),
            "quality": flow_facts.quality(chain),
            "eligibility": flow_facts.eligibility(chain),
        },
    }


def _alert(chain: Chain, row: Row, projection: Document) -> Document:
    """The alert as its own table has it, so that the two are held against each other."""
    names = ("alert_id", "symbol", "hypothesis_type", "profile", "direction", "band", "emitted_ns")
    return {
        **{name: row[name] for name in names},
        "hypothesis_id": hypothesis_id(chain.id),
        "insight_id": insight_id(chain.id),
        "policy_confidence": row["confidence"],
        "evidence_quality": chain.cluster["quality"],
        "trigger": {
            "kind": "non_abstained_hypothesis",
            "projection_trace_id": hypothesis_event_id(chain.id),
            "projection_version": PROJECTION_VERSION,
            "source_channel": _CHANNEL,
        },
        "evidence_refs": [*flow_facts.observed(chain).members],
        "projection": projection,
    }


def _score(chain: Chain, policy: ScoringPolicy, first: str, parts: Mapping[str, float]) -> Document:
    row, z = chain.cluster, chain.cluster[f"z_{first}"]
    against = sorted((value, axis) for axis in AXES if (value := parts[axis]) < 0)
    penalties: list[Json] = [
        {
            "penalty_id": f"penalty:{chain.id}:{axis}",
            "axis": axis,
            "score": -value,
            "reason": f"{axis} speaks against {first}",
        }
        for value, axis in against
    ]
    confidence: Document = {
        "policy_confidence": row["confidence"],
        "evidence_quality": row["quality"],
        "hypothesis_margin": row["margin"],
        "conviction": 0.0 if row["abstained"] else 1.0 / (1.0 + exp(-z)),
        "calibration_version": None,
    }
    return {
        "contract_version": CONTRACT_VERSION,
        "policy_version": POLICY_VERSION,
        "model_version": MODEL_VERSION,
        "policy_digest": policy.policy_digest,
        "hypothesis_type": first,
        "z": z,
        "intercept": parts[INTERCEPT],
        "contributions": {axis: parts[axis] for axis in AXES},
        "penalties": penalties,
        "confidence": confidence,
    }


def _abstention(chain: Chain) -> Document:
    row = chain.cluster
    if not row["abstained"]:
        return {"abstained": False, "reasons": ["not_abstained"], "source_reasons": []}
    codes = [code for code in flow_chains.reason_codes(chain) if code != flow_facts.USABLE]
    reasons = row["abstention_reasons"].split()
    return {"abstained": True, "reasons": reasons, "source_reasons": [*codes]}


def _alternatives(row: Row, first: str, parts: Mapping[str, Mapping[str, float]]) -> list[Json]:
    """The likeliest others; a direction is known of none but those that never have one."""
    others = sorted(
        (name for name in HYPOTHESES if name != first), key=lambda name: -row[f"z_{name}"]
    )
    return [
        {
            "hypothesis_type": name,
            "direction": "neutral" if name in _NEUTRAL else "unknown",
            "z": row[f"z_{name}"],
            "behind": row[f"z_{first}"] - row[f"z_{name}"],
            "reasons": [*_leads(parts[first], parts[name])],
        }
        for name in others[:MAX_ALTERNATIVES]
    ]


def _leads(mine: Mapping[str, float], theirs: Mapping[str, float]) -> list[str]:
    """Where the first hypothesis gains most upon another."""
    gains = sorted(((mine[name] - theirs[name], name) for name in (INTERCEPT, *AXES)), reverse=True)
    return [f"{name} {gain:+.2f}" for gain, name in gains[:_REASONS_TOLD] if gain > 0]


def _label(row: Row) -> str:
    said = row["hypothesis_type"].replace("_", " ")
    return f"{said} in {row['symbol']}, {row['direction']}"


def summary(chain: Chain) -> str:
    """What happened, in a sentence."""
    row = chain.cluster
    seconds = (row["end_ns"] - row["start_ns"]) * 1e-9
    shape = f"of a {row['structure_type']} from" if row["legs"] > 1 else "of"
    bought, sold = flow_chains.buy_ratio(chain), flow_chains.sell_ratio(chain)
    return (
        f"{prints_of(row)} {shape} {row['contract'].replace(' ', '')} in {seconds:.1f} s: "
        f"{row['contracts']:,} contracts for {row['premium_usd']:,.0f} dollars, "
        f"{bought:.0%} at the ask, {sold:.0%} at the bid"
    )


def prints_of(row: Row) -> str:
    """How many prints a packet or cluster has, in words."""
    return "1 print" if row["prints"] == 1 else f"{row['prints']:,} prints"
