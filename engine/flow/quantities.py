"""Quantities of a cluster, and the features they are cut into, see ``contracts.flow_features``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from contracts.flow_features import FEATURES, QUANTITIES, QUANTITY_NAMES, TENOR_DAYS
from engine.arrays import Floats, Ints
from engine.flow import layout as at
from engine.flow.kernels_clusters import STRADDLE, VERTICAL
from engine.jit import kernel
from engine.mathx import log

EVENT_DAYS: Final = 22.0
"""An event is near if it is at most so many days ahead."""
_PLACE: Final = {name: place for place, name in enumerate(QUANTITY_NAMES)}
_BUY, _SELL, _INSIDE = (_PLACE[f"{name}_prints"] for name in ("buy", "sell", "inside"))
_MINORITY, _BUY_LEAD, _SELL_LEAD = (
    _PLACE[name] for name in ("minority_prints", "buy_lead", "sell_lead")
)
_PREMIUM, _DOMINANCE, _LOTS = (_PLACE[name] for name in ("log_premium", "dominance", "log_lots"))
_PRICE, _NEAREST, _TENORS = _PLACE["log_price"], _PLACE["nearest_0d"], len(TENOR_DAYS)
_ORDERS, _GAP, _VENUES = (_PLACE[name] for name in ("orders", "mean_log_gap", "venues"))
_ACTIVITY, _DRIFT, _DAYS = (_PLACE[name] for name in ("log_activity", "price_drift", "log_days"))
_OUT, _PUT, _PACKAGE = (_PLACE[name] for name in ("out_of_money", "is_put", "is_package"))
_STRADDLE, _SPREAD = _PLACE["is_straddle"], _PLACE["is_spread"]
_THREE, _FOUR = _PLACE["has_three_legs"], _PLACE["has_four_legs"]
_SPANS, _SOON, _NONE = (
    _PLACE[name] for name in ("spans_event", "spans_event_soon", "has_no_event")
)
_MOVED, _WITH_FLOW, _WITH_RIGHT = (
    _PLACE[name] for name in ("moved", "moved_with_flow", "moved_with_right")
)

_LOW: Final = np.array([one.low for one in QUANTITIES])
_HIGH: Final = np.array([one.high for one in QUANTITIES])
_KNOT_COUNTS: Final = np.array([len(one.knots) for one in QUANTITIES])
_MOST_KNOTS: Final = int(_KNOT_COUNTS.max())
_KNOTS: Final = np.array(
    [(*one.knots, *[0.0] * (_MOST_KNOTS - len(one.knots))) for one in QUANTITIES]
)
_OF: Final = np.array([one.quantity for one in FEATURES])
_KNOT: Final = np.array([one.knot for one in FEATURES])


@kernel
def venues_of(bits: int) -> int:
    """How many venues a set has."""
    count = 0
    while bits > 0:
        bits &= bits - 1
        count += 1
    return count


@kernel
def measure(ints: Ints, reals: Floats, found: Floats) -> None:
    """Write the quantities of a cluster, each within its bounds.

    Parameters
    ----------
    ints : ndarray, shape (CLUSTER_INTS,), int64
    reals : ndarray, shape (CLUSTER_REALS,), float64
    found : ndarray, shape (quantities,), float64
    """
    prints, orders = float(ints[at.C_PRINTS]), float(ints[at.C_ORDERS])
    buys, sells = float(ints[at.C_BUYS]), float(ints[at.C_SELLS])
    lead = (buys - sells) / math.sqrt(prints)
    usd, days = max(reals[at.R_USD], 1.0), max(reals[at.R_DAYS], 0.0)
    outward = 1.0 - 2.0 * ints[at.C_IS_PUT]
    moved, structure = reals[at.R_MOVE_SIGMAS], ints[at.C_STRUCTURE]
    has_event = 0.0 <= reals[at.R_EVENT_DAYS] <= EVENT_DAYS
    found[_BUY], found[_SELL], found[_INSIDE] = buys, sells, float(ints[at.C_INSIDE])
    found[_MINORITY] = min(buys, sells)
    found[_BUY_LEAD], found[_SELL_LEAD] = max(lead, 0.0), max(-lead, 0.0)
    found[_PREMIUM], found[_DOMINANCE] = log(usd), reals[at.R_MOST_USD] / usd
    found[_LOTS] = log(ints[at.C_LOTS] / prints)
    found[_PRICE] = log(usd / ints[at.C_LOTS])
    found[_ORDERS] = orders
    found[_GAP] = reals[at.R_LOG_GAPS] / max(orders - 1.0, 1.0)
    found[_VENUES] = float(venues_of(ints[at.C_VENUES]))
    found[_ACTIVITY] = log(1.0 + reals[at.R_ACTIVITY])
    found[_DRIFT] = 10.0 * log(ints[at.C_LAST_PRICE] / ints[at.C_FIRST_PRICE])
    found[_DAYS], found[_OUT] = log(1.0 + days), 100.0 * reals[at.R_OUT]
    for tenor in range(_TENORS):
        found[_NEAREST + tenor] = float(ints[at.C_TENORS] >> tenor & 1)
    found[_PUT] = float(ints[at.C_IS_PUT])
    found[_PACKAGE] = 1.0 if ints[at.C_LEGS] > 1 else 0.0
    found[_STRADDLE] = 1.0 if structure == STRADDLE else 0.0
    found[_SPREAD] = 1.0 if structure == VERTICAL else 0.0
    found[_THREE] = 1.0 if ints[at.C_LEGS] == 3 else 0.0
    found[_FOUR] = 1.0 if ints[at.C_LEGS] == 4 else 0.0
    found[_SPANS] = float(ints[at.C_SPANS])
    found[_SOON] = found[_SPANS] if days < EVENT_DAYS else 0.0
    found[_NONE] = 0.0 if has_event else 1.0
    found[_MOVED] = abs(moved)
    found[_WITH_FLOW] = moved * outward * (1.0 if buys >= sells else -1.0)
    found[_WITH_RIGHT] = moved * outward
    for q in range(found.shape[0]):
        found[q] = min(max(found[q], _LOW[q]), _HIGH[q])


@kernel
def feature(found: Floats, f: int) -> float:
    """Value of a feature: a quantity itself, or one tooth over its knots."""
    q, k = _OF[f], _KNOT[f]
    x = float(found[q])
    if k < 0:
        return x
    knot, last = _KNOTS[q, k], _KNOT_COUNTS[q] - 1
    if x <= knot:
        if k == 0:
            return 1.0
        before = _KNOTS[q, k - 1]
        return float((x - before) / (knot - before)) if x > before else 0.0
    if k == last:
        return 1.0
    after = _KNOTS[q, k + 1]
    return float((after - x) / (after - knot)) if x < after else 0.0


@kernel
def cut(found: Floats, features: Floats) -> None:
    """Write the features of rows of quantities."""
    for row in range(found.shape[0]):
        for f in range(features.shape[1]):
            features[row, f] = feature(found[row], f)


@kernel
def fill_features(ints: Ints, reals: Floats, features: Floats) -> None:
    """Write the features of some clusters.

    Parameters
    ----------
    ints : ndarray, shape (clusters, CLUSTER_INTS), int64
    reals : ndarray, shape (clusters, CLUSTER_REALS), float64
    features : ndarray, shape (clusters, features), float64
    """
    found = np.zeros((1, _LOW.shape[0]))
    for row in range(ints.shape[0]):
        measure(ints[row], reals[row], found[0])
        cut(found, features[row : row + 1])


def features_of(ints: Ints, reals: Floats) -> Floats:
    """Features of some clusters, one a row; see `fill_features`."""
    features = np.zeros((len(ints), len(FEATURES)))
    fill_features(ints, reals, features)
    return features


def features_of_rows(rows: Mapping[str, np.ndarray[Any, Any]]) -> Floats:
    """Features of stored hypotheses, from the columns of ``flow_columns.HYPOTHESIS_ROWS``.

    Equal to those that they were judged by, up to rounding.
    """
    found = _quantities_of_rows(rows)
    features = np.zeros((len(found), len(FEATURES)))
    cut(found, features)
    return features


def _quantities_of_rows(rows: Mapping[str, np.ndarray[Any, Any]]) -> Floats:
    buys, sells, prints = rows["buy_prints"], rows["sell_prints"], rows["prints"]
    lead = (buys - sells) / np.sqrt(prints)
    usd, days = np.maximum(rows["premium_usd"], 1.0), np.maximum(rows["days_to_expiry"], 0.0)
    is_put, legs, structure = rows["right"] == "P", rows["legs"], rows["structure_type"]
    moved = rows["underlying_move_sigmas"]
    toward = np.where(is_put, -moved, moved)
    has_event = (rows["days_to_event"] >= 0.0) & (rows["days_to_event"] <= EVENT_DAYS)
    told = {
        "buy_prints": buys,
        "sell_prints": sells,
        "inside_prints": rows["inside_prints"],
        "minority_prints": np.minimum(buys, sells),
        "buy_lead": lead,
        "sell_lead": -lead,
        "log_premium": np.log(usd),
        "dominance": rows["largest_order_usd"] / usd,
        "log_lots": np.log(rows["contracts"] / prints),
        "log_price": np.log(usd / rows["contracts"]),
        "orders": rows["orders"],
        "mean_log_gap": rows["mean_log_gap"],
        "venues": rows["venues"],
        "log_activity": np.log1p(rows["activity"]),
        "price_drift": 10.0 * rows["price_drift"],
        "log_days": np.log1p(days),
        **{f"nearest_{tenor}d": rows["tenors"] >> bit & 1 for bit, tenor in enumerate(TENOR_DAYS)},
        "out_of_money": 100.0 * rows["out_of_money"],
        "is_put": is_put,
        "is_package": legs > 1,
        "is_straddle": structure == "straddle",
        "is_spread": structure == "vertical",
        "has_three_legs": legs == at.MOST_LEGS - 1,
        "has_four_legs": legs == at.MOST_LEGS,
        "spans_event": rows["spans_event"],
        "spans_event_soon": rows["spans_event"] & (days < EVENT_DAYS),
        "has_no_event": ~has_event,
        "moved": np.abs(moved),
        "moved_with_flow": np.where(buys >= sells, toward, -toward),
        "moved_with_right": toward,
    }
    found = np.stack([told[name].astype(np.float64) for name in QUANTITY_NAMES], axis=1)
    return np.ascontiguousarray(np.clip(found, _LOW, _HIGH))
