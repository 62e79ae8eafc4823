"""The HTML report of a campaign: its winner and gate, scores, robustness, and the risk of luck.

All that is on it was derived before; only the equity fan is drawn again from the same seed. How
pages are written is ``islandflow_resources.pages``; pictures for the UI are ``campaign_pictures``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from contracts.canonical import Document
from contracts.columns import CAMPAIGN_LEADERBOARD, MONTE_CARLO, WALK_FORWARD
from contracts.serving import Dossier
from islandflow_resources.campaign_reports import campaign_recipe, make_leaderboard
from islandflow_resources.campaign_robustness import Robust, drawn, make_robust
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.derived import Derived, DerivedTable
from islandflow_resources.derived_pages import as_stored, made_page
from islandflow_resources.dossiers import Judged
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.overfit_reports import make_overfit_report
from islandflow_resources.pages import Cell, Page, Plot, Section, Table

WHAT: Final = "campaign_page"
VERSION: Final = "1"
ROWS: Final = 200
"""Rows of a table at most; all of them are in the store."""
POINTS: Final = 2_000
_BINS: Final = 40
_HIDDEN: Final = frozenset({"strategy_hash", "set_id", "candidate"})
_QUANTILES: Final = ("5 %", "25 %", "median", "75 %", "95 %")


def campaign_page(
    store: ObjectStore,
    database: Database,
    runtime: EngineRuntime,
    campaign: AnyCampaign,
    judged: Judged,
    run_id: str,
) -> Derived:
    """The report of a judged campaign, found or made; what it shows is found, see `judged_now`."""
    board = make_leaderboard(store, database, campaign, run_id)
    robust = make_robust(store, database, runtime, campaign, board, run_id)
    report = as_stored(make_overfit_report(store, database, campaign, run_id).document)
    inputs = {**judged.dossier.evidence, "dossier": judged.stored.content_digest}

    def make() -> Page:
        fan = drawn(store, database, runtime, campaign, board)
        sections = [
            _gate(judged.dossier),
            _scores(campaign, board),
            *_paths(fan, robust),
            *_folds(campaign, robust),
            _luck(report),
        ]
        return Page(
            f"Campaign {campaign.key}",
            campaign.spec.description,
            _facts(campaign, board, report, judged.dossier),
            tuple(sections),
        )

    recipe = campaign_recipe(campaign, WHAT, VERSION, inputs)
    return made_page(store, database, recipe, make, run_id)


def _facts(
    campaign: AnyCampaign, board: DerivedTable, report: Document, dossier: Dossier
) -> tuple[tuple[str, str], ...]:
    first = board.table.slice(0, 1).to_pylist()[0]
    winner = dossier.winner
    deflated = report.get("deflated")
    sharpe = deflated.get("deflated_sharpe") if isinstance(deflated, dict) else None
    promotion = campaign.spec.promotion
    facts = {
        "campaign": campaign.spec.campaign_hash,
        "objective": campaign.spec.objective,
        "candidates": f"{board.table.num_rows:,}",
        "datasets": str(first["datasets"]),
        "winner": "none" if winner is None else f"{winner.strategy_id} {_told(winner.params)}",
        "score": "not defined" if winner is None else f"{winner.score:.6g}",
        "gate": "passed" if dossier.passed else "not passed",
        "probability of overfitting": _figure(report.get("pbo")),
        "deflated Sharpe": _figure(sharpe),
        "alias": promotion.alias if promotion else "none",
    }
    return tuple(facts.items())


def _gate(dossier: Dossier) -> Section:
    rows = [(one.name, one.passed, one.sentence) for one in dossier.criteria]
    return Section("Gate", "", table=Table(("criterion", "passed", "why"), tuple(rows)))


def _scores(campaign: AnyCampaign, board: DerivedTable) -> Section:
    """Every candidate by its parameters and by its rank; the best in a table."""
    rows = board.table.slice(0, POINTS).to_pylist()
    objective = campaign.spec.objective
    ranks = {
        "kind": "points",
        "x": [row["rank"] for row in rows],
        "y": [row["score"] for row in rows],
        "said": [_said(row) for row in rows],
    }
    by_rank = Plot(
        f"{objective} by rank", {"label": "rank"}, {"label": f"median {objective}"}, (ranks,)
    )
    more = board.table.num_rows - len(rows)
    text = f"The first {len(rows):,} of {board.table.num_rows:,} candidates." if more else ""
    plots = (*_parameters(rows, objective), by_rank)
    return Section("Candidates", text, plots, _table(board, CAMPAIGN_LEADERBOARD.names))


def _parameters(rows: Sequence[Mapping[str, Any]], objective: str) -> Iterator[Plot]:
    """Scores of the best strategy over its two parameters that vary most."""
    own = [row for row in rows if row["strategy_hash"] == rows[0]["strategy_hash"]]
    sets = [json.loads(row["params"]) for row in own]
    varied = {
        name: len({one.get(name) for one in sets})
        for name, value in sets[0].items()
        if isinstance(value, int | float)
    }
    names = sorted(
        (name for name in varied if varied[name] > 1), key=lambda one: (-varied[one], one)
    )
    if len(names) < 2:
        return
    x, y = names[:2]
    trace = {
        "kind": "points",
        "x": [one.get(x) for one in sets],
        "y": [one.get(y) for one in sets],
        "value": [row["score"] for row in own],
        "said": [_said(row) for row in own],
    }
    title = f"{objective} of {own[0]['strategy_id']}: the lighter the better"
    yield Plot(title, {"label": x}, {"label": y}, (trace,))


def _paths(fan: tuple[str, Any] | None, robust: Robust) -> Iterator[Section]:
    """What resampling the winner says."""
    if robust.monte_carlo is None:
        return
    plots: list[Plot] = []
    if fan is not None:
        name, outcome = fan
        plots += [*_fan(name, outcome.fan), *_drawdowns(name, outcome)]
    table = _table(robust.monte_carlo, MONTE_CARLO.names)
    yield Section("Resampled paths", "Of the best trials.", tuple(plots), table)


def _fan(name: str, fan: np.ndarray[Any, Any]) -> Iterator[Plot]:
    kept = np.flatnonzero(np.isfinite(fan).all(axis=1))
    if not kept.size:
        return
    x = [0.0, *(100.0 * (kept + 1) / len(fan)).tolist()]
    change = 100.0 * (np.vstack([np.ones(5), fan[kept]]) - 1.0)
    low, quarter, median, upper, high = change.T.tolist()
    hue = "#0b6bcb"
    outer, inner, middle = f"{_QUANTILES[0]} to {_QUANTILES[4]}", "25 % to 75 %", _QUANTILES[2]
    traces: tuple[dict[str, Any], ...] = (
        {"kind": "band", "name": outer, "x": x, "low": low, "high": high, "opacity": 0.15},
        {"kind": "band", "name": inner, "x": x, "low": quarter, "high": upper, "opacity": 0.3},
        {"kind": "line", "name": middle, "x": x, "y": median},
    )
    yield Plot(
        f"Growth over the paths of {name}",
        {"label": "of the path, %"},
        {"label": "growth, %", "unit": " %"},
        tuple({**trace, "colour": hue} for trace in traces),
    )


def _drawdowns(name: str, outcome: Any) -> Iterator[Plot]:
    falls = 100.0 * outcome.max_drawdowns[np.isfinite(outcome.max_drawdowns)]
    if not falls.size:
        return
    counts, edges = np.histogram(falls, bins=min(_BINS, math.ceil(math.sqrt(falls.size))))
    mark = outcome.values["max_drawdown_p95"]
    marks = () if mark is None else ({"x": 100.0 * mark, "name": "95 % of paths fall less"},)
    trace = {"kind": "bars", "edges": edges.tolist(), "heights": counts.tolist()}
    x, y = {"label": "deepest fall of a path, %"}, {"label": "paths"}
    yield Plot(f"Drawdowns of {name}", x, y, (trace,), (), marks)


def _folds(campaign: AnyCampaign, robust: Robust) -> Iterator[Section]:
    """How what was best in training does in the test behind it."""
    walked = robust.walk_forward
    if walked is None:
        return
    rows = walked.table.to_pylist()
    plots: list[Plot] = []
    if rows:
        folds = [*range(max(row["fold"] for row in rows) + 1)]
        traces = [
            trace
            for name, hue in (("train", "#0b6bcb"), ("test", "#c2410c"))
            for trace in _spread(rows, folds, name, hue)
        ]
        x = {"label": "fold", "names": [str(fold + 1) for fold in folds]}
        title = f"{campaign.spec.objective} by fold: median, and 10 to 90 % over datasets"
        plots.append(Plot(title, x, {"label": campaign.spec.objective}, tuple(traces)))
    yield Section("Walk-forward", "", tuple(plots), _table(walked, WALK_FORWARD.names))


def _spread(
    rows: Sequence[Mapping[str, Any]], folds: Sequence[int], name: str, hue: str
) -> Iterator[dict[str, Any]]:
    spreads: list[tuple[float | None, float | None, float | None]] = []
    for fold in folds:
        values = [row[f"{name}_objective"] for row in rows if row["fold"] == fold]
        known = [value for value in values if value is not None and math.isfinite(value)]
        spread = np.percentile(known, (10, 50, 90)).tolist() if known else [None] * 3
        spreads.append((spread[0], spread[1], spread[2]))
    low, median, high = (list(column) for column in zip(*spreads, strict=True))
    x = list(folds)
    yield {"kind": "band", "x": x, "low": low, "high": high, "colour": hue, "opacity": 0.15}
    yield {"kind": "line", "name": name, "x": x, "y": median, "colour": hue}


def _luck(report: Document) -> Section:
    """How likely the best is best by luck."""
    plots: list[Plot] = []
    logits = report.get("logits")
    if isinstance(logits, dict):
        parts: dict[str, Any] = dict(logits)
        edges = np.linspace(parts["first"], parts["last"], len(parts["counts"]) + 1).tolist()
        trace = {"kind": "bars", "edges": edges, "heights": parts["counts"]}
        x = {"label": "logit of the winner's rank out of sample; below 0 is overfitted"}
        marks = ({"x": 0.0, "name": "0"},)
        plots.append(Plot("Out of sample", x, {"label": "splits"}, (trace,), (), marks))
    rows = [(name, value) for name, value in _leaves(report) if not isinstance(value, list)]
    text = "Probability of backtest overfitting and deflated Sharpe ratio."
    return Section("Luck", text, tuple(plots), Table(("figure", "value"), tuple(rows)))


def _leaves(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name} ")
        else:
            yield f"{before}{name}".replace("_", " "), value


def _table(one: DerivedTable, names: Sequence[str]) -> Table:
    shown = tuple(name for name in names if name not in _HIDDEN)
    rows: list[tuple[Cell, ...]] = [
        tuple(row[name] for name in shown) for row in one.table.slice(0, ROWS).to_pylist()
    ]
    return Table(shown, tuple(rows))


def _said(row: Mapping[str, Any]) -> str:
    score = "not defined" if row["score"] is None else f"{row['score']:.6g}"
    return f"{row['rank']} · {row['strategy_id']} {_told(json.loads(row['params']))}\nscore {score}"


def _told(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_plain(value)}" for name, value in params.items())


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "not defined"
