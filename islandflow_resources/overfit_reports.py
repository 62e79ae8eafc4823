"""The overfitting report of a campaign: what choosing its winner means.

Derived from the sums of returns that the table of candidates holds; the formulas are
``engine.validate``, the definitions docs/validation.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from contracts.canonical import Document
from engine import campaign as ranking
from engine import validate
from islandflow_resources.campaign_reports import campaign_recipe, candidates_of
from islandflow_resources.campaign_tables import VERSION
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.candidates import COUNTS, POWERS, SQUARES, SUMS
from islandflow_resources.database import Database
from islandflow_resources.derived import DerivedDocument, made_document
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.table_schemas import doubles_of, numbers_of

OVERFIT_REPORT = "overfit_report"


def make_overfit_report(
    store: ObjectStore, database: Database, campaign: AnyCampaign, run_id: str
) -> DerivedDocument:
    """How likely the choice among the candidates is overfitted, and the winner's Sharpe luck."""
    source = candidates_of(store, database, campaign)
    how = campaign.spec.robustness.overfitting
    recipe = campaign_recipe(
        campaign,
        OVERFIT_REPORT,
        f"{VERSION}.{validate.VERSION}",
        {"candidates": source.content_digest},
        {"overfitting": how.document()},
    )
    return made_document(
        store, database, recipe, lambda: _overfit(source.table, how.blocks), run_id
    )


def _overfit(candidates: pa.Table, blocks: int) -> Document:
    """The report; candidates whose equity was lost have no returns and are left out."""
    powers = np.stack([doubles_of(candidates[name]) for name in POWERS], axis=1)
    whole = np.isfinite(powers).all(axis=1)
    tried = candidates.num_rows
    if not whole.any():
        reason = "every candidate lost its equity"
        return {"candidates": tried, "without_returns": tried, "pbo": None, "reason": reason}
    sound = candidates.filter(pa.array(whole))
    moments = validate.BlockMoments(
        np.array([sound[name][0].as_py() for name in COUNTS], dtype=np.int64),
        np.stack([doubles_of(sound[name]) for name in SUMS], axis=1),
        np.stack([doubles_of(sound[name]) for name in SQUARES], axis=1),
    )
    found = validate.overfitting(moments, blocks)
    report: Document = {
        "candidates": tried,
        "without_returns": tried - sound.num_rows,
        "blocks": blocks,
        "splits": found.splits,
        "pbo": found.pbo,
        "degradation_slope": found.degradation_slope,
        "degradation_intercept": found.degradation_intercept,
        "probability_of_loss": found.probability_of_loss,
        "logits": _histogram(found.logits),
        "reasons": {**found.reasons},
        "deflated": _deflated(candidates, sound, powers[whole]),
    }
    if blocks > 2:
        paths = validate.combinatorial(moments, blocks)
        report["combinatorial"] = {
            "splits": paths.splits,
            "paths": int(paths.path_sharpes.shape[0]),
            "median_sharpe": paths.median,
            "p5_sharpe": paths.p5,
            "share_below_zero": paths.share_below_zero,
            "path_sharpes": [float(one) for one in paths.path_sharpes],
        }
    return report


def _deflated(candidates: pa.Table, sound: pa.Table, powers: Any) -> Document:
    """Deflated Sharpe ratio of the best candidate, and what went into it."""
    order = ranking.rank(doubles_of(candidates["score"]), doubles_of(candidates["pooled_sharpe"]))
    winner = int(order[0])
    names = numbers_of(sound["candidate"])
    if winner not in names:
        return {"deflated_sharpe": None, "reason": "the best candidate lost its equity"}
    place = int(np.flatnonzero(names == winner)[0])
    returns = int(sound["bars"][place].as_py())
    sharpes = doubles_of(sound["pooled_sharpe"])
    skewness, kurtosis = shape_of(powers[place], returns)
    spread = float(np.var(sharpes, ddof=1)) if sharpes.shape[0] > 1 else 0.0
    variance = max(spread, validate.null_variance(returns))
    sharpe, tried = float(sharpes[place]), candidates.num_rows
    value = validate.deflated_sharpe(sharpe, returns, skewness, kurtosis, tried, variance)
    return {
        "deflated_sharpe": value,
        "probabilistic_sharpe": validate.probabilistic_sharpe(
            sharpe, 0.0, returns, skewness, kurtosis
        ),
        "expected_maximum_sharpe": validate.expected_maximum_sharpe(tried, variance),
        "sharpe": sharpe,
        "returns": returns,
        "skewness": skewness,
        "kurtosis": kurtosis,
        "candidates": tried,
        "variance": variance,
        "variance_of_candidates": spread,
    }


def shape_of(powers: Any, count: int) -> tuple[float, float]:
    """Population skewness and kurtosis from sums of powers; 0 and 3 where nothing varies."""
    m1, m2, m3, m4 = (float(one) / count for one in powers)
    variance = m2 - m1 * m1
    if not variance > 1e-12 * m2:
        return 0.0, 3.0
    third = m3 - 3.0 * m1 * m2 + 2.0 * m1**3
    fourth = m4 - 4.0 * m1 * m3 + 6.0 * m1 * m1 * m2 - 3.0 * m1**4
    return third / variance**1.5, fourth / variance**2


def _histogram(values: Any, bins: int = 41, most: float = 6.0) -> Document:
    """Counts of values in equal bins between ±`most`, what lies beyond in the outermost."""
    edges = np.linspace(-most, most, bins + 1)
    counts, _ = np.histogram(np.clip(values, -most, most), edges)
    return {"first": -most, "last": most, "counts": [int(one) for one in counts]}
