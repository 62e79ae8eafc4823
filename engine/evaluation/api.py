"""One tape judged: its tables in, its counts out.

Who owns a cluster and which alert is right is ``matching``; how the counts of several tapes are
pooled ``pooling``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from contracts.control import PRESETS, WINDOWS_MINUTES
from contracts.errors import ContractError
from contracts.seeds import checked_seed
from contracts.smart_flow import HYPOTHESES, UNCLEAR
from engine.arrays import Floats, Ints
from engine.evaluation import windows
from engine.evaluation.curves import confidence_counts, reliability_counts, z_counts
from engine.evaluation.matching import Alerts, Clusters, alerts_of, clusters_of
from engine.evaluation.scores import COUNTS, DELAYS, SAID, TapeScore
from engine.evaluation.tables import TapeTables
from engine.evaluation.truth import Bursts, Minutes, bursts_of, minutes_of

VERSION: Final = "1"


def score_tape(
    tables: TapeTables,
    *,
    seed: int,
    preset: str,
    symbols: int,
    coverage_window_minutes: int,
) -> TapeScore:
    """Judge what was said of one tape by what is hidden in it.

    Parameters
    ----------
    tables : TapeTables
    seed : int
        Of the tape: tapes of one seed are resampled together.
    preset : str
        One of ``contracts.control.PRESETS``.
    symbols : int
        How many symbols the tape has, quiet ones included.
    coverage_window_minutes : int
        10, 20 or 30.

    Raises
    ------
    ContractError
        ``EVALUATION_ARGUMENT_INVALID``, ``SEED_OUT_OF_RANGE``, and the errors of `TapeTables`,
        ``truth`` and ``matching`` for tables that do not belong together.
    """
    _check(preset, symbols, coverage_window_minutes)
    minutes = minutes_of(tables.session_states)
    bursts = bursts_of(tables.burst_labels, minutes.end_ns)
    clusters = clusters_of(tables, bursts)
    alerts = alerts_of(tables, clusters, bursts)
    z = _log_odds(tables)
    in_all, by_profile = windows.coverage(minutes, coverage_window_minutes, bursts, alerts)
    z_clusters, z_bursts = z_counts(z, clusters, bursts)
    told, found = confidence_counts(alerts, bursts)
    reliability, true, stated, errors = reliability_counts(z, clusters, bursts)
    return TapeScore(
        seed=checked_seed(seed),
        preset=preset,
        symbols=symbols,
        coverage_window_minutes=coverage_window_minutes,
        counts={
            **_alert_counts(minutes, bursts, alerts),
            **_burst_counts(bursts, clusters, alerts),
            "confusion": _confusion(minutes, bursts, clusters, alerts),
            "background": windows.background(minutes, symbols, bursts, clusters, alerts),
            "coverage": in_all,
            "coverage_profiles": by_profile,
            "z_clusters": z_clusters,
            "z_bursts": z_bursts,
            "confidence_alerts": told,
            "confidence_bursts": found,
            "reliability": reliability,
            "reliability_true": true,
        },
        sums={"probability": stated, "squared_error": errors},
        delays_ns=_delays(bursts, alerts),
    )


def _check(preset: str, symbols: int, window_minutes: int) -> None:
    judged = (
        ("preset", preset in PRESETS, f"{preset[:64]!r} is none of {', '.join(PRESETS)}"),
        ("symbols", symbols >= 1, f"{symbols} symbols make no tape"),
        (
            "coverage_window_minutes",
            window_minutes in WINDOWS_MINUTES,
            f"{window_minutes} minutes is no window of coverage",
        ),
    )
    for name, ok, said in judged:
        if not ok:
            hint = ("take it from the tape's spec",)
            raise ContractError("EVALUATION_ARGUMENT_INVALID", said, name, hint)


def _log_odds(tables: TapeTables) -> Floats:
    """Log-odds by cluster, ascending, and hypothesis, shape (clusters, 6)."""
    said = tables.smart_flow_hypotheses
    names = [f"z_{name}" for name in HYPOTHESES]
    missing = [name for name in names if name not in said]
    if missing:
        raise ContractError(
            "EVALUATION_COLUMN_MISSING",
            f"smart_flow_hypotheses has no column {missing[0]}, which a detection is judged by",
            f"smart_flow_hypotheses.{missing[0]}",
            ("give the log-odds of every hypothesis",),
        )
    order = np.argsort(said["cluster_seq"], kind="stable")
    return np.stack([said[name][order].astype(np.float64) for name in names], axis=1)


def _counted(name: str, *places: Ints) -> Ints:
    """How often each place of one of `COUNTS` is named."""
    counts = np.zeros(COUNTS[name], dtype=np.int64)
    np.add.at(counts, places, 1)
    return counts


def _alert_counts(minutes: Minutes, bursts: Bursts, alerts: Alerts) -> dict[str, Ints]:
    regime = minutes.regime[minutes.of(alerts.start_ns)]
    right, repeated = alerts.is_right, alerts.is_repeated
    straight = right.copy()
    straight[right] = alerts.direction[right] == bursts.direction[alerts.owner[right]]
    return {
        "alerts": _counted("alerts", alerts.said, regime),
        "right": _counted("right", alerts.said[right], regime[right]),
        "repeated": _counted("repeated", alerts.said[repeated], regime[repeated]),
        "right_direction": _counted("right_direction", alerts.said[straight]),
    }


def _burst_counts(bursts: Bursts, clusters: Clusters, alerts: Alerts) -> dict[str, Ints]:
    found, alerted, followed = (np.zeros(bursts.ids.size, dtype=np.bool_) for _ in range(3))
    found[alerts.owner[alerts.is_right]] = True
    alerted[alerts.owner[alerts.owner >= 0]] = True
    decoy = clusters.decoy[alerts.cluster]
    followed[decoy[decoy >= 0]] = True
    acts = bursts.is_actor
    return {
        "bursts": _counted("bursts", bursts.subtype[acts], bursts.regime[acts]),
        "found": _counted("found", bursts.subtype[found], bursts.regime[found]),
        "alerted": _counted("alerted", bursts.subtype[alerted], bursts.regime[alerted]),
        "decoys": _counted("decoys", bursts.subtype[bursts.is_decoy]),
        "decoys_alerted": _counted("decoys_alerted", bursts.subtype[followed]),
    }


def _confusion(minutes: Minutes, bursts: Bursts, clusters: Clusters, alerts: Alerts) -> Ints:
    """Clusters of bursts, and everybody's that were alerted, by what they are and what was said."""
    said = np.full(clusters.seq.size, UNCLEAR, dtype=np.int64)
    said[alerts.cluster] = alerts.said
    nobody = COUNTS["confusion"][0] - 1
    what = np.full(clusters.seq.size, nobody, dtype=np.int64)
    owned = clusters.owner >= 0
    what[owned] = bursts.subtype[clusters.owner[owned]]
    regime = minutes.regime[minutes.of(clusters.start_ns)]
    shown = owned | (said != UNCLEAR)
    return _counted("confusion", what[shown], regime[shown], said[shown])


def _delays(bursts: Bursts, alerts: Alerts) -> dict[str, tuple[tuple[int, ...], ...]]:
    right = np.flatnonzero(alerts.is_right)
    owner, said = alerts.owner[right], alerts.said[right]
    waits = (
        alerts.emitted_ns[right] - bursts.start_ns[owner],
        alerts.emitted_ns[right] - bursts.end_ns[owner],
    )
    return {
        name: tuple(tuple(np.sort(wait[said == code]).tolist()) for code in range(SAID))
        for name, wait in zip(DELAYS, waits, strict=True)
    }
