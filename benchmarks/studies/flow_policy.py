"""Tunes the scoring policy of the detector on seeds of its own, and writes it.

Each pattern of a hypothesis is a logistic regression on the features of
``contracts.flow_features``: one subtype of bursts against all that is of other kinds. Sessions are
of many dates, since what a chain lists depends on the day of the week, and of universes of several
sizes. The levels from which on a hypothesis is said are chosen on the half of the markets that its
weights were not fitted to, so that in every preset what is said is right often enough, and
confident mistakes on background are rare. ``python -m benchmarks.studies.flow_policy
FOLDER`` keeps what it has looked at in a folder, and prints the policy.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.studies.flow_sessions import Market, judged, spec_of, with_words
from contracts.control import PRESETS
from contracts.flow import ACTORS, SUBTYPES
from contracts.flow_features import FEATURE_NAMES
from contracts.flow_policy import USUAL_POLICY, ScoringPolicy
from contracts.smart_flow import HYPOTHESES, MODEL_VERSION, POLICY_VERSION, UNCLEAR
from engine.flow.api import VERSION as DETECTOR_VERSION
from engine.flow.quantities import features_of_rows
from engine.tapes.market import VERSION as TAPE_VERSION

MARKETS: Final = {
    9001: Market(),
    9002: Market("2026-03-09"),
    9003: Market("2026-02-10"),
    9004: Market("2026-03-05"),
    9005: Market("2026-03-20"),
    9006: Market("2026-05-08"),
    9007: Market("2026-09-01", symbols=8),
    9008: Market("2026-12-24"),  # closes early
    9009: Market("2026-10-05", symbols=40),
    9010: Market("2026-08-14", symbols=12),
    9011: Market("2026-07-16", symbols=8),
    9012: Market("2026-11-20", symbols=40),
    9013: Market("2026-07-02"),
    9014: Market("2026-04-28"),
}
"""By the seeds that are tuned on, each with every preset."""
VERSION: Final = "2.0"
PRECISION: Final = dict.fromkeys(HYPOTHESES, 0.925) | {"hedge_rebalance": 0.91}
"""Precision that every preset must have on the other half; hedging is seldom in quiet markets."""
FALSE_HIGH: Final = {
    "directional_accumulation": 1.4,
    "retail_attention_flow": 0.2,
    "event_positioning": 0.2,
    "volatility_supply": 0.2,
    "structure_arbitrage": 0.1,
    "hedge_rebalance": 0.25,
}
"""Confident mistakes a session that each hypothesis may make; 3.9 are one in 2,000 windows."""
KEPT: Final = 0.1
"""Share of what is of other kinds that weights are fitted to, with the weight of the whole."""
CEILINGS: Final = {
    "directional_accumulation": 0.92,
    "retail_attention_flow": 0.76,
    "event_positioning": 0.72,
    "volatility_supply": 0.74,
    "structure_arbitrage": 0.76,
    "hedge_rebalance": 0.78,
}
"""Greatest confidence of each, from the expected outputs of the predecessor's catalogue."""
GROUPING: Final = {
    "min_print_usd": 150.0,
    "leg_gap_ms": 6.0,
    "packet_ms": 500.0,
    "quiet_s": 4.0,
    "longest_s": 60.0,
    "stale_ms": 1500.0,
}
RULES: Final[dict[str, float]] = {
    "min_premium_usd": 10_000.0,
    "min_orders": 3,
    "min_coverage": 0.35,
    "max_stale": 0.5,
    "wide_spread_bps": 800.0,
    "wide_underlying_bps": 150.0,
    "min_margin": 0.5,
}


class Clusters(NamedTuple):
    """Clusters of all sessions, one a row, and how many bursts there were.

    Attributes
    ----------
    x : ndarray, shape (clusters, features), float32
    y, subtype : ndarray, int64
        True class, and subtype or −1.
    session : ndarray, int64
        Markets in order, their presets side by side.
    bursts : ndarray, shape (sessions, classes), int64
    """

    x: Any
    y: Any
    subtype: Any
    session: Any
    bursts: Any

    def of(self, mine: Any) -> Clusters:
        """Some of the clusters."""
        x, y, subtype, session = (values[mine] for values in self[:4])
        return Clusters(x, y, subtype, session, self.bursts)


def main(folder: Path) -> str:
    """The tuned policy, as its document."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(folder, preset, seed) for seed in MARKETS for preset in PRESETS]
    with ProcessPoolExecutor(2) as pool:
        paths = list(pool.map(_looked_at, wanted))
    parts = [np.load(path) for path in paths]
    x, y, subtype = (np.concatenate([one[name] for one in parts]) for name in ("x", "y", "subtype"))
    data = Clusters(
        x,
        y,
        subtype,
        np.repeat(np.arange(len(parts)), [len(one["y"]) for one in parts]),
        np.array([one["bursts"] for one in parts]),
    )
    z = _other_half(data)
    top, ordered = z.argmax(axis=1), np.sort(z, axis=1)
    is_clear = ordered[:, -1] - ordered[:, -2] >= RULES["min_margin"]
    fitted = _fitted(data)
    policy = _document(
        {
            name: {
                "patterns": fitted[place],
                **_levels(data, z[:, place], (top == place) & is_clear, place),
                "ceiling": CEILINGS[name],
            }
            for place, name in enumerate(HYPOTHESES)
        }
    )
    return json.dumps(ScoringPolicy.model_validate(policy).model_dump(mode="json"), indent=1)


def _looked_at(wanted: tuple[Path, str, int]) -> Path:
    """Features, classes and subtypes of one session's eligible clusters, kept in a file."""
    folder, preset, seed = wanted
    versions = f"{TAPE_VERSION}.{DETECTOR_VERSION}.{len(FEATURE_NAMES)}"
    path = folder / f"{versions}-{MARKETS[seed].slug}-{preset}-{seed}.npz"
    if path.exists():
        return path
    nothing = ScoringPolicy.model_validate(_document(_nothing()))
    found = judged(spec_of(preset, MARKETS[seed]), seed, nothing)
    rows = with_words(found.detections.hypotheses)
    mine = (rows["premium_usd"] >= RULES["min_premium_usd"]) & (
        rows["orders"] >= RULES["min_orders"]
    )
    features = features_of_rows({name: values[mine] for name, values in rows.items()})
    of, y = found.of[mine], found.classes[mine]
    real = found.bursts["actor"] != ACTORS.index("decoy")
    bursts = np.bincount(found.bursts["expected_class"][real], minlength=UNCLEAR + 1)
    subtype = np.where(y == UNCLEAR, -1, found.bursts["subtype"][of])
    np.savez_compressed(path, x=features.astype(np.float32), y=y, subtype=subtype, bursts=bursts)
    return path


def _other_half(data: Clusters) -> Any:
    """Log-odds of every row under patterns fitted to the other half of the markets."""
    half = data.session // len(PRESETS) % 2
    z = np.full((len(data.y), len(HYPOTHESES)), -np.inf)
    for part in (0, 1):
        mine = half == part
        for place, patterns in enumerate(_fitted(data.of(~mine))):
            for one in patterns.values():
                weights = np.array(list(one["weights"].values()))
                z[mine, place] = np.maximum(
                    z[mine, place], one["intercept"] + data.x[mine] @ weights
                )
    return z


def _fitted(data: Clusters) -> list[dict[str, Any]]:
    """Patterns of every hypothesis, by the names of the subtypes that they are of."""
    found: list[dict[str, Any]] = [{} for _ in HYPOTHESES]
    for code, subtype in enumerate(SUBTYPES):
        is_mine = data.subtype == code
        if not is_mine.any():
            continue
        place = int(data.y[is_mine][0])
        found[place][subtype.name] = _pattern(data.x, is_mine, data.y != place)
    return found


def _pattern(x: Any, is_mine: Any, is_other: Any) -> dict[str, Any]:
    """One regression, of the features as they are."""
    kept = is_mine | (is_other & (np.arange(len(is_mine)) % round(1 / KEPT) == 0))
    x, y = x[kept].astype(np.float64), is_mine[kept]
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-9
    sure = np.where(y, 1.0, 1.0 / KEPT)
    model = LogisticRegression(C=0.3, solver="newton-cholesky", max_iter=100)
    model.fit((x - mean) / deviation, y, sample_weight=sure)
    weights = np.asarray(model.coef_)[0] / deviation
    weights[x.std(axis=0) == 0.0] = 0.0
    return {
        "intercept": round(float(np.asarray(model.intercept_)[0] - weights @ mean), 4),
        "weights": {
            one: round(float(weight), 4) for one, weight in zip(FEATURE_NAMES, weights, strict=True)
        },
    }


def _levels(data: Clusters, z: Any, is_first: Any, place: int) -> dict[str, float]:
    """Levels of a hypothesis, chosen on the other halves among what it comes first of."""
    name, is_mine, preset = HYPOTHESES[place], data.y == place, data.session % len(PRESETS)
    wrong = np.sort(z[is_first & (data.y == UNCLEAR)])[::-1]
    high_z = float(wrong[int(FALSE_HIGH[name] * len(data.bursts))])
    each = [is_first & (preset == p) for p in range(len(PRESETS))]
    alert_z = max(_least(z[mine], is_mine[mine], PRECISION[name]) for mine in each)
    recalls = [
        (is_mine & mine & (z >= alert_z)).sum() / data.bursts[p :: len(PRESETS), place].sum()
        for p, mine in enumerate(each)
    ]
    said = [f"{recall:.3f}" for recall in recalls]
    high = (is_first & is_mine & (z >= high_z)).sum() / data.bursts[:, place].sum()
    sys.stderr.write(
        f"{name}: alert {alert_z:.2f}, high {high_z:.2f} ({high:.2f}), recall {said}\n"
    )
    return {"alert_z": round(alert_z, 2), "high_z": round(max(high_z, alert_z + 1.0), 2)}


def _least(z: Any, is_mine: Any, precision: float) -> float:
    """Least level at which what is said is right often enough, not below even odds."""
    order = np.argsort(-z)
    right = np.cumsum(is_mine[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(right >= precision)
    return max(float(z[order[good[-1]]]), 0.0)


def _nothing() -> dict[str, Any]:
    nothing = {"intercept": 0.0, "weights": dict.fromkeys(FEATURE_NAMES, 0.0)}
    levels = {"patterns": {"nothing": nothing}, "alert_z": 0.0, "high_z": 1.0}
    return {name: {**levels, "ceiling": CEILINGS[name]} for name in HYPOTHESES}


def _document(hypotheses: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": USUAL_POLICY,
        "version": VERSION,
        "policy_version": POLICY_VERSION,
        "model_version": MODEL_VERSION,
        "grouping": GROUPING,
        "rules": RULES,
        "hypotheses": hypotheses,
        "tuning": {
            "seeds": [str(seed) for seed in MARKETS],
            "markets": [f"{one.slug}-{preset}" for one in MARKETS.values() for preset in PRESETS],
        },
    }


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1])) + "\n")
