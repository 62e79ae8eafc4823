"""Strategies as stored objects: their documents, and the ordered list of what they mean.

Which strategies are registered is in ``database``; compiling is ``engine.dsl``. The
digest of the list is part of the recipe of everything that runs all strategies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from contracts.canonical import Document, Json, canonical_json
from contracts.digest import bare, document_digest
from contracts.errors import ContractError
from contracts.strategy import StrategySpec, strategy_from
from engine import dsl
from islandflow_resources.database import Database
from islandflow_resources.object_store import ObjectStore

_compiled: dict[str, dsl.Program] = {}
_meanings: dict[str, str] = {}
_specs: dict[str, StrategySpec] = {}


@dataclass(frozen=True, slots=True)
class StrategyList:
    """All strategies in their order, compiled.

    Attributes
    ----------
    strategies : tuple of StrategySpec
    programs : tuple of Program
    digest : str
        ``sha256:…`` over the ordered list of what they mean.
    """

    strategies: tuple[StrategySpec, ...]
    programs: tuple[dsl.Program, ...]
    digest: str

    @classmethod
    def of(cls, strategies: Sequence[StrategySpec]) -> StrategyList:
        """Compile strategies in the order given.

        Raises
        ------
        ContractError
            A ``DSL_…`` code.
        """
        programs = tuple(compiled(spec) for spec in strategies)
        meanings: list[Json] = [
            {"strategy_hash": spec.strategy_hash, "ir_hash": program.ir_hash}
            for spec, program in zip(strategies, programs, strict=True)
        ]
        return cls(tuple(strategies), programs, document_digest(meanings))

    @property
    def key(self) -> str:
        """Key of the list as a document."""
        return f"strategies/ir/{bare(self.digest)}/ir.json"

    @property
    def document(self) -> Document:
        """The list with the canonical form and the columns of every strategy."""
        entries: list[Json] = [
            {
                "strategy_id": spec.id,
                "strategy_hash": spec.strategy_hash,
                "ir_hash": program.ir_hash,
                "ir": program.ir,
                "columns": [*program.described_columns()],
            }
            for spec, program in zip(self.strategies, self.programs, strict=True)
        ]
        return {"strategies": entries}


def compiled(spec: StrategySpec) -> dsl.Program:
    """Program of a strategy at its defaults, compiled once a process."""
    name = spec.strategy_hash
    found = _compiled.get(name)
    if found is None:
        found = _compiled[name] = dsl.compile_strategy(spec)
    return found


def meaning(strategy_hash: str, spec: StrategySpec) -> str:
    """Digest of what a strategy of a hash means at its defaults, worked out once a process."""
    found = _meanings.get(strategy_hash)
    if found is None:
        found = _meanings[strategy_hash] = compiled(spec).ir_hash
    return found


@lru_cache(maxsize=1_024)
def _at(strategy_hash: str, params: tuple[tuple[str, float], ...]) -> dsl.Program:
    return dsl.compile_strategy(_specs[strategy_hash], dict(params))


def compiled_at(spec: StrategySpec, params: Mapping[str, float]) -> dsl.Program:
    """Program of a strategy at a parameter set; the newest thousand are kept."""
    _specs[spec.strategy_hash] = spec
    return _at(spec.strategy_hash, tuple(sorted(params.items())))


def registered_strategies(database: Database) -> list[StrategySpec]:
    """All registered strategies, in the order of the registry.

    Raises
    ------
    ContractError
        ``STRATEGY_NONE_REGISTERED``.
    """
    rows = database.strategies()
    if rows:
        return [strategy_from(row.spec) for row in rows]
    raise ContractError(
        "STRATEGY_NONE_REGISTERED",
        "there is nothing to backtest: no strategy is registered",
        hints=("register one with: islandflow strategy register FILE",),
    )


def spec_key(spec: StrategySpec) -> str:
    """Key of a strategy's canonical document."""
    return f"strategies/specs/{spec.id}/{bare(spec.strategy_hash)}/spec.json"


def publish_specs(store: ObjectStore, strategies: Sequence[StrategySpec]) -> None:
    """Store the canonical document of every strategy."""
    store.concurrently(
        lambda spec: store.put_exact(spec_key(spec), canonical_json(spec.document()) + b"\n"),
        strategies,
    )


def publish_list(store: ObjectStore, listed: StrategyList) -> None:
    """Store the list as a document."""
    store.put_exact(listed.key, canonical_json(listed.document) + b"\n")
