"""Windows of time: how many hold nothing but background, and in how many every profile shows.

A background window is a minute and a symbol without a print of a burst or an injection. A window
of coverage is so many minutes in a row of one session, one beginning at every minute; what is
told after a close counts for the last minute. Rates of them are ``pooling``.
"""

from __future__ import annotations

import numpy as np

from contracts.errors import ContractError
from contracts.smart_flow import HYPOTHESES
from engine.arrays import Ints
from engine.evaluation.matching import Alerts, Clusters
from engine.evaluation.tables import Bools
from engine.evaluation.truth import Bursts, Minutes


def background(
    minutes: Minutes, symbols: int, bursts: Bursts, clusters: Clusters, alerts: Alerts
) -> Ints:
    """Windows of background, and the false alerts of high confidence in them.

    Parameters
    ----------
    minutes : Minutes
    symbols : int
        How many the tape has.
    bursts : Bursts
    clusters : Clusters
    alerts : Alerts

    Returns
    -------
    ndarray, shape (2,), int64
        An alert is counted if its cluster is nobody's and begins in such a window.

    Raises
    ------
    ContractError
        ``EVALUATION_ARGUMENT_INVALID`` if the tables name more symbols than there are.
    """
    names = np.concatenate([bursts.symbol.astype(str), alerts.symbol.astype(str)])
    known, places = np.unique(names, return_inverse=True)
    if known.size > symbols:
        said = f"{symbols} symbols are stated, and the tables name {known.size}"
        hint = ("count the symbols of the tape's universe",)
        raise ContractError("EVALUATION_ARGUMENT_INVALID", said, "symbols", hint)
    codes = places.astype(np.int64)
    of_burst, of_alert = codes[: bursts.ids.size], codes[bursts.ids.size :]
    span = minutes.starts_ns.size
    busy = np.unique(of_burst[clusters.touched] * span + minutes.of(clusters.touched_ns))
    false = alerts.is_high & (alerts.owner < 0)
    window = of_alert[false] * span + minutes.of(alerts.start_ns[false])
    quiet = int(np.count_nonzero(~np.isin(window, busy)))
    return np.array([symbols * span - busy.size, quiet], dtype=np.int64)


def coverage(
    minutes: Minutes, window_minutes: int, bursts: Bursts, alerts: Alerts
) -> tuple[Ints, Ints]:
    """In how many windows each profile is found, and in how many it is there.

    Parameters
    ----------
    minutes : Minutes
    window_minutes : int
        Length of a window.
    bursts : Bursts
        There from the first print on.
    alerts : Alerts
        The right ones find a profile, at ``emitted_ns``.

    Returns
    -------
    ndarray, shape (3,), int64
        Windows; those with every profile found; those with every profile there.
    ndarray, shape (2, 6), int64
        Windows by profile: found, there.
    """
    shown = bursts.is_actor & (bursts.wanted < len(HYPOTHESES))
    found = _marks(minutes, alerts.emitted_ns[alerts.is_right], alerts.said[alerts.is_right])
    there = _marks(minutes, bursts.start_ns[shown], bursts.wanted[shown])
    totals = np.zeros(3, dtype=np.int64)
    profiles = np.zeros((2, len(HYPOTHESES)), dtype=np.int64)
    for first, last in minutes.sessions():
        count = last - first - window_minutes + 1
        if count <= 0:
            continue
        totals[0] += count
        for which, marks in enumerate((found, there)):
            has = _rolling(marks[:, first:last], window_minutes)
            totals[1 + which] += np.count_nonzero(has.all(axis=0))
            profiles[which] += np.count_nonzero(has, axis=1)
    return totals, profiles


def _marks(minutes: Minutes, ts_ns: Ints, profile: Ints) -> Bools:
    marks = np.zeros((len(HYPOTHESES), minutes.starts_ns.size), dtype=np.bool_)
    marks[profile, minutes.of(ts_ns)] = True
    return marks


def _rolling(marks: Bools, window: int) -> Bools:
    """Whether a profile has a mark in each window."""
    sums = np.zeros((marks.shape[0], marks.shape[1] + 1), dtype=np.int64)
    sums[:, 1:] = np.cumsum(marks, axis=1)
    return sums[:, window:] > sums[:, :-window]
