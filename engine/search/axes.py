"""Ranges of a strategy → axes: which values a search may choose, in exact arithmetic.

A parameter that counts bars has integer values, whatever its range says; a parameter that is a
plain number is no axis. Which sets are made of the values is said by ``grid`` and ``draws``;
that they compile, by ``engine.dsl``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from contracts.errors import ContractError
from contracts.strategy import Range, StrategySpec
from engine.arrays import Floats, Ints
from engine.dsl.check import FUNCTIONS, Scope, check
from engine.dsl.tree import Node, parse

MAX_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter that a search chooses.

    Attributes
    ----------
    name : str
    low, high : float
        Bounds, both allowed.
    step : float or None
        Distance of neighbours, from `low` on; None if every double in between will do.
    is_integer : bool
        Whether it counts bars.
    """

    name: str
    low: float
    high: float
    step: float | None
    is_integer: bool

    @property
    def count(self) -> int | None:
        """Number of values; None without a step."""
        if self.step is None:
            return 1 if self.low == self.high else None
        return int((_exact(self.high) - _exact(self.low)) / _exact(self.step)) + 1

    def at(self, indices: Ints) -> Floats:
        """Values ``low + index · step``, each the double nearest to that decimal number.

        The numbers are taken as they are written, so that the third value of 0.1, 0.2, … is 0.3
        and not 0.30000000000000004.
        """
        low, step = _exact(self.low), _exact(self.step or 0.0)
        scale = math.lcm(low.denominator, step.denominator)
        start, stride = int(low * scale), int(step * scale)
        largest = start + stride * int(indices.max(initial=0))
        if max(abs(start), abs(largest), stride, scale) <= MAX_EXACT:
            return (start + stride * indices) / float(scale)
        # A division of Python's integers of any size is rounded once, like the one above.
        return np.array(
            [(start + stride * index) / scale for index in indices.tolist()], np.float64
        )

    def spread(self, shares: Floats) -> Floats:
        """Values at shares of the way from `low` to `high`, 0 … 1; on a stepped axis each alike."""
        count = self.count
        if count is not None:
            return self.at(np.minimum(np.floor(shares * count), count - 1).astype(np.int64))
        values = self.low * (1.0 - shares) + self.high * shares
        return np.clip(values, self.low, self.high) + 0.0


def axes(spec: StrategySpec) -> tuple[Axis, ...]:
    """Axes of all ranges of a strategy, in the order of their names.

    The order does not follow the document, because its canonical form has none.

    Raises
    ------
    ContractError
        ``DSL_PARAM_OUT_OF_RANGE`` for a range of bars whose values are no integers,
        ``SEARCH_TOO_LARGE`` for one with more values than can be counted exactly, or the
        ``DSL_…`` code of an expression that is wrong.
    """
    windows = _window_names(spec)
    found = [
        _axis(name, value, is_window=name in windows)
        for name, value in sorted(spec.params.items())
        if isinstance(value, Range)
    ]
    for axis in found:
        _refuse_countless(axis)
    return tuple(found)


def _axis(name: str, declared: Range, *, is_window: bool) -> Axis:
    if not is_window:
        return Axis(name, declared.min, declared.max, declared.step, is_integer=False)
    if declared.step is None:
        low, high = float(math.ceil(declared.min)), float(math.floor(declared.max))
        if low > high:
            rule = f"{declared.min:g} … {declared.max:g}"
            message = f"the parameter {name!r} counts bars, and {rule} holds no integer"
            raise _no_integers(name, message, f'write "max": {math.ceil(declared.max)}')
        return Axis(name, low, high, 1.0, is_integer=True)
    axis = Axis(name, declared.min, declared.max, declared.step, is_integer=True)
    is_stepping = axis.count != 1 and not declared.step.is_integer()
    if is_stepping or not declared.min.is_integer():
        steps = f"min {declared.min:g} and step {declared.step:g}"
        message = (
            f"the parameter {name!r} counts bars, and {steps} give values that are no integers"
        )
        right = f'"min": {math.ceil(declared.min)} and "step": {max(round(declared.step), 1)}'
        raise _no_integers(name, message, f"write {right}")
    return axis


def _window_names(spec: StrategySpec) -> set[str]:
    """Parameters that stand where a window belongs, also in what simplification removes."""
    found = set[str]()
    for index, rule in enumerate(spec.rules):
        scope = Scope(dict.fromkeys(spec.params), f"/rules/{index}/if")
        node = parse(rule.condition, scope.loc)
        check(node, scope)
        found |= _windows_in(node)
    return found


def _windows_in(node: Node) -> set[str]:
    kinds = FUNCTIONS[node.text].args if node.op == "call" else ()
    found = {arg.text for kind, arg in zip(kinds, node.args, strict=False) if kind == "window"}
    return found.union(*(_windows_in(arg) for arg in node.args))


def _refuse_countless(axis: Axis) -> None:
    count = axis.count
    if count is not None and count > MAX_EXACT:
        message = f"the parameter {axis.name!r} has more than 2^53 values"
        hint = 'give its range a larger "step", or none'
        raise ContractError("SEARCH_TOO_LARGE", message, f"/params/{axis.name}", (hint,))


def _no_integers(name: str, message: str, hint: str) -> ContractError:
    return ContractError("DSL_PARAM_OUT_OF_RANGE", message, f"/params/{name}", (hint,))


def _exact(value: float) -> Fraction:
    """The decimal number that a double is written as."""
    return Fraction(repr(value))
