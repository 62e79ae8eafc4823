"""Many parameter sets of one strategy, compiled at once.

The strategy is parsed, checked and lowered a single time with its parameters
open; each set then only fills in constants and windows. Results are those of
``compile_strategy`` one by one, because folding constants changes no value. A set at
whose values a rule can never be true is run, not refused: a search may try it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.errors import ContractError
from contracts.strategy import StrategySpec
from engine.arrays import Floats, Ints
from engine.dsl.check import FUNCTIONS, factor_names, window_problem
from engine.dsl.program import (
    ColumnSpec,
    Lowered,
    Program,
    bound_params,
    compile_strategy,
    lower,
    refuse_static,
    refuse_value,
    resolve,
)
from engine.dsl.tree import parse


@dataclass(frozen=True, slots=True)
class Sweep:
    """One strategy at k parameter sets.

    Attributes
    ----------
    spec : StrategySpec
    values : dict of str to ndarray, shape (k,), float64
        Values of every parameter.
    columns : tuple of ColumnSpec
        Unique indicator columns of all sets, sources first.
    lowered : Lowered
        Code with open parameters; its columns are slots.
    slots : ndarray, shape (k, slots), int64
        Index into ``columns`` by set and slot.
    constants : ndarray, shape (k, constants), float64
    """

    spec: StrategySpec
    values: dict[str, Floats]
    columns: tuple[ColumnSpec, ...]
    lowered: Lowered
    slots: Ints
    constants: Floats

    @property
    def size(self) -> int:
        """Number of parameter sets."""
        return int(self.slots.shape[0])

    def params(self, index: int) -> dict[str, float]:
        """Parameters of one set."""
        return {name: float(values[index]) for name, values in self.values.items()}

    def program(self, index: int) -> Program:
        """One set compiled by itself, for its canonical form."""
        return compile_strategy(self.spec, self.params(index))


def compile_sweep(
    spec: StrategySpec, params: Mapping[str, npt.ArrayLike], bars: int | None = None
) -> Sweep:
    """Compile a strategy at many parameter sets.

    Parameters
    ----------
    spec : StrategySpec
        Validated strategy.
    params : mapping of str to array_like, shape (k,)
        Values by parameter; those that are not given keep their default.
    bars : int, optional
        Length of the data, where it is known.

    Raises
    ------
    ContractError
        A ``DSL_…`` code; of a wrong value with the parameter and its row.

    Examples
    --------
    >>> from contracts.strategy import STRATEGY
    >>> spec = STRATEGY.validate_python({
    ...     "id": "x", "name": "x", "version": "0.1", "timeframe": "1m",
    ...     "rules": [{"if": "close > ma(close, n)", "then": "buy"},
    ...               {"if": "close < ma(close, n)", "then": "close"}],
    ...     "params": {"n": 20},
    ...     "risk": {"sizing": {"type": "percent_equity", "percent": 100}}})
    >>> compile_sweep(spec, {"n": [10, 20, 10]}).slots.tolist()
    [[0, 1], [0, 2], [0, 1]]
    """
    values = _values(spec, params)
    conditions = resolve(spec, dict.fromkeys(spec.params), bars)
    refuse_static(spec.rules, conditions)
    _refuse_factors(spec, values)
    lowered = lower(spec.rules, conditions)
    size = len(next(iter(values.values()))) if values else 1
    columns, slots = _columns(lowered, values, size, bars)
    constants = np.empty((size, len(lowered.constants)))
    for index, constant in enumerate(lowered.constants):
        constants[:, index] = values[constant] if isinstance(constant, str) else constant
    return Sweep(spec, values, columns, lowered, slots, constants)


def _values(spec: StrategySpec, params: Mapping[str, npt.ArrayLike]) -> dict[str, Floats]:
    """Values of all parameters, equally long and each inside its range."""
    given = {name: np.atleast_1d(np.asarray(v, np.float64)) for name, v in params.items()}
    sizes = {name: values.shape for name, values in given.items()}
    if len(set(sizes.values())) > 1 or any(len(shape) != 1 for shape in sizes.values()):
        message = f"the parameter sets differ in length: {sizes}"
        raise ContractError(
            "DSL_PARAM_OUT_OF_RANGE", message, "/params", ("give one value per set and parameter",)
        )
    for name, values in given.items():
        for value in np.unique(values).tolist():
            _at_row(spec, name, values, value)
    size = next(iter(sizes.values()))[0] if sizes else 1
    defaults = {name: np.full(size, value) for name, value in bound_params(spec, {}).items()}
    return {**defaults, **given}


def _at_row(spec: StrategySpec, name: str, values: Floats, value: float) -> None:
    try:
        refuse_value(spec, name, value)
    except ContractError as error:
        raise _in_row(error.code, error.message, name, values, value, error.hints) from None


def _columns(
    lowered: Lowered, values: Mapping[str, Floats], size: int, bars: int | None
) -> tuple[tuple[ColumnSpec, ...], Ints]:
    """Unique columns of all sets, and which of them stands in each slot of each set."""
    found: dict[ColumnSpec, int] = {}
    slots = np.empty((size, len(lowered.columns)), dtype=np.int64)
    for slot, spec in enumerate(lowered.columns):
        value = spec.value
        if isinstance(value, str):
            _refuse_windows(spec.function, value, values[value], bars)
        numbers = values[value] if isinstance(value, str) else np.full(size, value)
        parts = [slots[:, source].astype(np.float64) for source in spec.sources]
        rows = np.stack([*parts, numbers], axis=1)
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        indices = [
            found.setdefault(
                ColumnSpec(spec.function, tuple(int(part) for part in row[:-1]), row[-1]),
                len(found),
            )
            for row in unique.tolist()
        ]
        slots[:, slot] = np.array(indices, dtype=np.int64)[inverse.reshape(-1)]
    return tuple(found), slots


def _refuse_windows(function: str, name: str, values: Floats, bars: int | None) -> None:
    if function not in FUNCTIONS:
        return
    for value in np.unique(values).tolist():
        problem = window_problem(function, value, bars)
        if problem is not None:
            code, message, right = problem
            raise _in_row(code, message, name, values, value, (f"give {right}",))


def _refuse_factors(spec: StrategySpec, values: Mapping[str, Floats]) -> None:
    """Factors become plain constants of the code, so that they are looked up in the text."""
    for index, rule in enumerate(spec.rules):
        for name in factor_names(parse(rule.condition, f"/rules/{index}/if")):
            negative = [value for value in values.get(name, ()) if value < 0.0]
            if negative:
                value = float(negative[0])
                message = f"the factor {value:g} of bbands is negative"
                hints = (f"give {-value:g}",)
                raise _in_row("DSL_PARAM_OUT_OF_RANGE", message, name, values[name], value, hints)


def _in_row(
    code: str, message: str, name: str, values: Floats, value: float, hints: tuple[str, ...]
) -> ContractError:
    matches = np.isnan(values) if np.isnan(value) else values == value
    row = int(np.flatnonzero(matches)[0])
    return ContractError(code, message, f"/params/{name} row {row}", hints)
