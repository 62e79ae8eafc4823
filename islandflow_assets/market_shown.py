"""What a person sees of a synthetic tape in the UI: numbers, tables and pictures of each part.

Pictures are ``market_plots``, tables of figures ``market_verdicts``; the assets are
``market_tapes``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import dagster as dg

from contracts.canonical import Document
from contracts.control import FAMILIES
from contracts.tape_columns import BURST_LABELS, SESSION_STATES
from contracts.tape_manifest import LABELS, MANIFEST, labels_key, tape_key
from islandflow_assets.market_plots import (
    coverage_chart,
    session_chart,
    smile_chart,
    term_chart,
    volume_chart,
)
from islandflow_assets.market_verdicts import files_table, scorecard_table, streams_table
from islandflow_resources.market_tapes import MadeMarketTape, MarketTapeFiles
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.sound_tapes import SoundTape


def tape_metadata(
    store: ObjectStore, title: str, made: MadeMarketTape, tape: MarketTapeFiles, report: Document
) -> dict[str, Any]:
    """The streams, how they were judged, volume and volatility."""
    manifest, spec, series = tape.manifest, tape.ref.tape.spec, _series(report)
    plan, seconds = manifest.replay_plan, made.seconds
    return {
        "streams": streams_table(store, tape),
        "scorecard": scorecard_table(report),
        "volume": volume_chart(f"{title} · volume", series),
        "smile": smile_chart(f"{title} · smile", series),
        "term_structure": term_chart(f"{title} · term structure", series),
        "tape_id": manifest.tape_id,
        "symbols": len(spec.universe),
        "sessions": len(spec.sessions),
        "start_ns": str(spec.start_ns),
        "end_ns": str(spec.end_ns),
        "presets": ", ".join(dict.fromkeys(one.control.preset_id for one in spec.control.versions)),
        "dagster/row_count": plan.event_count,
        "manifest": dg.MetadataValue.url(store.uri(tape.ref.manifest_key)),
        "content_digest": tape.content_digest,
        "recipe_digest": tape.ref.recipe,
        "used_cache": made.used_cache,
        "seconds": round(seconds, 4),
        "events_per_second": round(plan.event_count / max(seconds, 1e-9)),
    }


def session_metadata(store: ObjectStore, title: str, found: SoundTape) -> dict[str, Any]:
    """The session: prices over its regimes, how long each held, who was in focus."""
    tape, series = _tape(found), _series(found.report)
    minutes, regimes = int(series["minutes"]), Counter(filter(None, series["regimes"]))
    states = tape.manifest.expected_output_contract.tables.session_states
    name = labels_key(tape.manifest.tape_id, f"{SESSION_STATES.name}.parquet")
    return {
        "session": session_chart(f"{title} · session", series),
        "regime_minutes": dg.MetadataValue.json(
            {regime: count * minutes for regime, count in sorted(regimes.items())}
        ),
        "phases": ", ".join(dict.fromkeys(filter(None, series["phases"]))),
        "levels": dg.MetadataValue.json(
            {level: _mean(values) for level, values in series["levels"].items()}
        ),
        "in_focus": dg.MetadataValue.json(_focused(series)),
        "dagster/row_count": states.rows,
        "uri": dg.MetadataValue.url(store.uri(name)),
        **_found(found, tape.states_digest),
    }


def labels_metadata(store: ObjectStore, title: str, found: SoundTape) -> dict[str, Any]:
    """The truth: which profiles were there, and when."""
    tape, series = _tape(found), _series(found.report)
    contract = tape.manifest.expected_output_contract
    bursts: dict[str, list[int]] = series["coverage"]["bursts"]
    name = labels_key(tape.manifest.tape_id, f"{BURST_LABELS.name}.parquet")
    return {
        "coverage": coverage_chart(f"{title} · coverage", series),
        "bursts": dg.MetadataValue.json({family: sum(bursts[family]) for family in FAMILIES}),
        "decoys_and_bursts": contract.tables.burst_labels.rows,
        "dagster/row_count": contract.tables.print_labels.rows,
        "labels": contract.label_count,
        "expected_outputs": contract.expected_output_count,
        "labels_hash": contract.labels_hash,
        "burst_labels": dg.MetadataValue.url(store.uri(name)),
        "uri": dg.MetadataValue.url(store.uri(labels_key(tape.manifest.tape_id, LABELS))),
        **_found(found, tape.labels_digest),
    }


def manifest_metadata(store: ObjectStore, title: str, found: SoundTape) -> dict[str, Any]:
    """Every file with its digest, and what the tape was made from."""
    tape = _tape(found)
    manifest = tape.manifest
    key = tape_key(manifest.tape_id, MANIFEST)
    return {
        "files": files_table(tape),
        "run": f"{manifest.run.run_id} ({manifest.run.run_name})",
        "generator": f"{manifest.generator.name} {manifest.generator.version}",
        "profile": dg.MetadataValue.json(manifest.profile_identity.document()),
        "seed_bundle": dg.MetadataValue.json(manifest.seed_bundle.document()),
        "parameter_snapshot_hash": manifest.parameter_snapshot_hash,
        "uri": dg.MetadataValue.url(store.uri(key)),
        **_found(found, manifest.manifest_hash),
    }


def plan_metadata(store: ObjectStore, title: str, found: SoundTape) -> dict[str, Any]:
    """The order of events, and that they were replayed in it."""
    tape = _tape(found)
    plan = tape.manifest.replay_plan
    replayed = found.replayed or {}
    return {
        "order_by": ", ".join(plan.order_by),
        "counts": dg.MetadataValue.json(plan.counts.document()),
        "first_ts_ns": str(plan.first_ts_ns),
        "last_ts_ns": str(plan.last_ts_ns),
        "dagster/row_count": plan.event_count,
        "replayed": int(str(replayed.get("events", 0))),
        "uri": dg.MetadataValue.url(store.uri(tape_key(tape.manifest.tape_id, MANIFEST))),
        **_found(found, tape.content_digest),
    }


def _found(found: SoundTape, digest: str) -> dict[str, Any]:
    return {
        "content_digest": digest,
        "recipe_digest": found.ref.recipe,
        "used_cache": True,
        "seconds": round(found.seconds, 4),
    }


def _tape(found: SoundTape) -> MarketTapeFiles:
    assert found.tape is not None
    return found.tape


def _series(report: Document | None) -> dict[str, Any]:
    assert report is not None
    return cast("dict[str, Any]", report["series"])


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None


def _focused(series: dict[str, Any]) -> dict[str, int]:
    """Minutes that each symbol was in focus, the most first."""
    counts = Counter(name for names in series["focus"] for name in names.split())
    return {name: count * int(series["minutes"]) for name, count in counts.most_common()}
