"""What every bar must obey, checked over whole columns, and how a refusal reads.

Rules see plain arrays; reading them from files, and the conversion of types, lives
in ``bar_files``. One offence is told per rule, the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.errors import ContractError, Problem
from contracts.scenario import TIMEFRAME_NS, Timeframe

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

FIELDS: Final = ("open", "high", "low", "close", "volume")

_PRICES = FIELDS[:4]
_DAY_NS = 86_400_000_000_000


class Offence(NamedTuple):
    """One broken rule.

    Attributes
    ----------
    code, what, hint : str
        As in ``contracts.errors.Problem``; `what` follows "cannot take bars from PATH:".
    row : int
        Data row from 0, or −1 for a whole column or the file.
    column : str
        The column, where there is no row.
    """

    code: str
    what: str
    hint: str
    row: int = -1
    column: str = ""


def broken_rules(
    ts_ns: Ints,
    fields: Mapping[str, Floats],
    timeframe: Timeframe,
    sessions: bool,
    nulls: Mapping[str, Mask] | None = None,
) -> list[Offence]:
    """First offence against every rule of bars.

    Parameters
    ----------
    ts_ns : ndarray, shape (bars,), int64
        Any value where `nulls` has one.
    fields : mapping of str to ndarray, shape (bars,), float64
        `FIELDS`; NaN where `nulls` has one.
    timeframe : str
        The distance of the bars.
    sessions : bool
        Whether a longer step is right where it crosses a UTC midnight.
    nulls : mapping of str to ndarray of bool, optional
        Where a column holds nothing; a null ``ts_ns`` leaves the steps unjudged.

    Returns
    -------
    list of Offence
        Sorted by row; empty if the bars may be traded.
    """
    nulls = nulls or {}
    offences = _not_finite(fields, nulls) + _broken_values(fields)
    if "ts_ns" not in nulls:
        offences += _broken_steps(ts_ns, timeframe, sessions)
    return sorted(offences, key=lambda offence: offence.row)


def refuse(path: Path, offences: Sequence[Offence]) -> None:
    """Raise `refusal` if there is an offence."""
    if offences:
        raise refusal(path, offences)


def refusal(path: Path, offences: Sequence[Offence]) -> ContractError:
    """Error that tells the first offence per code, by row and, in a text file, by line."""
    told: dict[str, Offence] = {}
    for offence in sorted(offences, key=lambda each: each.row):
        told.setdefault(offence.code, offence)
    first, *others = [_problem(path, offence) for offence in told.values()]
    return ContractError(first.code, first.message, first.loc, first.hints, tuple(others))


def short(text: str, length: int = 60) -> str:
    """`text` cut to what an error can show."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _not_finite(fields: Mapping[str, Floats], nulls: Mapping[str, Mask]) -> list[Offence]:
    hint = "leave out bars without a trade only where --sessions allows a gap, else fill them"
    found = [Offence("DATA_NOT_FINITE", f"{name} is null", hint, _first(mask))
             for name, mask in nulls.items()]  # fmt: skip
    for name in FIELDS:
        row = _first(~np.isfinite(fields[name]))
        if row >= 0 and not (name in nulls and nulls[name][row]):
            found.append(
                Offence("DATA_NOT_FINITE", f"{name} is {float(fields[name][row])}", hint, row)
            )
    return sorted(found, key=lambda offence: offence.row)[:1]


def _broken_values(fields: Mapping[str, Floats]) -> list[Offence]:
    opened, high, low, close, volume = (fields[name] for name in FIELDS)
    # A bar with NaN or infinity is told as that; nothing more is said of it.
    finite = np.logical_and.reduce([np.isfinite(fields[name]) for name in FIELDS])
    not_positive = np.minimum(np.minimum(opened, high), np.minimum(low, close)) <= 0
    apart = (high < np.maximum(np.maximum(opened, close), low)) | (low > np.minimum(opened, close))
    rules = (
        ("DATA_PRICE", not_positive, _PRICES, "is not above 0", "prices are positive"),
        ("DATA_HIGH_LOW", apart, _PRICES, "does not lie between low and high",
         "high is the highest and low the lowest price of the bar: are columns swapped?"),
        ("DATA_VOLUME", volume < 0, ("volume",), "is negative", "volume is what was traded, or 0"),
    )  # fmt: skip
    offences: list[Offence] = []
    for code, mask, names, wrong, hint in rules:
        row = _first(mask & finite)
        if row >= 0:
            values = ", ".join(f"{name} {float(fields[name][row])}" for name in names)
            offences.append(Offence(code, f"a value {wrong}: {values}", hint, row))
    return offences


def _broken_steps(ts_ns: Ints, timeframe: Timeframe, sessions: bool) -> list[Offence]:
    before, after = ts_ns[:-1], ts_ns[1:]
    back, same = after < before, after == before
    offences = [
        _step(ts_ns, "DATA_DISORDER", _first(back) + 1, "which is later", "sort the bars by time"),
        _step(ts_ns, "DATA_DUPLICATE", _first(same) + 1, "the same", "keep one bar per instant"),
    ]
    # Out of order, what is a gap cannot be known.
    if not back.any():
        offences += _odd_steps(ts_ns, timeframe, sessions)
    return [offence for offence in offences if offence.row > 0]


def _odd_steps(ts_ns: Ints, timeframe: Timeframe, sessions: bool) -> list[Offence]:
    # Unsigned, the difference of ascending instants is exact however far they are apart.
    step_ns = ts_ns[1:].view(np.uint64) - ts_ns[:-1].view(np.uint64)
    wanted = np.uint64(TIMEFRAME_NS[timeframe])
    longer, shorter = step_ns > wanted, (step_ns > 0) & (step_ns < wanted)
    if sessions:
        day = ts_ns // _DAY_NS
        longer &= day[1:] == day[:-1]
    gap = _step(ts_ns, "DATA_GAP", _first(longer) + 1, f"more than {timeframe} before", "")
    close = _step(ts_ns, "DATA_STEP", _first(shorter) + 1, f"less than {timeframe} before", "")
    if gap.row + close.row == 0:
        return []
    usual = _usual(step_ns)
    if usual not in (None, timeframe):
        hint = f"most bars are {usual} apart: is that the timeframe?"
        return [gap._replace(hint=hint), close._replace(hint=hint)]
    cut = "fill the gap or cut the file there"
    hint = cut if sessions else f"{cut}; if the market closes overnight, say --sessions"
    return [gap._replace(hint=hint), close._replace(hint=f"keep one bar every {timeframe}")]


def _usual(step_ns: npt.NDArray[np.uint64]) -> str | None:
    """Timeframe of the median step, if it is one."""
    median_ns = int(np.median(step_ns[step_ns > 0]))
    return next((name for name, ns in TIMEFRAME_NS.items() if ns == median_ns), None)


def _step(ts_ns: Ints, code: str, row: int, wrong: str, hint: str) -> Offence:
    what = f"the bar at {_iso(ts_ns[row])} follows the bar at {_iso(ts_ns[row - 1])}, {wrong}"
    return Offence(code, what, hint, row)


def _iso(ts_ns: np.int64) -> str:
    return str(np.datetime64(int(ts_ns), "ns")).rstrip("0").rstrip(".") + "Z"


def _first(mask: Mask) -> int:
    """Index of the first true, or −1."""
    row = int(mask.argmax())
    return row if mask[row] else -1


def _problem(path: Path, offence: Offence) -> Problem:
    message = f"cannot take bars from {path}: {offence.what}"
    return Problem(offence.code, message, _place(path, offence), (offence.hint,))


def _place(path: Path, offence: Offence) -> str:
    if offence.row < 0:
        return offence.column
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    place = f"row {offence.row}"
    return place if is_parquet else f"{place}, line {_line(path, offence.row)}"


def _line(path: Path, row: int) -> int:
    """Number of the line of a data row, from 1; the reader passes over empty lines."""
    with path.open(encoding="latin-1") as lines:
        filled = (number for number, line in enumerate(lines, 1) if line != "\n")
        return next(islice(filled, row + 1, None), row + 2)
