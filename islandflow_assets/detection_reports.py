"""``detection_report`` and ``coverage_report``: what detections come to against the truth.

Here, and nowhere before, labels are read. A policy is never judged by a seed that it was tuned
on; levels are those of ``engine.evaluation``, and a batch misses one only where chance would
hardly give its figure.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg

from contracts.errors import Problem
from contracts.flow_columns import ALERTS, HYPOTHESIS_ROWS
from contracts.flow_policy import usual_policy
from engine.evaluation import VERSION, Pooled, TapeScore, broken_levels, curves, pooled
from engine.evaluation.levels import MIN_COVERED
from islandflow_assets import keys, lineage
from islandflow_assets.flow_figures import coverage_figures, report_figures
from islandflow_assets.market_steps import Bench, Events, registered
from islandflow_assets.market_tapes import tape_labels
from islandflow_assets.market_verdicts import check_specs
from islandflow_assets.outcomes import Outcome, published_of, verdict_of
from islandflow_assets.partitions import MARKETS, MarketCell, requested_markets
from islandflow_assets.smart_flow import smart_flow_alerts, smart_flow_hypotheses
from islandflow_resources.database import Database
from islandflow_resources.failures import reported
from islandflow_resources.flow_reports import TapeReport, tape_report
from islandflow_resources.market_tapes import MarketRef
from islandflow_resources.object_store import ObjectStore

_STANDS: Final = {
    keys.NOTHING_MISSING: "every partition that was asked for has a detection and its labels",
    keys.DIGEST_MATCHES: "detection, labels and scores are what was recorded of them",
}
_REPORT: Final = {
    **_STANDS,
    keys.SEEDS_ARE_HELD_OUT: "the policy was not tuned on the seed",
    keys.EXPECTATIONS_MET: "every expected output of an injected scenario is met",
    keys.PRECISION_HOLDS: "at least 0.90 of the alerts of every profile are right",
    keys.RECALL_HOLDS: "at least 0.70 of the bursts of every profile are found",
    keys.NOISE_IS_ABSTAINED: "at least 0.95 of the bursts of noise have no alert",
    keys.BACKGROUND_STAYS_QUIET: "below one confident false alert in 2,000 windows",
}
_COVERAGE: Final = {
    **_STANDS,
    keys.COVERAGE_HOLDS: "0.95 of the windows that hold every profile have an alert of each",
}
_LEVELS: Final = {
    "precision": keys.PRECISION_HOLDS,
    "recall": keys.RECALL_HOLDS,
    "noise_abstained": keys.NOISE_IS_ABSTAINED,
    "false_high": keys.BACKGROUND_STAYS_QUIET,
}


@dg.asset(
    name=keys.DETECTION_REPORT,
    group_name=keys.SMART_FLOW,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[smart_flow_hypotheses, smart_flow_alerts, tape_labels],
    code_version=VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"json"},
    check_specs=check_specs(keys.DETECTION_REPORT, _REPORT),
)
def detection_report(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """How right detections are: precision, recall, calibration, abstention, delay, confusion.

    Intervals are over the seeds of the run.
    """
    bench = Bench(store, labels_store, database, context.run.run_id)
    with reported(context):
        wanted = requested_markets(context)
        read = lineage.newest_events(
            context.instance,
            keys.SMART_FLOW_HYPOTHESES,
            keys.SMART_FLOW_ALERTS,
            keys.TAPE_LABELS,
        )
        reports = _reports(bench, wanted)
        together = _together(reports)
        outcomes = [_reported(cell, reports[cell], together) for cell in wanted]
    yield lineage.output()
    yield from lineage.materialisations(
        keys.DETECTION_REPORT, VERSION, published_of(outcomes), read
    )
    verdicts = [verdict_of(name, outcomes) for name in _REPORT]
    yield from lineage.check_results(keys.DETECTION_REPORT, verdicts, context.log)


@dg.asset(
    name=keys.COVERAGE_REPORT,
    group_name=keys.SMART_FLOW,
    partitions_def=MARKETS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[detection_report],
    code_version=VERSION,
    dagster_type=dg.Nothing,  # pyright: ignore[reportArgumentType]
    kinds={"json"},
    check_specs=check_specs(keys.COVERAGE_REPORT, _COVERAGE),
)
def coverage_report(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    labels_store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> Events:
    """In how many windows of coverage every profile is found, and in how many each has a burst."""
    bench = Bench(store, labels_store, database, context.run.run_id)
    with reported(context):
        wanted = requested_markets(context)
        read = lineage.newest_events(context.instance, keys.DETECTION_REPORT)
        reports = _reports(bench, wanted)
        outcomes = [_covered(cell, reports[cell]) for cell in wanted]
    yield lineage.output()
    yield from lineage.materialisations(keys.COVERAGE_REPORT, VERSION, published_of(outcomes), read)
    verdicts = [verdict_of(name, outcomes) for name in _COVERAGE]
    yield from lineage.check_results(keys.COVERAGE_REPORT, verdicts, context.log, is_last=True)


def _reports(bench: Bench, wanted: Sequence[MarketCell]) -> dict[MarketCell, TapeReport]:
    """What is known of each cell; made where it is not yet."""
    specs = registered(bench, wanted)
    return {
        cell: tape_report(
            bench.store,
            bench.labels_store,
            bench.database,
            MarketRef(specs[cell.market_key], cell.seed),
            usual_policy(),
            bench.run_id,
        )
        for cell in wanted
    }


def _together(reports: Mapping[MarketCell, TapeReport]) -> dict[str, list[TapeScore]]:
    """Scores of the run by market."""
    found: dict[str, list[TapeScore]] = {}
    for cell, report in reports.items():
        if report.score is not None:
            found.setdefault(cell.market_key, []).append(report.score)
    return found


def _reported(
    cell: MarketCell, report: TapeReport, together: Mapping[str, list[TapeScore]]
) -> Outcome:
    """Judge one detection, alone and with the others of its market."""
    if report.score is None or report.detection is None:
        return _absent(cell, report)
    scores = together[cell.market_key]
    alone, all_of = pooled([report.score]), pooled(scores)
    checks = {
        **dict.fromkeys(_REPORT),
        keys.EXPECTATIONS_MET: report.missed,
        **_broken(str(cell), alone),
    }
    if len(scores) > 1:
        checks |= _broken(f"{len(scores)} seeds of {cell.market_key}", all_of)
    tables = report.detection.manifest.tables
    inputs = {
        keys.SMART_FLOW_HYPOTHESES: tables[HYPOTHESIS_ROWS.name].digest,
        keys.SMART_FLOW_ALERTS: tables[ALERTS.name].digest,
        keys.TAPE_LABELS: report.labels_digest,
    }
    metadata = report_figures(str(cell), report, alone, all_of, curves(scores))
    shown = lineage.Published(cell, report.digest, inputs, metadata)
    return Outcome(cell, checks, shown)


def _covered(cell: MarketCell, report: TapeReport) -> Outcome:
    """Judge the coverage of one tape: of windows that hold every profile, those that show it."""
    if report.score is None:
        return _absent(cell, report)
    whole = pooled([report.score]).everything
    problem = None
    if whole.covered.hits < MIN_COVERED * whole.there.hits:
        said = (
            f"{cell}: every profile has an alert in {whole.covered.hits} windows, "
            f"a burst in {whole.there.hits}"
        )
        hint = "look at the recall of the profile that is missing in detection_report"
        problem = Problem("FLOW_COVERAGE_LOW", said, str(cell), (hint,))
    checks = {**dict.fromkeys(_COVERAGE), keys.COVERAGE_HOLDS: problem}
    metadata = coverage_figures(str(cell), whole)
    inputs = {keys.DETECTION_REPORT: report.digest}
    return Outcome(cell, checks, lineage.Published(cell, report.digest, inputs, metadata))


def _broken(named: str, scores: Pooled) -> dict[str, Problem | None]:
    """A problem for each check whose level is missed."""
    found: dict[str, list[str]] = {}
    for one in broken_levels(scores):
        figure, about = one.figure, " ".join(filter(None, (one.hypothesis, one.preset)))
        said = f"{one.name} of {about} is {figure.value:.3f} ({figure.hits} of {figure.of})"
        found.setdefault(_LEVELS[one.name], []).append(f"{said}, the bound is {one.bound:g}")
    hint = "tune the policy again, on seeds of its own: benchmarks.studies.flow_policy"
    return {
        check: Problem("FLOW_LEVEL_MISSED", f"{named}: {'; '.join(said)}", check, (hint,))
        for check, said in found.items()
    }


def _absent(cell: MarketCell, report: TapeReport) -> Outcome:
    problem = report.problem
    if problem is not None and problem.code == "FLOW_SEED_TUNED":
        return Outcome(cell, {keys.SEEDS_ARE_HELD_OUT: problem})
    name = keys.DIGEST_MATCHES if report.is_damaged else keys.NOTHING_MISSING
    return Outcome(cell, {name: problem})
