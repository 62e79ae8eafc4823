"""Evidence of smart flow as documents: what was observed, what it says, how good it is.

Ids are made here too. What is concluded from the evidence is ``flow_projection``; the same
things as tables are ``flow_columns``. Nothing here knows a label.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from contracts.document import Model, Nanoseconds, Number
from contracts.errors import ContractError
from contracts.problems import broken_rule
from contracts.smart_flow import FactKind, Grade, Status

MAX_REFS: Final = 100_000
"""Prints, quotes and packets that one cluster may rest on."""

ObservationKind: TypeAlias = Literal[
    "option_print",
    "option_nbbo",
    "equity_print",
    "equity_quote",
    "flow_packet",
    "news_story",
    "event_calendar",
    "external_context",
]
"""The predecessor's without its ``synthetic_label``: no detector sees one."""
Role: TypeAlias = Literal["anchor", "member", "context"]

Text = Annotated[str, Field(strict=True, max_length=500)]
Truth = Annotated[bool, Field(strict=True)]
Part = Annotated[Number, Field(ge=0, le=1)]
Ref = Annotated[str, Field(strict=True, min_length=1, max_length=100)]
Refs = Annotated[tuple[Ref, ...], Field(min_length=1, max_length=MAX_REFS)]
Code = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")]
ClusterId = Annotated[
    str, Field(strict=True, pattern=r"^cluster:[A-Z][A-Z0-9]{0,5}:[1-9][0-9]{0,18}$")
]
PacketId = Annotated[
    str, Field(strict=True, pattern=r"^flowpacket:[A-Z][A-Z0-9]{0,5}:[1-9][0-9]{0,18}$")
]

_STRONG_FROM: Final = 0.82
_USABLE_FROM: Final = 0.55
_THIN_ABOVE: Final = 0.2
_OF_A_CLUSTER: Final = re.compile(
    r"(?:(?:smartflow:(?:alert|insight):)?hypothesis:|smartflow:hypothesis:)?"
    r"cluster:([A-Z][A-Z0-9]{0,5}):([1-9][0-9]{0,18})"
)


class ObservationRef(Model):
    """Something that was observed.

    Attributes
    ----------
    observation_id : str
        A trace id, ``flowpacket:…``, ``option-nbbo:<contract>:<ns>`` or
        ``equity-quote:<symbol>:<ns>``.
    kind : str
    role : str
        ``anchor`` is what the subject is named after, ``member`` is part of it, ``context``
        stands around.
    source_ts_ns : int or None
    trace_id : str or None
        Of the event on its tape, if it is known.
    """

    observation_id: Ref
    kind: ObservationKind
    role: Role
    source_ts_ns: Nanoseconds | None
    trace_id: Ref | None


class EvidenceFact(Model):
    """One thing that the observations say.

    Attributes
    ----------
    fact_id : str
        ``fact:<cluster id>:<slug>``.
    value : bool, float, str or None
    unit : str or None
        ``usd``, ``contracts``, ``ratio``, ``bps``, ``days``, ``per_year``, or none.
    observation_refs : tuple of str
        Ids of the observations that it rests on.
    """

    fact_id: Ref
    kind: FactKind
    label: Text
    value: Truth | Number | Text | None
    unit: Literal["usd", "contracts", "legs", "ratio", "bps", "days", "per_year"] | None
    observation_refs: Refs


class EvidenceQuality(Model):
    """How good the evidence is.

    Attributes
    ----------
    coverage_ratio : float
        Share of the prints with a quote that is neither missing nor stale.
    stale_ratio : float
        Share of the prints whose quote was old.
    caveats : tuple of str
        Codes of what counts against it.
    """

    grade: Grade
    quality_score: Part
    coverage_ratio: Part
    stale_ratio: Part
    caveats: Annotated[tuple[Code, ...], Field(max_length=32)]

    @model_validator(mode="after")
    def _graded(self) -> Self:
        wanted = grade_of(self.quality_score)
        if self.grade != wanted:
            said = f"grade is {self.grade}, quality_score {self.quality_score:g} is {wanted}"
            raise broken_rule(said, f'write "grade": "{wanted}"', "grade")
        return self


class EligibilityDecision(Model):
    """Why something is taken as evidence, or is not."""

    status: Status
    reason_code: Code
    evidence_refs: Refs


class Eligibility(Model):
    """Whether a cluster is taken as evidence.

    Attributes
    ----------
    status : str
        Of the cluster as a whole.
    decisions : tuple of EligibilityDecision
        Its own first, then those of its packets.
    """

    status: Status
    decisions: Annotated[tuple[EligibilityDecision, ...], Field(min_length=1, max_length=32)]

    @model_validator(mode="after")
    def _first_is_its_own(self) -> Self:
        if self.decisions[0].status != self.status:
            said = f"status is {self.status}, its first decision {self.decisions[0].status}"
            raise broken_rule(said, "begin with the decision on the whole", "decisions", 0)
        return self


def grade_of(quality: float) -> Grade:
    """Word for a quality of evidence from 0 to 1; the predecessor's levels.

    Examples
    --------
    >>> grade_of(0.82), grade_of(0.55), grade_of(0.21), grade_of(0.2)
    ('strong', 'usable', 'thin', 'poor')
    """
    if quality >= _STRONG_FROM:
        return "strong"
    if quality >= _USABLE_FROM:
        return "usable"
    return "thin" if quality > _THIN_ABOVE else "poor"


def cluster_id(symbol: str, cluster_seq: int) -> str:
    """Name of a cluster of prints.

    Examples
    --------
    >>> cluster_id("SPY", 4711)
    'cluster:SPY:4711'
    """
    return f"cluster:{symbol}:{cluster_seq}"


def packet_id(symbol: str, packet_seq: int) -> str:
    """Name of a packet of prints."""
    return f"flowpacket:{symbol}:{packet_seq}"


def hypothesis_id(cluster: str) -> str:
    """Name of what is thought of a cluster."""
    return f"hypothesis:{cluster}"


def hypothesis_event_id(cluster: str) -> str:
    """Name of the event that says it."""
    return f"smartflow:hypothesis:{cluster}"


def insight_id(cluster: str) -> str:
    """Name of the insight into a cluster."""
    return f"smartflow:insight:{hypothesis_id(cluster)}"


def alert_id(cluster: str) -> str:
    """Name of the alert on a cluster.

    Examples
    --------
    >>> alert_id(cluster_id("SPY", 4711))
    'smartflow:alert:hypothesis:cluster:SPY:4711'
    """
    return f"smartflow:alert:{hypothesis_id(cluster)}"


def cluster_of(any_id: str) -> tuple[str, int]:
    """Symbol and number of the cluster that an id is of: its own, or that of an alert on it.

    Raises
    ------
    ContractError
        ``FLOW_ID_INVALID``.

    Examples
    --------
    >>> cluster_of("smartflow:alert:hypothesis:cluster:SPY:4711")
    ('SPY', 4711)
    """
    match = _OF_A_CLUSTER.fullmatch(any_id)
    if match is not None:
        return match[1], int(match[2])
    raise ContractError(
        "FLOW_ID_INVALID",
        f"{any_id[:80]!r} is the id of no alert, hypothesis, insight or cluster",
        any_id[:80],
        (
            "write smartflow:alert:hypothesis:cluster:SPY:4711, or cluster:SPY:4711",
            "ids of alerts stand in the column alert_id of smart_flow_alerts",
        ),
    )
