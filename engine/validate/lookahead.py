"""Whether a candidate decides the same on the beginning of a series as on the whole of it.

Equal bytes are the proof that it looks at no later bar, and that live is offline. The backtest
itself is ``engine.backtest``; how good the candidate is, is said by the neighbours here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Floats, Ints
from engine.backtest import Curves, Dataset, Evaluation, run

_CURVES: Final = ("equity", "cash", "qty")
_FILL: Final = ("bar", "side", "qty", "price", "fee", "slippage", "pnl", "reason")
_BAR: Final = 0


@dataclass(frozen=True, slots=True)
class LookaheadProbe:
    """How far beginnings agree with the whole.

    Attributes
    ----------
    probes : int
        Beginnings that were run: those asked for without the ones that are too short.
    identical : bool
        Whether all of them, at least one, gave the bytes of the whole.
    first_difference : str or None
        What differs first, and where, or that nothing could be probed.
    """

    probes: int
    identical: bool
    first_difference: str | None


def probe_lookahead(dataset: Dataset, evaluation: Evaluation, probes: int) -> LookaheadProbe:
    """Run a candidate on a dataset and on its beginnings, and compare.

    Parameters
    ----------
    dataset : Dataset
        Cut to the evaluation's ``max_bars`` first.
    evaluation : Evaluation
        Its number of the dataset and whether it keeps curves do not matter.
    probes : int
        Beginnings asked for, evenly spread; those of fewer bars than two or than the
        program's longest window are left out.

    Raises
    ------
    ContractError
        ``PROBES_INVALID`` for less than one probe, and what ``engine.backtest.run`` raises.
    """
    if probes < 1:
        hint = ("ask for at least one",)
        raise ContractError("PROBES_INVALID", f"{probes} probes prove nothing", hints=hint)
    whole = dataset.first(evaluation.settings.max_bars)
    alone = replace(evaluation, settings=evaluation.settings.whole, dataset=0, keep_curves=True)
    shortest = max(2, evaluation.program.longest_window)
    cuts = [(i + 1) * whole.bars // (probes + 1) for i in range(probes)]
    cuts = [bars for bars in cuts if bars >= shortest]
    if not cuts:
        lacking = f"no beginning of {whole.bars} bars has the {shortest} that a probe needs"
        return LookaheadProbe(0, identical=False, first_difference=lacking)
    expected = _curves(whole, alone)
    for bars in cuts:
        difference = first_difference(expected, _curves(whole.first(bars), alone))
        if difference is not None:
            return LookaheadProbe(len(cuts), identical=False, first_difference=difference)
    return LookaheadProbe(len(cuts), identical=True, first_difference=None)


def probe_series(
    length: int, shortest: int, probes: int, values: Callable[[int], Floats]
) -> LookaheadProbe:
    """Compute a series on its beginnings alone, and compare with the whole.

    Parameters
    ----------
    length : int
        Values of the whole.
    shortest : int
        Beginnings with fewer values are left out.
    probes : int
        Beginnings asked for, evenly spread.
    values : callable
        Values that follow from the first so many bins, one for each; NaN equals NaN.

    Examples
    --------
    >>> import numpy as np
    >>> probe_series(8, 2, 3, lambda bins: np.full(bins, float(bins))).first_difference
    'value 0 is 2.0 on the first 2 alone and 8.0 on all'
    """
    cuts = [(i + 1) * length // (probes + 1) for i in range(probes)]
    cuts = [cut for cut in cuts if cut >= max(shortest, 1)]
    if not cuts:
        lacking = f"no beginning of {length} values has the {shortest} that a probe needs"
        return LookaheadProbe(0, identical=False, first_difference=lacking)
    whole = values(length)
    for cut in cuts:
        own = values(cut)
        places = np.flatnonzero(_bits(whole[:cut]) != _bits(own))
        if places.size:
            at = int(places[0])
            said = f"value {at} is {own[at]} on the first {cut} alone and {whole[at]} on all"
            return LookaheadProbe(len(cuts), identical=False, first_difference=said)
    return LookaheadProbe(len(cuts), identical=True, first_difference=None)


def first_difference(whole: Curves, beginning: Curves) -> str | None:
    """What of a beginning's curves and fills is not, to the bit, that of the whole; None if all is.

    The earliest bar counts, whatever differs on it.
    """
    bars = beginning.equity.shape[0]
    found: list[tuple[int, str]] = []
    for name in _CURVES:
        all_bars: Floats = getattr(whole, name)
        own: Floats = getattr(beginning, name)
        places = np.flatnonzero(_bits(all_bars[:bars]) != _bits(own))
        if places.size:
            bar = int(places[0])
            found.append((bar, _said(f"{name} of bar {bar}", bars, own[bar], all_bars[bar])))
    fill = _fill_difference(whole.trades[whole.trades[:, _BAR] < bars], beginning.trades, bars)
    if fill is not None:
        found.append(fill)
    return min(found, key=lambda one: one[0])[1] if found else None


def _curves(dataset: Dataset, evaluation: Evaluation) -> Curves:
    [outcome] = run([dataset], [evaluation])
    curves = outcome.curves
    assert curves is not None
    return curves


def _fill_difference(whole: Floats, own: Floats, bars: int) -> tuple[int, str] | None:
    """Bar and description of the first fill that only one side has, or that differs."""
    both = min(whole.shape[0], own.shape[0])
    differs = _bits(whole[:both]) != _bits(own[:both])
    rows = np.flatnonzero(differs.any(axis=1))
    if rows.size:
        row = int(rows[0])
        column = int(np.flatnonzero(differs[row])[0])
        bar = int(min(whole[row, _BAR], own[row, _BAR]))
        name = f"{_FILL[column]} of fill {row}"
        return bar, _said(name, bars, own[row, column], whole[row, column])
    if whole.shape[0] == own.shape[0]:
        return None
    more = whole if whole.shape[0] > own.shape[0] else own
    return int(more[both, _BAR]), _said("the number of fills", bars, own.shape[0], whole.shape[0])


def _bits(values: Floats) -> Ints:
    return np.ascontiguousarray(values).view(np.int64)


def _said(name: str, bars: int, own: float, whole: float) -> str:
    return f"{name} is {own} on the first {bars} bars alone and {whole} on all"
