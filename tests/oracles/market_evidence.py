"""What a naive reader sees of some option prints: premium, sides, coverage, volatility, moves.

The features are those that the expectations of the catalogue name, computed print by print from
emitted events alone; a detector's own are made elsewhere, and better.
"""

import numpy as np

from tests.oracles.market_flow import DOLLAR_TICKS, SHARES, clean_mids, last_at

FRESH_NS = 1_500_000_000
MOVE_NS = 180 * 10**9
DAY_NS = 86_400 * 10**9


def evidence(prints, nbbo, quotes, expiries=(), event_ns=None):
    """Features of prints that belong together, by name.

    Parameters
    ----------
    prints, nbbo, quotes : dict of str to ndarray
        Option prints to look at; all option and equity quotes of their symbol.
    event_ns : int, optional
        Time of the next known event.
    """
    sides, stale, spreads, vols = [], [], [], []
    signed = total = 0.0
    for row in range(len(prints["seq"])):
        side, age_ns, spread_bps, volatility = seen(prints, row, nbbo)
        is_fresh = age_ns <= FRESH_NS
        stale.append(not is_fresh)
        spreads.append(spread_bps)
        vols.append(volatility)
        if is_fresh:
            sides.append(side)
        usd = int(prints["price_ticks"][row]) * int(prints["size"][row]) * SHARES / DOLLAR_TICKS
        is_put = str(prints["contract"][row])[12] == "P"
        signed += side * usd * (-1 if is_put else 1)
        total += usd
    times, mids = clean_mids(quotes)
    first_ns, last_ns = int(prints["ts_ns"][0]), int(prints["ts_ns"][-1])
    now, before = last_at(times, mids, np.array([first_ns, first_ns - MOVE_NS]))
    rights = {str(name)[12] for name in prints["contract"]}
    found = {
        "total_premium": total,
        "candidate_count": len(prints["seq"]),
        "nbbo_aggression_ratio_max": np.mean([side != 0 for side in sides]) if sides else 0.0,
        "nbbo_coverage_ratio_mean": len(sides) / len(stale),
        "nbbo_stale_ratio_mean": float(np.mean(stale)),
        "option_spread_bps_max": max(spreads),
        "execution_iv": max(vols),
        "net_directional_bias": abs(signed) / total,
        "underlying_move_bps": 1e4 * float(np.log(now / before)),
        "option_type": {"C": "call", "P": "put"}.get("".join(sorted(rights)), "mixed"),
    }
    if len(set(prints["contract"])) > 1:
        found["structure_context"] = True
    if event_ns is not None:
        found["days_to_event"] = (event_ns - last_ns) / DAY_NS
    return found


def seen(prints, row, nbbo):
    """Side, age of the quote, its relative spread and volatility at one print."""
    mine = (nbbo["contract"] == prints["contract"][row]) & (nbbo["ts_ns"] <= prints["ts_ns"][row])
    places = np.flatnonzero(mine)
    if not len(places):
        return 0, 10 * FRESH_NS, 0.0, 0.0
    at = places[-1]
    bid, ask = int(nbbo["bid_ticks"][at]), int(nbbo["ask_ticks"][at])
    price = int(prints["price_ticks"][row])
    side = 1 if price >= ask else (-1 if price <= bid else 0)
    spread_bps = 2e4 * (ask - bid) / (ask + bid)
    age_ns = int(prints["ts_ns"][row] - nbbo["ts_ns"][at])
    return side, age_ns, spread_bps, 1e-6 * int(nbbo["iv_ppm"][at])


def holds(requirement, found):
    """Whether a requirement holds of features; none of a feature that nobody sees here."""
    value = found.get(requirement.feature_key)
    if requirement.operator == "present":
        return value is not None
    if requirement.operator == "absent" or value is None:
        return value is None
    if requirement.operator == "eq":
        return value == requirement.value
    is_least = requirement.operator == "gte"
    return value >= requirement.value if is_least else value <= requirement.value
