"""What is said of a packet and of a cluster, from its list of orders: facts, scores, verdicts.

Follows the page of smart flow. How orders come together is in ``smart_flow``.
"""

import math
from itertools import pairwise

from contracts.flow_features import QUANTITIES, TENOR_DAYS
from contracts.smart_flow import HYPOTHESES
from tests.oracles import smart_flow

DAY = 86_400 * 1_000_000_000


def packet(cluster, piece, premium_z, policy):
    """Row of a packet."""
    prints = prints_of(piece["orders"])
    sides = [smart_flow.place(one) for one in prints]
    quoted = [one["iv_ppm"] for one in prints if one["iv_ppm"] > 0]
    facts = counted(piece["orders"])
    first, last = prints[0], prints[-1]
    both = first["underlying_mid_ticks"] > 0 and last["underlying_mid_ticks"] > 0
    moved = last["underlying_mid_ticks"] / first["underlying_mid_ticks"] if both else 1.0
    status, reason = eligible_by_quotes(facts, policy.rules)
    return {
        **{key: value for key, value in facts.items() if key in PACKET_KEYS},
        "packet_seq": piece["seq"],
        "contract": smart_flow.first_contract(cluster),
        "cluster_seq": cluster["seq"],
        "first_price_ticks": first["price_ticks"],
        "last_price_ticks": last["price_ticks"],
        "aa_prints": sides.count("AA"),
        "a_prints": sides.count("A"),
        "mid_prints": sides.count("MID"),
        "b_prints": sides.count("B"),
        "bb_prints": sides.count("BB"),
        "special_prints": sum(one["condition"] in ("AUCTION", "CROSS") for one in prints),
        "iv_ppm": last["iv_ppm"],
        "iv_shock_ppm": max(quoted) - min(quoted) if quoted else 0,
        "underlying_move_bps": 1e4 * math.log(moved),
        "underlying_spread_bps": facts["underlying_spread_bps"],
        "premium_z": premium_z,
        "status": status,
        "reason_code": reason,
    }


def hypothesis(cluster, now_ns, policy):
    """Row of what is said of a cluster."""
    facts = {**counted(cluster["orders"]), **placed(cluster), "activity": cluster["activity"]}
    facts["asked"] = cluster["tenors"]
    facts["tenors"] = sum(1 << TENOR_DAYS.index(days) for days in facts["asked"])
    last = prints_of(cluster["packets"][-1]["orders"])
    facts["is_underlying_quoted"] = any(one["underlying_mid_ticks"] > 0 for one in last)
    status, reason = eligible(facts, policy.rules)
    z = {name: score(facts, policy.hypotheses[name]) for name in HYPOTHESES}
    ranked = sorted(HYPOTHESES, key=lambda name: -z[name])
    top = ranked[0]
    margin = z[top] - z[ranked[1]]
    speaks = (
        status != "rejected"
        and z[top] >= policy.hypotheses[top].alert_z
        and margin >= policy.rules.min_margin
    )
    return {
        **{key: value for key, value in facts.items() if key in CLUSTER_KEYS},
        "cluster_seq": cluster["seq"],
        "emitted_ns": now_ns,
        "packets": len(cluster["packets"]),
        **{f"z_{name}": z[name] for name in HYPOTHESES},
        "quality": quality(facts),
        "status": status,
        "reason_code": reason,
        "hypothesis_type": top if speaks else "unclear",
        "direction": direction(top, facts) if speaks else "unknown",
        "confidence": confidence(z[top], policy.hypotheses[top]) if speaks else 0.0,
        "margin": margin,
        "abstained": not speaks,
        "abstention_reasons": "not_abstained"
        if speaks
        else " ".join(silences(facts, z, top, margin, policy)),
    }


def prints_of(orders):
    """Prints of orders, one after the other."""
    return [one for order in orders for one in order["prints"]]


def counted(orders):
    """Sums and counts over orders."""
    prints = prints_of(orders)
    first = orders[0]
    spreads = [one["spread_bps"] for one in prints if one["spread_bps"] is not None]
    gaps = [math.log(max((b["ts_ns"] - a["ts_ns"]) / 1e6, 0.01)) for a, b in pairwise(orders)]
    return {
        "symbol": first["prints"][0]["symbol"],
        "contract": first["prints"][0]["contract"],
        "structure_type": first["structure_type"],
        "legs": len(first["prints"]),
        "start_ns": prints[0]["ts_ns"],
        "end_ns": prints[-1]["ts_ns"],
        "orders": len(orders),
        "prints": len(prints),
        "contracts": sum(one["size"] for one in prints),
        "premium_usd": sum(order["premium_usd"] for order in orders),
        "largest_order_usd": max(order["premium_usd"] for order in orders),
        "buy_prints": sum(one["aggressor"] == 1 for one in prints),
        "sell_prints": sum(one["aggressor"] == -1 for one in prints),
        "inside_prints": sum(one["aggressor"] == 0 and one["ask_ticks"] > 0 for one in prints),
        "stale_prints": sum(one["nbbo_side"] == "STALE" for one in prints),
        "missing_prints": sum(one["nbbo_side"] == "MISSING" for one in prints),
        "venues": len({one["exchange"] for one in prints}),
        "mean_log_gap": sum(gaps) / len(gaps) if gaps else 0.0,
        "price_drift": math.log(prints[-1]["price_ticks"] / prints[0]["price_ticks"]),
        "spread_bps": sum(spreads) / len(spreads) if spreads else 0.0,
        "spread_bps_max": max([*spreads, 0.0]),
        "underlying_spread_bps": max(one["underlying_spread_bps"] for one in prints),
    }


def placed(cluster):
    """Where the first print of a cluster stands."""
    first = cluster["orders"][0]["prints"][0]
    spot = first["underlying_mid_ticks"]
    outside = math.log(first["strike_ticks"] / spot) if spot > 0 else 0.0
    event = cluster["event"]
    return {
        "days_to_expiry": (first["expiry_ns"] - first["ts_ns"]) / DAY,
        "out_of_money": outside if first["right"] == "C" else -outside,
        "right": first["right"],
        "days_to_event": (event - first["ts_ns"]) / DAY if event is not None else -1.0,
        "spans_event": event is not None and first["expiry_ns"] > event,
        "underlying_move_bps": 1e4 * first["log_move"],
        "underlying_move_sigmas": first["log_move"] / smart_flow.usual_move(first["iv_ppm"]),
        "iv_ppm": first["iv_ppm"],
    }


def quantities(facts):
    """The 37 quantities by name, not yet held within their bounds."""
    buys, sells = facts["buy_prints"], facts["sell_prints"]
    root = math.sqrt(facts["prints"])
    call = 1 if facts["right"] == "C" else -1
    sigmas = facts["underlying_move_sigmas"]
    kind, legs = facts["structure_type"], facts["legs"]
    within_22 = 0 <= facts["days_to_event"] <= 22
    return {
        "buy_prints": buys,
        "sell_prints": sells,
        "inside_prints": facts["inside_prints"],
        "minority_prints": min(buys, sells),
        "buy_lead": (buys - sells) / root,
        "sell_lead": (sells - buys) / root,
        "log_premium": math.log(facts["premium_usd"]),
        "dominance": facts["largest_order_usd"] / facts["premium_usd"],
        "log_lots": math.log(facts["contracts"] / facts["prints"]),
        "log_price": math.log(facts["premium_usd"] / facts["contracts"]),
        "orders": facts["orders"],
        "mean_log_gap": facts["mean_log_gap"],
        "venues": facts["venues"],
        "log_activity": math.log1p(facts["activity"]),
        "price_drift": 10 * facts["price_drift"],
        "log_days": math.log1p(max(facts["days_to_expiry"], 0.0)),
        **{f"nearest_{days}d": days in facts["asked"] for days in TENOR_DAYS},
        "out_of_money": 100 * facts["out_of_money"],
        "is_put": facts["right"] == "P",
        "is_package": legs > 1,
        "is_straddle": kind == "straddle",
        "is_spread": kind == "vertical",
        "has_three_legs": legs == 3,
        "has_four_legs": legs == 4,
        "spans_event": facts["spans_event"],
        "spans_event_soon": facts["spans_event"] and facts["days_to_expiry"] < 22,
        "has_no_event": not within_22,
        "moved": abs(sigmas),
        "moved_with_flow": sigmas * bullishness(facts),
        "moved_with_right": sigmas * call,
    }


def features(facts):
    """Features by name: a quantity within its bounds, or triangles over its knots."""
    values = quantities(facts)
    found = {}
    for one in QUANTITIES:
        value = min(max(float(values[one.name]), one.low), one.high)
        if not one.knots:
            found[one.name] = value
        for place in range(len(one.knots)):
            found[f"{one.name}_{place}"] = triangle(value, one.knots, place)
    return found


def triangle(value, knots, place):
    """Height at a value of the triangle over one of some knots."""
    value = min(max(value, knots[0]), knots[-1])
    here = knots[place]
    if value < here:
        return max(0.0, (value - knots[place - 1]) / (here - knots[place - 1]))
    if value > here:
        return max(0.0, (knots[place + 1] - value) / (knots[place + 1] - here))
    return 1.0


def score(facts, hypothesis_policy):
    """Log-odds of one hypothesis: those of its best pattern."""
    found = features(facts)
    return max(
        one.intercept + math.fsum(one.weights[name] * found[name] for name in found)
        for one in hypothesis_policy.patterns.values()
    )


def eligible(facts, rules):
    """Status and reason of a cluster as evidence."""
    if facts["orders"] < rules.min_orders:
        return "rejected", "insufficient_observation_size"
    if facts["premium_usd"] < rules.min_premium_usd:
        return "rejected", "insufficient_premium"
    return eligible_by_quotes(facts, rules)


def eligible_by_quotes(facts, rules):
    """Status and reason of evidence of any size."""
    prints = facts["prints"]
    stale, missing = facts["stale_prints"], facts["missing_prints"]
    if (prints - missing) / prints < rules.min_coverage:
        return "rejected", "missing_quote_context"
    if stale / prints >= rules.max_stale:
        return "rejected", "stale_quote_context"
    if stale > 0:
        return "down_weighted", "stale_quote_context"
    if facts["spread_bps"] > rules.wide_spread_bps:
        return "down_weighted", "wide_quote_context"
    if facts["underlying_spread_bps"] > rules.wide_underlying_bps:
        return "down_weighted", "wide_underlying_quote_context"
    if is_inside(facts):
        return "down_weighted", "inside_market_context"
    return "accepted", "evidence_context_usable"


def is_inside(facts):
    """Whether it printed between the quotes, and hardly anywhere else."""
    return facts["inside_prints"] / facts["prints"] >= 0.65


def quality(facts):
    """Quality of evidence, 0 … 1."""
    prints, stale, missing = facts["prints"], facts["stale_prints"], facts["missing_prints"]
    covered, fresh = (prints - missing) / prints, (prints - missing - stale) / prints
    return 0.55 * covered + 0.3 * fresh + 0.15 * facts["is_underlying_quoted"]


def confidence(z, level):
    """Confidence of the policy: 0.52, 0.72 and the ceiling, lines between them."""
    step = level.high_z - level.alert_z
    if z < level.high_z:
        found = 0.52 + 0.2 * (z - level.alert_z) / step
    else:
        found = 0.72 + (level.ceiling - 0.72) * min((z - level.high_z) / step, 1.0)
    return min(found, level.ceiling)


def silences(facts, z, top, margin, policy):
    """Every reason to say nothing."""
    rules = policy.rules
    buys, sells = facts["buy_prints"], facts["sell_prints"]
    other = buys + sells > 0 and 3 * min(buys, sells) >= buys + sells
    few = facts["orders"] < rules.min_orders or facts["premium_usd"] < rules.min_premium_usd
    reasons = {
        "insufficient_evidence": few,
        "stale_quote_context": facts["stale_prints"] + facts["missing_prints"] > 0,
        "conflicting_evidence": margin < rules.min_margin or other,
        "inside_market_context": is_inside(facts),
        "below_policy_threshold": z[top] < policy.hypotheses[top].alert_z,
    }
    return [name for name, applies in reasons.items() if applies]


def bullishness(facts):
    """+1 if calls were bought or puts sold, −1 the reverse; bought if neither prevails."""
    lead = facts["buy_prints"] - facts["sell_prints"]
    sign = 1 if lead >= 0 else -1
    return sign if facts["right"] == "C" else -sign


def direction(name, facts):
    """Which way the market goes if a hypothesis holds."""
    if name in ("volatility_supply", "structure_arbitrage"):
        return "neutral"
    sigmas = facts["underlying_move_sigmas"]
    if name == "hedge_rebalance" and abs(sigmas) >= 0.5:
        return "bullish" if sigmas > 0 else "bearish"
    if facts["structure_type"] in ("straddle", "strangle"):
        return "mixed"
    if facts["buy_prints"] == facts["sell_prints"]:
        return "unknown"
    return {1: "bullish", -1: "bearish"}[bullishness(facts)]


PACKET_KEYS = (
    "symbol",
    "contract",
    "structure_type",
    "legs",
    "start_ns",
    "end_ns",
    "orders",
    "prints",
    "contracts",
    "premium_usd",
    "stale_prints",
    "missing_prints",
    "venues",
    "spread_bps",
)
CLUSTER_KEYS = (
    *PACKET_KEYS,
    "largest_order_usd",
    "buy_prints",
    "sell_prints",
    "inside_prints",
    "mean_log_gap",
    "days_to_expiry",
    "tenors",
    "out_of_money",
    "right",
    "days_to_event",
    "spans_event",
    "underlying_move_bps",
    "underlying_move_sigmas",
    "iv_ppm",
    "price_drift",
    "spread_bps_max",
    "activity",
)
