"""Features of a cluster under the names that expected outputs ask for, and whether they are met.

The names are those of ``contracts.tape_expectations``, each of one kind of fact. Nothing stands
in for a feature that a cluster does not have: it is absent. What is asked of which cluster is
``flow_expectations``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from contracts.labels import Requirement
from contracts.smart_flow import FactKind, band_of
from islandflow_resources import flow_chains
from islandflow_resources.flow_chains import Chain, Row
from islandflow_resources.flow_facts import USABLE

Feature: TypeAlias = bool | float | str | None
"""A value, None where there is none."""

PACKAGE: Final = "complex_or_spread_context"
"""The predecessor's word for legs that are traded together."""
RETAIL: Final = "retail_attention_flow"


def _mean_of_packets(of: Callable[[Row], float]) -> Callable[[Chain], Feature]:
    return lambda chain: sum(of(one) for one in chain.packets) / len(chain.packets)


def _reason_code(chain: Chain) -> Feature:
    """Why it is set aside, in whole or in part; absent if nothing counts against it."""
    code = chain.cluster["reason_code"]
    return None if code == USABLE else code


def _structure_context(chain: Chain) -> Feature:
    return PACKAGE if chain.cluster["structure_type"] != "single" else None


FEATURES: Final[dict[tuple[FactKind, str], Callable[[Chain], Feature]]] = {
    ("execution_aggression", "nbbo_aggression_ratio_max"): lambda chain: (
        flow_chains.most_aggressive(chain.packets)
    ),
    ("execution_context", "execution_iv"): flow_chains.execution_iv,
    ("premium_size", "total_premium"): lambda chain: chain.cluster["premium_usd"],
    ("structure_shape", "structure_context"): _structure_context,
    ("structure_shape", "option_type"): flow_chains.option_type,
    ("quote_quality", "nbbo_coverage_ratio_mean"): _mean_of_packets(flow_chains.coverage),
    ("quote_quality", "nbbo_stale_ratio_mean"): _mean_of_packets(flow_chains.unquoted),
    ("quote_quality", "option_spread_bps_max"): lambda chain: chain.cluster["spread_bps_max"],
    ("timing_context", "candidate_count"): lambda chain: float(len(chain.packets)),
    ("timing_context", "retail_burst"): lambda chain: chain.cluster["hypothesis_type"] == RETAIL,
    ("underlying_context", "net_directional_bias"): lambda chain: abs(
        flow_chains.directional_bias(chain)
    ),
    ("underlying_context", "underlying_move_bps"): flow_chains.underlying_move_bps,
    ("underlying_context", "expected_direction"): lambda chain: chain.cluster["direction"],
    ("event_context", "days_to_event"): flow_chains.days_to_event,
    ("eligibility_decision", "reason_code"): _reason_code,
    ("synthetic_ground_truth", "alert_expectation"): lambda chain: (
        "alert" if chain.alert else "no_alert"
    ),
    ("other", "confidence_band"): lambda chain: band_of(chain.cluster["confidence"]),
}
"""By kind of fact and key. ``net_directional_bias`` says how much, not which way: 0 is none."""


def values_of(chain: Chain | None, requirement: Requirement) -> list[Feature]:
    """Values of a cluster that a requirement speaks of.

    Without a key it speaks of every feature of the kind; without a cluster there is none.
    """
    if chain is None:
        return []
    kind, key = requirement.fact_kind, requirement.feature_key
    reads = [read for name, read in FEATURES.items() if name[0] == kind and key in (None, name[1])]
    return [value for read in reads if (value := read(chain)) is not None]


def is_met(requirement: Requirement, values: Sequence[Feature]) -> bool:
    """Whether any of the values is as a requirement says, or none that it wants absent is there.

    ``present`` and ``absent`` with a value of true, or without one, speak of any value.
    """
    wanted, operator = requirement.value, requirement.operator
    if operator in ("present", "absent"):
        is_any = wanted is None or wanted is True
        is_there = any(is_any or _equal(value, wanted) for value in values)
        return is_there == (operator == "present")
    if operator == "eq":
        return any(_equal(value, wanted) for value in values)
    assert isinstance(wanted, int | float)
    numbers = [value for value in values if isinstance(value, int | float) and _is_number(value)]
    return any(value >= wanted if operator == "gte" else value <= wanted for value in numbers)


def told(requirement: Requirement) -> str:
    """A requirement in words."""
    key = requirement.feature_key or requirement.fact_kind
    value = "" if requirement.value is None else f" {shown(requirement.value)}"
    return f"{key} {requirement.operator}{value}"


def shown(value: Feature) -> str:
    """A value in words."""
    return f"{value:g}" if _is_number(value) else str(value)


def _is_number(value: Feature) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(value: Feature, wanted: Feature) -> bool:
    """Whether two values are the same, true and 1 being different."""
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
