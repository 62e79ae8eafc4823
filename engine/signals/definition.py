"""What a book signal declares: its name, parameters, columns and thresholds.

The one base of all signals, statistical ones (a file each beside this one) and learnt ones
(``engine.signals.ml``). Which there are is ``registry``; what their values are worth,
``evaluate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from contracts.errors import ContractError, Problem

Mode: TypeAlias = Literal["signal", "probability", "confidence"]
ThresholdRule: TypeAlias = Literal["fixed", "percentiles", "spread"]

_MOST_BINS: Final = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that a signal takes.

    Attributes
    ----------
    name : str
        With its unit as a suffix.
    default, low, high : float
        Bounds are inclusive.
    is_integer : bool
        Whether only whole numbers are taken.
    doc : str
    """

    name: str
    default: float
    low: float
    high: float
    is_integer: bool
    doc: str


def bins(name: str, default: int, doc: str, low: int = 1) -> Parameter:
    """A number of bins."""
    return Parameter(name, float(default), float(low), _MOST_BINS, True, doc)


def weight(name: str, default: float, doc: str) -> Parameter:
    """A weight, at least 0."""
    return Parameter(name, default, 0.0, 1e9, False, doc)


def scale(name: str, default: float, doc: str) -> Parameter:
    """A factor above 0."""
    return Parameter(name, default, 1e-12, 1e12, False, doc)


class Definition:
    """Base of every signal's class.

    Attributes
    ----------
    name, doc : str
    parameters : tuple of Parameter
    columns : tuple of str
        Columns of a grid's rows that are read.
    least_radius : int
        Rows on either side of the centre that are read at least.
    mode : {"signal", "probability", "confidence"}
        How values become entries, see ``docs/signals.md``.
    thresholds : tuple of float
        Those that are tried unless others are asked for; empty where the rule finds them.
    threshold_rule : {"fixed", "percentiles", "spread"}
        How thresholds follow from values, see ``thresholds``.
    version : int
        Part of the identity of every result.
    """

    name: ClassVar[str]
    doc: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]]
    columns: ClassVar[tuple[str, ...]]
    least_radius: ClassVar[int]
    mode: ClassVar[Mode] = "signal"
    thresholds: ClassVar[tuple[float, ...]] = ()
    threshold_rule: ClassVar[ThresholdRule] = "fixed"
    version: ClassVar[int] = 1

    @classmethod
    def warm_bins(cls, params: Mapping[str, float], cell_width_ms: int) -> int:
        """Bins before all parts of the signal count; thresholds are not taken from them."""
        return 0

    @classmethod
    def bound(cls, params: Mapping[str, float]) -> dict[str, float]:
        """All parameters in the declared order, defaults for those that are not given.

        Raises
        ------
        ContractError
            ``SIGNAL_PARAMETER_…`` with every problem at once, each with its name as place.
        """
        found = problems(cls, params)
        if found:
            first, *others = found
            raise ContractError(first.code, first.message, first.loc, first.hints, tuple(others))
        return {one.name: float(params.get(one.name, one.default)) for one in cls.parameters}


def problems(signal: type[Definition], params: Mapping[str, float]) -> list[Problem]:
    """What is wrong with parameters of a signal."""
    known = {one.name: one for one in signal.parameters}
    found: list[Problem] = []
    for name, value in params.items():
        if name not in known:
            said = f"the signal {signal.name} takes no parameter {name!r}"
            hint = f"it takes {', '.join(known) or 'none'}"
            found.append(Problem("SIGNAL_PARAMETER_UNKNOWN", said, name, (hint,)))
            continue
        one = known[name]
        whole = not one.is_integer or float(value).is_integer()
        if not (one.low <= value <= one.high and whole):
            kind = "a whole number" if one.is_integer else "a number"
            said = f"the parameter {name} of {signal.name} cannot be {value:g}"
            hint = f"give {kind} from {one.low:g} to {one.high:g}; the default is {one.default:g}"
            found.append(Problem("SIGNAL_PARAMETER_INVALID", said, name, (hint,)))
    return found
