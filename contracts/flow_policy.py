"""The scoring policy of the detector: one versioned document that every result is stored with.

It holds the patterns of each hypothesis, how sure it must be, and the seeds that it was tuned
on: no seed of those is ever judged, see `ScoringPolicy.refuse_tuned`. What the features are is
``flow_features``, how a policy is made ``benchmarks/studies``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from contracts.digest import document_digest
from contracts.document import Integer, Model, Number, Seed, Slug, load
from contracts.errors import ContractError
from contracts.flow_features import FEATURE_NAMES
from contracts.problems import broken_rule
from contracts.smart_flow import HYPOTHESES, MODEL_VERSION, POLICY_VERSION

WHAT: Final = "scoring policy"
USUAL_POLICY: Final = "smart-flow"
"""The policy that is used where none is named."""

Weight = Annotated[Number, Field(ge=-100, le=100)]


class Grouping(Model):
    """How prints become orders, packets and clusters.

    Attributes
    ----------
    min_print_usd : float
        Orders of less premium do not go on into packets.
    leg_gap_ms : float
        Legs of one order follow one another within.
    packet_ms : float
        A packet takes what comes so long after its start.
    quiet_s : float
        A cluster ends when its subject has been quiet for so long.
    longest_s : float
        It takes nothing later than so long after its start.
    stale_ms : float
        Quotes older than this are called stale.
    """

    min_print_usd: Annotated[Number, Field(ge=0, le=1e6)]
    leg_gap_ms: Annotated[Number, Field(ge=0, le=100)]
    packet_ms: Annotated[Number, Field(ge=1, le=60_000)]
    quiet_s: Annotated[Number, Field(ge=0.1, le=60)]
    longest_s: Annotated[Number, Field(ge=1, le=600)]
    stale_ms: Annotated[Number, Field(ge=1, le=600_000)]


class Rules(Model):
    """What evidence must have, whatever it is taken for.

    Attributes
    ----------
    min_premium_usd : float
    min_orders : int
    min_coverage : float
        Share of the prints that have a quote.
    max_stale : float
        Share of the prints whose quote was old.
    wide_spread_bps, wide_underlying_bps : float
        From here on quotes are called wide.
    min_margin : float
        Log-odds by which the first hypothesis must lead the second.
    """

    min_premium_usd: Annotated[Number, Field(ge=0, le=1e9)]
    min_orders: Annotated[Integer, Field(ge=1, le=1000)]
    min_coverage: Annotated[Number, Field(ge=0, le=1)]
    max_stale: Annotated[Number, Field(ge=0, le=1)]
    wide_spread_bps: Annotated[Number, Field(gt=0, le=20_000)]
    wide_underlying_bps: Annotated[Number, Field(gt=0, le=20_000)]
    min_margin: Annotated[Number, Field(ge=0, le=50)]


class Pattern(Model):
    """One of the ways in which a kind of flow trades.

    Attributes
    ----------
    intercept : float
    weights : dict of str to float
        By every feature of ``flow_features``.
    """

    intercept: Weight
    weights: dict[str, Weight]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in FEATURE_NAMES if name not in self.weights]
        unknown = [name for name in self.weights if name not in FEATURE_NAMES]
        if missing:
            said = f"there is no weight for {missing[0]}"
            raise broken_rule(said, "give every feature a weight, 0 if it has none", "weights")
        if unknown:
            said = f"{unknown[0][:64]!r} is no feature"
            raise broken_rule(said, "leave it out", "weights", unknown[0][:64])
        return self


class HypothesisPolicy(Model):
    """Score of one hypothesis: that of the pattern which fits best.

    Attributes
    ----------
    patterns : dict of str to Pattern
        By names for whoever reads the policy; a score tells only that of the best.
    alert_z : float
        Log-odds from which on it is said; there the confidence is 0.52.
    high_z : float
        Log-odds from which on it is said with high confidence, 0.72.
    ceiling : float
        Greatest confidence: what can be known of this kind of flow from outside.
    """

    patterns: Annotated[dict[Slug, Pattern], Field(min_length=1, max_length=16)]
    alert_z: Annotated[Number, Field(ge=-20, le=50)]
    high_z: Annotated[Number, Field(ge=-20, le=100)]
    ceiling: Annotated[Number, Field(gt=0.52, le=1)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.high_z <= self.alert_z:
            said = f"high_z = {self.high_z:g} is not above alert_z = {self.alert_z:g}"
            raise broken_rule(said, "raise it", "high_z")
        return self


class Tuning(Model):
    """What a policy was tuned on.

    Attributes
    ----------
    seeds : tuple of int
        None of their tapes may judge it.
    markets : tuple of str
        What they made: first date, symbols, load and preset.
    """

    seeds: Annotated[tuple[Seed, ...], Field(max_length=1000)]
    markets: Annotated[tuple[Slug, ...], Field(max_length=100)]


class ScoringPolicy(Model):
    """Weights and levels of every hypothesis, with what they were tuned on."""

    id: Slug
    version: Annotated[str, Field(strict=True, pattern=r"^[0-9]+\.[0-9]+$")]
    policy_version: Literal["smart-flow.hypothesis-score.policy.v1"]
    model_version: Literal["smart-flow.hypothesis-score.rules.v2"]
    grouping: Grouping
    rules: Rules
    hypotheses: dict[str, HypothesisPolicy]
    tuning: Tuning

    @model_validator(mode="after")
    def _every_hypothesis(self) -> Self:
        for name in HYPOTHESES:
            if name not in self.hypotheses:
                raise broken_rule(f"{name} has no score", "give it one", "hypotheses")
        for name in self.hypotheses:
            if name not in HYPOTHESES:
                said = f"{name[:64]!r} is no hypothesis"
                raise broken_rule(said, "leave it out", "hypotheses", name[:64])
        return self

    @property
    def policy_digest(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    def refuse_tuned(self, seed: int) -> None:
        """Refuse to judge this policy by a seed that it was tuned on.

        Raises
        ------
        ContractError
            ``FLOW_SEED_TUNED``.
        """
        if seed not in self.tuning.seeds:
            return
        raise ContractError(
            "FLOW_SEED_TUNED",
            f"policy {self.id} {self.version} was tuned on the seed {seed}, which judges nothing",
            str(seed),
            ("judge it by other seeds",),
        )


POLICY: Final[TypeAdapter[ScoringPolicy]] = TypeAdapter(ScoringPolicy)
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "every hypothesis of contracts.smart_flow.HYPOTHESES once, and no other",
    "every feature of contracts.flow_features.FEATURES has a weight in every pattern, and no other",
    "high_z above alert_z",
)
VERSIONS: Final = (POLICY_VERSION, MODEL_VERSION)


def load_policy(data: bytes | str) -> ScoringPolicy:
    """Read a policy from its bytes.

    Raises
    ------
    ContractError
        With every problem, its code, JSON pointer and hint.
    """
    return load(POLICY, data, WHAT)


@cache
def usual_policy() -> ScoringPolicy:
    """The policy that is used where none is named."""
    path = files("contracts") / "policies" / f"{USUAL_POLICY}.json"
    return load_policy(path.read_bytes())
