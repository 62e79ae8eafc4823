"""What a person sees of a judged detection: figures, levels and curves.

Pictures are ``flow_curves``; the assets are ``detection_reports``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from engine.evaluation import Curves, Figure, GroupScore, Pooled, levels
from islandflow_assets.flow_curves import (
    abstention_chart,
    confusion_map,
    coverage_windows_chart,
    delay_chart,
    levels_chart,
    precision_recall_chart,
    reliability_chart,
)
from islandflow_resources.flow_reports import TapeReport


def report_figures(
    title: str, report: TapeReport, alone: Pooled, together: Pooled, of: Mapping[str, Curves]
) -> dict[str, Any]:
    """Figures of one tape, and curves and levels of all tapes of the run.

    Parameters
    ----------
    alone, together : Pooled
        The tape's own score, and that of the run's seeds of its market.
    of : mapping of str to Curves
    """
    assert report.detection is not None
    policy, whole = report.detection.policy, together.everything
    return {
        "profiles": _profiles(alone.everything),
        "levels": _levels(together),
        "precision_and_recall": levels_chart(f"{title} · profiles", whole),
        "precision_recall": precision_recall_chart(f"{title} · precision and recall", dict(of)),
        "reliability": reliability_chart(f"{title} · reliability", dict(of)),
        "abstention": abstention_chart(f"{title} · abstention", dict(of)),
        "confusion": confusion_map(f"{title} · confusion", whole),
        "delay": delay_chart(f"{title} · delay", whole),
        "seeds": whole.seeds,
        "expected_outputs": report.expected,
        "policy": f"{policy.id} {policy.version}",
        "policy_digest": policy.policy_digest,
        "tuned_on": ", ".join(str(seed) for seed in policy.tuning.seeds[:24]),
        "noise_abstained": _said(alone.everything.noise_abstained),
        "decoys_alerted": _said(alone.everything.decoys_alerted),
        "confident_false_alerts_in_2000_windows": _said(alone.everything.false_high),
        "score_digest": report.digest,
    }


def coverage_figures(title: str, whole: GroupScore) -> dict[str, Any]:
    """Windows in which profiles are found, and in which they are."""
    return {
        "windows": coverage_windows_chart(f"{title} · coverage", whole),
        "covered": _said(whole.covered),
        "there": _said(whole.there),
        "by_profile": _table(
            [
                dg.TableRecord(
                    {"profile": name, "covered": _said(one.covered), "there": _said(one.there)}
                )
                for name, one in whole.profiles.items()
            ],
            ("profile", "covered", "there"),
        ),
    }


def _profiles(group: GroupScore) -> dg.TableMetadataValue:
    names = ("profile", "precision", "recall", "direction", "repeated", "delay_s")
    records = [
        dg.TableRecord(
            {
                "profile": name,
                "precision": _said(one.precision),
                "recall": _said(one.recall),
                "direction": _said(one.direction),
                "repeated": one.repeated.hits,
                "delay_s": _seconds(one.from_last_print.median_ns),
            }
        )
        for name, one in group.profiles.items()
    ]
    return _table(records, names)


def _levels(scores: Pooled) -> dg.TableMetadataValue:
    """A row per level: its figure with the interval over seeds, and its bound."""
    records = [
        dg.TableRecord(
            {
                "level": one.name,
                "preset": one.preset,
                "profile": one.hypothesis,
                "figure": _said(one.figure),
                "interval": _interval(one.figure),
                "bound": f"{one.rule.replace('_', ' ')} {one.bound:g}",
                "verdict": "ok" if one.ok else "missed",
            }
        )
        for one in levels(scores)
    ]
    return _table(records, ("level", "preset", "profile", "figure", "interval", "bound", "verdict"))


def _said(figure: Figure) -> str:
    value = "not defined" if figure.value is None else f"{figure.value:.4g}"
    return f"{value} ({figure.hits} of {figure.of})"


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return "one seed"
    return f"{figure.low:.3f} … {figure.high:.3f}"


def _seconds(nanoseconds: float | None) -> str:
    return "not defined" if nanoseconds is None else f"{nanoseconds * 1e-9:.1f}"


def _table(records: list[dg.TableRecord], names: tuple[str, ...]) -> dg.TableMetadataValue:
    columns = [dg.TableColumn(name) for name in names]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))
