"""CampaignSpec 0.1: scenarios × seeds × strategies with ranges, and what their winner must prove.

The shape of the document and its bounds. Strategies are checked as such when the campaign is
read (``load_campaign``); what needs the engine or the registry (expressions, references, sizes) is
checked in ``islandflow_resources.campaigns``. What the numbers mean: ``docs/validation.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Final, Literal, TypeAlias, cast

from pydantic import Field, TypeAdapter, field_validator

from contracts.backtest import METRICS, BacktestSettings
from contracts.canonical import Document, Json
from contracts.digest import bare, document_digest
from contracts.document import Integer, Model, Number, Slug, validate
from contracts.errors import ContractError, Problem
from contracts.problems import broken_rule
from contracts.scenario import ScenarioSpec, scenario_from
from contracts.search import GridSearch, Search
from contracts.seeds import parse_seeds
from contracts.strategy import StrategySpec, strategy_from
from contracts.validation import MonteCarloSettings, OverfittingSettings, WalkForwardSettings
from contracts.yaml_text import parse_text

OBJECTIVES: Final[tuple[str, ...]] = (
    "sharpe", "sortino", "calmar", "total_return", "annual_return", "profit_factor",
)  # fmt: skip
"""Metrics that a campaign may maximise: all of them better when larger."""
assert set(OBJECTIVES) <= set(METRICS)
Name = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$")]
Share = Annotated[Number, Field(ge=0, le=1)]


class Entrant(Model):
    """A strategy of the campaign, and how its ranges are searched.

    ``strategy`` is a document, or the id or hash of a registered one.
    """

    strategy: StrategySpec | Name
    search: Search = GridSearch(method="grid")


class Robustness(Model):
    """What is done with the best trials; a part that is null is left out.

    ``best`` counts trials: those of the best candidate, dataset by dataset, then of the next.
    """

    best: Annotated[Integer, Field(ge=1, le=100_000)] = 100
    monte_carlo: MonteCarloSettings | None = MonteCarloSettings()
    walk_forward: WalkForwardSettings | None = WalkForwardSettings()
    overfitting: OverfittingSettings = OverfittingSettings()


class Gate(Model):
    """What the best candidate must show to be promoted; a bound that is null asks for nothing.

    Attributes
    ----------
    min_trades : int
        Closed trades over all datasets.
    min_out_of_sample : float
        Mean objective of the tests of the walk-forward.
    min_efficiency : float
        Walk-forward: out-of-sample by in-sample objective.
    min_deflated_sharpe : float
        Deflated Sharpe ratio, a probability.
    max_overfitting : float
        Probability of backtest overfitting.
    max_ruin : float
        Mean probability of ruin over the Monte Carlo summaries, all of which have converged.
    max_latency_ms : float
        99th percentile of the time from a closed bar to a decision.
    """

    min_trades: Annotated[Integer, Field(ge=0)] | None = 30
    min_out_of_sample: Number | None = 0.0
    min_efficiency: Number | None = None
    min_deflated_sharpe: Share | None = 0.95
    max_overfitting: Share | None = 0.3
    max_ruin: Share | None = 0.05
    max_latency_ms: Annotated[Number, Field(gt=0)] | None = 100.0


class Promotion(Model):
    """Where the winner is served: the alias that moves to it."""

    alias: Slug
    description: Annotated[str, Field(strict=True, max_length=500)] = ""


class Tracking(Model):
    """How the trials are told to a tracking server, if the environment names one.

    ``max_runs`` trials at most, those of the best candidates first.
    """

    experiment: Annotated[str, Field(strict=True, min_length=1, max_length=200)] | None = None
    run_name_prefix: Annotated[str, Field(strict=True, max_length=100)] | None = None
    tags: dict[Slug, Annotated[str, Field(strict=True, max_length=500)]] = {}  # noqa: RUF012
    max_runs: Annotated[Integer, Field(ge=1, le=100_000)] = 1_000


class CampaignSpec(Model):
    """A campaign as it is registered, hashed and run.

    ``seeds`` is text such as ``1-20`` or ``1-5,7``. Scenarios are documents, whose own seed
    does not count, or keys or ids of registered ones.
    """

    id: Slug
    version: Literal["0.1"]
    description: Annotated[str, Field(strict=True, max_length=2_000)] = ""
    scenarios: Annotated[tuple[ScenarioSpec | Name, ...], Field(min_length=1, max_length=1_000)]
    seeds: Annotated[str, Field(strict=True, min_length=1, max_length=2_000)]
    strategies: Annotated[tuple[Entrant, ...], Field(min_length=1, max_length=1_000)]
    settings: BacktestSettings = BacktestSettings()
    objective: Literal[
        "sharpe", "sortino", "calmar", "total_return", "annual_return", "profit_factor"
    ] = "sharpe"
    robustness: Robustness = Robustness()
    gate: Gate = Gate()
    promotion: Promotion | None = None
    tracking: Tracking = Tracking()

    @field_validator("seeds")
    @classmethod
    def _readable(cls, text: str) -> str:
        try:
            seeds = parse_seeds(text)
        except ContractError as error:
            raise broken_rule(error.message, 'write "1-20" or "1,2,7"') from None
        if len(set(seeds)) < len(seeds):
            raise broken_rule("a seed is given twice", "give every seed once")
        return text

    @property
    def seed_list(self) -> list[int]:
        """Seeds in their order."""
        return parse_seeds(self.seeds)

    @property
    def campaign_hash(self) -> str:
        """``sha256:…`` over the canonical document."""
        return document_digest(self.document())

    @property
    def campaign_key(self) -> str:
        """Name of the campaign as a partition: ``{id}-{first 12 of the hash}``."""
        return f"{self.id}-{bare(self.campaign_hash)[:12]}"


CAMPAIGN: Final[TypeAdapter[CampaignSpec]] = TypeAdapter(CampaignSpec)
BEYOND_SCHEMA: Final[tuple[str, ...]] = (
    "seeds: a list of seeds and ranges, every seed once",
    "scenarios, strategies: inline documents keep the rules of their own schemas",
    "strategies: expressions compile at every value of the ranges, for the bars that there are",
    "strategies: trade the timeframe of every scenario",
    "robustness: every fold of the walk-forward has bars",
    "monte_carlo: paths or precision, not both",
)
"""Rules of the document that its JSON Schema cannot express."""

_Reader: TypeAlias = Callable[[Document], object]


def load_campaign(data: bytes | str) -> CampaignSpec:
    """Read a campaign from its YAML or JSON, with the documents inside it.

    Raises
    ------
    ContractError
        Every problem at once, each with its pointer from the root of the campaign.
    """
    return campaign_from(parse_text(data, "campaign"))


def campaign_from(document: Document) -> CampaignSpec:
    """Validate a campaign that is already parsed, see `load_campaign`."""
    problems = [
        Problem(problem.code, problem.message, loc + problem.loc, problem.hints)
        for loc, nested, read in _nested(document)
        for problem in _problems_of(nested, read)
    ]
    try:
        spec = validate(CAMPAIGN, document, "campaign")
    except ContractError as error:
        # What the documents inside said of themselves is more exact than the union's verdict.
        own = [one for one in error.problems if not _lies_in_nested(one.loc, document)]
        problems = [*own, *problems] or [*error.problems]
    else:
        if not problems:
            return spec
    first, *others = problems
    raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))


def _nested(document: Document) -> Iterator[tuple[str, Document, _Reader]]:
    """Documents inside a campaign with their pointers and what reads them."""
    for index, scenario in enumerate(_items(document.get("scenarios"))):
        if isinstance(scenario, dict):
            yield f"/scenarios/{index}", scenario, scenario_from
    for index, entrant in enumerate(_items(document.get("strategies"))):
        strategy = entrant.get("strategy") if isinstance(entrant, dict) else None
        if isinstance(strategy, dict):
            yield f"/strategies/{index}/strategy", strategy, strategy_from


def _lies_in_nested(loc: str, document: Document) -> bool:
    return any(loc == place or loc.startswith(f"{place}/") for place, _, _ in _nested(document))


def _items(value: Json) -> list[Json]:
    return cast("list[Json]", value) if isinstance(value, list) else []


def _problems_of(nested: Document, read: _Reader) -> tuple[Problem, ...]:
    try:
        read(nested)
    except ContractError as error:
        return error.problems
    return ()
