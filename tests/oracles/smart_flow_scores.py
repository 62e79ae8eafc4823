"""How a detection is judged, slow and obvious: rows as dicts, loops, and nothing of the engine.

A tape is a dict of tables, a table a list of rows. Levels are tried one by one, and everything is
matched anew at each.
"""

import math
from collections import Counter

MINUTE = 60_000_000_000
HYPOTHESES = (
    "directional_accumulation",
    "retail_attention_flow",
    "event_positioning",
    "volatility_supply",
    "structure_arbitrage",
    "hedge_rebalance",
)


def bursts(tape):
    """Bursts and injections that printed and ended, by id."""
    last = max(state["ts_ns"] for state in tape["session_states"]) + MINUTE
    return {
        row["burst_id"]: row
        for row in tape["burst_labels"]
        if row["actor"] in ("burst", "injection") and row["prints"] > 0 and row["end_ns"] < last
    }


def decoys(tape):
    """Decoys that printed, by id."""
    last = max(state["ts_ns"] for state in tape["session_states"]) + MINUTE
    return {
        row["burst_id"]: row
        for row in tape["burst_labels"]
        if row["actor"] == "decoy" and row["prints"] > 0 and row["end_ns"] < last
    }


def owner(tape, cluster, among):
    """Id of the one of `among` that half of a cluster's prints are of at least, or None."""
    actors = {"burst", "injection", "decoy"}
    labels = {row["seq"]: row for row in tape["print_labels"] if row["stream"] == "option_prints"}
    members = [row["seq"] for row in tape["flow_prints"] if row["cluster_seq"] == cluster]
    best, most = None, 0
    for burst in sorted(among):
        mine = 0
        for seq in members:
            if labels[seq]["actor"] in actors and labels[seq]["burst_id"] == burst:
                mine += 1
        if mine > most:
            best, most = burst, mine
    return best if best is not None and most / len(members) >= 0.5 else None


def owners(tape, among):
    """Owner of every cluster that has a hypothesis."""
    seen = (row["cluster_seq"] for row in tape["smart_flow_hypotheses"])
    return {cluster: owner(tape, cluster, among) for cluster in seen}


def matched(tape, alerts):
    """Alerts in order, each with its burst and whether it is right, repeated or neither."""
    known, of = bursts(tape), owners(tape, bursts(tape))
    found, result = set(), []
    for alert in sorted(alerts, key=lambda one: (one["emitted_ns"], one["cluster_seq"])):
        burst = of[alert["cluster_seq"]]
        fits = burst is not None and known[burst]["expected_class"] == alert["hypothesis_type"]
        said = "wrong"
        if fits:
            said = "repeated" if burst in found else "right"
            found.add(burst)
        result.append((alert, burst, said))
    return result


def minute_of(tape, ts):
    """State of the minute that has begun last."""
    states = sorted(tape["session_states"], key=lambda one: one["ts_ns"])
    before = [state for state in states if state["ts_ns"] <= ts]
    return before[-1] if before else states[0]


def alert_counts(tape):
    """Alerts, right and repeated ones by hypothesis and regime; right directions by hypothesis."""
    counts = {name: Counter() for name in ("alerts", "right", "repeated", "right_direction")}
    known = bursts(tape)
    for alert, burst, said in matched(tape, tape["smart_flow_alerts"]):
        key = (alert["hypothesis_type"], minute_of(tape, alert["start_ns"])["regime"])
        counts["alerts"][key] += 1
        if said in counts:
            counts[said][key] += 1
        if said == "right" and known[burst]["direction"] == alert["direction"]:
            counts["right_direction"][alert["hypothesis_type"]] += 1
    return counts


def burst_counts(tape):
    """Bursts, those found and those alerted by subtype and regime; decoys by subtype."""
    names = ("bursts", "found", "alerted", "decoys", "decoys_alerted")
    counts = {name: Counter() for name in names}
    told = matched(tape, tape["smart_flow_alerts"])
    found = {burst for _, burst, said in told if said == "right"}
    heard = {burst for _, burst, _ in told}
    for burst, row in bursts(tape).items():
        key = (row["subtype"], row["regime"])
        counts["bursts"][key] += 1
        counts["found"][key] += burst in found
        counts["alerted"][key] += burst in heard
    near = owners(tape, decoys(tape))
    followed = {near[alert["cluster_seq"]] for alert in tape["smart_flow_alerts"]}
    for decoy, row in decoys(tape).items():
        counts["decoys"][row["subtype"]] += 1
        counts["decoys_alerted"][row["subtype"]] += decoy in followed
    return counts


def confusion(tape):
    """Clusters by subtype of their burst or nobody, regime, and what was said or nothing."""
    said = {one["cluster_seq"]: one["hypothesis_type"] for one in tape["smart_flow_alerts"]}
    known, of = bursts(tape), owners(tape, bursts(tape))
    counts = Counter()
    for row in tape["smart_flow_hypotheses"]:
        burst, word = of[row["cluster_seq"]], said.get(row["cluster_seq"], "nothing")
        if burst is None and word == "nothing":
            continue
        what = "nobody" if burst is None else known[burst]["subtype"]
        counts[what, minute_of(tape, row["start_ns"])["regime"], word] += 1
    return counts


def background(tape, symbols):
    """Windows of a minute and a symbol without a burst's print, and false high alerts in them."""
    known = bursts(tape)
    labels = {row["seq"]: row for row in tape["print_labels"] if row["stream"] == "option_prints"}
    busy = set()
    for row in tape["flow_prints"]:
        label = labels[row["seq"]]
        if label["actor"] in ("burst", "injection"):
            start = minute_of(tape, row["ts_ns"])["ts_ns"]
            busy.add((known[label["burst_id"]]["symbol"], start))
    false = 0
    for alert, burst, _ in matched(tape, tape["smart_flow_alerts"]):
        window = (alert["symbol"], minute_of(tape, alert["start_ns"])["ts_ns"])
        false += alert["band"] == "high" and burst is None and window not in busy
    return symbols * len(tape["session_states"]) - len(busy), false


def coverage(tape, window):
    """Windows; with every profile found, there; and by profile, found and there."""
    found = {name: [] for name in HYPOTHESES}
    there = {name: [] for name in HYPOTHESES}
    for alert, _, said in matched(tape, tape["smart_flow_alerts"]):
        if said == "right":
            start = minute_of(tape, alert["emitted_ns"])["ts_ns"]
            found[alert["hypothesis_type"]].append(start)
    for row in bursts(tape).values():
        if row["expected_class"] in there:
            there[row["expected_class"]].append(minute_of(tape, row["start_ns"])["ts_ns"])
    starts = {state["ts_ns"] for state in tape["session_states"]}
    totals, profiles = [0, 0, 0], [Counter(), Counter()]
    for start in starts:
        span = {start + k * MINUTE for k in range(window)}
        if not span <= starts:
            continue
        totals[0] += 1
        for which, times in enumerate((found, there)):
            shown = [name for name in HYPOTHESES if any(one in span for one in times[name])]
            profiles[which].update(shown)
            totals[1 + which] += len(shown) == len(HYPOTHESES)
    return totals, profiles


def delays(tape):
    """Delays of right alerts from the first and the last print, by hypothesis."""
    known = bursts(tape)
    first, last = {name: [] for name in HYPOTHESES}, {name: [] for name in HYPOTHESES}
    for alert, burst, said in matched(tape, tape["smart_flow_alerts"]):
        if said == "right":
            name, row = alert["hypothesis_type"], known[burst]
            first[name].append(alert["emitted_ns"] - row["start_ns"])
            last[name].append(alert["emitted_ns"] - row["end_ns"])
    return [{name: sorted(times) for name, times in one.items()} for one in (first, last)]


def precision_recall(tapes, hypothesis, levels):
    """Kept, right, precision and recall at each level: clusters of that first hypothesis said."""
    return _at_levels(tapes, hypothesis, levels, _would_say, "level")


def abstention(tapes, hypothesis, levels):
    """The same of the alerts of a hypothesis, by their confidence."""
    return _at_levels(tapes, hypothesis, levels, _alerted, "confidence")


def reliability(tapes, hypothesis, bins=10):
    """Clusters, true ones and mean probability by bin; and the Brier score."""
    places = [[] for _ in range(bins)]
    errors = []
    for tape in tapes:
        known, of = bursts(tape), owners(tape, bursts(tape))
        for row in tape["smart_flow_hypotheses"]:
            p = 1 / (1 + math.exp(-row[f"z_{hypothesis}"]))
            burst = of[row["cluster_seq"]]
            true = burst is not None and known[burst]["expected_class"] == hypothesis
            places[min(int(p * bins), bins - 1)].append((p, true))
            errors.append((p - true) ** 2)
    rows = [
        (len(one), sum(true for _, true in one), sum(p for p, _ in one) / len(one))
        for one in places
        if one
    ]
    return rows, sum(errors) / len(errors)


def average_precision(points):
    """Σ (Rₙ − Rₙ₋₁) Pₙ over points of falling levels."""
    total, before = 0.0, 0.0
    for _, _, _, precision, recall in points:
        total += (recall - before) * precision
        before = recall
    return total


def _alerted(tape, hypothesis):
    return [one for one in tape["smart_flow_alerts"] if one["hypothesis_type"] == hypothesis]


def _would_say(tape, hypothesis):
    """An alert for each cluster whose largest log-odds are this hypothesis's."""
    said = []
    for row in tape["smart_flow_hypotheses"]:
        z = [row[f"z_{name}"] for name in HYPOTHESES]
        if HYPOTHESES[z.index(max(z))] == hypothesis:
            said.append({**row, "hypothesis_type": hypothesis, "level": max(z)})
    return said


def _at_levels(tapes, hypothesis, levels, alerts_of, key):
    wanted = sum(
        row["expected_class"] == hypothesis for tape in tapes for row in bursts(tape).values()
    )
    points, before = [], 0
    for level in sorted(levels, reverse=True):
        kept, right = 0, 0
        for tape in tapes:
            alerts = [one for one in alerts_of(tape, hypothesis) if one[key] >= level]
            kept += len(alerts)
            right += sum(said == "right" for _, _, said in matched(tape, alerts))
        if kept > before:
            recall = right / wanted if wanted else None
            points.append((level, kept, right, right / kept, recall))
        before = kept
    return points
