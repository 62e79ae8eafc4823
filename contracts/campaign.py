"""CampaignSpec 0.1: scenarios × seeds × strategies with ranges, and what their winner must prove.

The shape of the document and its bounds. Strategies are checked as such when the campaign is
read (``load_campaign``); what needs the engine or the registry (expressions, references, sizes) is
checked in ``islandflow_resources.campaigns``. What the numbers mean: ``docs/validation.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Final, Literal, TypeAlias, cast

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    field_validator,
)

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
MAX_LISTED: Final = 100
"""Problems of one campaign that are told at once."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
Share = Annotated[Number, Field(ge=0, le=1)]


def _named(text: str) -> str:
    if not _NAME.fullmatch(text):
        hint = "write its id, or its key or hash without sha256:, or the document itself"
        raise broken_rule("that is no name of a registered document", hint, code="VALUE_INVALID")
    return text


def _form(value: object) -> str:
    return "document" if isinstance(value, dict | Model) else "name"


Name = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_named),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]
"""Id, key or bare hash of a registered document."""
Named = Annotated[Name, Tag("name")]
AnyScenario: TypeAlias = Annotated[
    Annotated[ScenarioSpec, Tag("document")] | Named, Discriminator(_form)
]
AnyStrategy: TypeAlias = Annotated[
    Annotated[StrategySpec, Tag("document")] | Named, Discriminator(_form)
]


class Entrant(Model):
    """A strategy of the campaign, and how its ranges are searched.

    ``strategy`` is a document, or the id or hash of a registered one.
    """

    strategy: AnyStrategy
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
    scenarios: Annotated[tuple[AnyScenario, ...], Field(min_length=1, max_length=1_000)]
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
        if not seeds:
            raise broken_rule("there is no seed", 'write "1-20" or "1,2,7"')
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
    "seeds: a list of seeds and ranges, at least one seed, every seed once",
    "seed as a string: at most 2^63 - 1",
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
    own = _problems_of(_shell(document), lambda shell: validate(CAMPAIGN, shell, "campaign"))
    nested = [
        Problem(problem.code, problem.message, loc + problem.loc, problem.hints)
        for loc, inner, read in _nested(document)
        for problem in _problems_of(inner, read)
    ]
    problems = [*own, *nested]
    if not problems:
        return validate(CAMPAIGN, document, "campaign")
    first, *others = problems if len(problems) <= MAX_LISTED else _cut(problems)
    raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))


def _cut(problems: list[Problem]) -> list[Problem]:
    message = f"{len(problems) - MAX_LISTED} more problems are not listed"
    hints = ("mend the listed first",)
    return [*problems[:MAX_LISTED], Problem("CAMPAIGN_PROBLEMS_OMITTED", message, "", hints)]


def _nested(document: Document) -> Iterator[tuple[str, Document, _Reader]]:
    """Documents inside a campaign with their pointers and what reads them."""
    for index, scenario in enumerate(_items(document.get("scenarios"))):
        if isinstance(scenario, dict):
            yield f"/scenarios/{index}", scenario, scenario_from
    for index, entrant in enumerate(_items(document.get("strategies"))):
        strategy = entrant.get("strategy") if isinstance(entrant, dict) else None
        if isinstance(strategy, dict):
            yield f"/strategies/{index}/strategy", strategy, strategy_from


def _shell(document: Document) -> Document:
    """The campaign with a name for every document inside it: what is wrong besides them.

    They are read by themselves, in their own words, and cannot crowd out what else there is.
    """
    shell = {**document}
    if isinstance(scenarios := document.get("scenarios"), list):
        shell["scenarios"] = [_as_name(scenario) for scenario in scenarios]
    if isinstance(entrants := document.get("strategies"), list):
        shell["strategies"] = [
            entrant | {"strategy": _as_name(entrant["strategy"])}
            if isinstance(entrant, dict) and "strategy" in entrant
            else entrant
            for entrant in entrants
        ]
    return shell


def _as_name(value: Json) -> Json:
    return "document" if isinstance(value, dict) else value


def _items(value: Json) -> list[Json]:
    return cast("list[Json]", value) if isinstance(value, list) else []


def _problems_of(document: Document, read: _Reader) -> tuple[Problem, ...]:
    try:
        read(document)
    except ContractError as error:
        return error.problems
    return ()
