"""Tapes of a few rows, by hand and at random, as rows and as the tables that are judged.

Rows are what tests/oracles/smart_flow_scores.py reads.
"""

import numpy as np

from contracts.flow import EXPECTED_CLASS, SUBTYPES
from contracts.regime import REGIMES
from contracts.smart_flow import DIRECTIONS, HYPOTHESES
from engine.evaluation import TapeTables, score_tape

MINUTE = 60_000_000_000
SECOND = 1_000_000_000
OPEN = 1_700_000_000 * SECOND
SYMBOLS = ("AAPL", "QQQ", "SPY")
CLASS = {one.name: EXPECTED_CLASS[one.family] for one in SUBTYPES}
SUBTYPE_OF = {CLASS[one.name]: one.name for one in reversed(SUBTYPES)}
EMPTY = {
    "flow_prints": ("seq", "ts_ns", "cluster_seq"),
    "smart_flow_hypotheses": (
        "cluster_seq",
        "start_ns",
        "emitted_ns",
        *(f"z_{name}" for name in HYPOTHESES),
    ),
    "smart_flow_alerts": (
        "cluster_seq",
        "symbol",
        "emitted_ns",
        "start_ns",
        "hypothesis_type",
        "direction",
        "confidence",
        "band",
    ),
    "print_labels": ("seq", "stream", "actor", "burst_id"),
    "burst_labels": (
        "burst_id",
        "actor",
        "subtype",
        "symbol",
        "start_ns",
        "end_ns",
        "prints",
        "expected_class",
        "direction",
        "regime",
    ),
    "session_states": ("ts_ns", "regime"),
}
TEXTS = {"symbol", "hypothesis_type", "direction", "band", "stream", "actor", "subtype"} | {
    "expected_class",
    "regime",
}


def empty(minutes=30):
    """A tape of one session on which nothing happens."""
    tape = {name: [] for name in EMPTY}
    tape["session_states"] = [
        {"ts_ns": OPEN + k * MINUTE, "regime": REGIMES[k // 5 % len(REGIMES)]}
        for k in range(minutes)
    ]
    return tape


def add_burst(tape, seqs, start, *, subtype="call_sweep", actor="burst", symbol="SPY", **changes):
    """Add a burst that prints `seqs`, one a second from `start` seconds on; return its id."""
    number = len(tape["burst_labels"]) + 1
    times = [OPEN + (start + k) * SECOND for k in range(len(seqs))]
    row = {
        "burst_id": number,
        "actor": actor,
        "subtype": subtype,
        "symbol": symbol,
        "start_ns": times[0],
        "end_ns": times[-1],
        "prints": len(seqs),
        "expected_class": "unclear" if actor == "decoy" else CLASS[subtype],
        "direction": "bullish",
        "regime": "trend_up",
    }
    tape["burst_labels"].append({**row, **changes})
    for seq, ts in zip(seqs, times, strict=True):
        add_print(tape, seq, ts, actor=actor, burst=number)
    return number


def add_print(tape, seq, ts_ns, *, actor="background", burst=0):
    """Add a print that is in no cluster yet."""
    tape["flow_prints"].append({"seq": seq, "ts_ns": ts_ns, "cluster_seq": 0})
    label = {"seq": seq, "stream": "option_prints", "actor": actor, "burst_id": burst}
    tape["print_labels"].append(label)


def add_cluster(tape, seqs, z=None):
    """Cluster prints of the tape, and say nothing; return its number."""
    members = [row for row in tape["flow_prints"] if row["seq"] in seqs]
    number = min(seqs)
    for row in members:
        row["cluster_seq"] = number
    scores = z or [-3.0] * len(HYPOTHESES)
    start = min(row["ts_ns"] for row in members)
    emitted = max(row["ts_ns"] for row in members) + 2 * SECOND
    row = {"cluster_seq": number, "start_ns": start, "emitted_ns": emitted}
    row |= {f"z_{name}": one for name, one in zip(HYPOTHESES, scores, strict=True)}
    tape["smart_flow_hypotheses"].append(row)
    return number


def add_alert(tape, cluster, said="directional_accumulation", *, confidence=0.8, **changes):
    """Say something of a cluster, when it was given."""
    hypothesis = next(row for row in tape["smart_flow_hypotheses"] if row["cluster_seq"] == cluster)
    row = {
        "cluster_seq": cluster,
        "symbol": "SPY",
        "emitted_ns": hypothesis["emitted_ns"],
        "start_ns": hypothesis["start_ns"],
        "hypothesis_type": said,
        "direction": "bullish",
        "confidence": confidence,
        "band": "high" if confidence >= 0.72 else "medium",
    }
    tape["smart_flow_alerts"].append({**row, **changes})


def tables(tape):
    """The tape's tables as columns."""
    return TapeTables(
        **{
            name: {
                column: np.array([row[column] for row in tape[name]], dtype=_dtype(column))
                for column in columns
            }
            for name, columns in EMPTY.items()
        }
    )


def score(tape, *, seed=1, preset="balanced_demo", symbols=3, window=10):
    """The tape, judged."""
    return score_tape(
        tables(tape), seed=seed, preset=preset, symbols=symbols, coverage_window_minutes=window
    )


def random_tape(seed, *, bursts=14, background=30, told=0.6, minutes=(14, 12)):
    """A tape of two sessions with bursts, decoys and hedges, clusters that mix them, and alerts."""
    rng = np.random.default_rng(seed)
    tape = empty(0)
    offsets = [*range(minutes[0]), *range(1000, 1000 + minutes[1])]
    tape["session_states"] = [
        {"ts_ns": OPEN + k * MINUTE, "regime": str(rng.choice(REGIMES))} for k in offsets
    ]
    seqs = iter(rng.permutation(10_000).tolist())
    for _ in range(int(rng.integers(0, bursts + 1))):
        second = 60 * int(rng.choice(offsets)) + int(rng.integers(0, 50))
        add_burst(
            tape,
            [next(seqs) + 1 for _ in range(int(rng.integers(1, 6)))],
            second,
            subtype=SUBTYPES[int(rng.integers(0, len(SUBTYPES)))].name,
            actor=str(rng.choice(["burst", "injection", "decoy"], p=[0.6, 0.15, 0.25])),
            symbol=str(rng.choice(SYMBOLS)),
            direction=str(rng.choice(DIRECTIONS[:3])),
            regime=str(rng.choice(REGIMES)),
        )
    for _ in range(int(rng.integers(1, background + 1))):
        ts = OPEN + 60 * int(rng.choice(offsets)) * SECOND + int(rng.integers(0, 60 * SECOND))
        hedge = bool(tape["burst_labels"]) and rng.random() < 0.2
        chosen = int(rng.integers(1, len(tape["burst_labels"]) + 1)) if hedge else 0
        add_print(tape, next(seqs) + 1, ts, actor="hedge" if hedge else "background", burst=chosen)
    _cluster(tape, rng)
    for row in tape["smart_flow_hypotheses"]:
        if rng.random() < told:
            _tell(tape, row, rng)
    return tape


def shuffled(tape, seed):
    """The same rows in another order."""
    rng = np.random.default_rng(seed)
    return {name: [rows[k] for k in rng.permutation(len(rows))] for name, rows in tape.items()}


def _cluster(tape, rng):
    """Put prints of one burst, and now and then others, together."""
    bursts = {row["seq"]: row["burst_id"] for row in tape["print_labels"]}
    groups = {}
    for row in tape["flow_prints"]:
        own = bursts[row["seq"]] or -int(rng.integers(1, 8))
        part = int(rng.integers(0, 2))
        key = (own, part) if rng.random() < 0.8 else (int(rng.integers(1, 6)), 0)
        groups.setdefault(key, []).append(row["seq"])
    for seqs in groups.values():
        if rng.random() < 0.9:
            z = (rng.integers(-40, 40, len(HYPOTHESES)) / 8 + rng.choice([0, 0.01])).tolist()
            add_cluster(tape, seqs, z)


def _tell(tape, row, rng):
    cluster = row["cluster_seq"]
    bursts = {one["burst_id"]: one["expected_class"] for one in tape["burst_labels"]}
    label = next(one for one in tape["print_labels"] if one["seq"] == cluster)
    true = bursts.get(label["burst_id"], "unclear")
    said = true if true in HYPOTHESES and rng.random() < 0.7 else str(rng.choice(HYPOTHESES))
    add_alert(
        tape,
        cluster,
        said,
        confidence=float(rng.choice([0.5 + rng.random() / 2, 0.75])),
        symbol=str(rng.choice(SYMBOLS)),
        direction=str(rng.choice(DIRECTIONS[:3])),
    )


def _dtype(column):
    if column in TEXTS:
        return object
    return np.float64 if column.startswith("z_") or column == "confidence" else np.int64
